"""Requests as documented, and what answers mean."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import (
    BadAnswer,
    Forbidden,
    Gone,
    Head,
    NotFound,
    NotReady,
    NotTrusted,
    ProviderError,
    RateLimited,
    Refused,
    ServiceDown,
    Unauthorized,
)
from providers.flexperto import wire
from providers.flexperto.wire import Family
from providers.messages import Answer
from tests.providers.flexperto.test_record import JSON, RECORDS

BASE = "https://acme.live.flexperto.com/api/v2"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZIP = b"PK\x03\x04rest"


def answer(body: object, status: int = 200, kind: str = "application/json") -> Answer:
    return Answer(status, {"content-type": kind}, json.dumps(body).encode())


def head(status: int = 200, prefix: bytes = ZIP, kind: str = "application/zip", complete: bool = False) -> Head:
    return Head(status, {"content-type": kind} if kind else {}, prefix, complete)


def judge(one: Head) -> None:
    wire.judge_download("a1", lambda: NOW)(one)


@pytest.mark.parametrize(
    "given_url",
    [
        "https://acme.live.flexperto.com",
        "https://acme.live.flexperto.com/",
        "https://acme.live.flexperto.com/api/v2",
        " https://acme.live.flexperto.com/api/v2// ",
        "https://acme.live.flexperto.com/api/v2/spec",
    ],
)
def test_the_base_is_the_same_however_it_is_given(given_url: str) -> None:
    assert wire.api_base(given_url) == BASE


def test_a_base_under_a_path() -> None:
    assert wire.api_base("http://127.0.0.1:8080/flexperto/") == "http://127.0.0.1:8080/flexperto/api/v2"


@pytest.mark.parametrize(
    "given_url", [None, "", "acme", "ftp://a", "https://u@a.example", "https://a.example?x", "https://a.example/#x"]
)
def test_what_is_no_base(given_url: object) -> None:
    with pytest.raises(NotTrusted, match="base_url"):
        wire.api_base(given_url)


def test_the_paths() -> None:
    root = f"{BASE}/communication"
    assert wire.list_request(BASE, Family.CURRENT).url == f"{root}/conferences/archives"
    assert wire.list_request(BASE, Family.LEGACY).url == f"{root}/archives/archives"
    assert wire.record_request(BASE, "a/1").url == f"{root}/archives/archives/a%2F1"
    assert wire.download_url(BASE, "a1") == f"{root}/archives/archives/a1/download"
    current = wire.abandon_request(BASE, Family.CURRENT, archive_id="a1", conference_id="c1")
    assert (current.method, current.url) == ("POST", f"{root}/conferences/conferences/c1/archive/abandon")
    legacy = wire.abandon_request(BASE, Family.LEGACY, archive_id="a1", conference_id="")
    assert (legacy.method, legacy.url) == ("POST", f"{root}/archives/archives/a1/abandon")


def test_one_id_never_stands_in_for_the_other() -> None:
    with pytest.raises(Refused, match="by conference only"):
        wire.abandon_request(BASE, Family.CURRENT, archive_id="a1", conference_id="")
    with pytest.raises(Refused, match="cannot be one of"):
        wire.abandon_request(BASE, Family.LEGACY, archive_id="", conference_id="c1")


@pytest.mark.parametrize("value", ["", ".", "..", "a\n", "\x1b", "x" * 999])
def test_ids_that_would_change_the_path_are_refused(value: str) -> None:
    with pytest.raises(Refused):
        wire.segment(value)


@given(st.text(min_size=1, max_size=50))
def test_a_segment_stays_one(value: str) -> None:
    try:
        part = wire.segment(value)
    except Refused:
        return
    assert part not in ("", ".", "..")
    assert not set(part) & set("/?#\\ ")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (410, Gone),
        (429, RateLimited),
        (500, ServiceDown),
        (503, ServiceDown),
        (400, Refused),
        (409, Refused),
        (302, BadAnswer),
    ],
)
def test_failures_are_named_with_the_services_words(status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(kind) as caught:
        wire.require_ok(answer({"message": "said\nso", "code": "X_1"}, status), "the list", NOW)
    assert str(status) in str(caught.value)
    assert status == 302 or "said so (X_1)" in str(caught.value)


def test_the_wait_that_the_service_asks_for() -> None:
    busy = Answer(429, {"retry-after": "7"}, b"")
    assert wire.failure(busy, "the list", NOW).retry_after_s == 7


def test_an_administrators_token_is_asked_for() -> None:
    assert "administrator" in str(wire.failure(Answer(403, {}, b""), "the list", NOW))
    assert "administrator" in str(wire.failure(answer({"message": "no"}, 403), "the list", NOW))


def test_a_web_page_is_no_success() -> None:
    with pytest.raises(BadAnswer, match="web page"):
        wire.require_ok(Answer(200, {"content-type": "text/html; charset=utf-8"}, b"<html>"), "abandoning", NOW)
    assert wire.require_ok(Answer(204, {}, b""), "abandoning", NOW).status == 204


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "m", "code": 7}, "m (7)"),
        ({"error": "e"}, "e"),
        ({"error": {"message": "inner", "type": "T"}}, "inner (T)"),
        ({"code": "C", "message": ""}, "C"),
        ({"message": ["x"], "code": True}, ""),
        ({}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_what_the_service_said(body: object, words: str) -> None:
    assert wire.said(answer(body)) == words


@pytest.mark.parametrize("key", ["data", "item", "result"])
def test_a_record_in_an_envelope(key: str) -> None:
    body = {key: {"id": "a1", "status": "AVAILABLE", "conferenceId": "c1"}}
    assert wire.read_record(answer(body), "a1").assets[0].meeting_id == "c1"


@pytest.mark.parametrize("body", [None, [], "x", {}, {"message": "hello"}, {"id": "a1"}, {"data": []}])
def test_what_is_no_record(body: object) -> None:
    with pytest.raises(BadAnswer):
        wire.read_record(answer(body), "a1")


def test_a_record_that_is_not_json() -> None:
    with pytest.raises(BadAnswer, match="expected JSON"):
        wire.read_record(Answer(200, {}, b"<html>"), "a1")


@given(JSON | RECORDS | st.dictionaries(st.sampled_from(["data", "item"]), RECORDS), st.integers(200, 599))
def test_any_json_is_a_value_or_an_error(body: object, status: int) -> None:
    one = answer(body, status)
    try:
        listing = wire.read_record(wire.require_ok(one, "archive a1", NOW), "a1")
    except ProviderError as error:
        assert "\n" not in error.words  # noqa: PT017  # both ends are allowed
    else:
        assert listing.assets[0].variant == "a1"


@pytest.mark.parametrize(
    "one",
    [
        head(),
        head(kind=""),
        head(kind="application/octet-stream"),
        head(kind="text/plain"),  # the bytes say that it is a zip
        head(prefix=b"PK\x05\x06" + bytes(18), complete=True),
        head(prefix=b"P"),
        head(prefix=b""),
        head(206, prefix=b"anything"),
        head(206, prefix=b"anything", kind=""),
    ],
)
def test_a_zip_is_taken(one: Head) -> None:
    judge(one)


@pytest.mark.parametrize(
    ("one", "kind", "words"),
    [
        (head(prefix=b"", complete=True), BadAnswer, "empty"),
        (head(prefix=b"<html>", kind="text/html"), BadAnswer, "text/html came instead"),
        (head(prefix=b'{"message": "later"}', kind="application/json"), BadAnswer, "later"),
        (head(prefix=b"PKG is a text"), BadAnswer, "instead of the zip"),
        (head(prefix=b"\0\0\0\x18ftyp", kind=""), BadAnswer, "something came"),
        (head(206, kind="application/json"), BadAnswer, "part"),
        (head(206, kind="text/html; charset=utf-8"), BadAnswer, "part"),
        (head(206, kind="application/xml"), BadAnswer, "part"),
        (head(204, b""), BadAnswer, "no file"),
        (head(202, b'{"message": "PACKING"}'), NotReady, "PACKING"),
        (head(409, b""), NotReady, "HTTP 409"),
        (head(425, b""), NotReady, "HTTP 425"),
        (head(302, b""), BadAnswer, "redirects"),
        (head(401, b""), Unauthorized, "401"),
        (head(404, b'{"message": "no such archive"}'), NotFound, "no such archive"),
        (head(410, b""), Gone, "no longer has archive a1"),
        (head(416, b""), Refused, "416"),
        (head(502, b""), ServiceDown, "502"),
    ],
)
def test_what_is_no_zip(one: Head, kind: type[ProviderError], words: str) -> None:
    with pytest.raises(kind, match=words):
        judge(one)


@given(st.integers(100, 599), st.binary(max_size=40), st.text(max_size=20), st.booleans())
def test_any_head_is_taken_or_an_error(status: int, prefix: bytes, kind: str, complete: bool) -> None:
    try:
        judge(Head(status, {"content-type": kind}, prefix, complete))
    except ProviderError:
        return
    assert status == 206 or prefix[:2] == b"PK"[: len(prefix)]
