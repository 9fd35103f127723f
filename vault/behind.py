"""What an engine does behind everything else: it fills the search index, in small steps, and rests after each."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from vault.errors import VaultError

RESTS = 1.0
"""Rest after a step, in times of what it took; the ledger's writers come in between."""
RESTS_WHILE_BUSY = 4.0
"""While services are asked: what they tell has the ledger first."""
AGAIN_S = 5.0
"""Between two looks whether there is anything to do: each reads through what transcripts are held."""


class Behind:
    """Runs on an event loop until cancelled, its steps in threads. It sleeps until `nudge`, and does not wake idle."""

    def __init__(self, step: Callable[[], bool], is_busy: Callable[[], bool]) -> None:
        """`step`: do a little, and say whether there is more to do; it may raise VaultError."""
        self._step = step
        self._is_busy = is_busy
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """There may be something to do (on the loop)."""
        self._nudged.set()

    async def run(self) -> None:
        """Begin with whatever was left to do."""
        # A thread of its own: it keeps none of those busy that lists are read by.
        thread = ThreadPoolExecutor(1, "behind")
        try:
            while True:
                self._nudged.clear()
                await self._work_off(thread)
                await asyncio.sleep(AGAIN_S)
                await self._nudged.wait()
        finally:
            thread.shutdown(wait=False)

    async def _work_off(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                began = time.monotonic()
                if not await loop.run_in_executor(thread, self._step):
                    return
                took = time.monotonic() - began
                await asyncio.sleep(took * (RESTS_WHILE_BUSY if self._is_busy() else RESTS))
        except VaultError:
            return  # whoever writes tells of the ledger's trouble; what is left is done after the next change
