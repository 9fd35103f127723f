"""Receipts: what a service deletes since it was told to from here, the proof of what is held, and looking after that.

What is released is read again a day before the service deletes it for good.
"""

import json
import sqlite3
from collections.abc import Mapping

from msgspec import Struct

from providers.models import AssetId, RemoteState
from vault.ledger.database import Database
from vault.ledger.events import By, Fact, add_event, digest_of, moment
from vault.ledger.lining_up import LIVE, enqueue
from vault.ledger.rows import instant
from vault.ledger.rows import moment as when
from vault.ledger.ruling import own_deadline
from vault.proof import Proof
from vault.triage.states import ReleaseState
from vault.triage.views import ReceiptView, ReleaseView

BEFORE_S = 86_400.0
"""How long before the service deletes it for good a copy is read again."""
UNKNOWN_S = 2 * 86_400.0
"""After its release, where nobody knows when the service deletes it. assumption: services keep it longer."""
AGAIN_S = 600.0
"""After a copy could not be read, or fetched again: before the next try."""

_DEADLINE = "(CASE WHEN a.rule_days != 0 THEN a.stated_deadline ELSE a.deadline END)"
"""The service's own, whatever rule of the user's ends before it."""
# CROSS JOIN keeps the order: by itself SQLite would go through all assets, and these are asked again and again.
_RELEASES = f"""SELECT r.*, a.identity, {_DEADLINE} AS deadline, coalesce(a.held_size, a.size) AS size, m.title
    FROM releases r CROSS JOIN assets a ON a.id = r.asset_id JOIN meetings m ON m.id = a.meeting_id"""
_RECEIPTS = f"""SELECT c.*, a.identity, {_DEADLINE} AS deadline, m.title, r.asset_id AS asked_asset, r.by,
    r.asked_at, r.sent_at, r.answer
    FROM receipts c CROSS JOIN releases r ON r.id = c.release_id CROSS JOIN assets a ON a.id = c.asset_id
    JOIN meetings m ON m.id = a.meeting_id"""
_STILL_THERE = "a.state = 'abandoned'"
_DUE_AT = f"coalesce({_DEADLINE} - {BEFORE_S}, c.confirmed_at + {UNKNOWN_S})"


class Recheck(Struct, frozen=True):
    """A receipt whose copy is to be read again."""

    receipt: int
    identity: AssetId


