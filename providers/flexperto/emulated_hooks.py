"""The flexperto emulator's webhooks: who subscribed, what is sent to them, and the reports of it.

Documented (page, "Webhooks"): targets, what counts as delivered, 3 s to answer, up to 4 attempts with an exponential
backoff of 100 ms, at least once, concurrently, unordered, redirects not followed, the reports of the latest 50
attempts, and that what is in flight when its subscription is deleted is still tried again.

assumption: pauses of 100, 200 and 400 ms; every subscription of a topic is told, whatever its audience; events before
a subscription existed are not sent to it; attempts that a refused target or a broken line ended stand in the reports,
too; statuses and bodies of the answers to registering.
"""

import ipaddress
import itertools
import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from providers.emulation import Clock
from providers.flexperto.emulated import (
    REPORT_BACKLOG,
    EmulatedArchive,
    EmulatedSubscription,
    iso,
    payload_json,
    subscription_json,
)
from providers.models import Delivery
from providers.sending import Attempt, Attempts, Parcel

AVAILABLE_TOPIC = "communication.archives.archive.available"
TOPICS = (AVAILABLE_TOPIC, "communication.conferences.conference.close")
ATTEMPTS = Attempts(timeout_s=3.0, times=4, first_pause_s=0.1, factor=2.0)


def is_delivered(status: int) -> bool:
    """199 < status < 399, word for word: 399 is none (page, "Delivery")."""
    return 199 < status < 399


def delivery_of(archive: EmulatedArchive, topic: str, tenant: str) -> Delivery:
    """The webhook of an archive; the same bytes each time."""
    body = json.dumps(payload_json(archive, topic, tenant), ensure_ascii=False).encode()
    return Delivery({"content-type": "application/json", "content-length": str(len(body))}, body)


class EmulatedHooks:
    """The tenant's subscriptions."""

    def __init__(self, now: Clock) -> None:
        self.now = now
        self.registered: dict[str, EmulatedSubscription] = {}
        self.outages: list[tuple[float, float]] = []
        """From when until when (unix seconds) no attempt gets through to a receiver."""
        self._numbers = itertools.count(1)

    def register(self, topic: str, url: str, audience: str | None = None) -> EmulatedSubscription:
        """Add a subscription. Nothing is checked."""
        one = EmulatedSubscription(f"subscription-{next(self._numbers)}", topic, url, audience, self.now())
        self.registered[one.id] = one
        return one

    def answer(self, content: bytes, *, private: bool, unknown_topics: bool, with_id: bool) -> Response:
        """Answer a registration. `private`: any target will do. `unknown_topics`: any topic will do."""
        try:
            body = json.loads(content)
        except ValueError:
            return error(400, "the body is not JSON", "VALIDATION_ERROR")
        topic, url = (body.get("topic"), body.get("url")) if isinstance(body, dict) else (None, None)
        if not isinstance(topic, str) or not topic or not (unknown_topics or topic in TOPICS):
            return error(422, "no such topic", "VALIDATION_ERROR")
        if not isinstance(url, str) or not (private or is_public_target(url)):
            return error(422, "the url must be https and its address public", "VALIDATION_ERROR")
        one = self.register(topic, url, body.get("audience"))
        return JSONResponse(subscription_json(one), 201) if with_id else Response(status_code=204)

    def parcels(
        self, archives: Iterable[EmulatedArchive], tenant: str, attempts: Attempts, private: Callable[[], bool]
    ) -> list[Parcel]:
        """What is to be sent for archives that became available since the last call, oldest first.

        A topic must fit to the letter, so a misspelt one never fires.
        """
        events: list[tuple[float, EmulatedArchive]] = []
        for archive in archives:
            events += [(at, archive) for at in archive.became_available]
            archive.became_available.clear()
        events.sort(key=lambda event: event[0])
        return [
            Parcel(
                one.url,
                delivery_of(archive, AVAILABLE_TOPIC, tenant),
                attempts,
                is_delivered,
                note=partial(self.note_attempt, one),
                hindrance=partial(self._hindrance, one.url, private),
                copies=archive.copies,
            )
            for at, archive in events
            for one in self.registered.values()
            if one.topic == AVAILABLE_TOPIC and one.created_at <= at
        ]

    def _hindrance(self, url: str, private: Callable[[], bool]) -> str:
        if not private() and not is_public_target(url):
            return "the url must be https and its address public"
        if any(begin <= self.now() < end for begin, end in self.outages):
            return "could not connect to the receiver"
        return ""

    def note_attempt(self, one: EmulatedSubscription, attempt: Attempt) -> None:
        """Put an attempt into the reports, which hold the latest 50."""
        self.note(one, attempt.status, attempt.number, attempt.words)

    def note(self, one: EmulatedSubscription, status: int | None, number: int, words: str = "") -> bool:
        """Put an attempt into the reports; whether it counts as delivered. assumption: the whole shape."""
        delivered = status is not None and is_delivered(status)
        report: dict[str, Any] = {
            "id": f"report-{next(self._numbers)}",
            "createdAt": iso(self.now()),
            "statusCode": status,
            "attempt": number,
            "outcome": "delivered" if delivered else "not delivered",
            "error": words or None,
        }
        one.reports.insert(0, report)
        del one.reports[REPORT_BACKLOG:]
        return delivered


def error(status: int, message: str, code: str) -> Response:
    """assumption: how the service says that something is wrong."""
    return JSONResponse({"message": message, "code": code}, status)


def is_public_target(url: str) -> bool:
    """TLS and no special-purpose address (page, "Targets"). Names are taken as public if they have a dot."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host.strip(".") and not host.endswith((".localhost", ".local", ".internal"))
