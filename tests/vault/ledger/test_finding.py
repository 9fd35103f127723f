"""Lists by whatever way they are found: as a look at every meeting would find them, and by an index."""

import random
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from providers.models import AssetKind, Meeting, RemoteState
from tests.vault.ledger.filling import NOW, archive, at, hold, queued, record
from tests.vault.ledger.test_reading import fill
from vault.errors import LedgerError, Superseded
from vault.ledger import Ledger, finding, summaries
from vault.ledger.finding import Finder
from vault.ledger.indexing import SAID_AND_HELD, WANTED
from vault.ledger.vectors import Vectors
from vault.query import CHOICES
from vault.views import SORTS, AssetView, Count, Facet, LocalState, MeetingView, Query

WAYS: dict[str, dict[str, object]] = {
    "gathered": {},
    "walked": {"FEW": -1, "_AT_ONCE": -1},
    "walked after a short look": {"FEW": -1, "_AT_ONCE": -1, "_LOOKED_AT": 3},
    "some of both": {"FEW": 7, "_AT_ONCE": 3, "_LOOKED_AT": 5},
}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = Ledger(Path(tmp_path_factory.mktemp("full")) / "ledger.db")
    fill(ledger)
    while ledger.index.fill():
        pass
    # And some that the search index does not have yet.
    for number in range(5):
        record(ledger, Meeting(f"late{number}", "late Board", at(NOW - number)), archive(f"late{number}", size=number))
    yield ledger
    ledger.close()


FACETS = st.one_of(
    *(
        st.builds(
            lambda name, values, inverse: Facet(name, tuple(values), inverse),
            st.just(name),
            st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True),
            st.booleans(),
        )
        for name, values in {
            "state": CHOICES["state"],
            "local": CHOICES["local"],
            "kind": CHOICES["kind"],
            "has": CHOICES["has"],
            "is": ("faults", "risk"),
            "account": ("advice", "rooms", "none"),
            "provider": ("flexperto", "none"),
        }.items()
    )
)
WORDS = st.sampled_from(["board", "oard", "late", "ada", "çe", "b", "漢", "漢字", "rd\nad", '"', "100%", "none of it"])
MOMENTS = st.sampled_from([None, at(NOW - 7_200), at(NOW - 3_600), at(NOW)])
SIZES = st.sampled_from([None, 0, 100, 500])
QUERIES = st.builds(
    Query,
    text=st.sampled_from(["", "", "board", "m1"]),
    words=st.lists(WORDS, max_size=2).map(tuple),
    without=st.lists(WORDS, max_size=1).map(tuple),
    facets=st.lists(FACETS, max_size=2).map(tuple),
    account=st.sampled_from(["", "", "advice", "rooms"]),
    faults=st.booleans(),
    at_risk=st.booleans(),
    since=MOMENTS,
    until=MOMENTS,
    smallest=SIZES,
    largest=SIZES,
    sort=st.sampled_from(SORTS),
    descending=st.booleans(),
)


def of_asset(facet: Facet, asset: AssetView) -> bool:
    is_fault = (
        asset.state is RemoteState.FAILED
        or asset.local in (LocalState.DAMAGED, LocalState.LOST)
        or (bool(asset.error) and asset.local is LocalState.ABSENT)
    )
    values = {
        "state": {str(asset.state)},
        "local": {str(asset.local)},
        "kind": {str(asset.identity.kind)},
        "has": {
            str(asset.identity.kind),
            *(["size"] if asset.size is not None else []),
            *(["link"] if asset.link else []),
        },
        "is": {"faults"} if is_fault else set(),
    }
    return bool(values[facet.field] & set(facet.values))


