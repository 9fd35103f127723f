import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import NotAuthentic, Unreadable
from providers.cronofy import INFO, webhook
from providers.models import Announcement, Delivery, RemoteState
from providers.secret import Secret
from tests.providers.cronofy.test_record import ALL, ANY_JSON, EVENT, OWN, SUB, agent

BODY = b'{"example":"well-known"}'
# Published with the documentation of push notifications (doc: push-notifications/authentication).
VECTORS = [
    ("CRN_NggYusqPGLxwjw5FHOJYOqSrTPNXy8WQf14OID", "5DxentQi5YSXODEzTVv06sRwJ3pULIz1KrYv20qxEK0="),
    ("CRN_nGlYDFXwfSXgB9rvGNBJyfE454GGPtWIbNuPwr", "BmQmWVuZ70ILWjr1CAt5oC7YOolgnku4WZtlrKfx/6k="),
    ("pDY0Oi7TJSP2hfNmZNkm5", "6r2/HjBkqymGegX0wOfifieeUXbbHwtV/LohHS+jv6c="),
]
KEY = VECTORS[0][0]
SECRETS = (Secret(KEY),)


@pytest.mark.parametrize(("secret", "digest"), VECTORS)
def test_the_published_vectors(secret: str, digest: str) -> None:
    assert webhook.sign(BODY, secret) == digest
    webhook.verify(BODY, digest, (Secret(secret),))
    with pytest.raises(NotAuthentic):
        webhook.verify(BODY + b"\n", digest, (Secret(secret),))


def test_the_signature_is_base64_as_published_not_its_form_for_addresses() -> None:
    secret, digest = VECTORS[1]
    assert "/" in digest
    with pytest.raises(NotAuthentic):
        webhook.verify(BODY, digest.replace("/", "_"), (Secret(secret),))


def test_rotation_has_a_signature_for_each_secret() -> None:
    first, second = VECTORS[0][1], VECTORS[1][1]
    for header in (f"{first},{second}", f"{second}, {first}", f" {second} ,\t{first} ", f",{first},"):
        webhook.verify(BODY, header, SECRETS)
    webhook.verify(BODY, second, (Secret(VECTORS[0][0]), Secret(VECTORS[1][0])))
    with pytest.raises(NotAuthentic):
        webhook.verify(BODY, second, SECRETS)


def test_during_a_rotation_either_secret_of_ours_will_do() -> None:
    both = (Secret(VECTORS[0][0]), Secret(VECTORS[1][0]))
    first, second = VECTORS[0][1], VECTORS[1][1]
    found = {
        header: webhook.verify(BODY, header, both) for header in (first, second, f"{second},{first}", f"x,{second}")
    }
    assert found == {first: 0, second: 1, f"{second},{first}": 0, f"x,{second}": 1}
    # A secret that could be guessed accepts nothing, and keeps the other one's number.
    assert webhook.verify(BODY, second, (Secret("short"), both[1])) == 1
    with pytest.raises(NotAuthentic):
        webhook.verify(BODY, webhook.sign(BODY, "short"), (Secret("short"), both[1]))
    with pytest.raises(NotAuthentic):
        webhook.verify(BODY, VECTORS[2][1], both)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "\udcff",
        "\x00",
        " ",
        ",",
        "ümlaut",
        VECTORS[0][1][:-1],
        VECTORS[0][1].lower(),
        VECTORS[0][1] + "é",
        ",".join([VECTORS[1][1]] * 8 + [VECTORS[0][1]]),
        VECTORS[0][1] + "," + "x" * 2048,
    ],
)
def test_a_header_that_is_not_cronofys_is_not_authentic(header: str) -> None:
    with pytest.raises(NotAuthentic):
        webhook.verify(BODY, header, SECRETS)


def test_a_short_or_missing_secret_accepts_nothing() -> None:
    for secrets in ((), (Secret("short-secret-15"),)):
        header = webhook.sign(BODY, secrets[0].reveal()) if secrets else webhook.sign(BODY, "")
        with pytest.raises(NotAuthentic, match="16 characters"):
            webhook.verify(BODY, header, secrets)


@given(st.text(max_size=100))
def test_no_header_is_an_exception_other_than_not_authentic(header: str) -> None:
    with pytest.raises(NotAuthentic):
        webhook.verify(BODY, header, SECRETS)


def delivery(payload: Any) -> Delivery:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Delivery({webhook.HEADER: webhook.sign(body, KEY)}, body)


def read(payload: Any) -> Announcement:
    return webhook.read(delivery(payload), SECRETS, OWN)


def notification(*types: str, state: str = "complete", **more: Any) -> dict[str, Any]:
    return {
        "notification": {"type": "event_subscription", "interactions": [{"type": name} for name in types]},
        "event": EVENT,
        "meeting_agent": agent(state, *ALL),
        **more,
    }


