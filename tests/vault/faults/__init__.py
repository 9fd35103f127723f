"""The fault matrix: what goes wrong, at which service, and how a transfer must end.

`declared*.py` hold the table; `test_matrix.py` makes every cell happen; `docs/faults.md` shows it.
"""
