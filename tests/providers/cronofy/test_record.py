import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import BadAnswer
from providers.cronofy.record import agent_listing, has_secret_query, parse_time, raw_text
from providers.models import AssetKind, RemoteState
from providers.origin import Origin

API = "https://api.cronofy.com"
SUB = "agt_692702a100ccd07000000000"
OWN = frozenset({Origin("https", "api.cronofy.com", 443)})
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
EVENT = {
    "event_id": "qTtZdczOccgaPncGJaCiLg",
    "summary": "Meeting agent enhanced",
    "start": "2026-04-04T15:30:00Z",
    "end": "2026-04-04T17:00:00Z",
    "tzid": "Europe/Berlin",
    "conferencing": {"provider_name": "zoom", "join_url": "https://zoom.us/00001111-222?pwd=letmein"},
    "meeting_agent": {"profile_id": "cronofy", "sub": "agt_wrong", "state": "failed"},
}


def resource(category: str, kind: str, url: str = "") -> dict[str, Any]:
    return {"category": category, "type": kind, "url": url or f"{API}/r/{category}/{kind}"}


def agent(state: Any = "complete", *resources: dict[str, Any]) -> dict[str, Any]:
    return {"sub": SUB, "state": state, "resources": list(resources)}


ALL = (
    resource("cronofy", "dashboard", "https://app.cronofy.com/agents/1"),
    resource("transcript", "cronofy"),
    resource("audio", "voice"),
    resource("video", "conference"),
)


def test_a_complete_agent_has_its_four_resources() -> None:
    listing = agent_listing(agent("complete", *ALL), EVENT, "webhook x", OWN)
    (meeting,) = listing.meetings
    assert (meeting.id, meeting.title, meeting.provider_state) == (SUB, "Meeting agent enhanced", "complete")
    assert meeting.started_at == datetime(2026, 4, 4, 15, 30, tzinfo=UTC)
    assert meeting.ended_at == datetime(2026, 4, 4, 17, tzinfo=UTC)
    assert meeting.people == ()
    assert meeting.origin == "webhook x"
    assert meeting.details == {
        "Conferencing": "zoom",
        "Joins": "https://zoom.us/00001111-222",
        "Time zone": "Europe/Berlin",
        "Event": "qTtZdczOccgaPncGJaCiLg",
        "Agent profile": "cronofy",
    }
    by_kind = {asset.kind: asset for asset in listing.assets}
    assert {kind: asset.extension for kind, asset in by_kind.items()} == {
        AssetKind.DASHBOARD: "",
        AssetKind.TRANSCRIPT: "json",
        AssetKind.AUDIO: "m4a",
        AssetKind.VIDEO: "mp4",
    }
    assert {asset.state for asset in listing.assets} == {RemoteState.AVAILABLE}
    assert not any(asset.warning for asset in listing.assets)
    assert by_kind[AssetKind.VIDEO].locator == {"url": f"{API}/r/video/conference"}
    assert by_kind[AssetKind.DASHBOARD].link == "https://app.cronofy.com/agents/1"
    assert by_kind[AssetKind.DASHBOARD].locator == {}
    assert str(by_kind[AssetKind.AUDIO].identity("agents")) == f"agents/{SUB}/audio"
    assert "assumed" in by_kind[AssetKind.VIDEO].details["File type"]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("created", RemoteState.PROCESSING),
        ("Complete", RemoteState.AVAILABLE),
        ("failed", RemoteState.FAILED),
        ("joining", RemoteState.UNKNOWN),
        (None, RemoteState.UNKNOWN),
        (["complete"], RemoteState.UNKNOWN),
    ],
)
def test_the_state_is_the_agents_own(word: Any, state: RemoteState) -> None:
    listing = agent_listing(agent(word, *ALL), None, "x", OWN)
    files = [asset for asset in listing.assets if asset.kind is not AssetKind.DASHBOARD]
    assert {asset.state for asset in files} == {state}
    assert all(("no reason" in asset.error) == (state is RemoteState.FAILED) for asset in files)
    if isinstance(word, str):
        assert listing.meetings[0].provider_state == word
        assert files[0].provider_state == word


def test_without_an_event_the_agent_names_the_meeting() -> None:
    events: tuple[Any, ...] = (None, "...", [])
    for event in events:
        (meeting,) = agent_listing(agent(), event, "x", OWN).meetings
        assert meeting.title == ""
        assert meeting.started_at is None
        assert meeting.details == {}
        assert "event" not in json.loads(meeting.raw)


def test_the_pair_decides_and_unknown_pairs_are_kept() -> None:
    odd = (
        resource("cronofy", "cronofy"),
        resource("video", "dashboard", "https://x.example/y?X-Amz-Signature=abc"),
        resource("audio", "voice"),
        resource("audio", "voice", f"{API}/second"),
        {"category": 7, "type": None},
        "nonsense",
    )
    record = agent("complete") | {"resources": list(odd)}
    listing = agent_listing(record, None, "x", OWN)
    assert [asset.kind for asset in listing.assets] == [AssetKind.AUDIO]
    assert listing.assets[0].locator == {"url": f"{API}/r/audio/voice"}
    assert listing.meetings[0].details == {
        "Unknown resource cronofy/cronofy": f"{API}/r/cronofy/cronofy",
        "Unknown resource video/dashboard": "https://x.example/y",
        "Further resource audio/voice": f"{API}/second",
        "Unknown resource 7/": "",
    }


