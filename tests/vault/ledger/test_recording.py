"""What services say is merged: nothing known is lost, and what comes late turns nothing back."""

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from providers.models import Asset, AssetKind, Catchup, Checksum, Listing, Meeting, RemoteState, StateChange
from providers.secret import Secret
from tests.vault.ledger.filling import NOW, archive, at, identity, record
from vault.ledger import Ledger
from vault.ledger.recording import Recorded
from vault.views import Query

FULL_MEETING = Meeting(
    "c1",
    "Board",
    at(NOW),
    at(NOW + 60),
    ("Ada", "Bob"),
    provider_state="closed",
    origin="listed by the service",
    details={"Room": "7"},
    raw='{"id": 1}',
)
FULL_ASSET = Asset(
    "c1",
    AssetKind.ARCHIVE,
    "",
    RemoteState.AVAILABLE,
    "AVAILABLE",
    "",
    1_000,
    Checksum("ab" * 32, "ABAB"),
    at(NOW + 900),
    "zip",
    {"archive_id": "a1", "task": "t1"},
    Secret("https://host/presigned?sig=hidden"),
    "https://host/open",
    "large",
    {"Length": "1 h"},
    '{"id": 2}',
)


def test_what_is_first_seen(ledger: Ledger) -> None:
    assert record(ledger, FULL_MEETING, FULL_ASSET) == Recorded(1, 1, 1, (str(identity()),))
    meeting = ledger.reader.meeting("advice", "c1")
    assert meeting is not None
    assert (meeting.title, meeting.people, meeting.details) == ("Board", ("Ada", "Bob"), {"Room": "7"})
    assert (meeting.started_at, meeting.ended_at) == (at(NOW), at(NOW + 60))
    assert (meeting.provider_state, meeting.origin, meeting.raw) == ("closed", "listed by the service", '{"id": 1}')
    [asset] = meeting.assets
    assert (asset.state, asset.provider_state, asset.size) == (RemoteState.AVAILABLE, "AVAILABLE", 1_000)
    assert (asset.checksum_stated, asset.deadline, asset.extension) == ("ABAB", at(NOW + 900), "zip")
    assert (asset.link, asset.warning, asset.locator["task"]) == ("https://host/open", "large", "t1")
    assert (asset.sha256, asset.path, asset.proof) == ("", "", None)
    assert ledger.reader.source(identity()) == replace(FULL_ASSET, details={}, raw="")
    assert [event.what for event in ledger.reader.trail(identity())] == ["seen"]


def test_what_is_left_out_is_not_forgotten(ledger: Ledger) -> None:
    record(ledger, FULL_MEETING, FULL_ASSET)
    before = ledger.reader.meeting("advice", "c1")
    number = ledger.change_number()
    bare = Asset("c1", AssetKind.ARCHIVE, "", RemoteState.AVAILABLE, "AVAILABLE")
    assert record(ledger, Meeting("c1", ""), bare) == Recorded(1, 1, 0, ())
    assert record(ledger, Meeting("c1", "c1"), bare, truth=False) == Recorded(1, 1, 0, ())
    assert ledger.reader.meeting("advice", "c1") == before
    assert ledger.change_number() == number


def test_what_is_new_is_written(ledger: Ledger) -> None:
    record(ledger, FULL_MEETING, FULL_ASSET)
    number = ledger.change_number()
    record(ledger, replace(FULL_MEETING, title="Annual board"), replace(FULL_ASSET, size=2_000))
    meeting = ledger.reader.meeting("advice", "c1")
    assert meeting is not None
    assert (meeting.title, meeting.assets[0].size) == ("Annual board", 2_000)
    assert ledger.change_number() == number + 1
    record(ledger, FULL_MEETING, FULL_ASSET)
    assert ledger.change_number() == number + 2


def test_an_asset_before_its_meeting(ledger: Ledger) -> None:
    record(ledger, FULL_ASSET)
    meeting = ledger.reader.meeting("advice", "c1")
    assert meeting is not None
    assert meeting.title == "c1"
    record(ledger, FULL_MEETING)
    meeting = ledger.reader.meeting("advice", "c1")
    assert meeting is not None
    assert meeting.title == "Board"
    assert ledger.reader.count(Query(text="board")) == 1


def test_a_meetings_own_state_is_not_turned_back_either(ledger: Ledger) -> None:
    told = [(RemoteState.PROCESSING, "joining"), (RemoteState.FAILED, "kicked out"), (RemoteState.AVAILABLE, "done")]
    for order in itertools.permutations(told):
        meeting = "-".join(word for _, word in order)
        for state, word in order:
            record(ledger, Meeting(meeting, "Board", state=state, provider_state=word), truth=False)
        [row] = ledger.reader.page(Query(text=meeting), 0, 9)
        assert (row.state, row.provider_state) == (RemoteState.AVAILABLE, "done")
        record(ledger, Meeting(meeting, "Board", state=RemoteState.PROCESSING, provider_state="again"))
        [row] = ledger.reader.page(Query(text=meeting), 0, 9)
        assert (row.state, row.provider_state) == (RemoteState.PROCESSING, "again")


def test_a_checksum_that_changes_is_noted(ledger: Ledger) -> None:
    record(ledger, FULL_ASSET)
    record(ledger, replace(FULL_ASSET, checksum=Checksum("cd" * 32, "CDCD")))
    assert [event.what for event in ledger.reader.trail(identity())] == ["seen", "changed"]
    record(ledger, replace(FULL_ASSET, checksum=Checksum("", "nonsense")))
    source = ledger.reader.source(identity())
    assert source is not None
    assert source.checksum == Checksum("", "nonsense")


