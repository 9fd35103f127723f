"""Whatever is sent to a receiver: an announcement, or one of the three errors, and soon."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import asdict, replace

from providers import registry
from providers.base import MissingSecret, NotAuthentic, Provider, Unreadable
from providers.cronofy import webhook as cronofy
from providers.kept import MAX_COST
from providers.models import Announcement, Delivery
from providers.secret import Secret
from tests.providers.box import settings_for

LARGEST = 256 * 1024
MOST_S = 0.5
"""Of this thread's own time, for 256 KiB. It takes under 50 ms; what this finds takes more than 5 s."""
KEY = "CRN_NggYusqPGLxwjw5FHOJYOqSrTPNXy8WQf14OID"
BASES = {
    "cronofy": "https://api.cronofy.com",
    "flexperto": "https://a.live.flexperto.com",
    "temasys": "https://t.example",
}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"


def client(name: str, secrets: Mapping[str, str]) -> Provider:
    settings = settings_for(registry.info(name), "desk", base_url=BASES[name])
    return registry.connect(settings, lambda field: Secret(secrets[field]) if field in secrets else None)


CLIENTS = {name: client(name, {"api_key": KEY}) for name in BASES}


def delivery(body: bytes, kind: str = JSON, **headers: str) -> Delivery:
    """With a right signature, so that what is behind it is reached."""
    return Delivery({"content-type": kind, cronofy.HEADER: cronofy.sign(body, KEY), **headers}, body)


def outcomes(sent: Delivery, names: tuple[str, ...] = tuple(CLIENTS)) -> Iterator[Announcement]:
    """What comes of it, verified and trusted; anything but an announcement or the stated errors goes through."""
    for name in names:
        for trusted in (False, True):
            refusals = Unreadable if trusted else (NotAuthentic, Unreadable)
            began = time.thread_time()
            try:
                said = CLIENTS[name].read_delivery(sent, trusted=trusted)
            except refusals as refusal:
                assert str(refusal).isprintable(), refusal  # noqa: PT017 - an announcement is right as well
            else:
                assert len(said.redacted_body) < 8 * MAX_COST
                yield said
            assert time.thread_time() - began < MOST_S, name


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, Mapping):
        yield from texts(tuple(value.items()))
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, Struct):
        for item in asdict(value).values():
            yield from texts(item)
    else:
        assert value is None or isinstance(value, bool | int | datetime), value


def can_be_kept(said: Announcement) -> bool:
    """A ledger takes what has a UTF-8, and nothing in it acts on a terminal."""
    return all(text.encode() or text == "" for text in texts(said)) and "\x1b" not in "".join(texts(said))


def nested(depth: int, inner: str = "1") -> str:
    return "[" * depth + inner + "]" * depth


NAMES = [
    *("notification", "interactions", "type", "event", "summary", "start", "end", "conferencing", "join_url"),
    *("meeting_agent", "sub", "state", "resources", "category", "url", "time", "token", "api_key"),
    *("meta", "topic", "data", "archive_id", "archive_subject", "conference_id"),
    *("meetingId", "apiKey", "unixTime", "roomId", "participants", "startTime", "endTime", "retrievalUrl", "content"),
]
ODD = [
    *("null", "true", "0", "-0", "-1", "1528288860", "1528288860123", "253402300800", "1e999", "-1e999", "1e-999"),
    *("NaN", "Infinity", "-Infinity", "9" * 4300, "9" * 4301, "-" + "9" * 4300, "0." + "1" * 5000, "1_0", "0x1", "01"),
    *('"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\\u001b[2J"', '"\\u202e"', '"NaN"', '"1e308"', '"inf"', '"1_0"'),
    *('"https://api.cronofy.com/r"', '"https://[::1]:0/?sig=x"', '"http://a:99999/"', '"https://[bad?x"', '"x://"'),
    *('"https://b.example/x?X-Amz-Date=99991231T235959Z&X-Amz-Expires=999999999999"', '"https://b/?Signature&Expires"'),
    *('"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59-23:59"', '"2026-01-01T00:00:00+99:99"', '"24:00"'),
    *('"Mon, 99 Foo 99999999999999999999 99:99:99 +9999"', '"Mon, 01 Jan 0000 00:00:00 -0000"', '"1 1 1 1 1"', '","'),
    *('"communication.archives.archive.available"', '"communciation.conferences.conference.close"', '"agt_1"', '".."'),
    f'"{KEY}"',
]
SCALARS = st.sampled_from(ODD) | st.text(max_size=20).map(json.dumps) | st.integers(1, 1200).map(nested)


