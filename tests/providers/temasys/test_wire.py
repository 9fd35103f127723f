"""Temasys' wire: what is sent, and what answers mean."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
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
    Unauthorized,
)
from providers.messages import Answer
from providers.models import NotificationChange, NotificationSettings
from providers.secret import Secret
from providers.temasys import wire

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:s3:region::bucketname/objectpath"
S3_SECRET = "iewmdfuasfwnwksd"
PAGE: dict[str, Any] = {
    "status": 1,
    "content": {
        "data": {
            "username": "temasys",
            "notify": True,
            "url": "https://site.com/events",
            "email": ["a@b.com", "b@c.com"],
            "s3Settings": {"s3Arn": ARN, "s3AccessKeyId": "akewjdwifuendjf", "s3SecretAccessKey": S3_SECRET},
        }
    },
}
CHANGE = NotificationChange(True, "https://site.com/events", ("a@b.com", "b@c.com"), ARN, "akewjdwifuendjf")
STORED = wire.Stored(
    NotificationSettings(exists=True, s3_arn=ARN, s3_access_key_id="akewjdwifuendjf", has_s3_secret=True),
    Secret(S3_SECRET),
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
DATA = st.fixed_dictionaries(
    dict.fromkeys(("notify", "url", "email", "username"), ANY_JSON)
    | {"s3Settings": ANY_JSON | st.fixed_dictionaries({"s3Arn": ANY_JSON, "s3SecretAccessKey": ANY_JSON})}
)
SHAPED = st.fixed_dictionaries(
    {
        "status": st.sampled_from([1, 0, -1, "1", "0", None, True]) | ANY_JSON,
        "content": ANY_JSON | st.fixed_dictionaries({"data": DATA}),
        "message": ANY_JSON,
    }
)


def answer(value: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {"content-type": "application/json", **headers}, json.dumps(value).encode())


def test_addresses_have_one_slash() -> None:
    for base in ("https://t.example/x", "https://t.example/x/"):
        assert wire.read_request(base).url == "https://t.example/x/rest/recording/notifications"
        assert wire.login_request(base, "rest/login", "u", Secret("p")).url == "https://t.example/x/rest/login"


def test_the_login_is_json_and_is_not_printed() -> None:
    request = wire.login_request("https://t.example", "/rest/login", "temasys", Secret("open-sesame"))
    assert request.method == "POST"
    assert json.loads(request.content) == {"username": "temasys", "password": "open-sesame"}
    assert "open-sesame" not in repr(request)


def test_what_is_sent_is_the_pages_flat_shape() -> None:
    whole = wire.completed(CHANGE, STORED)
    request = wire.save_request("https://t.example", whole, exists=True)
    assert request.method == "PUT"
    assert json.loads(request.content) == {
        "notify": True,
        "url": "https://site.com/events",
        "email": "a@b.com,b@c.com",
        "s3Arn": ARN,
        "s3AccessKeyId": "akewjdwifuendjf",
        "s3SecretAccessKey": S3_SECRET,
    }


def test_creating_leaves_out_what_is_empty_and_updating_clears_it() -> None:
    change = NotificationChange(False)
    assert wire.save_request("https://t.example", change, exists=False).method == "POST"
    assert wire.save_body(change, exists=False) == {"notify": False}
    assert wire.save_body(change, exists=True) == {"notify": False, "url": "", "email": ""}


def test_the_pages_example_is_read() -> None:
    stored = wire.parse_settings(answer(PAGE), NOW)
    assert stored.settings == NotificationSettings(
        exists=True,
        notify=True,
        url="https://site.com/events",
        emails=("a@b.com", "b@c.com"),
        s3_arn=ARN,
        s3_access_key_id="akewjdwifuendjf",
        has_s3_secret=True,
        username="temasys",
    )
    assert stored.s3_secret == Secret(S3_SECRET)
    assert S3_SECRET not in repr(stored)


def test_url_and_s3_settings_may_be_missing() -> None:
    read = wire.parse_settings(answer({"status": 1, "content": {"data": {"notify": False, "email": []}}}), NOW)
    assert read == wire.Stored(NotificationSettings(exists=True))


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        *[(True, True), (1, True), ("1", True), (" true ", True)],
        *[(False, False), (0, False), ("0", False), ("false", False), (None, False), ([1], False), (2, False)],
    ],
)
def test_notify_is_a_boolean_a_number_or_a_text(value: object, flag: bool) -> None:
    read = wire.parse_settings(answer({"status": 1, "content": {"data": {"notify": value}}}), NOW)
    assert read.settings.notify is flag


@pytest.mark.parametrize("emails", [["a@b.com", "b@c.com"], "a@b.com;b@c.com", ["a@b.com b@c.com", None, 7]])
def test_emails_are_an_array_or_a_text(emails: object) -> None:
    read = wire.parse_settings(answer({"status": 1, "content": {"data": {"notify": 1, "email": emails}}}), NOW)
    assert read.settings.emails == ("a@b.com", "b@c.com")


@pytest.mark.parametrize("masked", ["****************", "••••••••", "****wksd", "gehéim"])
def test_a_masked_secret_is_there_but_is_not_kept(masked: str) -> None:
    data = {"notify": 1, "s3Settings": {"s3Arn": ARN, "s3AccessKeyId": "A", "s3SecretAccessKey": masked}}
    read = wire.parse_settings(answer({"status": 1, "content": {"data": data}}), NOW)
    assert read.settings.has_s3_secret
    assert read.s3_secret is None


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"status": 0}, 200),
        ({"status": "0", "content": None}, 404),
        ({"status": 0, "content": {}}, 400),
        ({"status": 0, "content": {"data": None}}, 200),
        ({"status": 0, "content": "No notification settings found"}, 404),
        ({"status": 0, "content": {"message": "Notification does not exist"}}, 200),
        ({"status": 1}, 200),
        ({"status": 1, "content": {"data": {}}}, 200),
        ({"status": 1, "content": {"data": []}}, 200),
    ],
)
def test_nothing_is_set_yet(value: object, status: int) -> None:
    assert wire.parse_settings(answer(value, status), NOW) == wire.Stored(NotificationSettings(exists=False))


@pytest.mark.parametrize(
    ("value", "status", "kind", "words"),
    [
        ({"status": -1}, 200, Unauthorized, "not authorised"),
        ({"status": -1, "content": "who?"}, 500, Unauthorized, "who?"),
        ({"status": 0, "content": "the disk is full"}, 200, Refused, "the disk is full"),
        ({"status": 0, "content": {"data": [1]}}, 200, Refused, "it gives no reason"),
        ({"status": 0, "content": {"error": {"x": 1}, "reason": "mixed up"}}, 400, Refused, "mixed up"),
        ({"status": 0}, 500, ServiceDown, "500"),
        ({"status": 0}, 403, Forbidden, "403"),
        ({"message": "slow down"}, 429, RateLimited, "slow down"),
        ({"message": "no such path"}, 404, NotFound, "no such path"),
        ({"status": 1, "content": {"data": "text"}}, 200, BadAnswer, "no object"),
        ({"status": True}, 200, BadAnswer, "base_url"),
        ([], 200, BadAnswer, "base_url"),
        ({"status": 2}, 201, BadAnswer, "base_url"),
        (None, 302, Refused, "302"),
    ],
)
def test_failures_in_words(value: object, status: int, kind: type[ProviderError], words: str) -> None:
    with pytest.raises(kind, match=words):
        wire.parse_settings(answer(value, status), NOW)


def test_a_page_is_no_answer() -> None:
    with pytest.raises(BadAnswer, match="text/html"):
        wire.parse_settings(Answer(200, {"content-type": "text/html"}, b"<html>"), NOW)


def test_saving_may_give_nothing_back_and_a_refusal_is_never_nothing() -> None:
    assert wire.parse_saved(answer({"status": 1}), NOW) is None
    assert wire.parse_saved(answer(PAGE), NOW) == wire.parse_settings(answer(PAGE), NOW)
    for value in ({"status": 0}, {"status": 0, "content": "no settings found"}):
        with pytest.raises(Refused):
            wire.parse_saved(answer(value), NOW)


def test_an_echoed_secret_is_masked() -> None:
    told = {"status": 0, "content": f"{S3_SECRET} is no key"}
    with pytest.raises(Refused) as raised:
        wire.parse_saved(answer(told), NOW, (Secret(S3_SECRET),))
    assert "is no key" in str(raised.value)
    assert S3_SECRET not in str(raised.value)


@pytest.mark.parametrize("status", [200, 204, 302])
def test_a_login_that_sets_a_cookie_is_one(status: int) -> None:
    wire.check_login(answer({"status": 1}, status, **{"set-cookie": "a=b"}), "/rest/login", NOW)


@pytest.mark.parametrize(
    ("value", "status", "kind", "words"),
    [
        ({"status": -1, "content": "no"}, 200, Unauthorized, "user name and password: no"),
        ({"status": 0}, 200, Unauthorized, "user name and password"),
        ({}, 401, Unauthorized, "user name and password"),
        ({}, 404, NotFound, "login_path"),
        ({}, 503, ServiceDown, "503"),
        ({"status": -1}, 429, RateLimited, "429"),
        ({}, 400, Refused, "400"),
        ({"status": 1}, 200, BadAnswer, "no session cookie"),
    ],
)
def test_a_login_that_fails(value: object, status: int, kind: type[ProviderError], words: str) -> None:
    with pytest.raises(kind, match=words):
        wire.check_login(answer(value, status), "/rest/login", NOW)


def test_the_password_is_not_echoed() -> None:
    with pytest.raises(Unauthorized) as raised:
        wire.check_login(answer({"status": -1, "content": "open-sesame?"}), "/l", NOW, (Secret("open-sesame"),))
    assert "open-sesame" not in str(raised.value)


def test_a_lost_session_is_seen() -> None:
    assert wire.is_unauthorized(answer({"status": -1}))
    assert wire.is_unauthorized(answer(None, 401))
    assert not wire.is_unauthorized(answer(PAGE))


# The secret trap


def test_the_stored_secret_is_sent_again_for_the_same_key_id() -> None:
    assert wire.completed(CHANGE, STORED).s3_secret_access_key == Secret(S3_SECRET)


def test_a_typed_secret_outranks_the_stored_one() -> None:
    typed = NotificationChange(True, s3_arn=ARN, s3_access_key_id="new", s3_secret_access_key=Secret("typed"))
    assert wire.completed(typed, STORED) is typed


def test_without_s3_nothing_of_it_is_sent() -> None:
    change = NotificationChange(True, "https://site.com")
    assert wire.completed(change, STORED) is change
    assert "s3SecretAccessKey" not in wire.save_body(change, exists=True)


def test_a_masked_secret_is_never_sent_back() -> None:
    masked = wire.Stored(STORED.settings, None)
    with pytest.raises(Refused, match="type the secret access key again"):
        wire.completed(CHANGE, masked)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (NotificationChange(True, s3_arn=ARN, s3_access_key_id="other"), "another access key id"),
        (NotificationChange(True, s3_arn=ARN), "access key id is missing"),
        (NotificationChange(True, url="site.com"), "url: must begin"),
        (NotificationChange(True, emails=("a",), url="x"), "url: .*; email: a is no"),
    ],
)
def test_what_is_wrong_is_not_sent(change: NotificationChange, words: str) -> None:
    with pytest.raises(Refused, match=words):
        wire.completed(change, STORED)


def test_the_preview_shows_everything_but_the_secret() -> None:
    typed = NotificationChange(True, "https://s.com", ("a@b.com",), ARN, "AKIA", Secret("wJalr-secret"))
    text = wire.preview(typed, exists=False)
    head, _, body = text.partition("\n")
    assert head == "POST /rest/recording/notifications"
    assert json.loads(body) == {
        "notify": True,
        "url": "https://s.com",
        "email": "a@b.com",
        "s3Arn": ARN,
        "s3AccessKeyId": "AKIA",
        "s3SecretAccessKey": wire.MASK,
    }
    kept = wire.preview(CHANGE, exists=True)
    assert kept.startswith("PUT ")
    assert "the one stored there" in kept
    assert "s3SecretAccessKey" not in wire.preview(NotificationChange(True), exists=True)


def test_what_the_service_kept_is_told() -> None:
    wire.check_cleared(NotificationChange(True), NotificationSettings(exists=True))
    wire.check_cleared(CHANGE, wire.parse_settings(answer(PAGE), NOW).settings)
    with pytest.raises(Refused, match=r"was saved, but the service kept url and the S3 settings"):
        wire.check_cleared(NotificationChange(True), NotificationSettings(exists=True, url="https://x", s3_arn=ARN))


# The links


@pytest.mark.parametrize(
    ("link", "hosts"),
    [
        ("https://b.s3.amazonaws.com/x.mp4?X-Amz-Signature=1", ["*.amazonaws.com"]),
        ("https://media.example:8443/x", ["other", "media.example:8443"]),
    ],
)
def test_a_link_to_an_allowed_host(link: str, hosts: list[str]) -> None:
    wire.check_host(Secret(link), "https://api.temasys.example", hosts)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://evil.example/x.mp4?sig=geheim", "evil.example, which is not among download_hosts"),
        ("https://b.s3.amazonaws.com.evil.example/x", "evil.example"),
        ("https://127.0.0.1:9/x?sig=geheim", "127.0.0.1:9"),
        ("http://b.s3.amazonaws.com/x?sig=geheim", "not encrypted"),
        ("https://user@b.s3.amazonaws.com/x", "no http"),
        ("file:///etc/passwd", "no http"),
    ],
)
def test_a_link_that_is_not_trusted(link: str, words: str) -> None:
    with pytest.raises(NotTrusted, match=words) as raised:
        wire.check_host(Secret(link), "https://api.temasys.example", ["*.amazonaws.com"])
    assert "geheim" not in str(raised.value)


def test_loopback_may_lead_to_loopback_only() -> None:
    wire.check_host(Secret("http://127.0.0.1:1234/x"), "http://localhost:9", [])
    with pytest.raises(NotTrusted):
        wire.check_host(Secret("https://b.s3.amazonaws.com/x"), "http://localhost:9", [])


def xml(code: str) -> bytes:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>Request has expired</Message></Error>'.encode()


def test_a_recording_is_one() -> None:
    wire.judge(Head(200, {"content-type": "video/mp4"}, b"\0\0\0\x18ftyp", False), NOW)
    wire.judge(Head(200, {}, b"\0\0\0\x18ftyp", True), NOW)
    wire.judge(Head(206, {"content-type": "video/mp4"}, b"<in the middle", False), NOW)


@pytest.mark.parametrize(
    ("status", "kind", "prefix", "error", "words"),
    [
        (403, "application/xml", xml("AccessDenied"), Gone, "the link has run out .* no way to get a new one"),
        (400, "application/xml", xml("ExpiredToken"), Gone, "run out"),
        (403, "application/xml", xml("SignatureDoesNotMatch"), Forbidden, "SignatureDoesNotMatch"),
        (404, "application/xml", xml("NoSuchKey"), Gone, "NoSuchKey"),
        (403, "text/html", b"no", Forbidden, "403"),
        (410, "", b"", Gone, "410"),
        (503, "application/xml", xml("SlowDown"), ServiceDown, "SlowDown"),
        (307, "", b"", Refused, "not followed"),
        (416, "", b"", Refused, "416"),
        (200, "text/html", b"<html>", BadAnswer, "text/html"),
        (200, "application/json", b"{}", BadAnswer, "json"),
        (200, "application/xml", b"<a/>", BadAnswer, "xml"),
        (206, "text/xml", b"x", BadAnswer, "xml"),
        (200, "video/mp4", b"\n <html>", BadAnswer, "page of text"),
        (200, "video/mp4", b'{"a":1}', BadAnswer, "page of text"),
        (200, "video/mp4", b"", BadAnswer, "0 bytes"),
    ],
)
def test_what_is_no_recording(status: int, kind: str, prefix: bytes, error: type[ProviderError], words: str) -> None:
    with pytest.raises(error, match=words):
        wire.judge(Head(status, {"content-type": kind}, prefix, True), NOW)


# Whatever comes


@given(SHAPED | ANY_JSON, st.sampled_from([200, 201, 302, 400, 401, 404, 429, 500]))
def test_any_answer_is_a_value_or_an_error_in_words(value: object, status: int) -> None:
    got = answer(value, status)
    wire.is_unauthorized(got)
    reads: list[Callable[[], object]] = [
        lambda: wire.parse_settings(got, NOW),
        lambda: wire.parse_saved(got, NOW),
        lambda: wire.check_login(got, "/rest/login", NOW),
    ]
    for read in reads:
        try:
            read()
        except ProviderError as error:
            assert error.words  # noqa: PT017 - a value is right as well


@given(st.binary(), st.integers(100, 599), st.booleans(), st.sampled_from(["", "video/mp4", "text/html"]))
def test_any_beginning_is_judged(prefix: bytes, status: int, complete: bool, kind: str) -> None:
    try:
        wire.judge(Head(status, {"content-type": kind}, prefix, complete), NOW)
    except ProviderError as error:
        assert error.words  # noqa: PT017 - it may be a file
    else:
        assert status in (200, 206)
