"""`release` lets the service delete what is proven here, at once or after a grace; `receipts` shows what it deleted."""

import argparse
import re
from typing import TYPE_CHECKING

from providers.models import AssetId
from tui.commandline.arguments import Commands, asset, check_accounts, command, json_option
from tui.commandline.output import Output
from tui.commandline.session import Usage, attempt, on_loop, with_desk
from tui.commandline.unlocking import passphrase_option, unlocking
from tui.figures import size, when

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.triage.views import ReceiptView, ReleaseView

LONGEST_S = 30 * 86_400.0
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_RELEASE = """\
  reeldesk release advice/xyz789/archive.abc123                    # says what would happen
  reeldesk release advice/xyz789/archive.abc123 --yes              # at once
  reeldesk release advice/xyz789/archive.abc123 --yes --grace 10m  # a running desk, or `reeldesk work`, sends it then
  reeldesk release advice/xyz789/archive.abc123 --stop"""
_RECEIPTS = """\
  reeldesk receipts
  reeldesk receipts advice/xyz789/archive.abc123 --json
  reeldesk receipts --waiting                                      # what was asked for and is not sent yet"""
_HEAD = ("ASSET", "RELEASED", "DELETED FOR GOOD", "SIZE", "SHA-256", "ANSWER", "READ AGAIN")
_WAITING = ("ASSET", "STATE", "DUE", "BY", "WORDS")


def add(commands: Commands) -> None:
    """Add the commands."""
    release = command(commands, "release", "let the service delete what is proven here", run_release, _RELEASE)
    release.add_argument("assets", nargs="+", metavar="ASSET", type=asset, help="as `reeldesk list` prints it")
    release.add_argument("--yes", action="store_true", help="do it; without this it only says what would happen")
    release.add_argument(
        "--grace", metavar="TIME", type=grace, help="with --yes: not before that (90, 10m, 2h); nothing is sent now"
    )
    release.add_argument("--stop", action="store_true", help="stop what is in its grace")
    json_option(release)
    passphrase_option(release)
    receipts = command(
        commands, "receipts", "show what services delete since they were told to", run_receipts, _RECEIPTS
    )
    receipts.add_argument("assets", nargs="*", metavar="ASSET", type=asset, help="only of these")
    receipts.add_argument(
        "--waiting", action="store_true", help="releases that are open: in their grace, or being sent"
    )
    json_option(receipts)


def grace(text: str) -> float:
    """Seconds from `90`, `90s`, `10m`, `2h` or `1d`, for argparse."""
    found = re.fullmatch(r"(\d{1,8})([smhd]?)", text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else -1.0
    if not 0 <= seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text} is no time: write 90 (seconds), 10m, 2h or 1d; 30 days at most")
    return seconds


def run_release(args: argparse.Namespace, out: Output) -> int:
    """Let the service delete the assets, each only with a proven copy here; without --yes only say so."""
    if args.stop:
        if args.yes or args.grace is not None:
            raise Usage("say --stop alone, or --yes")
        return with_desk(args.environ, lambda desk: _stop(desk, args, out))
    if not args.yes:
        return with_desk(args.environ, lambda desk: _rehearse(desk, args.assets, out))
    if args.grace:
        return with_desk(args.environ, lambda desk: _ask(desk, args, out))
    return on_loop(args.environ, lambda desk: _release(desk, args, out), unlocking(args, out))


def _rehearse(desk: "Desk", assets: list[AssetId], out: Output) -> int:
    check_accounts(desk, [identity.account for identity in assets])
    can_be = 0
    for identity in dict.fromkeys(assets):
        why_not = _why_not(desk, identity)
        if why_not:
            out.fail(str(identity), f"would be refused: {why_not}")
            continue
        can_be += 1
        along = [str(view.identity) for view in desk.releasing.along(identity)]
        more = f", and with it {', '.join(along)}" if along else ""
        out.note(f"{identity}: the service would delete it{more}")
    if not can_be:
        out.note("nothing was released, and nothing of it can be")
        return out.status
    raise Usage(f"nothing was released; say --yes to {f'release {can_be} of them' if out.status else 'do it'}")


