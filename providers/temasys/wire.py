"""Temasys' REST calls as pure functions: build requests, read answers, name what is wrong.

Source: the page "Recording Notification API call" (6 Jun 2018), called "page" below.
"""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from msgspec.structs import replace

from providers import notifications as form
from providers.base import (
    BadAnswer,
    Gone,
    Head,
    NotFound,
    NotTrusted,
    ProviderError,
    Refused,
    Unauthorized,
    error_for_status,
)
from providers.discreet import Discreet
from providers.messages import REDIRECTS, Answer, Request, json_request, media_type
from providers.models import NotificationChange, NotificationSettings
from providers.origin import Origin
from providers.secret import InvalidSecret, Secret
from providers.text import safe_block, safe_text

NOTIFICATIONS_PATH = "/rest/recording/notifications"
MASK = "••••••••"

_SUCCESSFUL, _FAILED, _NOT_AUTHORIZED = 1, 0, -1
_MASK_CHARACTERS = frozenset("*•●·")
# assumption: how a failure says that there is nothing to read yet.
_NOTHING_SET = re.compile(r"\b(no|not|none|doesn't|does not)\b.*\b(notifications?|settings?|found|exists?|set)\b", re.I)
_S3_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9]{1,60})\s*</Code>")


class Stored(Discreet, frozen=True):
    """The settings as read, with the S3 secret that GET echoes in clear: for the same save operation only."""

    UNSHOWN: ClassVar = ("s3_secret",)

    settings: NotificationSettings
    s3_secret: Secret | None = None
    """None: there is none, or what GET gave for it is a mask."""


def address(base_url: str, path: str) -> str:
    """An address under the account's base, whichever of them has the slash."""
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"


def login_request(base_url: str, login_path: str, username: str, password: Secret) -> Request:
    """Sign in: the answer sets a session cookie.

    The login API and its cookie are documented (article 12000004631), its path and field names are not.
    assumption: POST of JSON {username, password}.
    """
    body = {"username": username, "password": password.reveal()}
    return json_request("POST", address(base_url, login_path), body, (password,))


def read_request(base_url: str) -> Request:
    """GET the settings (page, "API Call Methods")."""
    return Request("GET", address(base_url, NOTIFICATIONS_PATH), {"Accept": "application/json"})


def save_request(base_url: str, change: NotificationChange, *, exists: bool) -> Request:
    """POST creates, PUT updates (page, "API Call Methods")."""
    method = "PUT" if exists else "POST"
    return json_request(method, address(base_url, NOTIFICATIONS_PATH), save_body(change, exists=exists))


def save_body(change: NotificationChange, *, exists: bool) -> dict[str, object]:
    """The flat shape that is sent (page, "SEND Example"): not the nested one that is read.

    assumption: an update clears `url` and `email` by empty texts, whether it replaces or merges; creating leaves empty
    ones out. The S3 trio is left out when empty, which the page calls "not included".
    """
    body: dict[str, object] = {"notify": change.notify}
    texts = {"url": change.url, "email": ",".join(change.emails)}
    body |= {name: text for name, text in texts.items() if text or exists}
    trio = {"s3Arn": change.s3_arn, "s3AccessKeyId": change.s3_access_key_id}
    body |= {name: text for name, text in trio.items() if text}
    if change.s3_secret_access_key:
        body["s3SecretAccessKey"] = change.s3_secret_access_key.reveal()
    return body


def preview(change: NotificationChange, *, exists: bool) -> str:
    """Method, path and JSON body of the save, as text to show; the secret masked."""
    body = save_body(replace(change, s3_secret_access_key=None), exists=exists)
    if change.s3_secret_access_key:
        body["s3SecretAccessKey"] = MASK
    elif exists and change.s3_arn and change.s3_access_key_id:
        body["s3SecretAccessKey"] = f"{MASK} (the one stored there)"
    request = f"{'PUT' if exists else 'POST'} {NOTIFICATIONS_PATH}"
    return safe_block(f"{request}\n{json.dumps(body, ensure_ascii=False, indent=2)}")


def is_unauthorized(answer: Answer) -> bool:
    """Whether the session is missing or ran out: status -1 in the body, or HTTP 401."""
    return answer.status == 401 or _status_of(answer.json_or_none()) == _NOT_AUTHORIZED


