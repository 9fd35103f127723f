"""`flag` says what is to become of assets: want, skip, forget, hold; each with a note."""

import argparse
from typing import TYPE_CHECKING

from tui.commandline.arguments import Commands, asset, check_accounts, command, json_option
from tui.commandline.output import Output
from tui.commandline.session import with_desk
from vault.triage.states import Flag

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

_WORDS = {
    Flag.WANT: "fetch it: it is queued now, or as soon as the service has it",
    Flag.SKIP: "leave it: out of what is at risk and of `fetch --all`",
    Flag.FORGET: "let it be lost: the same, and nothing about it counts as a fault",
    Flag.HOLD: "never release it; stops a release that waits",
}
_EXAMPLES = """\
  reeldesk flag advice/xyz789/archive.abc123 --hold --note "court order 12"
  reeldesk flag advice/xyz789/archive.abc123 --clear
  reeldesk flag advice/xyz789/archive.abc123                 # shows its flags"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = command(commands, "flag", "say what is to become of assets", run, _EXAMPLES)
    parser.add_argument("assets", nargs="+", metavar="ASSET", type=asset, help="as `reeldesk list` prints it")
    which = parser.add_mutually_exclusive_group()
    for flag, words in _WORDS.items():
        which.add_argument(f"--{flag}", action="store_const", dest="flag", const=flag, help=words)
    which.add_argument("--clear", action="store_true", help="take every flag off")
    parser.add_argument("--note", metavar="TEXT", default="", help="why; kept with the flag")
    json_option(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Set, clear or show flags."""
    return with_desk(args.environ, lambda desk: _flag(desk, args, out))


def _flag(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    assets = list(dict.fromkeys(args.assets))
    check_accounts(desk, [identity.account for identity in assets])
    if args.flag is not None:
        out.note(desk.flagging.set(assets, args.flag, args.note))
    elif args.clear:
        out.note(desk.flagging.clear(assets))
    for identity in assets:
        view = desk.asset(identity)
        flags = desk.flagging.of(identity)
        if view is None:
            out.fail(str(identity), f"it is not known here; `reeldesk sync {identity.account}` asks the service")
        elif args.json:
            said = [{"flag": f.flag, "note": f.note, "by": f.by, "at": f.at.isoformat()} for f in flags]
            out.record({**view.record(), "flags": said, "destination": view.destination or None})
        else:
            words = ", ".join(f"{f.flag} ({f.by}{': ' + f.note if f.note else ''})" for f in flags) or "no flag"
            out.line(f"{identity}  {words}")
    return out.status
