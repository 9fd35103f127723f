"""What the ledger tells: pages of meetings, assets, counts. Reads only; usable from any thread."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from providers.models import Asset, AssetId, AssetKind, Checksum, RemoteState
from vault.ledger import facets
from vault.ledger.database import Database
from vault.ledger.events import event_of
from vault.ledger.filtering import asset_clauses
from vault.ledger.finding import Finder
from vault.ledger.rows import (
    ASSETS,
    LINES,
    LOCAL,
    STAGES,
    TRANSFERS,
    asset_view,
    instant,
    meeting_row,
    moment,
    transfer_view,
)
from vault.ledger.vectors import Vectors
from vault.sealing import Sealer
from vault.views import (
    AssetView,
    CatchupView,
    Count,
    Event,
    MeetingRow,
    MeetingView,
    Query,
    Totals,
    TransferView,
)

_ENDED = "('failed', 'cancelled', 'done')"


class AccountCounts(Struct, frozen=True):
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
        self._vectors = Vectors()

    def page(
        self,
        query: Query,
        offset: int,
        limit: int,
        *,
        after: tuple[str, str] | None = None,
        before: tuple[str, str] | None = None,
        total: int | None = None,
    ) -> tuple[MeetingRow, ...]:
        """Meetings that fit the query, in its order, from `offset` on.

        `after`, `before`: the key of the row just before or just behind them, where one is known: the index is
        entered there. Else it is walked from the nearer end, where `total` says how many there are.
        Raises Superseded when `interrupt` was called meanwhile, as `count`, `count_exactly` and `position` do.
        """
        with self._database.listing() as connection:
            finder = Finder(connection, query, self._vectors)
            first, last = _id_of(connection, after), _id_of(connection, before)
            ids = finder.page(offset, limit, after=first, before=last, total=total)
            marks = ", ".join("?" * len(ids))
            rows = {row["id"]: row for row in connection.execute(f"{LINES} WHERE id IN ({marks})", ids)}
            assets: dict[int, list[sqlite3.Row]] = {}
            for asset in connection.execute(f"{STAGES} WHERE a.meeting_id IN ({marks}) ORDER BY a.id", ids):
                assets.setdefault(asset["meeting_id"], []).append(asset)
        return tuple(meeting_row(rows[number], assets.get(number, [])) for number in ids)

    @staticmethod
    def _assets_of(connection: sqlite3.Connection, meeting_id: int) -> list[sqlite3.Row]:
        return connection.execute(f"{ASSETS} WHERE a.meeting_id = ? ORDER BY a.id", (meeting_id,)).fetchall()

    def counted_at_once(self, query: Query) -> Count | None:
        """How many meetings fit the query, where that takes no more than milliseconds; None where it would."""
        with self._database.listing() as connection:
            return Finder(connection, query, self._vectors).count_at_once()

    def counted(self, query: Query) -> Count:
        """How many meetings fit the query: exact where they are few, else that there are at least so many."""
        with self._database.listing() as connection:
            return Finder(connection, query, self._vectors).count()

    def count_exactly(self, query: Query) -> int:
        """How many meetings fit the query; of a common word among a million meetings that takes a while."""
        with self._database.listing() as connection:
            return Finder(connection, query, self._vectors).count_exactly()

    count = count_exactly

    def position(self, query: Query, key: tuple[str, str]) -> int | None:
        """Where a meeting (account, meeting id) stands in the query's order, from 0; None when it is not in it."""
        with self._database.listing() as connection:
            meeting_id = _id_of(connection, key)
            return None if meeting_id is None else Finder(connection, query, self._vectors).place(meeting_id)

    def interrupt(self) -> None:
        """Whatever reads lists, in whatever thread, ends with Superseded: a newer one takes their place."""
        self._database.interrupt()

    def meeting(self, account: str, meeting: str) -> MeetingView | None:
        """A meeting with its assets; None when it is not known."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT * FROM meetings WHERE account = ? AND meeting = ?", (account, meeting)
            ).fetchone()
            if row is None:
                return None
            assets = self._assets_of(connection, row["id"])
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
        clauses = asset_clauses(query, LOCAL)
        where = " AND ".join(clause.sql for clause in clauses) or "1"
        values = tuple(value for clause in clauses for value in clause.values)
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
        sql = f"""SELECT h.assets, h.held, c.meetings, c.at_risk, c.faults, a.synced_at, a.error,
            b.until AS held_until, b.words AS held_words
            FROM (SELECT coalesce(sum(meetings), 0) AS meetings,
                coalesce(sum(meetings) FILTER (WHERE facets & {facets.RISK} != 0), 0) AS at_risk,
                coalesce(sum(meetings) FILTER (WHERE facets & {facets.FAULTS} != 0), 0) AS faults
                FROM counters WHERE account = ?1) c
            LEFT JOIN holdings h ON h.account = ?1 LEFT JOIN accounts a ON a.name = ?1
            LEFT JOIN holds b ON b.scope = ?1"""
        with self._database.read() as connection:
            row = connection.execute(sql, (name,)).fetchone()
        return AccountCounts(
            row["meetings"],
            row["assets"] or 0,
            row["held"] or 0,
            row["at_risk"],
            row["faults"],
            moment(row["synced_at"]),
            row["error"] or "",
            moment(row["held_until"]),
            row["held_words"] or "",
        )

    def totals(self) -> Totals:
        """Of the whole ledger."""
        sql = """SELECT (SELECT coalesce(sum(meetings), 0) FROM counters) AS meetings,
            coalesce(sum(assets), 0) AS assets, coalesce(sum(held), 0) AS held, coalesce(sum(bytes), 0) AS bytes
            FROM holdings"""
        with self._database.read() as connection:
            row = connection.execute(sql).fetchone()
        return Totals(row["meetings"], row["assets"], row["held"], row["bytes"])

    def transfers(self, limit: int) -> tuple[TransferView, ...]:
        """Transfers in queue order: what goes on or waits first, then what failed, then what ended, newest first."""
        sql = f"{TRANSFERS} ORDER BY t.line_rank, t.line_place, t.asset_id LIMIT ?"
        with self._database.read() as connection:
            return tuple(transfer_view(row) for row in connection.execute(sql, (limit,)))

    def transfer(self, identity: AssetId) -> TransferView | None:
        """An asset's transfer; None when it was never queued."""
        with self._database.read() as connection:
            row = connection.execute(f"{TRANSFERS} WHERE a.identity = ?", (str(identity),)).fetchone()
        return None if row is None else transfer_view(row)

    def trail(self, identity: AssetId) -> tuple[Event, ...]:
        """An asset's custody trail, oldest first."""
        sql = "SELECT number, body, chain FROM events WHERE identity = ? ORDER BY number"
        with self._database.read() as connection:
            rows = connection.execute(sql, (str(identity),)).fetchall()
        return tuple(event_of(row) for row in rows)

    def catchups(self, account: str, room: str, limit: int) -> tuple[CatchupView, ...]:
        """A room's summaries as they were, newest first."""
        sql = "SELECT * FROM catchups WHERE account = ? AND room = ? ORDER BY id DESC LIMIT ?"
        with self._database.read() as connection:
            rows = connection.execute(sql, (account, room, limit)).fetchall()
        return tuple(CatchupView(account, room, instant(row["at"]), row["text"]) for row in rows)


def _id_of(connection: sqlite3.Connection, key: tuple[str, str] | None) -> int | None:
    if key is None:
        return None
    row = connection.execute("SELECT id FROM meetings WHERE account = ? AND meeting = ?", key).fetchone()
    return None if row is None else row["id"]
