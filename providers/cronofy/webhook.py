"""Cronofy's webhooks: verify the signature over the raw body, then read what it announces.

Sources: push-notifications/authentication (doc), meeting-agents/callbacks (doc), pages/cronofy (page).
The body alone is signed, without a date or a number: a replay is as genuine as the original, so `Announcement.key`
makes it change nothing.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from providers.base import BadAnswer, NotAuthentic, Unreadable
from providers.cronofy.record import agent_listing, raw_text
from providers.models import Announcement, Delivery, Listing
from providers.origin import Origin
from providers.secret import Secret
from providers.text import safe_text

HEADER = "cronofy-hmac-sha256"
MAX_HEADER = 2048
MAX_SIGNATURES = 8
MIN_SECRET = 16
_MAX_TYPES = 16


def sign(body: bytes, secret: str) -> str:
    """Base64 (standard) of the HMAC-SHA256 of the body under a client secret."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode("ascii")


def verify(body: bytes, header: str, secrets: tuple[Secret, ...]) -> int:
    """The number of the secret (from 0) under which one of the header's signatures is the body's; else NotAuthentic.

    During a rotation Cronofy sends one signature for each of its active client secrets, separated by commas.
    `header` may be up to 2 KiB with up to 8 signatures. A secret of fewer than 16 characters could be guessed, so
    nothing is accepted by it.
    """
    usable = {number: secret.reveal() for number, secret in enumerate(secrets) if len(secret.reveal()) >= MIN_SECRET}
    if not usable:
        raise NotAuthentic(f"no API key of at least {MIN_SECRET} characters is configured to verify webhooks with")
    if not header.strip():
        raise NotAuthentic(f"the webhook has no {HEADER} header: it is not from Cronofy")
    if len(header) > MAX_HEADER or not header.isascii():
        raise NotAuthentic(f"the webhook's {HEADER} header is none that Cronofy sends")
    signatures = [part.strip().encode() for part in header.split(",")]
    if len(signatures) > MAX_SIGNATURES:
        raise NotAuthentic(f"the webhook's {HEADER} header has more than {MAX_SIGNATURES} signatures")
    expected = [(number, sign(body, secret).encode()) for number, secret in usable.items()]
    # All are compared, so that the time taken tells nothing of which one matched.
    compared = [(hmac.compare_digest(given, digest), number) for given in signatures for number, digest in expected]
    matching = [number for matches, number in compared if matches]
    if not matching:
        raise NotAuthentic("the webhook's signature does not match: it is not from Cronofy, or the API key changed")
    return min(matching)


def read(delivery: Delivery, secrets: tuple[Secret, ...], own: frozenset[Origin]) -> Announcement:
    """Verify a delivery and read it. Interactions and notifications that we do not know are kept by their topic.

    `secrets`: the API key, and while it is being rotated the application's other one. Raises NotAuthentic, and
    Unreadable for a genuine body that is no notification or holds no usable agent.
    """
    number = verify(delivery.body, delivery.headers.get(HEADER, ""), secrets)
    return read_trusted(delivery, own, f"by the {'other ' if number else ''}API key")


def read_trusted(delivery: Delivery, own: frozenset[Origin], how: str = "checked as it came in") -> Announcement:
    """Read a delivery that is known to be genuine: `how` it is. Raises Unreadable."""
    try:
        payload = json.loads(delivery.body)
    except (ValueError, RecursionError):
        raise Unreadable("the webhook is genuine but no JSON") from None
    if not isinstance(payload, dict):
        raise Unreadable("the webhook is genuine but no JSON object")
    notification, agent = payload.get("notification"), payload.get("meeting_agent")
    if not isinstance(notification, dict) and agent is None:
        raise Unreadable("the webhook is genuine but holds neither a notification nor an agent")
    types = interactions(notification)
    topic = ", ".join(types) or _notification_type(notification) or "unknown"
    listing = Listing()
    if agent is not None:
        try:
            listing = agent_listing(agent, payload.get("event"), f"webhook {topic}", own)
        except BadAnswer as error:
            raise Unreadable(f"the webhook is genuine, but {error.words}") from None
    sub = listing.meetings[0].id if listing.meetings else ""
    digest = hashlib.sha256(delivery.body).hexdigest()
    return Announcement(
        key="|".join((sub, "+".join(sorted(types)), digest)),
        topic=topic,
        verified=f"HMAC-SHA256 of the body, {how}",
        listing=listing,
        redacted_body=raw_text(payload),
    )


def interactions(notification: Any) -> tuple[str, ...]:
    """The types of `notification.interactions[]`, in the order given, each once."""
    found = notification.get("interactions") if isinstance(notification, dict) else None
    types = [
        safe_text(item["type"], 100)
        for item in (found[:_MAX_TYPES] if isinstance(found, list) else ())
        if isinstance(item, dict) and isinstance(item.get("type"), str)
    ]
    return tuple(dict.fromkeys(name for name in types if name))


def _notification_type(notification: Any) -> str:
    found = notification.get("type") if isinstance(notification, dict) else None
    return safe_text(found, 100) if isinstance(found, str) else ""
