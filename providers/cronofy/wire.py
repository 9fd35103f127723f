"""Cronofy's protocol without a network: build requests, read answers, name errors.

Sources: pages/cronofy ("Downloading resources", page), and the public API documentation of meeting agents (doc).
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from providers.base import (
    BadAnswer,
    Forbidden,
    Gone,
    Head,
    NotTrusted,
    ProviderError,
    Refused,
    SessionLost,
    error_for_status,
)
from providers.cronofy.record import agent_listing
from providers.messages import REDIRECTS, Answer, Request, json_request, media_type
from providers.models import AssetKind, Listing
from providers.origin import Origin
from providers.text import safe_text

AGENTS_PATH = "/v1/meeting_agents"
INTERACTIONS = ("meeting_agent_activated", "meeting_agent_complete", "meeting_agent_failed")
_STORE_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9._-]{1,60})\s*</Code>")
_MARKUP = (b"<?xml", b"<!doctype", b"<html", b"<error", b'{"', b"{\n", b"{ ")


def base_url(options: Mapping[str, Any]) -> str:
    """The API's address without a slash at its end. Doc: every API page, `data_center_url`. Raises NotTrusted."""
    given = options.get("base_url")
    if given:
        if Origin.of(str(given)) is None:
            raise NotTrusted(f"base_url {safe_text(given)} is no http(s) address")
        return str(given).rstrip("/")
    center = str(options.get("data_center") or "us")
    return "https://api.cronofy.com" if center == "us" else f"https://api-{center}.cronofy.com"


def own_origins(base: str, resource_hosts: Any) -> tuple[Origin, ...]:
    """The origins that may be sent the API key: the API's first, then the `resource_hosts`.

    A host is https; one on loopback has the scheme of `base` when that is on loopback too. Raises NotTrusted.
    """
    api = Origin.of(base)
    if api is None:
        raise NotTrusted("the address of the API is no http(s) address")
    found = [api]
    for host in resource_hosts or ():
        origin = Origin.of(f"https://{host}")
        if origin is None or "*" in origin.host or str(host).lower() not in (origin.netloc, f"{origin.netloc}:443"):
            raise NotTrusted(f"resource_hosts: {safe_text(host, 80)} is no exact host or host:port")
        if origin.is_loopback and api.is_loopback:
            origin = Origin(api.scheme, origin.host, origin.port)
        found.append(origin)
    return tuple(dict.fromkeys(found))


def _web_address(url: str, what: str) -> str:
    if Origin.of(url) is None:
        raise Refused(f"the {what} is no http(s) address")
    return url


def dispatch_request(base: str, join_url: str, attendee: str = "", callback_url: str = "") -> Request:
    """Send an agent now: POST /v1/meeting_agents, 200 (doc: schedule, immediate). Raises Refused for unusable input."""
    return json_request("POST", base + AGENTS_PATH, _order(join_url, attendee, callback_url))


def schedule_request(
    base: str, join_url: str, key: str, join_at: datetime, attendee: str = "", callback_url: str = ""
) -> Request:
    """Have an agent join at `join_at` (aware): POST with scheduling_key and join_time, 202 (doc: schedule).

    The time is sent in UTC in whole seconds: nonzero milliseconds are not accepted (doc: data-types).
    """
    if join_at.tzinfo is None:
        raise Refused("the time to join has no time zone")
    join_time = join_at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    order = _order(join_url, attendee, callback_url)
    return json_request("POST", base + AGENTS_PATH, order | {"scheduling_key": _key(key), "join_time": join_time})


def cancel_request(base: str, key: str) -> Request:
    """Cancel a scheduled agent: DELETE with a JSON body, 202 (doc: cancel-scheduled)."""
    return json_request("DELETE", base + AGENTS_PATH, {"scheduling_key": _key(key)})


def check_request(base: str) -> Request:
    """An order without a meeting to join, which cannot become an agent.

    assumption: no harmless call is documented. The API judges the key first (401, 402, 403), and then refuses the
    empty order with 422, since join_url is required.
    """
    return json_request("POST", base + AGENTS_PATH, {})


def _key(key: str) -> str:
    if not key.strip():
        raise Refused("the agent needs a scheduling key, which names it for cancelling")
    return key


def _order(join_url: str, attendee: str, callback_url: str) -> dict[str, Any]:
    order: dict[str, Any] = {"join_url": _web_address(join_url, "link to join")}
    if attendee:
        if not attendee.isprintable() or not all(attendee.partition("@")):
            raise Refused("the attendee is no e-mail address")
        order["on_behalf_of_attendee"] = {"email": attendee}
    if callback_url:
        order["subscriptions"] = [
            {
                "type": "webhook",
                "uri": _web_address(callback_url, "address for webhooks"),
                "interactions": [{"type": name} for name in INTERACTIONS],
            }
        ]
    return order


def raise_for(answer: Answer, now: datetime, subject: str) -> None:
    """Raise the ProviderError for an answer that is no success; 2xx passes. Doc: error-codes; sdk: errors."""
    status = answer.status
    if 200 <= status < 300:
        return
    said = _said(answer)
    tail = f": {said}" if said else ""
    if status in REDIRECTS:
        raise BadAnswer(f"the service redirects {subject} elsewhere (HTTP {status}); is base_url right?")
    if status == 402:
        raise Forbidden(
            f"the plan of this Cronofy application lacks {subject} (HTTP 402){tail}; meeting agents need “Emerging”"
        )
    if status == 422:
        raise Refused(f"Cronofy refuses {subject} (HTTP 422){tail or ': it names no reason'}")
    if status == 423:
        raise Refused(f"the Cronofy account is locked (HTTP 423){tail}; its owner can unlock it at Cronofy")
    raise error_for_status(status, answer.headers, now, said, subject)


