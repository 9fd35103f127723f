"""The CC-Gateway's requests, answers and result codes, as pure functions on bytes and headers.

Documented in support.huaweicloud.com/intl/en-us/api-cec: signing in cec_07_1202, signing out cec_07_1219, agent status
cec_07_0355, event poll cec_07_1274, authentication cec_07_0005, video files cec_07_4217 and cec_07_4218, audio files
cec_07_4214, result codes cec_07_0580 and cec_07_1328.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct

from providers.base import (
    BadAnswer,
    Head,
    NotFound,
    NotReady,
    NotTrusted,
    ProviderError,
    Refused,
    ServiceDown,
    SessionLost,
    Unauthorized,
    error_for_status,
)
from providers.messages import Answer, Request, charset, json_request, media_type
from providers.origin import Origin
from providers.secret import InvalidSecret, Secret
from providers.text import safe_text

RESOURCE = "/agentgateway/resource"
CONFERENCE_FILE = "videofiledownload"
PATH_FILE = "videofiledownloadEx"
AUDIO_FILE = "recordfile"

VIDEO_AGENT = 11
PHONE_AGENT = 4
_BUSY = 3

POLL_READ_TIMEOUT_S = 20.0
"""An answer to a poll without events takes 10 s (AGENT_POLL_WAIT_TIMES x AGENT_POLL_WAIT_INTERVAL)."""
SIGN_OUT_READ_TIMEOUT_S = 5.0

VIDEO_ADVISED_LIMIT = 200 * 1024 * 1024
AUDIO_ADVISED_LIMIT = 30 * 1024 * 1024
_JSON_LIMIT = 64 * 1024

_CONTENT_TYPE = {"Content-Type": "application/json; charset=UTF-8"}

# What the documentation says of a code. 108-001 to 108-009 are listed without a meaning, so they have none here.
_MEANINGS = {
    "000-000": "unknown error",
    "000-001": "the method of obtaining the agent event is incorrect",
    "000-002": "the address or a parameter is incorrect",
    "000-003": "no permission, or the authentication has run out",
    "000-004": "the agent is being switched over",
    "000-006": "message parameter error",
    "000-007": "the interface is invoked repeatedly",
    "100-001": "a sign-in parameter is empty or invalid",
    "100-002": "the agent has signed in",
    "100-003": "a resource or provider is unavailable at sign-in",
    "100-004": "the user name or password is incorrect",
    "100-005": "a sign-out parameter is invalid",
    "100-006": "the agent is not signed in",
    "100-007": "an exception occurred during the agent's operation",
    "100-008": "the agent has signed out",
    "100-009": "the agent's status is incorrect, or it has no permission",
    "100-010": "the agent's state does not allow signing out",
    "100-011": "a parameter is invalid at sign-in",
    "100-012": "the agent type is incorrect",
    "104-001": "downloading recordings is not enabled at the gateway",
    "104-002": "the agent has no right to inspect or play recordings",
    "104-007": "the recording's format is not supported",
    "104-008": "the recording's format is not configured",
    "104-009": "converting the recording failed",
    "104-010": "the node id is not configured",
}


class NotSignedIn(SessionLost):
    """The gateway says for certain that the agent is signed out (100-006, 100-008)."""


class AlreadySignedIn(Refused):
    """The agent is signed in elsewhere (100-002)."""


class WrongAgentType(Refused):
    """The agent is not configured for the type of agent that it signed in as (100-012)."""


class SignedIn(Struct, frozen=True):
    """What the gateway says of a sign-in."""

    guid: Secret
    words: str
    """What a person should know: the state of the media, the password's remaining days."""


class Poll(Struct, frozen=True):
    """One answer to an event poll. No events: none was waiting."""

    events: tuple[Mapping[str, Any], ...] = ()
    guid: Secret | None = None
    """The new Guid, only when it changed."""


