"""What servers do: each request is answered by one of these behaviours, and what the answer told is kept."""

import asyncio
import functools
import gzip
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tests.vault.rawserver import STATED, Reply, Seen
from tests.vault.transfers.told import Told

LOOP = "/loop"
"""Leads to itself, for ever."""

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_ANOTHER = bytes(x ^ 0x5A for x in range(256))
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class Version:
    """What the server serves at a time, and how it tells that from another version.

    `size` bytes of noise by `seed`; with `altered` (from, to) each byte in between is another than in the first.
    """

    size: int
    seed: int
    etag: str
    modified: str
    altered: tuple[int, int] = (0, 0)

    @functools.cached_property
    def content(self) -> bytes:
        if not self.size:
            return b""
        body = random.Random(self.seed).randbytes(self.size)
        body = bytes([body[0] | 0x80]) + body[1:]  # it does not look like words
        start, end = self.altered
        return body[:start] + body[start:end].translate(_ANOTHER) + body[end:]

    @property
    def head(self) -> dict[str, str]:
        told = {"ETag": self.etag, "Last-Modified": self.modified}
        return {"Content-Type": "application/octet-stream"} | {name: value for name, value in told.items() if value}


class Harm(StrEnum):
    """What happens to what lies on the disk while nobody has it open."""

    NONE = "none"
    TRUNCATED = "truncated"
    ZEROED = "its tail zeroed"
    FLIPPED = "a bit flipped"
    APPENDED = "junk appended"
    DELETED = "deleted"
    NOTE_JUNK = "note is junk"
    NOTE_SPOILT = "note spoilt in one field"
    NOTE_OLDER = "an older note"
    NOTE_DELETED = "note deleted"


class Fate(StrEnum):
    """What becomes of the process when the request arrives."""

    GOES_ON = "goes on"
    STOPPED = "stopped"
    KILLED = "killed"


@dataclass(frozen=True)
class Step:
    """How one request is answered: `at` (0 to 1, of the body), `by` and `pick` say how exactly."""

    act: str
    at: float = 0.0
    by: int = 0
    pick: int = 0
    fate: Fate = Fate.GOES_ON
    harm: Harm = Harm.NONE


