"""What events tell of recordings: the documented examples, and anything else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import NotFound
from providers.huawei.events import EventReader, adopt
from providers.models import AssetId, AssetKind, Listing, RemoteState, StateChange
from tests.providers.huawei.test_wire import fault, json_values

# cec_07_0529, verbatim
AUDIO = json.loads("""{"eventType":"AgentMediaEvent_Record","workNo":"20011","content":{"taskId":5206,"caller":"70006",
 "recordID":"Yc1v6a20011d20161025t1902050","called":"60015","locationId":"256",
 "fileName":"Y:/6/0/20161025/20011/1902050.V3","fileMediaType":"1","callId":"1477393325-164"}}""")
CONFERENCE = json.loads("""{"eventType":"AgentMediaEvent_Record","workNo":"25002","content":{
 "recordID":"0a08082d-df1e-4c06-9a97-c7c6f7a4724e","callId":"1606459553-176",
 "fileName":"conferenceId=7a008307-34ad-435b-bccd-222be5ac5385;recordId0=0a08082d-df1e-4c06-9a97-c7c6f7a4724e;",
 "caller":"25002","called":"22061","locationId":"255","taskId":5065,"fileMediaType":2,
 "jsonKey":["recordID","callId"]},"jsonKey":["eventType","workNo","content"]}""")
PATH = json.loads("""{"eventType":"AgentMediaEvent_Record","workNo":"503","content":{
 "recordID":"Yc1v1a503d20201202t1714442.","callId":"1606900483-31","fileName":"Y:/1/0/20201202/503/1714442.mp4",
 "caller":"83110091","called":"94865001","locationId":"65535","taskId":5007,"fileMediaType":2,"jsonKey":[]}}""")
# cec_07_1382
FAILED = json.loads("""{"eventType":"AgentMediaEvent_Record_Fail","workNo":"20011","content":{"taskId":5255,
 "caller":"70006","recordID":"Cc1v6a20011d20161025t1930326","called":"60015","locationId":"65535",
 "fileName":"C:/6/0/20161025/20011/1930326.V3","fileMediaType":"1","callId":"1477395030-183"}}""")
# cec_07_0531
STOPPED = json.loads("""{"eventType":"AgentMediaEvent_StopRecordDone","workNo":"1115","content":{
 "beginTime":1566867437000,"endTime":1566867472000,"fileMediaType":"1","recordFormat":"3","taskId":5451,
 "jsonKey":["beginTime","endTime","taskId"]},"jsonKey":["eventType","workNo","content"]}""")


def read(*events: dict[str, Any]) -> Listing:
    return EventReader("1001").read(events)


def with_content(event: dict[str, Any], **content: Any) -> dict[str, Any]:
    return event | {"content": event["content"] | content}


def test_a_conference_recording_has_three_possible_files() -> None:
    listing = read(CONFERENCE)
    (meeting,) = listing.meetings
    assert meeting.id == "7a008307-34ad-435b-bccd-222be5ac5385"
    assert (meeting.title, meeting.people) == ("25002 → 22061", ("25002", "22061"))
    assert meeting.started_at == datetime(2020, 11, 27, 6, 45, 53, tzinfo=UTC)
    assert meeting.origin == "event AgentMediaEvent_Record"
    assert json.loads(meeting.raw) == CONFERENCE
    high, standard, auxiliary = listing.assets
    assert str(high.identity("calls")) == (
        "calls/7a008307-34ad-435b-bccd-222be5ac5385/video.0a08082d-df1e-4c06-9a97-c7c6f7a4724e-0"
    )
    assert high.locator == {
        "interface": "videofiledownload",
        "conferenceId": "7a008307-34ad-435b-bccd-222be5ac5385",
        "recordId": "0a08082d-df1e-4c06-9a97-c7c6f7a4724e",
        "fileType": "0",
        "taskId": "5065",
        "workNo": "25002",
        "callId": "1606459553-176",
    }
    assert (high.state, high.provider_state, high.warning) == (RemoteState.PROCESSING, "AgentMediaEvent_Record", "")
    assert [asset.state for asset in (standard, auxiliary)] == [RemoteState.UNKNOWN] * 2
    assert "only by asking" in standard.warning
    assert auxiliary.details["file"] == "auxiliary stream (shared content)"


def test_a_conference_with_several_recordings_and_one_without_their_ids() -> None:
    two = read(with_content(CONFERENCE, fileName="conferenceId=c;recordId0=a;recordId1=b;;x=;=y"))
    assert [asset.variant for asset in two.assets] == ["a-0", "a-1", "a-2", "b-0", "b-1", "b-2"]
    assert [asset.state.value for asset in two.assets] == ["processing", "unknown", "unknown"] * 2
    one = read(with_content(CONFERENCE, fileName="conferenceId=c"))
    assert one.assets[0].variant == "0a08082d-df1e-4c06-9a97-c7c6f7a4724e-0"
    none = read(with_content(CONFERENCE, fileName="conferenceId=c", recordID=None))
    assert none.assets[0].variant == "0"
    assert "recordId" not in none.assets[0].locator


def test_a_video_on_the_file_server() -> None:
    listing = read(PATH)
    (asset,) = listing.assets
    assert listing.meetings[0].id == asset.meeting_id == "1606900483-31"
    assert (asset.kind, asset.extension, asset.state) == (AssetKind.VIDEO, "mp4", RemoteState.PROCESSING)
    assert asset.variant == "65535-Y:/1/0/20201202/503/1714442.mp4"
    assert AssetId.parse(str(asset.identity("calls"))) == asset.identity("calls")
    assert asset.locator["interface"] == "videofiledownloadEx"
    assert asset.locator["recordId"] == "Y:/1/0/20201202/503/1714442.mp4"
    assert asset.locator["locationId"] == "65535"


def test_an_audio_recording() -> None:
    (asset,) = read(AUDIO).assets
    assert (asset.kind, asset.extension) == (AssetKind.AUDIO, "v3")
    assert asset.locator["interface"] == "recordfile"
    assert asset.locator["recordId"] == "Y:/6/0/20161025/20011/1902050.V3"
    assert asset.locator["taskId"] == "5206"


def test_odd_recordings() -> None:
    (asset,) = read(with_content(AUDIO, fileName="Y:/a b  c/noending", fileMediaType=2, locationId=None)).assets
    assert (asset.kind, asset.extension) == (AssetKind.VIDEO, "mp4")
    assert asset.variant == asset.locator["recordId"] == "Y:/a b  c/noending"
    bare = read({"eventType": "AgentMediaEvent_Record", "content": {"fileName": "x.V3"}})
    assert (bare.meetings[0].id, bare.meetings[0].title, bare.meetings[0].started_at) == ("x.V3", "x.V3", None)
    assert bare.assets[0].locator == {"interface": "recordfile", "recordId": "x.V3", "workNo": "1001"}
    assert read(with_content(AUDIO, fileName="")) == Listing()
    callid = read(with_content(AUDIO, callId=None, callid=7))
    assert callid.meetings[0].id == "7"


def test_the_stated_times_come_first() -> None:
    def started(event: dict[str, Any]) -> datetime | None:
        return read(event).meetings[0].started_at

    assert started(AUDIO | {"eventGenTime": 1784529722590}) == datetime(2026, 7, 20, 6, 42, 2, 590000, UTC)
    assert started(with_content(AUDIO, beginTime="1566867437000")) == datetime(2019, 8, 27, 0, 57, 17, tzinfo=UTC)
    odd_times: tuple[object, ...] = (-1, 10**17, 10**30, True, "soon", [], 1.5)
    for odd in odd_times:
        assert started(with_content(AUDIO, beginTime=odd, callId="7")) is None


def test_a_recording_that_did_not_start() -> None:
    (asset,) = read(FAILED).assets
    assert (asset.state, asset.error) == (RemoteState.FAILED, "the recording did not start")
    (only,) = read(CONFERENCE | {"eventType": "AgentMediaEvent_Record_Fail"}).assets
    assert (only.variant[-2:], only.state) == ("-0", RemoteState.FAILED)


def matches(change: StateChange, listing: Listing) -> list[str]:
    """The identities of the assets that a change is for, as the vault applies it."""
    return [
        str(asset.identity("calls"))
        for asset in listing.assets
        if all(asset.locator.get(name) == value for name, value in change.locator.items())
    ]


@pytest.mark.parametrize("start", [CONFERENCE, PATH, AUDIO])
def test_the_end_makes_exactly_the_main_file_available(start: dict[str, Any]) -> None:
    reader = EventReader("1001")
    listing = reader.read([start])
    end = with_content(STOPPED, taskId=str(start["content"]["taskId"])) | {"workNo": start["workNo"]}
    changes = reader.read([end]).changes
    assert [name for change in changes for name in matches(change, listing)] == [
        str(listing.assets[0].identity("calls"))
    ]
    assert {change.state for change in changes} == {RemoteState.AVAILABLE}
    assert changes[0].started_at == datetime(2019, 8, 27, 0, 57, 17, tzinfo=UTC)
    assert changes[0].ended_at == datetime(2019, 8, 27, 0, 57, 52, tzinfo=UTC)


def test_a_task_number_used_again_is_for_the_latest_call() -> None:
    reader = EventReader("1001")
    first = reader.read([AUDIO])
    second = reader.read([with_content(AUDIO, callId="1577393325-1", fileName="Y:/new.V3")])
    end = with_content(STOPPED, taskId=5206) | {"workNo": "20011"}
    changes = reader.read([end]).changes
    assert [name for change in changes for name in matches(change, first)] == []
    assert len([name for change in changes for name in matches(change, second)]) == 1
    for task in range(5000):
        reader.read([with_content(AUDIO, taskId=10_000 + task)])
    # Forgotten by now: still joined by its task.
    assert "callId" not in reader.read([end]).changes[0].locator


def test_an_end_without_a_task_tells_nothing() -> None:
    assert read(with_content(STOPPED, taskId=None)) == Listing()
    assert read(STOPPED).changes[0].locator == {"taskId": "5451", "workNo": "1115", "fileType": "0"}


def test_other_events_tell_nothing() -> None:
    assert read({"content": None, "eventType": "AgentState_Ready"}, {"eventType": 1, "content": {}}) == Listing()
    assert read({"eventType": "AgentEvent_Talking", "content": {"callid": "1", "caller": "2"}}) == Listing()


def test_hostile_text_is_harmless() -> None:
    hostile = "\x1b]52;c;eA==\x07\u202eabc"
    listing = read(with_content(CONFERENCE, caller=hostile, fileName=f"conferenceId={hostile};recordId0={hostile}"))
    for text in (listing.meetings[0].title, listing.meetings[0].id, *listing.assets[0].locator.values()):
        assert text.isprintable()
    assert "\x1b" not in listing.meetings[0].raw


fields = ["taskId", "callId", "fileName", "recordID", "caller", "called", "locationId", "fileMediaType", "beginTime"]


@given(
    st.sampled_from(["AgentMediaEvent_Record", "AgentMediaEvent_Record_Fail", "AgentMediaEvent_StopRecordDone"]),
    json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(fields, json_values)),
    json_values,
)
def test_any_event_can_be_read(kind: str, content: object, other: object) -> None:
    listing = read({"eventType": kind, "content": content, "workNo": other, "eventGenTime": other})
    for asset in listing.assets:
        assert asset.meeting_id == listing.meetings[0].id
        assert all(asset.locator.values())


def taken(text: str, download: str = "videofiledownload") -> Any:
    listing = adopt(AssetId.parse(text), download)
    (asset,) = listing.assets
    assert str(asset.identity("calls")) == text
    assert listing.meetings[0].id == asset.meeting_id
    assert asset.state is RemoteState.UNKNOWN
    return asset


def test_ids_given_by_hand() -> None:
    asset = taken("calls/7a008307-34ad/video.0a08082d-df1e-4c06-1")
    assert asset.locator == {
        "interface": "videofiledownload",
        "conferenceId": "7a008307-34ad",
        "recordId": "0a08082d-df1e-4c06",
        "fileType": "1",
    }
    assert taken("calls/7a008307-34ad/video.2").locator == {
        "interface": "videofiledownload",
        "conferenceId": "7a008307-34ad",
        "fileType": "2",
    }
    video = taken("calls/1606900483-31/video.65535-Y%3A%2F1%2Fa.mp4", "videofiledownloadEx")
    assert video.locator == {"interface": "videofiledownloadEx", "recordId": "Y:/1/a.mp4", "locationId": "65535"}
    audio = taken("calls/1606900483-31/audio.y%3A%5C1%5Ca.V3")
    assert audio.locator == {"interface": "recordfile", "recordId": "y:\\1\\a.V3"}


def test_a_recording_that_was_announced_has_the_identity_that_a_person_would_give() -> None:
    announced = read(CONFERENCE, PATH, AUDIO).assets
    for asset in announced:
        mode = asset.locator["interface"]
        by_hand = adopt(asset.identity("calls"), mode).assets[0]
        assert by_hand.identity("calls") == asset.identity("calls")
        assert by_hand.locator.items() <= asset.locator.items()


@pytest.mark.parametrize(
    ("text", "download"),
    [
        ("calls/c/video", "videofiledownload"),
        ("calls/c/video.r-3", "videofiledownload"),
        ("calls/c/video.r-0", "videofiledownloadEx"),
        ("calls/c/audio.r", "videofiledownload"),
        ("calls/c/archive.r-0", "videofiledownload"),
        ("calls/a%0Ab/video.0", "videofiledownload"),
        ("calls/%1b/video.0", "videofiledownload"),
        ("calls/c/video.%1b-0", "videofiledownload"),
    ],
)
def test_ids_that_cannot_be_any(text: str, download: str) -> None:
    with pytest.raises(NotFound) as caught:
        adopt(AssetId.parse(text), download)
    assert caught.value.words.isprintable()


@given(st.text(min_size=1), st.text(), st.sampled_from(AssetKind), st.sampled_from(["videofiledownload", "x"]))
def test_any_identity_is_taken_or_not_found(meeting: str, variant: str, kind: AssetKind, download: str) -> None:
    identity = AssetId("calls", meeting, kind, variant)
    found: list[Listing] = []
    error = fault(lambda: found.append(adopt(identity, download)))
    if error is None:
        assert found[0].assets[0].identity("calls") == identity
    else:
        assert type(error) is NotFound
