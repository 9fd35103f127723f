"""The ledger on a network file system: without WAL, which needs memory that is shared. And who may not lead it away."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vault.ledger.filling import NOW
from vault.errors import LedgerError
from vault.ledger import Ledger
from vault.ledger.database import Database
from vault.ledger.history import History

ASK = """
import sys
from pathlib import Path
from vault.ledger.database import Database
from vault.ledger.history import History
database = Database(Path(sys.argv[1]), network=lambda path: "nfs4")
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    History(database).asked(sys.argv[2], "", float(number))
database.close()
"""


def on_network(path: Path) -> Database:
    return Database(path, network=lambda place: "nfs4" if place == path else "")


def journal(database: Database) -> str:
    with database.read() as connection:
        mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
    return mode


def accounts(database: Database) -> list[str]:
    with database.read() as connection:
        return [row["name"] for row in connection.execute("SELECT name FROM accounts ORDER BY name")]


def test_it_has_a_rollback_journal_and_private_files(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        database = on_network(tmp_path / "data" / "ledger.db")
        History(database).asked("advice", "", NOW)
        assert journal(database) == "truncate"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
        assert modes == {"ledger.db": 0o600, "ledger.db-journal": 0o600}
        database.close()
    finally:
        os.umask(old)
    local = Database(tmp_path / "data" / "ledger.db")  # moved home
    assert (journal(local), accounts(local)) == ("wal", ["advice"])
    local.close()


def test_what_was_written_with_wal_elsewhere_is_taken_over(tmp_path: Path) -> None:
    """Copied from a live one: what is in its -wal alone comes along, and no memory is shared to read it."""
    home, away = tmp_path / "home" / "ledger.db", tmp_path / "away" / "ledger.db"
    ledger = Ledger(home)
    ledger.history.asked("advice", "", NOW)
    away.parent.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):
        (away.parent / name).write_bytes((home.parent / name).read_bytes())
    ledger.close()
    assert (away.parent / "ledger.db-wal").stat().st_size > 0
    database = on_network(away)
    assert (journal(database), accounts(database)) == ("truncate", ["advice"])
    assert not [path.name for path in away.parent.iterdir() if path.name.endswith(("-wal", "-shm"))]
    History(database).asked("rooms", "", NOW)
    database.close()
    with sqlite3.connect(away) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


def test_processes_of_one_machine_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    database = on_network(path)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        for name in ("advice", "agents")
    ]
    for process in processes:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for number in range(20):
        History(database).asked("rooms", "", float(number))
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
    assert accounts(database) == ["advice", "agents", "rooms"]
    database.close()


def test_one_that_somebody_uses_with_wal_is_not_taken_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.ledger.database.BUSY_TIMEOUT_S", 0.05)
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.history.asked("advice", "", NOW)
    with pytest.raises(LedgerError, match="locked"):
        on_network(tmp_path / "ledger.db")
    ledger.history.asked("rooms", "", NOW)
    ledger.close()


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.db"
    Ledger(target).close()
    before = target.read_bytes()
    for leads_to in (target, tmp_path / "nowhere.db"):
        link = tmp_path / "data" / "ledger.db"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(leads_to)
        with pytest.raises(LedgerError, match="is a symbolic link; it is not used"):
            Ledger(link)
        link.unlink()
    assert target.read_bytes() == before
    assert not (tmp_path / "nowhere.db").exists()


def test_a_folder_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerError, match="is no file"):
        Ledger(tmp_path / "ledger.db")


def test_opening_it_again_ends_no_lock_of_this_process(tmp_path: Path) -> None:
    """POSIX ends a process's locks on a file with any close of it; SQLite looks after its own descriptors alone."""
    path = tmp_path / "ledger.db"
    first = on_network(path)
    probe = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)\n"
        "try: c.execute('BEGIN IMMEDIATE'); print('free')\nexcept sqlite3.OperationalError: print('locked')"
    )
    with first.write() as connection:
        connection.execute("INSERT INTO accounts (name) VALUES ('x')")
        on_network(path).close()
        seen = subprocess.run([sys.executable, "-c", probe, str(path)], capture_output=True, text=True, check=True)
        assert seen.stdout == "locked\n"
    first.close()
