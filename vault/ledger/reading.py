"""What the ledger tells: pages of meetings, assets, counts. Reads only; usable from any thread."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from providers.models import Asset, AssetId, AssetKind, Checksum, RemoteState
from vault.ledger.database import Database
from vault.ledger.rows import (
    ASSETS,
    LOCAL,
    TRANSFERS,
    asset_view,
    instant,
    meeting_row,
    moment,
    transfer_view,
)
from vault.sealing import Sealer
from vault.views import (
    AssetView,
    CatchupView,
    Event,
    MeetingRow,
    MeetingView,
    Query,
    Totals,
    TransferView,
)

# Each key is the column that an index of meetings serves; the id makes the order total.
_ORDERS = {
    "start": "m.started_at",
    "title": "m.title COLLATE NOCASE",
    "state": "m.summary_state",
    "size": "m.summary_size",
    "deadline": "m.summary_deadline",
    "account": "m.account",
}
_ENDED = "('failed', 'cancelled', 'done')"


@dataclass(frozen=True, slots=True)
class AccountCounts:
    """What the ledger knows of an account."""

    meetings: int = 0
    assets: int = 0
    held: int = 0
    at_risk: int = 0
    faults: int = 0
    synced_at: datetime | None = None
    error: str = ""
    held_until: datetime | None = None
    held_words: str = ""


class Reader:
    """The ledger's reading verbs: `page`, `count`, `search` (a Query's text) and what one thing is."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def page(self, query: Query, offset: int, limit: int) -> tuple[MeetingRow, ...]:
        """Meetings that fit the query, in its order, from `offset`."""
        where, values = _meetings_where(query)
        order = _order(query)
        sql = f"SELECT m.* FROM meetings m WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        with self._database.read() as connection:
            rows = connection.execute(sql, (*values, limit, offset)).fetchall()
            assets = self._assets_of(connection, [row["id"] for row in rows])
        return tuple(meeting_row(row, assets.get(row["id"], [])) for row in rows)

    @staticmethod
    def _assets_of(connection: sqlite3.Connection, meeting_ids: list[int]) -> dict[int, list[sqlite3.Row]]:
        marks = ", ".join("?" * len(meeting_ids))
        found: dict[int, list[sqlite3.Row]] = {}
        for row in connection.execute(f"{ASSETS} WHERE a.meeting_id IN ({marks}) ORDER BY a.id", meeting_ids):
            found.setdefault(row["meeting_id"], []).append(row)
        return found

    def count(self, query: Query) -> int:
        """How many meetings fit the query."""
        where, values = _meetings_where(query)
        with self._database.read() as connection:
            number: int = connection.execute(f"SELECT count(*) FROM meetings m WHERE {where}", values).fetchone()[0]
        return number

    def position(self, query: Query, key: tuple[str, str]) -> int | None:
        """Where a meeting (account, meeting id) stands in the query's order, from 0; None when it is not in it."""
        where, values = _meetings_where(query)
        sql = f"""SELECT n FROM (SELECT m.account, m.meeting, row_number() OVER (ORDER BY {_order(query)}) - 1 AS n
            FROM meetings m WHERE {where}) WHERE account = ? AND meeting = ?"""
        with self._database.read() as connection:
            row = connection.execute(sql, (*values, *key)).fetchone()
        return None if row is None else row["n"]

    def meeting(self, account: str, meeting: str) -> MeetingView | None:
        """A meeting with its assets; None when it is not known."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT * FROM meetings WHERE account = ? AND meeting = ?", (account, meeting)
            ).fetchone()
            if row is None:
                return None
            assets = self._assets_of(connection, [row["id"]]).get(row["id"], [])
        return MeetingView(
            account=row["account"],
            provider=row["provider"],
            meeting=row["meeting"],
            title=row["title"],
            started_at=moment(row["started_at"]),
            ended_at=moment(row["ended_at"]),
            people=tuple(json.loads(row["people"])),
            provider_state=row["provider_state"],
            origin=row["origin"],
            first_seen=instant(row["first_seen"]),
            last_seen=instant(row["last_seen"]),
            details=json.loads(row["details"]),
            raw=row["raw"],
            assets=tuple(asset_view(asset) for asset in assets),
        )

    def asset(self, identity: AssetId) -> AssetView | None:
        """An asset; None when it is not known."""
        with self._database.read() as connection:
            row = connection.execute(f"{ASSETS} WHERE a.identity = ?", (str(identity),)).fetchone()
        return None if row is None else asset_view(row)

    def assets(self, query: Query) -> Iterator[AssetView]:
        """Every asset that fits the query, by account and newest meeting first."""
        where, values = _assets_where(query)
        sql = f"{ASSETS} WHERE {where} ORDER BY m.account, m.started_at DESC, a.id"
        with self._database.read() as connection:
            rows = connection.execute(sql, values).fetchall()
        yield from map(asset_view, rows)  # outside: who stops in the middle must not keep the ledger from closing

    def named_by(self, identity: AssetId) -> tuple[str, str, datetime]:
        """What a file is named by: the title, the extension, the meeting's start or when it was first seen (UTC)."""
        sql = """SELECT m.title, a.extension, coalesce(m.started_at, a.first_seen) AS day FROM assets a
            JOIN meetings m ON m.id = a.meeting_id WHERE a.identity = ?"""
        with self._database.read() as connection:
            row = connection.execute(sql, (str(identity),)).fetchone()
        return row["title"], row["extension"], instant(row["day"])

    def source(self, identity: AssetId) -> Asset | None:
        """The asset as its provider knows it, with the sealed link opened, for `Provider.locate` and `release`."""
        with self._database.read() as connection:
            row = connection.execute(f"{ASSETS} WHERE a.identity = ?", (str(identity),)).fetchone()
        if row is None:
            return None
        stated = row["checksum"] is not None
        return Asset(
            meeting_id=row["meeting"],
            kind=AssetKind(row["kind"]),
            variant=row["variant"],
            state=RemoteState(row["state"]),
            provider_state=row["provider_state"],
            error=row["error"],
            size=row["size"],
            checksum=Checksum(row["checksum"], row["checksum_stated"] or "") if stated else None,
            deadline=moment(row["deadline"]),
            extension=row["extension"],
            locator=json.loads(row["locator"]),
            sealed_link=self._sealer.open(row["sealed_link"]) if row["sealed_link"] else None,
            link=row["link"],
            warning=row["warning"],
        )

    def account(self, name: str) -> AccountCounts:
        """What is known of an account."""
        sql = """SELECT count(*) AS assets, coalesce(sum(a.kept = 'held'), 0) AS held,
            (SELECT count(*) FROM meetings WHERE account = ?1) AS meetings,
            (SELECT count(*) FROM meetings WHERE account = ?1 AND summary_at_risk) AS at_risk,
            (SELECT count(*) FROM meetings WHERE account = ?1 AND summary_faults) AS faults,
            (SELECT synced_at FROM accounts WHERE name = ?1) AS synced_at,
            (SELECT error FROM accounts WHERE name = ?1) AS error,
            (SELECT until FROM holds WHERE scope = ?1) AS held_until,
            (SELECT words FROM holds WHERE scope = ?1) AS held_words
            FROM assets a WHERE a.account = ?1"""
        with self._database.read() as connection:
            row = connection.execute(sql, (name,)).fetchone()
        return AccountCounts(
            row["meetings"],
            row["assets"],
            row["held"],
            row["at_risk"],
            row["faults"],
            moment(row["synced_at"]),
            row["error"] or "",
            moment(row["held_until"]),
            row["held_words"] or "",
        )

    def totals(self) -> Totals:
        """Of the whole ledger."""
        sql = """SELECT (SELECT count(*) FROM meetings) AS meetings, count(*) AS assets,
            coalesce(sum(kept = 'held'), 0) AS held, coalesce(sum(held_size) FILTER (WHERE kept = 'held'), 0) AS bytes
            FROM assets"""
        with self._database.read() as connection:
            row = connection.execute(sql).fetchone()
        return Totals(row["meetings"], row["assets"], row["held"], row["bytes"])

    def transfers(self, limit: int) -> tuple[TransferView, ...]:
        """Transfers in queue order: what goes on or waits first, then what ended, newest first."""
        sql = f"""{TRANSFERS} ORDER BY t.state IN {_ENDED}, t.state != 'running',
            CASE WHEN t.state IN {_ENDED} THEN -t.ended_at ELSE t.position END LIMIT ?"""
        with self._database.read() as connection:
            return tuple(transfer_view(row) for row in connection.execute(sql, (limit,)))

    def transfer(self, identity: AssetId) -> TransferView | None:
        """An asset's transfer; None when it was never queued."""
        with self._database.read() as connection:
            row = connection.execute(f"{TRANSFERS} WHERE a.identity = ?", (str(identity),)).fetchone()
        return None if row is None else transfer_view(row)

    def trail(self, identity: AssetId) -> tuple[Event, ...]:
        """An asset's custody trail, oldest first."""
        sql = "SELECT * FROM events WHERE identity = ? ORDER BY id"
        with self._database.read() as connection:
            rows = connection.execute(sql, (str(identity),)).fetchall()
        return tuple(Event(instant(row["at"]), row["what"], row["words"]) for row in rows)

    def catchups(self, account: str, room: str, limit: int) -> tuple[CatchupView, ...]:
        """A room's summaries as they were, newest first."""
        sql = "SELECT * FROM catchups WHERE account = ? AND room = ? ORDER BY id DESC LIMIT ?"
        with self._database.read() as connection:
            rows = connection.execute(sql, (account, room, limit)).fetchall()
        return tuple(CatchupView(account, room, instant(row["at"]), row["text"]) for row in rows)