class Receipts:
    """The ledger's verbs for what is released and what is held instead. Times in unix seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def releases(self) -> tuple[ReleaseView, ...]:
        """The open releases, by when they are due."""
        sql = f"""{_RELEASES} WHERE r.state IN ('waiting', 'checking', 'sending', 'answered')
            ORDER BY r.due_at, r.id"""
        with self._database.read() as connection:
            return tuple(release_view(row) for row in connection.execute(sql).fetchall())

    def release_of(self, identity: AssetId) -> ReleaseView | None:
        """An asset's latest release, open or not; None when it was never asked for."""
        with self._database.read() as connection:
            row = connection.execute(
                f"{_RELEASES} WHERE a.identity = ? ORDER BY r.id DESC LIMIT 1", (str(identity),)
            ).fetchone()
        return None if row is None else release_view(row)

    def by_number(self, numbers: tuple[int, ...]) -> tuple[ReleaseView, ...]:
        """Releases by their numbers."""
        sql = f"{_RELEASES} WHERE r.id IN (SELECT value FROM json_each(?)) ORDER BY r.id"
        with self._database.read() as connection:
            rows = connection.execute(sql, (json.dumps(numbers),)).fetchall()
        return tuple(release_view(row) for row in rows)

    def receipts(self, identity: AssetId | None, limit: int) -> tuple[ReceiptView, ...]:
        """Receipts, newest first: of one asset, or of all."""
        chosen = "a.identity = ?1" if identity is not None else "?1 IS NULL"
        sql = f"{_RECEIPTS} WHERE {chosen} ORDER BY c.id DESC LIMIT ?2"
        with self._database.read() as connection:
            rows = connection.execute(sql, (None if identity is None else str(identity), limit)).fetchall()
        return tuple(_receipt_view(row) for row in rows)

    def counting_down(self) -> tuple[ReceiptView, ...]:
        """Receipts of what the service has not deleted for good yet, the soonest first."""
        sql = f"{_RECEIPTS} WHERE {_STILL_THERE} ORDER BY {_DEADLINE} IS NULL, {_DEADLINE}, c.id"
        with self._database.read() as connection:
            return tuple(_receipt_view(row) for row in connection.execute(sql).fetchall())

    def to_recheck(self, now: float) -> Recheck | None:
        """The next copy to read again, which is this caller's for a while."""
        due = f"c.rechecked_at IS NULL AND {_STILL_THERE} AND {_DUE_AT} <= ? AND c.begun_at <= ?"
        find = f"""SELECT c.id, a.identity FROM receipts c CROSS JOIN assets a ON a.id = c.asset_id WHERE {due}
            AND NOT EXISTS (SELECT 1 FROM transfers t WHERE t.asset_id = a.id AND t.state IN {LIVE})
            ORDER BY {_DEADLINE} LIMIT 1"""
        with self._database.read() as connection:
            if connection.execute(find, (now, now - AGAIN_S)).fetchone() is None:
                return None
        with self._database.write(visible=False) as connection:
            row = connection.execute(find, (now, now - AGAIN_S)).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE receipts SET begun_at = ? WHERE id = ?", (now, row["id"]))
            return Recheck(row["id"], AssetId.parse(row["identity"]))

    def rechecked(self, recheck: Recheck, words: str, now: float, *, good: bool) -> None:
        """What reading a copy again found."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE receipts SET rechecked_at = ?, recheck = ? WHERE id = ?",
                (now if good else None, words, recheck.receipt),
            )
            what = "rechecked" if good else "recheck failed"
            add_event(connection, now, str(recheck.identity), what, words, {"receipt": recheck.receipt}, by=By.WORKER)

    def save(self, now: float) -> tuple[AssetId, ...]:
        """Queue, first in line, what is released and not held whole here, while the service still has it.

        What a person cancelled is left; what failed is tried again after a while.
        """
        find = f"""SELECT DISTINCT a.identity FROM receipts c CROSS JOIN assets a ON a.id = c.asset_id
            LEFT JOIN transfers t ON t.asset_id = a.id WHERE {_STILL_THERE} AND a.kept IN ('damaged', 'lost')
            AND (t.state IS NULL OR t.state = 'done' OR (t.state = 'failed' AND t.ended_at <= ?))"""
        with self._database.read() as connection:
            if connection.execute(f"{find} LIMIT 1", (now - AGAIN_S,)).fetchone() is None:
                return ()
        with self._database.write() as connection:
            found = [AssetId.parse(row["identity"]) for row in connection.execute(find, (now - AGAIN_S,)).fetchall()]
            words = "queued, since the copy here is not whole and the service deletes its own soon"
            return enqueue(connection, found, now, first=True, by=By.WORKER, words=words)

    def in_trouble(self) -> tuple[ReceiptView, ...]:
        """Receipts of what is not held whole here and is about to be gone for good."""
        sql = f"{_RECEIPTS} WHERE {_STILL_THERE} AND a.kept IN ('damaged', 'lost') ORDER BY {_DEADLINE}"
        with self._database.read() as connection:
            return tuple(_receipt_view(row) for row in connection.execute(sql).fetchall())


def add_receipts(connection: sqlite3.Connection, release: int, sure: Mapping[str, str], now: float) -> None:
    """A receipt for whatever was sure before a call and is released now, inside the caller's transaction."""
    for identity, sha256 in sure.items():
        row = connection.execute("SELECT * FROM assets WHERE identity = ?", (identity,)).fetchone()
        if row["state"] not in (RemoteState.ABANDONED, RemoteState.EXPIRED):
            continue
        connection.execute(
            """INSERT INTO receipts (asset_id, release_id, sha256, proof, path, confirmed_at, provider_state)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (row["id"], release, sha256, row["proof"], row["path"], now, row["provider_state"] or row["state"]),
        )
        ends = own_deadline(row)
        until = f"; it deletes it for good at {moment(ends)[:19]}Z" if ends else ""
        words = f"the service says {row['provider_state'] or row['state']}{until}; SHA-256 of the copy here {sha256}"
        facts: dict[str, Fact] = {
            "release": release,
            "sha256": sha256,
            "proof": digest_of(row["proof"]),
            "deadline": moment(ends) if ends else None,
        }
        add_event(connection, now, identity, "release confirmed", words, facts, by=By.SERVICE)


def release_view(row: sqlite3.Row) -> ReleaseView:
    """A row of _RELEASES."""
    sure = [AssetId.parse(identity) for identity in json.loads(row["sure"])]
    waits = row["not_before"] > row["due_at"] and ReleaseState(row["state"]) is not ReleaseState.CHECKING
    return ReleaseView(
        number=row["id"],
        asset=AssetId.parse(row["identity"]),
        title=row["title"],
        state=ReleaseState(row["state"]),
        asked_at=instant(row["asked_at"]),
        due_at=instant(row["due_at"]),
        by=row["by"],
        words=row["words"],
        attempts=row["attempts"],
        again_at=instant(row["not_before"]) if waits and row["ended_at"] is None else None,
        sent_at=when(row["sent_at"]),
        answer=row["answer"],
        along=tuple(identity for identity in sure if str(identity) != row["identity"]),
        size=row["size"],
        deadline=when(row["deadline"]),
    )


def _receipt_view(row: sqlite3.Row) -> ReceiptView:
    return ReceiptView(
        asset=AssetId.parse(row["identity"]),
        title=row["title"],
        release=row["release_id"],
        along=row["asked_asset"] != row["asset_id"],
        sha256=row["sha256"],
        proof=Proof.from_json(row["proof"]),
        path=row["path"],
        by=row["by"],
        asked_at=instant(row["asked_at"]),
        sent_at=when(row["sent_at"]),
        answer=row["answer"],
        confirmed_at=instant(row["confirmed_at"]),
        provider_state=row["provider_state"],
        deadline=when(row["deadline"]),
        rechecked_at=when(row["rechecked_at"]),
        recheck=row["recheck"],
    )
