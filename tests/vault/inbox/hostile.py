"""Clients that misbehave on purpose, an app to be misbehaved at, and a server for it with short deadlines."""

import asyncio
import contextlib
import gc
import random
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import trustme
from msgspec import structs
from starlette.types import ASGIApp, Receive, Scope, Send

from vault.inbox.clients import Connection
from vault.inbox.heads import BadBody, read_body, refusal
from vault.inbox.serving import Limits, Listening, Serving

SHORT = Limits(headers_s=0.4, request_s=1.2, keep_alive_s=0.4, connections=64, head_bytes=16 * 1024)
PATIENT = structs.replace(SHORT, headers_s=30.0, request_s=30.0, keep_alive_s=30.0)
BODY_LIMIT = 64 * 1024
HEAD = b"POST /hooks/a/TOKEN-THAT-NOBODY-MAY-SEE HTTP/1.1\r\nhost: here\r\n"
GET = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
BIG = b"x" * (16 << 20)
LATE_S = 8.0
"""A machine that is busy with other things may be late, but not so late."""


@dataclass
class Tiny:
    """Answers 204, or what `heads` says. Keeps what it was asked.

    `/slow` waits for `go` when it has the body, `/stalled` before that; `/big` answers `BIG`; `/fails` raises.
    """

    body_s: float = 30.0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    scopes: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    running: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.running += 1
        try:
            status = await self._status(scope, receive)
            await _answer(send, status, BIG if scope["path"] == "/big" else b"")
        finally:
            self.running -= 1

    async def _status(self, scope: Scope, receive: Receive) -> int:
        refused = refusal(scope["headers"], BODY_LIMIT)
        if refused is not None:
            return refused
        if scope["path"] == "/fails":
            raise LookupError("TOKEN-THAT-NOBODY-MAY-SEE")
        if scope["path"] == "/stalled":
            await self.go.wait()
        try:
            self.bodies.append(await read_body(receive, BODY_LIMIT, self.body_s))
        except BadBody as error:
            return error.status
        if scope["path"] == "/slow":
            await self.go.wait()
        return 204


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200 if body else status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def served(
    app: ASGIApp, limits: Limits = PATIENT, tls: tuple[Path, Path] | None = None, proxies: tuple[str, ...] = ()
) -> AsyncIterator[Serving]:
    """The app on a free port of 127.0.0.1."""
    cert, key = tls or (None, None)
    serving = Serving(app, Listening("127.0.0.1", 0, cert, key, proxies), limits)
    await serving.start()
    try:
        yield serving
    finally:
        await serving.stop(1.0)


def local(port: int = 0) -> Listening:
    """A port of 127.0.0.1, without encryption."""
    return Listening("127.0.0.1", port, None, None)


def port_of(serving: Serving) -> int:
    return int(serving.address.rpartition(":")[2])


@dataclass
class Client:
    """One connection, by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    began: float

    @property
    def transport(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.writer.transport)

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def drip(self, data: bytes, every_s: float = 0.02) -> None:
        """A byte now and then, until the other side has had enough."""
        for byte in data:
            if self.reader.at_eof() or self.writer.is_closing():
                return
            await self.send(bytes([byte]))
            await asyncio.sleep(every_s)

    async def status(self) -> int:
        """The status of the next answer (which has no body)."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), LATE_S)
        return int(head.split()[1])

    async def rest(self) -> bytes:
        """All that still comes, until the connection is closed or reset."""
        got = b""
        with contextlib.suppress(ConnectionError):
            while part := await asyncio.wait_for(self.reader.read(65536), LATE_S):
                got += part
        return got

    def age(self) -> float:
        return time.monotonic() - self.began

    def reset(self) -> None:
        """Gone without a word (RST)."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


@contextlib.asynccontextmanager
async def client(serving: Serving, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    """A connection to the server; closed at the end, however it stands by then."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(serving), ssl=tls)
    try:
        yield Client(reader, writer, began)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def certificate(folder: Path, name: str = "one") -> tuple[Path, Path, ssl.SSLContext]:
    """Certificate and key for 127.0.0.1, and a client's context that trusts them."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return cert, key, context


def living() -> list[Connection]:
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is Connection]


def timers_of(what: str) -> list[asyncio.TimerHandle]:
    """What the loop would still do later, by what is named in it."""
    scheduled: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled")  # noqa: B009
    return [handle for handle in scheduled if not handle.cancelled() and what in repr(handle)]


def is_cut(one: socket.socket) -> bool:
    """Whether the other side closed it."""
    try:
        return one.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def misbehave(one: Client, how: random.Random) -> None:
    """One of the ways to be a nuisance."""
    kind = how.randrange(9)
    if kind == 0:
        one.reset()
    elif kind == 1:
        await one.send(GET * 5)
        await one.status()
        one.reset()
    elif kind == 2:
        await one.send(HEAD + b"content-length: 100\r\n\r\nabc")
        one.reset()
    elif kind == 3:
        await one.send(how.randbytes(300))
    elif kind == 4:
        await one.send(HEAD[: how.randrange(len(HEAD))])
    elif kind == 5:
        await one.send(HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz")
    elif kind == 6:
        await one.send(HEAD + b"x: " + b"y" * 30_000)
        one.reset()
    elif kind == 7:
        await one.send(GET + b"\r\n\r\nrubbish" + GET)
        await one.rest()
    else:
        await one.send(HEAD + b"content-length: 99999999\r\n\r\nabc")
        await one.status()
