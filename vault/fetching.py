"""Bringing assets home on request: queued first in line, and seen through."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

from providers.models import AssetId
from vault.errors import VaultError
from vault.keeping import Keeping
from vault.ledger import Ledger
from vault.rules import why_not_fetch
from vault.transfers.placing import Placing
from vault.transfers.queue import Queue
from vault.views import AssetView, LocalState, TransferView

PROGRESS_S = 0.5


class Fetching:
    """The use case `fetch`."""

    def __init__(self, ledger: Ledger, keeping: Keeping, placing: Placing, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._keeping = keeping
        self._placing = placing
        self._now = now

    def enqueue(self, identities: Iterable[AssetId], *, first: bool = False, operator: str = "") -> tuple[AssetId, ...]:
        """Queue what can be fetched now; gives those that were newly queued. Where each will lie is fixed with it.

        `operator`: who may undo it; "" where it is seen through at once.
        """
        assets = {identity: self._ledger.reader.asset(identity) for identity in identities}
        ready = [identity for identity, asset in assets.items() if asset is not None and not why_not_fetch(asset)]
        places = {identity: self._placing.choices(identity) for identity in ready}
        now = self._now().timestamp()
        return self._ledger.transfers.enqueue(ready, now, first=first, operator=operator, places=places)

    def check(self, identity: AssetId) -> None:
        """Raises VaultError with why an asset cannot be fetched now, if so; queued already is no reason."""
        before = self._keeping.asset(identity)
        problem = why_not_fetch(before)
        if problem and before.local not in (LocalState.QUEUED, LocalState.FETCHING):
            raise VaultError(f"{identity}: {problem}")

    def outcome(self, identity: AssetId) -> AssetView:
        """A held asset. Raises VaultError with why it is not held."""
        asset = self._keeping.asset(identity)
        if asset.local is not LocalState.HELD:
            transfer = self._ledger.reader.transfer(identity)
            state = f"{transfer.words or transfer.state}" if transfer else "it was not queued"
            raise VaultError(f"{identity}: {state}")
        return asset

    async def fetch_all(
        self,
        queue: Queue,
        identities: Iterable[AssetId],
        on_progress: Callable[[TransferView], None] | None,
        on_end: Callable[[AssetId], None] | None,
    ) -> None:
        """See them through on this queue; `on_end` is told of each as it ends."""
        wanted = dict.fromkeys(identities)
        await asyncio.to_thread(self._put_first, wanted)
        left = dict(wanted)

        def ended(identity: AssetId) -> None:
            if identity in left:
                del left[identity]
                if on_end is not None:
                    on_end(identity)

        queue.ended = ended
        async with self._watched(queue, on_progress):
            await queue.run(only=wanted, drain=True)
        for identity in list(left):  # another process saw to these
            ended(identity)

    def _put_first(self, wanted: Iterable[AssetId]) -> None:
        queued = set(self.enqueue(wanted, first=True))
        for identity in wanted:
            if identity not in queued:  # it was queued before, and perhaps paused
                self._ledger.transfers.steer(identity, "resume", self._now().timestamp())

    @asynccontextmanager
    async def _watched(self, queue: Queue, tell: Callable[[TransferView], None] | None) -> AsyncIterator[None]:
        async def watch() -> None:
            while tell is not None:
                await asyncio.sleep(PROGRESS_S)
                for identity in queue.running:
                    view = await asyncio.to_thread(self._ledger.reader.transfer, identity)
                    if view is not None:
                        tell(queue.up_to_date(view))

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