class Gateway(Struct, frozen=True):
    """The addresses of one agent at one CC-Gateway."""

    root: str
    """`https://ip:port/agentgateway/resource`."""
    agent_id: str
    origin: Origin

    @classmethod
    def of(cls, base_url: str, agent_id: str) -> "Gateway":
        """From the account's options; base_url with or without /agentgateway/resource. Raises ProviderError."""
        root = base_url.strip().partition("?")[0].partition("#")[0].rstrip("/")
        if not root.endswith(RESOURCE):
            root = root.removesuffix("/agentgateway") + RESOURCE
        agent_id = agent_id.strip()
        # Ranges differ between releases (101-59999, 101-999999), so only the form is checked.
        if not (agent_id.isascii() and agent_id.isdigit()):
            raise NotFound("agent_id is a number such as 1001")
        origin = Origin.of(root)
        if origin is None:
            raise NotTrusted("base_url is no http(s) address; it looks like https://10.0.0.5:8043")
        return cls(root, agent_id, origin)

    def _online(self, tail: str = "") -> str:
        return f"{self.root}/onlineagent/{self.agent_id}{tail}"

    def sign_in(self, phone: str, password: Secret, agent_type: int) -> Request:
        """Sign in as busy and without auto-answer, so that no call is routed to a seat where nobody sits.

        Without callBackUri and serviceToken the gateway keeps events for polling (cec_05_40100).
        """
        body = {
            "password": password.reveal(),
            "phonenum": phone,
            "autoanswer": False,
            "autoenteridle": False,
            "agenttype": agent_type,
            "status": _BUSY,
        }
        return json_request("PUT", self._online(), body, (password,))

    def sign_out(self) -> Request:
        """Sign out; the gateway refuses while the agent talks, and so no call is dropped."""
        return Request("DELETE", self._online("/logout"), _CONTENT_TYPE, read_timeout_s=SIGN_OUT_READ_TIMEOUT_S)

    def status(self) -> Request:
        """The agent's state: whether the Guid is good, without taking an event."""
        return Request("GET", self._online("/agentstatus"), _CONTENT_TYPE)

    def poll(self) -> Request:
        """The next event, waited for at the gateway; it is taken off the agent's queue."""
        url = f"{self.root}/agentevent/{self.agent_id}"
        return Request("GET", url, _CONTENT_TYPE, read_timeout_s=POLL_READ_TIMEOUT_S)

    def file_url(self, locator: Mapping[str, str]) -> str:
        """The address of a recording's file. Raises NotFound when the locator lacks what it needs."""
        interface = locator.get("interface", "")
        base = f"{self.root}/recordfile/{self.agent_id}"
        if interface == CONFERENCE_FILE and locator.get("conferenceId") and locator.get("fileType"):
            return f"{base}/{CONFERENCE_FILE}?{_query(locator, 'conferenceId', 'recordId', 'fileType')}"
        if interface == PATH_FILE and locator.get("recordId"):
            return f"{base}/{PATH_FILE}?{_query(locator, 'recordId', 'locationId')}"
        if interface == AUDIO_FILE and locator.get("recordId"):
            # filetype 1: a call's recording (2 is voice mail).
            return f"{base}?{_query({'filetype': '1', **locator}, 'recordId', 'filetype', 'locationId')}"
        raise NotFound("the ids that the gateway needs for this recording are not known here")

    @property
    def file_headers(self) -> Mapping[str, str]:
        """Headers of a download: the page demands this one although there is no body."""
        return dict(_CONTENT_TYPE)


def _query(locator: Mapping[str, str], *names: str) -> str:
    # A path holds `:`, `/`, and in older copies of the documentation `\`: all of them percent-encoded.
    return urlencode([(name, locator[name]) for name in names if locator.get(name)], quote_via=quote, safe="")


def guid_of(text: str) -> Secret | None:
    """The Guid in a Set-GUID header (`JSESSIONID=GUID`) or as pasted; None when there is none.

    It is opaque (cec_07_0005 shows a UUID, others were seen). Raises BadAnswer when it cannot be one.
    """
    name, equals, value = text.strip().partition("=")
    guid = (value if equals else name).partition(";")[0].strip()
    if not guid:
        return None
    try:
        return Secret(guid)
    except InvalidSecret:
        raise BadAnswer("the gateway's Guid has characters that it cannot have") from None


def _text_of(content: bytes, headers: Mapping[str, str]) -> str:
    """UTF-8 by the documentation; GBK was seen, so it is read where stated or where UTF-8 fails."""
    names = ("gb18030", "utf-8") if charset(headers).startswith("gb") else ("utf-8-sig", "gb18030")
    for name in names:
        try:
            return content.decode(name)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", "replace")


