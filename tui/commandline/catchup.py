"""`catchup`: the summary of the call that runs in a room."""

import argparse
from typing import TYPE_CHECKING

from providers.models import AssetId, AssetKind, Capability
from tui.commandline.arguments import Commands, account_option, command, json_option, one_account
from tui.commandline.output import Output
from tui.commandline.session import attempt, on_loop
from tui.commandline.unlocking import passphrase_option, unlocking

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

_EXAMPLES = """\
  reeldesk catchup town-hall
  reeldesk catchup town-hall --account standup --json | jq -r .text"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = command(commands, "catchup", "show the summary of the call that runs in a room", run, _EXAMPLES)
    parser.add_argument("room", metavar="ROOM", help="the room's name")
    account_option(parser, "whose room; not needed where only one account has catch-ups")
    json_option(parser)
    passphrase_option(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Ask, keep the answer, and print it."""
    return on_loop(args.environ, lambda desk: _catchup(desk, args, out), unlocking(args, out))


async def _catchup(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    account = one_account(desk, args.account, Capability.CATCHUP)
    said = await attempt(out, f"{account}/{args.room}", desk.catchup(account, args.room))
    if said is None:
        return out.status
    if said.error:
        out.fail(f"{account}/{args.room}", said.error)
    if args.json:
        known = desk.asset(AssetId(account, said.room, AssetKind.CATCHUP))
        about = known.record() if known else {"account": account, "meeting": said.room, "kind": AssetKind.CATCHUP}
        out.record({**about, "text": said.text, "at": said.at.isoformat(), "error": said.error or None})
    elif said.text:
        out.text(said.text)
    elif not said.error:
        out.note(f"{account}/{args.room}: nothing to tell yet")
    return out.status
