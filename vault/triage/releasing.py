"""Releases: asked for, waiting out their grace, carried out by whatever engine runs, and their receipts.

Any process on the ledger may carry a release out; the ledger's claims see to it that one does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from providers.models import AssetId
from vault.config import Config
from vault.errors import VaultError
from vault.ledger.releases import Release, Turn, Wish
from vault.presence import Presence
from vault.transfers.retrying import PATIENCE_S
from vault.triage.carrying import Carrying
from vault.triage.rechecking import Rechecking
from vault.triage.states import ReleaseState
from vault.triage.views import Asked, ReceiptView, ReleaseView
from vault.views import AssetView

LOOK_AFTER_S = 60.0
"""Between two looks after what is released."""


class Releasing:
    """The use case `release`. What is no coroutine blocks briefly and may be called from any thread."""

    def __init__(self, carrying: Carrying, rechecking: Rechecking, config: Config, operator: str) -> None:
        self._carrying = carrying
        self._checks = carrying.checks
        self._ledger = carrying.ledger
        self._rechecking = rechecking
        self._workers = config.data / "workers"
        self._operator = operator
        self._busy: list[str] = []
        self.grace_s = config.grace_s
        """What a desk gives by default, in seconds."""
        self._now = carrying.now
        self._rhythm = carrying.rhythm
        self._nudged = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        """While `run` does."""
        self._fault = ""

    @property
    def busy(self) -> frozenset[str]:
        """The accounts of which a release is carried out in this process."""
        return frozenset(self._busy)

    @property
    def trouble(self) -> str:
        """What a person must know, in words: releases cannot be carried out, or a copy is in danger. "": nothing."""
        return self._fault or self._rechecking.trouble

    # Asking.

    def why_not(self, identity: AssetId) -> str:
        """The piece that is missing for a release, as far as is known without reading; "" when there is none."""
        return self._checks.why_not(identity)

    def along(self, identity: AssetId) -> tuple[AssetView, ...]:
        """What else the service would delete with it."""
        return self._checks.along(identity)

    def ask(self, identities: Iterable[AssetId], grace_s: float | None = None) -> Asked:
        """Have assets released when the grace (seconds; None: as configured) is over, by whatever engine runs then.

        Everything is checked once more then, and the copies are read again.
        """
        grace = self.grace_s if grace_s is None else grace_s
        wishes: list[Wish] = []
        refused: list[tuple[AssetId, str]] = []
        for identity in dict.fromkeys(identities):
            try:
                words = self._why_not_asked(identity)
                view = self._checks.going(identity)[0]
                if not words:
                    wishes.append(Wish(identity, self._carrying.address(identity.account), view.sha256))
            except VaultError as error:
                words = error.words
            if words:
                refused.append((identity, words))
        now = self._now().timestamp()
        numbers = self._ledger.releases.ask(wishes, now + grace, self._operator, now, undoable=grace > 0)
        self._wake()
        return Asked(self._ledger.receipts.by_number(numbers), tuple(refused))

    def _why_not_asked(self, identity: AssetId) -> str:
        """One that was sent already goes on, whatever stands against another one."""
        known = self._ledger.receipts.release_of(identity)
        if known is not None and known.state in (ReleaseState.SENDING, ReleaseState.ANSWERED):
            return ""
        return self.why_not(identity)

    def stop(self, identity: AssetId) -> bool:
        """Stop a release in its grace; False where nothing waits, or it was sent."""
        return self._ledger.releases.stop(identity, self._operator, self._now().timestamp())

    # What there is.

    def due(self) -> tuple[ReleaseView, ...]:
        """The open releases, by when they are due."""
        return self._ledger.receipts.releases()

    def release_of(self, identity: AssetId) -> ReleaseView | None:
        """An asset's latest release, open or not."""
        return self._ledger.receipts.release_of(identity)

    def receipts(self, identity: AssetId | None = None, limit: int = 1000) -> tuple[ReceiptView, ...]:
        """Receipts, newest first."""
        return self._ledger.receipts.receipts(identity, limit)

    def counting_down(self) -> tuple[ReceiptView, ...]:
        """Receipts of what the service has not deleted for good yet, the soonest first."""
        return self._ledger.receipts.counting_down()

    # Carrying out.

    async def now(self, identity: AssetId) -> AssetView:
        """Release an asset at once, and see it through. Raises VaultError with why it is not released in the end."""
        asked = await asyncio.to_thread(self.ask, [identity], 0.0)
        if asked.refused:
            receipts = await asyncio.to_thread(self.receipts, identity, 1)
            if receipts and receipts[0].along:  # it went with another one of its meeting
                return self._checks.going(identity)[0]
            raise VaultError(asked.refused[0][1])
        return await self.see_through(identity)

    async def see_through(self, identity: AssetId) -> AssetView:
        """Carry an asset's release out, if it is due, or wait for whoever does. Raises VaultError as `now`."""
        view = await asyncio.to_thread(self.release_of, identity)
        if view is not None:
            async with self._at_work() as presence:
                await self._see_through(identity, presence, view.number)
            view = await asyncio.to_thread(self.release_of, identity)
        if view is None or view.state is not ReleaseState.CONFIRMED:
            raise VaultError(view.words if view else "it was never asked for")
        return self._checks.going(identity)[0]

    async def _see_through(self, identity: AssetId, presence: Presence, number: int) -> None:
        tried = False
        while True:
            before = await asyncio.to_thread(self._sent_before, identity)
            release = await self._take(presence, frozenset({number, *(view.number for view in before)}))
            if release is not None:
                tried = True
                await self._carry(release, 0.0)
                continue
            view = await asyncio.to_thread(self.release_of, identity)
            if view is None or view.state.ended or (tried and view.again_at is not None):
                return
            waits = next((each for each in before if each.again_at is not None), None)
            if waits is not None:
                raise VaultError(f"it waits for the release of {waits.asset}, which is not over: {waits.words}")
            await asyncio.sleep(self._rhythm.beat_s)

    def _sent_before(self, identity: AssetId) -> list[ReleaseView]:
        """Other releases of its meeting whose end is to be seen first."""
        place = (identity.account, identity.meeting, identity.kind)
        sent = (view for view in self.due() if view.sent_at is not None and view.asset != identity)
        return [view for view in sent if (view.asset.account, view.asset.meeting, view.asset.kind) == place]

    async def drain(self) -> None:
        """Carry out what is due now, look after what is released; what is in its grace stays. Raises VaultError."""
        async with self._at_work() as presence:
            while True:
                waits = await asyncio.to_thread(self._is_unsettled)  # first: it may settle in between
                release = await self._take(presence)
                if release is not None:
                    await self._carry(release, PATIENCE_S)
                elif waits:
                    await asyncio.sleep(self._rhythm.beat_s)
                else:
                    break
        await self.look_after()

    def _is_unsettled(self) -> bool:
        """Whether a call whose end nobody saw was sent just now: it is asked about in a moment."""
        now = self._now()
        sent = [view.sent_at for view in self.due() if view.state is ReleaseState.SENDING and view.again_at is None]
        return any(at is not None and 0 <= (now - at).total_seconds() <= self._rhythm.settle_s for at in sent)

    async def look_after(self) -> None:
        """Read again what is released and soon deleted for good; queue what is not whole. Raises VaultError."""
        await self._rechecking.look()

    def nudge(self) -> None:
        """Look into the ledger again now (on the loop of `run`)."""
        self._nudged.set()

    def _wake(self) -> None:
        """The same from any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(self._nudged.set)

    async def run(self, *, is_told: bool = False) -> None:
        """The engine's: carry releases out as they come due, until cancelled. What goes wrong is told in `trouble`.

        `is_told`: somebody nudges when the ledger changes, so that it need not be looked at now and then.
        """
        self._nudged = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        look_s = LOOK_AFTER_S if is_told else self._rhythm.look_s
        try:
            while True:
                try:
                    async with self._at_work() as presence:
                        await self._keep(presence, look_s)
                except VaultError as error:
                    self._fault = error.words
                    await asyncio.sleep(self._rhythm.look_s)
                    self._fault = ""
        finally:
            self._loop = None

    async def _keep(self, presence: Presence, look_s: float) -> None:
        loop, looked_after = asyncio.get_running_loop(), -LOOK_AFTER_S
        while True:
            self._nudged.clear()
            while (release := await self._take(presence)) is not None:
                await self._carry(release, PATIENCE_S)
            if loop.time() - looked_after >= LOOK_AFTER_S:
                looked_after = loop.time()
                await self.look_after()
            due = await asyncio.to_thread(self._ledger.releases.next_at)
            left = None if due is None else due - self._now().timestamp()
            # One that is due and not this one's is another's, or settles: it is looked at now and then.
            wait = look_s if left is None else min(look_s, left if left > 0 else self._rhythm.look_s)
            with contextlib.suppress(TimeoutError):  # not wait_for: in 3.11 it loses a cancellation
                async with asyncio.timeout(wait):
                    await self._nudged.wait()

    @contextlib.asynccontextmanager
    async def _at_work(self) -> AsyncIterator[Presence]:
        presence = await asyncio.to_thread(Presence, self._workers)
        try:
            yield presence
        finally:
            await asyncio.shield(asyncio.to_thread(presence.close))

    async def _take(self, presence: Presence, only: frozenset[int] | None = None) -> Release | None:
        def take() -> Release | None:
            releases = self._ledger.releases
            dead = presence.gone(releases.owners())
            turn = Turn(presence.name, dead, only, self._rhythm.settle_s)
            return releases.take(turn, self._now().timestamp())

        return await asyncio.shield(asyncio.to_thread(take))

    async def _carry(self, release: Release, patience_s: float) -> None:
        """Carry it out, and say all the while that it goes on; when it was stopped, it ends."""
        carrying = asyncio.create_task(self._carrying.carry(release, patience_s))
        self._busy.append(release.identity.account)
        try:
            while not (await asyncio.wait({carrying}, timeout=self._rhythm.beat_s))[0]:
                now = self._now().timestamp()
                if not await asyncio.to_thread(self._ledger.releases.beat, release, now):
                    break
        finally:
            carrying.cancel()
            await asyncio.wait({carrying})
            self._busy.remove(release.identity.account)
        if not carrying.cancelled():
            carrying.result()
