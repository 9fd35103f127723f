"""A limit on bytes a second, kept by all transfers that share it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol


class Paid(Protocol):
    """Whoever reads bytes pays for them, by waiting."""

    async def pay(self, size: int) -> None:
        """Wait as long as these bytes cost."""


class Throttle:
    """Lets `bytes_per_s` through; 0: everything at once. Use it from one event loop only."""

    def __init__(
        self,
        bytes_per_s: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0

    def __bool__(self) -> bool:
        """Whether there is a limit."""
        return self._bytes_per_s > 0

    async def pay(self, size: int) -> None:
        """Wait until the bytes that came before are through; these then count for whoever comes next."""
        if not self._bytes_per_s:
            return
        now = self._clock()
        due = max(self._free_at, now)
        self._free_at = due + size / self._bytes_per_s
        if due > now:
            await self._sleep(due - now)
