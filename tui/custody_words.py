"""What was decided about an asset and what happened to it: flags, an open release, receipts, the custody trail."""

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from providers.models import AssetId
from tui import label
from tui.describe import field, heading, words
from tui.label import Glyphs, plain
from tui.triage_words import FLAG_INKS, left_words
from tui.widgets.lines import Row
from vault.views import AssetView, Event

if TYPE_CHECKING:
    from vault.desk import Desk
    from vault.ledger.checking import LogReport
    from vault.triage.views import FlagView, ReceiptView, ReleaseView


class Told(Struct, frozen=True):
    """What the ledger tells of one asset beside the asset itself. `release`: the latest, ended or not."""

    trail: tuple[Event, ...] = ()
    flags: "tuple[FlagView, ...]" = ()
    release: "ReleaseView | None" = None
    receipts: "tuple[ReceiptView, ...]" = ()


NOTHING = Told()


def read_told(desk: "Desk", identity: AssetId) -> Told:
    """All of it. Blocks."""
    return Told(
        desk.trail(identity),
        desk.flagging.of(identity),
        desk.releasing.release_of(identity),
        desk.releasing.receipts(identity),
    )


def chain_words(report: "LogReport", now: datetime) -> str:
    """How the log's chain stands, as of the moment it was followed."""
    if report.whole:
        return f"whole, {label.count(report.events, 'event')}, followed {label.clock(now)} UTC"
    first = report.breaks[0] if report.breaks else None
    return f"BROKEN: {first.words if first else 'the log was set back'}; `reeldesk verify --log` tells all"


def unfollowed_words(events: int) -> str:
    """That a long chain was not followed yet, and what follows it."""
    return f"{label.count(events, 'event')}, not followed yet: enter follows it"


def decided_rows(asset: AssetView, told: Told, width: int, now: datetime) -> list[Row]:
    """Flags with their notes, where the file goes, how a release stands."""
    rows: list[Row] = []
    for view in told.flags:
        note = f": {view.note}" if view.note else ""
        rows += field("flag", f"{view.flag}{note} ({view.by}, {label.when(view.at)})", width, FLAG_INKS[view.flag])
    if asset.destination and asset.destination != asset.path:
        rows += field("goes to", asset.destination, width)
    if told.release is not None:
        rows += _release(told.release, width, now)
    return rows


def _release(view: "ReleaseView", width: int, now: datetime) -> list[Row]:
    if view.state.can_be_stopped and view.left_s(now):
        sent = f"sent in {left_words(view.left_s(now))}, {label.clock(view.due_at)} UTC; u stops it"
        rows = field("release", sent, width, "warn")
    else:
        again = f"; tried again {label.clock(view.again_at)} UTC" if view.again_at else ""
        rows = field("release", f"{view.state}{again}", width, "" if view.state.ended else "warn")
    rows += field("says", view.words, width, "dim")
    if view.along:
        rows += field("with it", f"{label.count(len(view.along), 'other asset')} of the conference", width)
    return rows


def trail_rows(told: Told, chain: str, width: int, glyphs: Glyphs) -> list[Row]:
    """Receipts, then every event: when, who, what; and how the log's chain stands."""
    rows: list[Row] = []
    for receipt in told.receipts:
        rows += heading("Receipt", width, glyphs)
        rows += _receipt(receipt, width)
    rows += heading("Custody", width, glyphs)
    rows += field("chain", chain, width, "bad" if chain.startswith("BROKEN") else "dim")
    if not told.trail:
        return rows + words("nothing happened to it here yet", width, "dim")
    for event in told.trail:
        what = f"{event.what}: {event.words}" if event.words else event.what
        who = f" ({plain(event.who)})" if event.who else ""
        rows += field(label.when_short(event.at), f"{what}{who}", width)
    return rows


def _receipt(receipt: "ReceiptView", width: int) -> list[Row]:
    rows: list[Row] = []
    for name, value in (
        ("asked", f"{label.when(receipt.asked_at)} by {receipt.by}"),
        ("sent", label.when(receipt.sent_at) if receipt.sent_at else ""),
        ("answer", receipt.answer),
        ("confirmed", f"{label.when(receipt.confirmed_at)}: the service says {receipt.provider_state}"),
        ("deleted", label.when(receipt.deadline) if receipt.deadline else ""),
        ("read again", f"{label.when(receipt.rechecked_at)}: {receipt.recheck}" if receipt.rechecked_at else ""),
        ("sha256", receipt.sha256),
        ("size", f"{receipt.proof.size} bytes" if receipt.proof.size else ""),
        ("kept here", receipt.path),
    ):
        rows += field(name, value, width)
    return rows
