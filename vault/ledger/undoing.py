"""Undoing a deed in the ledger: one transaction, which leaves what somebody else changed since."""

import sqlite3

from msgspec import Struct

from providers.models import AssetId
from vault.ledger.database import Database
from vault.ledger.deeds import FlagsBefore, Undo, open_deed
from vault.ledger.events import add_event
from vault.ledger.flags import settle
from vault.ledger.queueing import steer
from vault.ledger.releases import stop

_LIVE = ("queued", "running", "waiting", "paused")


class Undone(Struct, frozen=True):
    """How much of a deed was undone, and how much of it could not be any more."""

    words: str
    """What the deed was."""
    unqueued: int
    still_here: int
    """Fetched meanwhile: files stay."""
    flags: int
    flags_left: int
    """Somebody flagged these anew."""
    stopped: int
    sent: int
    """Releases that are sent already, or over."""


class Undoing:
    """The ledger's verb `undo`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def undo(self, by: str, now: float, number: int | None = None) -> Undone | None:
        """Undo an operator's latest deed, or the one with that number; None when there is none that can be undone.

        `now` in unix seconds.
        """
        with self._database.write() as connection:
            row = open_deed(connection, by, now, number)
            if row is None:
                return None
            connection.execute("UPDATE deeds SET undone_at = ? WHERE id = ?", (now, row["id"]))
            undo = Undo.from_json(row["undo"])
            unqueued = sum(_unqueue(connection, identity, by, now) for identity in undo.queued)
            flags = sum(_restore(connection, each, by, now) for each in undo.flags)
            stopped = sum(stop(connection, each, f"undone by {by}", now) is not None for each in undo.releases)
            return Undone(
                row["words"],
                unqueued,
                len(undo.queued) - unqueued,
                flags,
                len(undo.flags) - flags,
                stopped,
                len(undo.releases) - stopped,
            )


def _unqueue(connection: sqlite3.Connection, identity: AssetId, by: str, now: float) -> bool:
    row = connection.execute(
        "SELECT t.* FROM transfers t JOIN assets a ON a.id = t.asset_id WHERE a.identity = ?", (str(identity),)
    ).fetchone()
    if row is None or row["state"] not in _LIVE:
        return False
    steer(connection, row, "cancel", now)
    add_event(connection, now, str(identity), "unqueued", f"taken out of the queue by {by}")
    return True


def _restore(connection: sqlite3.Connection, before: FlagsBefore, by: str, now: float) -> bool:
    row = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(before.identity),)).fetchone()
    if row is None or row["flags"] != before.since:
        return False
    connection.execute("DELETE FROM flags WHERE asset_id = ?", (row["id"],))
    connection.executemany(
        "INSERT INTO flags (asset_id, flag, note, by, at) VALUES (?, ?, ?, ?, ?)",
        [(row["id"], *each) for each in before.rows],
    )
    settle(connection, row)
    names = [flag for flag, *_ in before.rows]
    words = f"flags as before, by {by}: {', '.join(names) or 'none'}"
    add_event(connection, now, str(before.identity), "unflagged", words, {"flags": ",".join(names)})
    return True
