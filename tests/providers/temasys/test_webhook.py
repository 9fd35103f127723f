"""Temasys' callback: read in every encoding that it may have, and trusted for nothing."""

import json
from collections.abc import Callable
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


@pytest.mark.parametrize("encode", [as_json, as_form, as_multipart])
def test_a_newer_link_is_the_same_recording(encode: Callable[[dict[str, Any]], Delivery]) -> None:
    newer = LINK.replace("geheim", "NEUER").replace("20180606", "20180607")
    first, second = (webhook.read(encode({**FIELDS, "retrievalUrl": link}), None) for link in (LINK, newer))
    assert first.key == second.key
    [before], [after] = first.listing.assets, second.listing.assets
    assert before.identity("rooms") == after.identity("rooms")
    assert (before.sealed_link, after.sealed_link) == (Secret(LINK), Secret(newer))
    assert (before.deadline, after.deadline) == (
        datetime(2018, 6, 13, 12, 41, tzinfo=UTC),
        datetime(2018, 6, 14, 12, 41, tzinfo=UTC),
    )


@pytest.mark.parametrize("encode", [as_json, as_form, as_multipart])
@pytest.mark.parametrize(
    "number", [1528288860, "1528288860", " 1528288860 ", 1528288860000, "1528288860999", 1528288860.9]
)
def test_numbers_in_any_spelling(encode: Callable[[dict[str, Any]], Delivery], number: object) -> None:
    said = webhook.read(encode({**FIELDS, "unixTime": number, "participants": "3"}), None)
    assert said.key == webhook.read(as_json(FIELDS), None).key
    assert said.listing.assets[0].variant == "1528288860"
    assert said.listing.meetings[0].details["Most participants"] == "3"


@pytest.mark.parametrize("encode", [as_json, as_form, as_multipart])
@pytest.mark.parametrize(
    ("link", "secrets"),
    [
        (LINK, ["geheim", "x.mp4"]),
        ("https://b.example/PATHSECRET/x", ["PATHSECRET"]),
        ("https://user:PASSWORD@b.example/x", ["PASSWORD", "user"]),
        ("not-an-address-SECRET", ["SECRET"]),
        ("https://b.example/" + "LONG" * 3000, ["LONG"]),
    ],
)
def test_what_is_shown_of_a_retrieval_url_is_never_the_link(
    encode: Callable[[dict[str, Any]], Delivery], link: str, secrets: list[str]
) -> None:
    for name in ("retrievalUrl", "RetrievalURL"):
        said = webhook.read(encode({**FIELDS, "retrievalUrl": link, name: link}), None)
        [meeting], [asset] = said.listing.meetings, said.listing.assets
        for secret in secrets:
            assert secret not in repr(said)
            assert secret not in said.redacted_body + meeting.raw + asset.raw + said.key


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/form-data; boundary="a b"',
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data; charset=utf-8",
    ],
)
def test_a_form_whose_parts_cannot_be_told_apart_is_unreadable(kind: str) -> None:
    body = as_multipart(FIELDS).body
    with pytest.raises(Unreadable, match="none of the fields"):
        webhook.read(Delivery({"content-type": kind}, body), None)


def test_a_form_in_parts_as_common_senders_write_it() -> None:
    parts = [
        '--b\r\nX: y\r\ncontent-disposition: Form-Data; filename="x"; name="meetingId"\r\n\r\nm 1\r\n',
        "--b\r\nContent-Disposition: form-data; name=unixTime\r\n\r\n1528288860\r\n",
        '--b\r\nContent-Disposition: form-data; name="roomId"\r\n\r\ngrößer\r\n',
        '--b\r\nContent-Disposition: attachment; name="participants"\r\n\r\n9\r\n--b--\r\n',
    ]
    sent = Delivery({"content-type": 'multipart/form-data; charset=utf-8; boundary="b"'}, "".join(parts).encode())
    [meeting] = webhook.read(sent, None).listing.meetings
    assert (meeting.id, meeting.title, meeting.details.get("Most participants")) == ("m 1", "größer", None)


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


@pytest.mark.parametrize("name", ["api_key", "password", "X-Amz-Signature", "accessToken"])
def test_a_field_that_is_named_like_a_secret_is_not_shown(name: str) -> None:
    body = {"meetingId": "m", "unixTime": 1528288860, "roomId": "r", name: "gh0st-value"}
    said = webhook.read(Delivery({"content-type": "application/json"}, json.dumps(body).encode()), None)
    assert "gh0st-value" not in repr(said)
