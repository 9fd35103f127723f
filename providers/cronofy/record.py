"""Reading an agent's record: the `meeting_agent` object of a webhook or of the create response. Pure functions.

Sources: pages/cronofy (page), /developers/api/meeting-agents/callbacks and /schedule (doc).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from providers.base import BadAnswer
from providers.kept import MORE, Redaction, compact, is_secret_field, is_secret_name, pruned
from providers.models import Asset, AssetKind, Listing, Meeting, RemoteState
from providers.origin import Origin
from providers.text import MAX_LINE, safe_text

PAIRS = {
    ("cronofy", "dashboard"): AssetKind.DASHBOARD,
    ("transcript", "cronofy"): AssetKind.TRANSCRIPT,
    ("audio", "voice"): AssetKind.AUDIO,
    ("video", "conference"): AssetKind.VIDEO,
}
"""Page, table of resources: the pair tells, since the type `cronofy` alone and the category `cronofy` alone do not."""

# assumption: no file types are documented. An MPEG-4 audio file beside an MP4 video is the likeliest.
EXTENSIONS = {AssetKind.TRANSCRIPT: "json", AssetKind.AUDIO: "m4a", AssetKind.VIDEO: "mp4", AssetKind.DASHBOARD: ""}

STATES = {
    "created": RemoteState.PROCESSING,
    "complete": RemoteState.AVAILABLE,
    # assumption: no value is documented for an agent that failed.
    "failed": RemoteState.FAILED,
}

MAX_URL = 4000
_QUERY = re.compile(r"[?#]")
_MAX_RESOURCES = 32
_MAX_TIME = 60


def has_secret_query(url: str) -> bool:
    """Whether an address carries a secret itself (a presigned link, a passcode)."""
    try:
        parts = urlsplit(url)
        fields = parse_qsl(f"{parts.query}&{parts.fragment}", keep_blank_values=True)
    except ValueError:
        return True
    return any(is_secret_name(name) for name, _ in fields)


def _hidden(name: str, value: object) -> str | None:
    return MORE if isinstance(value, str) and is_secret_field(name) else None


def _cleaned(text: str) -> str:
    return _QUERY.split(text, maxsplit=1)[0] + "?…" if "://" in text and has_secret_query(text) else text


_REDACTION = Redaction(_hidden, _cleaned)
"""Presigned links, passcodes in join links, fields named like secrets."""


def raw_text(value: Any) -> str:
    """A record as received, as text to keep and show: redacted, and no more of it than can be read."""
    return compact(pruned(value, _REDACTION))


def parse_time(value: Any) -> datetime | None:
    """A time of the API (ISO 8601, or an object with `time`), in UTC; None when it is none. Doc: data-types."""
    if isinstance(value, dict):
        value = value.get("time")
    if not isinstance(value, str) or len(value) > _MAX_TIME:
        return None
    try:
        time = datetime.fromisoformat(value.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def state_of(word: str) -> RemoteState:
    """The agent's state in our words. It is an open set: what we do not know stays UNKNOWN, its word beside it."""
    return STATES.get(word.lower(), RemoteState.UNKNOWN)