def check_login(answer: Answer, login_path: str, now: datetime, hidden: Iterable[Secret] = ()) -> None:
    """Raise what a login's answer means, unless it set a session cookie.

    assumption: the cookie tells a success; a redirect with one is a success too.
    """
    record = answer.json_or_none()
    status, told = _status_of(record), said(record, hidden)
    if _is_down(answer):
        raise error_for_status(answer.status, answer.headers, now, told, "to sign in")
    if status in (_FAILED, _NOT_AUTHORIZED) or answer.status in (401, 403):
        raise Unauthorized(_with("the service does not accept the user name and password", told))
    if answer.status == 404:
        raise NotFound(f"the service has no login at {login_path} (HTTP 404): set login_path, or another auth")
    if answer.status >= 300 and answer.status not in REDIRECTS:
        raise error_for_status(answer.status, answer.headers, now, told, "to sign in")
    if "set-cookie" not in answer.headers:
        raise BadAnswer(f"the login at {login_path} gave no session cookie: check base_url and login_path")


def parse_settings(answer: Answer, now: datetime) -> Stored:
    """The settings as read.

    assumption: nothing is set yet when `content` or its `data` is missing or empty, or when a failure (status 0) says
    in words that there is none. The page states only what success looks like. Raises ProviderError.
    """
    record = answer.json_or_none()
    status = _status_of(record)
    if status == _FAILED and not _http_outranks(answer) and (_is_empty(record) or _NOTHING_SET.search(said(record))):
        return Stored(NotificationSettings(exists=False))
    _check(answer, now, "the recording notifications")
    data = _data_of(record)
    return _stored(data) if data else Stored(NotificationSettings(exists=False))


def parse_saved(answer: Answer, now: datetime, hidden: Iterable[Secret] = ()) -> Stored | None:
    """What the service says after saving ("same object", page); None when it says only that it worked."""
    _check(answer, now, "the change", hidden)
    data = _data_of(answer.json_or_none())
    return _stored(data) if data else None


def _check(answer: Answer, now: datetime, subject: str, hidden: Iterable[Secret] = ()) -> None:
    """Judge by `status` in the body (page, "Glossary"), since the HTTP status that goes with it is not documented."""
    record = answer.json_or_none()
    status, told = _status_of(record), said(record, hidden)
    if status == _NOT_AUTHORIZED:
        raise Unauthorized(_with("the service answers that this user is not authorised (status -1)", told))
    if answer.status >= 300 and (status is None or _http_outranks(answer)):
        raise error_for_status(answer.status, answer.headers, now, told, subject)
    if status == _FAILED:
        raise Refused(_with(f"the service refuses {subject} (status 0)", told or "it gives no reason"))
    if status != _SUCCESSFUL:
        answer.json()
        raise BadAnswer("the service's answer has no status 1, 0 or -1: is base_url right?")