def _record(content: bytes, headers: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The JSON object in an answer, or None."""
    if len(content) > _JSON_LIMIT:
        return None
    try:
        found = json.loads(_text_of(content, headers))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _retcode(record: Mapping[str, Any]) -> str:
    code = record.get("retcode")
    if isinstance(code, int) and not isinstance(code, bool):
        return safe_text(code, 20) if abs(code) < 10**18 else ""
    return safe_text(code, 20) if isinstance(code, str) else ""


def error_of(record: Mapping[str, Any]) -> ProviderError | None:
    """The error that a result code means, with the gateway's own message; None for success and for no code."""
    code = _retcode(record)
    if code in ("", "0"):
        return None
    # The interface documents `message`; the developer guide prints `msg`.
    message = next((text for key in ("message", "msg") if (text := safe_text(_plain(record.get(key))))), "")
    meaning = _MEANINGS.get(code, "")
    parts = [message, f"({meaning})" if message and meaning else meaning]
    words = f"{code}: {' '.join(part for part in parts if part) or 'no message'}"
    if code == "100-002":
        return AlreadySignedIn(
            f"{words}. The agent is signed in elsewhere, and reeldesk does not throw it out: sign out there, or let an "
            "administrator force it. A session that broke off ends by itself after 2 minutes"
        )
    if code == "100-004":
        return Unauthorized(f"the gateway does not accept the agent's number or password ({words})")
    if code in ("100-006", "100-008"):
        return NotSignedIn(words)
    if code == "000-003":
        return SessionLost(words)
    if code == "100-012":
        return WrongAgentType(words)
    if code in ("000-004", "000-007", "100-003"):
        return ServiceDown(words)
    return Refused(words)


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float) else None


def read_answer(answer: Answer, now: datetime) -> Mapping[str, Any]:
    """The record of a successful answer. A result code counts under any HTTP status. Raises ProviderError.

    The HTTP status of failures is not documented; published clients expect 200.
    """
    record = _record(answer.content, answer.headers)
    error = error_of(record) if record is not None else None
    if error is not None:
        raise error
    if answer.status != 200:
        said = safe_text(_plain(record.get("message"))) if record is not None else ""
        raise error_for_status(answer.status, answer.headers, now, said, "this address; see base_url")
    if record is None or _retcode(record) != "0":
        kind = safe_text(answer.media_type, 60) or "no stated type"
        raise BadAnswer(f"{len(answer.content)} bytes of {kind} are no answer of a CC-Gateway; see base_url")
    return record


def read_sign_in(answer: Answer, now: datetime) -> SignedIn:
    """The Guid of a sign-in: in Set-GUID, or in Guid as its table also lists. Raises ProviderError."""
    record = read_answer(answer, now)
    guid = guid_of(answer.headers.get("set-guid", "")) or guid_of(answer.headers.get("guid", ""))
    if guid is None:
        raise BadAnswer("the gateway signed the agent in but gave no Guid")
    result = record.get("result")
    result = result if isinstance(result, dict) else {}
    words = []
    if media := safe_text(_plain(result.get("mediatype")), 10):
        words.append(f"media {media}")
    if str(result.get("isForceChange")).lower() == "true":
        words.append("the password must be changed")
    elif days := safe_text(_plain(result.get("timeRemaining")), 10):
        words.append(f"the password is good for {days} days")
    return SignedIn(guid, ", ".join(words))


def read_poll(answer: Answer, now: datetime) -> Poll:
    """The events of a poll. One `event` object (cec_07_1274), or an array in the other mode. Raises ProviderError."""
    record = read_answer(answer, now)
    guid = guid_of(answer.headers.get("set-guid", ""))
    found = record.get("event")
    found = found if isinstance(found, list) else [found]
    return Poll(tuple(event for event in found if isinstance(event, dict) and event), guid)


def judge(head: Head, now: datetime) -> None:
    """Raise what an answer means that is not the file.

    Success is application/octet-stream and failure application/json (cec_07_4217); what HTTP status a failure has is
    not documented. A result code is also looked for under octet-stream, so that an error is never kept as a video.
    """
    kind = media_type(head.headers)
    start = head.prefix[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    says_json = kind.endswith("json") or (start[:1] == b"{" and b'"retcode"' in start)
    if says_json or head.status not in (200, 206):
        record = _record(head.prefix, head.headers)
        error = error_of(record) if record is not None else None
        if error is not None:
            raise error
        if head.status not in (200, 206):
            raise error_for_status(head.status, head.headers, now, subject="this recording")
        raise BadAnswer("the gateway sent JSON instead of the recording")
    if kind.startswith("text/") or kind.endswith("xml") or start[:5].lower() in (b"<html", b"<!doc"):
        raise BadAnswer(f"the gateway sent a page ({safe_text(kind, 60) or 'HTML'}) instead of the recording")
    if head.complete and not head.prefix:
        raise NotReady("the gateway sent an empty file; the recording may still be being written")
