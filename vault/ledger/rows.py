"""From the ledger's rows to frozen views, and the SQL that they share."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from providers.models import AssetId, AssetKind, RemoteState
from vault.ledger import facets
from vault.proof import Proof
from vault.views import AssetView, Flag, LocalState, MeetingRow, ReleaseState, Stage, TransferState, TransferView

Row = Mapping[str, Any] | sqlite3.Row

LOCAL = """CASE WHEN t.state = 'running' THEN 'fetching'
    WHEN t.state IN ('queued', 'waiting', 'paused') THEN 'queued' ELSE a.kept END"""

OPEN_RELEASE = "IN ('waiting', 'checking', 'sending', 'answered')"
"""The states of releases that have not ended."""

ASSETS = f"""SELECT a.*, m.title, m.provider, m.meeting, t.state AS transfer_state, t.words AS transfer_words,
    {LOCAL} AS local, r.state AS release_state, r.due_at AS release_due
    FROM assets a JOIN meetings m ON m.id = a.meeting_id LEFT JOIN transfers t ON t.asset_id = a.id
    LEFT JOIN releases r ON r.asset_id = a.id AND r.state {OPEN_RELEASE}"""

# What a line of the list needs of an asset.
STAGES = f"""SELECT a.meeting_id, a.kind, a.kept, a.state, a.provider_state, a.error, a.flags,
    t.state AS transfer_state, t.words AS transfer_words, {LOCAL} AS local
    FROM assets a LEFT JOIN transfers t ON t.asset_id = a.id"""
LINES = """SELECT id, account, provider, meeting, title, started_at, state, provider_state, summary_size,
    summary_deadline,
    facets FROM meetings"""

# Which asset's state stands for the meeting: the one that a person should know of first.
STATE_ORDER = (
    RemoteState.FAILED,
    RemoteState.PROCESSING,
    RemoteState.AVAILABLE,
    RemoteState.ABANDONED,
    RemoteState.EXPIRED,
    RemoteState.UNKNOWN,
)
_LOCAL_ORDER = (
    LocalState.FETCHING,
    LocalState.QUEUED,
    LocalState.DAMAGED,
    LocalState.LOST,
)


def moment(seconds: float | None) -> datetime | None:
    """Unix seconds as an aware UTC time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def instant(seconds: float) -> datetime:
    """The same where there is always one."""
    return datetime.fromtimestamp(seconds, UTC)


def seconds(when: datetime | None) -> float | None:
    """An aware time as unix seconds."""
    return None if when is None else when.timestamp()


def asset_view(row: sqlite3.Row) -> AssetView:
    """A row of ASSETS."""
    failed = row["transfer_state"] == TransferState.FAILED and row["kept"] != LocalState.HELD
    # A proof and a path are written down before the file is there: they count from the moment it is.
    ever_held = row["kept"] != LocalState.ABSENT
    return AssetView(
        identity=AssetId.parse(row["identity"]),
        provider=row["provider"],
        title=row["title"],
        state=RemoteState(row["state"]),
        provider_state=row["provider_state"],
        local=LocalState(row["local"]),
        size=row["held_size"] if ever_held and row["held_size"] is not None else row["size"],
        sha256=row["sha256"] if ever_held else "",
        path=row["path"] if ever_held else "",
        deadline=moment(row["deadline"]),
        error=row["error"] or (row["transfer_words"] if failed else ""),
        wrong=bool(row["wrong"]) and not ever_held,
        warning=row["warning"],
        link=row["link"],
        extension=row["extension"],
        checksum_stated=row["checksum_stated"] or "",
        proof=Proof.from_json(row["proof"]) if row["proof"] and ever_held else None,
        first_seen=instant(row["first_seen"]),
        last_seen=instant(row["last_seen"]),
        details=json.loads(row["details"]),
        locator=json.loads(row["locator"]),
        raw=row["raw"],
        flags=flags_of(row["flags"]),
        destination=row["path"] or "",
        release=ReleaseState(row["release_state"]) if row["release_state"] else None,
        release_due=moment(row["release_due"]),
    )


def flags_of(bits: int) -> frozenset[Flag]:
    """The flags in `assets.flags`."""
    return frozenset(flag for flag, bit in facets.FLAGS.items() if bits & bit)


def is_fault(row: Row) -> bool:
    """Whether something is wrong with an asset (a row of ASSETS): at the service, in its transfer, or on disk."""
    if row["flags"] & facets.FLAGS[Flag.FORGET]:
        return False
    return bool(
        row["state"] == RemoteState.FAILED
        or row["kept"] in (LocalState.DAMAGED, LocalState.LOST)
        or (row["transfer_state"] == TransferState.FAILED and row["kept"] != LocalState.HELD)
    )