def _order(query: Query) -> str:
    column = _ORDERS.get(query.sort, _ORDERS["start"])
    direction = "DESC" if query.descending else "ASC"
    # What has no value comes last either way; for descending SQLite does that by itself.
    nulls = "" if query.descending else "NULLS LAST"
    return f"{column} {direction} {nulls}, m.id {direction}"


def _words(query: Query) -> tuple[list[str], list[object]]:
    clauses: list[str] = []
    values: list[object] = []
    for word in query.text.casefold().split():
        pattern = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        clauses.append("m.words LIKE ? ESCAPE '\\'")
        values.append(f"%{pattern}%")
    if query.account:
        clauses.append("m.account = ?")
        values.append(query.account)
    return clauses, values


def _meetings_where(query: Query) -> tuple[str, list[object]]:
    clauses, values = _words(query)
    if query.faults:
        clauses.append("m.summary_faults > 0")
    if query.at_risk:
        clauses.append("m.summary_at_risk")
    if query.state is not None:
        clauses.append("EXISTS (SELECT 1 FROM assets a WHERE a.meeting_id = m.id AND a.state = ?)")
        values.append(query.state)
    if query.local is not None:
        join = "assets a LEFT JOIN transfers t ON t.asset_id = a.id"
        clauses.append(f"EXISTS (SELECT 1 FROM {join} WHERE a.meeting_id = m.id AND {LOCAL} = ?)")
        values.append(query.local)
    return " AND ".join(clauses) or "1", values


def _assets_where(query: Query) -> tuple[str, list[object]]:
    clauses, values = _words(query)
    if query.faults:
        transfer = "(t.state = 'failed' AND a.kept != 'held')"
        clauses.append(f"(a.state = 'failed' OR a.kept IN ('damaged', 'lost') OR {transfer})")
    if query.at_risk:
        clauses.append("(a.deadline IS NOT NULL AND a.kept != 'held' AND a.state != 'expired')")
    if query.state is not None:
        clauses.append("a.state = ?")
        values.append(query.state)
    if query.local is not None:
        clauses.append(f"{LOCAL} = ?")
        values.append(query.local)
    return " AND ".join(clauses) or "1", values