def fits(query: Query, view: MeetingView, deadline: datetime | None, size: int | None) -> bool:
    searched = summaries.fold(
        "\n".join([view.title, view.account, view.provider, view.meeting, *view.people, *("" for _ in view.assets)])
    )
    words = [summaries.fold(word) for word in (*query.text.split(), *query.words)]
    if not all(word in searched for word in words) or any(summaries.fold(word) in searched for word in query.without):
        return False
    risk = deadline is not None
    for facet in query.facets:
        if facet.field in ("account", "provider"):
            found = {"account": view.account, "provider": view.provider}[facet.field] in facet.values
        else:
            found = any(of_asset(facet, asset) for asset in view.assets)
            found |= facet.field == "is" and "risk" in facet.values and risk
            found |= facet.field == "has" and "people" in facet.values and bool(view.people)
        if found == facet.inverse:
            return False
    began = view.started_at
    if query.since is not None and (began is None or began < query.since):
        return False
    if query.until is not None and (began is None or began >= query.until):
        return False
    if (query.smallest is not None or query.largest is not None) and size is None:
        return False
    low, high = query.smallest or 0, 10**9 if query.largest is None else query.largest
    if size is not None and not low <= size <= high and (query.smallest is not None or query.largest is not None):
        return False
    faults = any(of_asset(Facet("is", ("faults",)), asset) for asset in view.assets)
    return (faults or not query.faults) and (risk or not query.at_risk) and query.account in ("", view.account)


@pytest.mark.parametrize("way", WAYS)
@settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(query=QUERIES, limit=st.integers(1, 9))
def test_every_way_finds_the_same(
    full: Ledger, monkeypatch: pytest.MonkeyPatch, way: str, query: Query, limit: int
) -> None:
    for name, value in WAYS[way].items():
        monkeypatch.setattr(finding, name, value)
    reader = full.reader
    reader._vectors = Vectors()
    everything = reader.page(Query(sort=query.sort, descending=query.descending), 0, 999)
    views = {row.key: reader.meeting(*row.key) for row in everything}
    wanted = []
    for row in everything:
        view = views[row.key]
        assert view is not None
        if fits(query, view, row.deadline, row.size):
            wanted.append(row)
    rows = reader.page(query, 0, 999)
    assert rows == tuple(wanted)
    assert reader.count_exactly(query) == len(rows)
    at_once = reader.counted_at_once(query)
    assert at_once is None or at_once.number == (len(rows) if at_once.exact else finding.COUNTED)
    counted = reader.counted(query)
    assert counted.number == len(rows) if counted.exact else counted == Count(finding.COUNTED, exact=False)
    for place in range(0, len(rows), max(len(rows) // 3, 1)):
        part = rows[place : place + limit]
        assert reader.page(query, place, limit, total=len(rows)) == part
        assert reader.position(query, rows[place].key) == place
        if place:
            assert reader.page(query, place, limit, after=rows[place - 1].key) == part
        if place >= limit:
            assert reader.page(query, place - limit, limit, before=rows[place].key) == rows[place - limit : place]


def test_a_neighbour_that_is_gone_is_done_without(full: Ledger) -> None:
    rows = full.reader.page(Query(), 0, 20)
    assert full.reader.page(Query(), 5, 5, after=("advice", "nowhere")) == rows[5:10]
    assert full.reader.page(Query(), 5, 5, before=("advice", "nowhere")) == rows[5:10]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(account="advice"),
        Query(faults=True),
        Query(at_risk=True, account="rooms"),
        Query(facets=(Facet("state", ("failed",)), Facet("local", ("held",), inverse=True))),
        Query(state=RemoteState.AVAILABLE, local=LocalState.ABSENT, facets=(Facet("account", ("advice", "rooms")),)),
    ],
)
def test_every_order_and_filter_is_walked_by_a_covering_index(
    full: Ledger, query: Query, sort: str, descending: bool
) -> None:
    ordered = replace(query, sort=sort, descending=descending)
    with full._database.read() as connection:
        finder = Finder(connection, ordered, Vectors())
        nothing = [(None, 7)] if sort in ("start", "size", "deadline") else []
        for start in (None, ("x" if sort in ("title", "account") else 5.0, 7), *nothing):
            for backwards in (False, True):
                for one in finder.statements(start, backwards=backwards):
                    sql = f"EXPLAIN QUERY PLAN {one.sql} LIMIT 128"
                    plan = [row["detail"] for row in connection.execute(sql, one.values)]
                    assert len(plan) == 1
                    assert "USING COVERING INDEX meetings_" in plan[0]
                    assert "B-TREE" not in plan[0]


