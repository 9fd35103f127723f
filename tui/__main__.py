"""`python -m tui`: reeldesk from a checkout, nothing installed."""

import sys

from tui.start import entry

sys.exit(entry())
