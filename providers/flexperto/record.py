"""A flexperto archive record, read into our words.

Certain are `status`, `error`, `conferenceId` and `sha256CheckSum` (page) and that a record has "conference start and
end dates, expert and participant information" (doc diff 3348955293/2727837856). assumption: every other key here is a
candidate; the record's own text is kept in `raw`.
"""

import base64
import binascii
import functools
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from providers.base import BadAnswer
from providers.kept import MAX_RECORD_COST, MORE, Redaction, compact, laid_out, pruned
from providers.models import Asset, AssetKind, Checksum, Listing, Meeting, RemoteState
from providers.text import safe_text

ARCHIVE_ID_KEYS = ("id", "_id", "archiveId", "archive_id")
CONFERENCE_ID_KEYS = ("conferenceId", "conference_id")
EXPIRATION = timedelta(days=3)
"""From abandoning to deletion, by default (page, "When are archives deleted")."""

_MAX_ID = 200
_STATES = {
    "AVAILABLE": RemoteState.AVAILABLE,
    "ABANDONED": RemoteState.ABANDONED,
    "EXPIRED": RemoteState.EXPIRED,
    "FAILED": RemoteState.FAILED,
}
_START_KEYS = ("startDate", "startedAt", "startTime", "startsAt", "start", "conferenceStartDate", "conferenceStart")
_END_KEYS = ("endDate", "endedAt", "endTime", "endsAt", "end", "conferenceEndDate", "conferenceEnd")
_TITLE_KEYS = ("title", "subject", "topic", "name")
_EXPIRY_KEYS = ("expiresAt", "expirationDate", "expires_at", "expireAt")
_SIZE_KEYS = ("size", "fileSize", "sizeInBytes")
_SECRET_KEY = re.compile(r"password|passwd|secret|token|api[-_]?key|authorization|cookie|signature|credential", re.I)
_LINK = re.compile(r"(https?://)([^\s\"]*)", re.I)
_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def identifier(value: object) -> str:
    """An id as text that can be shown and stand in a path; "" for anything else (empty, `..`, control characters)."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID or value in (".", ".."):
        return ""
    return value if safe_text(value) == value else ""


def first_identifier(record: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The first usable id under one of the keys, "" when there is none."""
    return next((found for key in keys if (found := identifier(record.get(key)))), "")


def remote_state(status: object) -> RemoteState:
    """The state for a status (page, lifecycle). There are "several internal states": unknown ones are in progress."""
    if not isinstance(status, str) or not status.strip():
        return RemoteState.UNKNOWN
    return _STATES.get(status.strip().upper(), RemoteState.PROCESSING)


def read_checksum(stated: object) -> Checksum | None:
    """`sha256CheckSum` as hex in either case or base64 of 32 bytes; value "" when it is neither, None when absent.

    assumption: the page names no encoding, so both are accepted.
    """
    if stated is None or stated == "":
        return None
    words = safe_text(stated if isinstance(stated, str) else type(stated).__name__)
    if not isinstance(stated, str):
        return Checksum("", words)
    text = stated.strip()
    if _HEX_SHA256.fullmatch(text):
        return Checksum(text.lower(), words)
    try:
        digest = base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return Checksum("", words)
    return Checksum(digest.hex() if len(digest) == 32 else "", words)


def read_time(value: object) -> datetime | None:
    """A moment from ISO 8601 text or unix seconds or milliseconds, in UTC; None when it is no plausible one.

    assumption: a time without an offset is in UTC.
    """
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if 1970 <= moment.year < 3000 else None


def redacted_json(value: object, cost: int = MAX_RECORD_COST) -> str:
    """JSON text to keep and show: credentials and the queries of links replaced, no more of it than can be read."""
    return compact(pruned(value, _REDACTION, cost))


def listing_of(record: object, origin: str, known_id: str = "", stay: timedelta = EXPIRATION) -> Listing:
    """The meeting and asset of one record. `known_id`: the archive id that was asked for.

    `stay`: from abandoning to deletion, as the tenant is set up.

    Raises BadAnswer when it is no object, has no usable archive id, or is of another archive.
    """
    if not isinstance(record, dict):
        raise BadAnswer("an archive record is no JSON object")
    stated_id = first_identifier(record, ARCHIVE_ID_KEYS)
    if known_id and stated_id and stated_id != known_id:
        raise BadAnswer(f"asked for archive {known_id}, the service answers with {stated_id}")
    archive_id = known_id or stated_id
    if not archive_id:
        raise BadAnswer("an archive record has no usable id")
    conference_id = first_identifier(record, CONFERENCE_ID_KEYS)
    meeting_id = conference_id or archive_id
    raw = redacted_json(record)
    meeting = _meeting(record, meeting_id, origin, raw)
    return Listing((meeting,), (_asset(record, (meeting_id, archive_id, conference_id), raw, stay),))


