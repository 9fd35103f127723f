"""Opening the ledger's file: private modes, who reads and writes it, one transaction at a time for writing."""

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vault.errors import LedgerError, Superseded
from vault.filesystem import network_kind
from vault.ledger.events import LogConnection
from vault.ledger.migrating import Scripted, Stepwise, Watcher, dropping_quickly
from vault.ledger.migrating_custody import Chaining
from vault.ledger.pool import Pool
from vault.ledger.schema import MIGRATIONS

BUSY_TIMEOUT_S = 10.0
_CHECKPOINT_PAGES = 4_000
"""Pages of 4 KiB in the log before they move to the file: fewer, and the indexes' pages move there again and again."""
_READERS_CACHE_KIB = 256
"""Enough for the way into each index. What a list reads through is not read again: with 2 MiB it was kept for nothing
(a place in a million meetings was found no sooner), 3 MB of memory in all."""
_MIGRATIONS_CACHE_KIB = 2_000
"""SQLite's own, with which they were measured: an index that is made is sorted in it."""
_WRITERS_CACHE_KIB = 16_384
"""A page of a sync touches each index in hundreds of places."""
_IN_STEPS: Mapping[int, type[Stepwise] | type[Chaining]] = {4: Stepwise, 5: Chaining}
"""What makes the migrations that take long, by the version that they lead to."""


def show(connection: sqlite3.Connection) -> None:
    """Note, inside a transaction, that lists show something else now."""
    connection.execute("UPDATE revision SET number = number + 1")


