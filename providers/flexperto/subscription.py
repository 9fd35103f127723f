"""Webhook subscriptions (page, "Webhooks"): register, list, delete, delivery reports.

`subscriptions/subscriptions` is in the newer guide and has the only documented `reports`; the older name is
`notificationssubscriptions/notificationssubscriptions`. assumption: listing and deleting (the page says only that one
can delete an old subscription), and the shapes of all answers.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from providers.base import Refused
from providers.flexperto.paging import rows_of
from providers.flexperto.record import first_identifier, read_time, redacted_json
from providers.flexperto.wire import Family, segment
from providers.messages import Answer, Request, json_request
from providers.models import DeliveryReport, Subscription, address_digest
from providers.origin import Origin
from providers.text import safe_text

AVAILABLE_TOPIC = "communication.archives.archive.available"
CLOSE_TOPIC = "communication.conferences.conference.close"
MISSPELT = "communciation."
"""How the page's own example spells the beginning of a topic; its payload has the right spelling."""

_ID_KEYS = ("id", "_id", "subscriptionId", "subscription_id")
_TOKEN_LENGTH = 16
_LINK = re.compile(r"https?://[^\s\"]+", re.I)
_TIME_KEYS = ("createdAt", "deliveredAt", "attemptedAt", "timestamp", "date", "at", "time")
_STATUS_KEYS = ("statusCode", "responseStatus", "httpStatus", "status")
_STATUS = re.compile(r"(?:HTTP )?([1-9][0-9]{2})")
_DELIVERED = frozenset({"delivered", "success", "succeeded", "ok"})
_FAILED = frozenset({"not delivered", "undelivered", "failed", "failure", "error", "timeout", "refused"})
_WORD_KEYS = ("error", "message", "reason", "outcome", "result")


def canonical_topic(topic: str) -> str:
    """The topic with the page's misspelling undone."""
    return topic.replace(MISSPELT, "communication.", 1) if topic.startswith(MISSPELT) else topic


def collection_request(base: str, family: Family, method: str = "GET", rest: str = "") -> Request:
    """A request at the subscriptions' address, or below it."""
    name = "subscriptions" if family is Family.CURRENT else "notificationssubscriptions"
    return Request(method, f"{base}/communication/{name}/{name}{rest}")


def subscribe_request(base: str, family: Family, topic: str, url: str) -> Request:
    """Register a webhook (page, step 2). `audience` stands in the archive example only, and is sent for archives."""
    body = {"topic": topic, "url": url} | ({"audience": "*"} if topic == AVAILABLE_TOPIC else {})
    return json_request("POST", collection_request(base, family, rest="/webhook").url, body)


def delete_request(base: str, family: Family, subscription_id: str) -> Request:
    """Delete a subscription."""
    return collection_request(base, family, "DELETE", f"/{segment(subscription_id)}")


def reports_request(base: str, family: Family, subscription_id: str) -> Request:
    """The 50 latest delivery attempts (page, "Reports")."""
    return collection_request(base, family, rest=f"/{segment(subscription_id)}/reports")


def check_subscription(base: str, topic: str, url: str) -> None:
    """Refuse what would never deliver: a misspelt topic, an address without TLS (page, "Targets").

    A service on loopback (an emulator) may be given `http://` addresses.
    """
    if topic != canonical_topic(topic):
        raise Refused(f"the topic {topic} is misspelt and would never fire; it is {canonical_topic(topic)}")
    if not re.fullmatch(r"[A-Za-z0-9_.*-]{1,200}", topic):
        raise Refused(f"{safe_text(topic, 80)!r} is no topic; for archives it is {AVAILABLE_TOPIC}")
    target, service = Origin.of(url), Origin.of(base)
    if target is None:
        raise Refused("the address to call is no http(s) address")
    if target.scheme != "https" and not (service and service.is_loopback):
        raise Refused("flexperto delivers to https:// addresses only")


def masked_url(url: str, secret: str = "") -> str:
    """The address without what is secret in it: `secret` itself, long path parts, user names and every query."""
    if secret:
        url = url.replace(secret, "…")
    address, query = re.split(r"[?#]", url, maxsplit=1)[0], re.search(r"[?#]", url)
    scheme, separator, rest = address.partition("://")
    host, *path = rest.split("/")
    shown = "/".join([host.rpartition("@")[2], *map(_masked, path)])
    return safe_text(f"{scheme}{separator}{shown}" if separator else _masked(address)) + ("?…" if query else "")