@dataclass
class Service:
    """Answers by the schedule, first with the first version, after `switch` requests with the last."""

    versions: tuple[Version, ...]
    switch: int
    steps: tuple[Step, ...]
    elsewhere: str
    """Another server's address, which answers by the same schedule."""
    there: Callable[[], int]
    """How many bytes lie on the disk."""
    interrupt: Callable[[Fate], None]
    asked: int = 0
    told: list[Told] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends what is silent."""

    @property
    def now(self) -> Version:
        return self.versions[0] if self.asked < self.switch else self.versions[-1]

    @property
    def latest(self) -> Step | None:
        """The step that was taken last; None when the schedule has been over for longer."""
        return self.steps[self.asked - 1] if 0 < self.asked <= len(self.steps) else None

    def answer(self, seen: Seen, number: int) -> Reply:
        if seen.target == LOOP:
            return Reply(302, {"Location": LOOP})
        version = self.now
        step = self.steps[self.asked] if self.asked < len(self.steps) else None
        self.asked += 1
        self.ranges += [seen.headers["range"]] if "range" in seen.headers else []
        if step is not None and step.fate is not Fate.GOES_ON:
            self.interrupt(step.fate)
            return Reply(naked=True, length=None)
        asked = Asked(seen, version, self, step or Step("honest"))
        reply = ACTS[asked.step.act](asked)
        self._note(asked, reply)
        return reply

    def _note(self, asked: "Asked", reply: Reply) -> None:
        if reply.naked or reply.status not in (200, 206) or asked.step.act in NOT_THE_FILE:
            return
        content, cut = asked.version.content, len(reply.body) if reply.cut is None else reply.cut
        stated = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", ""))
        start = int(stated.group(1)) if stated else 0
        length = _stated_length(reply) if stated is None else int(stated.group(2)) + 1
        if stated is not None and stated.group(3) != "*":
            length = int(stated.group(3))
        ended = not reply.reset and reply.hold is None and (reply.cut is None or reply.length is None)
        if reply.chunked:
            ended = reply.cut is None
        sent = reply.body[:cut]
        right = start <= max(asked.start, 0) and content[start : start + len(sent)] == sent
        head = reply.headers
        etag = head.get("ETag", "") if head.get("ETag", "").startswith('"') else ""
        told = Told(content, start, self.there(), etag, head.get("Last-Modified", ""), length, ended, right)
        self.told.append(told)


def _stated_length(reply: Reply) -> int | None:
    if reply.chunked:
        return None
    if reply.length is not None:
        return len(reply.body) if reply.length == STATED else reply.length
    text = reply.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


@dataclass(frozen=True)
class Asked:
    """A request, and what it is to be answered with."""

    seen: Seen
    version: Version
    service: Service
    step: Step

    @property
    def start(self) -> int:
        """The first byte asked for; -1 when all of it is asked for."""
        found = _RANGE.fullmatch(self.seen.headers.get("range", ""))
        return int(found.group(1)) if found else -1

    def at(self, size: int) -> int:
        return min(size, int(self.step.at * (size + 1)))

    def honest(self) -> Reply:
        """The rest where a range is asked for and If-Range holds; else the whole."""
        condition = self.seen.headers.get("if-range")
        holds = condition is None or condition in (self.version.etag, self.version.modified)
        return self.rest() if self.start >= 0 and holds else self.whole()

    def whole(self) -> Reply:
        return Reply(200, self.version.head, self.version.content)

    def rest(self) -> Reply:
        """Whatever If-Range says."""
        content, start = self.version.content, max(self.start, 0)
        if start >= len(content):
            return Reply(416, {"Content-Range": f"bytes */{len(content)}"})
        return self.said(start, len(content) - 1, str(len(content)), content[start:])

    def said(self, first: int, last: int, total: str, body: bytes) -> Reply:
        return Reply(206, {**self.version.head, "Content-Range": f"bytes {first}-{last}/{total}"}, body)


# The behaviours. Each is what some server does; docs and bug reports of them are in the facts about downloads.


def cut(asked: Asked) -> Reply:
    reply = asked.honest()
    return replace(reply, cut=asked.at(len(reply.body)), reset=bool(asked.step.pick % 2))


def silent(asked: Asked) -> Reply:
    reply = asked.honest()
    return replace(reply, cut=asked.at(len(reply.body)), hold=asked.service.release)


def drip(asked: Asked) -> Reply:
    reply = asked.honest()
    return replace(reply, chunk=max(1, len(reply.body) // 60))


def whole(asked: Asked) -> Reply:
    return asked.whole()


def unconditional(asked: Asked) -> Reply:
    """The rest of whatever is there now, under its own validators, under the other version's, or under none."""
    reply = asked.rest()
    other = asked.service.versions[0]
    head = [asked.version.head, other.head, {}, {"ETag": other.etag} if other.etag else {}][asked.step.pick % 4]
    stated = {name: value for name, value in reply.headers.items() if name == "Content-Range"}
    return replace(reply, headers=head | stated)


def shifted(asked: Asked) -> Reply:
    """From another byte than asked for; said so, or not said."""
    content, start = asked.version.content, max(asked.start, 0)
    moved = min(max(0, start + asked.step.by), max(0, len(content) - 1))
    if not content:
        return asked.honest()
    if asked.step.pick % 2:
        return asked.said(moved, len(content) - 1, str(len(content)), content[moved:])
    body = (content[moved:] + content)[: len(content) - min(start, len(content))]
    return asked.said(start, start + len(body) - 1, str(start + len(body)), body)


def other_total(asked: Asked) -> Reply:
    content, start = asked.version.content, max(asked.start, 0)
    total = max(start + 1, len(content) + asked.step.by)
    body = content[start:total]
    last = total - 1 if asked.step.pick % 2 else len(content) - 1
    return asked.said(start, last, str(total), body)


def other_end(asked: Asked) -> Reply:
    """Fewer bytes than are left; the total right, or not said."""
    content, start = asked.version.content, max(asked.start, 0)
    end = start + 1 + asked.at(max(0, len(content) - start - 1))
    if start >= len(content):
        return asked.honest()
    return asked.said(start, end - 1, "*" if asked.step.pick % 2 else str(len(content)), content[start:end])


def starred(asked: Asked) -> Reply:
    """The rest, of an unknown total; framed or not, whole or cut."""
    content, start = asked.version.content, max(asked.start, 0)
    if start >= len(content):
        return asked.honest()
    reply = asked.said(start, len(content) - 1, "*", content[start:])
    if asked.step.pick % 4 == 0:
        return reply
    size = asked.at(len(reply.body))
    return [
        replace(reply, length=None, cut=size),
        replace(reply, chunked=True, cut=size),
        replace(reply, chunked=True, body=reply.body[:size]),
    ][asked.step.pick % 4 - 1]


def slice_under_200(asked: Asked) -> Reply:
    return replace(asked.rest(), status=200) if asked.start >= 0 else asked.whole()


