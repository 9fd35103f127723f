"""Filling the search index behind whatever writes: in small transactions, so that nobody waits long."""

import sqlite3
import time
from collections.abc import Callable

from msgspec import Struct

from vault.ledger import summaries
from vault.ledger.database import Database, show
from vault.ledger.finding import LATEST
from vault.views import Coverage

_AIM_S = 0.02
"""How long a transaction is to take."""
_FEWEST, _MOST = 20, 2_000
# CROSS JOIN keeps the order: by itself SQLite would go through all assets first.
SAID_AND_HELD = """SELECT count(*) FROM said s CROSS JOIN assets a ON a.id = s.id
    WHERE s.text != '' AND a.kept = 'held'"""
WANTED = """SELECT a.id, a.path, a.extension, a.sha256 FROM assets a LEFT JOIN said s ON s.id = a.id
    WHERE a.kind = 'transcript' AND a.kept = 'held' AND a.id > ? AND s.sha256 IS NOT a.sha256 ORDER BY a.id LIMIT 1"""
"""The next held transcript that is to be read."""


class Unread(Struct, frozen=True):
    """A held transcript whose text the ledger does not have."""

    asset_id: int
    path: str
    extension: str
    sha256: str


class Index:
    """The ledger's verbs about what can be searched. Usable from any thread."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._at_once = 200
        self._read_to = 0
        """The asset that was given to be read last: those before it are not looked at again for each that follows."""

    def fill(self) -> bool:
        """Take some meetings into the index; whether there are more. Holds the write lock for some 30 ms."""
        with self._database.read() as connection:
            if connection.execute("SELECT 1 FROM unindexed LIMIT 1").fetchone() is None:
                return False
        with self._database.write(visible=False, durable=False) as connection:
            began = self._clock()
            was_behind = self._is_behind(connection)
            sql = "SELECT id FROM unindexed ORDER BY id LIMIT ?"
            ids = [row["id"] for row in connection.execute(sql, (self._at_once,))]
            rows = [tuple(row) for row in summaries.searched(connection, ids)]
            connection.executemany("INSERT INTO found (rowid, words, said) VALUES (?, ?, ?)", rows)
            connection.executemany("DELETE FROM unindexed WHERE id = ?", [(number,) for number in ids])
            if was_behind and not self._is_behind(connection):
                show(connection)  # from now on everything is searched
            took = self._clock() - began
        grown = self._at_once * (2.0 if took <= 0 else min(max(_AIM_S / took, 0.5), 2.0))
        self._at_once = int(min(max(grown, _FEWEST), _MOST))
        return True

    @staticmethod
    def _is_behind(connection: sqlite3.Connection) -> bool:
        """Whether there is anything that no search finds."""
        return connection.execute("SELECT 1 FROM unindexed LIMIT 1 OFFSET ?", (LATEST,)).fetchone() is not None

    def coverage(self) -> Coverage:
        """What a search looks through now."""
        sql = f"""SELECT (SELECT coalesce(sum(meetings), 0) FROM counters) AS meetings,
            (SELECT count(*) FROM unindexed) AS unindexed,
            (SELECT count(*) FROM assets WHERE kind = 'transcript' AND kept = 'held') AS transcripts,
            ({SAID_AND_HELD}) AS said"""
        with self._database.read() as connection:
            row = connection.execute(sql).fetchone()
        unsearched = max(row["unindexed"] - LATEST, 0)
        return Coverage(row["meetings"], row["meetings"] - unsearched, row["transcripts"], row["said"])

    def unread(self) -> Unread | None:
        """A held transcript that is to be read; those whose file is gone or damaged are forgotten on the way."""
        gone = """SELECT s.id, s.meeting_id FROM said s CROSS JOIN assets a ON a.id = s.id
            WHERE a.kept != 'held' AND s.text != '' LIMIT 100"""
        with self._database.read() as connection:
            row = connection.execute(WANTED, (self._read_to,)).fetchone()
            if row is None and self._read_to:  # those before it may have come meanwhile
                self._read_to = 0
                row = connection.execute(WANTED, (0,)).fetchone()
            lost = [] if self._read_to else connection.execute(gone).fetchall()
        for each in lost:
            self._say(each["id"], each["meeting_id"], "", "")
        if row is None:
            return None
        self._read_to = row["id"]
        return Unread(row["id"], row["path"], row["extension"], row["sha256"])

    def say(self, unread: Unread, text: str) -> None:
        """Keep a transcript's text ("" when nothing in it can be searched)."""
        with self._database.read() as connection:
            sql = "SELECT meeting_id FROM assets WHERE id = ?"
            meeting_id = connection.execute(sql, (unread.asset_id,)).fetchone()["meeting_id"]
        self._say(unread.asset_id, meeting_id, summaries.fold(text), unread.sha256)

    def _say(self, asset_id: int, meeting_id: int, text: str, sha256: str) -> None:
        with self._database.write(durable=False) as connection:
            summaries.forget(connection, meeting_id)
            connection.execute(
                "INSERT OR REPLACE INTO said (id, meeting_id, text, sha256) VALUES (?, ?, ?, ?)",
                (asset_id, meeting_id, text, sha256),
            )
            summaries.refresh(connection, [meeting_id])
