"""What an answer to a request for the rest of a file means. Pure; decides on headers alone.

Some of the last bytes that are here are asked for again, to be compared; so an honest server never answers 416.
Sources: RFC 9110 sections 13.1.5 (If-Range), 14.4 (Content-Range), 15.5.17 (416).
"""

import re
from collections.abc import Mapping

from msgspec import Struct

_CAN_BE_SENT = re.compile(r"[\x20-\x7e]+")
_CONTENT_RANGE = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+|\*)", re.IGNORECASE)


class Validator(Struct, frozen=True):
    """What tells one version of a file from another: a strong ETag, else Last-Modified; and the length in bytes."""

    etag: str = ""
    last_modified: str = ""
    total: int | None = None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str]) -> "Validator":
        """From an answer's lower-case headers."""
        etag = headers.get("etag", "")
        strong = etag if etag.startswith('"') else ""
        return cls(strong, headers.get("last-modified", ""), stated_total(status, headers))

    @property
    def condition(self) -> str:
        """For If-Range; "" when a resumed transfer could not be told from a mix of two versions."""
        return next((each for each in (self.etag, self.last_modified) if each and _CAN_BE_SENT.fullmatch(each)), "")

    def fits(self, other: "Validator") -> bool:
        """Whether both may be of the same version: nothing that both state differs."""
        pairs = ((self.etag, other.etag), (self.last_modified, other.last_modified), (self.total, other.total))
        return all(mine == theirs for mine, theirs in pairs if mine and theirs)

    def or_else(self, other: "Validator") -> "Validator":
        """What the rest of a file leaves out, its beginning stated."""
        total = other.total if self.total is None else self.total
        return Validator(self.etag or other.etag, self.last_modified or other.last_modified, total)


class Body(Struct, frozen=True):
    """The body's first byte belongs at `start`, its last before `end`; `total`: the whole file's length.

    None: not stated.
    """

    start: int
    total: int | None
    end: int | None = None


class StartOver(Struct, frozen=True):
    """What is here cannot be continued: ask again for the whole file."""


def stated_total(status: int, headers: Mapping[str, str]) -> int | None:
    """The whole file's length as the answer states it; None when it does not, or not readably."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if found:
        return None if found.group(3) == "*" else int(found.group(3))
    length = headers.get("content-length", "").strip()
    return int(length) if status != 206 and length.isascii() and length.isdigit() else None


def decide(status: int, headers: Mapping[str, str], offset: int, known: Validator | None) -> Body | StartOver | None:
    """What an answer with status 200, 206 or 416 means when bytes from `offset` on were asked for; else None."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    told = Validator.of(status, headers)
    if status == 416:
        return StartOver()
    if status == 206 or (status == 200 and found and offset):
        if not found or known is None or not known.fits(told):
            return StartOver()
        start, end = int(found.group(1)), int(found.group(2))
        whole_rest = told.total is None or end + 1 == told.total
        return Body(start, told.total, end + 1) if start == offset and whole_rest else StartOver()
    return Body(0, told.total) if status == 200 else None


def is_unmoved(status: int, headers: Mapping[str, str], known: Validator) -> bool:
    """Whether the answer is the whole of the very version that was to be continued: the range was passed over."""
    return status == 200 and "content-range" not in headers and Validator.of(status, headers) == known


def is_same(status: int, headers: Mapping[str, str], known: Validator) -> bool:
    """Whether an answer to a range without If-Range says of itself that it is of the known version."""
    return status != 206 or Validator.of(status, headers).condition == known.condition