def unsatisfied(asked: Asked) -> Reply:
    size = len(asked.version.content)
    says = [f"bytes */{size}", f"bytes */{asked.service.there()}", f"bytes */{size + asked.step.by}", "bytes */*", "?"]
    told = says[asked.step.pick % 5]
    return Reply(416, {"Content-Range": told} if told != "?" else {})


def wrong_length(asked: Asked) -> Reply:
    reply, by = asked.honest(), abs(asked.step.by)
    size = len(reply.body)
    if asked.step.pick < 3:
        return replace(reply, length=max(0, [size + by, size - by, asked.at(size)][asked.step.pick]))
    text = ["many", "-5", f"+{size}", f"0x{size:x}", f"{size}, {size + by}"][asked.step.pick - 3]
    return replace(reply, headers={**reply.headers, "Content-Length": text}, length=None)


def chunked(asked: Asked) -> Reply:
    """With the last chunk or without; all of it or cut there."""
    reply = asked.honest()
    size = asked.at(len(reply.body))
    return [
        replace(reply, chunked=True),
        replace(reply, chunked=True, cut=size),
        replace(reply, chunked=True, cut=size, reset=True),
        replace(reply, chunked=True, body=reply.body[:size]),
        replace(reply, chunked=True, cut=len(reply.body)),
    ][asked.step.pick % 5]


def unframed(asked: Asked) -> Reply:
    """The body ends with the connection."""
    reply = replace(asked.honest(), length=None)
    return replace(reply, cut=asked.at(len(reply.body)), reset=asked.step.pick == 1) if asked.step.pick % 3 else reply


def coded(asked: Asked) -> Reply:
    reply = asked.honest()
    body = gzip.compress(reply.body, 1) if asked.step.pick % 2 else reply.body
    name = ["gzip", "x-gzip", "br", "gzip, gzip"][asked.step.pick % 4]
    return replace(reply, body=body, headers={**reply.headers, "Content-Encoding": name})


def page(asked: Asked) -> Reply:
    """Words instead of the file, under 200 or as if they were its rest."""
    page = [b"<html>Please sign in</html>", b'{"status": false, "errorMessage": "Forbidden"}'][asked.step.pick % 2]
    kind = ["text/html; charset=utf-8", "application/json"][asked.step.pick % 2]
    body = page + b" " * (abs(asked.step.by) * 40)
    head = {**asked.version.head, "Content-Type": kind if asked.step.pick < 4 else "application/octet-stream"}
    if asked.start >= 0 and asked.step.pick % 4 > 1:
        total = len(asked.version.content)
        body = body[: max(0, total - asked.start)].ljust(max(0, total - asked.start))
        return Reply(206, {**head, "Content-Range": f"bytes {asked.start}-{total - 1}/{total}"}, body)
    return Reply(200, head, body, cut=len(body) // 2 if asked.step.pick == 7 else None)


def redirect(asked: Asked) -> Reply:
    target = [
        LOOP,
        "/another",
        f"{asked.service.elsewhere}/there",
        f"{asked.service.elsewhere}/there",
        "http://[::1/",
        "file:///etc/passwd",
        "http://127.0.0.1:1/nobody",
        "",
    ][asked.step.pick]
    return Reply([301, 302, 303, 307, 308][abs(asked.step.by) % 5], {"Location": target} if target else {})


def refused(asked: Asked) -> Reply:
    head = [{}, {"Retry-After": "0"}, {"Retry-After": "Sun, 01 Nov 2026 10:00:00 GMT"}, {"Retry-After": "soon"}]
    status = [401, 403, 404, 408, 410, 429, 500, 503][asked.step.pick]
    return Reply(status, head[abs(asked.step.by) % 4], b"x" * (abs(asked.step.by) * 50))


def dropped(asked: Asked) -> Reply:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "
    return Reply(naked=True, body=head[: asked.at(len(head))], length=None, reset=bool(asked.step.pick % 2))


def garbage(asked: Asked) -> Reply:
    said = [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        random.Random(asked.step.by).randbytes(300),
        b"HTTP/1.1 999999 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n\x00: \xff\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Range: bytes 9-1/2\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"\r\n" * 300,
    ][asked.step.pick]
    return Reply(naked=True, body=said, length=None)


ACTS: dict[str, Callable[[Asked], Reply]] = {
    act.__name__: act
    for act in (
        cut,
        silent,
        drip,
        whole,
        unconditional,
        shifted,
        other_total,
        other_end,
        starred,
        slice_under_200,
        unsatisfied,
        wrong_length,
        chunked,
        unframed,
        coded,
        page,
        redirect,
        refused,
        dropped,
        garbage,
    )
} | {"honest": lambda asked: asked.honest()}
NOT_THE_FILE = frozenset({"page", "coded"})
