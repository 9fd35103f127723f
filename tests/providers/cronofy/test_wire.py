import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import (
    BadAnswer,
    Forbidden,
    Gone,
    Head,
    NotFound,
    NotTrusted,
    ProviderError,
    RateLimited,
    Refused,
    ServiceDown,
    SessionLost,
    Unauthorized,
)
from providers.cronofy import INFO, wire
from providers.messages import Answer, Request
from providers.models import AssetKind, Listing
from providers.origin import Origin
from tests.providers.cronofy.test_record import ANY_JSON, API, OWN, SUB, agent

NOW = datetime(2026, 4, 4, 12, tzinfo=UTC)
URL = f"{API}/r/1"
STORE = "https://store.example/f?X-Amz-Signature=abc"


def answer(status: int, body: object = None, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def test_info_declares_what_the_design_names() -> None:
    assert [option.name for option in INFO.options] == ["data_center", "base_url", "resource_hosts"]
    assert [(secret.name, secret.required) for secret in INFO.secrets] == [
        ("api_key", True),
        ("other_api_key", False),
        ("hook_secret", False),
    ]
    assert (INFO.signs, INFO.fetch_at_once) == (True, False)


@pytest.mark.parametrize(
    ("options", "base"),
    [
        ({}, "https://api.cronofy.com"),
        ({"data_center": "us", "base_url": None}, "https://api.cronofy.com"),
        ({"data_center": "de", "base_url": ""}, "https://api-de.cronofy.com"),
        ({"data_center": "de", "base_url": "https://proxy.example/cronofy/"}, "https://proxy.example/cronofy"),
    ],
)
def test_the_base_is_the_data_centers_or_the_given_one(options: dict[str, Any], base: str) -> None:
    assert wire.base_url(options) == base


def test_an_unusable_base_or_host_is_named() -> None:
    with pytest.raises(NotTrusted, match="base_url cronofy is no"):
        wire.base_url({"base_url": "cronofy"})
    with pytest.raises(NotTrusted):
        wire.own_origins("nonsense", [])
    for host in ("*.cronofy.com", "https://x.example", "x.example/path", "u@x.example", "", "x.example:port"):
        with pytest.raises(NotTrusted, match="resource_hosts"):
            wire.own_origins(API, [host])


def test_own_origins_are_the_api_and_the_named_hosts() -> None:
    found = wire.own_origins(API, ["API-DE.cronofy.com", "files.example:8443", "api.cronofy.com:443"])
    assert [str(origin) for origin in found] == [API, "https://api-de.cronofy.com", "https://files.example:8443"]
    assert wire.own_origins(API, None) == (Origin("https", "api.cronofy.com", 443),)
    local = wire.own_origins("http://127.0.0.1:1000", ["127.0.0.1:2000", "files.example"])
    assert [str(origin) for origin in local[1:]] == ["http://127.0.0.1:2000", "https://files.example"]
    assert [str(origin) for origin in wire.own_origins(API, ["127.0.0.1:2000"])][1:] == ["https://127.0.0.1:2000"]


def body_of(request: Request) -> Any:
    return json.loads(request.content)


def test_an_immediate_order_is_as_documented() -> None:
    join, hook = "https://teams.microsoft.com/meet/000?p=abcdefg", "https://example.com/notification"
    request = wire.dispatch_request(API, join, "marty@evenitron.com", hook)
    assert (request.method, request.url) == ("POST", f"{API}/v1/meeting_agents")
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert body_of(request) == {
        "join_url": join,
        "on_behalf_of_attendee": {"email": "marty@evenitron.com"},
        "subscriptions": [
            {
                "type": "webhook",
                "uri": hook,
                "interactions": [
                    {"type": "meeting_agent_activated"},
                    {"type": "meeting_agent_complete"},
                    {"type": "meeting_agent_failed"},
                ],
            }
        ],
    }
    assert body_of(wire.dispatch_request(API, join)) == {"join_url": join}


def test_a_scheduled_order_has_whole_seconds_in_utc() -> None:
    at = datetime(2026, 1, 25, 16, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    request = wire.schedule_request(API, "https://x.example/1", "key-1", at)
    assert body_of(request) == {
        "join_url": "https://x.example/1",
        "scheduling_key": "key-1",
        "join_time": "2026-01-25T15:30:00Z",
    }


def test_cancelling_is_a_delete_with_a_body() -> None:
    request = wire.cancel_request(API, "key-1")
    assert (request.method, request.url, body_of(request)) == (
        "DELETE",
        f"{API}/v1/meeting_agents",
        {"scheduling_key": "key-1"},
    )


def test_what_cannot_be_ordered_is_refused_before_it_is_sent() -> None:
    with pytest.raises(Refused, match="link to join"):
        wire.dispatch_request(API, "zoommtg://x")
    with pytest.raises(Refused, match="webhooks"):
        wire.dispatch_request(API, "https://x.example", callback_url="x")
    for attendee in ("marty", "@x", "x@", "a\n@b"):
        with pytest.raises(Refused, match="e-mail"):
            wire.dispatch_request(API, "https://x.example", attendee)
    with pytest.raises(Refused, match="time zone"):
        wire.schedule_request(API, "https://x.example", "k", datetime(2026, 1, 1))  # noqa: DTZ001  # naive on purpose
    with pytest.raises(Refused, match="scheduling key"):
        wire.cancel_request(API, " ")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Unauthorized, "does not accept the credential"),
        (402, Forbidden, "plan of this Cronofy application lacks agents (HTTP 402)"),
        (403, Forbidden, "lacks the right for agents"),
        (404, NotFound, "does not know agents"),
        (410, Gone, "no longer has agents"),
        (422, Refused, "it names no reason"),
        (423, Refused, "locked"),
        (429, RateLimited, "fewer requests"),
        (302, BadAnswer, "redirects agents elsewhere"),
        (500, ServiceDown, "HTTP 500"),
        (503, ServiceDown, "HTTP 503"),
        (418, Refused, "HTTP 418"),
    ],
)
def test_a_status_becomes_its_error(status: int, kind: type[ProviderError], words: str) -> None:
    for body in (None, b"<html>", b"[]", b"null"):
        with pytest.raises(kind) as caught:
            wire.raise_for(answer(status, body), NOW, "agents")
        assert type(caught.value) is kind
        assert words in caught.value.words


