"""One client of the receiver: uvicorn's HTTP/1.1 on h11, with the deadlines and limits that uvicorn has not.

uvicorn 0.54 closes an idle kept-alive connection and nothing else: who never completes a request stays for ever.
httptools would be faster, and takes a megabyte of headers; h11 does not.
"""

import asyncio
import contextlib
import logging
import math
import ssl
from collections.abc import Callable
from email.utils import formatdate
from enum import Enum

import h11
from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from vault.inbox.heads import MAX_BODY, refusal

LINGER_S = 1.0
"""So long may a connection take to close before it is cut."""

WIRE = MAX_BODY + 144 * 1024
"""So many bytes may a request have with its head and its chunks' lengths: a body sent byte by byte has seven times its
own, and costs a second of everybody's time.
"""

LEFTOVER = 1 << 20
"""So many bytes of a body nobody wants are read past, so that the client sees the answer instead of a reset."""


class Limits(Struct, frozen=True):
    """What one client may take. `_s` are seconds.

    `headers_s`: from connecting (on a kept-alive connection: from a request's first byte) to the whole head;
    `request_s`: from there to the end of the answer; `keep_alive_s`: between two requests; `connections`: open at
    once; `head_bytes`: request line and headers.
    """

    headers_s: float = 5.0
    request_s: float = 10.0
    keep_alive_s: float = 5.0
    connections: int = 64
    head_bytes: int = 16 * 1024


USUAL = Limits()


class _Phase(Enum):
    HANDSHAKE = "no TLS yet"
    HEAD = "no complete head yet"
    REQUEST = "a request being received or answered"
    LEFTOVER = "answered before its body was all there"
    IDLE = "between two requests"
    CLOSING = "closing"


class Room:
    """What the connections of one start share."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        tls: ssl.SSLContext | None,
        trusted: list[str],
        clock: Callable[[], float],
        broke: Callable[[BaseException], None],
    ) -> None:
        self.app: ASGIApp = _bounded(app, limits.head_bytes)
        if trusted:
            # uvicorn types the same ASGI application by types of its own.
            self.app = ProxyHeadersMiddleware(self.app, trusted)  # type: ignore[arg-type, assignment]
        self.limits = limits
        self.tls = tls
        self.loop = asyncio.get_running_loop()
        self.state = ServerState()
        # A logger of nobody's: what uvicorn says of requests goes nowhere, whatever the process logs; faults of the
        # app are handed on.
        self.silence = logging.Logger("serving", logging.ERROR)
        self.silence.addHandler(_Faults(broke))
        # Only carries settings: `app` is set on each connection, since Config would wrap it in a logger when the
        # process logs everything.
        self.config = Config(
            _nobody,
            http="h11",
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            workers=1,
            timeout_keep_alive=math.ceil(limits.keep_alive_s),
            h11_max_incomplete_event_size=limits.head_bytes,
        )
        self.config.load()
        self.open: set[Connection] = set()
        """Those that count."""
        self.present: set[Connection] = set()
        """Those, and the ones cut that are not gone yet."""
        self.handshakes: set[asyncio.Task[None]] = set()
        self.emptied = asyncio.Event()
        self.stopping = False
        self._clock = clock
        self._second = -1

    def admit(self, new: "Connection") -> bool:
        """Whether there is room; whoever has gone longest without a complete request makes way."""
        if self.stopping:
            return False
        if len(self.open) >= self.limits.connections:
            waiting = [one for one in self.open if one.incomplete]
            if not waiting:
                return False
            min(waiting, key=lambda one: one.since).cut()
        self.open.add(new)
        self.present.add(new)
        return True

    def forget(self, one: "Connection") -> None:
        """It is gone."""
        self.open.discard(one)
        self.present.discard(one)
        if not self.present:
            self.emptied.set()

    def date(self) -> None:
        """Keep the Date header of answers right; uvicorn's Server would do so by a timer."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self.state.default_headers = [(b"date", formatdate(second, usegmt=True).encode())]


