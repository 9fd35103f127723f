"""What operators did and may undo: each deed is written with what is needed for that. Every verb is one transaction."""

import json
import sqlite3

from msgspec import Struct

from providers.models import AssetId
from vault.ledger.database import Database
from vault.ledger.rows import instant
from vault.triage.views import DeedView

UNDO_S = 86_400.0
"""What was done longer ago stays."""


class FlagsBefore(Struct, frozen=True):
    """An asset's flags as they were (flag, note, by, at), and the bits of those that it has since."""

    identity: AssetId
    rows: tuple[tuple[str, str, str, float], ...]
    since: int


class Undo(Struct, frozen=True):
    """What is needed to undo a deed."""

    queued: tuple[AssetId, ...] = ()
    flags: tuple[FlagsBefore, ...] = ()
    releases: tuple[int, ...] = ()
    """Their numbers."""
    assets: tuple[AssetId, ...] = ()
    """What the releases are of."""

    def to_json(self) -> str:
        """For the ledger."""
        return json.dumps(
            {
                "queued": [str(identity) for identity in self.queued],
                "flags": [[str(each.identity), each.rows, each.since] for each in self.flags],
                "releases": self.releases,
                "assets": [str(identity) for identity in self.assets],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "Undo":
        """From the ledger."""
        record = json.loads(text)
        flags = (
            FlagsBefore(AssetId.parse(identity), tuple((f, n, b, a) for f, n, b, a in rows), since)
            for identity, rows, since in record["flags"]
        )
        return cls(
            tuple(map(AssetId.parse, record["queued"])),
            tuple(flags),
            tuple(record["releases"]),
            tuple(map(AssetId.parse, record["assets"])),
        )


class Deeds:
    """The ledger's verb `last`, and taking a deed to undo it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, by: str, now: float) -> DeedView | None:
        """The latest deed of an operator that can be undone; None when there is none."""
        with self._database.read() as connection:
            row = open_deed(connection, by, now)
        return None if row is None else _view(row)


def add_deed(connection: sqlite3.Connection, now: float, by: str, what: str, words: str, undo: Undo) -> None:
    """Write a deed down inside the transaction that does it."""
    connection.execute(
        "INSERT INTO deeds (at, by, what, words, undo) VALUES (?, ?, ?, ?, ?)", (now, by, what, words, undo.to_json())
    )


def open_deed(connection: sqlite3.Connection, by: str, now: float, number: int | None = None) -> sqlite3.Row | None:
    """The latest deed of an operator that can be undone, or the one with that number if it can be."""
    row: sqlite3.Row | None = connection.execute(
        """SELECT * FROM deeds WHERE by = ?1 AND undone_at IS NULL AND at > ?2 AND id = coalesce(?3, id)
        ORDER BY id DESC LIMIT 1""",
        (by, now - UNDO_S, number),
    ).fetchone()
    return row


def _view(row: sqlite3.Row) -> DeedView:
    undo = Undo.from_json(row["undo"])
    assets = dict.fromkeys((*undo.queued, *(each.identity for each in undo.flags), *undo.assets))
    return DeedView(row["id"], instant(row["at"]), row["by"], row["what"], row["words"], tuple(assets))
