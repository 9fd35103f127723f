"""Lists: page, count and position agree for every query, and filters find what they say."""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from providers.models import Asset, AssetId, AssetKind, Meeting, RemoteState
from tests.vault.ledger.filling import NOW, archive, at, claim, hold, identity, proof, queued, record
from vault.ledger import Ledger
from vault.ledger.reading import AccountCounts
from vault.views import SORTS, LocalState, MeetingRow, Query, Totals

TITLES = ["Board", "board", "Ärzte", "100% sure", "under_score", "back\\slash", "漢字", "", "Zebra", "zebra"]


def fill(ledger: Ledger) -> None:
    """Sixty meetings of everything: with and without times, sizes, deadlines, failed, held, queued."""
    luck = random.Random(3)
    for number in range(60):
        meeting = f"m{number}"
        account = luck.choice(["advice", "rooms"])
        began = luck.choice([None, at(NOW - luck.randrange(5) * 3_600)])
        people = tuple(luck.sample(["Ada", "Bob", "Çelik"], luck.randrange(3)))
        record(ledger, Meeting(meeting, luck.choice(TITLES), began, people=people), account=account)
        for kind in luck.sample([AssetKind.ARCHIVE, AssetKind.VIDEO, AssetKind.DASHBOARD], luck.randrange(1, 4)):
            state = luck.choice(list(RemoteState))
            size = luck.choice([None, luck.randrange(5) * 100])
            deadline = luck.choice([None, at(NOW + luck.randrange(4) * 60)])
            record(ledger, Asset(meeting, kind, state=state, size=size, deadline=deadline), account=account)
            one = AssetId(account, meeting, kind)
            fate = luck.choice(["absent", "held", "queued", "running", "failed", "lost"])
            if fate == "absent":
                continue
            ledger.transfers.enqueue([one], NOW)
            if fate == "queued":
                continue
            taken = claim(ledger, only=ledger.claims.ids([one]), per_account=999)
            assert taken is not None
            if fate == "failed":
                ledger.claims.fail(taken, "gone", NOW, None, attempts=1)
            elif fate in ("held", "lost"):
                ledger.claims.fix_path(taken, f"/vault/{one}")
                ledger.claims.commit(taken, proof(luck.randrange(900)), NOW)
                if fate == "lost":
                    ledger.history.verified(one, LocalState.LOST, None, "gone", NOW)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = Ledger(Path(tmp_path_factory.mktemp("full")) / "ledger.db")
    fill(ledger)
    yield ledger
    ledger.close()


QUERIES = st.builds(
    Query,
    text=st.sampled_from(["", "board", "BOARD", "%", "_", "\\", "ärzte", "ada", "ada bob", "m1", "nothing", "rooms"]),
    account=st.sampled_from(["", "advice", "rooms", "none"]),
    state=st.sampled_from([None, *RemoteState]),
    local=st.sampled_from([None, *LocalState]),
    faults=st.booleans(),
    at_risk=st.booleans(),
    sort=st.sampled_from([*SORTS, "nonsense"]),
    descending=st.booleans(),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES, st.integers(1, 13))
def test_page_count_and_position_agree(full: Ledger, query: Query, limit: int) -> None:
    count = full.reader.count(query)
    rows = full.reader.page(query, 0, 999)
    assert len(rows) == count
    paged: tuple[MeetingRow, ...] = ()
    while chunk := full.reader.page(query, len(paged), limit):
        paged += chunk
    assert paged == rows
    assert len({row.key for row in rows}) == count
    for place, row in enumerate(rows):
        assert full.reader.position(query, row.key) == place
    others = {row.key for row in full.reader.page(Query(), 0, 999)} - {row.key for row in rows}
    if others:
        assert full.reader.position(query, min(others)) is None
    upside_down = full.reader.page(replace(query, descending=not query.descending), 0, 999)
    assert {row.key for row in upside_down} == {row.key for row in rows}


KEYS: dict[str, Callable[[MeetingRow], Any]] = {
    "start": lambda row: row.started_at,
    "title": lambda row: "".join(c.lower() if c.isascii() else c for c in row.title),
    "size": lambda row: row.size,
    "deadline": lambda row: row.deadline,
    "account": lambda row: row.account,
}