def _meeting(record: dict[str, Any], meeting_id: str, origin: str, raw: str) -> Meeting:
    conference = record.get("conference")
    places = (conference, record) if isinstance(conference, dict) else (record,)
    return Meeting(
        id=meeting_id,
        title=_first_text(places, _TITLE_KEYS),
        started_at=_first_time(places, _START_KEYS),
        ended_at=_first_time(places, _END_KEYS),
        people=_people(places),
        origin=origin,
        raw=raw,
    )


def _asset(record: dict[str, Any], ids: tuple[str, str, str], raw: str, stay: timedelta) -> Asset:
    meeting_id, archive_id, conference_id = ids
    status = record.get("status")
    state = remote_state(status)
    deadline, basis = _deadline(record, state, stay)
    details = {"Archive id": archive_id}
    if conference_id:
        details["Conference id"] = conference_id
    for label, key in (("Created", "createdAt"), ("Updated", "updatedAt"), ("Abandoned", "abandonedAt")):
        if isinstance(record.get(key), str | int) and (text := safe_text(record[key])):
            details[label] = text
    if basis:
        details["Deadline"] = basis
    locator = {"archive_id": archive_id}
    if conference_id:
        locator["conference_id"] = conference_id
    return Asset(
        meeting_id=meeting_id,
        kind=AssetKind.ARCHIVE,
        variant=archive_id,
        state=state,
        provider_state=safe_text(status) if isinstance(status, str) else "",
        error=_error(record.get("error")),
        size=_size(record),
        checksum=read_checksum(record.get("sha256CheckSum")),
        deadline=deadline,
        extension="zip",
        locator=locator,
        warning="" if conference_id else "the record names no conference: the current paths cannot release it",
        details=details,
        raw=raw,
    )


def _deadline(record: dict[str, Any], state: RemoteState, stay: timedelta) -> tuple[datetime | None, str]:
    """When the file is deleted, and how we know. Unclaimed archives are kept (doc) unless the record says otherwise."""
    if state not in (RemoteState.AVAILABLE, RemoteState.ABANDONED):
        return None, ""
    for key in _EXPIRY_KEYS:
        if moment := read_time(record.get(key)):
            return moment, f"stated by the service ({key})"
    if state is RemoteState.ABANDONED:
        for key in ("abandonedAt", "updatedAt"):
            if moment := read_time(record.get(key)):
                days = f"{stay / timedelta(days=1):g} days"
                if stay != EXPIRATION:
                    return moment + stay, f"{days} (abandon_days) after {key}"
                return moment + stay, f"assumed: {days}, the service's default, after {key}"
    return None, ""


def _error(value: object) -> str:
    if isinstance(value, dict):
        value = _first_text((value,), ("message", "error", "code", "name")) or laid_out(redacted_json(value))
    return safe_text(value) if isinstance(value, str) else ""


def _size(record: dict[str, Any]) -> int | None:
    for key in _SIZE_KEYS:
        value = record.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
            return value
    return None


def _first_text(places: Iterable[dict[str, Any]], keys: tuple[str, ...]) -> str:
    for place in places:
        for key in keys:
            value = place.get(key)
            if isinstance(value, str) and (text := safe_text(value)):
                return text
    return ""


def _first_time(places: Iterable[dict[str, Any]], keys: tuple[str, ...]) -> datetime | None:
    values = (read_time(place.get(key)) for place in places for key in keys)
    return next((moment for moment in values if moment), None)


def _people(places: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Expert first, then participants; each once."""
    found: dict[str, None] = {}
    for place in places:
        for key in ("expert", "experts", "moderator", "participants"):
            value = place.get(key)
            for person in value if isinstance(value, list) else [value]:
                if name := _person(person):
                    found[name] = None
    return tuple(found)


def _person(value: object) -> str:
    if isinstance(value, str):
        return safe_text(value)
    if not isinstance(value, dict):
        return ""
    parts = (_first_text((value,), (key,)) for key in ("firstName", "lastName"))
    whole = _first_text((value,), ("name", "displayName", "fullName")) or " ".join(part for part in parts if part)
    return whole or _first_text((value,), ("email", "mail"))


@functools.lru_cache(1024)
def _is_secret(name: str) -> bool:
    return _SECRET_KEY.search(name) is not None


def _hidden(name: str, value: object) -> str | None:
    return MORE if value is not None and _is_secret(name) else None


def _cleaned(text: str) -> str:
    return _LINK.sub(_without_secrets, text) if "://" in text else text


def _without_secrets(link: re.Match[str]) -> str:
    """A link without user name and query. The pattern takes every link whole, so that each letter is read once."""
    address, *query = re.split(r"[?#]", link[2], maxsplit=1)
    host, slash, path = address.partition("/")
    return f"{link[1]}{host.rpartition('@')[2]}{slash}{path}" + ("?…" if query else "")


_REDACTION = Redaction(_hidden, _cleaned)
