"""Transfers and deliveries by the page: whatever page is read from wherever is a part of the one list."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.models import Asset, AssetId, AssetKind, Delivery, Meeting, RemoteState
from tests.vault.ledger.filling import NOW, archive, at, claim, identity, queued, record
from vault.ledger import Ledger, migrating, schema_orders
from vault.ledger.claiming import Claim
from vault.ledger.deliveries import Receipt
from vault.ledger.lines import deliveries_walk, events_walk, transfers_walk
from vault.ledger.paging import Order
from vault.ledger.schema import MIGRATIONS
from vault.ledger.walking import Walk
from vault.views import DELIVERY_SORTS, EVENT_SORTS, TRANSFER_SORTS, Sort, TransferState, TransferView

MANY = 23


def delivered(ledger: Ledger, number: int) -> None:
    receipts = [
        Receipt(
            account="calls" if n % 3 else "advice",
            key=str(n),
            topic=f"topic.{n % 4}",
            verified=("by nobody", "the signature")[n % 2],
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


def plans(ledger: Ledger, walk: Walk, **near: int) -> list[str]:
    """How SQLite goes about a page, a place and a moment, of what is listed there.

    Of an index with a column that is made of others it does not say COVERING, but looks at no row of the table either:
    it puts that off (DeferredSeek) until something else of the row is asked for.
    """
    said: list[str] = []
    with ledger._database.read() as connection:
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        walk.page(connection, 5, 50, **near)
        walk.position(connection, 7)
        walk.nearest(connection, 1, 2)
        connection.set_trace_callback(None)
        for sql in seen:
            said += [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    return said


NEAR: list[dict[str, int]] = [{}, {"after": 3}, {"before": 9}, {"total": 6}]


@pytest.mark.parametrize("near", NEAR)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", TRANSFER_SORTS)
def test_every_order_of_transfers_is_read_from_an_index(
    ledger: Ledger, by: str, descending: bool, near: dict[str, int]
) -> None:
    queued(ledger, *(f"c{n:02d}" for n in range(MANY)))
    sized(ledger)
    said = plans(ledger, transfers_walk(Sort(by, descending)), **near)
    assert len(said) > 3
    for each in said:
        assert "INDEX transfers_" in each or "INTEGER PRIMARY KEY" in each
        assert "B-TREE" not in each


@pytest.mark.parametrize("account", ["", "calls"])
@pytest.mark.parametrize("near", NEAR)
@pytest.mark.parametrize("by", DELIVERY_SORTS)
def test_every_order_of_deliveries_is_read_from_an_index(
    ledger: Ledger, by: str, near: dict[str, int], account: str
) -> None:
    delivered(ledger, MANY)
    for descending in (False, True):
        walk = deliveries_walk(account, Sort(by, descending))
        for each in plans(ledger, walk, **near):
            by_itself = by == "received" and not account and each == "SCAN deliveries"
            assert "COVERING INDEX deliveries_" in each or "INTEGER PRIMARY KEY" in each or by_itself
            assert "B-TREE" not in each


@pytest.mark.parametrize("by", EVENT_SORTS)
def test_every_order_of_events_is_read_from_an_index(ledger: Ledger, by: str) -> None:
    queued(ledger, *(f"c{n:02d}" for n in range(MANY)))
    for whose in ("", str(identity("c01"))):
        for descending in (False, True):
            for each in plans(ledger, events_walk(whose, Sort(by, descending)), after=3):
                by_itself = by == "number" and not whose and each == "SCAN events"
                assert "INDEX events_of" in each or "INTEGER PRIMARY KEY" in each or by_itself
                assert "B-TREE" not in each


@given(st.lists(st.tuples(st.none() | st.integers(0, 3), st.integers(0, 3)), max_size=30), st.booleans(), st.data())
def test_a_walk_is_the_sorted_list(rows: list[tuple[int | None, int]], descending: bool, data: st.DataObject) -> None:
    """What has no value for the order comes last, whichever way it goes."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a, b, id INTEGER PRIMARY KEY)")
    connection.execute("CREATE INDEX i ON t (a, b, id)")
    connection.executemany("INSERT INTO t (a, b) VALUES (?, ?)", rows)
    every = connection.execute("SELECT a, b, id FROM t").fetchall()
    filled = sorted((row for row in every if row[0] is not None), reverse=descending)
    empty = sorted((row for row in every if row[0] is None), key=lambda row: row[1:], reverse=descending)
    whole = [row[2] for row in [*filled, *empty]]
    walk = Walk("t", Order(("a", "b", "id"), True, "i", "i", descending))
    offset, limit = data.draw(st.integers(0, 32)), data.draw(st.integers(1, 8))
    wanted = whole[offset : offset + limit]
    assert walk.page(connection, offset, limit) == wanted
    assert walk.page(connection, offset, limit, total=len(whole)) == wanted
    assert walk.count(connection) == len(whole)
    if 0 < offset <= len(whole):
        assert walk.page(connection, offset, limit, after=whole[offset - 1]) == wanted
        assert walk.position(connection, whole[offset - 1]) == offset - 1
    end = offset + len(wanted)
    if end < len(whole):
        assert walk.page(connection, offset, len(wanted), before=whole[end]) == wanted
    low = data.draw(st.integers(-1, 4))
    high = low + data.draw(st.integers(1, 3))
    assert walk.nearest(connection, low, high) == nearest_of(filled, low, high, descending)
    connection.close()