def an_object(fields: list[tuple[str, str]]) -> str:
    """Names may stand in it twice."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(NAMES), inner), max_size=6).map(an_object)
    ),
    max_leaves=12,
)
TEMPLATES = [
    '{"notification":{"interactions":[{"type":@}],"type":@},"event":@,"meeting_agent":@}',
    '{"notification":{},"event":{"summary":@,"start":@,"end":{"time":@},"conferencing":{"join_url":@},"tzid":@},'
    '"meeting_agent":{"sub":"agt_1","state":@,"resources":[{"category":@,"type":@,"url":@}]}}',
    '{"meeting_agent":{"sub":"agt_1","resources":[{"category":"video","type":"conference","url":@,"x":@}]}}',
    '{"meta":{"topic":@},"data":@}',
    '{"meta":{"topic":"communication.archives.archive.available"},"data":{"archive_id":@,"archive_subject":@}}',
    '{"meta":{"topic":"communication.conferences.conference.close"},"data":{"conference_id":@},"x":@}',
    '{"meetingId":@,"apiKey":@,"unixTime":@,"roomId":@,"participants":@,"startTime":@,"endTime":@,"retrievalUrl":@}',
    f'{{"meetingId":"m","apiKey":"{KEY}","unixTime":1528288860,"startTime":@,"endTime":@,"retrievalUrl":@,"x":@}}',
]


def filled(template: str, values: list[str]) -> bytes:
    first, *rest = template.split("@")
    return (first + "".join(values[n % len(values)] + part for n, part in enumerate(rest))).encode("utf-8", "replace")


@given(st.sampled_from(TEMPLATES), st.lists(VALUES, min_size=1, max_size=8))
def test_any_json_in_the_places_that_are_read(template: str, values: list[str]) -> None:
    for said in outcomes(delivery(filled(template, values))):
        assert said.key
        assert can_be_kept(said)


@given(VALUES, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le", "latin-1"]))
def test_any_json_in_any_encoding(text: str, encoding: str) -> None:
    for said in outcomes(delivery(text.encode(encoding, "replace"))):
        assert can_be_kept(said)


@given(
    st.binary(max_size=64),
    st.binary(max_size=12),
    st.integers(0, 30_000),
    st.sampled_from([JSON, FORM, PARTS, "", ";"]),
)
def test_any_bytes_up_to_the_largest_body(begin: bytes, unit: bytes, times: int, kind: str) -> None:
    for said in outcomes(delivery((begin + unit * times)[:LARGEST], kind)):
        assert can_be_kept(said)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=30)), max_size=12), st.binary(max_size=40))
def test_any_form_in_parts(fields: list[tuple[str, str]], rest: bytes) -> None:
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields]
    body = b"--x\r\n" + "\r\n--x\r\n".join(parts).encode("utf-8", "replace") + b"\r\n--x" + rest
    for said in outcomes(delivery(body, PARTS)):
        assert can_be_kept(said)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_header_values(kind: str, signature: str) -> None:
    body = b'{"meetingId":"m","unixTime":1}'
    kinds = (kind, f"multipart/form-data;{kind}", f"multipart/form-data; boundary={kind}")
    for content_type in kinds:
        sent = Delivery({"content-type": content_type, cronofy.HEADER: signature}, body)
        with pytest.raises(NotAuthentic):
            CLIENTS["cronofy"].read_delivery(sent)
        assert not list(outcomes(sent, ("flexperto",)))
        for said in outcomes(sent, ("temasys",)):
            assert can_be_kept(said)


@pytest.mark.parametrize("depth", range(880, 1000, 4))
def test_every_depth_around_the_recursion_limit(depth: int) -> None:
    for template in TEMPLATES:
        for said in outcomes(delivery(filled(template, [nested(depth)]))):
            assert can_be_kept(said)
    assert [said.topic for said in outcomes(delivery(b'{"meta":{"topic":"x"}}'), ("flexperto",))] == ["x", "x"]


def string(unit: str) -> Callable[[int], str]:
    return lambda size: '"' + unit * (size // len(unit.encode())) + '"'


def array(item: str) -> Callable[[int], str]:
    return lambda size: "[" + ",".join([item] * (size // (len(item) + 1))) + "]"


HEAVY = {
    "links that end nowhere": string("http://"),
    "a link of names": string("a."),
    "a query of nothing": lambda size: '"https://a/?' + "a&" * (size // 2 - 9) + '"',
    "links": array('"://?a"'),
    "marks in a wrong order": lambda size: '"a' + "\u0301\u0316" * (size // 4 - 2) + '"',
    "ligatures that grow": string("\ufdfa"),
    "blanks": string("a "),
    "numbers in the depth": lambda size: nested(35, array("1")(size - 80)[1:-1]),
    "objects": array('{"a":{}}'),
    "names": lambda size: "{" + ",".join(f'"{n:05}":1' for n in range(size // 11)) + "}",
    "one name": lambda size: '{"' + "a" * (size - 6) + '":1}',
    "a long fraction": lambda size: "1." + "1" * (size - 2),
    "a long exponent": lambda size: "1e" + "9" * (size - 2),
    "long integers": array("9" * 4299),
    "digits": string("9"),
}


@pytest.mark.parametrize("value", HEAVY.values(), ids=HEAVY.keys())
def test_the_largest_body_is_read_soon_wherever_its_weight_is(value: Callable[[int], str]) -> None:
    for template in TEMPLATES:
        places = template.count("@")
        for place in range(places):
            values = ["null"] * places
            values[place] = value(LARGEST - len(template) - 5 * places)
            body = filled(template, values)
            assert 0.9 * LARGEST < len(body) <= LARGEST
            for said in outcomes(delivery(body)):
                assert can_be_kept(said)


DISPOSITION = b"Content-Disposition: form-data; name"
HEAVY_FORMS = [
    (PARTS, b"--x\r\n" + DISPOSITION + b'="' + b";" * (LARGEST - 100) + b"\r\n\r\n1"),
    (PARTS, b"--x\r\n" + DISPOSITION + b"*" + b"9" * 5000 + b"*=a\r\n\r\n1"),
    (PARTS, (b"--x\r\n" + DISPOSITION + b"=a\r\n\r\n1\r\n") * 5000),
    (PARTS, b"--x\r\n" * 50_000),
    (PARTS, b"--x\r\n" + b"a:b\r\n" * 50_000),
    (PARTS, (b"--x\r\n" + b"content-disposition: form-data; " * 32) * 250),
    (PARTS, b"--x\r\n" + b"Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n" * 5000),
    (PARTS, b"--x\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 8000),
    ("multipart/form-data; boundary=" + ';"' * 100_000, b"x" * 1000),
    ("multipart/form-data" + ";  " * 80_000, b"x" * 1000),
    (f"multipart/form-data; boundary*{'9' * 5000}*=x", b"--x"),
    (FORM, b"meetingId=" + b"%41" * 87_000),
    (FORM, b"a&" * 131_000),
    (FORM, b"&" * LARGEST),
    (FORM, b"unixTime=1&meetingId=" + b"+" * 262_000),
]


@pytest.mark.parametrize(("kind", "body"), HEAVY_FORMS, ids=range(len(HEAVY_FORMS)))
def test_the_largest_form_is_read_soon(kind: str, body: bytes) -> None:
    for said in outcomes(delivery(body[:LARGEST], kind), ("temasys",)):
        assert can_be_kept(said)


# Trusted: it was verified as it came in


GENUINE = {
    "cronofy": b'{"notification":{"type":"event_subscription"},"meeting_agent":{"sub":"agt_1","state":"created"}}',
    "flexperto": b'{"data":{"archive_id":"a"},"meta":{"topic":"communication.archives.archive.available"}}',
    "temasys": b'{"meetingId":"m","unixTime":1528288860,"apiKey":"' + KEY.encode() + b'"}',
}


@pytest.mark.parametrize("name", GENUINE)
def test_what_is_trusted_is_read_alike_and_needs_no_secret(name: str) -> None:
    sent = delivery(GENUINE[name])
    verified = CLIENTS[name].read_delivery(sent)
    for held in ({"api_key": KEY}, {"api_key": "another-key-since-then"}, {}):
        again = client(name, held).read_delivery(Delivery({"content-type": JSON}, sent.body), trusted=True)
        assert replace(again, verified="") == replace(verified, verified="")
        assert again.verified


def test_during_a_rotation_either_secret_of_the_account_will_do() -> None:
    body = GENUINE["cronofy"]
    other = "CRN_nGlYDFXwfSXgB9rvGNBJyfE454GGPtWIbNuPwr"
    by_other = Delivery({cronofy.HEADER: cronofy.sign(body, other)}, body)
    by_both = Delivery({cronofy.HEADER: f"{cronofy.sign(body, other)},{cronofy.sign(body, KEY)}"}, body)
    rotating = client("cronofy", {"api_key": KEY, "other_api_key": other})
    told = [rotating.read_delivery(sent).verified for sent in (delivery(body), by_other, by_both)]
    assert [words.rpartition(" by ")[2] for words in told] == ["the API key", "the other API key", "the API key"]
    with pytest.raises(NotAuthentic):
        CLIENTS["cronofy"].read_delivery(by_other)
    with pytest.raises(MissingSecret, match="api_key"):  # it is what calls are made with
        client("cronofy", {"other_api_key": other}).read_delivery(by_other)


def test_what_is_not_trusted_is_verified() -> None:
    for name in ("cronofy", "temasys"):
        other = client(name, {"api_key": "another-key-since-then"})
        with pytest.raises(NotAuthentic):
            other.read_delivery(delivery(GENUINE[name]))
    with pytest.raises(MissingSecret, match="api_key"):
        client("cronofy", {}).read_delivery(delivery(GENUINE["cronofy"]))


@pytest.mark.parametrize("name", GENUINE)
def test_what_is_trusted_may_still_be_unreadable(name: str) -> None:
    for body in (b"", b"<html>", b"[]", b"{}"):
        with pytest.raises(Unreadable):
            CLIENTS[name].read_delivery(delivery(body), trusted=True)