def test_success_raises_nothing_and_retry_after_is_kept() -> None:
    for status in (200, 202, 204):
        wire.raise_for(answer(status), NOW, "x")
    with pytest.raises(RateLimited) as caught:
        wire.raise_for(answer(429, retry_after="17"), NOW, "x")
    assert caught.value.retry_after_s == 17.0


def test_a_422_names_field_and_description() -> None:
    body = {
        "errors": {
            "join_url": [{"key": "errors.required", "description": "required"}, {"key": "errors.x"}],
            "join_time": {"description": "too late"},
            "a\x1b[2J": ["plain", None],
            "empty": [],
            "odd": [{}],
        }
    }
    with pytest.raises(Refused) as caught:
        wire.raise_for(answer(422, body), NOW, "the agent")
    words = caught.value.words
    assert "Cronofy refuses the agent (HTTP 422): join_url: required (errors.required), errors.x; " in words
    assert "join_time: too late; " in words
    assert "\x1b" not in words
    assert "plain, refused; empty: refused; odd: refused" in words


def test_other_bodies_messages_are_shown() -> None:
    with pytest.raises(Forbidden, match=r"HTTP 403\): not enabled"):
        wire.raise_for(answer(403, {"message": 5, "error": "not enabled"}), NOW, "x")


@given(st.integers(300, 599), ANY_JSON)
def test_any_error_body_gives_a_provider_error(status: int, body: Any) -> None:
    for content in (body, {"errors": body}, {"errors": {"x": body}}, {"errors": {"x": [body]}}, {"message": body}):
        with pytest.raises(ProviderError) as caught:
            wire.raise_for(answer(status, content), NOW, "x")
        assert caught.value.words.isprintable()


def test_both_shapes_of_the_create_response_are_read() -> None:
    record = agent("created")
    for body in (record, {"meeting_agent": record}):
        listing = wire.read_dispatched(answer(200, body), "here", OWN)
        assert [meeting.id for meeting in listing.meetings] == [SUB]
    assert wire.read_dispatched(answer(202), "here", OWN) == Listing()


@given(ANY_JSON)
def test_any_create_response_gives_a_listing_or_a_bad_answer(body: Any) -> None:
    for content in (body, {"meeting_agent": body}, {"meeting_agent": {"sub": body}}):
        with suppress(BadAnswer):
            assert isinstance(wire.read_dispatched(answer(200, content), "x", OWN), Listing)


def test_the_download_address_is_in_the_header_or_the_body() -> None:
    body = json.dumps({"resource": {"download_url": STORE}}).encode()
    assert wire.read_location(302, {"location": STORE}, b"", URL) == STORE
    assert wire.read_location(302, {}, body, URL) == STORE
    assert wire.read_location(302, {"location": "ftp://x"}, body, URL) == STORE
    assert wire.read_location(302, {"location": "https://[x"}, body, URL) == STORE
    assert wire.read_location(302, {"location": "/files/1"}, b"", URL) == f"{API}/files/1"
    for headers, content in (({}, b""), ({"location": "file:///x"}, b"[]"), ({}, b'{"resource": {"download_url": 1}}')):
        with pytest.raises(BadAnswer, match="no address to download"):
            wire.read_location(302, headers, content, URL)
    with pytest.raises(BadAnswer, match="to itself"):
        wire.read_location(302, {"location": URL}, b"", URL)