def _said(answer: Answer) -> str:
    """What an error's body says, as safe text; "" when it says nothing that we can read."""
    body = answer.json_or_none()
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    if isinstance(errors, dict):
        return safe_text("; ".join(_field_words(name, found) for name, found in list(errors.items())[:10]))
    for name in ("message", "error_description", "error"):
        if isinstance(body.get(name), str):
            return safe_text(body[name])
    return ""


def _field_words(name: str, found: Any) -> str:
    """`join_url: required (errors.required)`, from {"key": ..., "description": ...} (sdk)."""
    words = []
    for item in found[:5] if isinstance(found, list) else [found]:
        if isinstance(item, dict):
            key, description = safe_text(item.get("key"), 80), safe_text(item.get("description"), 120)
            words.append(f"{description} ({key})" if description and key else description or key or "refused")
        else:
            words.append(safe_text(item, 120) or "refused")
    return f"{safe_text(name, 80)}: {', '.join(words) or 'refused'}"


def read_dispatched(answer: Answer, told_by: str, own: frozenset[Origin]) -> Listing:
    """The agent of the create response, with or without its `meeting_agent` wrapper (two shapes in the docs).

    An accepted request without a body (202) gives an empty listing: the agent's state comes by webhook.
    """
    if answer.status == 202 and not answer.content.strip():
        return Listing()
    body = answer.json()
    if isinstance(body, dict) and "meeting_agent" in body:
        body = body["meeting_agent"]
    return agent_listing(body, None, told_by, own)


def read_location(status: int, headers: Mapping[str, str], body: bytes, url: str) -> str:
    """The presigned address in the answer for a resource: `Location`, or `resource.download_url` of the body.

    Either may be missing (page: both exist so that an integrator can use the one he prefers). Raises BadAnswer
    when neither is a web address, or when it leads back to `url`.
    """
    found = [_absolute(url, headers.get("location", "")), download_url(body)]
    for address in found:
        if address and Origin.of(address) is not None:
            if address == url:
                raise BadAnswer("the service redirects the resource to itself")
            return address
    raise BadAnswer(f"the service's answer (HTTP {status}) names no address to download from")


def _absolute(base: str, location: str) -> str | None:
    """An absolute address for a Location header; None when it is empty or none."""
    if not location.strip():
        return None
    try:
        return urljoin(base, location.strip())
    except ValueError:
        return None


def download_url(body: bytes) -> str | None:
    """`resource.download_url` of a body; None when it has none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    resource = value.get("resource") if isinstance(value, dict) else None
    address = resource.get("download_url") if isinstance(resource, dict) else None
    return address if isinstance(address, str) else None


def judge_store(kind: AssetKind, now: datetime, head: Head) -> None:
    """Whether the object store's answer is the file; raises what it means otherwise.

    assumption: the vendor of the store is not documented; the codes are those of S3, whose errors are XML.
    """
    if head.status in (200, 206):
        judge_content(kind, head)
        return
    code = store_code(head.prefix)
    tail = f": {code}" if code else ""
    ran_out = not code or "expired" in code.lower() or "token" in code.lower()
    if head.status in (401, 403) or (head.status == 400 and ran_out):
        raise SessionLost(f"the download link ran out or is refused (HTTP {head.status}{tail})")
    if head.status in (404, 410):
        raise Gone(f"the object store no longer has the file (HTTP {head.status}{tail})")
    if head.status in REDIRECTS:
        raise BadAnswer(f"the object store redirects elsewhere (HTTP {head.status}), which is not followed")
    raise _other_status(head, now, code)


def judge_direct(kind: AssetKind, now: datetime, head: Head) -> None:
    """The same for a resource address that gives the file itself instead of a redirect."""
    if head.status in (200, 206):
        judge_content(kind, head)
        return
    if head.status in REDIRECTS:
        raise SessionLost(f"the file moved (HTTP {head.status}); it is looked up again")
    raise _other_status(head, now, "")


def _other_status(head: Head, now: datetime, said: str) -> ProviderError:
    if head.status < 300:
        return BadAnswer(f"HTTP {head.status} brings no file")
    return error_for_status(head.status, head.headers, now, said, "the file")


def store_code(prefix: bytes) -> str:
    """The `<Code>` of a store's XML error; "" when there is none."""
    match = _STORE_CODE.search(prefix[:4096])
    return match[1].decode("ascii") if match else ""


def judge_content(kind: AssetKind, head: Head) -> None:
    """Whether the first bytes can be the file. Raises BadAnswer: a transcript is JSON; audio and video are no text."""
    media = media_type(head.headers)
    markup = media.endswith(("/xml", "+xml", "/html"))
    if head.complete and not head.prefix and head.status == 200:
        raise BadAnswer("the file is empty")
    if kind is AssetKind.TRANSCRIPT:
        if markup:
            raise BadAnswer(f"expected a transcript (JSON), got {safe_text(media, 60)}")
        if head.status == 200:
            _judge_transcript(head)
        return
    if markup or media.startswith("text/") or media.endswith(("/json", "+json")):
        raise BadAnswer(f"expected {kind}, got {safe_text(media, 60)}")
    start = head.prefix[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.status == 200 and start.startswith(_MARKUP):
        raise BadAnswer(f"expected {kind}, got a text that begins like XML, HTML or JSON")


def _judge_transcript(head: Head) -> None:
    content = head.prefix.removeprefix(b"\xef\xbb\xbf")
    if not content.lstrip().startswith(b"{"):
        raise BadAnswer("expected a transcript (JSON), got something else")
    if not head.complete:
        return
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise BadAnswer("expected a transcript (JSON), got what only begins like it") from None
    if "transcript" not in value and ("error" in value or "errors" in value):
        raise BadAnswer("expected a transcript, got an error in JSON")
