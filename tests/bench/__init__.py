"""Measurements beside public tools, in one run on one machine; printed as ratios, never asserted as seconds."""