def nearest_of(filled: list[Any], low: int, high: int, descending: bool) -> int | None:
    within = [row for row in filled if low <= row[0] < high]
    behind = [row for row in filled if (row[0] < low if descending else row[0] >= high)]
    before = [row for row in filled if row not in within and row not in behind]
    found = next(iter([*within, *behind, *reversed(before)]), None)
    return None if found is None else int(found[2])


# Orders ---------------------------------------------------------------------------------------------------------------


def sized(ledger: Ledger) -> None:
    """Every other transfer says how large its file is, some were tried."""
    with ledger._database.write() as connection:
        connection.execute("UPDATE transfers SET total = (asset_id % 7) * 10 WHERE asset_id % 2")
        connection.execute("UPDATE transfers SET attempts = asset_id % 3")


def several(ledger: Ledger) -> None:
    """Transfers of three kinds, with titles, sizes, tries, some ended."""
    for n in range(MANY):
        title = f"{'Board' if n % 2 else 'alps'} {n % 5}"
        kind = (AssetKind.ARCHIVE, AssetKind.VIDEO, AssetKind.AUDIO)[n % 3]
        record(ledger, Meeting(f"c{n:02d}", title), Asset(f"c{n:02d}", kind, state=RemoteState.AVAILABLE))
        assert ledger.transfers.enqueue([AssetId("advice", f"c{n:02d}", kind)], NOW + n)
    sized(ledger)
    for n in range(6):
        found = claim(ledger)
        assert found is not None
        ledger.claims.fail(found, "x", NOW + 100 - n, None, attempts=n)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("title", lambda view: view.title.lower()),
        ("kind", lambda view: str(view.asset.kind)),
        ("size", lambda view: view.total),
        ("tries", lambda view: view.attempts),
        ("changed", lambda view: view.changed_at),
    ],
)
def test_transfers_in_every_order(
    ledger: Ledger, by: str, key: Callable[[TransferView], Any], descending: bool
) -> None:
    several(ledger)
    lines, sort = ledger.transfer_lines, Sort(by, descending)
    whole = lines.page(0, 99, sort=sort)
    assert {view.asset for view in whole} == {view.asset for view in ledger.reader.transfers(99)}
    keys = [key(view) for view in whole]
    known = [each for each in keys if each is not None]
    assert keys[: len(known)] == known, "what says nothing comes last"
    assert known == sorted(known, reverse=descending)
    assert len(set(known)) > 1
    check_pages(partial(lines.page, sort=sort), whole, lambda view: view.asset)
    assert [lines.position(view.asset, sort=sort) for view in whole] == list(range(MANY))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", DELIVERY_SORTS)
