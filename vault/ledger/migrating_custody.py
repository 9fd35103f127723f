"""Bringing an older ledger's events into the chain, in steps: each whole, and gone on with next time.

What was noted before there was a chain is taken over as it stands and says so ("chained": "afterwards"): the chain
vouches for it from then on alone. How each held file stands then is an event of its own ("adopted").
"""

import sqlite3
from collections.abc import Callable
from functools import partial

from vault.ledger.events import By, Fact, LogConnection, NewEvent, body_of, digest_of, first_link, link
from vault.ledger.migrating import Migrating, Watcher, execute_script, told_while
from vault.ledger.schema_custody import INDEX, TABLES, TRIGGERS

_AT_ONCE = 1_000

_BEGIN = """
    CREATE TABLE chaining (event INTEGER NOT NULL, asset INTEGER NOT NULL);
    INSERT INTO chaining VALUES (0, 0);
    -- A process of the older version may still write: whose file it changes behind our back is noted.
    CREATE TABLE adopt_again (id INTEGER PRIMARY KEY);
    CREATE TRIGGER assets_adopt_again AFTER UPDATE OF kept, sha256, held_size, proof ON assets BEGIN
        INSERT OR IGNORE INTO adopt_again VALUES (new.id);
    END;
"""
_END = f"""
    DROP TRIGGER assets_adopt_again; DROP TABLE adopt_again; DROP TABLE chaining;
    DROP TABLE events;
    ALTER TABLE chained RENAME TO events;
    {TRIGGERS}
"""


