"""Transfers give way to a screen that answers a key: for a moment they read nothing.

At full speed (a service on the same network) reading takes a processor of its own and most of the interpreter's turns.
What is not read meanwhile waits in the sockets' buffers, so that a line slower than the machine loses nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

MOMENT_S = 0.02
"""A key is answered in less, as a rule."""
EVERY_S = 0.08
"""Between the beginnings of two such moments: however fast keys come, three quarters of the time are the transfers'."""


class GivingWay:
    """A moment without reading, asked for by `ask` and kept by everything that calls `pay` for what it read."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._until = 0.0
        self._again_at = 0.0

    def ask(self) -> None:
        """Give way from now on, if that was not asked for just before. From any thread."""
        now = self._clock()
        if now >= self._again_at:
            self._again_at, self._until = now + EVERY_S, now + MOMENT_S

    async def pay(self, size: int) -> None:  # as a throttle is paid
        """Wait until the moment is over, if one goes on."""
        left = self._until - self._clock()
        if left > 0:
            await self._sleep(left)