def _status_of(record: Any) -> int | None:
    """`status` of an answer: 1, 0 or -1, also as text; None for anything else."""
    value = record.get("status") if isinstance(record, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return {"1": _SUCCESSFUL, "0": _FAILED, "-1": _NOT_AUTHORIZED}.get(str(value).strip())


def _is_down(answer: Answer) -> bool:
    return answer.status >= 500 or answer.status in (408, 429)


def _http_outranks(answer: Answer) -> bool:
    """Whether the HTTP status says more than a mere status 0 in the body."""
    return _is_down(answer) or answer.status in (401, 403)


def _is_empty(record: dict[str, Any]) -> bool:
    """Whether `content`, or the `data` in it, is missing or empty."""
    content = record.get("content")
    return not content or (isinstance(content, dict) and set(content) == {"data"} and not content["data"])


def _data_of(record: Any) -> dict[str, Any]:
    """`content.data`; empty when there is none. Raises BadAnswer when it is no object."""
    content = record.get("content") if isinstance(record, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    if not data:
        return {}
    if not isinstance(data, dict):
        raise BadAnswer("the service's content.data is no object")
    return data


def said(record: Any, hidden: Iterable[Secret] = ()) -> str:
    """What a failure says: `content` may be a text, an object or missing. What it echoes of `hidden` is masked."""
    content = record.get("content") if isinstance(record, dict) else None
    for value in (content, record):
        if isinstance(value, dict):
            texts = (value.get(name) for name in ("message", "error", "reason", "description", "data"))
            value = next((text for text in texts if isinstance(text, str) and text), "")
        if isinstance(value, str) and value:
            for secret in hidden:
                value = value.replace(secret.reveal(), MASK)
            return safe_text(value)
    return ""


def _with(words: str, told: str) -> str:
    return f"{words}: {told}" if told else words


def _stored(data: dict[str, Any]) -> Stored:
    s3 = data.get("s3Settings")
    s3 = s3 if isinstance(s3, dict) else {}
    text = s3.get("s3SecretAccessKey")
    text = text.strip() if isinstance(text, str) else ""
    settings = NotificationSettings(
        exists=True,
        notify=_flag(data.get("notify")),
        url=_line(data.get("url")),
        emails=_emails(data.get("email")),
        s3_arn=_line(s3.get("s3Arn")),
        s3_access_key_id=_line(s3.get("s3AccessKeyId")),
        has_s3_secret=bool(text),
        username=_line(data.get("username")),
    )
    return Stored(settings, _unmasked(text))


def _unmasked(text: str) -> Secret | None:
    """A secret as read, unless it is a mask: writing a mask back would destroy the secret."""
    if not text or any(c in _MASK_CHARACTERS for c in text):
        return None
    try:
        return Secret(text)
    except InvalidSecret:
        return None


def _line(value: object) -> str:
    return safe_text(value, 2000) if isinstance(value, str) else ""


def _flag(value: object) -> bool:
    """`notify`: true, false, 1, 0 (page), also as texts."""
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in ("1", "true"))


def _emails(value: object) -> tuple[str, ...]:
    """An array when read, a text when sent (page); either is taken."""
    texts = value if isinstance(value, list) else [value]
    return form.parse_emails(" ".join(safe_text(text, 2000) for text in texts if isinstance(text, str)))


def completed(change: NotificationChange, stored: Stored) -> NotificationChange:
    """The change with the S3 trio whole, or Refused in words.

    Whether an update replaces or merges is not documented, so a trio without its secret could destroy it. GET echoes
    the secret in clear: it is sent back as it was, held in memory for this one save. A mask is never sent back.
    """
    wrong = form.problems(form.fields_of(change), stored.settings)
    if wrong:
        raise Refused("not sent: " + "; ".join(f"{name}: {words}" for name, words in wrong.items()))
    if change.s3_secret_access_key or not change.s3_arn:
        return change
    if stored.s3_secret is None:
        raise Refused(
            "not sent: the service shows its S3 secret masked, and saving without it could destroy it; "
            "type the secret access key again, or empty the S3 fields"
        )
    return replace(change, s3_secret_access_key=stored.s3_secret)


def check_cleared(change: NotificationChange, now: NotificationSettings) -> None:
    """Raise Refused when the service kept what was to be emptied (an update that merges)."""
    kept = {
        "url": not change.url and bool(now.url),
        "email": not change.emails and bool(now.emails),
        "the S3 settings": not change.s3_arn and bool(now.s3_arn),
    }
    names = [name for name, is_kept in kept.items() if is_kept]
    if names:
        raise Refused(
            f"the change was saved, but the service kept {' and '.join(names)}: "
            "its update does not empty them; use the console of the service"
        )


def check_host(link: Secret, base_url: str, download_hosts: Iterable[str]) -> None:
    """Raise NotTrusted unless a callback's link leads where the account says that recordings lie.

    The callback is not signed, so its link is anybody's: https, and a host that `download_hosts` names. An account
    that is itself on loopback may be led to other loopback origins.
    """
    origin, base = Origin.of(link.reveal()), Origin.of(base_url)
    if origin is None:
        raise NotTrusted("the callback's link is no http(s) address")
    if origin.is_loopback and base is not None and base.is_loopback:
        return
    if not any(origin.matches(pattern) for pattern in download_hosts):
        raise NotTrusted(
            f"the callback's link leads to {origin.netloc}, which is not among download_hosts: "
            "add it there if recordings are kept on it"
        )
    if origin.scheme != "https":
        raise NotTrusted(f"the callback's link to {origin.netloc} is not encrypted (http)")


def judge(head: Head, now: datetime) -> None:
    """Raise what a link's answer means when it is not the recording. Links are Amazon S3's (page, "retrievalUrl")."""
    if head.status in (200, 206):
        _check_file(head)
        return
    if head.status in REDIRECTS:
        raise Refused(f"the link leads on to another address (HTTP {head.status}), which is not followed")
    match = _S3_CODE.search(head.prefix)
    code = match[1].decode() if match else ""
    raise _storage_error(head, code, now)


def _storage_error(head: Head, code: str, now: datetime) -> ProviderError:
    if head.status in (400, 403) and code in ("AccessDenied", "ExpiredToken", "RequestExpired"):
        return Gone(
            f"the link has run out ({code}); the service has no way to get a new one: "
            "look for the recording in its console or in your own S3 bucket"
        )
    if head.status in (404, 410):
        return Gone(_with(f"the storage no longer has the recording (HTTP {head.status})", code))
    return error_for_status(head.status, head.headers, now, code, "the link")


def _check_file(head: Head) -> None:
    kind = media_type(head.headers)
    if kind in ("text/html", "application/json") or kind.endswith(("/xml", "+xml", "+json")):
        raise BadAnswer(f"the link gives {kind} instead of a recording")
    # A range begins anywhere in the file; only its beginning can be told from a page.
    if head.status == 200 and head.prefix.lstrip()[:1] in (b"<", b"{"):
        raise BadAnswer("the link gives a page of text instead of a recording")
    if head.complete and not head.prefix:
        raise BadAnswer("the link gives 0 bytes")