def test_a_complete_agent_is_announced() -> None:
    announcement = read(notification("meeting_agent_complete"))
    assert announcement.topic == "meeting_agent_complete"
    assert announcement.verified == "HMAC-SHA256 of the body, by the API key"
    assert announcement.confirm == ()
    (meeting,) = announcement.listing.meetings
    assert (meeting.id, meeting.title) == (SUB, "Meeting agent enhanced")
    assert meeting.origin == "webhook meeting_agent_complete"
    assert meeting.started_at == datetime(2026, 4, 4, 15, 30, tzinfo=UTC)
    assert {asset.kind for asset in announcement.listing.assets} == set(INFO.kinds)
    assert "letmein" not in announcement.redacted_body
    assert json.loads(announcement.redacted_body)["meeting_agent"]["sub"] == SUB


def test_how_it_was_verified_is_told() -> None:
    body = json.dumps(notification("meeting_agent_complete")).encode()
    sent = Delivery({webhook.HEADER: webhook.sign(body, VECTORS[1][0])}, body)
    both = (*SECRETS, Secret(VECTORS[1][0]))
    assert webhook.read(sent, both, OWN).verified == "HMAC-SHA256 of the body, by the other API key"
    with pytest.raises(NotAuthentic):
        webhook.read(sent, SECRETS, OWN)
    trusted = webhook.read_trusted(Delivery({}, body), OWN)
    assert trusted.verified == "HMAC-SHA256 of the body, checked as it came in"
    assert (trusted.key, trusted.listing) == (read(body).key, read(body).listing)


def test_activated_says_created_and_the_state_is_believed() -> None:
    listing = read(notification("meeting_agent_activated", state="created")).listing
    assert listing.meetings[0].provider_state == "created"
    assert {asset.state for asset in listing.assets if asset.kind.fetchable} == {RemoteState.PROCESSING}
    crossed = read(notification("meeting_agent_complete", state="failed")).listing
    assert {asset.state for asset in crossed.assets if asset.kind.fetchable} == {RemoteState.FAILED}


def test_the_key_is_the_same_for_duplicates_alone() -> None:
    payload = notification("b", "a")
    keys = {read(payload).key, read(payload).key}
    assert len(keys) == 1
    (key,) = keys
    assert key.startswith(f"{SUB}|a+b|")
    assert len(key.rpartition("|")[2]) == 64
    assert read(notification("b", "a", state="created")).key != key
    assert read(notification("a")).key != key


def test_several_interactions_and_unknown_ones_are_kept() -> None:
    both = read(notification("meeting_agent_activated", "meeting_agent_complete", "meeting_agent_activated"))
    assert both.topic == "meeting_agent_activated, meeting_agent_complete"
    odd = read(notification("meeting_agent_danced"))
    assert odd.topic == "meeting_agent_danced"
    assert odd.listing.meetings[0].id == SUB


def test_a_notification_without_an_agent_is_kept_by_its_type() -> None:
    plain = read({"notification": {"type": "verification"}})
    assert (plain.topic, plain.listing.meetings, plain.key[:2]) == ("verification", (), "||")
    assert read({"notification": {}}).topic == "unknown"
    assert read({"meeting_agent": agent()}).topic == "unknown"
    interactions = ["x", None, {"type": 5}, {"type": ""}]
    assert read({"notification": {"type": "y", "interactions": interactions}}).topic == "y"


@pytest.mark.parametrize("event", [None, "...", 5, []])
def test_the_event_may_be_missing(event: Any) -> None:
    assert read(notification("x", event=event)).listing.meetings[0].title == ""
    without = notification("x")
    del without["event"]
    assert read(without).listing.meetings[0].title == ""


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"[]", b"null", b"[" * 100_000, b"{}", {"notification": 5}, {"meeting_agent": {"sub": 1}}],
    ids=range(8),
)
def test_genuine_nonsense_is_unreadable(payload: Any) -> None:
    with pytest.raises(Unreadable, match="genuine"):
        read(payload)


def test_nothing_is_read_before_it_is_verified() -> None:
    genuine = delivery(notification("x"))
    for headers in ({}, {webhook.HEADER: "AAAA"}):
        with pytest.raises(NotAuthentic):
            webhook.read(Delivery(headers, genuine.body), SECRETS, OWN)
    reserialised = json.dumps(json.loads(genuine.body), indent=1).encode()
    with pytest.raises(NotAuthentic):
        webhook.read(Delivery(genuine.headers, reserialised), SECRETS, OWN)


@given(ANY_JSON)
def test_any_genuine_json_is_announced_or_unreadable(value: Any) -> None:
    for payload in (
        value,
        {"notification": value, "meeting_agent": agent()},
        {"notification": {"interactions": value}},
    ):
        with suppress(Unreadable):
            assert read(payload).topic.isprintable()