def file_at(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path (device, inode); None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_place(path: Path) -> None:
    """Nobody may lead the ledger elsewhere. Raises LedgerError."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be opened: {error.strerror}") from None
    if stat.S_ISLNK(mode):
        raise LedgerError(f"the ledger {path} is a symbolic link; it is not used (let REELDESK_DATA name its folder)")
    if not stat.S_ISREG(mode):
        raise LedgerError(f"the ledger {path} is no file")


def _until_free(change: Callable[[sqlite3.Connection], None], connection: sqlite3.Connection) -> None:
    """SQLite does not wait for another process that changes the journal at the same moment."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            change(connection)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.005)


def _use_wal(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")


def _use_rollback_journal(connection: sqlite3.Connection) -> None:
    """Also where WAL was used before: in the exclusive mode its index is in memory, not in a file that is shared."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA locking_mode = NORMAL")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # what is locked becomes free with this


class Database:
    """A SQLite file (0600 in a 0700 folder) in WAL mode. Usable from any thread.

    `process` (user@host) is who the log of events says wrote to it, `clock` (unix seconds) gives their moments.
    `write()` is a transaction that is on disk when it ends, unless it says otherwise. Raises LedgerError with words.
    On a network file system (as `network` tells) WAL does not work (https://www.sqlite.org/wal.html): there the file
    has a rollback journal, whose locks are enough for the processes of one machine.
    """

    def __init__(
        self,
        path: Path,
        *,
        network: Callable[[Path], str] = network_kind,
        on_migration: Watcher = lambda _: None,
        process: str = LogConnection.process,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.path = path
        self._process = process
        self._clock = clock
        self._on_migration = on_migration
        self._generation = 0
        self._lists: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._pool = Pool(self._connect)
        self._seeing = Pool(self._connect)
        """One connection, which nothing is written by: it alone sees all that is written."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made before SQLite does, which would follow the umask; its other files take over this mode. One that is
            # there is left alone: to close it would end the locks that this process has on it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        except FileExistsError:
            _check_place(path)
        except OSError as error:
            raise LedgerError(f"the ledger {path} cannot be opened: {error.strerror}") from None
        self._network = network(path)
        self.file = file_at(path)
        """Which it is; None: there is none."""
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> LogConnection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, factory=LogConnection
        )
        connection.process = self._process
        connection.row_factory = sqlite3.Row
        try:
            _until_free(_use_rollback_journal if self._network else _use_wal, connection)
        except BaseException:
            connection.close()
            raise
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_READERS_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self.path} cannot be used: {error}") from None
        except UnicodeDecodeError:  # SQLite names what it cannot read, in the damaged bytes
            raise LedgerError(f"the ledger {self.path} cannot be used: its file is damaged") from None

    @contextmanager
    def _taken(self, *, writes: bool = False) -> Iterator[LogConnection]:
        with self._pool.in_use(), self._told(), self._pool.taken(writes=writes) as connection:
            yield connection

    @contextmanager
    def read(self, *, then_write: bool = False) -> Iterator[LogConnection]:
        """A connection for reading. `then_write`: `write` inside of it uses the same."""
        with self._taken(writes=then_write) as connection:
            yield connection

    def version(self) -> int:
        """Another number whenever anything was written, by whomever. Some 10 µs."""
        with self._seeing.in_use(), self._told(), self._seeing.taken(writes=True) as connection:
            number: int = connection.execute("PRAGMA data_version").fetchone()[0]
        return number

    @contextmanager
    def listing(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading lists, which `interrupt` interrupts. Raises Superseded then."""
        with self._taken() as connection:
            with self._guard:
                generation = self._generation
                self._lists.append(connection)
            try:
                yield connection
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise Superseded("another list was asked for") from None
                raise
            finally:
                with self._guard:
                    self._lists.remove(connection)
                    superseded = generation != self._generation
            if superseded:  # between two statements nothing can be interrupted
                raise Superseded("another list was asked for")

    def interrupt(self) -> None:
        """End, in every thread, the reading of lists that was begun before."""
        with self._guard:
            self._generation += 1
            for connection in self._lists:
                connection.interrupt()

    @contextmanager
    def write(self, *, visible: bool = True, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it or nothing. `durable`: it is on disk when it ends.

        One that is not outlives whatever kills the process, and may be missing after a power cut; it never comes
        without those before it. `visible`: it changes what lists show, so that whoever shows one reads it anew.
        """
        # SQLite lets one writer in, and others ask again in steps of milliseconds; here they wait in line.
        with self._pool.in_use(), self._told(), self._writing, self._pool.taken(writes=True) as connection:
            if connection.durable is None:
                connection.execute(f"PRAGMA cache_size = -{_WRITERS_CACHE_KIB}")
            if connection.durable is not durable:
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                connection.durable = durable
            # Where a row goes through triggers, SQLite notes every page before it changes that. In a file, as it does
            # by itself, that was 96 KiB a record of a sync, written and never read. Tables that lie there must stay.
            in_memory = not durable and not connection.has_own_tables
            if in_memory:
                connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.turn_at = self._clock() if self._clock is not None else None
                yield connection
                if visible:
                    show(connection)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                if in_memory:
                    connection.execute("PRAGMA temp_store = DEFAULT")

    def _migrate(self) -> None:
        with self._taken(writes=True) as connection:
            have = connection.execute("PRAGMA user_version").fetchone()[0]
            if have > len(MIGRATIONS):
                raise LedgerError(f"the ledger {self.path} was written by a newer reeldesk; update this one")
            connection.execute(f"PRAGMA cache_size = -{_MIGRATIONS_CACHE_KIB}")  # `write` sets it anew
            if have < len(MIGRATIONS) and not self._network:
                # What a power cut takes away of it is made again. `write` sets it anew.
                connection.execute("PRAGMA synchronous = NORMAL")
            for version in range(have, len(MIGRATIONS)):
                try:
                    with dropping_quickly(connection):
                        self._step(version + 1).run(connection)
                except sqlite3.OperationalError:
                    if connection.in_transaction:
                        connection.rollback()
                    if connection.execute("PRAGMA user_version").fetchone()[0] <= version:
                        raise  # else another process made the same step at the same moment

    def _step(self, version: int) -> Scripted | Stepwise | Chaining:
        """What leads to a version from the one before."""
        steps = MIGRATIONS[version - 1]
        if steps is None:
            return _IN_STEPS[version](version, self._on_migration)
        return Scripted(version, (steps,) if isinstance(steps, str) else steps, self._on_migration)

    def close(self) -> None:
        """Close every connection, when what is under way is done; the file is then complete without a -wal."""
        self._seeing.close(BUSY_TIMEOUT_S)
        self._pool.close(BUSY_TIMEOUT_S)