class Connection(H11Protocol):
    """One client: uvicorn's HTTP/1.1, and a deadline for whatever it is at.

    Of uvicorn it uses (a test holds each): `H11Protocol(config, server_state, app_state, _loop)`; the attributes `app`,
    `logger`, `access_log`, `client`, `transport`, `conn`, `cycle` (`response_complete`, `more_body`, `keep_alive`) and
    `timeout_keep_alive_task`; the methods `on_response_complete` and `send_400_response`.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room.config, room.state, {}, room.loop)
        self.app = room.app
        self.logger = room.silence
        self.access_log = False
        self.since = room.loop.time()
        """Since when there was no complete request."""
        self._room = room
        self._raw: asyncio.Transport | None = None
        self._speaking = False
        self._early = bytearray()
        self._arrived = 0
        """Bytes since the last answer."""
        self._served: object = None
        self._phase = _Phase.HEAD
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def incomplete(self) -> bool:
        """Whether no whole request is there to be answered."""
        return self._phase is not _Phase.REQUEST or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client connected; with TLS it has not said a word yet."""
        self._raw = transport
        if not self._room.admit(self):
            transport.abort()
        elif self._room.tls is None:
            self._enter(_Phase.HEAD, self._room.limits.headers_s)
            self._speak(transport)
        else:
            self._enter(_Phase.HANDSHAKE, self._room.limits.headers_s)
            transport.pause_reading()
            task = self._room.loop.create_task(self._shake_hands(transport, self._room.tls))
            self._room.handshakes.add(task)
            task.add_done_callback(self._room.handshakes.discard)

    async def _shake_hands(self, raw: asyncio.Transport, tls: ssl.SSLContext) -> None:
        # Here and not in `create_server(ssl=)`, where nobody could count or cut a client before its handshake is over.
        transport = None
        if not raw.is_closing():
            with contextlib.suppress(OSError):
                transport = await self._room.loop.start_tls(
                    raw, self, tls, server_side=True, ssl_shutdown_timeout=LINGER_S
                )
        if transport is None or raw.is_closing():
            self._leave()
            raw.abort()
            return
        self._phase = _Phase.HEAD
        self._speak(transport)
        if self._early:
            early, self._early = bytes(self._early), bytearray()
            self.data_received(early)

    def _speak(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._speaking = True
        if self.client is None and self._raw is not None and (peer := self._raw.get_extra_info("peername")):
            # Reset already, so that the system does not know any more who it was; asyncio does.
            self.client = (str(peer[0]), int(peer[1]))

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        if not self._speaking:
            self._early += data
            return
        self._arrived += len(data)
        if self._arrived > (LEFTOVER if self._phase is _Phase.LEFTOVER else WIRE):
            self.cut()
            return
        self._room.date()
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """A request was answered."""
        super().on_response_complete()
        self._arrived = 0
        self.since = self._room.loop.time()
        self._settle()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; when another answer was begun or given, there is none to give."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._leave()
        if self._speaking:
            super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            # uvicorn leaves it running after a reset.
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def part(self) -> None:
        """Answer what is there to be answered, then close."""
        if self._phase is _Phase.REQUEST:
            self.cycle.keep_alive = False
        elif self._speaking:
            self.transport.close()
            self._settle()
        else:
            self.cut()

    def cut(self) -> None:
        """Close at once, whatever is on the way."""
        self._room.open.discard(self)
        self._disarm()
        if self._raw is not None:
            self._raw.abort()

    def _settle(self) -> None:
        """See what the connection is at now, and set its deadline if that is something new."""
        limits = self._room.limits
        if self.transport.is_closing():
            if self._phase is not _Phase.CLOSING:
                self._enter(_Phase.CLOSING, LINGER_S)
        elif self.cycle is None:
            return
        elif not self.cycle.response_complete:
            if self.cycle is not self._served:
                self._served = self.cycle
                self._enter(_Phase.REQUEST, limits.request_s)
        elif self.conn.their_state is h11.SEND_BODY:
            if self._phase is not _Phase.LEFTOVER:
                self._enter(_Phase.LEFTOVER, limits.keep_alive_s)
        elif self.conn.trailing_data[0]:
            if self._phase is not _Phase.HEAD:
                self._enter(_Phase.HEAD, limits.headers_s)
        elif self._phase is not _Phase.IDLE:
            self._enter(_Phase.IDLE, limits.keep_alive_s)

    def _enter(self, phase: _Phase, within_s: float) -> None:
        self._phase = phase
        if self not in self._room.open:
            return
        self._deadline = self._room.loop.time() + within_s
        if self._alarm is None or self._alarm.when() > self._deadline:
            self._disarm()
            self._alarm = self._room.loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._deadline - self._room.loop.time() > 0.001:
            self._alarm = self._room.loop.call_at(self._deadline, self._ring)
        elif self._phase is _Phase.IDLE:
            self.transport.close()
            self._enter(_Phase.CLOSING, LINGER_S)
        else:
            self.cut()

    def _leave(self) -> None:
        self._disarm()
        self._room.forget(self)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _bounded(app: ASGIApp, head_bytes: int) -> ASGIApp:
    """Refuse what no address takes: heads that leave open where the body ends, and those over `head_bytes`.

    h11 sees to the size only while a head is incomplete, not when it came at once.
    """

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        status = 431 if size > head_bytes else refusal(scope["headers"])
        if status is None or status == 413:  # how much is too much, the app knows of each address
            await app(scope, receive, send)
            return
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return bounded


class _Faults(logging.Handler):
    """Hands on what uvicorn logs an exception with; requests that were cut at the end are none."""

    def __init__(self, broke: Callable[[BaseException], None]) -> None:
        super().__init__(logging.ERROR)
        self._broke = broke

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on."""
        fault = record.exc_info[1] if record.exc_info else None
        if fault is not None and not isinstance(fault, asyncio.CancelledError):
            self._broke(fault)


async def _nobody(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for the app in uvicorn's settings; never called."""