@pytest.mark.parametrize("sort", KEYS)
@pytest.mark.parametrize("descending", [False, True])
def test_sorted_by_what_is_shown_and_nothing_comes_last(full: Ledger, sort: str, descending: bool) -> None:
    shown = [KEYS[sort](row) for row in full.reader.page(Query(sort=sort, descending=descending), 0, 999)]
    known = [value for value in shown if value is not None]
    assert shown == sorted(known, reverse=descending) + [None] * (len(shown) - len(known))


@pytest.mark.parametrize("local", list(LocalState))
@pytest.mark.parametrize("state", list(RemoteState))
def test_filters_of_assets(full: Ledger, local: LocalState, state: RemoteState) -> None:
    everything = list(full.reader.assets(Query()))
    found = list(full.reader.assets(Query(local=local, state=state)))
    assert found == [asset for asset in everything if asset.local is local and asset.state is state]
    meetings = {row.key for row in full.reader.page(Query(local=local), 0, 999)}
    assert meetings == {(a.identity.account, a.identity.meeting) for a in everything if a.local is local}


@pytest.mark.parametrize("query", [Query(faults=True), Query(at_risk=True)])
def test_meetings_and_assets_agree_on_faults_and_risk(full: Ledger, query: Query) -> None:
    meetings = {row.key for row in full.reader.page(query, 0, 999)}
    assert meetings == {(a.identity.account, a.identity.meeting) for a in full.reader.assets(query)}
    assert 0 < len(meetings) < 60


def test_nothing_that_is_lost_is_at_risk(full: Ledger) -> None:
    for asset in full.reader.assets(Query(at_risk=True)):
        assert asset.state is not RemoteState.EXPIRED
        assert asset.local is not LocalState.HELD
        assert asset.deadline is not None


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("%", ["100% sure"]),
        ("_", ["under_score"]),
        ("\\", ["back\\slash"]),
        ("100%", ["100% sure"]),
        ("1%u", []),
        ("r_s", ["under_score"]),
        ("ÄRZTE", ["Ärzte"]),
        ("ärzte board", []),
        ("oar", ["Board", "board"]),
    ],
)
def test_words_are_found_as_they_are(full: Ledger, text: str, titles: list[str]) -> None:
    assert sorted({row.title for row in full.reader.page(Query(text=text), 0, 999)}) == titles


def test_words_are_found_in_people_ids_and_accounts(ledger: Ledger) -> None:
    record(ledger, Meeting("c1", "Board", people=("Ada Lovelace",)), archive("c1"))
    record(ledger, Meeting("c2", "Other"), archive("c2"), account="rooms")
    for text, meeting in (("lovelace board", "c1"), ("C1", "c1"), ("rooms", "c2"), ("other rooms", "c2")):
        assert [row.meeting for row in ledger.reader.page(Query(text=text), 0, 9)] == [meeting]


def test_an_empty_ledger(ledger: Ledger) -> None:
    assert ledger.reader.page(Query(), 0, 9) == ()
    assert ledger.reader.count(Query()) == 0
    assert ledger.reader.position(Query(), ("advice", "c1")) is None
    assert ledger.reader.meeting("advice", "c1") is None
    assert ledger.reader.asset(identity()) is None
    assert ledger.reader.source(identity()) is None
    assert ledger.reader.transfer(identity()) is None
    assert ledger.reader.trail(identity()) == ()
    assert ledger.reader.totals() == Totals(0, 0, 0, 0)
    assert ledger.reader.account("advice") == AccountCounts()


def row_of(ledger: Ledger, meeting: str = "c1") -> MeetingRow:
    [row] = [row for row in ledger.reader.page(Query(), 0, 99) if row.meeting == meeting]
    return row


