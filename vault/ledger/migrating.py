"""Bringing a ledger of an older version up: what takes long goes in steps, each whole, and is gone on with next time.

The version in the file grows with the last step alone. Until then the ledger is one of the old version with tables
that nobody reads yet, so that whoever is killed, or interrupts, loses nothing.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from vault.ledger import summaries
from vault.ledger.schema_search import INDEXES, TABLES, TRIGGERS

_MEETINGS_AT_ONCE = 1_000
_OPERATIONS_BETWEEN = 200_000
"""SQLite's virtual machine does so many in some 10 ms."""
_ROWS_AT_ONCE = 20_000
_AN_INDEX = 100_000
"""What a statement of a script is reckoned as, in rows that are filled."""


@dataclass(frozen=True, slots=True)
class Migrating:
    """How far an older ledger is on its way to this version."""

    words: str
    done: int
    total: int


Watcher = Callable[[Migrating], None]
"""Told of the progress; what it raises interrupts, and the next opening goes on."""


@contextmanager
def told_while(connection: sqlite3.Connection, tell: Callable[[], None]) -> Iterator[None]:
    """Calls `tell` again and again while statements run that take long. Raises what it raises, which ends them."""
    raised: list[BaseException] = []

    def beat() -> int:
        try:
            tell()
        except BaseException as error:  # noqa: BLE001  # passed on below, since SQLite would swallow it
            raised.append(error)
        return int(bool(raised))

    connection.set_progress_handler(beat, _OPERATIONS_BETWEEN)
    try:
        yield
    except sqlite3.OperationalError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        connection.set_progress_handler(None, 0)


@dataclass(frozen=True, slots=True)
class Fill:
    """A step that goes through a table: `sql` has marks for the id behind which it begins, and the last one."""

    table: str
    sql: str


def run_steps(connection: sqlite3.Connection, version: int, steps: Sequence[str | Fill], watch: Watcher) -> None:
    """A migration in one transaction: scripts and fills. Interrupted, it begins anew with the next opening.

    `watch` is told while it takes long, and raises to interrupt it, which is raised here. Where another process has
    made it meanwhile, nothing is done.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] < version:
            for statement, values, now in list(_told(connection, steps)):
                with told_while(connection, partial(watch, now)):
                    connection.execute(statement, values)
            connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _told(
    connection: sqlite3.Connection, steps: Sequence[str | Fill]
) -> Iterator[tuple[str, tuple[int, ...], Migrating]]:
    """Each statement with its values, and how far that is, in tables' worth of rows."""
    statements: list[tuple[str, tuple[int, ...], int]] = []
    for step in steps:
        if isinstance(step, str):
            statements += [(statement, (), _AN_INDEX) for statement in _statements(step)]
            continue
        last = connection.execute(f"SELECT coalesce(max(rowid), 0) FROM {step.table}").fetchone()[0]
        firsts = range(0, last, _ROWS_AT_ONCE)
        statements += [(step.sql, (first, first + _ROWS_AT_ONCE), _ROWS_AT_ONCE) for first in firsts]
    total, done = sum(rows for _, _, rows in statements), 0
    for statement, values, rows in statements:
        yield statement, values, Migrating("columns and their indexes", done, total)
        done += rows


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
        self._watch(now)
        connection.execute("BEGIN IMMEDIATE")
        with told_while(connection, lambda: self._watch(now)):
            if connection.execute("PRAGMA user_version").fetchone()[0] < self._version:
                if sql:
                    connection.execute(sql)
                else:
                    self._end(connection)
        connection.commit()

    def _end(self, connection: sqlite3.Connection) -> None:
        sql = "SELECT id FROM again UNION SELECT id FROM meetings WHERE id > (SELECT place FROM migrating)"
        summaries.refresh(connection, [row["id"] for row in connection.execute(sql).fetchall()], before_triage=True)
        execute_script(connection, TRIGGERS)
        execute_script(connection, "DROP TRIGGER meetings_again; DROP TABLE again; DROP TABLE migrating;")
        connection.execute(f"PRAGMA user_version = {self._version}")


def execute_script(connection: sqlite3.Connection, script: str) -> None:
    """A script inside the caller's transaction, which `executescript` would end."""
    for statement in _statements(script):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        for part in line.split(";")[:-1]:
            statement += part + ";"
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""
        statement += line.rpartition(";")[2] if ";" in line else line
    if statement.strip():
        yield statement