def test_deliveries_in_every_order(ledger: Ledger, by: str, descending: bool) -> None:
    delivered(ledger, MANY)
    lines, sort = ledger.delivery_lines, Sort(by, descending)
    for account in ("", "calls"):
        whole = lines.page(account, 0, 99, sort=sort)
        name = {"received": "received_at"}.get(by, by)
        keys = [(getattr(view, name), view.id) for view in whole]
        assert keys == sorted(keys, reverse=descending)
        check_pages(partial(lines.page, account, sort=sort), whole, lambda view: view.id)
        assert [lines.position(account, view.id, sort=sort) for view in whole] == list(range(lines.count(account)))


@pytest.mark.parametrize("sort", [Sort("number"), Sort("of"), Sort("of", descending=True)])
def test_events_in_every_order(ledger: Ledger, sort: Sort) -> None:
    queued(ledger, "two", "one", "three")
    lines = ledger.event_lines
    whole = lines.page("", 0, 99, sort=sort)
    keys = [(row.identity if sort.by == "of" else "", row.event.number) for row in whole]
    assert keys == sorted(keys, reverse=sort.descending)
    assert len(whole) == lines.count("") > 5
    check_pages(partial(lines.page, "", sort=sort), whole, lambda row: row.event.number)
    assert [lines.position("", row.event.number, sort=sort) for row in whole] == list(range(len(whole)))
    assert lines.position("", 0, sort=sort) is None
    assert lines.position("", 10_000, sort=sort) is None


@pytest.mark.parametrize("descending", [False, True])
def test_a_moment_s_nearest_row(ledger: Ledger, descending: bool) -> None:
    """Of transfers, deliveries and events: the first then, else the next one in order, else the one before."""
    several(ledger)
    changed = ledger.transfer_lines.page(0, 99, sort=Sort("changed", descending))
    of_transfer = ledger.transfer_lines.nearest(NOW + 94, NOW + 97, descending=descending)
    assert of_transfer == next(view for view in changed if NOW + 94 <= since(view.changed_at) < NOW + 97)
    assert ledger.transfer_lines.nearest(0, 1, descending=descending) == (changed[-1] if descending else changed[0])
    assert ledger.transfer_lines.nearest(9e9, 9e9, descending=descending) == (changed[0] if descending else changed[-1])
    lines = ledger.delivery_lines
    assert lines.nearest("", NOW, NOW + 9, descending=descending) is None
    delivered(ledger, MANY)
    for account in ("", "advice"):
        whole = lines.page(account, 0, 99, sort=Sort("received", descending))
        within = [view for view in whole if NOW + 5 <= since(view.received_at) < NOW + 12]
        assert lines.nearest(account, NOW + 5, NOW + 12, descending=descending) == within[0]
        last, first = (whole[0], whole[-1]) if descending else (whole[-1], whole[0])
        assert lines.nearest(account, NOW + 99, NOW + 200, descending=descending) == last
        assert lines.nearest(account, NOW - 99, NOW - 9, descending=descending) == first


def test_a_moment_s_nearest_event(tmp_path: Path) -> None:
    moments = iter(range(int(NOW), int(NOW) + 99_000, 3_600))
    ledger = Ledger(tmp_path / "ledger.db", clock=lambda: float(next(moments)))
    queued(ledger, "one", "other")
    lines = ledger.event_lines
    for whose in ("", str(identity("one"))):
        for descending in (False, True):
            whole = lines.page(whose, 0, 99, sort=Sort("number", descending))
            for row in whole:
                at = since(row.event.at)
                first = next(each for each in whole if each.event.at == row.event.at)
                assert lines.nearest(whose, at, at + 1, descending=descending) == first
            newest, oldest = (whole[0], whole[-1]) if descending else (whole[-1], whole[0])
            assert lines.nearest(whose, 9e9, 9e9 + 1, descending=descending) == newest
            assert lines.nearest(whose, 0, 1, descending=descending) == oldest
    ledger.close()