def counts(row: Row) -> bool:
    """Whether an asset speaks for its meeting: links and what may not even exist do not."""
    return AssetKind(row["kind"]).fetchable and RemoteState(row["state"]) is not RemoteState.UNKNOWN


def headline(meeting: Row, assets: Sequence[Row]) -> RemoteState:
    """The remote state that stands for a meeting: its assets', and where it has none, its own."""
    states = {row["state"] for row in assets if counts(row)} or {meeting["state"]}
    return next(state for state in STATE_ORDER if state in states)


def local_headline(rows: list[sqlite3.Row]) -> LocalState:
    """The local state that stands for a meeting: what is going on or wrong first, held only when all of it is."""
    states = {row["local"] for row in rows}
    for state in _LOCAL_ORDER:
        if state in states:
            return state
    weighty = [row for row in rows if counts(row)]
    all_held = weighty and all(row["local"] == LocalState.HELD for row in weighty)
    return LocalState.HELD if all_held else LocalState.ABSENT


def earliest_deadline(rows: Iterable[Row]) -> float | None:
    """The first moment at which something is lost that is not held; unix seconds. What is lost has none any more.

    What is not to be fetched counts as little.
    """
    rest = [
        r
        for r in rows
        if r["kept"] != LocalState.HELD and r["state"] != RemoteState.EXPIRED and not r["flags"] & facets.LEFT
    ]
    open_ones = [r["deadline"] for r in rest if r["deadline"] is not None]
    return min(open_ones, default=None)


def known_size(rows: Iterable[Row]) -> int | None:
    """The bytes of all assets whose size is known; None when none is."""
    sizes = [r["held_size"] if r["held_size"] is not None else r["size"] for r in rows]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def meeting_row(row: sqlite3.Row, assets: list[sqlite3.Row]) -> MeetingRow:
    """A row of meetings with its assets (rows of ASSETS)."""
    state = headline(row, assets)
    word = next((a["provider_state"] for a in assets if a["state"] == state and counts(a)), row["provider_state"])
    error = next((a["error"] or a["transfer_words"] for a in assets if is_fault(a)), "")
    return MeetingRow(
        account=row["account"],
        provider=row["provider"],
        meeting=row["meeting"],
        title=row["title"],
        started_at=moment(row["started_at"]),
        stages=tuple(Stage(AssetKind(a["kind"]), a["kept"] == LocalState.HELD, is_fault(a)) for a in assets),
        state=state,
        provider_state=word,
        local=local_headline(assets),
        size=row["summary_size"],
        deadline=moment(row["summary_deadline"]),
        error=error or "",
        flags=flags_of(row["facets"]),
        releasing=bool(row["facets"] & facets.RELEASING),
    )


TRANSFERS = """SELECT t.*, a.identity, h.until AS held_until, h.words AS held_words
    FROM transfers t JOIN assets a ON a.id = t.asset_id LEFT JOIN holds h
    ON h.scope = (SELECT scope FROM holds WHERE scope IN ('', t.account) ORDER BY until DESC LIMIT 1)"""


def transfer_view(row: sqlite3.Row) -> TransferView:
    """A row of TRANSFERS."""
    left = None if row["total"] is None else max(0, row["total"] - row["received"])
    running = row["state"] == TransferState.RUNNING
    rate = row["rate"] if running else None
    again_at, words = _waits(row)
    return TransferView(
        asset=AssetId.parse(row["identity"]),
        title=row["title"],
        state=TransferState(row["state"]),
        received=row["received"],
        total=row["total"],
        rate=rate,
        eta_s=left / rate if left is not None and rate else None,
        attempts=row["attempts"],
        words=words,
        owner=row["owner"].rpartition(":")[0],  # the last part tells one desk of a process from another
        again_at=moment(again_at),
        changed_at=instant(row["changed_at"]),
    )


def _waits(row: sqlite3.Row) -> tuple[float | None, str]:
    """When a transfer (a row of TRANSFERS) is tried next, where it waits for that, and what it says."""
    own = row["not_before"] if row["state"] == TransferState.WAITING else None
    if row["state"] not in (TransferState.QUEUED, TransferState.WAITING) or row["held_until"] is None:
        return own, row["words"]
    if own is not None and own >= row["held_until"]:
        return own, row["words"]
    return row["held_until"], row["held_words"]
