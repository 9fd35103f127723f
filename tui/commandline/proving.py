"""`release` lets the service delete what is proven here."""

import argparse
from typing import TYPE_CHECKING

from providers.models import AssetId
from tui.commandline.arguments import Commands, asset, check_accounts, command, json_option
from tui.commandline.output import Output
from tui.commandline.session import Usage, attempt, on_loop, with_desk
from tui.commandline.unlocking import passphrase_option, unlocking
from vault import rules

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

_RELEASE = """\
  reeldesk release advice/xyz789/archive.abc123          # says what would happen
  reeldesk release advice/xyz789/archive.abc123 --yes"""


def add(commands: Commands) -> None:
    """Add the command."""
    release = command(commands, "release", "let the service delete what is proven here", run_release, _RELEASE)
    release.add_argument("assets", nargs="+", metavar="ASSET", type=asset, help="as `reeldesk list` prints it")
    release.add_argument("--yes", action="store_true", help="do it; without this it only says what would happen")
    json_option(release)
    passphrase_option(release)


def run_release(args: argparse.Namespace, out: Output) -> int:
    """Let the service delete the assets, each only with a proven copy here; without --yes only say so."""
    if args.yes:
        return on_loop(args.environ, lambda desk: _release(desk, args, out), unlocking(args, out))
    return with_desk(args.environ, lambda desk: _rehearse(desk, args.assets, out))


def _rehearse(desk: "Desk", assets: list[AssetId], out: Output) -> int:
    check_accounts(desk, [identity.account for identity in assets])
    for identity in assets:
        why_not = _why_not_release(desk, identity)
        out.note(f"{identity}: " + (f"would be refused: {why_not}" if why_not else "the service would delete it"))
    raise Usage("nothing was released; say --yes to do it")


async def _release(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    check_accounts(desk, [identity.account for identity in args.assets])
    for identity in dict.fromkeys(args.assets):
        why_not = _why_not_release(desk, identity)
        if why_not:
            out.fail(str(identity), why_not)
        done = None if why_not else await attempt(out, identity, desk.release(identity))
        view = done or desk.asset(identity)
        if view and args.json:
            out.record(view.record())
        elif done:
            out.line(f"{identity}  released; the service says {done.provider_state or done.state}")
        out.flush()
    return out.status


def _why_not_release(desk: "Desk", identity: AssetId) -> str:
    view = desk.asset(identity)
    if view is None:
        return f"it is not known here; `reeldesk sync {identity.account}` asks the service"
    return rules.why_not_release(view, desk.capabilities(identity.account))