def test_what_a_meeting_says(ledger: Ledger) -> None:
    record(ledger, Meeting("c1", "Board", provider_state="closed"))
    row = row_of(ledger)
    assert (row.state, row.local, row.size, row.provider_state) == ("unknown", "absent", None, "closed")
    record(ledger, archive("c1", size=5, provider_state="AVAILABLE", deadline=at(NOW + 60)))
    record(ledger, Asset("c1", AssetKind.VIDEO, state=RemoteState.PROCESSING, provider_state="making", size=7))
    record(ledger, Asset("c1", AssetKind.DASHBOARD, state=RemoteState.FAILED, link="https://host"))
    row = row_of(ledger)
    assert (row.state, row.provider_state, row.size, row.deadline) == ("processing", "making", 12, at(NOW + 60))
    assert [(stage.kind, stage.held, stage.failed) for stage in row.stages] == [
        ("archive", False, False),
        ("video", False, False),
        ("dashboard", False, True),
    ]
    hold(ledger, "c1", size=50)
    row = row_of(ledger)
    assert (row.local, row.size, row.deadline, row.stages[0].held) == ("absent", 57, None, True)
    video = AssetId("advice", "c1", AssetKind.VIDEO)
    ledger.transfers.enqueue([video], NOW)
    assert row_of(ledger).local == "queued"
    taken = claim(ledger)
    assert taken is not None
    assert row_of(ledger).local == "fetching"
    ledger.claims.fail(taken, "no connection", NOW, None, attempts=1)
    record(ledger, Asset("c1", AssetKind.DASHBOARD, state=RemoteState.AVAILABLE))
    row = row_of(ledger)
    assert (row.error, row.stages[1].failed) == ("no connection", True)
    ledger.history.verified(identity(), LocalState.DAMAGED, None, "changed", NOW)
    assert row_of(ledger).local == "damaged"


def test_a_meeting_is_held_when_all_of_it_is(ledger: Ledger) -> None:
    record(ledger, archive("c1"), Asset("c1", AssetKind.DASHBOARD), Asset("c1", AssetKind.VIDEO))
    hold(ledger, "c1")
    assert row_of(ledger).local == "held"


def test_accounts_and_totals(ledger: Ledger) -> None:
    record(ledger, archive("c1"), archive("c2", deadline=at(NOW)), archive("c3", RemoteState.FAILED))
    record(ledger, archive("c1"), account="rooms")
    hold(ledger, "c1")
    ledger.history.asked("advice", "", NOW)
    assert ledger.reader.account("advice") == AccountCounts(3, 3, 1, 1, 1, at(NOW), "")
    assert ledger.reader.totals() == Totals(4, 4, 1, 10)
    assert ledger.reader.account("advice").error == ""
    ledger.history.asked("advice", "no connection", NOW + 5)
    told = ledger.reader.account("advice")
    assert (told.synced_at, told.error) == (at(NOW), "no connection")


def test_being_asked_is_shown_when_it_changes_and_once_a_minute(ledger: Ledger) -> None:
    numbers = []
    for seconds, error in ((0, ""), (30, ""), (91, ""), (92, "broken"), (93, "broken"), (94, "")):
        ledger.history.asked("advice", error, NOW + seconds)
        numbers.append(ledger.change_number())
    assert [after - before for before, after in itertools.pairwise(numbers)] == [0, 1, 1, 0, 1]


def test_views_of_transfers(ledger: Ledger) -> None:
    queued(ledger, "c1")
    view = ledger.reader.transfer(identity())
    assert view is not None
    assert (view.title, view.received, view.total, view.rate, view.eta_s, view.owner) == ("c1", 0, None, None, None, "")


def test_the_trail(ledger: Ledger) -> None:
    record(ledger, archive())
    hold(ledger, "c1")
    ledger.history.verified(identity(), LocalState.HELD, None, "as proven", NOW + 1)
    ledger.history.verified(identity(), LocalState.LOST, None, "gone", NOW + 2)
    ledger.history.noted(identity(), "released", "told so", NOW + 3)
    assert [event.what for event in ledger.reader.trail(identity())] == [
        "seen",
        "queued",
        "fetched",
        "verified",
        "lost",
        "released",
    ]
    view = ledger.reader.asset(identity())
    assert view is not None
    assert (view.local, view.sha256) == (LocalState.LOST, "ab" * 32)


def test_records_for_machines(ledger: Ledger) -> None:
    record(ledger, Meeting("c1", "Board"), archive("c1", provider_state="AVAILABLE", size=7, deadline=at(NOW)))
    view = ledger.reader.asset(identity())
    assert view is not None
    assert view.record() == {
        "asset": "advice/c1/archive",
        "account": "advice",
        "provider": "flexperto",
        "meeting": "c1",
        "kind": "archive",
        "variant": "",
        "title": "Board",
        "state": "available",
        "provider_state": "AVAILABLE",
        "local": "absent",
        "size": 7,
        "sha256": None,
        "path": None,
        "deadline": at(NOW).isoformat(),
        "error": None,
        "flags": [],
        "release": None,
    }