def agent_listing(agent: Any, event: Any, told_by: str, own: frozenset[Origin]) -> Listing:
    """The meeting and assets that an agent's record tells of.

    `event` is the payload's event, which may be missing; `own` are the origins that may be sent the API key.
    The state comes from the record alone, never from the name of an interaction: `meeting_agent_activated` says
    `created`. Raises BadAnswer when it is no agent.
    """
    if not isinstance(agent, dict):
        raise BadAnswer("the answer holds no meeting_agent")
    sub = agent.get("sub")
    if not isinstance(sub, str) or not sub or safe_text(sub, 200) != sub:
        raise BadAnswer("the meeting_agent has no usable `sub`")
    event = event if isinstance(event, dict) else {}
    word = _word(agent.get("state"), 60)
    assets: dict[AssetKind, Asset] = {}
    details = _event_details(event)
    resources = agent.get("resources")
    for resource in resources[:_MAX_RESOURCES] if isinstance(resources, list) else ():
        if not isinstance(resource, dict):
            continue
        pair = (_word(resource.get("category"), 60), _word(resource.get("type"), 60))
        kind = PAIRS.get(pair)
        if kind is None or kind in assets:
            label = "Unknown resource" if kind is None else "Further resource"
            details[f"{label} {pair[0]}/{pair[1]}"] = _shown_address(resource.get("url"))
        else:
            assets[kind] = _asset(sub, kind, word, resource, own)
    title = _word(event.get("summary"))
    record = {"event": event, "meeting_agent": agent} if event else {"meeting_agent": agent}
    meeting = Meeting(
        id=sub,
        title=title,
        started_at=parse_time(event.get("start")),
        ended_at=parse_time(event.get("end")),
        state=state_of(word),
        provider_state=word,
        origin=told_by,
        details=details,
        raw=raw_text(record),
    )
    return Listing((meeting,), tuple(assets.values()))


def _word(value: Any, limit: int = MAX_LINE) -> str:
    """A text or number as one harmless line; "" for objects and lists, which may be nested too deeply to be told."""
    return safe_text(value, limit) if isinstance(value, str | int | float) else ""


def _event_details(event: Mapping[str, Any]) -> dict[str, str]:
    conferencing = event.get("conferencing")
    conferencing = conferencing if isinstance(conferencing, dict) else {}
    # `event.meeting_agent` is another object than the payload's own: it has the profile, not the agent.
    plan = event.get("meeting_agent")
    plan = plan if isinstance(plan, dict) else {}
    found = {
        "Conferencing": _word(conferencing.get("provider_name"), 80),
        "Joins": _shown_address(conferencing.get("join_url")),
        "Time zone": _word(event.get("tzid"), 80),
        "Event": _word(event.get("event_id"), 200),
        "Agent profile": _word(plan.get("profile_id"), 80),
    }
    return {label: text for label, text in found.items() if text}


def _shown_address(url: Any) -> str:
    """An address to show: without its query, which may hold a passcode or a signature."""
    return safe_text(_QUERY.split(url, maxsplit=1)[0]) if isinstance(url, str) else ""


def _asset(sub: str, kind: AssetKind, word: str, resource: Mapping[str, Any], own: frozenset[Origin]) -> Asset:
    url = resource.get("url")
    origin = Origin.of(url) if isinstance(url, str) and len(url) <= MAX_URL else None
    raw = raw_text(resource)
    if kind is AssetKind.DASHBOARD:
        return Asset(
            sub,
            kind,
            state=RemoteState.AVAILABLE,
            provider_state=word,
            extension=EXTENSIONS[kind],
            link=str(url) if origin else "",
            warning="" if origin else "suspicious: the dashboard's address is no web address, so it is not shown",
            raw=raw,
        )
    state = state_of(word)
    failed = state is RemoteState.FAILED
    warning = _suspicion(url, origin, own)
    assumed = kind is not AssetKind.TRANSCRIPT
    # A presigned link is never kept, and nothing else of another host's should carry a secret.
    keep = origin is not None and (origin in own or not has_secret_query(str(url)))
    return Asset(
        sub,
        kind,
        state=state,
        provider_state=word,
        error="the agent failed; Cronofy documents no reason (see the raw record)" if failed else "",
        extension=EXTENSIONS[kind],
        locator={"url": str(url)} if keep else {},
        warning=warning,
        details={"File type": f"not documented; .{EXTENSIONS[kind]} is assumed"} if assumed else {},
        raw=raw,
    )


def _suspicion(url: Any, origin: Origin | None, own: frozenset[Origin]) -> str:
    if origin is None:
        return "suspicious: the resource's address is no http(s) address"
    if origin not in own:
        return (
            f"suspicious: the resource's host {safe_text(origin.netloc, 120)} is not this account's, so the API key "
            "is not sent there; if it is Cronofy's, add it to resource_hosts"
        )
    return ""
