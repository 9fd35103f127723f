"""Custody: what was established of an asset, by whom and when, checked, and packed for somebody else to check."""
