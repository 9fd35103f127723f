"""The CC-Gateway's requests and answers, without a network."""

import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import base
from providers.huawei import wire
from providers.messages import Answer
from providers.secret import Secret

NOW = datetime(2026, 5, 1, tzinfo=UTC)
JSON = {"content-type": "application/json;charset=UTF-8"}
FILE = {"content-type": "application/octet-stream;charset=utf-8"}
GATEWAY = wire.Gateway.of("https://10.0.0.5:8043", "1001")


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, JSON | {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(body).encode())


@pytest.mark.parametrize("tail", ["", "/", "/agentgateway", "/agentgateway/resource", "/agentgateway/resource/"])
def test_base_url_is_taken_with_and_without_its_path(tail: str) -> None:
    gateway = wire.Gateway.of(f" https://10.0.0.5:8043{tail}", " 1001 ")
    assert gateway.poll().url == "https://10.0.0.5:8043/agentgateway/resource/agentevent/1001"
    assert str(gateway.origin) == "https://10.0.0.5:8043"


def test_base_url_and_agent_id_that_are_none() -> None:
    with pytest.raises(base.NotTrusted, match="base_url"):
        wire.Gateway.of("10.0.0.5:8043", "1001")
    for agent in ("", "../1", "a1", "１００１"):
        with pytest.raises(base.NotFound, match="agent_id"):
            wire.Gateway.of("https://10.0.0.5", agent)
    assert wire.Gateway.of("https://10.0.0.5", "999999").agent_id == "999999"


def test_signing_in_is_busy_and_never_answers_by_itself() -> None:
    request = GATEWAY.sign_in("40038", Secret("pw"), wire.VIDEO_AGENT)
    assert (request.method, urlsplit(request.url).path) == ("PUT", "/agentgateway/resource/onlineagent/1001")
    assert json.loads(request.content) == {
        "password": "pw",
        "phonenum": "40038",
        "autoanswer": False,
        "autoenteridle": False,
        "agenttype": 11,
        "status": 3,
    }
    assert "pw" not in repr(request)


def test_the_other_requests() -> None:
    assert (GATEWAY.sign_out().method, GATEWAY.sign_out().url[-12:]) == ("DELETE", "/1001/logout")
    assert (GATEWAY.status().method, GATEWAY.status().url[-17:]) == ("GET", "/1001/agentstatus")
    assert GATEWAY.poll().read_timeout_s == 20  # an empty poll takes 10 s


def test_file_addresses_percent_encode_what_they_carry() -> None:
    url = GATEWAY.file_url(
        {"interface": "videofiledownload", "conferenceId": "a b&c", "recordId": "r", "fileType": "0"}
    )
    assert url.endswith("/recordfile/1001/videofiledownload?conferenceId=a%20b%26c&recordId=r&fileType=0")
    url = GATEWAY.file_url({"interface": "videofiledownload", "conferenceId": "c", "fileType": "2", "callId": "9"})
    assert url.endswith("/videofiledownload?conferenceId=c&fileType=2")
    url = GATEWAY.file_url({"interface": "videofiledownloadEx", "recordId": "Y:/1/0/a.mp4", "locationId": "255"})
    assert url.endswith("/recordfile/1001/videofiledownloadEx?recordId=Y%3A%2F1%2F0%2Fa.mp4&locationId=255")
    url = GATEWAY.file_url({"interface": "recordfile", "recordId": "y:\\1\\a.V3", "locationId": "255"})
    assert urlsplit(url).path.endswith("/recordfile/1001")
    assert parse_qs(urlsplit(url).query) == {"recordId": ["y:\\1\\a.V3"], "filetype": ["1"], "locationId": ["255"]}
    assert "\\" not in url


@pytest.mark.parametrize(
    "locator",
    [
        {},
        {"interface": "videofiledownload", "conferenceId": "c"},
        {"interface": "videofiledownload", "fileType": "0"},
        {"interface": "videofiledownloadEx"},
        {"interface": "recordfile", "recordId": ""},
        {"interface": "other", "recordId": "r"},
    ],
)
def test_a_locator_without_its_ids_is_not_found(locator: dict[str, str]) -> None:
    with pytest.raises(base.NotFound):
        GATEWAY.file_url(locator)


