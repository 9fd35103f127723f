"""Processing what was received: whatever waits in the ledger, also from before, and from a process that was killed."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

from providers.base import ProviderError
from vault.errors import VaultError
from vault.inbox.intake import Heard, Intake
from vault.ledger import Ledger
from vault.ledger.deliveries import Taken
from vault.presence import Presence

LOOK_S = 0.5
AT_ONCE = 64
"""Deliveries in hand, and written down in one transaction."""
ASKING = 4
"""Questions to services at a time."""
_RETRY_S = 5.0
_DOWN_S = 2.0
"""A service that did not answer is not asked about the next delivery at once."""


class Worker:
    """Runs on an event loop until cancelled. Several, in several processes, share the work through the ledger."""

    def __init__(self, intake: Intake, ledger: Ledger, presence: Presence, now: Callable[[], datetime]) -> None:
        self._intake = intake
        self._ledger = ledger
        self._presence = presence
        self._now = now
        self._nudged = asyncio.Event()
        self._asking = asyncio.Semaphore(ASKING)
        self._questions: set[asyncio.Task[None]] = set()
        self._down: dict[str, tuple[float, ProviderError]] = {}
        """Accounts whose service did not answer just now: until when it is not asked again, and why."""
        self.trouble = ""
        """Why nothing can be processed now (the ledger, the disk), in words."""

    def nudge(self) -> None:
        """Something came in: look at once."""
        self._nudged.set()

    async def run(self) -> None:
        """Process what waits, until cancelled."""
        try:
            while True:
                try:
                    busy = await self._round()
                    self.trouble = ""
                except VaultError as error:
                    self.trouble = error.words
                    await asyncio.sleep(_RETRY_S)
                    continue
                if not busy:
                    await self._rest()
        finally:
            await self._stop()

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._nudged.wait()
        self._nudged.clear()

    async def _stop(self) -> None:
        questions = list(self._questions)
        for question in questions:
            question.cancel()
        await asyncio.gather(*questions, return_exceptions=True)

    async def drain(self) -> None:
        """Process what is due now, and end. Raises VaultError."""
        try:
            while await self._round() or self._questions:
                if self._questions:
                    await asyncio.wait(self._questions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._stop()

    async def _round(self) -> bool:
        """Whether there was anything to do. What needs no question is written down at once, all together."""
        taken = await asyncio.to_thread(self._take, AT_ONCE - len(self._questions))
        settled = []
        for each in taken:
            try:
                heard = await self._intake.hear(each)
                if heard.said.confirm:
                    self._ask(heard)
                else:
                    settled.append(await self._intake.confirm(heard))
            except (ProviderError, VaultError) as error:
                await self._intake.put_off(each, error)
        if settled:
            await self._intake.settle(settled)
        return bool(taken)

    def _take(self, room: int) -> tuple[Taken, ...]:
        deliveries = self._ledger.deliveries
        # What stands under this worker's own name and is in no question's hands, a broken round left behind.
        mine = frozenset() if self._questions else frozenset({self._presence.name})
        dead = self._presence.gone(deliveries.owners()) | mine
        return deliveries.take(self._presence.name, dead, self._now().timestamp(), room) if room > 0 else ()

    def _ask(self, heard: Heard) -> None:
        question = asyncio.get_running_loop().create_task(self._confirm(heard))
        self._questions.add(question)
        question.add_done_callback(self._answered)

    def _answered(self, question: asyncio.Task[None]) -> None:
        self._questions.discard(question)
        self._nudged.set()
        if not question.cancelled() and isinstance(failure := question.exception(), VaultError):
            self.trouble = failure.words

    async def _confirm(self, heard: Heard) -> None:
        account, loop = heard.taken.account, asyncio.get_running_loop()
        async with self._asking:
            until, failure = self._down.get(account, (0.0, None))
            if failure is not None and loop.time() < until:
                await self._intake.put_off(heard.taken, failure)
                return
            try:
                settled = await self._intake.confirm(heard)
            except ProviderError as error:
                if error.transient:
                    self._down[account] = (loop.time() + _DOWN_S, error)
                await self._intake.put_off(heard.taken, error)
                return
            self._down.pop(account, None)
        await self._intake.settle([settled])
