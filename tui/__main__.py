"""`python -m tui`: reeldesk from a checkout, nothing installed."""

import sys

from tui.cli import main

sys.exit(main())