def _why_not(desk: "Desk", identity: AssetId) -> str:
    if desk.asset(identity) is None:
        return f"it is not known here; `reeldesk sync {identity.account}` asks the service"
    return desk.releasing.why_not(identity)


def _ask(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    check_accounts(desk, [identity.account for identity in args.assets])
    asked = desk.releasing.ask(args.assets, args.grace)
    for identity, words in asked.refused:
        out.fail(str(identity), words)
    for view in asked.release:
        _show(desk, view.asset, args.json, out, open_words(view))
    if asked.release:
        out.note("a desk that is open then, or `reeldesk work`, sends it; `reeldesk undo` stops it before")
    return out.status


def _stop(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    check_accounts(desk, [identity.account for identity in args.assets])
    for identity in dict.fromkeys(args.assets):
        stopped = desk.releasing.stop(identity)
        if not stopped:
            view = desk.releasing.release_of(identity)
            is_sent = view is not None and not view.state.ended
            out.fail(str(identity), "it is being sent, and cannot be stopped" if is_sent else "no release of it waits")
        if stopped or args.json:
            _show(desk, identity, args.json, out, "stopped; nothing was sent")
    return out.status


async def _release(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    check_accounts(desk, [identity.account for identity in args.assets])
    asked = desk.releasing.ask(args.assets, 0.0)  # all of them first: those of one conference are one call
    refused = dict(asked.refused)
    for identity in dict.fromkeys(args.assets):
        if identity in refused:
            out.fail(str(identity), refused[identity])
        done = None if identity in refused else await attempt(out, identity, desk.releasing.see_through(identity))
        if done or args.json:
            release = desk.releasing.release_of(identity)
            until = f" and deletes it on {when(release.deadline)}" if release and release.deadline else ""
            said = f"the service says {done.provider_state or done.state}{until}" if done else ""
            _show(desk, identity, args.json, out, f"released; {said}")
    return out.status


def open_words(view: "ReleaseView") -> str:
    """How an open release stands."""
    if view.sent_at is not None:
        return f"sent; {view.words or 'its answer is not known'}; the service is asked again"
    words = f"to be released at {when(view.due_at)}, not before"
    return f"{words}; tried again at {when(view.again_at)}: {view.words}" if view.again_at else words


def _show(desk: "Desk", identity: AssetId, as_json: bool, out: Output, words: str) -> None:
    view = desk.asset(identity)
    if view and as_json:
        due = {"due_at": view.release_due.isoformat()} if view.release_due else {}
        out.record({**view.record(), **due})
    elif not as_json:
        out.line(f"{identity}  {words}")
    out.flush()


def run_receipts(args: argparse.Namespace, out: Output) -> int:
    """Print receipts, newest first, or what waits."""
    return with_desk(args.environ, lambda desk: _receipts(desk, args, out))


def _receipts(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    chosen = frozenset(args.assets)
    if args.waiting:
        waiting = [view for view in desk.releasing.due() if not chosen or view.asset in chosen]
        if args.json:
            for view in waiting:
                out.record(view.record())
        elif not out.table(_WAITING, map(_waiting_row, waiting)):
            out.note("no release is open")
        return out.status
    receipts: list[ReceiptView] = []
    for identity in chosen or [None]:
        receipts += desk.releasing.receipts(identity)
    if args.json:
        for receipt in receipts:
            out.record(receipt.record())
    elif not out.table(_HEAD, map(_row, receipts)):
        out.note("nothing was released from here")
    return out.status


def _row(receipt: "ReceiptView") -> tuple[str, ...]:
    return (
        str(receipt.asset),
        when(receipt.sent_at or receipt.confirmed_at),
        when(receipt.deadline),
        size(receipt.proof.size),
        receipt.sha256,
        receipt.answer,
        when(receipt.rechecked_at) if receipt.rechecked_at else receipt.recheck,
    )


def _waiting_row(view: "ReleaseView") -> tuple[str, ...]:
    return str(view.asset), view.state, when(view.due_at), view.by, view.words or open_words(view)
