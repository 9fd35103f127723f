"""Processing what was received: whatever waits in the ledger, also from before, and from a process that was killed."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from providers.base import ProviderError
from vault.errors import VaultError
from vault.inbox.intake import Heard, Intake
from vault.ledger import Ledger
from vault.ledger.deliveries import LEASE_S, Settled, Taken
from vault.presence import Presence
from vault.views import DeliveryState

LOOK_S = 0.5
AT_ONCE = 64
"""Deliveries that are taken, and written down, in one transaction."""
ASKING = 4
"""Questions to services at a time."""
_RETRY_S = 5.0
_RENEW_S = LEASE_S / 4
_IN_QUESTION = 16
"""An account of which so many wait for an answer gets no more: the others go on."""
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
        self._questions: dict[asyncio.Task[None], Taken] = {}
        self._renewed_at = 0.0
        self._faults: list[tuple[Taken, BaseException]] = []
        """Faults of ours that processing ended with."""
        self._down: dict[str, tuple[float, ProviderError]] = {}
        """Accounts whose service did not answer just now: until when it is not asked again, and why."""
        self.trouble = ""
        """Why nothing can be processed now (the ledger, the disk), in words."""
        self.is_told = False
        """Whether it is nudged whenever the ledger was written: then it need not look while nothing waits."""
        self._is_left = True
        """Whether anything waited at the last look."""

    def nudge(self) -> None:
        """Something came in: look at once."""
        self._nudged.set()

    async def run(self) -> None:
        """Process what waits, until cancelled. A fault of ours ends it; the delivery that met it has failed then."""
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
            async with asyncio.timeout(LOOK_S if self._is_left or self._questions or not self.is_told else None):
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
        await self._end_faulty()
        await self._renew()
        taken = await asyncio.to_thread(self._take)
        begun = await asyncio.gather(*(self._begin(each) for each in taken), return_exceptions=True)
        self._faults += [(one, e) for one, e in zip(taken, begun, strict=True) if isinstance(e, BaseException)]
        await self._settle([each for each in begun if isinstance(each, Settled)])
        await self._end_faulty()
        return bool(taken)

    async def _begin(self, taken: Taken) -> Settled | None:
        """What a delivery brought; None when the service is asked about it, or it was put off."""
        try:
            heard = await self._intake.hear(taken)
            if not heard.said.confirm:
                return await self._intake.confirm(heard)
            self._ask(heard)
        except (ProviderError, VaultError) as error:
            await self._intake.put_off(taken, error)
        return None

    async def _settle(self, settled: list[Settled]) -> None:
        """Write it down together; what a fault of ours keeps from it, one by one, so that the rest is not kept, too."""
        if not settled:
            return
        [fault] = await asyncio.gather(self._intake.settle(settled), return_exceptions=True)
        if isinstance(fault, VaultError):
            raise fault
        if fault is not None and len(settled) == 1:
            self._faults.append((settled[0].taken, fault))
        elif fault is not None:
            for each in settled:
                await self._settle([each])

    async def _end_faulty(self) -> None:
        """What met a fault of ours is not taken again by itself: whatever is behind it would wait for ever."""
        faults, self._faults = self._faults, []
        for taken, fault in faults:
            if not isinstance(fault, VaultError):
                words = f"a fault of reeldesk ended its processing ({type(fault).__name__})"
                await asyncio.to_thread(self._ledger.deliveries.end, taken, DeliveryState.FAILED, words)
        for _, fault in faults:
            raise fault

    async def _renew(self) -> None:
        """A slow service may have more to answer than fits into a lease: what is in hand stays there."""
        now = asyncio.get_running_loop().time()
        if self._questions and now >= self._renewed_at + _RENEW_S:
            self._renewed_at = now
            in_hand = list(self._questions.values())
            await asyncio.to_thread(self._ledger.deliveries.renew, in_hand, self._now().timestamp())

    def _take(self) -> tuple[Taken, ...]:
        deliveries = self._ledger.deliveries
        # What stands under this worker's own name and is in no question's hands, a broken round left behind.
        mine = frozenset() if self._questions else frozenset({self._presence.name})
        dead = self._presence.gone(deliveries.owners()) | mine
        asked = Counter(taken.account for taken in list(self._questions.values()))
        slow = [account for account, number in asked.items() if number >= _IN_QUESTION]
        taken = deliveries.take(self._presence.name, dead, self._now().timestamp(), AT_ONCE, slow)
        self._is_left = bool(taken) or deliveries.is_left()
        return taken

    def _ask(self, heard: Heard) -> None:
        question = asyncio.get_running_loop().create_task(self._confirm(heard))
        self._questions[question] = heard.taken
        question.add_done_callback(self._answered)

    def _answered(self, question: asyncio.Task[None]) -> None:
        taken = self._questions.pop(question)
        self._nudged.set()
        failure = None if question.cancelled() else question.exception()
        if isinstance(failure, VaultError):
            self.trouble = failure.words
        elif failure is not None:
            self._faults.append((taken, failure))

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
