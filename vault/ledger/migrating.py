"""Bringing a ledger of an older version up: what takes long goes in steps, each whole, and is gone on with next time.

The version in the file grows with the last step alone. Until then the ledger is one of the old version with tables
that nobody reads yet, so that whoever is killed, or interrupts, loses nothing.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from vault.ledger import summaries
from vault.ledger.schema_search import INDEXES, TABLES, TRIGGERS

_MEETINGS_AT_ONCE = 1_000
_OPERATIONS_BETWEEN = 200_000
"""SQLite's virtual machine does so many in some 10 ms."""


@dataclass(frozen=True, slots=True)
class Migrating:
    """How far an older ledger is on its way to this version."""

    words: str
    done: int
    total: int


Watcher = Callable[[Migrating], None]
"""Told of the progress; what it raises interrupts, and the next opening goes on."""


class Stepwise:
    """A migration in steps. `run` may be called by several processes at once, and again after any end."""

    def __init__(self, version: int, watch: Watcher) -> None:
        self._version = version
        self._watch = watch

    def run(self, connection: sqlite3.Connection) -> None:
        """Take the steps that are left. Raises what the watcher raises."""
        if self._is_empty(connection):
            scripts = ";\n".join((TABLES, *INDEXES, TRIGGERS))
            connection.executescript(f"BEGIN IMMEDIATE; {scripts}; PRAGMA user_version = {self._version}; COMMIT;")
            return
        try:
            self._run(connection)
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise

    @staticmethod
    def _is_empty(connection: sqlite3.Connection) -> bool:
        begun = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrating'").fetchone()
        return begun is None and connection.execute("SELECT 1 FROM meetings LIMIT 1").fetchone() is None

    def _run(self, connection: sqlite3.Connection) -> None:
        self._begin(connection)
        last = connection.execute("SELECT max(id) FROM meetings").fetchone()[0]
        # An index takes about as long as a fifth of filling in all meetings.
        total = last + len(INDEXES) * (last // 5)
        while (place := self._fill(connection)) is not None:
            self._watch(Migrating("what meetings are found by", min(place, last), total))
        done = last
        for sql in INDEXES:
            name = sql.removeprefix("CREATE INDEX IF NOT EXISTS ").partition(" ")[0]
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is None:
                self._make(connection, sql, Migrating("an index for each order", done, total))
            done += last // 5
        self._make(connection, "", Migrating("counters", done, total))

    def _begin(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrating'").fetchone() is None:
            execute_script(connection, TABLES)
            # A process of the older version may still write: what it changes behind our back is noted.
            execute_script(
                connection,
                """CREATE TABLE migrating (place INTEGER NOT NULL);
                INSERT INTO migrating VALUES (0);
                CREATE TABLE again (id INTEGER PRIMARY KEY);
                CREATE TRIGGER meetings_again AFTER UPDATE OF words ON meetings BEGIN
                    INSERT OR IGNORE INTO again VALUES (new.id);
                END;""",
            )
        connection.commit()

    def _fill(self, connection: sqlite3.Connection) -> int | None:
        """The next meetings; how far that is, None when all are done."""
        connection.execute("BEGIN IMMEDIATE")
        place = connection.execute("SELECT place FROM migrating").fetchone()["place"]
        sql = "SELECT id FROM meetings WHERE id > ? ORDER BY id LIMIT ?"
        ids = [row["id"] for row in connection.execute(sql, (place, _MEETINGS_AT_ONCE))]
        if ids:
            summaries.refresh(connection, ids, before_triage=True)
            connection.execute("UPDATE migrating SET place = ?", (ids[-1],))
        connection.commit()
        return ids[-1] if ids else None

    def _make(self, connection: sqlite3.Connection, sql: str, now: Migrating) -> None:
        """Make an index, or with "" the counters and an end; the watcher is told all the while."""
        raised: list[BaseException] = []

        def beat() -> int:
            try:
                self._watch(now)
            except BaseException as error:  # noqa: BLE001  # passed on below, since SQLite would swallow it
                raised.append(error)
            return int(bool(raised))

        self._watch(now)
        connection.set_progress_handler(beat, _OPERATIONS_BETWEEN)
        try:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("PRAGMA user_version").fetchone()[0] < self._version:
                if sql:
                    connection.execute(sql)
                else:
                    self._end(connection)
            connection.commit()
        except sqlite3.OperationalError:
            if raised:
                connection.rollback()
                raise raised[0] from None
            raise
        finally:
            connection.set_progress_handler(None, 0)

    def _end(self, connection: sqlite3.Connection) -> None:
        sql = "SELECT id FROM again UNION SELECT id FROM meetings WHERE id > (SELECT place FROM migrating)"
        summaries.refresh(connection, [row["id"] for row in connection.execute(sql).fetchall()], before_triage=True)
        execute_script(connection, TRIGGERS)
        execute_script(connection, "DROP TRIGGER meetings_again; DROP TABLE again; DROP TABLE migrating;")
        connection.execute(f"PRAGMA user_version = {self._version}")


def execute_script(connection: sqlite3.Connection, script: str) -> None:
    """A script inside the caller's transaction, which `executescript` would end."""
    statement = ""
    for line in script.splitlines(keepends=True):
        for part in line.split(";")[:-1]:
            statement += part + ";"
            if sqlite3.complete_statement(statement):
                connection.execute(statement)
                statement = ""
        statement += line.rpartition(";")[2] if ";" in line else line
