"""The ledger's file: private, migrated once, and faults in words."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.vault.ledger.filling import NOW, archive, record
from vault.errors import LedgerError
from vault.ledger import Ledger
from vault.ledger.database import Database
from vault.ledger.schema import MIGRATIONS

OPEN = """
import sys
from pathlib import Path
from vault.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
ledger = Ledger(Path(sys.argv[1]))
for _ in range(5):
    ledger.history.asked("advice", "", 1.0)
ledger.close()
"""


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_modes_under_a_usual_umask(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        ledger = Ledger(tmp_path / "data" / "ledger.db")
        record(ledger, archive())
        assert modes(tmp_path / "data") == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        ledger.close()
        assert modes(tmp_path / "data") == {"ledger.db": 0o600}
    finally:
        os.umask(old)


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for _ in range(3):
        ledger = Ledger(path)
        record(ledger, archive())
        assert ledger.reader.totals().assets == 1
        ledger.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


def test_several_processes_make_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, b"")


def test_many_threads_open_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    faults: list[LedgerError] = []
    ended: list[None] = []
    together = threading.Barrier(6)

    def work() -> None:
        try:
            together.wait(10)
            ledger = Ledger(path)
            for number in range(5):
                ledger.history.asked(f"account-{number}", "", NOW)
            ledger.close()
        except LedgerError as error:
            faults.append(error)
        else:
            ended.append(None)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (faults, len(ended)) == ([], 6)


def test_one_that_a_newer_version_wrote(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(LedgerError, match="newer reeldesk"):
        Ledger(path)


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger(path)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.db"
    broken = (*MIGRATIONS, "CREATE TABLE other (id INTEGER); CREATE TABLE other (id INTEGER)")
    monkeypatch.setattr("vault.ledger.database.MIGRATIONS", broken)
    with pytest.raises(LedgerError, match="already exists"):
        Ledger(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'other'").fetchone()[0] == 0
    connection.close()


def test_a_migration_that_another_process_makes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    connect = Database._connect

    def late(database: Database) -> sqlite3.Connection:
        connection = connect(database)

        class Late:
            """Sees the version of before, once."""

            def __init__(self) -> None:
                self.asked = 0

            def __getattr__(self, name: str) -> object:
                return getattr(connection, name)

            def execute(self, sql: str, *args: Any) -> object:
                if sql == "PRAGMA user_version" and not self.asked:
                    self.asked += 1
                    return connection.execute("SELECT 0")
                return connection.execute(sql, *args)

        return Late()  # type: ignore[return-value]  # stands for a connection

    monkeypatch.setattr(Database, "_connect", late)
    ledger = Ledger(path)
    assert ledger.change_number() == 0
    ledger.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(tmp_path / "data" / "ledger.db")


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        ledger.change_number()
    other: list[str] = []

    def ask() -> None:
        try:
            ledger.change_number()
        except LedgerError as error:
            other.append(error.words)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert other == ["the ledger is closed"]


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "ledger.db")

    def breaks_off() -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO accounts (name) VALUES ('x')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks_off()
    with database.write() as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone()[0] == 0
    database.close()


def test_a_commit_that_fails_leaves_the_connection_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = Database._connect
    fail: list[bool] = []

    class Full:
        """A disk that is full at the first commit."""

        def __init__(self, inner: sqlite3.Connection) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        def commit(self) -> None:
            if fail.pop() if fail else False:
                raise sqlite3.OperationalError("database or disk is full")
            self.inner.commit()

    monkeypatch.setattr(Database, "_connect", lambda self: Full(connect(self)))
    ledger = Ledger(tmp_path / "ledger.db")
    fail.append(True)
    with pytest.raises(LedgerError, match="disk is full"):
        ledger.history.asked("advice", "", NOW)
    ledger.history.asked("advice", "", NOW)
    assert ledger.reader.account("advice").synced_at is not None
    ledger.close()


def test_a_ledger_that_stays_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.ledger.database.BUSY_TIMEOUT_S", 0.05)
    ledger = Ledger(tmp_path / "ledger.db")
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="locked"):
        ledger.history.asked("advice", "", NOW)
    other.rollback()
    other.close()
    ledger.history.asked("advice", "", NOW)
    ledger.close()


def test_the_change_number_grows_with_what_lists_show(tmp_path: Path) -> None:
    ledger, other = Ledger(tmp_path / "ledger.db"), Ledger(tmp_path / "ledger.db")
    before = other.change_number()
    record(ledger, archive())
    assert other.change_number() == before + 1
    record(ledger, archive())
    assert other.change_number() == before + 1
    ledger.close()
    other.close()


def test_what_a_sync_undoes_by_stays_in_memory_and_only_that(tmp_path: Path) -> None:
    """A statement's own journal, which SQLite would write into a file; a long list is still sorted in one."""
    database = Database(tmp_path / "ledger.db")

    def place() -> int:
        with database.read() as connection:
            return int(connection.execute("PRAGMA temp_store").fetchone()[0])

    with database.write(durable=False):
        assert place() == 2
    assert place() == 0
    with pytest.raises(ZeroDivisionError), database.write(durable=False):
        raise ZeroDivisionError
    assert place() == 0
    with database.write():
        assert place() == 0
    database.close()