@pytest.mark.parametrize(
    ("text", "guid"),
    [
        ("JSESSIONID=279fe21d-2caa.AgentGateway0", "279fe21d-2caa.AgentGateway0"),
        ("JSESSIONID=ab=cd==.AgentGateway0", "ab=cd==.AgentGateway0"),
        ("JSESSIONID=ab; Path=/", "ab"),
        ("f3" * 24 + ".AgentGateway0", "f3" * 24 + ".AgentGateway0"),
    ],
)
def test_the_guid_is_what_follows_the_first_equals_sign(text: str, guid: str) -> None:
    found = wire.guid_of(text)
    assert found is not None
    assert found.reveal() == guid


def test_no_guid_and_a_guid_that_cannot_be_one() -> None:
    assert wire.guid_of(" ") is None
    assert wire.guid_of("JSESSIONID=") is None
    with pytest.raises(base.BadAnswer):
        wire.guid_of("JSESSIONID=\x1b[2J")


def test_signing_in_gives_the_guid_from_either_header() -> None:
    result = {"mediatype": "TTF", "isForceChange": "false", "timeRemaining": "9"}
    body = {"message": "", "retcode": "0", "result": result}
    signed = wire.read_sign_in(answer(body, set_guid="JSESSIONID=new", guid="old"), NOW)
    assert (signed.guid.reveal(), signed.words) == ("new", "media TTF, the password is good for 9 days")
    assert wire.read_sign_in(answer({"retcode": 0, "result": []}, guid="old"), NOW) == wire.SignedIn(Secret("old"), "")
    forced = {"retcode": "0", "result": {"isForceChange": True, "timeRemaining": "0"}}
    assert wire.read_sign_in(answer(forced, guid="g"), NOW).words == "the password must be changed"
    with pytest.raises(base.BadAnswer, match="no Guid"):
        wire.read_sign_in(answer(body, set_guid=" "), NOW)


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("000-003", base.SessionLost),
        ("100-006", wire.NotSignedIn),
        ("100-008", wire.NotSignedIn),
        ("100-002", wire.AlreadySignedIn),
        ("100-004", base.Unauthorized),
        ("100-012", wire.WrongAgentType),
        ("000-004", base.ServiceDown),
        ("100-003", base.ServiceDown),
        ("104-001", base.Refused),
        ("108-005", base.Refused),
        (42, base.Refused),
    ],
)
def test_result_codes_count_under_any_status(code: object, error: type[base.ProviderError], status: int) -> None:
    body = answer({"retcode": code, "message": "no right to invite resouce", "result": ""}, status)
    with pytest.raises(error) as caught:
        wire.read_answer(body, NOW)
    assert type(caught.value) is error
    assert f"{code}: no right to invite resouce" in caught.value.words
    head = base.Head(status, FILE, body.content, complete=True)
    with pytest.raises(error):
        wire.judge(head, NOW)


def test_what_is_not_documented_gets_no_invented_text() -> None:
    def words(**record: Any) -> str:
        error = wire.error_of(record)
        assert error is not None
        return error.words

    assert words(retcode="108-003", message="Datei fehlt") == "108-003: Datei fehlt"
    assert words(retcode="108-003", message="") == "108-003: no message"
    assert words(retcode="104-001", msg="x") == "104-001: x (downloading recordings is not enabled at the gateway)"
    assert words(retcode="104-001", message=["x"]) == "104-001: downloading recordings is not enabled at the gateway"
    assert "\x1b" not in words(retcode="1\x1b", message="a\x1b[2J")
    assert "does not throw it out" in words(retcode="100-002", message="m")


def test_answers_that_are_none() -> None:
    bodies: tuple[object, ...] = (
        {},
        [],
        None,
        "x",
        {"retcode": None},
        {"retcode": True},
        {"retcode": 10**40},
        {"retcode": ["0"]},
    )
    for body in bodies:
        with pytest.raises(base.BadAnswer):
            wire.read_answer(answer(body), NOW)
    page = Answer(200, {"content-type": "text/html"}, b"<html>Please sign in</html>")
    with pytest.raises(base.BadAnswer, match="text/html"):
        wire.read_answer(page, NOW)
    huge = Answer(200, JSON, b'{"retcode":"0","x":"' + b"a" * 70_000 + b'"}')
    with pytest.raises(base.BadAnswer):
        wire.read_answer(huge, NOW)
    with pytest.raises(base.ServiceDown, match="502"):
        wire.read_answer(Answer(502, {}, b"bad gateway"), NOW)
    with pytest.raises(base.ServiceDown, match="odd"):
        wire.read_answer(answer({"retcode": "0", "message": "odd"}, 500), NOW)


