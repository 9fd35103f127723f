"""Many files: workers that claim transfers from the ledger, fetch them, and commit what they proved.

The ledger holds the queue; this holds only what runs in this process. Several processes may work on one ledger.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from providers.base import NotFound, Provider, ProviderError, Source
from providers.models import AssetId
from vault.config import Config
from vault.errors import LedgerError, Overtaken, VaultError, WrongBytes
from vault.ledger import Ledger
from vault.ledger.queueing import Claim
from vault.proof import Proof
from vault.transfers import held, naming
from vault.transfers.fetch import Meter, Work, fetch
from vault.transfers.part import Part
from vault.views import TransferView

BEAT_S = 1.0
MAX_ATTEMPTS = 6
BACKOFF_S = 2.0
BACKOFF_CAP_S = 60.0


@dataclass
class _Running:
    claim: Claim
    meter: Meter
    rate: float | None = None
    _samples: list[tuple[float, int]] = field(default_factory=list)

    def sample(self, now: float) -> None:
        """Take the rate over the last few seconds."""
        self._samples = [s for s in self._samples if now - s[0] <= 5.0]
        self._samples.append((now, self.meter.received))
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        self.rate = max(0.0, (after - before) / (last - first)) if last - first >= 0.5 else self.rate


class Queue:
    """Runs what is queued, at most `workers` at once, on one event loop; what it shows may be asked from any thread."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        connect: Callable[[str], Awaitable[Provider]],
        owner: str,
        now: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._connect = connect
        self._owner = owner
        self._now = now
        self._jitter = jitter
        self._running: dict[AssetId, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._nudged = asyncio.Event()
        self.changed: Callable[[], None] = lambda: None
        """Called when a transfer began or ended."""

    def nudge(self) -> None:
        """Look into the ledger again now (on the queue's loop)."""
        self._nudged.set()

    @property
    def busy(self) -> frozenset[str]:
        """The accounts for which something runs in this process."""
        return frozenset(identity.account for identity in list(self._running))

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

    async def run(self, *, only: Iterable[AssetId] | None = None, drain: bool = False) -> None:
        """Work until cancelled; with `drain` until nothing (of `only`) is left to do.

        What is in progress when it is cancelled stops cleanly: its part stays, and it is queued again.
        """
        chosen = None if only is None else frozenset(only)
        try:
            while True:
                self._nudged.clear()
                more = await self._start_what_may(chosen)
                if drain and not self._tasks and not more:
                    return
                await self._rest(chosen)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start_what_may(self, only: frozenset[AssetId] | None) -> bool:
        """Start what can be claimed; whether anything is left that will be able to later."""
        while len(self._tasks) < self._config.workers:
            start = await asyncio.to_thread(self._ledger.transfers.next_start, only)
            if start is None or start > self._now().timestamp():
                break
            claim = await asyncio.to_thread(
                self._ledger.transfers.claim,
                self._owner,
                self._now().timestamp(),
                per_account=self._config.workers_per_account,
                only=only,
            )
            if claim is None:
                break
            task = asyncio.create_task(self._work(claim))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        return await asyncio.to_thread(self._ledger.transfers.next_start, only) is not None

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._nudged.set()
        if not task.cancelled():
            task.result()  # a fault that nothing below expected must not pass in silence

    async def _rest(self, only: frozenset[AssetId] | None) -> None:
        """Until nudged, a transfer ends, or the next one may start; at the longest a second (others queue, too).

        What could start already was not to be had: all workers are busy, or the account has its share.
        """
        start = await asyncio.to_thread(self._ledger.transfers.next_start, only)
        ahead = 0.0 if start is None else start - self._now().timestamp()
        wait = min(BEAT_S, ahead) if ahead > 0 else BEAT_S
        with contextlib.suppress(TimeoutError):  # not wait_for: in 3.11 it loses a cancellation that meets a nudge
            async with asyncio.timeout(wait):
                await self._nudged.wait()

    async def _work(self, claim: Claim) -> None:
        """One claimed transfer, to its end; every way to fail ends in words in the ledger."""
        transfers = self._ledger.transfers
        running = _Running(claim, Meter())
        self._running[claim.identity] = running
        self.changed()
        work = asyncio.create_task(self._fetch(claim, running.meter))
        wish = ""
        try:
            wish = await self._watch(work, running)
            proof = await work
            await asyncio.to_thread(transfers.commit, claim, proof, self._now().timestamp())
        except asyncio.CancelledError:
            await self._give_up(work)
            state = {"pause": "paused", "cancel": "cancelled"}.get(wish, "queued")
            await self._settle(transfers.step_back, claim, state, self._now().timestamp())
            if not wish:
                raise
        except Overtaken:
            await self._give_up(work)
        except ProviderError as error:
            await self._give_up(work)
            await self._settle(transfers.fail, claim, error.words, *self._next_attempt(claim, error))
        except WrongBytes as error:
            await self._settle(transfers.fail_for_good, claim, error.words, self._now().timestamp())
        except VaultError as error:
            await self._give_up(work)
            await self._settle(transfers.fail, claim, error.words, self._now().timestamp(), None)
        finally:
            del self._running[claim.identity]
            self.changed()

    async def _settle(self, verb: Callable[..., None], *args: object) -> None:
        try:
            await asyncio.shield(asyncio.to_thread(verb, *args))
        except Overtaken:
            return  # it is another's by now, and so is its end
        except LedgerError:
            return  # without beats the claim goes stale, and whoever takes it next finds the part or the file

    @staticmethod
    async def _give_up(work: "asyncio.Task[Proof]") -> None:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    def _next_attempt(self, claim: Claim, error: ProviderError) -> tuple[float, float | None]:
        now = self._now().timestamp()
        if not error.transient or claim.attempts >= MAX_ATTEMPTS:
            return now, None
        wait = min(BACKOFF_CAP_S, BACKOFF_S * 2 ** (claim.attempts - 1)) * (0.5 + self._jitter() / 2)
        return now, now + max(wait, error.retry_after_s or 0.0)

    async def _watch(self, work: "asyncio.Task[Proof]", running: _Running) -> str:
        """Beat once a second until the transfer ends or something else is wished of it."""
        while True:
            done, _ = await asyncio.wait({work}, timeout=BEAT_S)
            if done:
                return ""
            running.sample(time.monotonic())
            meter = running.meter
            wish = await asyncio.to_thread(
                self._ledger.transfers.beat,
                running.claim,
                self._now().timestamp(),
                meter.received,
                meter.total,
                running.rate,
            )
            if wish:
                work.cancel()
                return wish

    async def _fetch(self, claim: Claim, meter: Meter) -> Proof:
        provider = await self._connect(claim.identity.account)
        relative = await asyncio.to_thread(self._destination, claim)
        view = await asyncio.to_thread(self._ledger.reader.asset, claim.identity)
        assert view is not None
        present = await asyncio.to_thread(self._already_there, claim, relative, view.extension)
        if present is not None:
            return present
        part = await self._open_part(relative)
        try:
            work = Work(
                resolve=lambda: self._resolve(provider, claim.identity),
                opener=provider.opener,
                extension=view.extension,
                prepare=lambda proof: asyncio.to_thread(self._ledger.transfers.prepare, claim, proof),
                now=self._now,
            )
            return await fetch(work, part, meter)
        finally:
            await asyncio.shield(asyncio.to_thread(part.close))

    async def _open_part(self, relative: PurePosixPath) -> Part:
        """Opening goes on in its thread when this is cancelled; the lock must not outlive that."""
        opening = asyncio.ensure_future(asyncio.to_thread(Part, self._config.vault_path, relative))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_part)
            raise

    async def _resolve(self, provider: Provider, identity: AssetId) -> Source:
        asset = await asyncio.to_thread(self._ledger.reader.source, identity)
        if asset is None:
            raise NotFound(f"{identity} is not known any more")
        return await provider.locate(asset)

    def _destination(self, claim: Claim) -> PurePosixPath:
        """Where the file is to lie: fixed with the first attempt, whatever the meeting is called later."""
        root = self._config.vault_path
        if claim.path is not None and Path(claim.path).is_relative_to(root):
            return PurePosixPath(Path(claim.path).relative_to(root).as_posix())
        asset = self._ledger.reader.asset(claim.identity)
        assert asset is not None
        meeting = self._ledger.reader.meeting(claim.identity.account, claim.identity.meeting)
        day = (meeting.started_at if meeting else None) or asset.first_seen
        path = naming.relative_path(self._config.template, claim.identity, asset.title, asset.extension, day)
        if not self._ledger.transfers.fix_path(claim, str(root / path)):
            path = naming.told_apart(path, claim.identity)
            self._ledger.transfers.fix_path(claim, str(root / path))
        return path

    def _already_there(self, claim: Claim, relative: PurePosixPath, extension: str) -> Proof | None:
        """The proof of a file that is there under its final name, which it got just before the process died.

        A damaged one is set aside, so that its name is free.
        """
        root = self._config.vault_path
        reading = held.read_again(root, relative, extension)
        if reading is None:
            return None
        proof = claim.prepared
        if proof is not None and (reading.size, reading.sha256) == (proof.size, proof.sha256):
            left_over = Part(root, relative)
            left_over.remove()
            left_over.close()
            return proof
        if proof is not None:
            held.set_aside(root, relative)
            return None
        raise VaultError(f"a file that reeldesk did not write lies at {root / relative}; move it, then retry")


def _close_part(opening: "asyncio.Future[Part]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
