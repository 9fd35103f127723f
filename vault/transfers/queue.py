"""Many files: workers that claim transfers from the ledger, fetch them, and commit what they proved.

The ledger holds the queue; this holds only what runs in this process. Several processes may work on one ledger.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from providers.base import Provider, ProviderError, Source
from providers.models import AssetId
from vault.config import Config
from vault.errors import LedgerError, Overtaken, VaultError
from vault.ledger import Ledger
from vault.ledger.claiming import WISHED, Beat, Claim, Terms
from vault.presence import Presence
from vault.proof import Proof
from vault.transfers import retrying
from vault.transfers.ending import Endings, Running
from vault.transfers.fetch import Work, fetch
from vault.transfers.giving_way import GivingWay
from vault.transfers.placing import Place, Placing
from vault.transfers.pouring import BLOCK_BYTES, Flow, Meter
from vault.transfers.retrying import STEADY, Rhythm
from vault.transfers.throttle import Throttle
from vault.views import TransferView

T = TypeVar("T")

BLOCKS_IN_MEMORY = 4
"""Of all transfers together, between the network and the disk."""
COLLECTED_BYTES = 1 << 20
"""Of all transfers together, until they are a block."""


class _Begun(Struct, frozen=True):
    """A claim, and the place for its file, or why there is none."""

    claim: Claim
    place: Place | None = None
    fault: Exception | None = None


class Queue:
    """Runs what is queued, at most `workers` at once, on one event loop; what it shows may be asked from any thread."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        connect: Callable[[str], Awaitable[Provider]],
        now: Callable[[], datetime],
        *,
        jitter: Callable[[], float] = random.random,
        rhythm: Rhythm = STEADY,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._connect = connect
        self._now = now
        self._rhythm = rhythm
        self._placing = Placing(config, ledger)
        self._running: dict[AssetId, Running] = {}
        self._chains: set[asyncio.Task[None]] = set()
        self._through: list[Running] = []
        """What ended well since the last beat."""
        self._beginnings: set[asyncio.Future[_Begun | None]] = set()
        """What a chain did not hear the end of yet, or never will."""
        self._dead: frozenset[str] = frozenset()
        self._nudged = asyncio.Event()
        self._fault: BaseException | None = None
        self._endings = Endings(ledger, now, jitter, rhythm)
        self.ended: Callable[[AssetId], None] = lambda identity: None
        """Called on the queue's loop when a transfer of this process is over: done, failed, or stopped by wish."""
        self.is_told = False
        """Whether it is nudged whenever the ledger was written: then it need not look while nothing is left to do."""
        self._threads: ThreadPoolExecutor | None = None
        """While it runs; so that a slow disk does not keep others of this process from theirs."""
        self._throttle = Throttle(config.max_bytes_per_s)
        self.giving_way = GivingWay()
        self._permits = asyncio.Semaphore(BLOCKS_IN_MEMORY)
        self._throttles: dict[tuple[str, int], Throttle] = {}
        """By account and its limit: an account with a new limit gets a new one."""

    def nudge(self) -> None:
        """Look into the ledger again now (on the queue's loop)."""
        self._nudged.set()

    @property
    def busy(self) -> frozenset[str]:
        """The accounts for which something runs in this process."""
        return frozenset(identity.account for identity in self.running)

    @property
    def running(self) -> tuple[AssetId, ...]:
        """What runs in this process."""
        return tuple(self._running)

    def up_to_date(self, view: TransferView) -> TransferView:
        """A transfer as the ledger tells it, with the newest figures where this process runs it."""
        running = self._running.get(view.asset)
        if running is None:
            return view
        meter, rate = running.meter, running.rate
        left = None if meter.total is None else meter.total - meter.received
        return replace(
            view,
            received=meter.received,
            total=meter.total,
            rate=rate,
            eta_s=left / rate if left is not None and rate else None,
            words=meter.words,
        )

    async def run(self, *, only: Iterable[AssetId] | None = None, drain: bool = False, patience_s: float = 0.0) -> None:
        """Work until cancelled; with `drain` until nothing (of `only`) is left to do.

        With `patience_s` what is wrong with a service as a whole, or a full disk, is waited out so long for each
        transfer, in breaks that all processes keep to; without, a transfer's own attempts are all that is waited for.
        What is in progress when it is cancelled stops cleanly: its part stays, and it is queued again.
        """
        self._endings.begin(patience_s)
        self._fault = None
        self._threads = threads = ThreadPoolExecutor(min(self._config.workers, 4) + 2, "transfers")
        arriving = self._on_disk(Presence, self._config.data / "workers")
        beating = asyncio.create_task(self._keep_beating())
        beating.add_done_callback(lambda _: self._nudged.set())
        try:
            presence = await asyncio.shield(arriving)
            chosen = None if only is None else await self._on_disk(self._ledger.claims.ids, list(only))
            terms = Terms(presence.name, self._config.workers_per_account, chosen, heed_holds=patience_s > 0)
            while True:
                self._nudged.clear()
                if drain and not self._running and not await self._on_disk(self._ledger.claims.pending, chosen):
                    await self._go_on(self._through)
                    return
                await self._start_chains(terms, presence)
                rests = (
                    self.is_told and not self._chains and not await self._on_disk(self._ledger.claims.pending, chosen)
                )
                with contextlib.suppress(TimeoutError):  # not wait_for: in 3.11 it loses a cancellation
                    async with asyncio.timeout(None if rests else self._rhythm.beat_s):
                        await self._nudged.wait()
                if beating.done():
                    beating.result()
                if self._fault is not None:
                    raise self._fault  # what nothing below expected must not pass in silence
        finally:
            tasks = [beating, *self._chains]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            arrived, *begun = await asyncio.gather(arriving, *self._beginnings, return_exceptions=True)
            self._beginnings.clear()
            self._threads = None
            # A cancelled task leaves its thread at work, with the ledger and its part: nobody may close them under it.
            await asyncio.shield(asyncio.to_thread(self._close, threads, arrived, begun))

    def _close(self, threads: ThreadPoolExecutor, arrived: object, orphans: Sequence[object]) -> None:
        threads.shutdown()
        for begun in orphans:
            if not isinstance(begun, _Begun):
                continue
            if begun.place is not None and begun.place.part is not None:
                begun.place.part.close()
            with contextlib.suppress(LedgerError, Overtaken):
                self._ledger.claims.step_back(begun.claim, "queued", self._now().timestamp())
        if isinstance(arrived, Presence):  # else it could not be, and `run` raised why
            arrived.close()

    def _on_disk(self, function: Callable[..., T], *args: object) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    async def _start_chains(self, terms: Terms, presence: Presence) -> None:
        """As many as there is room for, if anything is due; each goes on by itself until it finds nothing more."""
        room = self._config.workers - len(self._chains)
        if room <= 0 or not await self._on_disk(self._is_due, terms, presence):
            return
        for _ in range(room):
            chain = asyncio.create_task(self._chain(terms))
            self._chains.add(chain)
            chain.add_done_callback(self._ended)

    def _is_due(self, terms: Terms, presence: Presence) -> bool:
        self._dead = presence.gone(self._ledger.claims.owners())
        return self._ledger.claims.is_due(replace(terms, dead=self._dead), self._now().timestamp())

    def _ended(self, chain: "asyncio.Task[None]") -> None:
        self._chains.discard(chain)
        if not chain.cancelled() and chain.exception() is not None:
            self._fault = chain.exception()
            self._nudged.set()

    async def _chain(self, terms: Terms) -> None:
        """One transfer after another."""
        worked = False
        while (begun := await self._next(terms)) is not None:
            worked = True
            # A task of its own: what is wished of one transfer must not meet the next one of its chain.
            running = Running(begun.claim)
            running.task = asyncio.create_task(self._work(running, begun))
            self._running[begun.claim.identity] = running
            try:
                await asyncio.wait({running.task})
            except asyncio.CancelledError:
                running.task.cancel()
                await asyncio.wait({running.task})
                raise
            finally:
                if self._running.get(begun.claim.identity) is running:  # else it waited so briefly that it runs again
                    del self._running[begun.claim.identity]
            if not running.task.cancelled():
                running.task.result()
            if running.is_over:
                self.ended(begun.claim.identity)
        if worked:
            self._nudged.set()

    async def _next(self, terms: Terms) -> _Begun | None:
        """Beginning goes on in its thread when this is cancelled; what it claimed must not be forgotten."""
        beginning = self._on_disk(self._begin, terms)
        self._beginnings.add(beginning)
        begun = await asyncio.shield(beginning)
        self._beginnings.discard(beginning)
        return begun

    def _begin(self, terms: Terms) -> _Begun | None:
        claims = self._ledger.claims.take(replace(terms, dead=self._dead), self._now().timestamp(), 1)
        for claim in claims:
            try:
                return _Begun(claim, self._placing.open(claim))
            except (ProviderError, VaultError) as fault:
                return _Begun(claim, fault=fault)
        return None

    async def _keep_beating(self) -> None:
        """Once a second tell the ledger what is alive and how far it is, and do what is wished of it."""
        while True:
            await asyncio.sleep(self._rhythm.beat_s)
            running = list(self._running.values())
            if not running and not self._through:
                continue
            for each in running:
                each.sample(time.monotonic())
            ended = len(self._through)
            through = self._through[:ended] + [r for r in running if r.meter.arrived >= retrying.PROGRESS_BYTES]
            beats = [Beat(each.claim, each.meter.received, each.meter.total, each.rate) for each in running]
            try:
                wishes = await self._on_disk(self._ledger.claims.beat, beats, self._now().timestamp())
                await self._go_on(through)
                del self._through[:ended]
            except LedgerError:
                continue  # a claim without beats goes stale in time, and its commit is refused
            for each in running:
                each.wish = wishes[each.claim.identity]
                if each.wish and each.task is not None:  # one that ended meanwhile takes no notice
                    each.task.cancel()

    async def _go_on(self, through: Sequence[Running]) -> None:
        """What began after a break and gets bytes shows that the break of its account, or of all, is over."""
        for each in through:
            self._endings.trouble.worked(each.claim.identity.account)
        holds = await self._on_disk(self._ledger.claims.holds) if through else {}
        over = [scope for scope, hold in holds.items() if any(each.outlived(scope, hold) for each in through)]
        if over:
            await self._on_disk(self._ledger.claims.go_on, over)

    async def _work(self, running: Running, begun: _Begun) -> None:
        """One claimed transfer, to its end; every way to fail ends in words in the ledger."""
        claim = running.claim
        try:
            if begun.fault is not None:
                raise begun.fault
            if begun.place is not None:
                await self._fetch(claim, begun.place, running.meter)
            running.is_done = running.is_over = True
            self._through.append(running)
        except asyncio.CancelledError:
            if running.wish != "leave":
                state = WISHED.get(running.wish, "queued")
                await self._settle(self._ledger.claims.step_back, claim, state, self._now().timestamp())
            running.is_over = running.wish in WISHED
            raise
        except Overtaken:
            return  # it is another's by now, and so is its end
        except (ProviderError, VaultError) as error:
            await self._settle(self._endings.failed, running, error)

    async def _settle(self, verb: Callable[..., None], *args: object) -> None:
        try:
            await asyncio.shield(self._on_disk(verb, *args))
        except Overtaken:
            return  # it is another's by now, and so is its end
        except LedgerError:
            return  # without beats the claim goes stale, and whoever takes it next finds the part or the file

    # One attempt.

    async def _fetch(self, claim: Claim, place: Place, meter: Meter) -> None:
        part = place.part
        if part is None:
            assert place.proof is not None
            await self._on_disk(self._ledger.claims.commit, claim, place.proof, self._now().timestamp())
            return
        first = [place.asset]

        async def resolve() -> Source:
            asset = first.pop() if first else await self._on_disk(self._placing.asset, claim)
            return await provider.locate(asset)

        def commit(proof: Proof) -> None:
            self._ledger.claims.commit(claim, proof, self._now().timestamp(), arrived=meter.arrived)
            part.close()

        throttles = (self._throttle, self._throttle_of(claim.identity.account))
        try:
            provider = await self._connect(claim.identity.account)
            work = Work(
                resolve=resolve,
                opener=provider.opener,
                extension=place.asset.extension,
                prepare=lambda proof: self._ledger.claims.prepare(claim, proof),
                commit=commit,
                now=self._now,
                flow=Flow(
                    (self.giving_way, *(each for each in throttles if each)),
                    disk=self._threads,
                    block_bytes=self._block_bytes,
                    permits=self._permits,
                ),
            )
            await fetch(work, part, meter)
        finally:
            if not part.is_closed:
                await asyncio.shield(self._on_disk(part.close))

    def _throttle_of(self, account: str) -> Throttle | None:
        known = self._config.accounts.get(account)
        limit = known.max_bytes_per_s if known else 0
        return self._throttles.setdefault((account, limit), Throttle(limit)) if limit else None

    def _block_bytes(self) -> int:
        return min(BLOCK_BYTES, COLLECTED_BYTES // max(len(self._running), 1))