@pytest.mark.parametrize(
    ("query", "looks"),
    [
        (Query(text="m"), ["SEARCH x USING INTEGER PRIMARY KEY (rowid=?)"]),
        (Query(text="board", account="advice"), ["SEARCH x USING INTEGER PRIMARY KEY (rowid=?)"]),
        (Query(smallest=5), []),
    ],
)
def test_what_is_typed_is_sought_in_the_rows_of_an_order_one_by_one(
    full: Ledger, query: Query, looks: list[str]
) -> None:
    """Nothing is gathered or sorted before the first that fits is found."""
    with full._database.read() as connection:
        finder = Finder(connection, query, Vectors())
        for start in (None, (5.0, 7), (None, 7)):
            for backwards in (False, True):
                for stretch in finder._order.stretches(start, backwards=backwards):
                    one = finder.look(stretch, 48)
                    plan = [
                        (row["parent"], row["detail"])
                        for row in connection.execute(f"EXPLAIN QUERY PLAN {one.sql}", one.values)
                    ]
                    assert not [detail for _, detail in plan if "B-TREE" in detail or "MATERIALIZE" in detail], plan
                    top = [detail for parent, detail in plan if parent == 0 and "CORRELATED" not in detail]
                    assert top == ["CO-ROUTINE c", "SCAN c", *looks]
                    assert any("USING COVERING INDEX meetings_" in detail for parent, detail in plan if parent)


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT id FROM meetings WHERE account = 'a' AND meeting = 'b'", "sqlite_autoindex_meetings_1"),
        (
            "SELECT m.id FROM meetings m INDEXED BY meetings_by_has WHERE m.summary_has IN (1, 2) AND m.account = 'a'",
            "COVERING INDEX meetings_by_has",
        ),
        ("SELECT count(*) FROM assets WHERE kind = 'transcript' AND kept = 'held'", "assets_transcripts"),
        ("SELECT sum(meetings) FROM counters m WHERE m.account = 'a' AND m.facets & 3 != 0", "PRIMARY KEY"),
    ],
)
def test_what_else_is_asked_is_served_by_an_index(full: Ledger, sql: str, index: str) -> None:
    with full._database.read() as connection:
        plan = " ".join(row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
    assert index in plan
    assert "SCAN" not in plan


def test_what_was_said_is_counted_without_a_look_at_every_asset(full: Ledger) -> None:
    with full._database.read() as connection:
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {SAID_AND_HELD}")]
    assert plan == ["SCAN s", "SEARCH a USING INTEGER PRIMARY KEY (rowid=?)"]


def test_the_next_transcript_to_read_is_found_behind_the_last(full: Ledger) -> None:
    with full._database.read() as connection:
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {WANTED}", (7,))]
    assert plan[0] == "SEARCH a USING INDEX assets_transcripts (kept=? AND rowid>?)"
    assert not [detail for detail in plan if "B-TREE" in detail]


def test_counters_and_facets_say_what_a_scan_would(full: Ledger) -> None:
    with full._database.write() as connection:
        kept = connection.execute("SELECT * FROM counters WHERE meetings > 0 ORDER BY 1, 2, 3").fetchall()
        sql = "SELECT account, provider, facets, count(*) FROM meetings GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        assert [tuple(row) for row in kept] == [tuple(row) for row in connection.execute(sql)]
        held = connection.execute("SELECT * FROM holdings ORDER BY account").fetchall()
        sql = """SELECT account, count(*), sum(kept = 'held'), coalesce(sum(held_size) FILTER (WHERE kept = 'held'), 0)
            FROM assets GROUP BY account ORDER BY account"""
        assert [tuple(row) for row in held] == [tuple(row) for row in connection.execute(sql)]
        before = connection.execute("SELECT * FROM meetings").fetchall()
        summaries.refresh(connection, [row["id"] for row in before])
        assert [tuple(r) for r in connection.execute("SELECT * FROM meetings")] == [tuple(row) for row in before]


def test_a_title_that_changes_is_found_by_the_new_one_alone(ledger: Ledger) -> None:
    for filled in (False, True):
        record(ledger, Meeting("c1", "Budget"), archive("c1"), Meeting("c2", "Other"), archive("c2"))
        while filled and ledger.index.fill():
            pass
        record(ledger, Meeting("c1", "Haftpflicht"))
        for step in range(2):
            assert [row.meeting for row in ledger.reader.page(Query(text="haftpfl"), 0, 9)] == ["c1"], step
            assert ledger.reader.count(Query(text="budget")) == 0
            while ledger.index.fill():
                pass


def test_words_without_their_case_width_or_composition(ledger: Ledger) -> None:
    record(ledger, Meeting("c1", "Straße ＡＢＣ café"), archive("c1"))
    for text in ("STRASSE", "abc", "cafe\u0301", "Ａb"):
        assert ledger.reader.count(Query(text=text)) == 1, text


def test_what_is_not_indexed_yet_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "LATEST", 3)
    monkeypatch.setattr("vault.ledger.indexing.LATEST", 3)
    record(ledger, *(Meeting(f"c{number}", f"Budget {number}") for number in range(10)))
    told = ledger.index.coverage()
    assert (told.meetings, told.searched, told.complete) == (10, 3, False)
    assert told.words == "searched 3 of 10 meetings"
    assert ledger.reader.count(Query(text="budget")) == 3
    assert ledger.reader.page(Query(text="budget"), 0, 9)
    while ledger.index.fill():
        pass
    assert ledger.index.coverage().complete
    assert ledger.reader.count(Query(text="budget")) == 10


