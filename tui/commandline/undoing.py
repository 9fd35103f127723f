"""`undo` takes back what was done last: queueing, flags, a release in its grace."""

import argparse
from typing import TYPE_CHECKING

from tui.commandline.arguments import Commands, command, json_option
from tui.commandline.output import Output
from tui.commandline.session import with_desk

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk


def add(commands: Commands) -> None:
    """Add the command."""
    parser = command(commands, "undo", "take back your last deed: queueing, flags, a release in its grace", run)
    json_option(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Undo the operator's latest deed, in whatever process it was done."""
    return with_desk(args.environ, lambda desk: _undo(desk, args.json, out))


def _undo(desk: "Desk", as_json: bool, out: Output) -> int:
    deed = desk.undoing.last()
    words = desk.undoing.undo()
    if as_json:
        out.record(
            {
                "undone": deed.what if deed else None,
                "at": deed.at.isoformat() if deed else None,
                "by": deed.by if deed else None,
                "assets": [str(identity) for identity in deed.assets] if deed else [],
                "words": words,
            }
        )
    else:
        out.line(words)
    return out.status
