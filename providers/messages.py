"""Requests and answers as plain values, so that protocol logic needs no network."""

import json
from collections.abc import Mapping
from email.message import Message
from typing import Any, ClassVar

from msgspec import field

from providers.base import BadAnswer
from providers.discreet import Discreet
from providers.secret import Secret

REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Request(Discreet, frozen=True):
    """What to send. The account's credential is added by `providers.http`, and only for the account's own origins."""

    UNSHOWN: ClassVar = ("content",)

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    read_timeout_s: float | None = None
    """Overrides the account's `timeout_s` (a long poll)."""
    secrets: tuple[Secret, ...] = ()
    """What `content` holds that no answer may repeat."""


class Answer(Discreet, frozen=True):
    """What came back: header names lower-case; `content` bounded (a body for fetching is streamed instead)."""

    UNSHOWN: ClassVar = ("content",)

    status: int
    headers: Mapping[str, str]
    content: bytes = b""

    @property
    def media_type(self) -> str:
        """The media type without parameters, lower-case; "" when none is stated."""
        return media_type(self.headers)

    def json(self) -> Any:
        """The body as JSON. Raises BadAnswer when it is none (an HTML login page, for example)."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            kind = self.media_type or "no stated type"
            raise BadAnswer(f"expected JSON, got {len(self.content)} bytes of {kind} (HTTP {self.status})") from None

    def json_or_none(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


def media_type(headers: Mapping[str, str]) -> str:
    """The media type in lower-case headers, without its parameters, lower-case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def charset(headers: Mapping[str, str]) -> str:
    """The stated character set, lower-case, "utf-8" when none is."""
    message = Message()
    message["content-type"] = headers.get("content-type", "")
    return str(message.get_content_charset() or "utf-8")


def json_request(method: str, url: str, body: object, secrets: tuple[Secret, ...] = ()) -> Request:
    """A request with a JSON body; `secrets` are in it."""
    content = json.dumps(body, ensure_ascii=False).encode()
    return Request(method, url, {"Content-Type": "application/json; charset=utf-8"}, content, secrets=secrets)