def test_the_index_takes_less_at_once_where_it_is_slow(ledger: Ledger) -> None:
    record(ledger, *(Meeting(f"c{number}", "Budget") for number in range(1_000)))
    moments = iter(range(1_000))
    ledger.index._clock = lambda: float(next(moments))
    rounds = 0
    while ledger.index.fill():
        rounds += 1
    assert 1_000 / 50 < rounds <= 1_000 / 20
    assert ledger.reader.count(Query(text="budget")) == 1_000


def test_lists_follow_what_happens(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    waiting = Query(facets=(Facet("local", ("queued",)),))
    assert ledger.reader.counted(waiting) == Count(2, exact=True)
    hold(ledger, "c1")
    assert [row.meeting for row in ledger.reader.page(waiting, 0, 9)] == ["c2"]
    assert [row.meeting for row in ledger.reader.page(Query(local=LocalState.HELD), 0, 9)] == ["c1"]


def test_a_list_that_nobody_waits_for_is_given_up(ledger: Ledger) -> None:
    luck = random.Random(1)
    record(ledger, *(Meeting(f"c{number}", f"Budget {luck.random()}") for number in range(4_000)))
    while ledger.index.fill():
        pass
    ended: list[str] = []
    begun = threading.Event()

    def ask() -> None:
        try:
            while True:
                begun.set()
                ledger.reader._vectors = Vectors()
                ledger.reader.count_exactly(Query(text="x", without=("budget",), sort="title"))
        except Superseded as error:
            ended.append(error.words)

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(10)
    while thread.is_alive():  # between two questions there is nothing to interrupt
        ledger.reader.interrupt()
        thread.join(0.01)
    assert ended == ["another list was asked for"]
    assert issubclass(Superseded, LedgerError)
    assert ledger.reader.count_exactly(Query(text="budget")) == 4_000


def test_one_asset_of_each(full: Ledger) -> None:
    everything = list(full.reader.assets(Query()))
    for facet in (Facet("kind", ("video",)), Facet("local", ("queued",)), Facet("state", ("failed",), inverse=True)):
        found = list(full.reader.assets(Query(facets=(facet,))))
        assert found == [asset for asset in everything if of_asset(facet, asset) != facet.inverse]
    links = list(
        full.reader.assets(Query(facets=(Facet("has", ("link", "text", "nothing")),), since=at(0), smallest=0))
    )
    assert links == []
    people = list(full.reader.assets(Query(facets=(Facet("has", ("people",)),), without=("ada",), words=("bob",))))
    assert people
    assert {asset.identity.kind for asset in everything} == {AssetKind.ARCHIVE, AssetKind.VIDEO, AssetKind.DASHBOARD}
