"""ProCONF's wire: addresses that stay where they belong, and envelopes of every shape."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import (
    BadAnswer,
    Forbidden,
    Head,
    NotFound,
    NotReady,
    ProviderError,
    RateLimited,
    Refused,
    ServiceDown,
    Unauthorized,
)
from providers.messages import Answer
from providers.models import Catchup, RemoteState
from providers.proconf import wire

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASE = "https://admin.example.com/api"
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ERROR = st.none() | ANY_JSON | st.fixed_dictionaries({"code": ANY_JSON | st.integers(0, 700), "message": ANY_JSON})
ENVELOPE = st.fixed_dictionaries(
    {"error": ERROR, "data": ANY_JSON | st.fixed_dictionaries({"error": ERROR, "data": ANY_JSON})}
)


def answer(value: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {"content-type": "application/json", **headers}, json.dumps(value).encode())


def envelope(data: object, error: object = None) -> dict[str, object]:
    return {"error": error, "data": data}


# Addresses


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("admin", f"{BASE}/call-catchup/test%20R%C3%B6om%2F1%3Fa%23b%25"),
        ("app", f"{BASE}/callCatchUp/test%20R%C3%B6om%2F1%3Fa%23b%25"),
        ("app-query", f"{BASE}/callCatchUp?roomName=test%20R%C3%B6om%2F1%3Fa%23b%25"),
    ],
)
def test_the_three_spellings(endpoint: str, url: str) -> None:
    for base in (BASE, f"{BASE}/"):
        request = wire.catchup_request(base, endpoint, "test Röom/1?a#b%")
        assert (request.method, request.url) == ("GET", url)
        assert request.headers == {"Content-type": "application/json"}


@pytest.mark.parametrize(
    ("room", "words"),
    [
        ("", "needs a name"),
        ("  ", "needs a name"),
        (".", "another address"),
        ("..", "another address"),
        ("a/../b", "another address"),
        ("..\\x", "another address"),
        ("x" * 129, "at most 128"),
        ("a\x1b[2J", "cannot be shown"),
        ("a\nb", "cannot be shown"),
        ("a\u202eb", "cannot be shown"),
        ("\ud800", "cannot be shown"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(room: str, words: str) -> None:
    for endpoint in ("admin", "app", "app-query"):
        with pytest.raises(Refused, match=words):
            wire.catchup_request(BASE, endpoint, room)


@given(st.text(max_size=140), st.sampled_from(["admin", "app", "app-query"]))
def test_a_room_never_leaves_its_place(room: str, endpoint: str) -> None:
    try:
        url = urlsplit(wire.catchup_request(BASE, endpoint, room).url)
    except Refused:
        return
    assert (url.scheme, url.netloc, url.fragment) == ("https", "admin.example.com", "")
    if endpoint == "app-query":
        assert url.path == "/api/callCatchUp"
        assert parse_qs(url.query, strict_parsing=True) == {"roomName": [room]}
    else:
        assert url.query == ""
        assert url.path.count("/") == 3
        assert unquote(url.path.rpartition("/")[2]) == room


# Envelopes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (envelope("Meeting Summary content"), "Meeting Summary content"),
        ({"data": "no error named"}, "no error named"),
        (envelope(None), ""),
        (envelope("  \n"), ""),
        (envelope(envelope("inside")), "inside"),
        (envelope(envelope(None)), ""),
        (envelope(envelope(envelope("twice"))), '{\n  "error": null,\n  "data": "twice"\n}'),
        (envelope({"data": "x", "error": None, "more": 1}), '{\n  "data": "x",\n  "error": null,\n  "more": 1\n}'),
        (envelope({"data": "x"}), '{\n  "data": "x"\n}'),
        (envelope(["ä", 1]), '[\n  "ä",\n  1\n]'),
        (envelope(0), "0"),
        (envelope("[bold]a[/]\r\n\tb\x1b[2J"), "[bold]a[/]\n    b␛[2J"),
    ],
)
def test_what_is_told(value: object, text: str) -> None:
    catchup = wire.parse_catchup(answer(value), "r", NOW)
    assert (catchup.room, catchup.text) == ("r", text)
    assert catchup.raw.startswith("{")
    assert "\x1b" not in catchup.raw


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (400, "Room name required in query param.", Refused),
        (401, "Unauthorized", Unauthorized),
        (403, "No", Forbidden),
        (404, "Not found", NotFound),
        (429, "Slowly", RateLimited),
        (500, "Internal server error", ServiceDown),
    ],
)
@pytest.mark.parametrize("under_200", [False, True])
def test_an_error_is_one_also_under_200(code: int, message: str, kind: type[ProviderError], under_200: bool) -> None:
    body = {"data": None, "error": {"code": code, "message": message}}
    with pytest.raises(kind, match=message) as raised:
        wire.parse_catchup(answer(body, 200 if under_200 else code, **{"retry-after": "7"}), "r", NOW)
    assert str(code) in str(raised.value)
    assert raised.value.retry_after_s == (7 if raised.value.transient else None)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (envelope("text", "broken"), "the catch-up of r: broken"),
        (envelope("text", {"message": "odd", "code": True}), "odd"),
        (envelope("text", {"code": 200}), "no reason"),
        (envelope("text", {"code": "401"}), "no reason"),
        (envelope("text", []), "no reason"),
        (envelope("text", 0), "no reason"),
        (envelope("text", False), "no reason"),
        ({**envelope("text", {}), "message": "see the log"}, "see the log"),
        (envelope(envelope("text", "inner")), "inner"),
    ],
)
def test_an_error_without_a_code_is_refused_in_its_words(value: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        wire.parse_catchup(answer(value), "r", NOW)


@pytest.mark.parametrize("value", [None, [], "text", 5, {}, {"error": None}, [envelope("x")]])
def test_what_is_no_envelope(value: object) -> None:
    with pytest.raises(BadAnswer, match="no data"):
        wire.parse_catchup(answer(value), "r", NOW)


def test_what_is_no_json() -> None:
    with pytest.raises(BadAnswer, match="text/html"):
        wire.parse_catchup(Answer(200, {"content-type": "text/html"}, b"<html>"), "r", NOW)
    with pytest.raises(ServiceDown, match="502"):
        wire.parse_catchup(Answer(502, {"content-type": "text/html"}, b"<html>"), "r", NOW)


def test_what_is_nested_without_end() -> None:
    for depth in (300, 900, 5000, 100_000):
        body = b'{"data":' + b"[" * depth + b"]" * depth + b"}"
        try:
            assert wire.parse_catchup(Answer(200, {}, body), "r", NOW).text
        except BadAnswer as error:
            assert error.words  # noqa: PT017 - how deep one can read depends on the machine


# What becomes of it


def test_a_text_is_available_and_none_is_not_yet() -> None:
    told = wire.learned(Catchup("r", "Hello", "{}"))
    [asset], [meeting] = told.assets, told.meetings
    assert (asset.state, asset.provider_state, asset.extension) == (RemoteState.AVAILABLE, "", "json")
    assert (meeting.id, meeting.title, asset.meeting_id) == ("r", "r", "r")
    assert (asset.locator, asset.raw) == ({"room": "r"}, "{}")
    assert str(asset.identity("standup")) == "standup/r/catchup"
    assert told.catchups == (Catchup("r", "Hello", "{}"),)
    [asset] = wire.learned(Catchup("r", "")).assets
    assert (asset.state, asset.provider_state) == (RemoteState.PROCESSING, "nothing yet")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Refused("no"), RemoteState.FAILED),
        (BadAnswer("no"), RemoteState.FAILED),
        (NotFound("no"), RemoteState.UNKNOWN),
        (ServiceDown("no"), RemoteState.UNKNOWN),
    ],
)
def test_a_failing_room_is_told(error: ProviderError, state: RemoteState) -> None:
    [asset] = wire.failed("r", error).assets
    assert (asset.state, asset.error) == (state, "no")


def test_a_file_is_judged_by_status_and_error() -> None:
    def head(value: object, status: int = 200, complete: bool = True) -> Head:
        return Head(status, {"content-type": "application/json"}, json.dumps(value).encode(), complete)

    wire.judge(head(envelope("text")), "r", NOW)
    for value in (envelope(None), envelope("")):
        with pytest.raises(NotReady, match="nothing to tell of r yet"):
            wire.judge(head(value), "r", NOW)
    with pytest.raises(Unauthorized):
        wire.judge(head(envelope(None, {"code": 401})), "r", NOW)
    with pytest.raises(NotFound):
        wire.judge(head(envelope(None, {"code": 404}), 404, complete=False), "r", NOW)


def test_of_a_long_file_the_beginning_is_judged() -> None:
    def head(prefix: bytes) -> Head:
        return Head(200, {"content-type": "text/html"}, prefix, False)

    wire.judge(head(b' {"error": null, "data": "' + b"x" * 100), "r", NOW)
    wire.judge(head(b'{"data": "' + b"x" * 100), "r", NOW)
    for prefix in (b'{"error":{"code":500', b' { "error" : "no', b'{"error":nullify'):
        with pytest.raises(Refused, match="with an error"):
            wire.judge(head(prefix), "r", NOW)
    with pytest.raises(BadAnswer, match="text/html"):
        wire.judge(head(b"<html>"), "r", NOW)
    with pytest.raises(BadAnswer, match="no stated type"):
        wire.judge(Head(200, {}, b"[1,", False), "r", NOW)


# Whatever comes


@given(ENVELOPE | ANY_JSON, st.sampled_from([200, 204, 302, 400, 401, 404, 429, 500]), st.booleans())
def test_any_answer_is_a_value_or_an_error_in_words(value: Any, status: int, complete: bool) -> None:
    got = answer(value, status)
    try:
        catchup = wire.parse_catchup(got, "r", NOW)
        assert 200 <= status < 300
        assert catchup.text == catchup.text.strip()
    except ProviderError as error:
        assert error.words  # noqa: PT017 - a value is right as well
    try:
        wire.judge(Head(status, got.headers, got.content, complete), "r", NOW)
    except ProviderError as error:
        assert error.words  # noqa: PT017 - it may be a catch-up
