"""What flexperto sends us (page, "Webhooks").

Payloads are not signed, and carry neither an id of the event nor a time. Who calls is known only by the secret part
of the address, which is the receiver's to check; what is said is a hint, and the API is asked (`confirm`).
Payloads are permissive: further properties are ignored.
"""

import hashlib
import json
from typing import Any
from urllib.parse import quote

from providers.base import Unreadable
from providers.flexperto.record import identifier, redacted_json
from providers.flexperto.subscription import AVAILABLE_TOPIC, CLOSE_TOPIC, canonical_topic
from providers.kept import MAX_COST
from providers.messages import media_type
from providers.models import Announcement, Delivery
from providers.text import safe_text

CONFIRMED = "not signed: confirmed by asking the API"
HINT = "not signed: a hint only"


def read(delivery: Delivery) -> Announcement:
    """Read a delivery. Raises Unreadable: no JSON, no topic, or ids that are none.

    An archive that became available is named in `confirm`. assumption: the payload of
    `communication.conferences.conference.close` is not documented; it and unknown topics are kept, and confirm nothing.
    """
    body = _body(delivery)
    topic = _topic(body)
    if topic == AVAILABLE_TOPIC:
        archive_id = _archive_id(body)
        key = f"{topic} {quote(archive_id, safe='')}"
        return Announcement(key, topic, CONFIRMED, confirm=(archive_id,), redacted_body=redacted_json(body, MAX_COST))
    key = f"{topic} {_mark(body, topic, delivery.body)}"
    return Announcement(key, topic, HINT, redacted_body=redacted_json(body, MAX_COST))


def _body(delivery: Delivery) -> dict[str, Any]:
    kind = media_type(delivery.headers)
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Unreadable(f"the delivery is {safe_text(kind, 60)}, not JSON")
    try:
        body = json.loads(delivery.body)
    except (ValueError, RecursionError):
        raise Unreadable("the delivery's body is not JSON") from None
    if not isinstance(body, dict):
        raise Unreadable("the delivery's body is no JSON object")
    return body


def _topic(body: dict[str, Any]) -> str:
    meta = body.get("meta")
    stated = meta.get("topic") if isinstance(meta, dict) else None
    topic = safe_text(stated) if isinstance(stated, str) else ""
    if not topic:
        raise Unreadable("the delivery names no topic (meta.topic)")
    return canonical_topic(topic)


def _archive_id(body: dict[str, Any]) -> str:
    """The archive's id. A conference id is checked where there is one, though only the API's is ever used."""
    data = body.get("data")
    archive_id = identifier(data.get("archive_id")) if isinstance(data, dict) else ""
    if not isinstance(data, dict) or not archive_id:
        raise Unreadable("the delivery names no archive (data.archive_id)")
    subject = data.get("archive_subject")
    if subject is not None and not isinstance(subject, dict):
        raise Unreadable("the delivery's data.archive_subject is no object")
    if subject and subject.get("conference_id") is not None and not identifier(subject["conference_id"]):
        raise Unreadable("the delivery's conference id is none")
    return archive_id


def _mark(body: dict[str, Any], topic: str, content: bytes) -> str:
    """What tells two events of a topic apart: the conference that closed, else everything that was said."""
    data = body.get("data")
    if topic == CLOSE_TOPIC and isinstance(data, dict) and (conference_id := identifier(data.get("conference_id"))):
        return quote(conference_id, safe="")
    return hashlib.sha256(content).hexdigest()
