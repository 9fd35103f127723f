"""ProCONF's catch-up calls as pure functions: build requests, read the envelope, name what is wrong.

Source: docs.proconf.live, "/callCatchUp" (called "page" below) and "/meetings" of the same documentation.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from providers.base import BadAnswer, Head, NotReady, ProviderError, Refused, error_for_status
from providers.catchup_page import check_room
from providers.kept import compact, laid_out
from providers.messages import Answer, Request
from providers.models import Asset, AssetKind, Catchup, Listing, Meeting, RemoteState
from providers.text import safe_block, safe_text

HEADERS: Mapping[str, str] = {"Content-type": "application/json"}
"""As the page wants them, on a GET too."""
NOTHING_YET = "nothing yet"

# What an answer that is too long to be read whole shows of its error, when that comes first.
_ERROR_FIRST = re.compile(rb'^\s*\{\s*"error"\s*:(?!\s*null\b)')


def catchup_request(base_url: str, endpoint: str, room: str) -> Request:
    """GET a room's catch-up, in the spelling of the layer that is asked. Raises Refused for a bad name.

    admin and app: page. app-query: the page's 400 text and its SDK sample.
    """
    check_room(room)
    base = base_url.rstrip("/")
    if endpoint == "app-query":
        return Request("GET", f"{base}/callCatchUp?{urlencode({'roomName': room}, quote_via=quote, safe='')}", HEADERS)
    path = "callCatchUp" if endpoint == "app" else "call-catchup"
    return Request("GET", f"{base}/{path}/{quote(room, safe='')}", HEADERS)


def meetings_request(base_url: str) -> Request:
    """GET the meetings that ended: the same path in both layers ("/meetings")."""
    return Request("GET", f"{base_url.rstrip('/')}/meetings", HEADERS)


def parse_catchup(answer: Answer, room: str, now: datetime) -> Catchup:
    """A room's catch-up. `text` is "" where there is nothing yet; an object or array is shown as JSON text.

    The page shows a text always; what a room without a running call gives is not documented, so null and "" both mean
    that there is nothing to tell yet.
    """
    data = read_envelope(answer, f"the catch-up of {safe_text(room)}", now)
    text = data if isinstance(data, str) else "" if data is None else laid_out(_compact(data))
    return Catchup(room, safe_block(text).strip(), _compact(answer.json()))


def read_envelope(answer: Answer, subject: str, now: datetime) -> Any:
    """`data` of an answer. Raises the ProviderError that its HTTP status or its `error` means.

    Both are judged: that they agree is not documented. One more envelope inside is taken off, as a server copied from
    the page's sample would put one there; only where it has exactly `error` and `data`.
    """
    record = answer.json_or_none()
    if not 200 <= answer.status < 300:
        raise error_for_status(answer.status, answer.headers, now, _said(record), subject)
    record = answer.json()
    _check_error(record, answer, subject, now)
    if not isinstance(record, dict) or "data" not in record:
        raise BadAnswer("the service's answer has no data: are base_url and endpoint right?")
    data = record["data"]
    if isinstance(data, dict) and set(data) == {"error", "data"}:
        _check_error(data, answer, subject, now)
        return data["data"]
    return data


def _check_error(record: Any, answer: Answer, subject: str, now: datetime) -> None:
    error = record.get("error") if isinstance(record, dict) else None
    if error is None:
        return
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599:
        raise error_for_status(code, answer.headers, now, _said(record), subject)
    raise Refused(f"the service refuses {subject}: {_said(record) or 'it gives no reason'}")


def _said(record: Any) -> str:
    """What an error says: `error.message` (page), `error` as a text, or the `message` of something in between."""
    if not isinstance(record, dict):
        return ""
    error = record.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    for text in (message, record.get("message")):
        if isinstance(text, str) and text:
            return safe_text(text)
    return ""


def _compact(value: Any) -> str:
    try:
        return compact(value)
    except RecursionError:
        raise BadAnswer("the service's answer is nested too deeply") from None


def learned(catchup: Catchup) -> Listing:
    """A room and its catch-up, as the desk keeps them."""
    state = RemoteState.AVAILABLE if catchup.text else RemoteState.PROCESSING
    word = "" if catchup.text else NOTHING_YET
    asset = _asset(catchup.room, state, provider_state=word, raw=catchup.raw)
    return Listing((_meeting(catchup.room),), (asset,), catchups=(catchup,))


def failed(room: str, error: ProviderError) -> Listing:
    """A room that could not be asked. One that the service does not know may only have no running call."""
    state = RemoteState.FAILED if isinstance(error, Refused | BadAnswer) else RemoteState.UNKNOWN
    return Listing((_meeting(room),), (_asset(room, state, error=error.words),))


def adopted(room: str) -> Listing:
    """A room that a person gave by hand: not asked yet."""
    return Listing((_meeting(room),), (_asset(room, RemoteState.UNKNOWN),))


def _meeting(room: str) -> Meeting:
    return Meeting(id=room, title=safe_text(room), origin="room named here")


def _asset(room: str, state: RemoteState, *, provider_state: str = "", error: str = "", raw: str = "") -> Asset:
    return Asset(
        meeting_id=room,
        kind=AssetKind.CATCHUP,
        state=state,
        provider_state=provider_state,
        error=error,
        extension="json",
        locator={"room": room},
        raw=raw,
    )


def judge(head: Head, room: str, now: datetime) -> None:
    """Raise what an answer means when it is not a catch-up: by its HTTP status and by its envelope.

    Of an answer over 64 KiB only the beginning is known: an error there is seen only where it comes first.
    """
    answer = Answer(head.status, head.headers, head.prefix)
    if head.complete or not 200 <= head.status < 300:
        if not parse_catchup(answer, room, now).text:
            raise NotReady(f"there is nothing to tell of {safe_text(room)} yet")
        return
    if not head.prefix.lstrip().startswith(b"{"):
        raise BadAnswer(f"expected JSON, got {answer.media_type or 'no stated type'}")
    if _ERROR_FIRST.match(head.prefix):
        raise Refused(f"the service answers the catch-up of {safe_text(room)} with an error")