def read_subscriptions(answer: Answer, secret: str = "") -> tuple[Subscription, ...]:
    """The registered webhooks. Entries that are no objects are left out. Raises BadAnswer."""
    rows, _ = rows_of(answer.json(), "subscriptions")
    return tuple(subscription_of(row, secret) for row in rows if isinstance(row, dict))


def read_created(answer: Answer, topic: str, url: str, secret: str = "") -> Subscription:
    """What was registered; whatever the answer does not say is what was sent. Its id may be ""."""
    body = answer.json_or_none()
    if isinstance(body, dict) and isinstance(body.get("data"), dict):
        body = body["data"]
    return subscription_of({"topic": topic, "url": url} | (body if isinstance(body, dict) else {}), secret)


def subscription_of(record: Mapping[str, Any], secret: str = "") -> Subscription:
    """One subscription, with a warning where it cannot do its work."""
    topic = safe_text(record.get("topic")) if isinstance(record.get("topic"), str) else ""
    url = record["url"] if isinstance(record.get("url"), str) else ""
    identity = first_identifier(record, _ID_KEYS)
    warning = ""
    if topic != canonical_topic(topic):
        warning = f"the topic is misspelt and never fires: register {canonical_topic(topic)}, then delete this one"
    elif not identity:
        warning = "the service does not say its id: it cannot be deleted from here, and its reports cannot be read"
    digest = address_digest(url) if url else ""
    return Subscription(identity, topic, masked_url(url, secret), warning, _raw(record, secret), digest)


def read_reports(answer: Answer, secret: str = "") -> tuple[DeliveryReport, ...]:
    """The delivery attempts, newest first where they say when they were. Raises BadAnswer."""
    rows, _ = rows_of(answer.json(), "reports")
    dated = [_report(row, secret) for row in rows if isinstance(row, dict)]
    dated.sort(key=lambda pair: pair[0], reverse=True)
    return tuple(report for _, report in dated)


def _report(record: dict[str, Any], secret: str) -> tuple[datetime, DeliveryReport]:
    key = next((key for key in _TIME_KEYS if read_time(record.get(key))), "")
    moment = read_time(record.get(key)) or datetime.min.replace(tzinfo=UTC)
    status = next((record[key] for key in _STATUS_KEYS if type(record.get(key)) in (int, str)), None)
    words = next((safe_text(record[key]) for key in _WORD_KEYS if isinstance(record.get(key), str)), "")
    code = f"HTTP {status}" if type(status) is int else safe_text(status)
    attempt = f"attempt {record['attempt']}" if type(record.get("attempt")) is int else ""
    outcome = ", ".join(part for part in (code, words, attempt) if part) or "see the record"
    at = safe_text(record[key]) if key else ""
    return moment, DeliveryReport(at, outcome, _raw(record, secret), _delivered(record, status))


def _delivered(record: Mapping[str, Any], status: int | str | None) -> bool | None:
    """Whether an attempt counts as delivered: "199 < status < 399" (page), so 301 does and 399 does not.

    assumption: how a report says it without a status: in one of the words for it, or by an error.
    """
    code = _STATUS.fullmatch(str(status).strip()) if status is not None else None
    if code:
        return 199 < int(code[1]) < 399
    words = {record[key].strip().lower() for key in (*_STATUS_KEYS, *_WORD_KEYS) if isinstance(record.get(key), str)}
    if words & _FAILED or record.get("success") is False or record.get("delivered") is False:
        return False
    if words & _DELIVERED or record.get("success") is True or record.get("delivered") is True:
        return True
    return False if record.get("error") else None


def _raw(record: Mapping[str, Any], secret: str) -> str:
    """The record as text; it may name the address that is called anywhere, and that holds the secret."""
    return _LINK.sub(lambda found: masked_url(found[0], secret), redacted_json(dict(record)))


def _masked(part: str) -> str:
    return f"{part[:4]}…" if len(part) >= _TOKEN_LENGTH else part
