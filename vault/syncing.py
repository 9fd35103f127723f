"""Asking the services what there is, and taking in what they send: both end in the ledger."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

from msgspec import Struct

from providers.base import NotAuthentic, ProviderError, Unreadable
from providers.models import Announcement, Asset, Capability, Delivery, Listing
from vault import spool
from vault.config import AccountConfig
from vault.connections import Connections
from vault.errors import SpoolError, VaultError
from vault.inbox.intake import Intake
from vault.ledger import Ledger
from vault.ledger.recording import Recorded
from vault.presence import Presence

PAGE = 250
"""Meetings in a transaction: it holds the ledger for some 30 ms."""


def parts(listing: Listing, size: int) -> Iterator[Listing]:
    """A listing by `size` meetings each, with their assets; what is about no meeting of it comes last."""
    if len(listing.meetings) <= size and len(listing.assets) <= 4 * size:
        yield listing
        return
    assets: defaultdict[str, list[Asset]] = defaultdict(list)
    for asset in listing.assets:
        assets[asset.meeting_id].append(asset)
    for start in range(0, len(listing.meetings), size):
        meetings = listing.meetings[start : start + size]
        yield Listing(meetings, tuple(asset for meeting in meetings for asset in assets.pop(meeting.id, ())))
    rest = [asset for each in assets.values() for asset in each]
    for start in range(0, len(rest), size):
        yield Listing(assets=tuple(rest[start : start + size]))
    if listing.changes or listing.catchups:
        yield Listing(changes=listing.changes, catchups=listing.catchups)


class SyncReport(Struct, frozen=True):
    """What a sync brought: what the service told of, what of it was new, and words for a person."""

    account: str
    meetings: int
    assets: int
    new: int
    words: str


class Syncing:
    """The use cases `sync`, `watch` and `take_in`."""

    def __init__(
        self, connections: Connections, ledger: Ledger, intake: Intake, workers: Path, now: Callable[[], datetime]
    ) -> None:
        self._connections = connections
        self._ledger = ledger
        self._intake = intake
        self._workers = workers
        self._now = now
        self._taken_in: set[Path] = set()
        """Saved deliveries that need not be read again."""

    def record(self, account: str, listing: Listing, *, authoritative: bool) -> Recorded:
        """Write a listing down; what became available is queued where the account fetches by itself. Blocks.

        A page of usual length is one transaction; a longer one is several, so that others can write in between.
        """
        config = self._connections.account(account)
        recorded = Recorded()
        for part in parts(listing, PAGE):
            recorded += self._ledger.recorder.record(
                account,
                config.settings.provider,
                part,
                self._now().timestamp(),
                authoritative=authoritative,
                queue=config.auto_fetch,
            )
        return recorded

    async def sync(self, account: str) -> SyncReport:
        """Ask the service for what it has, and take in what was saved for us. Raises ProviderError, VaultError."""
        config = self._connections.account(account)
        try:
            await asyncio.to_thread(self._ledger.rules.apply, account, config.keep_days)
            report = await self._sync(config)
        except (ProviderError, VaultError) as failure:
            await asyncio.to_thread(self._ledger.history.asked, account, failure.words, self._now().timestamp())
            raise
        await asyncio.to_thread(self._ledger.history.asked, account, "", self._now().timestamp())
        return report

    async def _sync(self, config: AccountConfig) -> SyncReport:
        provider = await self._connections.connect(config.name)
        capabilities = provider.info.capabilities
        recorded, words = Recorded(), ""
        if Capability.LIST in capabilities or (Capability.WATCH in capabilities and config.settings.options["watch"]):
            truth = Capability.LIST in capabilities
            # One thread for all pages: they are written one after the other.
            thread = ThreadPoolExecutor(1, "sync")
            try:
                async for listing in provider.listing():
                    write = partial(self.record, config.name, listing, authoritative=truth)
                    brought = await asyncio.get_running_loop().run_in_executor(thread, write)
                    recorded += brought.figures
            finally:
                thread.shutdown(wait=False)
        else:
            words = provider.info.found_by
        if config.spool is not None:
            recorded += await self._take_in_saved(config)
        return SyncReport(config.name, recorded.meetings, recorded.assets, recorded.new, words)

    async def _take_in_saved(self, config: AccountConfig) -> Recorded:
        assert config.spool is not None
        recorded = Recorded()
        fault: VaultError | ProviderError | None = None
        for path in await asyncio.to_thread(lambda folder: list(spool.saved(folder)), config.spool):
            if path in self._taken_in:
                continue
            try:
                delivery = await asyncio.to_thread(spool.read, path)
                _, brought = await self._take_in(config.name, delivery, again=False)
            except (NotAuthentic, Unreadable) as error:
                fault = fault or type(error)(f"saved delivery {path.name}: {error.words}")
            except SpoolError as error:
                fault = fault or error
            else:
                self._taken_in.add(path)
                recorded += brought
        if fault is not None:  # one that is bad does not keep the others out
            raise fault
        return recorded

    async def take_in(self, account: str, delivery: Delivery) -> Announcement:
        """Verify, read, keep and record a webhook; what it only hints at is asked of the service.

        Duplicates and any order change nothing. Raises NotAuthentic, Unreadable, and what asking raises.
        """
        announcement, _ = await self._take_in(account, delivery, again=True)
        return announcement

    async def _take_in(self, account: str, delivery: Delivery, *, again: bool) -> tuple[Announcement, Recorded]:
        provider = await self._connections.connect(account)
        presence = await asyncio.to_thread(Presence, self._workers)
        try:
            return await self._intake.take_in(provider, delivery, presence.name, again=again)
        finally:
            presence.close()

    async def watch(self, account: str) -> None:
        """Record what happens at the service until cancelled. Raises ProviderError when the session ends."""
        provider = await self._connections.connect(account)
        watched = False
        async for listing in provider.watch():
            if not watched:
                watched = True
                await asyncio.to_thread(self._ledger.history.asked, account, "", self._now().timestamp())
            await asyncio.to_thread(self.record, account, listing, authoritative=False)
