"""`fetch` brings assets home."""

import argparse
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from providers.models import AssetId
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
from tui.commandline.session import FAULTS, each, on_loop, words
from tui.commandline.unlocking import passphrase_option, unlocking
from tui.figures import count, rate, size
from vault import rules
from vault.views import AssetView, Flag, LocalState, Query, TransferState, TransferView

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

AT_ONCE = 4
_QUEUED = (LocalState.QUEUED, LocalState.FETCHING)
_FETCH = """\
  reeldesk fetch --all
  reeldesk fetch advice/xyz789/archive.abc123
  reeldesk fetch --all --account advice --json | jq -r .path"""


def add(commands: Commands) -> None:
    """Add the command."""
    fetch = command(commands, "fetch", "bring assets home, with proof", run_fetch, _FETCH)
    assets_or_all(fetch, "whatever is available and not held")
    account_option(fetch, "with --all: only this account's")
    json_option(fetch)
    passphrase_option(fetch)


def run_fetch(args: argparse.Namespace, out: Output) -> int:
    """Fetch what is named, or whatever is available."""
    return on_loop(args.environ, lambda desk: _fetch(desk, args, out), unlocking(args, out))


async def _fetch(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    check_assets(desk, args)
    check_accounts(desk, [args.account] if args.account is not None else [])
    chosen = _available(desk, args.account or "", out) if args.all else list(dict.fromkeys(args.assets))
    ready: list[AssetId] = []

    async def prepare(identity: AssetId) -> None:
        if await _is_to_fetch(desk, identity, args.json, out):
            ready.append(identity)

    await each(chosen, AT_ONCE, prepare)
    _warn(desk, ready, out)
    meter = Meter(out, len(ready))

    def ended(identity: AssetId) -> None:
        meter.done(identity)
        _show(desk, identity, args.json, out)

    await desk.fetch_all(sorted(ready, key=chosen.index), meter.show, ended)
    return out.status


def _warn(desk: "Desk", ready: list[AssetId], out: Output) -> None:
    """Say before it starts that the disk, or the time, does not suffice; what can be had is fetched either way."""
    from tui.risk_words import room_words

    totals = desk.risk.room(ready)
    if not totals.fits:
        out.note(room_words(totals))
    if totals.will_be_lost:
        out.note(f"{count(totals.will_be_lost, 'asset')} will be lost before it is here; see `reeldesk risk`")


def _available(desk: "Desk", account: str, out: Output) -> list[AssetId]:
    """What `fetch --all` takes, the earliest deadline first; what it leaves is no failure, but said."""
    taken, left = list[AssetView](), Counter[str]()
    for view in desk.assets(Query(account=account)):
        if _is_paused(desk, view):
            left["paused"] += 1
        elif rules.is_left(view) and view.local not in _QUEUED:
            left[f"to be left ({', '.join(sorted(view.flags - {Flag.WANT, Flag.HOLD}))})"] += 1
        elif rules.is_ready(view) or (view.local in _QUEUED and view.state.downloadable):
            taken.append(view)
        elif view.wrong:
            out.fail(str(view.identity), f"{view.error}; name it to fetch it again")
        elif view.local is not LocalState.HELD and view.identity.kind.fetchable:
            left[str(view.state)] += 1
    if left:
        out.note("not to be had now: " + ", ".join(f"{count} {state}" for state, count in sorted(left.items())))
    if not taken:
        out.note("nothing to fetch")
    last = datetime.max.replace(tzinfo=UTC)
    return [view.identity for view in sorted(taken, key=lambda view: view.deadline or last)]


def _is_paused(desk: "Desk", view: AssetView) -> bool:
    transfer = desk.transfer(view.identity) if view.local is LocalState.QUEUED else None
    return transfer is not None and transfer.state is TransferState.PAUSED


async def _is_to_fetch(desk: "Desk", identity: AssetId, as_json: bool, out: Output) -> bool:
    """Whether there is anything to fetch; what cannot be is named with its reason, and what is held already shown."""
    try:
        view = desk.asset(identity) or await desk.adopt(identity)
        if view.local is not LocalState.HELD:
            desk.check_fetch(identity)
            return True
        out.note(f"{identity}: it is held already")
        _show(desk, identity, as_json, out)
    except FAULTS as fault:
        out.fail(str(identity), words(fault))
        _show_record(desk, identity, as_json, out)
    return False


def _show(desk: "Desk", identity: AssetId, as_json: bool, out: Output) -> None:
    """What became of an asset: as JSON whatever it was, for a person the file that is held."""
    try:
        view = desk.outcome(identity)
        if not as_json:
            out.line(f"{identity}  {size(view.size)}  {view.path}")
    except FAULTS as fault:
        out.fail(str(identity), words(fault))
    _show_record(desk, identity, as_json, out)


def _show_record(desk: "Desk", identity: AssetId, as_json: bool, out: Output) -> None:
    known = desk.asset(identity) if as_json else None
    if known:
        out.record(known.record())
        out.flush()


class Meter:
    """How far the transfers of a `fetch` are, as one line."""

    def __init__(self, out: Output, total: int) -> None:
        self._out = out
        self._total = total
        self._ended = 0
        self._running: dict[AssetId, TransferView] = {}

    def show(self, transfer: TransferView) -> None:
        """Take in news of a transfer."""
        self._running[transfer.asset] = transfer
        self._out.progress(self._words())

    def done(self, identity: AssetId) -> None:
        """An asset is through, well or not."""
        self._running.pop(identity, None)
        self._ended += 1

    def _words(self) -> str:
        received = sum(each.received for each in self._running.values())
        speed = sum(each.rate or 0.0 for each in self._running.values())
        totals = [each.total for each in self._running.values()]
        expected = None if None in totals else sum(total or 0 for total in totals)
        done = f"{self._ended} of {count(self._total, 'asset')}"
        return f"{done} · running: {size(received)} of {size(expected)} · {rate(speed)}"
