"""How the desk looks: a sheet for each screen, and the themes."""

from pathlib import Path

SHEETS = Path(__file__).parent
"""Where the .tcss files are."""