@pytest.mark.parametrize(
    ("url", "words", "kept"),
    [
        ("https://evil.example/x", "evil.example", True),
        ("https://api.cronofy.com.evil.example/x", "api.cronofy.com.evil.example", True),
        ("https://api.cronofy.com:444/x", "api.cronofy.com:444", True),
        ("http://api.cronofy.com/x", "is not this account's", True),
        ("https://api-de.cronofy.com/x", "resource_hosts", True),
        ("https://s3.example/x?X-Amz-Signature=s", "s3.example", False),
        ("https://api.cronofy.com@evil.example/x", "no http(s) address", False),
        ("https://api.cronofy.com\\@evil.example/x", "no http(s) address", False),
        ("file:///etc/passwd", "no http(s) address", False),
        ("https://аpi.cronofy.com/x", "no http(s) address", False),
        ("https://api.cronofy.com/" + "x" * 4000, "no http(s) address", False),
        (None, "no http(s) address", False),
        ({"a": 1}, "no http(s) address", False),
    ],
)
def test_a_foreign_resource_address_is_suspicious(url: Any, words: str, kept: bool) -> None:
    record = agent("complete", {"category": "video", "type": "conference", "url": url})
    (asset,) = agent_listing(record, None, "x", OWN).assets
    assert asset.warning.startswith("suspicious: ")
    assert words in asset.warning
    assert asset.locator == ({"url": url} if kept else {})


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a@b.example/", "https://x.example/\x1b]52;c;A", None, 5]
)
def test_a_dashboard_link_that_is_no_web_address_is_not_shown(url: Any) -> None:
    record = agent("created", {"category": "cronofy", "type": "dashboard", "url": url})
    (asset,) = agent_listing(record, None, "x", OWN).assets
    assert asset.link == ""
    assert "suspicious" in asset.warning
    assert asset.state is RemoteState.AVAILABLE


@pytest.mark.parametrize("record", [None, [], "x", {}, {"sub": ""}, {"sub": 5}, {"sub": "a\x1bb"}, {"sub": "x" * 300}])
def test_what_is_no_agent_is_a_bad_answer(record: Any) -> None:
    with pytest.raises(BadAnswer):
        agent_listing(record, None, "x", OWN)


@given(ANY_JSON, ANY_JSON, ANY_JSON, ANY_JSON)
def test_any_json_in_the_record_gives_a_listing(state: Any, resources: Any, event: Any, pair: Any) -> None:
    record = {"sub": SUB, "state": state, "resources": resources}
    assert agent_listing(record, event, "x", OWN).meetings[0].id == SUB
    fields = {"summary": event, "start": state, "end": pair, "conferencing": resources, "tzid": pair}
    nested = [{"category": "video", "type": "conference", "url": pair}, {"category": pair, "type": state}]
    listing = agent_listing({"sub": SUB, "state": state, "resources": nested}, fields, "x", OWN)
    for text in (listing.meetings[0].title, listing.meetings[0].raw, *listing.meetings[0].details.values()):
        assert "\x1b" not in text


def test_raw_text_has_no_presigned_link_and_no_passcode() -> None:
    value = {
        "resource": {"download_url": "https://s3/x", "url": f"{API}/r?sig=1"},
        "event": {"join": "https://teams.example/m?p=abc", "plain": "https://teams.example/m?lang=de"},
        "client_secret": "CRN_x",
        "list": ["https://x.example/#access_token=abc", "https://[bad?x=1"],
    }
    shown = json.loads(raw_text(value))
    assert shown["resource"] == {"download_url": "…", "url": f"{API}/r?…"}
    assert shown["event"] == {"join": "https://teams.example/m?…", "plain": "https://teams.example/m?lang=de"}
    assert shown["client_secret"] == "…"
    assert shown["list"] == ["https://x.example/?…", "https://[bad?…"]
    assert "abc" not in raw_text(value)
    deep: Any = "bottom"
    for _ in range(500):
        deep = [deep]
    assert "bottom" not in raw_text(deep)
    assert has_secret_query("https://[bad")


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-04-04T15:30:00Z", datetime(2026, 4, 4, 15, 30, tzinfo=UTC)),
        ("2026-04-04T15:30:00+02:00", datetime(2026, 4, 4, 13, 30, tzinfo=UTC)),
        ("2026-04-04", datetime(2026, 4, 4, tzinfo=UTC)),
        ({"time": "2026-04-04T15:30:00Z", "tzid": "Etc/UTC"}, datetime(2026, 4, 4, 15, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:00", None),
        ("soon", None),
        (5, None),
        ({}, None),
    ],
)
def test_times(value: Any, time: datetime | None) -> None:
    assert parse_time(value) == time
