"""Opening the desk: the only command that imports Textual."""

import argparse
import os
import sys
from collections.abc import Mapping

from tui.commandline.output import Output
from tui.commandline.session import Usage

_LOGS = ("TEXTUAL", "TEXTUAL_LOG")
"""What they turn on writes down every key that is pressed, in a password field too."""


def run_desk(args: argparse.Namespace, out: Output) -> int:
    """Open the desk over what is configured."""
    return open_desk(os.environ)


def open_desk(environ: Mapping[str, str], banner: str = "") -> int:
    """Open the desk and give its exit status; `banner` is shown as long as it is open."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("the desk needs a terminal; `reeldesk list` and the other commands do not (`reeldesk --help`)")
    for name in _LOGS:
        os.environ.pop(name, None)
    from tui.app import DeskApp
    from vault.desk import Desk
    from vault.engine import Engine

    desk = Desk.open(environ)
    try:
        app = DeskApp(Engine(desk), banner=banner)
        app.run()
        return app.return_code or 0
    finally:
        desk.close()
