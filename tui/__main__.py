"""`python -m tui`: reeldesk from a checkout, nothing installed."""

import sys

from tui.cli import entry

sys.exit(entry())
