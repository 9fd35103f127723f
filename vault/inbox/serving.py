"""Serves the receiver's app over HTTP and HTTPS, within whatever event loop runs.

uvicorn's protocol (clients.py) without uvicorn's Server: that one takes the process's signals, leaves the process when
the port is taken, and looks only ten times a second whether it shall stop.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from starlette.types import ASGIApp

from vault.errors import VaultError
from vault.inbox.binding import Listening, bind, bind_words, proxies, tls_context
from vault.inbox.clients import LINGER_S, USUAL, Connection, Limits, Room

__all__ = ["USUAL", "Limits", "Listening", "Serving"]

BACKLOG = 128
"""Connections that the system holds for us; asyncio accepts up to so many at once."""


class Serving:
    """An app, served; within the running event loop and without touching the process's signals or loggers.

    `clock` (unix seconds) is for the Date header. It can be started again after it was stopped.
    """

    def __init__(
        self,
        app: ASGIApp,
        listening: Listening,
        limits: Limits = USUAL,
        clock: Callable[[], float] = time.time,
        broke: Callable[[BaseException], None] = lambda fault: None,
    ) -> None:
        self._app = app
        self._listening = listening
        self._limits = limits
        self._clock = clock
        self._broke = broke
        self._port = listening.port
        self._server: asyncio.Server | None = None
        self._room: Room | None = None
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Listen. Raises VaultError when that cannot be, in words; does nothing when it listens already."""
        if self._server is not None:
            return
        await self.wait()
        tls = tls_context(self._listening)
        trusted = proxies(self._listening)
        sock = await bind(self._listening)
        room = Room(self._app, self._limits, tls, trusted, self._clock, self._broke)
        try:
            self._server = await room.loop.create_server(lambda: Connection(room), sock=sock, backlog=BACKLOG)
        except OSError as error:
            raise VaultError(bind_words(error, self._listening)) from None
        finally:
            if self._server is None:
                sock.close()
        self._room = room
        self._port = sock.getsockname()[1]
        self._ended.clear()

    @property
    def address(self) -> str:
        """Where it listens: scheme, host and port."""
        return f"{'https' if self._listening.encrypted else 'http'}://{self._listening.at(self._port)}"

    async def wait(self) -> None:
        """Until it was stopped; returns at once when it never started."""
        if self._room is not None:
            await self._ended.wait()

    async def stop(self, within_s: float = 3.0) -> None:
        """Listen no more, answer what was asked, and be gone after `within_s` seconds at most. Never raises."""
        server, room = self._server, self._room
        if server is None or room is None:
            await self.wait()
            return
        self._server = None
        room.stopping = True
        server.close()
        end = room.loop.time() + within_s
        try:
            for one in list(room.open):
                one.part()
            if room.state.tasks:
                await asyncio.wait(room.state.tasks, timeout=max(0.0, end - room.loop.time()))
            await _emptied(room, min(LINGER_S, end - room.loop.time()))
        finally:
            for one in list(room.present):
                one.cut()
            tasks = [*room.state.tasks, *room.handshakes]
            for task in tasks:
                task.cancel()
            self._room = None
            self._ended.set()
        if tasks:
            await asyncio.wait(tasks, timeout=LINGER_S / 4)
        await _emptied(room, LINGER_S / 4)


async def _emptied(room: Room, within_s: float) -> None:
    if room.present and within_s > 0:
        room.emptied.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await room.emptied.wait()
