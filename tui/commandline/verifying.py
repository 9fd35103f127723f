"""`verify` reads what is held again."""

import argparse
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from providers.models import AssetId, RemoteState
from tui.commandline import custody
from tui.commandline.arguments import (
    Commands,
    account_option,
    assets_or_all,
    check_accounts,
    check_assets,
    command,
    json_option,
)
from tui.commandline.output import Output
from tui.commandline.session import Usage, attempt, on_loop
from tui.figures import count, size
from vault.views import LocalState

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.keeping import Verification, VerifyProgress

_VERIFY = """\
  reeldesk verify advice/xyz789/archive.abc123
  reeldesk verify --all                                     # the oldest proof first; interrupted, it goes on there
  nice ionice -c 3 reeldesk verify --all --older-than 30 --quiet    # for cron: only what is damaged or lost is told
  reeldesk verify --log"""


def add(commands: Commands) -> None:
    """Add the command."""
    verify = command(commands, "verify", "read what is held again and compare it with its proof", run, _VERIFY)
    assets_or_all(verify, "whatever was proven here, the oldest proof first")
    account_option(verify, "with --all: only this account's")
    words = "with --all: only what was proven more than so many days ago"
    verify.add_argument("--older-than", type=float, metavar="DAYS", help=words)
    verify.add_argument("-q", "--quiet", action="store_true", help="say nothing of what is as proven")
    verify.add_argument("--log", action="store_true", help="check the log of events instead: is its chain whole?")
    verify.add_argument("--packet", metavar="DIR", type=Path, help="check a custody packet instead")
    verify.add_argument("--kept", metavar="HEAD", type=custody.head, help="with --log: a head that was kept before")
    json_option(verify)


def run(args: argparse.Namespace, out: Output) -> int:
    """Read files again; what is damaged or lost is named. With --log or --packet, that is checked instead."""
    custody.check_usage(args)
    if args.log:
        return custody.check_log(args, out)
    if args.packet:
        return custody.check_packet(args, out)
    return on_loop(args.environ, lambda desk: _verify(desk, args, out))


async def _verify(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    done = bad = 0

    def show(progress: "VerifyProgress") -> None:
        step = "" if progress.step == "reading" else f" ({progress.step})"
        read = f"{size(progress.done)} of {size(progress.total)}{step}"
        out.progress(f"{done} read, {bad} bad · {progress.identity} {read}")

    for identity in _chosen(desk, args):
        found = await attempt(out, identity, desk.verify(identity, show))
        done += 1
        if found and found.state is not LocalState.HELD:
            bad += 1
            out.fail(str(identity), f"{found.state}: {found.words}{_remedy(desk, identity)}")
        _show(desk, identity, found, args, out)
        if out.unheard:
            break
    if args.quiet and not out.failures:
        return out.status
    if not done:
        out.note("nothing was ever proven here" if args.older_than is None else "every proof is younger than that")
    elif args.all:
        out.note(f"{count(done, 'file')} read again, {out.failures} of them bad" if out.failures else _well(done))
    return out.status


def _well(done: int) -> str:
    return f"{count(done, 'file')} read again, {'as' if done == 1 else 'all as'} proven"


def _chosen(desk: "Desk", args: argparse.Namespace) -> Iterable[AssetId]:
    check_assets(desk, args)
    check_accounts(desk, [args.account] if args.account is not None else [])
    if not args.all:
        if args.account is not None or args.older_than is not None:
            raise Usage("--account and --older-than go with --all")
        return dict.fromkeys(args.assets)
    if args.older_than is not None and not 0 <= args.older_than <= 36_500:
        raise Usage("--older-than must be a number of days, 0 or more")
    before = desk.now() - timedelta(days=args.older_than or 0.0)
    return (view.identity for view in desk.keeping.oldest_first(args.account or "", before))


def _remedy(desk: "Desk", identity: AssetId) -> str:
    """What can be done about a file that is damaged or lost."""
    view = desk.asset(identity)
    if view is None or not view.state.downloadable:
        return "; the service does not have it any more" if view and view.state is RemoteState.EXPIRED else ""
    return f"; the service still has it: `reeldesk fetch {identity}`"


def _show(desk: "Desk", identity: AssetId, found: "Verification | None", args: argparse.Namespace, out: Output) -> None:
    """Print what was found: as JSON whatever it is, for a person what was checked of a file that is held."""
    is_well = found is not None and found.state is LocalState.HELD
    if args.quiet and is_well:
        return
    view = desk.asset(identity) if args.json else None
    if view:
        checks = found.proof.checks if found and found.proof else ()
        stated = [{"name": check.name, "outcome": check.outcome, "words": check.words} for check in checks]
        out.record({**view.record(), "checks": stated, "found": found.words if found else None})
    elif found and is_well:
        out.line(f"{identity}  {found.state}  {found.words}")
    out.flush()
