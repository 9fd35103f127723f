"""A ledger of an older version is brought up in steps: told, interrupted and gone on with, and never broken."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.vault.ledger.older import version_3
from tests.vault.ledger.test_reading import fill
from vault.errors import LedgerError
from vault.ledger import Ledger, migrating
from vault.ledger.facets import rank_of
from vault.ledger.migrating import Migrating
from vault.ledger.schema import MIGRATIONS
from vault.views import SORTS, Query

OPEN = """
import sys, time
from pathlib import Path
from vault.ledger import Ledger, migrating
from vault.ledger.facets import rank_of
migrating._MEETINGS_AT_ONCE = 3
def watch(now):
    print(now.done, flush=True)
    time.sleep(float(sys.argv[2]))
Ledger(Path(sys.argv[1]), on_migration=watch).close()
print("done", flush=True)
"""


class StopHere(Exception):
    """What a person's wish to stop is passed on by."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[object]]:
    """A ledger of version 3 as bytes, and what lists of it show."""
    folder = tmp_path_factory.mktemp("made")
    ledger = Ledger(folder / "new.db")
    fill(ledger)
    shown = told_by(ledger)
    ledger.close()
    version_3(folder / "new.db", folder / "old.db")
    return (folder / "old.db").read_bytes(), shown


@pytest.fixture
def old(both: tuple[bytes, list[object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(migrating, "_MEETINGS_AT_ONCE", 7)
    (tmp_path / "ledger.db").write_bytes(both[0])
    return tmp_path / "ledger.db"


def told_by(ledger: Ledger) -> list[object]:
    """What a ledger shows, in every order and by every way."""
    queries = [Query(sort=sort, text=text) for sort in SORTS for text in ("", "board", "b")]
    queries += [Query(faults=True), Query(at_risk=True), Query(account="rooms")]
    lists = [(ledger.reader.page(query, 0, 999), ledger.reader.counted(query)) for query in queries]
    return [*lists, ledger.reader.totals(), ledger.reader.account("advice"), ledger.reader.transfers(99)]


@pytest.fixture
def of_version_8(old: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger whose next migration has scripts, and a fill of many parts."""
    with monkeypatch.context() as patched:
        patched.setattr("vault.ledger.database.MIGRATIONS", MIGRATIONS[:8])
        Ledger(old).close()
    monkeypatch.setattr(migrating, "_ROWS_AT_ONCE", 7)
    return old


def ranks(path: Path) -> list[tuple[int, int]]:
    """What meetings are sorted by, and what that should be."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT summary_has, facets FROM meetings").fetchall()
    return [(rank, rank_of(facets)) for rank, facets in rows]


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    return number


def test_it_shows_the_same_afterwards(old: Path, both: tuple[bytes, list[object]]) -> None:
    told: list[Migrating] = []
    ledger = Ledger(old, on_migration=told.append)
    assert told_by(ledger) == both[1]
    ledger.close()
    assert [now.done for now in told] == sorted(now.done for now in told)
    assert 0 < told[0].done < told[-1].done <= told[-1].total
    assert {now.words for now in told} == {"what meetings are found by", "an index for each order", "counters"}
    assert version(old) == len(MIGRATIONS)
    again: list[Migrating] = []
    Ledger(old, on_migration=again.append).close()
    assert again == []


def test_it_is_interrupted_anywhere_and_goes_on(old: Path, both: tuple[bytes, list[object]]) -> None:
    reached: list[int] = []

    def watch(now: Migrating) -> None:
        reached.append(now.done)
        if len(reached) % 2 == 0:
            raise StopHere

    openings = 0
    while openings < 40:
        openings += 1
        try:
            Ledger(old, on_migration=watch).close()
            break
        except StopHere:
            assert version(old) == 3
    assert openings > 9
    assert reached == sorted(reached)
    ledger = Ledger(old)
    assert told_by(ledger) == both[1]
    ledger.close()
    assert version(old) == len(MIGRATIONS)


def test_it_is_interrupted_within_an_index(
    old: Path, both: tuple[bytes, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_OPERATIONS_BETWEEN", 50)
    seen = 0

    def watch(now: Migrating) -> None:
        nonlocal seen
        seen += now.words == "counters"
        if seen == 3:
            raise StopHere

    with pytest.raises(StopHere):
        Ledger(old, on_migration=watch)
    assert version(old) == 3
    ledger = Ledger(old)
    assert told_by(ledger) == both[1]
    ledger.close()


def test_what_an_older_process_writes_meanwhile_is_not_lost(old: Path) -> None:
    calls = 0

    def watch(now: Migrating) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            with closing(sqlite3.connect(old, isolation_level=None)) as connection:
                sql = "UPDATE meetings SET title = 'Changed by an older one', words = 'changed' WHERE id = 1"
                connection.execute(sql)
                connection.execute("UPDATE assets SET state = 'failed' WHERE meeting_id = 1")
        if calls == 14:
            with closing(sqlite3.connect(old, isolation_level=None)) as connection:
                connection.execute(
                    """INSERT INTO meetings (account, meeting, provider, title, first_seen, last_seen)
                    VALUES ('advice', 'late', 'flexperto', 'Written by an older one', 1, 1)"""
                )

    ledger = Ledger(old, on_migration=watch)
    assert calls > 14
    [changed, written] = ledger.reader.page(Query(text="older one", sort="title", descending=False), 0, 9)
    assert (changed.title, written.title) == ("Changed by an older one", "Written by an older one")
    assert changed.key in {row.key for row in ledger.reader.page(Query(faults=True), 0, 99)}
    ledger.close()


def test_a_fill_goes_on_where_it_was(of_version_8: Path, both: tuple[bytes, list[object]]) -> None:
    reached: list[int] = []

    def watch(now: Migrating) -> None:
        reached.append(now.done)
        if len(reached) % 2 == 0:
            raise StopHere

    for _ in range(5):
        with pytest.raises(StopHere):
            Ledger(of_version_8, on_migration=watch)
        assert version(of_version_8) == 8
    with pytest.raises(StopHere):
        Ledger(of_version_8, on_migration=watch)
    ledger = Ledger(of_version_8)
    assert told_by(ledger) == both[1]
    ledger.close()
    assert reached == sorted(set(reached)), "no part is made twice"
    assert all(rank == right for rank, right in ranks(of_version_8))
    with closing(sqlite3.connect(of_version_8)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
    assert not {"stepping", "meetings_has_later", "meetings_has_first"} & set(names)


def test_what_is_written_beside_a_fill_is_not_lost(of_version_8: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.ledger.database.MIGRATIONS", MIGRATIONS[:9])
    calls = 0

    def watch(now: Migrating) -> None:
        nonlocal calls
        calls += 1
        if calls in (3, 11):
            with closing(sqlite3.connect(of_version_8, isolation_level=None)) as connection:
                connection.execute("UPDATE meetings SET facets = facets + 64 WHERE id IN (1, 60)")
                connection.execute(
                    """INSERT INTO meetings (account, meeting, provider, title, first_seen, last_seen, facets)
                    VALUES ('advice', ?, 'flexperto', 'Late', 1, 1, 4096)""",
                    (f"late{calls}",),
                )

    Ledger(of_version_8, on_migration=watch).close()
    assert calls == 12
    found = ranks(of_version_8)
    assert len(found) == 62
    assert all(rank == right != 0 for rank, right in found)


@pytest.mark.parametrize(("kind", "number"), [("OFF", 0), ("ON", 1), ("FAST", 2)])
def test_what_is_dropped_is_overwritten_afterwards_as_it_was_before(kind: str, number: int) -> None:
    def now() -> int:
        found: int = connection.execute("PRAGMA secure_delete").fetchone()[0]
        return found

    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA secure_delete = {kind}")
        with migrating.dropping_quickly(connection):
            assert now() == 0
        assert now() == number


def test_one_that_is_killed_goes_on(old: Path, both: tuple[bytes, list[object]]) -> None:
    for lines in (1, 9, 12):
        process = subprocess.Popen(
            [sys.executable, "-c", OPEN, str(old), "0.001"], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
        )
        assert process.stdout is not None
        with process.stdout:
            for _ in range(lines):
                assert process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        assert version(old) in (3, len(MIGRATIONS))
    ledger = Ledger(old)
    assert told_by(ledger) == both[1]
    ledger.close()


def test_several_processes_at_once(old: Path, both: tuple[bytes, list[object]]) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(old), "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(3)
    ]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert err == b""
        assert out.endswith(b"done\n")
    ledger = Ledger(old)
    assert told_by(ledger) == both[1]
    ledger.close()


def test_a_fault_on_the_way_is_told_and_leaves_the_old_one(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "INDEXES", ("CREATE INDEX IF NOT EXISTS broken ON nowhere (id)",))
    with pytest.raises(LedgerError, match="no such table"):
        Ledger(old)
    assert version(old) == 3
    monkeypatch.undo()
    Ledger(old).close()
    assert version(old) == len(MIGRATIONS)