def test_gbk_answers_are_read() -> None:
    text = '{"retcode":"108-001","message":"文件不存在"}'
    for headers, content in (
        ({"content-type": "application/json;charset=GBK"}, text.encode("gbk")),
        (JSON, text.encode("gbk")),
        ({"content-type": "application/json;charset=GBK"}, text.encode()),
        (JSON, b"\xef\xbb\xbf" + text.encode()),
    ):
        with pytest.raises(base.Refused, match="108-001: "):
            wire.read_answer(Answer(200, headers, content), NOW)
    with pytest.raises(base.Refused, match="文件不存在"):
        wire.read_answer(Answer(200, JSON, text.encode("gbk")), NOW)
    with pytest.raises(base.Refused, match="108-001"):
        wire.read_answer(Answer(200, JSON, b'{"retcode":"108-001","message":"\xff\xff"}'), NOW)


def test_polls_give_events_and_a_guid_only_when_it_changed() -> None:
    assert wire.read_poll(answer({"message": "", "retcode": "0"}), NOW) == wire.Poll()
    event = {"eventType": "AgentState_Busy", "content": None}
    poll = wire.read_poll(answer({"retcode": "0", "event": event}, set_guid="JSESSIONID=g2"), NOW)
    assert poll == wire.Poll((event,), Secret("g2"))
    several = wire.read_poll(answer({"retcode": "0", "event": [event, 1, None, {}, event]}), NOW)
    assert several.events == (event, event)
    assert several.guid is None


def fault(act: Callable[[], object]) -> base.ProviderError | None:
    """The ProviderError that something ends in; any other error is a failure of the test."""
    try:
        act()
    except base.ProviderError as error:
        return error
    return None


def harmless(text: str) -> bool:
    return bool(text) and not any(unicodedata.category(char) in ("Cc", "Cs") for char in text)


def judged(status: int, headers: dict[str, str], prefix: bytes, *, complete: bool = False) -> None:
    wire.judge(base.Head(status, headers, prefix, complete), NOW)


def test_files_pass() -> None:
    judged(200, FILE, b"\0\0\0\x18ftypisom")
    judged(206, {"content-type": "Application/Octet-Stream"}, b"x", complete=True)
    judged(200, {}, b"{ but no error")
    judged(200, {"content-type": "video/mp4"}, b"\0")


@pytest.mark.parametrize(
    ("status", "headers", "prefix", "error"),
    [
        (200, FILE, b"", base.NotReady),
        (200, {"content-type": "text/html"}, b"hello", base.BadAnswer),
        (200, FILE, b" <html><body>", base.BadAnswer),
        (200, FILE, b"<!DOCTYPE html>", base.BadAnswer),
        (200, {"content-type": "application/xml"}, b"<Error/>", base.BadAnswer),
        (200, JSON, b'{"retcode":"0"}', base.BadAnswer),
        (200, JSON, b"[]", base.BadAnswer),
        (200, JSON, b"not json", base.BadAnswer),
        (200, FILE, b'{"retcode": trunc', base.BadAnswer),
        (200, {}, b'\xef\xbb\xbf {"message":"m","retcode":"108-009"}', base.Refused),
        (404, FILE, b"", base.NotFound),
        (302, {}, b"", base.Refused),
        (503, {"content-type": "text/html"}, b"<html>", base.ServiceDown),
    ],
)
def test_what_is_no_file_is_refused(
    status: int, headers: dict[str, str], prefix: bytes, error: type[base.ProviderError]
) -> None:
    with pytest.raises(error):
        judged(status, headers, prefix, complete=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
records = json_values | st.fixed_dictionaries(
    {"retcode": json_values | st.sampled_from(["0", 0, "000-003"])},
    optional={"message": json_values, "event": json_values, "result": json_values},
)


@given(records, st.sampled_from([200, 204, 302, 401, 500]), st.text(max_size=20), st.text(max_size=30))
def test_any_answer_gives_a_value_or_a_provider_error(value: object, status: int, guid: str, kind: str) -> None:
    got = Answer(status, {"content-type": kind, "set-guid": guid}, json.dumps(value).encode())
    for read in (wire.read_answer, wire.read_poll, wire.read_sign_in):
        error = fault(partial(read, got, NOW))
        assert error is None or harmless(error.words)


@given(st.binary(max_size=200), st.sampled_from([200, 206, 404]), st.sampled_from([FILE, JSON, {}]), st.booleans())
def test_any_beginning_of_a_file_is_judged(prefix: bytes, status: int, headers: dict[str, str], complete: bool) -> None:
    error = fault(lambda: judged(status, headers, prefix, complete=complete))
    if error is None:
        assert status in (200, 206)
        assert headers is not JSON
    else:
        assert harmless(error.words)
