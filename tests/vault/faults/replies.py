"""How an honest answer is spoilt: small functions from a call to what is sent instead."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace

from tests.vault.faults.model import CUT, Call, Spoil
from tests.vault.rawserver import Reply

PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"
PAGE_REPLY = Reply(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)
TROUBLE = json.dumps({"status": False, "errorCode": 124, "errorMessage": "Forbidden"}).encode()


def honest(call: Call) -> Reply:
    """As it should be."""
    return call.honest


def once(spoil: Spoil, times: int = 1) -> Spoil:
    """Only the first answers are spoilt."""
    return lambda call: spoil(call) if call.number < times else call.honest


def on_resume(spoil: Spoil, *, always: bool = False) -> Spoil:
    """The first answer breaks off, and the answer to the request for the rest (to each with `always`) is spoilt."""

    def spoilt(call: Call) -> Reply:
        if call.number == 0:
            return cut(CUT)(call)
        asked = call.ranged is not None and (always or call.ranged == 0)
        return spoil(call) if asked else call.honest

    return spoilt


def second(spoil: Spoil) -> Spoil:
    """The first answer breaks off, and the one to the request after it, whatever it asks for, is spoilt."""
    return lambda call: cut(CUT)(call) if call.number == 0 else spoil(call) if call.number == 1 else call.honest


def later(spoil: Spoil) -> Spoil:
    """The first answer breaks off, and all that follow are spoilt."""
    return lambda call: cut(CUT)(call) if call.number == 0 else spoil(call)


def cut(at: int, *, reset: bool = False) -> Spoil:
    """The connection ends after so many bytes of the body, with FIN or RST."""
    return lambda call: replace(call.honest, cut=min(at, len(call.honest.body)), reset=reset)


def half(call: Call) -> Reply:
    """The first answer stops in the middle until `stage.half.go`."""
    if call.number:
        return call.honest
    call.stage.half.reached.set()
    return replace(call.honest, cut=CUT, hold=call.stage.half.go)


def late(call: Call) -> Reply:
    """Nothing is said, until `stage.half.go`."""
    return replace(call.honest, late=call.stage.half.go)


def naked(body: bytes) -> Spoil:
    """No status line and no headers: these bytes, and the connection ends."""
    return lambda call: Reply(naked=True, body=body)


def dripping(call: Call) -> Reply:
    """The beginning at once, and then byte after byte."""
    return replace(call.honest, drip_after=CUT)


def no_length(call: Call, at: int | None = None) -> Reply:
    """Without a stated length."""
    return replace(call.honest, length=None, cut=at)


def garbled_length(call: Call) -> Reply:
    """A stated length that is no number."""
    return replace(call.honest, length=None, headers=call.honest.headers | {"Content-Length": "12abc"})


def chunked(call: Call, at: int | None = None) -> Reply:
    """In chunks."""
    return replace(call.honest, chunked=True, cut=at)


def stated(by: int) -> Spoil:
    """The stated length is wrong by so many bytes, where the whole file comes."""

    def spoilt(call: Call) -> Reply:
        whole = call.honest.status == 200
        return replace(call.honest, length=len(call.honest.body) + by) if whole else call.honest

    return spoilt


def two_lengths(call: Call) -> Reply:
    """Two stated lengths that differ."""
    size = len(call.honest.body)
    headers = {"Content-Length": str(size), "content-length": str(size - 1000)}
    return replace(call.honest, length=None, headers=call.honest.headers | headers)


def answer(status: int, body: bytes = b"", **headers: str) -> Spoil:
    """Another answer altogether; `_` in a header's name is `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda call: Reply(status, named, body)


def page(call: Call) -> Reply:
    """A login page under 200."""
    return PAGE_REPLY


def trouble(call: Call) -> Reply:
    """An error in JSON under 200."""
    return Reply(200, {"Content-Type": "application/json"}, TROUBLE)


def headed(**headers: str) -> Spoil:
    """The right bytes with other headers; "" drops one."""
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}

    def spoilt(call: Call) -> Reply:
        kept = {name: value for name, value in call.honest.headers.items() if name.lower() not in named}
        return replace(call.honest, headers=kept | {name: value for name, value in named.items() if value})

    return spoilt


def zipped(call: Call) -> Reply:
    """The body in gzip, as some proxies do it unasked."""
    headers = call.honest.headers | {"Content-Encoding": "gzip"}
    return replace(call.honest, headers=headers, body=gzip.compress(call.honest.body, 1))


def of(change: Callable[[bytes], bytes]) -> Spoil:
    """The honest answer with a changed body."""
    return lambda call: replace(call.honest, body=change(call.honest.body))


def flipped(body: bytes) -> bytes:
    """One byte is another, far from beginning and end."""
    at = min(len(body) // 2, len(body) - 1)
    return body[:at] + bytes([body[at] ^ 0x01]) + body[at + 1 :]


def slice_of(content: bytes, start: int, *, status: int = 206, total: int | None = None, etag: str = "") -> Reply:
    """A part of a file from `start` to its end, as it is told."""
    whole = len(content) if total is None else total
    headers = {"Content-Range": f"bytes {start}-{whole - 1}/{whole}", "Content-Type": "application/octet-stream"}
    return Reply(status, headers | ({"ETag": etag} if etag else {}), content[start:])


def shifted(by: int) -> Spoil:
    """A part that begins elsewhere than was asked, and says so."""

    def spoilt(call: Call) -> Reply:
        content, start = call.stage.content, call.seen.offset + by
        return slice_of(content, start, etag=call.honest.headers.get("etag", ""))

    return spoilt


def to(make: Callable[[Call], str]) -> Spoil:
    """A redirect."""
    return lambda call: Reply(302, {"Location": make(call)})
