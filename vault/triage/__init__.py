"""Triage: flags, releases in grace with receipts, and undoing what was done last."""
