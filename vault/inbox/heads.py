"""What a request's headers and the length of its body may be; before anything is believed of it."""

import asyncio

from starlette.types import Receive

MAX_BODY = 256 * 1024
"""Bytes. Announcements are a few KiB; nobody is owed more."""


class BadBody(Exception):
    """A body that was not taken. `status` is the HTTP status to answer."""

    status = 400


class TooLarge(BadBody):
    """More bytes than allowed."""

    status = 413


class TooSlow(BadBody):
    """Not all there in time."""

    status = 408


class Gone(BadBody):
    """The client went away in the middle; there is nobody left to answer."""


def refusal(scope_headers: list[tuple[bytes, bytes]], limit: int = MAX_BODY) -> int | None:
    """The status to refuse a request with, by its headers alone (names in lower case); None when they are fine.

    400: a length and a transfer coding at once (which of the two counts is where request smuggling lives), lengths
    that disagree or are none; 413: a stated length over `limit` bytes.
    """
    lengths = {value.strip() for name, value in scope_headers if name == b"content-length"}
    if not lengths:
        return None
    if len(lengths) > 1 or any(name == b"transfer-encoding" for name, _ in scope_headers):
        return 400
    (stated,) = lengths
    if not stated.isdigit():
        return 400
    # Counted before it is converted: Python refuses to convert thousands of digits.
    digits = stated.lstrip(b"0")
    return 413 if len(digits) > 18 or int(digits or b"0") > limit else None


async def read_body(receive: Receive, limit: int, within_s: float) -> bytes:
    """A request's body, at most `limit` bytes, all there within `within_s` seconds. Raises TooLarge, TooSlow, Gone."""
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > limit:
                    raise TooLarge
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise TooSlow from None