@given(st.text(), ANY_JSON)
def test_any_redirect_gives_an_address_or_a_bad_answer(location: str, body: Any) -> None:
    for content in (body, {"resource": body}, {"resource": {"download_url": body}}):
        try:
            found = wire.read_location(302, {"location": location}, json.dumps(content).encode(), URL)
        except BadAnswer:
            continue
        assert Origin.of(found) is not None


def head(status: int = 200, prefix: bytes = b"", complete: bool = True, **headers: str) -> Head:
    return Head(status, {name.replace("_", "-"): value for name, value in headers.items()}, prefix, complete)


XML = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code></Error>'
MP4 = b"\0\0\0\x18ftypisom" + b"\0" * 64


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, b"AccessDenied", SessionLost),
        (403, b"", SessionLost),
        (401, b"", SessionLost),
        (400, b"ExpiredToken", SessionLost),
        (400, b"", SessionLost),
        (400, b"InvalidArgument", Refused),
        (404, b"NoSuchKey", Gone),
        (410, b"", Gone),
        (429, b"SlowDown", RateLimited),
        (503, b"SlowDown", ServiceDown),
        (416, b"InvalidRange", Refused),
        (307, b"TemporaryRedirect", BadAnswer),
        (204, b"", BadAnswer),
    ],
)
def test_the_stores_errors(status: int, code: bytes, kind: type[ProviderError]) -> None:
    with pytest.raises(kind) as caught:
        wire.judge_store(AssetKind.VIDEO, NOW, head(status, XML % code if code else b"<html>no</html>"))
    assert type(caught.value) is kind
    if code and kind in (SessionLost, Gone, Refused):
        assert code.decode() in caught.value.words


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (403, Forbidden), (404, NotFound), (302, SessionLost), (204, BadAnswer)]
)
def test_a_resource_that_gives_the_file_itself_has_the_apis_errors(status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(kind):
        wire.judge_direct(AssetKind.VIDEO, NOW, head(status))
    wire.judge_direct(AssetKind.VIDEO, NOW, head(200, MP4, content_type="video/mp4"))


@pytest.mark.parametrize(
    "bad",
    [
        head(200, b"", content_type="video/mp4"),
        head(200, MP4, content_type="text/plain"),
        head(200, MP4, content_type="application/json"),
        head(200, MP4, content_type="application/problem+json"),
        head(200, MP4, content_type="application/xml"),
        head(206, MP4, content_type="text/html; charset=utf-8"),
        head(200, XML % b"X", content_type="video/mp4"),
        head(200, b"\xef\xbb\xbf\n<!DOCTYPE html>"),
        head(200, b'{"error": 1}'),
    ],
)
def test_audio_and_video_are_no_text(bad: Head) -> None:
    for kind in (AssetKind.AUDIO, AssetKind.VIDEO):
        with pytest.raises(BadAnswer):
            wire.judge_store(kind, NOW, bad)


def test_files_pass() -> None:
    wire.judge_store(AssetKind.VIDEO, NOW, head(200, MP4, False, content_type="application/octet-stream"))
    wire.judge_store(AssetKind.AUDIO, NOW, head(206, b'{"any bytes of the middle', False, content_type="audio/mp4"))
    transcript = json.dumps({"meeting_agent": {}, "transcript": {}}).encode()
    for media in ("application/json", "binary/octet-stream", "text/plain"):
        wire.judge_store(AssetKind.TRANSCRIPT, NOW, head(200, b"\xef\xbb\xbf " + transcript, content_type=media))
    wire.judge_store(AssetKind.TRANSCRIPT, NOW, head(200, transcript[:20], False))
    wire.judge_store(AssetKind.TRANSCRIPT, NOW, head(206, b"in the middle", False))


@pytest.mark.parametrize(
    "bad",
    [
        head(200, b""),
        head(200, b"[1]"),
        head(200, b'{"transcript": '),
        head(200, b'{"error": "no"}'),
        head(200, b'{"errors": {}}'),
        head(200, b"{}", content_type="text/html"),
        head(206, b"{}", content_type="application/xml"),
        head(200, b'{"a":' + b"[" * 100_000),
    ],
)
def test_a_transcript_is_json(bad: Head) -> None:
    with pytest.raises(BadAnswer):
        wire.judge_store(AssetKind.TRANSCRIPT, NOW, bad)


@given(st.sampled_from([200, 206, 400, 403, 500]), st.binary(max_size=80), st.booleans(), st.text(max_size=20))
def test_any_beginning_passes_or_is_a_provider_error(status: int, prefix: bytes, complete: bool, media: str) -> None:
    for kind in (AssetKind.TRANSCRIPT, AssetKind.VIDEO):
        with suppress(ProviderError):
            wire.judge_store(kind, NOW, head(status, prefix, complete, content_type=media))
            assert status < 300
