"""Temasys' callback when a recording is mixed: verify what can be verified, and read it.

Source: page "Recording Notification API call", "url". It states eight fields and no example: whether they come as JSON
or as a form, as numbers or texts, in seconds or milliseconds is not documented, so all of these are taken. There is no
signature: whoever knows the address can call it.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from msgspec.structs import replace

from providers.base import NotAuthentic, Unreadable
from providers.kept import MORE, Redaction, compact, is_secret_field, pruned
from providers.messages import media_type
from providers.models import Announcement, Asset, AssetKind, Delivery, Listing, Meeting, RemoteState
from providers.origin import Origin
from providers.secret import Secret
from providers.text import safe_text

TOPIC = "recording"
MAX_LINK = 8192
_FIELDS = ("meetingId", "apiKey", "unixTime", "roomId", "participants", "startTime", "endTime", "retrievalUrl")
_MILLISECONDS_FROM = 100_000_000_000
_LATEST = 253_402_300_799  # the end of the year 9999
_MAX_NUMBER = 40
_MAX_TIME = 100
_MAX_PARTS = 100
_MAX_HEAD = 4096
_MAX_PART_HEAD = 1024
# Every link is taken whole, so that each letter is read once.
_LINK = re.compile(r"https?://\S*", re.I)
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\s]{1,70})"|([^\s";,]{1,70}))', re.I)
_NAME = re.compile(rb'content-disposition:\s*form-data;[^\r\n]*?\bname=(?:"([^"\r\n]*)"|([^\s";]+))', re.I)


def read(delivery: Delivery, api_key: Secret | None) -> Announcement:
    """What a callback says. Raises NotAuthentic (another app key than the account's) or Unreadable."""
    record = _record(delivery)
    _check_app_key(record, api_key)
    meeting_id = safe_text(_text(record, "meetingId"), 200)
    if not meeting_id:
        raise Unreadable("the callback names no meetingId")
    mixed_at = _mixed_at(record)
    raw = _redacted_text(record)
    meeting = _meeting(record, meeting_id, mixed_at, raw)
    asset = _asset(record, meeting_id, mixed_at, raw)
    return Announcement(
        key=_key(record, mixed_at),
        topic=TOPIC,
        verified="not signed; the app key matches" if api_key else "not signed",
        listing=Listing((meeting,), (asset,)),
        redacted_body=raw,
    )


def _record(delivery: Delivery) -> dict[str, Any]:
    """The callback's fields, whichever way they are encoded. Raises Unreadable."""
    kind = media_type(delivery.headers)
    if kind == "multipart/form-data":
        return _multipart(delivery)
    try:
        value = json.loads(delivery.body)
    except (ValueError, RecursionError):
        return _form(delivery.body)
    # assumption: a wrapper, if there is one, is called as in the service's answers: content, data.
    for name in ("content", "data"):
        if isinstance(value, dict) and not any(field in value for field in _FIELDS) and name in value:
            value = value[name]
    if not isinstance(value, dict):
        raise Unreadable("the callback is JSON, but no object")
    return value


def _form(body: bytes) -> dict[str, Any]:
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        fields = {}
    if not any(name in fields for name in _FIELDS):
        raise Unreadable("the callback is neither JSON nor a form")
    return dict(fields)


def _multipart(delivery: Delivery) -> dict[str, Any]:
    """The fields of a form in parts (RFC 7578): texts only, without transfer encodings and without forms in forms.

    Not the mail parser of the standard library: nested parts and long parameters keep that busy for minutes.
    """
    boundary = _BOUNDARY.search(delivery.headers["content-type"][:_MAX_HEAD])
    fields: dict[str, Any] = {}
    if boundary:
        frontier = b"\r\n--" + (boundary[1] or boundary[2]).encode(errors="replace")
        for part in (b"\r\n" + delivery.body).split(frontier, _MAX_PARTS)[1:]:
            head, _, content = part.partition(b"\r\n\r\n")
            named = _NAME.search(head[:_MAX_PART_HEAD])
            if named:
                fields[(named[1] or named[2] or b"").decode(errors="replace")] = content.decode(errors="replace")
    if not any(name in fields for name in _FIELDS):
        raise Unreadable("the callback's form has none of the fields of a recording")
    return fields


def _check_app_key(record: Mapping[str, Any], api_key: Secret | None) -> None:
    if api_key is None:
        return
    named = _text(record, "apiKey").encode(errors="surrogatepass")
    if not hmac.compare_digest(named, api_key.reveal().encode()):
        raise NotAuthentic("the callback names another app key than this account's")


def _text(record: Mapping[str, Any], name: str) -> str:
    """A field as text; numbers are taken, anything else is "" (also true and false)."""
    value = record.get(name)
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _mixed_at(record: Mapping[str, Any]) -> datetime:
    """`unixTime`, when mixing was complete (page): seconds or milliseconds."""
    moment = _from_unix(_text(record, "unixTime"))
    if moment is None:
        raise Unreadable("the callback's unixTime is no time")
    return moment


def _from_unix(text: str) -> datetime | None:
    try:
        number = float(text[:_MAX_NUMBER])
    except ValueError:
        return None
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    return datetime.fromtimestamp(int(seconds), UTC) if 0 < seconds <= _LATEST else None


def _from_text(text: str) -> datetime | None:
    """`startTime` and `endTime`: "UTC format" (page), so ISO 8601, an HTTP date or unix time. None: unreadable."""
    if not text.isascii() or len(text) > _MAX_TIME:
        return None
    moment = _from_unix(text)
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = moment or parse(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _key(record: Mapping[str, Any], mixed_at: datetime) -> str:
    """The same for a callback and its repetition. No id is delivered, so what is told of the recording makes one."""
    names = [_text(record, name) for name in ("apiKey", "roomId", "meetingId")]
    content = json.dumps([*names, int(mixed_at.timestamp())])
    return hashlib.sha256(content.encode()).hexdigest()


def _meeting(record: Mapping[str, Any], meeting_id: str, mixed_at: datetime, raw: str) -> Meeting:
    # roomId is the room's name, and participants the highest number of them, no list (page).
    room, most = safe_text(_text(record, "roomId")), safe_text(_text(record, "participants"), 40)
    started, ended = _text(record, "startTime"), _text(record, "endTime")
    details = {"Most participants": most, "Mixed": f"{mixed_at:%Y-%m-%d %H:%M:%S} UTC"}
    times = {"Start": (started, _from_text(started)), "End": (ended, _from_text(ended))}
    details |= {name: safe_text(text) for name, (text, moment) in times.items() if moment is None}
    return Meeting(
        id=meeting_id,
        title=room or meeting_id,
        started_at=times["Start"][1],
        ended_at=times["End"][1],
        origin="callback of the service, not signed",
        details={name: text for name, text in details.items() if text},
        raw=raw,
    )


def _asset(record: Mapping[str, Any], meeting_id: str, mixed_at: datetime, raw: str) -> Asset:
    room = safe_text(_text(record, "roomId"))
    asset = Asset(
        meeting_id=meeting_id,
        kind=AssetKind.VIDEO,
        variant=str(int(mixed_at.timestamp())),
        state=RemoteState.FAILED,
        extension="mp4",
        locator={"room": room},
        raw=raw,
    )
    link = _text(record, "retrievalUrl")
    if not link:
        return replace(asset, error="the callback brought no link to the recording")
    origin = Origin.of(link) if len(link) <= MAX_LINK else None
    if origin is None:
        return replace(asset, error="what the callback gives as link is no http(s) address")
    deadline = link_runs_out(link)
    return replace(
        asset,
        state=RemoteState.AVAILABLE,
        sealed_link=Secret(link),
        locator={"room": room, "host": origin.netloc},
        deadline=deadline,
        details={"Deadline": "its link runs out"} if deadline else {},
    )


def link_runs_out(link: str) -> datetime | None:
    """When a presigned S3 link runs out; None when it does not say.

    The page says "download link generated by Amazon S3", and no way to get a new one is documented: then the recording
    is out of reach. The parameters are AWS' own: X-Amz-Date and X-Amz-Expires (seconds), or the older Expires (unix
    time) beside a Signature.
    """
    query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    try:
        begins = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return begins + timedelta(seconds=int(query["x-amz-expires"]))
    except (KeyError, ValueError, OverflowError):
        return _from_unix(query["expires"]) if "signature" in query and "expires" in query else None


def _redacted_text(record: Mapping[str, Any]) -> str:
    return compact(pruned(record, _REDACTION))


def _cleaned(text: str) -> str:
    """A text without what makes a link work."""
    return _LINK.sub(_without_query, text) if "://" in text else text


def _without_query(link: re.Match[str]) -> str:
    address, *query = re.split(r"[?#]", link[0], maxsplit=1)
    return address + ("?…" if query else "")


def _hidden(name: str, value: object) -> str | None:
    """What stands in place of the app key and of the recording's link."""
    if name.lower() != "retrievalurl":
        return MORE if is_secret_field(name) else None
    origin = Origin.of(value.strip()) if isinstance(value, str) else None
    return f"{origin}/…" if origin else MORE


_REDACTION = Redaction(_hidden, _cleaned)
