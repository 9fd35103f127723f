"""Subscriptions: what is sent, what is refused, and that secrets in addresses stay masked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import BadAnswer, ProviderError, Refused
from providers.flexperto import subscription
from providers.flexperto.wire import Family
from providers.messages import Answer
from tests.providers.flexperto.test_record import JSON

BASE = "https://acme.live.flexperto.com/api/v2"
TOKEN = "F40mfum7pZC8DtdgGOYSijx26blP0HLs"
HOOK = f"https://desk.example/hooks/advice/{TOKEN}"
MISSPELT = "communciation.archives.archive.available"


def answer(body: object) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(body).encode())


def test_what_is_sent() -> None:
    request = subscription.subscribe_request(BASE, Family.CURRENT, subscription.AVAILABLE_TOPIC, HOOK)
    assert (request.method, request.url) == ("POST", f"{BASE}/communication/subscriptions/subscriptions/webhook")
    assert json.loads(request.content) == {
        "topic": "communication.archives.archive.available",
        "audience": "*",
        "url": HOOK,
    }
    closing = subscription.subscribe_request(BASE, Family.LEGACY, subscription.CLOSE_TOPIC, HOOK)
    assert closing.url == f"{BASE}/communication/notificationssubscriptions/notificationssubscriptions/webhook"
    assert json.loads(closing.content) == {"topic": "communication.conferences.conference.close", "url": HOOK}
    reports = subscription.reports_request(BASE, Family.CURRENT, "s/1")
    assert reports.url == f"{BASE}/communication/subscriptions/subscriptions/s%2F1/reports"
    assert subscription.delete_request(BASE, Family.CURRENT, "s1").method == "DELETE"


@pytest.mark.parametrize(
    ("topic", "url", "words"),
    [
        (MISSPELT, HOOK, "misspelt"),
        ("", HOOK, "no topic"),
        ("a topic", HOOK, "no topic"),
        (subscription.AVAILABLE_TOPIC, "http://desk.example/x", "https"),
        (subscription.AVAILABLE_TOPIC, "http://127.0.0.1/x", "https"),
        (subscription.AVAILABLE_TOPIC, "desk.example", "no http"),
    ],
)
def test_what_is_refused_before_it_is_sent(topic: str, url: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        subscription.check_subscription(BASE, topic, url)


def test_a_service_on_loopback_may_call_without_tls() -> None:
    subscription.check_subscription("http://127.0.0.1:1/api/v2", subscription.AVAILABLE_TOPIC, "http://127.0.0.1:2/x")
    subscription.check_subscription(BASE, subscription.CLOSE_TOPIC, HOOK)


def test_a_misspelt_subscription_is_warned_of() -> None:
    good, bad, nameless = subscription.read_subscriptions(
        answer(
            [
                {"id": 1, "topic": subscription.AVAILABLE_TOPIC, "url": HOOK},
                {"id": 2, "topic": MISSPELT, "url": HOOK},
                "x",
                {"topic": 5, "url": None},
            ]
        )
    )
    assert (good.id, good.warning) == ("1", "")
    assert "misspelt" in bad.warning
    assert subscription.AVAILABLE_TOPIC in bad.warning
    assert (nameless.id, nameless.topic, nameless.url) == ("", "", "")
    assert "does not say its id" in nameless.warning


@pytest.mark.parametrize(
    ("url", "secret", "shown"),
    [
        (HOOK, "", "https://desk.example/hooks/advice/F40m…"),
        (HOOK, TOKEN, "https://desk.example/hooks/advice/…"),
        ("https://desk.example/hooks/advice/short", "short", "https://desk.example/hooks/advice/…"),
        ("https://u:p@desk.example:8443/x?key=1", "", "https://desk.example:8443/x?…"),
        ("https://desk.example/x#CANARY", "", "https://desk.example/x?…"),
        ("https://a-rather-long-name.desk.example/x", "", "https://a-rather-long-name.desk.example/x"),
        (f"not-an-address-{TOKEN}", "", "not-…"),
        ("", "", ""),
    ],
)
def test_addresses_are_masked(url: str, secret: str, shown: str) -> None:
    assert subscription.masked_url(url, secret) == shown


def test_no_secret_is_left_in_what_is_kept() -> None:
    record = {"id": "s1", "topic": "t", "url": HOOK, "target": {"callback": HOOK}}
    one = subscription.subscription_of(record)
    assert TOKEN not in one.url + one.raw
    created = subscription.read_created(answer({"data": record}), "t", HOOK, TOKEN)
    assert created.id == "s1"
    assert TOKEN not in created.url + created.raw
    (report,) = subscription.read_reports(answer([{"statusCode": 204, "request": {"url": HOOK}}]), TOKEN)
    assert TOKEN not in report.raw


@pytest.mark.parametrize(
    ("registered", "url", "leads"),
    [
        (HOOK, HOOK, True),
        ("HTTPS://Desk.Example:443/hooks/advice/" + TOKEN, HOOK, True),
        ("https://desk.example", "https://desk.example/", True),
        (HOOK, HOOK[:-1] + "t", False),
        (HOOK, HOOK + "/", False),
        (HOOK, HOOK.replace("advice", "Advice"), False),
        (HOOK, HOOK.replace("https", "http"), False),
        (HOOK, HOOK.replace("desk", "other"), False),
        (HOOK + "?a=1", HOOK, False),
        ("https://u:p@desk.example/x", "https://desk.example/x", False),
        ("https://\ud800.example/x", "https://\ud800.example/x", True),
        ("https://desk.example/hooks/advice/F40m…", HOOK, False),
        (None, HOOK, False),
        ("", "", False),
    ],
)
def test_whether_it_leads_to_an_address_is_known_though_that_is_masked(
    registered: str | None, url: str, leads: bool
) -> None:
    one = subscription.subscription_of({"id": "s1", "topic": subscription.AVAILABLE_TOPIC, "url": registered})
    assert one.leads_to(url) is leads
    assert TOKEN not in repr(one)
    assert one.digest not in repr(one) or not one.digest


@pytest.mark.parametrize(
    ("report", "delivered"),
    [
        ({"statusCode": 200}, True),
        ({"statusCode": 204, "error": "late"}, True),
        ({"statusCode": 301}, True),
        ({"statusCode": 398}, True),
        ({"statusCode": 399}, False),
        ({"statusCode": 199}, False),
        ({"statusCode": 404, "outcome": "delivered"}, False),
        ({"statusCode": None, "outcome": "not delivered", "error": "could not connect"}, False),
        ({"status": "204"}, True),
        ({"status": "HTTP 500"}, False),
        ({"status": "delivered"}, True),
        ({"status": " FAILED "}, False),
        ({"success": True}, True),
        ({"delivered": False}, False),
        ({"error": "timeout"}, False),
        ({"error": {"code": "ECONNREFUSED"}}, False),
        ({"error": None}, None),
        ({"status": "queued"}, None),
        ({"statusCode": True}, None),
        ({"status": "９９９"}, None),
        ({}, None),
    ],
)
def test_whether_an_attempt_was_delivered(report: dict[str, object], delivered: bool | None) -> None:
    (one,) = subscription.read_reports(answer([report]))
    assert one.delivered is delivered


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>"])
def test_an_answer_that_says_nothing_of_what_was_registered(body: bytes) -> None:
    created = subscription.read_created(Answer(201, {}, body), subscription.CLOSE_TOPIC, HOOK)
    assert (created.id, created.topic) == ("", subscription.CLOSE_TOPIC)
    assert created.url == "https://desk.example/hooks/advice/F40m…"


def test_reports_newest_first() -> None:
    rows = [
        {"createdAt": "2026-01-01T00:00:00Z", "statusCode": 500, "error": "no\nanswer", "attempt": 1},
        {"nothing": 1},
        {"timestamp": 1767225700, "status": "delivered"},
        7,
    ]
    for body in (rows, {"reports": rows}, {"data": {"reports": rows}}):
        first, second, third = subscription.read_reports(answer(body))
        assert (first.at, first.outcome) == ("1767225700", "delivered")
        assert (second.at, second.outcome) == ("2026-01-01T00:00:00Z", "HTTP 500, no answer, attempt 1")
        assert (third.at, third.outcome) == ("", "see the record")
        assert json.loads(third.raw) == {"nothing": 1}


@pytest.mark.parametrize("body", [None, 1, "x", {}])
def test_what_is_no_list(body: object) -> None:
    with pytest.raises(BadAnswer):
        subscription.read_reports(answer(body))
    with pytest.raises(BadAnswer):
        subscription.read_subscriptions(answer(body))


ROW = st.dictionaries(
    st.sampled_from(["id", "topic", "url", "statusCode", "status", "createdAt", "error", "attempt", ""]), JSON
)


@given(JSON | st.lists(ROW), st.text(max_size=5))
def test_any_json_is_a_value_or_an_error(body: object, secret: str) -> None:
    for read in (subscription.read_subscriptions, subscription.read_reports):
        try:
            found = read(answer(body), secret)
        except ProviderError:
            continue
        assert isinstance(found, tuple)
    assert subscription.read_created(answer(body), "t", HOOK, secret).topic is not None
