"""What flexperto sends: unsigned, permissive, more than once."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Unreadable
from providers.emulation import Loopback
from providers.flexperto import webhook
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import Delivery
from tests.providers.flexperto.test_record import JSON

PAYLOAD: dict[str, Any] = {
    "data": {"archive_id": "abc123", "archive_subject": {"conference_id": "xzy789", "meta": {}}},
    "meta": {"audience": "*", "tenant": "mycompany", "topic": "communication.archives.archive.available"},
}


def delivery(body: object, kind: str = "application/json") -> Delivery:
    return Delivery({"content-type": kind} if kind else {}, json.dumps(body).encode())


def changed(**parts: Any) -> dict[str, Any]:
    return {**PAYLOAD, **parts}


def test_an_archive_became_available() -> None:
    said = webhook.read(delivery(PAYLOAD))
    assert said.topic == "communication.archives.archive.available"
    assert said.key == "communication.archives.archive.available abc123"
    assert said.confirm == ("abc123",)
    assert said.verified == "not signed: confirmed by asking the API"
    assert (said.listing.meetings, said.listing.assets) == ((), ())  # nothing is believed unasked
    assert json.loads(said.redacted_body) == PAYLOAD


def test_both_spellings_are_one_event() -> None:
    meta = PAYLOAD["meta"] | {"topic": "communciation.archives.archive.available"}
    assert webhook.read(delivery(changed(meta=meta))).key == webhook.read(delivery(PAYLOAD)).key


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json", ""])
def test_headers_that_are_json(kind: str) -> None:
    assert webhook.read(delivery(PAYLOAD, kind)).confirm == ("abc123",)


def test_further_properties_change_nothing() -> None:
    more = {**PAYLOAD, "x": [1], "data": {**PAYLOAD["data"], "y": None}}
    assert webhook.read(delivery(more)).key == webhook.read(delivery(PAYLOAD)).key


@pytest.mark.parametrize("topic", ["communication.conferences.conference.close", "communication.new.thing", "x\x1b[2J"])
def test_other_topics_are_kept_and_confirm_nothing(topic: str) -> None:
    one = {"meta": {"topic": topic}, "data": {"conference_id": "c1"}}
    other = {"meta": {"topic": topic}, "data": {"conference_id": "c2"}}
    said = webhook.read(delivery(one))
    assert (said.confirm, said.verified) == ((), "not signed: a hint only")
    assert said.key == webhook.read(delivery(one)).key != webhook.read(delivery(other)).key
    assert "\x1b" not in said.topic + said.key + said.redacted_body


def test_a_conference_closes_once() -> None:
    meta = {"topic": "communication.conferences.conference.close"}
    first = webhook.read(delivery({"meta": meta, "data": {"conference_id": "c1", "x": 1}}))
    again = webhook.read(delivery({"meta": meta, "data": {"conference_id": "c1", "x": 2}}))
    assert first.key == again.key
    assert webhook.read(delivery({"meta": meta})).key != first.key


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "no JSON object"),
        ([PAYLOAD], "no JSON object"),
        ({}, "no topic"),
        (changed(meta=None), "no topic"),
        (changed(meta=[1]), "no topic"),
        (changed(meta={"topic": 5}), "no topic"),
        (changed(meta={"topic": " "}), "no topic"),
        (changed(data=None), "no archive"),
        (changed(data=[]), "no archive"),
        (changed(data={}), "no archive"),
        (changed(data={"archive_id": ["abc123"]}), "no archive"),
        (changed(data={"archive_id": ".."}), "no archive"),
        (changed(data={"archive_id": "a\n"}), "no archive"),
        (changed(data={"archive_id": "a", "archive_subject": "c"}), "no object"),
        (changed(data={"archive_id": "a", "archive_subject": {"conference_id": {}}}), "conference id"),
    ],
)
def test_what_cannot_be_understood(body: object, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        webhook.read(delivery(body))


def test_what_is_not_json() -> None:
    with pytest.raises(Unreadable, match="text/xml, not JSON"):
        webhook.read(delivery(PAYLOAD, "text/xml"))
    for body in (b"", b"<html>", b"\xff\xfe\xff", b"[" * 100_000):
        with pytest.raises(Unreadable, match="not JSON"):
            webhook.read(Delivery({"content-type": "application/json"}, body))


def test_a_subject_without_a_conference_is_enough() -> None:
    for subject in (None, {}, {"conference_id": None}):
        body = changed(data={"archive_id": "a", "archive_subject": subject})
        assert webhook.read(delivery(body)).confirm == ("a",)


def test_the_kept_body_holds_no_secret() -> None:
    body = changed(token="CANARY", link="https://x.example/?sig=CANARY")
    assert "CANARY" not in webhook.read(delivery(body)).redacted_body


PARTS = st.dictionaries(st.sampled_from(["archive_id", "archive_subject", "conference_id", "topic"]), JSON)


@given(JSON | st.dictionaries(st.sampled_from(["meta", "data"]), JSON | PARTS))
def test_any_json_is_an_announcement_or_unreadable(body: object) -> None:
    try:
        said = webhook.read(delivery(body))
    except Unreadable:
        return
    assert said.topic
    assert said.key.startswith(said.topic)


@given(st.binary())
def test_any_bytes_are_unreadable_or_read(body: bytes) -> None:
    try:
        webhook.read(Delivery({}, body))
    except Unreadable as refusal:
        assert refusal.words  # noqa: PT017  # both ends are allowed


def test_what_the_emulator_sends(net: Loopback) -> None:
    emulator = FlexpertoEmulator()
    emulator.add_archive("abc123", "xzy789")
    (sent,) = emulator.deliveries_for("abc123")
    assert json.loads(sent.body) == PAYLOAD
    assert webhook.read(sent).confirm == ("abc123",)
