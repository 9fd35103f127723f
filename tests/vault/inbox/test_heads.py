"""Header rules and bodies, without a network."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive

from vault.inbox.heads import MAX_BODY, Gone, TooLarge, TooSlow, read_body, refusal

NAMES = st.sampled_from([b"content-length", b"transfer-encoding", b"host", b"x-other"])
HEADERS = st.lists(st.tuples(NAMES, st.one_of(st.binary(max_size=30), st.integers(0, 10**30).map(lambda n: b"%d" % n))))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], None),
        ([(b"host", b"x")], None),
        ([(b"transfer-encoding", b"chunked")], None),
        ([(b"content-length", b"0")], None),
        ([(b"content-length", b"000000000000000000000000000007")], None),
        ([(b"content-length", b"%d" % MAX_BODY)], None),
        ([(b"content-length", b"%d" % (MAX_BODY + 1))], 413),
        ([(b"content-length", b"9" * 10_000)], 413),
        ([(b"content-length", b"7"), (b"content-length", b"7")], None),
        ([(b"content-length", b"7"), (b"content-length", b"8")], 400),
        ([(b"content-length", b"7"), (b"transfer-encoding", b"chunked")], 400),
        ([(b"transfer-encoding", b"identity"), (b"content-length", b"7")], 400),
        ([(b"content-length", b"-1")], 400),
        ([(b"content-length", b"+7")], 400),
        ([(b"content-length", b"")], 400),
        ([(b"content-length", b"7, 7")], 400),
        ([(b"content-length", "٧".encode())], 400),
    ],
)
def test_headers_that_are_refused(headers: list[tuple[bytes, bytes]], status: int | None) -> None:
    assert refusal(headers) == status


@given(HEADERS)
def test_any_headers_are_judged(headers: list[tuple[bytes, bytes]]) -> None:
    judged = refusal(headers)
    assert judged in (None, 400, 413)
    names = {name for name, _ in headers}
    assert judged == 400 or not {b"content-length", b"transfer-encoding"} <= names


def coming(*messages: Message) -> Receive:
    """What an ASGI server would hand over; then nothing more, for ever."""
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


def part(body: bytes, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_comes_in_parts() -> None:
    assert await read_body(coming(part(b"ab", True), part(b"", True), part(b"c", False)), 3, 5.0) == b"abc"
    assert await read_body(coming({"type": "http.request"}), 0, 5.0) == b""


@pytest.mark.parametrize(
    ("receive", "error", "status"),
    [
        (lambda: coming(part(b"abcd", False)), TooLarge, 413),
        (lambda: coming(part(b"ab", True), part(b"cd", True)), TooLarge, 413),
        (lambda: coming(part(b"ab", True)), TooSlow, 408),
        (lambda: coming(part(b"ab", True), {"type": "http.disconnect"}), Gone, 400),
    ],
)
async def test_a_body_that_is_not_taken(receive: Callable[[], Receive], error: type[Exception], status: int) -> None:
    with pytest.raises(error) as caught:
        await read_body(receive(), 3, 0.05)
    assert getattr(caught.value, "status", None) == status


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=20), st.integers(0, 200))
def test_a_body_is_whole_or_refused(parts: list[bytes], limit: int) -> None:
    messages = [part(body, number < len(parts) - 1) for number, body in enumerate(parts)]
    whole = b"".join(parts)
    try:
        got: bytes | None = asyncio.run(read_body(coming(*messages), limit, 5.0))
    except TooLarge:
        got = None
    assert got == (whole if len(whole) <= limit else None)
