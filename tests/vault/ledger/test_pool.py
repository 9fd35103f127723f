"""Connections to the ledger's file: who gets which, and how many stay open."""

import sqlite3
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vault.errors import LedgerError
from vault.ledger.database import Database
from vault.ledger.events import LogConnection
from vault.ledger.pool import Pool


class Made:
    """The connections that were made."""

    def __init__(self) -> None:
        self.all: list[LogConnection] = []

    def connect(self) -> LogConnection:
        self.all.append(sqlite3.connect(":memory:", check_same_thread=False, factory=LogConnection))
        return self.all[-1]

    @property
    def open(self) -> int:
        return sum(map(is_open, self.all))


def is_open(connection: LogConnection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def pool(made: Made) -> Pool:
    return Pool(made.connect)


def one_more(pool: Pool, *, writes: bool = False) -> LogConnection:
    with pool.taken(writes=writes) as connection:
        return connection


def test_threads_one_after_the_other_have_one_between_them(pool: Pool, made: Made) -> None:
    for _ in range(5):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(one_more, pool).result()
    assert len(made.all) == 1


def test_at_once_each_thread_has_its_own_and_few_stay_open(pool: Pool, made: Made) -> None:
    all_there = threading.Barrier(8)

    def read() -> LogConnection:
        with pool.taken(writes=False) as connection:
            all_there.wait()
            return connection

    with ThreadPoolExecutor(8) as threads:
        taken = [each.result() for each in [threads.submit(read) for _ in range(8)]]
    assert len(set(map(id, taken))) == 8
    assert made.open == 3


def test_the_one_that_came_back_last_goes_out_first(pool: Pool) -> None:
    with ThreadPoolExecutor(1) as other, pool.taken(writes=False) as first:
        second = other.submit(one_more, pool).result()
    assert first is not second
    assert one_more(pool) is first


def test_what_writes_is_apart(pool: Pool, made: Made) -> None:
    writes = one_more(pool, writes=True)
    assert one_more(pool) is not writes
    assert one_more(pool, writes=True) is writes
    assert made.open == 2


def test_who_has_one_gets_the_same_again(pool: Pool) -> None:
    with pool.taken(writes=True) as connection:
        assert one_more(pool) is connection
        assert one_more(pool, writes=True) is connection
    with ThreadPoolExecutor(1) as other, pool.taken(writes=False) as connection:
        assert other.submit(one_more, pool).result() is not connection


def test_what_another_thread_ends_comes_back_all_the_same(pool: Pool) -> None:
    def reads() -> Generator[LogConnection, None, None]:
        with pool.taken(writes=False) as connection:
            yield connection

    begun = reads()
    first = next(begun)
    with ThreadPoolExecutor(1) as other:
        other.submit(begun.close).result()
    assert one_more(pool) is first


def test_it_closes_when_what_is_under_way_is_done_and_gives_none_then(pool: Pool, made: Made) -> None:
    waiting, goes_on = threading.Event(), threading.Event()

    def read() -> bool:
        with pool.in_use(), pool.taken(writes=False) as connection:
            waiting.set()
            goes_on.wait()
            return is_open(connection)

    with ThreadPoolExecutor(2) as threads:
        reading = threads.submit(read)
        waiting.wait()
        closing = threads.submit(pool.close, 60.0)
        while not pool._closed:
            pass
        assert not closing.done()
        goes_on.set()
        closing.result()
    assert reading.result()
    assert made.open == 0
    with pytest.raises(LedgerError, match="closed"), pool.in_use():
        pass


def test_what_hangs_keeps_its_connection(pool: Pool, made: Made) -> None:
    with pool.in_use(), pool.taken(writes=False):
        pool.close(0.0)
        assert made.open == 1


def test_a_transaction_reads_what_it_wrote_and_others_do_not(tmp_path: Path) -> None:
    database = Database(tmp_path / "ledger.db")

    def number() -> int:
        with database.read() as connection:
            found: int = connection.execute("SELECT number FROM revision").fetchone()[0]
        return found

    before = number()
    with ThreadPoolExecutor(1) as other, database.write(visible=False) as connection:
        connection.execute("UPDATE revision SET number = number + 1")
        assert number() == before + 1
        assert other.submit(number).result() == before
    assert number() == before + 1
    database.close()


def test_a_look_sees_whatever_was_written_by_whichever_thread(tmp_path: Path) -> None:
    database = Database(tmp_path / "ledger.db")
    before = database.version()
    assert database.version() == before
    with database.write():
        pass
    assert database.version() != before
    database.close()