class Chaining:
    """The migration to version 5. `run` may be called by several processes at once, and again after any end."""

    def __init__(self, version: int, watch: Watcher) -> None:
        self._version = version
        self._watch = watch

    def run(self, connection: sqlite3.Connection) -> None:
        """Take the steps that are left. Raises what the watcher raises."""
        try:
            self._run(connection)
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise

    def _run(self, connection: sqlite3.Connection) -> None:
        if self._step(connection, self._all_at_once if self._is_empty(connection) else self._begin) is None:
            return
        if connection.execute("PRAGMA user_version").fetchone()[0] >= self._version:
            return
        sql = "SELECT coalesce(max(id), 0) FROM events UNION ALL SELECT coalesce(max(id), 0) FROM assets"
        events, assets = (row[0] for row in connection.execute(sql).fetchall())
        # An index takes about as long as a tenth of all that.
        total = events + assets + (events + assets) // 10
        while (done := self._step(connection, self._chain)) is not None and done > 0:
            self._tell("the log of events", done, total)
        while (done := self._step(connection, self._adopt)) is not None and done > 0:
            self._tell("what is held", events + done, total)
        for words, step, done in (
            ("an index of the log", self._index, events + assets),
            ("the log before it", self._look_through, total),
            ("the log before it", self._end, total),
        ):
            tell = partial(self._tell, words, done, total)
            tell()
            with told_while(connection, tell):
                self._step(connection, step)

    @staticmethod
    def _is_empty(connection: sqlite3.Connection) -> bool:
        sql = f"SELECT EXISTS (SELECT 1 FROM events) OR EXISTS ({_HELD})"
        return not connection.execute(sql).fetchone()[0]

    def _all_at_once(self, connection: sqlite3.Connection) -> int:
        self._begin(connection)
        connection.execute(INDEX)
        return self._end(connection)

    def _tell(self, words: str, done: int, total: int) -> None:
        if total > 5 * _AT_ONCE:  # else it is over before anyone could read that
            self._watch(Migrating(words, min(done, total), total))

    def _step(self, connection: sqlite3.Connection, step: Callable[[sqlite3.Connection], int]) -> int | None:
        """A step in a transaction; None when another process has made the last one."""
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] >= self._version:
            connection.rollback()
            return None
        done = step(connection)
        connection.commit()
        return done

    def _begin(self, connection: sqlite3.Connection) -> int:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'chaining'").fetchone() is None:
            execute_script(connection, TABLES)
            ledger = connection.execute("SELECT lower(hex(randomblob(16)))").fetchone()[0]
            connection.execute("INSERT INTO log VALUES (?, 0, ?)", (ledger, first_link(ledger)))
            execute_script(connection, _BEGIN)
        return 0

    @staticmethod
    def _chain(connection: sqlite3.Connection) -> int:
        """The next old events; how far that is, 0 when all are done."""
        sql = "SELECT * FROM events WHERE id > (SELECT event FROM chaining) ORDER BY id LIMIT ?"
        rows = connection.execute(sql, (_AT_ONCE,)).fetchall()
        if not rows:
            return 0
        old = (NewEvent(row["at"], row["identity"], row["what"], row["words"]) for row in rows)
        _append(connection, [(event, {"chained": "afterwards"}) for event in old])
        connection.execute("UPDATE chaining SET event = ?", (rows[-1]["id"],))
        place: int = rows[-1]["id"]
        return place

    @staticmethod
    def _adopt(connection: sqlite3.Connection) -> int:
        """How the next assets' files stand; how far that is, 0 when all are done."""
        sql = f"{_HELD} AND id > (SELECT asset FROM chaining) ORDER BY id LIMIT ?"
        rows = connection.execute(sql, (_AT_ONCE,)).fetchall()
        if not rows:
            return 0
        _append(connection, [_adopted(connection, row) for row in rows])
        connection.execute("UPDATE chaining SET asset = ?", (rows[-1]["id"],))
        place: int = rows[-1]["id"]
        return place

    @staticmethod
    def _index(connection: sqlite3.Connection) -> int:
        connection.execute(INDEX)
        return 0

    @staticmethod
    def _look_through(connection: sqlite3.Connection) -> int:
        """Have what is dropped in the system's cache: to drop a table reads all of it, and cannot be interrupted."""
        connection.execute("SELECT max(length(words)) FROM events").fetchone()
        connection.execute("SELECT max(length(identity)) FROM events INDEXED BY events_identity").fetchone()
        return 0

    def _end(self, connection: sqlite3.Connection) -> int:
        while self._chain(connection):
            pass
        sql = f"{_HELD} AND id IN (SELECT id FROM adopt_again) AND id <= (SELECT asset FROM chaining)"
        _append(connection, [_adopted(connection, row) for row in connection.execute(sql).fetchall()])
        while self._adopt(connection):
            pass
        execute_script(connection, _END)
        connection.execute(f"PRAGMA user_version = {self._version}")
        return 0


_HELD = "SELECT id, identity, kept, held_size, sha256, proof FROM assets WHERE kept != 'absent'"
_Given = tuple[NewEvent, dict[str, Fact]]


def _adopted(connection: sqlite3.Connection, row: sqlite3.Row) -> _Given:
    facts: dict[str, Fact] = {
        "by": str(By.WORKER),
        "process": connection.process if isinstance(connection, LogConnection) else LogConnection.process,
        "kept": row["kept"],
        "size": row["held_size"],
        "sha256": row["sha256"],
        "proof": digest_of(row["proof"]) if row["proof"] else None,
    }
    now = connection.execute("SELECT (julianday('now') - 2440587.5) * 86400.0").fetchone()[0]
    words = f"{row['kept']} when the log got its chain, as the ledger says; the file was not read for that"
    return NewEvent(now, row["identity"], "adopted", words), facts


def _append(connection: sqlite3.Connection, given: list[_Given]) -> None:
    count, head = connection.execute("SELECT count, head FROM log").fetchone()
    rows = []
    for event, facts in given:
        count += 1
        body = body_of(count, event, facts, event.at)
        head = link(head, body)
        rows.append((count, body, head))
    connection.executemany("INSERT INTO chained (number, body, chain) VALUES (?, ?, ?)", rows)
    connection.execute("UPDATE log SET count = ?, head = ?", (count, head))
