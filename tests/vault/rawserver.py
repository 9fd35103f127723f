"""A web server that misbehaves exactly as it is told: every byte of an answer, and how the connection ends."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from types import TracebackType

STATED = -1
"""For `Reply.length`: state the body's own length."""


@dataclass(frozen=True)
class Seen:
    """A request as it came in; header names lower-case."""

    target: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = field(default=b"", repr=False)

    @property
    def offset(self) -> int:
        """The first byte that was asked for; 0 without a Range."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


@dataclass(frozen=True)
class Reply:
    """An answer. `length` is what Content-Length says (None: nothing); `cut`: so many bytes of the body are sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = STATED
    cut: int | None = None
    reset: bool = False
    """The connection ends with RST instead of FIN."""
    chunked: bool = False
    chunk: int = 4096
    bytes_per_s: float | None = None
    hold: asyncio.Event | None = None
    """After the bytes of `cut`, wait for this and then send the rest."""
    late: asyncio.Event | None = None
    """Wait for this before the first byte."""
    drip_after: int | None = None
    """After so many bytes of the body, a byte every 20 ms."""
    naked: bool = False
    """The body is all that comes: no status line, no headers."""


Answer = Callable[[Seen, int], Reply | Awaitable[Reply]]


class RawServer:
    """Answers each request on a connection of its own by `answer(request, number from 0)`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> "RawServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def shut(self) -> None:
        """Listen no more; whoever connects is refused."""
        assert self._server is not None
        self._port = self._server.sockets[0].getsockname()[1]
        self._server.close()
        await asyncio.sleep(0)

    async def reopen(self) -> None:
        """Listen again where it did."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
                lower = {name.lower(): value for name, value in headers.items()}
                body = await reader.readexactly(int(lower.get("content-length", "0")))
                method, target, _ = head[0].split(" ")
                seen = Seen(target, lower, method, body)
                self.seen.append(seen)
                reply = self.answer(seen, len(self.seen) - 1)
                await self._send(writer, reply if isinstance(reply, Reply) else await reply)
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
        if reply.late is not None:
            await reply.late.wait()
        lines = [f"HTTP/1.1 {reply.status} As Told", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        if reply.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif reply.length is not None:
            lines.append(f"Content-Length: {len(reply.body) if reply.length == STATED else reply.length}")
        if not reply.naked:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        await writer.drain()
        limit = len(reply.body) if reply.cut is None else reply.cut
        if reply.drip_after is not None:
            await _pour(writer, reply, 0, reply.drip_after)
            await _pour(writer, replace(reply, chunk=1, bytes_per_s=50), reply.drip_after, limit)
        else:
            await _pour(writer, reply, 0, limit)
        if reply.hold is not None:
            await reply.hold.wait()
            await _pour(writer, reply, limit, len(reply.body))
        if reply.reset:
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif reply.chunked and (reply.cut is None or reply.hold is not None):
            writer.write(b"0\r\n\r\n")
            await writer.drain()


async def _pour(writer: asyncio.StreamWriter, reply: Reply, start: int, end: int) -> None:
    for at in range(start, end, reply.chunk):
        piece = reply.body[at : min(at + reply.chunk, end)]
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.chunked else piece)
        await writer.drain()
        if reply.bytes_per_s:
            await asyncio.sleep(len(piece) / reply.bytes_per_s)


def ranged(content: bytes, seen: Seen, etag: str = '"one"') -> Reply:
    """What an honest server answers: the whole, or the rest where If-Range holds."""
    head = {"ETag": etag, "Content-Type": "application/octet-stream"}
    start = seen.offset if seen.headers.get("if-range", etag) == etag else 0
    if start >= len(content) and start:
        return Reply(416, {"Content-Range": f"bytes */{len(content)}"})
    if start:
        return Reply(
            206, {**head, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}, content[start:]
        )
    return Reply(200, head, content)
