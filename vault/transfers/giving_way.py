"""Transfers give way to a screen that answers a key, or draws: until that is drawn they read nothing.

At full speed (a service on the same network) reading takes a processor of its own and most of the interpreter's turns.
What is not read meanwhile waits in the sockets' buffers, so that a line slower than the machine loses nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

MOST_S = 0.04
"""No moment is longer; a key is answered in much less, as a rule."""
RESTS = 2.0
"""After a moment none for so many times as long: however fast keys come, two thirds of the time are the transfers'."""
LOOKS_S = 0.004
"""Whoever waits looks so often whether the moment is over."""


class GivingWay:
    """A moment without reading, from `ask` to `answered`, kept by everything that calls `pay` for what it read."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._asked_at = 0.0
        self._until = 0.0
        self._again_at = 0.0

    def ask(self) -> None:
        """Give way from now on, if that was not asked for just before. From any thread."""
        now = self._clock()
        if now >= self._again_at:
            self._asked_at, self._until = now, now + MOST_S
            self._again_at = self._until + RESTS * MOST_S

    def answered(self) -> None:
        """What was asked for is drawn. From any thread."""
        now = self._clock()
        if now < self._until:
            self._until = now
            self._again_at = now + RESTS * (now - self._asked_at)

    async def pay(self, size: int) -> None:  # as a throttle is paid
        """Wait until the moment is over, if one goes on."""
        while (left := self._until - self._clock()) > 0:
            await self._sleep(min(left, LOOKS_S))
