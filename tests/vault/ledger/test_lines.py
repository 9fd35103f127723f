"""Transfers and deliveries by the page: whatever page is read from wherever is a part of the one list."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.models import Delivery
from tests.vault.ledger.filling import NOW, claim, identity, queued
from vault.ledger import Ledger
from vault.ledger.claiming import Claim
from vault.ledger.deliveries import Receipt
from vault.ledger.walking import Walk
from vault.views import TransferState

MANY = 23


def delivered(ledger: Ledger, number: int) -> None:
    receipts = [
        Receipt(
            account="calls" if n % 3 else "advice",
            key=str(n),
            topic="topic",
            verified="by nobody",
            body="{}",
            digest=str(n),
            delivery=Delivery({}, b"{}"),
            source="",
            received_at=NOW + n,
        )
        for n in range(number)
    ]
    ledger.deliveries.keep(receipts)


def check_pages(page: Callable[..., Sequence[Any]], whole: Sequence[Any], key: Callable[[Any], Any]) -> None:
    """Every page, by every way of asking for it."""
    total = len(whole)
    for limit in (1, 4, total):
        for offset in range(0, total, 3):
            wanted = tuple(whole[offset : offset + limit])
            assert tuple(page(offset, limit)) == wanted
            assert tuple(page(offset, limit, total=total)) == wanted
            if offset:
                assert tuple(page(offset, limit, after=key(whole[offset - 1]))) == wanted
            end = offset + len(wanted)
            if end < total:
                assert tuple(page(offset, len(wanted), before=key(whole[end]))) == wanted


def test_events_by_the_page(ledger: Ledger) -> None:
    """Those of one asset as its trail has them, and all of them, the latest first."""
    queued(ledger, "one", "other")
    one, other = identity("one"), identity("other")
    for _ in range(3):
        ledger.transfers.steer(one, "cancel", NOW)
        assert ledger.transfers.enqueue([one], NOW)
    lines = ledger.event_lines
    for name in ("", str(one), str(other)):
        many = lines.count(name)
        whole = lines.page(name, 0, 99)
        assert len(whole) == many
        assert [row.event.number for row in whole] == sorted((row.event.number for row in whole), reverse=True)
        check_pages(lambda *at, name=name, **near: lines.page(name, *at, **near), whole, lambda row: row.event.number)
        assert [lines.position(name, row.event.number) for row in whole] == list(range(many))
        assert lines.position(name, 10_000) is None
    of_one = lines.page(str(one), 0, 99)
    assert {row.identity for row in of_one} == {str(one)}
    assert [row.event for row in reversed(of_one)] == list(ledger.reader.trail(one))
    assert lines.count("") == ledger.log.size() > len(of_one)


def test_deliveries_by_the_page(ledger: Ledger) -> None:
    delivered(ledger, MANY)
    lines = ledger.delivery_lines
    for account in ("", "calls", "advice"):
        whole = ledger.deliveries.page(account, 99)
        assert lines.count(account) == len(whole)
        check_pages(lambda *a, account=account, **k: lines.page(account, *a, **k), whole, lambda view: view.id)
        assert [lines.position(account, view.id) for view in whole] == list(range(len(whole)))
    (other,) = lines.page("advice", 0, 1)
    assert lines.position("calls", other.id) is None
    assert lines.position("", 10_000) is None


def test_transfers_by_the_page(ledger: Ledger) -> None:
    queued(ledger, *(f"c{n:02d}" for n in range(MANY)))
    for moment in range(9):
        found = claim(ledger)
        assert isinstance(found, Claim)
        if moment % 3 == 0:
            ledger.claims.fail(found, "x", NOW + moment, None, attempts=1)
        elif moment % 3 == 1:
            ledger.claims.step_back(found, "cancelled", NOW + moment)
    lines = ledger.transfer_lines
    whole = ledger.reader.transfers(99)
    states = [view.state for view in whole]
    assert states == sorted(states, key=_rank), "running, then what waits, then failed ones, then the rest that ended"
    assert lines.count() == len(whole) == MANY
    check_pages(lines.page, whole, lambda view: view.asset)
    assert [lines.position(view.asset) for view in whole] == list(range(MANY))
    assert lines.position(identity("nobody")) is None
    assert sum(lines.tally().values()) == MANY
    assert lines.tally()[TransferState.FAILED] == 3


def _rank(state: TransferState) -> int:
    return {TransferState.RUNNING: 0, TransferState.FAILED: 2}.get(state, 3 if state.ended else 1)


def plan(ledger: Ledger, walk: Walk, **near: int) -> str:
    """How SQLite goes about a page."""
    said: list[str] = []
    with ledger._database.read() as connection:
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        walk.page(connection, 5, 5, **near)
        connection.set_trace_callback(None)
        for sql in seen:
            said += [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    return "; ".join(said)


@pytest.mark.parametrize("near", [{}, {"after": 3}, {"before": 9}, {"total": 6}])
def test_a_page_of_the_queue_is_read_from_its_index(ledger: Ledger, near: dict[str, int]) -> None:
    queued(ledger, *(f"c{n:02d}" for n in range(MANY)))
    said = plan(ledger, Walk("transfers", ("line_rank", "line_place", "asset_id")), **near)
    assert "USING INDEX transfers_line" in said
    assert "TEMP B-TREE" not in said


@pytest.mark.parametrize("near", [{}, {"after": 3}, {"before": 9}])
def test_a_page_of_an_account_s_deliveries_is_read_from_its_index(ledger: Ledger, near: dict[str, int]) -> None:
    delivered(ledger, MANY)
    said = plan(ledger, Walk("deliveries", ("id",), True, "account = ?", ("calls",)), **near)
    assert "deliveries_of" in said or "INTEGER PRIMARY KEY" in said
    assert "TEMP B-TREE" not in said


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30), st.booleans(), st.data())
def test_a_walk_is_the_sorted_list(rows: list[tuple[int, int]], descending: bool, data: st.DataObject) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a, b, id INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO t (a, b) VALUES (?, ?)", rows)
    every = connection.execute("SELECT a, b, id FROM t").fetchall()
    whole = [row[2] for row in sorted(every, reverse=descending)]
    walk = Walk("t", ("a", "b", "id"), descending)
    offset, limit = data.draw(st.integers(0, 32)), data.draw(st.integers(1, 8))
    wanted = whole[offset : offset + limit]
    assert walk.page(connection, offset, limit) == wanted
    assert walk.page(connection, offset, limit, total=len(whole)) == wanted
    assert walk.count(connection) == len(whole)
    if 0 < offset <= len(whole):
        assert walk.page(connection, offset, limit, after=whole[offset - 1]) == wanted
        assert walk.position(connection, whole[offset - 1]) == offset - 1
    connection.close()


def test_an_old_ledger_gets_the_index(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "data" / "ledger.db")
    with ledger._database.read() as connection:
        names = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    ledger.close()
    assert "transfers_line" in names
