"""Temasys' callback: read in every encoding that it may have, and trusted for nothing."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import NotAuthentic, ProviderError, Unreadable
from providers.models import AssetId, AssetKind, Delivery, RemoteState
from providers.secret import Secret
from providers.temasys import webhook

LINK = "https://b.s3.amazonaws.com/x.mp4?X-Amz-Date=20180606T124100Z&X-Amz-Expires=604800&X-Amz-Signature=geheim"
FIELDS: dict[str, Any] = {
    "meetingId": "m-1",
    "apiKey": "the-app-key",
    "unixTime": 1528288860,
    "roomId": "my-room",
    "participants": 3,
    "startTime": "2018-06-06T12:20:00Z",
    "endTime": "2018-06-06T12:31:00Z",
    "retrievalUrl": LINK,
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def as_json(value: object) -> Delivery:
    return Delivery({"content-type": "application/json"}, json.dumps(value).encode())


def as_form(fields: dict[str, Any]) -> Delivery:
    return Delivery({"content-type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())


def as_multipart(fields: dict[str, Any]) -> Delivery:
    parts = "".join(
        f'--frontier\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return Delivery({"content-type": "multipart/form-data; boundary=frontier"}, f"{parts}--frontier--\r\n".encode())


ENCODINGS = [
    as_json(FIELDS),
    as_json({name: str(value) for name, value in FIELDS.items()}),
    as_json({**FIELDS, "unixTime": 1528288860123}),
    as_json({**FIELDS, "unixTime": "1528288860.5"}),
    as_json({"content": {"data": FIELDS}}),
    as_json({"data": FIELDS}),
    Delivery({}, json.dumps(FIELDS).encode()),
    as_form(FIELDS),
    as_multipart(FIELDS),
]


@pytest.mark.parametrize("delivery", ENCODINGS)
def test_every_encoding_says_the_same(delivery: Delivery) -> None:
    announcement = webhook.read(delivery, None)
    assert announcement.key == webhook.read(as_json(FIELDS), None).key
    assert (announcement.topic, announcement.verified) == ("recording", "not signed")
    [meeting], [asset] = announcement.listing.meetings, announcement.listing.assets
    assert (meeting.id, meeting.title) == ("m-1", "my-room")
    assert meeting.started_at == datetime(2018, 6, 6, 12, 20, tzinfo=UTC)
    assert meeting.ended_at == datetime(2018, 6, 6, 12, 31, tzinfo=UTC)
    assert meeting.details == {"Most participants": "3", "Mixed": "2018-06-06 12:41:00 UTC"}
    assert asset.identity("rooms") == AssetId("rooms", "m-1", AssetKind.VIDEO, "1528288860")
    assert str(asset.identity("rooms")) == "rooms/m-1/video.1528288860"
    assert asset.state is RemoteState.AVAILABLE
    assert asset.sealed_link == Secret(LINK)
    assert asset.locator == {"room": "my-room", "host": "b.s3.amazonaws.com"}
    assert asset.extension == "mp4"
    assert asset.deadline == datetime(2018, 6, 13, 12, 41, tzinfo=UTC)
    shown = repr(announcement)
    assert "geheim" not in shown
    assert "the-app-key" not in shown
    assert "https://b.s3.amazonaws.com/…" in announcement.redacted_body


def test_the_key_is_of_app_room_meeting_and_time() -> None:
    key = webhook.read(as_json(FIELDS), None).key
    assert webhook.read(as_json({**FIELDS, "retrievalUrl": LINK + "2", "participants": 4}), None).key == key
    for name, other in [("apiKey", "b"), ("roomId", "b"), ("meetingId", "b"), ("unixTime", 1528288861)]:
        assert webhook.read(as_json({**FIELDS, name: other}), None).key != key


def test_the_app_key_is_compared_where_the_account_has_one() -> None:
    assert webhook.read(as_json(FIELDS), Secret("the-app-key")).verified == "not signed; the app key matches"
    for other in ("the-app-keys", "", None, 5, ["the-app-key"], "\ud800"):
        with pytest.raises(NotAuthentic) as raised:
            webhook.read(as_json({**FIELDS, "apiKey": other}), Secret("the-app-key"))
        assert "the-app-key" not in str(raised.value)


@pytest.mark.parametrize("link", ["", None, 7, True, ["https://x"], {"url": "https://x"}])
def test_no_link_is_told(link: object) -> None:
    [asset] = webhook.read(as_json({**FIELDS, "retrievalUrl": link}), None).listing.assets
    assert asset.state is RemoteState.FAILED
    assert asset.error
    assert asset.sealed_link is None
    assert "host" not in asset.locator


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://a@b.com/x",
        "https://a.com/\x1b[2J",
        "https://\ud800.com",
        "https://a.com:99999/x",
        "https://a.com/" + "x" * 9000,
    ],
)
def test_a_hostile_link_is_told_and_not_shown(link: str) -> None:
    announcement = webhook.read(as_json({**FIELDS, "retrievalUrl": link}), None)
    [asset] = announcement.listing.assets
    assert (asset.state, asset.error) == (
        RemoteState.FAILED,
        "what the callback gives as link is no http(s) address",
    )
    assert asset.sealed_link is None
    assert link not in announcement.redacted_body


@pytest.mark.parametrize("meeting_id", ["", " ", None, {}, [1]])
def test_a_callback_without_a_meeting_is_unreadable(meeting_id: object) -> None:
    with pytest.raises(Unreadable, match="meetingId"):
        webhook.read(as_json({**FIELDS, "meetingId": meeting_id}), None)


@pytest.mark.parametrize("time", ["", None, "soon", -5, 0, 1e30, "nan", "inf", True, [1528288860]])
def test_a_callback_without_a_time_is_unreadable(time: object) -> None:
    with pytest.raises(Unreadable, match="unixTime"):
        webhook.read(as_json({**FIELDS, "unixTime": time}), None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-06-06T12:20:00", datetime(2018, 6, 6, 12, 20, tzinfo=UTC)),
        ("2018-06-06 14:20:00+02:00", datetime(2018, 6, 6, 12, 20, tzinfo=UTC)),
        ("Wed, 06 Jun 2018 12:20:00 GMT", datetime(2018, 6, 6, 12, 20, tzinfo=UTC)),
        (1528287600, datetime(2018, 6, 6, 12, 20, tzinfo=UTC)),
        ("1528287600000", datetime(2018, 6, 6, 12, 20, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("２０１８-06-06", None),
    ],
)
def test_times_in_several_spellings(text: object, moment: datetime | None) -> None:
    [meeting] = webhook.read(as_json({**FIELDS, "startTime": text}), None).listing.meetings
    assert meeting.started_at == moment
    assert meeting.details.get("Start") == (None if moment else text)


def test_a_room_without_a_name_is_called_by_its_meeting() -> None:
    [meeting] = webhook.read(as_json({**FIELDS, "roomId": None, "participants": None}), None).listing.meetings
    assert meeting.title == "m-1"
    assert "Most participants" not in meeting.details


@pytest.mark.parametrize(
    ("query", "moment"),
    [
        ("X-Amz-Date=20180606T124100Z&X-Amz-Expires=60", datetime(2018, 6, 6, 12, 42, tzinfo=UTC)),
        ("AWSAccessKeyId=A&Expires=1528288860&Signature=s", datetime(2018, 6, 6, 12, 41, tzinfo=UTC)),
        ("Expires=1528288860", None),
        ("Signature=s", None),
        ("X-Amz-Date=20180606T124100Z", None),
        ("X-Amz-Date=2018&X-Amz-Expires=60", None),
        ("X-Amz-Date=20180606T124100Z&X-Amz-Expires=" + "9" * 30, None),
        ("", None),
    ],
)
def test_when_a_link_runs_out(query: str, moment: datetime | None) -> None:
    assert webhook.link_runs_out(f"https://b.s3.amazonaws.com/x.mp4?{query}") == moment


def test_links_and_keys_are_redacted_wherever_they_stand() -> None:
    deep: Any = "https://x.com/a?token=geheim"
    for _ in range(40):
        deep = [deep]
    extra = {"urls": [{"url": "see https://x.com/a?sig=geheim and"}], "deep": deep, "APIKEY": "geheim"}
    body = webhook.read(as_json({**FIELDS, **extra}), None).redacted_body
    assert "geheim" not in body
    assert "see https://x.com/a?… and" in body


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery({}, b""),
        Delivery({}, b"a=b"),
        Delivery({}, b"\xff\xfe"),
        Delivery({}, b"&".join([b"a=1"] * 200)),
        as_json([FIELDS]),
        as_json({"data": [FIELDS]}),
        as_json(7),
        as_multipart({"a": "b"}),
        Delivery({"content-type": "multipart/form-data"}, b"no boundary"),
    ],
)
def test_what_cannot_be_read_is_told(delivery: Delivery) -> None:
    with pytest.raises(Unreadable):
        webhook.read(delivery, None)


@given(st.fixed_dictionaries({name: ANY_JSON | st.just(value) for name, value in FIELDS.items()}))
def test_any_fields_are_read_or_told(fields: dict[str, Any]) -> None:
    for delivery in (as_json(fields), as_form({k: str(v).encode(errors="replace") for k, v in fields.items()})):
        try:
            announcement = webhook.read(delivery, None)
        except Unreadable as error:
            assert error.words  # noqa: PT017 - most are readable
            continue
        [asset] = announcement.listing.assets
        identity = asset.identity("rooms")
        assert AssetId.parse(str(identity)) == identity


@given(st.binary(), st.sampled_from(["", "application/json", "multipart/form-data; boundary=x", "multipart/form-data"]))
def test_any_bytes_are_read_or_told(body: bytes, kind: str) -> None:
    for content in (body, b"--x\r\n" + body + b"\r\n--x--"):
        try:
            webhook.read(Delivery({"content-type": kind}, content), Secret("the-app-key"))
        except ProviderError as error:
            assert error.words  # noqa: PT017 - a value is right as well
