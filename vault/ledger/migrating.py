"""Bringing a ledger of an older version up: what takes long goes in steps, each whole, and is gone on with next time.

The version in the file grows with the last step alone. Until then the ledger is one of the old version with tables
that nobody reads yet, so that whoever is killed, or interrupts, loses nothing.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from msgspec import Struct

from vault.ledger import summaries
from vault.ledger.schema_search import INDEXES, TABLES, TRIGGERS

_MEETINGS_AT_ONCE = 1_000
_OPERATIONS_BETWEEN = 200_000
"""SQLite's virtual machine does so many in some 10 ms."""
_ROWS_AT_ONCE = 20_000
_AN_INDEX = 100_000
"""What a script is reckoned as, in rows that are filled."""


class Migrating(Struct, frozen=True):
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


@contextmanager
def dropping_quickly(connection: sqlite3.Connection) -> Iterator[None]:
    """What is dropped is not overwritten, as Debian's SQLite would do at one go, which nobody can interrupt.

    Nothing is lost by that: what an older version's tables held is what those hold that take their place.
    """
    before = connection.execute("PRAGMA secure_delete").fetchone()[0]
    connection.execute("PRAGMA secure_delete = OFF")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA secure_delete = {('OFF', 'ON', 'FAST')[before]}")


class Fill(Struct, frozen=True):
    """A step that goes through a table: `sql` has marks for the id behind which it begins, and the last one."""

    table: str
    sql: str


Step = str | Fill
"""A script, or a fill."""


class Scripted:
    """A migration of scripts and fills. `run` may be called by several processes at once, and again after any end.

    Of a ledger with few rows it is one transaction. Else each script is one, and each part of a fill, which goes on
    where it was; what processes of the older version write meanwhile is for the scripts to see to, by triggers.
    """

    def __init__(self, version: int, steps: Sequence[Step], watch: Watcher) -> None:
        self._version = version
        self._steps = steps
        self._watch = watch

    def run(self, connection: sqlite3.Connection) -> None:
        """Take the steps that are left. Raises what the watcher raises."""
        try:
            if self._is_small(connection):
                connection.execute("BEGIN IMMEDIATE")
                if self._is_wanted(connection):
                    self._make_all(connection)
                connection.commit()
                return
            while self._go_on(connection):
                pass
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise

    def _is_small(self, connection: sqlite3.Connection) -> bool:
        """Whether all is done before anyone would interrupt it, or nothing of it could be kept."""
        return not _exists(connection, "stepping") and self._rows(connection) <= _ROWS_AT_ONCE

    def _rows(self, connection: sqlite3.Connection) -> int:
        return sum(_last(connection, step) for step in self._steps if isinstance(step, Fill))

    def _is_wanted(self, connection: sqlite3.Connection) -> bool:
        """Whether no other process has made it meanwhile."""
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version < self._version

    def _make_all(self, connection: sqlite3.Connection) -> None:
        for number, step in enumerate(self._steps):
            values = (0, _ROWS_AT_ONCE) if isinstance(step, Fill) else ()
            self._make(connection, step, values, self._so_far(connection, number, 0))
        connection.execute(f"PRAGMA user_version = {self._version}")

    def _go_on(self, connection: sqlite3.Connection) -> bool:
        """The next part, as a transaction; whether it was not the last one."""
        connection.execute("BEGIN IMMEDIATE")
        if not self._is_wanted(connection):
            connection.rollback()
            return False
        if not _exists(connection, "stepping"):
            connection.execute("CREATE TABLE stepping (step INTEGER NOT NULL, place INTEGER NOT NULL)")
            connection.execute("INSERT INTO stepping VALUES (0, 0)")
        number, place = connection.execute("SELECT step, place FROM stepping").fetchone()
        step, now, until = self._steps[number], self._so_far(connection, number, place), place + _ROWS_AT_ONCE
        self._make(connection, step, (place, until) if isinstance(step, Fill) else (), now)
        is_over = not isinstance(step, Fill) or until >= _last(connection, step)
        reached = (number + 1, 0) if is_over else (number, until)
        connection.execute("UPDATE stepping SET step = ?, place = ?", reached)
        is_last = is_over and number + 1 == len(self._steps)
        if is_last:
            connection.execute("DROP TABLE stepping")
            connection.execute(f"PRAGMA user_version = {self._version}")
        connection.commit()
        self._watch(self._so_far(connection, *reached))
        return not is_last

    def _make(self, connection: sqlite3.Connection, step: Step, values: tuple[int, ...], now: Migrating) -> None:
        for statement in _statements(step) if isinstance(step, str) else (step.sql,):
            with told_while(connection, partial(self._watch, now)):
                connection.execute(statement, values)

    def _so_far(self, connection: sqlite3.Connection, number: int, place: int) -> Migrating:
        worth = [_last(connection, step) if isinstance(step, Fill) else _AN_INDEX for step in self._steps]
        return Migrating("columns and their indexes", sum(worth[:number]) + place, sum(worth))


def _exists(connection: sqlite3.Connection, name: str) -> bool:
    """Whether there is a table or an index of this name."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def _last(connection: sqlite3.Connection, fill: Fill) -> int:
    number: int = connection.execute(f"SELECT coalesce(max(rowid), 0) FROM {fill.table}").fetchone()[0]
    return number


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
        return (
            not _exists(connection, "migrating")
            and connection.execute("SELECT 1 FROM meetings LIMIT 1").fetchone() is None
        )

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
            if not _exists(connection, name):
                self._make(connection, sql, Migrating("an index for each order", done, total))
            done += last // 5
        self._make(connection, "", Migrating("counters", done, total))

    def _begin(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if not _exists(connection, "migrating"):
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
                    self._watch(now)
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
