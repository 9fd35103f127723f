"""Opening the desk: the only command that imports Textual."""

import argparse
import os
import sys
from collections.abc import Mapping
from functools import partial

from tui.commandline.output import Output
from tui.commandline.session import Usage

_DROPPED = ("TEXTUAL", "TEXTUAL_LOG", "COLUMNS", "LINES")
"""The first two write down every key that is pressed, in a password field too; the others are believed more than the
terminal, whatever size it has or gets.
"""


def run_desk(args: argparse.Namespace, out: Output) -> int:
    """Open the desk over what is configured."""
    return open_desk(os.environ)


def open_desk(environ: Mapping[str, str], banner: str = "", *, outlived: bool = True) -> int:
    """Open the desk and give its exit status; `banner` is shown as long as it is open.

    `outlived`: whether the services are still there after it, so that transfers can be handed over.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("the desk needs a terminal; `reeldesk list` and the other commands do not (`reeldesk --help`)")
    for name in _DROPPED:
        os.environ.pop(name, None)
    from tui.app import DeskApp
    from tui.collecting import collect_rarely
    from tui.commandline.takeover import hand_over
    from vault.desk import Desk
    from vault.engine import Engine

    desk = Desk.open(environ)
    try:
        app = DeskApp(Engine(desk), banner=banner, hand_over=partial(hand_over, environ=environ) if outlived else None)
        collect_rarely()
        app.run()
        return app.return_code or 0
    finally:
        desk.close()