def since(moment: Any) -> float:
    return float(moment.timestamp())


def test_a_transfer_s_title_follows_its_meeting(ledger: Ledger) -> None:
    record(ledger, Meeting("c1", "Old"), archive("c1"))
    queued(ledger, "c2")
    ledger.transfers.enqueue([identity("c1")], NOW)
    record(ledger, Meeting("c1", "New"))
    view = ledger.reader.transfer(identity("c1"))
    assert view is not None
    assert view.title == "New"
    assert [each.title for each in ledger.transfer_lines.page(0, 9, sort=Sort("title"))] == ["c2", "New"]


def test_the_states_of_some(ledger: Ledger) -> None:
    queued(ledger, "one", "two")
    ledger.transfers.steer(identity("two"), "cancel", NOW)
    asked = [identity("one"), identity("two"), identity("nobody")]
    assert ledger.transfer_lines.states(asked) == {
        identity("one"): TransferState.QUEUED,
        identity("two"): TransferState.CANCELLED,
    }


def test_what_an_older_process_writes_while_titles_are_filled_in_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    with monkeypatch.context() as patched:
        patched.setattr("vault.ledger.database.MIGRATIONS", MIGRATIONS[: MIGRATIONS.index(schema_orders.STEPS)])
        ledger = Ledger(path)
        queued(ledger, *(f"c{n:02d}" for n in range(MANY)))
        record(ledger, archive("late"))
        ledger.close()
    monkeypatch.setattr(migrating, "_ROWS_AT_ONCE", 7)
    calls = 0

    def watch(now: migrating.Migrating) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:  # behind the first ones, before the last
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("UPDATE meetings SET title = 'Renamed' WHERE meeting IN ('c00', 'c20')")
                connection.execute(
                    """INSERT INTO transfers (asset_id, account, state, position, queued_at)
                    SELECT id, account, 'queued', 1, 1 FROM assets WHERE identity = 'advice/late/archive'"""
                )

    Ledger(path, on_migration=watch).close()
    assert calls > 8
    with closing(sqlite3.connect(path)) as connection:
        sql = """SELECT t.title, m.title, t.kind FROM transfers t
            JOIN assets a ON a.id = t.asset_id JOIN meetings m ON m.id = a.meeting_id"""
        rows = connection.execute(sql).fetchall()
    assert len(rows) == MANY + 1
    assert all(title == right and kind == "archive" for title, right, kind in rows)
    assert sum(title == "Renamed" for title, _, _ in rows) == 2


def test_an_old_ledger_gets_what_transfers_are_sorted_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by the version before; titles and kinds are filled in, and kept in step from then on."""
    path = tmp_path / "ledger.db"
    place = MIGRATIONS.index(schema_orders.STEPS)
    with monkeypatch.context() as patched:
        patched.setattr("vault.ledger.database.MIGRATIONS", MIGRATIONS[:place])
        ledger = Ledger(path)
        record(ledger, Meeting("c1", "Zebra"), Meeting("c2", "apes"), archive("c1"), archive("c2"))
        ledger.transfers.enqueue([identity("c1"), identity("c2")], NOW)
        delivered(ledger, 3)
        ledger.close()
    ledger = Ledger(path)
    page = ledger.transfer_lines.page(0, 9, sort=Sort("title"))
    assert [view.title for view in page] == ["apes", "Zebra"]
    assert [view.changed_at for view in page] == [at(NOW)] * 2
    with ledger._database.read() as connection:
        kinds = connection.execute("SELECT DISTINCT kind FROM transfers").fetchall()
    assert [row["kind"] for row in kinds] == ["archive"]
    assert len(ledger.delivery_lines.page("", 0, 9, sort=Sort("topic"))) == 3
    ledger.close()