def test_a_sealed_link_is_not_in_the_file(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, FULL_ASSET)
    ledger.close()
    for path in (tmp_path / "data").iterdir():
        assert b"hidden" not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_key_is_lost(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, FULL_ASSET)
    (tmp_path / "data" / "links.key").unlink()
    again = Ledger(tmp_path / "data" / "ledger.db")
    source = again.reader.source(identity())
    assert source is not None
    assert source.sealed_link is None
    again.close()


ANNOUNCED = [
    archive(state=RemoteState.UNKNOWN),
    archive(state=RemoteState.PROCESSING, provider_state="PACKING"),
    archive(state=RemoteState.FAILED, error="no tracks"),
    archive(state=RemoteState.AVAILABLE, size=7),
    archive(state=RemoteState.ABANDONED, deadline=at(NOW + 9)),
    archive(state=RemoteState.EXPIRED),
]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(ANNOUNCED), min_size=1, max_size=5))
def test_announcements_end_alike_in_any_order(announced: list[Asset]) -> None:
    furthest = max(announced, key=ANNOUNCED.index).state
    for order in itertools.islice(itertools.permutations(announced), 6):
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(Path(folder) / "ledger.db")
            became = [record(ledger, asset, truth=False).became_available for asset in order]
            view = ledger.reader.asset(identity())
            assert view is not None
            assert view.state is furthest
            assert view.size == (7 if ANNOUNCED[3] in announced else None)
            assert view.deadline == (at(NOW + 9) if ANNOUNCED[4] in announced else None)
            assert sum(map(len, became)) <= 1
            ledger.close()


def test_a_repeated_announcement_does_not_take_back_the_reason(ledger: Ledger) -> None:
    record(ledger, archive(state=RemoteState.FAILED, provider_state="FAILED", error="no tracks"), truth=False)
    record(ledger, archive(state=RemoteState.FAILED), truth=False)
    view = ledger.reader.asset(identity())
    assert view is not None
    assert (view.provider_state, view.error) == ("FAILED", "no tracks")


def test_the_services_own_list_may_turn_back(ledger: Ledger) -> None:
    record(ledger, archive(state=RemoteState.FAILED, error="no tracks"))
    record(ledger, archive(state=RemoteState.PROCESSING, provider_state="PACKING"))
    view = ledger.reader.asset(identity())
    assert view is not None
    assert (view.state, view.provider_state, view.error) == (RemoteState.PROCESSING, "PACKING", "")
    words = [event.words for event in ledger.reader.trail(identity())]
    assert words[-1] == "the service says PACKING (was failed)"


def change(state: RemoteState, **more: object) -> Listing:
    return Listing(changes=(StateChange(state=state, **more),))  # type: ignore[arg-type]  # tests give what fits


def test_a_change_finds_assets_by_what_it_names(ledger: Ledger) -> None:
    for name, task in (("c1", "t1"), ("c2", "t2"), ("c3", "t1")):
        record(ledger, archive(name, RemoteState.PROCESSING, locator={"task": task, "type": "0"}))
    record(ledger, archive("c1", RemoteState.PROCESSING, locator={"task": "t1"}), account="other")
    told = change(
        RemoteState.AVAILABLE,
        locator={"task": "t1"},
        provider_state="done",
        started_at=at(NOW - 60),
        ended_at=at(NOW),
    )
    brought = ledger.recorder.record("advice", "flexperto", told, NOW, authoritative=False)
    assert brought.became_available == (str(identity("c1")), str(identity("c3")))
    states = {a.identity: a.state for a in ledger.reader.assets(Query())}
    assert states[identity("c2")] is RemoteState.PROCESSING
    assert states[identity("c1", "other")] is RemoteState.PROCESSING
    meeting = ledger.reader.meeting("advice", "c3")
    assert meeting is not None
    assert (meeting.started_at, meeting.ended_at) == (at(NOW - 60), at(NOW))


def test_a_change_that_is_late_or_names_nothing(ledger: Ledger) -> None:
    record(ledger, archive(state=RemoteState.AVAILABLE, locator={"task": "t1"}))
    for told in (
        change(RemoteState.PROCESSING, locator={"task": "t1"}),
        change(RemoteState.EXPIRED, locator={}),
        change(RemoteState.EXPIRED, locator={"task": "t9"}),
        change(RemoteState.EXPIRED, locator={"task": "t1", "more": "x"}),
    ):
        ledger.recorder.record("advice", "flexperto", told, NOW, authoritative=False)
    view = ledger.reader.asset(identity())
    assert view is not None
    assert view.state is RemoteState.AVAILABLE


def test_catchups_are_kept_when_they_say_something_new(ledger: Ledger) -> None:
    for text in ("one", "one", "", "two", "one"):
        listing = Listing(catchups=(Catchup("room", text),))
        ledger.recorder.record("standup", "proconf", listing, NOW, authoritative=True)
    ledger.history.caught_up("standup", "room", "one", NOW)
    ledger.history.caught_up("standup", "other", "one", NOW)
    assert [view.text for view in ledger.reader.catchups("standup", "room", 9)] == ["one", "two", "one"]
    assert [view.text for view in ledger.reader.catchups("standup", "room", 1)] == ["one"]


def test_recorded_adds_up() -> None:
    assert Recorded(1, 2, 3, ("a",)) + Recorded(1, 1, 1, ("b",)) == Recorded(2, 3, 4, ("a", "b"))


@pytest.mark.parametrize("state", list(RemoteState))
def test_every_state_comes_back(ledger: Ledger, state: RemoteState) -> None:
    record(ledger, archive(state=state))
    view = ledger.reader.asset(identity())
    assert view is not None
    assert view.state is state
