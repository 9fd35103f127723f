"""Flags of assets: what an operator thinks of them, with a note. Every verb is one transaction."""

import sqlite3
from collections.abc import Collection, Iterable

from msgspec import Struct

from providers.models import AssetId
from vault.ledger import facets, summaries
from vault.ledger.database import Database
from vault.ledger.deeds import FlagsBefore, Undo, add_deed
from vault.ledger.events import add_event
from vault.ledger.lining_up import enqueue
from vault.ledger.releases import stop
from vault.ledger.rows import OPEN_RELEASE, instant
from vault.triage.states import Flag
from vault.triage.views import FlagView

ONE_OF = (Flag.WANT, Flag.SKIP, Flag.FORGET)
"""Of these an asset has one at most."""


class Flagged(Struct, frozen=True):
    """What flagging changed: assets with other flags than before, newly queued ones, releases that it stopped."""

    changed: tuple[AssetId, ...] = ()
    queued: tuple[AssetId, ...] = ()
    stopped: tuple[AssetId, ...] = ()


class Flags:
    """The ledger's verbs `set` and `clear`, and which flags an asset has. Times in unix seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, identity: AssetId) -> tuple[FlagView, ...]:
        """An asset's flags."""
        sql = "SELECT f.* FROM flags f JOIN assets a ON a.id = f.asset_id WHERE a.identity = ? ORDER BY f.at"
        with self._database.read() as connection:
            rows = connection.execute(sql, (str(identity),)).fetchall()
        return tuple(FlagView(identity, Flag(r["flag"]), r["note"], r["by"], instant(r["at"])) for r in rows)

    def set(
        self, identities: Iterable[AssetId], flag: Flag, note: str, by: str, now: float, *, queue: Collection[AssetId]
    ) -> Flagged:
        """Give assets a flag; those of `queue` are queued with it. A hold stops the releases that it forbids."""
        before: list[FlagsBefore] = []
        stopped: list[AssetId] = []
        with self._database.write() as connection:
            for identity in identities:
                row = _asset(connection, identity)
                if row is None:
                    continue
                had = rows_of(connection, row["id"])
                gone = [other for other in ONE_OF if flag in ONE_OF and other is not flag]
                for other in gone:
                    connection.execute("DELETE FROM flags WHERE asset_id = ? AND flag = ?", (row["id"], other))
                connection.execute(
                    """INSERT INTO flags (asset_id, flag, note, by, at) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (asset_id, flag) DO UPDATE SET note = excluded.note, by = excluded.by,
                    at = excluded.at""",
                    (row["id"], flag, note, by, now),
                )
                words = f"flag {flag} set by {by}" + (f": {note}" if note else "")
                add_event(connection, now, str(identity), "flagged", words, {"flag": str(flag), "note": note})
                before.append(FlagsBefore(identity, had, settle(connection, row)))
                if flag is Flag.HOLD:
                    stopped += _stop_releases(connection, row, identity, now)
            queued = enqueue(connection, [identity for identity in identities if identity in queue], now)
            words = f"flag {flag} for {len(before)}"
            if before:
                add_deed(connection, now, by, "flagged", words, Undo(flags=tuple(before), queued=queued))
        return Flagged(tuple(each.identity for each in before), queued, tuple(stopped))

    def clear(self, identities: Iterable[AssetId], flag: Flag | None, by: str, now: float) -> Flagged:
        """Take a flag, or all, from assets that have it."""
        before: list[FlagsBefore] = []
        with self._database.write() as connection:
            for identity in identities:
                row = _asset(connection, identity)
                had = rows_of(connection, row["id"]) if row is not None else ()
                going = [each[0] for each in had if flag is None or each[0] == flag]
                if row is None or not going:
                    continue
                for each in going:
                    connection.execute("DELETE FROM flags WHERE asset_id = ? AND flag = ?", (row["id"], each))
                    words = f"flag {each} taken off by {by}"
                    add_event(connection, now, str(identity), "unflagged", words, {"flag": each})
                before.append(FlagsBefore(identity, had, settle(connection, row)))
            if before:
                words = f"flags taken off {len(before)}"
                add_deed(connection, now, by, "flagged", words, Undo(flags=tuple(before)))
        return Flagged(tuple(each.identity for each in before))


def rows_of(connection: sqlite3.Connection, asset_id: int) -> tuple[tuple[str, str, str, float], ...]:
    """An asset's flags as they are written: flag, note, by, at."""
    rows = connection.execute("SELECT flag, note, by, at FROM flags WHERE asset_id = ? ORDER BY at, flag", (asset_id,))
    return tuple((row["flag"], row["note"], row["by"], row["at"]) for row in rows.fetchall())


def settle(connection: sqlite3.Connection, asset: sqlite3.Row) -> int:
    """Have `assets.flags` and the meeting's summary say what the table does; the bits."""
    bits = 0
    for flag, *_ in rows_of(connection, asset["id"]):
        bits |= facets.FLAGS[Flag(flag)]
    connection.execute("UPDATE assets SET flags = ? WHERE id = ?", (bits, asset["id"]))
    summaries.refresh(connection, [asset["meeting_id"]])
    return bits


def _asset(connection: sqlite3.Connection, identity: AssetId) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(identity),)).fetchone()
    return row


def _stop_releases(connection: sqlite3.Connection, asset: sqlite3.Row, held: AssetId, now: float) -> Iterable[AssetId]:
    """Stop what would have the service delete an asset: its own release, and those of what it goes along with."""
    sql = f"""SELECT r.id FROM releases r JOIN assets a ON a.id = r.asset_id
        WHERE a.meeting_id = ? AND a.kind = ? AND r.state {OPEN_RELEASE}"""
    for row in connection.execute(sql, (asset["meeting_id"], asset["kind"])).fetchall():
        stopped = stop(connection, row["id"], f"{held} is on hold", now)
        if stopped is not None:
            yield stopped
