"""What works while a desk is open, or without one: the queue, automatic syncs, watched accounts.

It has an event loop of its own, on a thread of its own, because a terminal that stalls blocks the desk's. The desk
hands commands over with `do`, and reads frozen snapshots.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from providers.base import ProviderError
from providers.models import Capability
from vault.errors import VaultError
from vault.looking import Looking
from vault.snapshot import Snapshot as Snapshot

if TYPE_CHECKING:  # what it works with is loaded when it begins: a desk paints first
    from vault.behind import Behind
    from vault.config import AccountConfig
    from vault.desk import Desk
    from vault.inbox.receiving import Receiving
    from vault.syncing import SyncReport
    from vault.transfers.queue import Queue
    from vault.views import TransferView

T = TypeVar("T")

LOOK_S = 0.5
REST_S = 2.0
"""Between two looks for accounts that are signed in and not needed."""
WATCH_AGAIN_S = 30.0
IDLE_S = 20.0
SHOWN_TRANSFERS = 200


class Engine:
    """Runs until `stop`. `do` and `snapshot` may be called from any thread."""

    def __init__(self, desk: "Desk", *, sync_at_start: bool = True) -> None:
        self.desk = desk
        self._sync_at_start = sync_at_start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: Queue | None = None
        self._stop: asyncio.Event | None = None
        self._stop_asked = False
        self._started = threading.Event()
        self._guard = threading.Lock()
        """Held while a call is handed over, so that none is after the last was seen to."""
        self._syncing: set[str] = set()
        self._syncs: dict[str, asyncio.Future[SyncReport]] = {}
        self._snapshot = Snapshot()
        self._looked_at = (-1, -1)
        self._version = -1
        """Of the ledger's file, at the last look."""
        self._looking = Looking(self._look, lambda: LOOK_S)
        self._behind: Behind | None = None
        self._following: asyncio.Task[None] | None = None
        """Takes over config.toml, which was written."""
        self._idle_since: dict[str, float] = {}
        self._used: set[str] = set()
        """Accounts that something ran for since the last look for idle ones."""
        self._accounts: dict[str, asyncio.Task[None]] = {}
        self._edits = 0
        """How often accounts came, changed or went."""
        self._calls: set[asyncio.Task[Any]] = set()
        """What `do` handed over and has not ended."""
        self._trouble = ""
        """Why the queue cannot work."""
        self._receiving: Receiving | None = None

    def snapshot(self) -> Snapshot:
        """What goes on."""
        return self._snapshot

    def fresh(self) -> Snapshot:
        """What goes on, with the transfers of this very moment. Looks into the ledger: blocks, raises VaultError."""
        return replace(self._snapshot, transfers=self._transfers())

    def run(self) -> None:
        """Work until `stop`. Transfers in progress then stop cleanly; their parts stay for the next time. Blocks."""
        asyncio.run(self._main())

    def stop(self) -> None:
        """Ask `run` to end."""
        with self._guard:
            self._stop_asked = True
        self._started.set()  # whoever waits for the start need not any more
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    def do(self, call: "Callable[[Desk], Coroutine[Any, Any, T]]") -> "concurrent.futures.Future[T]":
        """Run a use case on the engine's loop. The future raises what the use case raises."""
        self._started.wait(10)
        with self._guard:
            if self._loop is not None and self._started.is_set() and not self._stop_asked:
                return asyncio.run_coroutine_threadsafe(self._called(call), self._loop)
        refused: concurrent.futures.Future[T] = concurrent.futures.Future()
        refused.set_exception(VaultError("the engine is not running"))
        return refused

    async def _called(self, call: "Callable[[Desk], Coroutine[Any, Any, T]]") -> T:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            return await call(self.desk)
        finally:
            self._calls.discard(task)

    async def _main(self) -> None:
        from vault.behind import Behind
        from vault.inbox.receiving import Receiving

        loop = self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        queue = self._queue = self.desk.new_queue()

        def nudge() -> None:
            with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(queue.nudge)
            self._looking.soon()

        self.desk.queued = nudge
        queue.is_told = True
        behind = self._behind = Behind(self.desk.search.index_some, lambda: bool(self._syncing))
        kept = [loop.create_task(each) for each in (self._keep_queue(queue), self._keep_resting(), behind.run())]
        self.desk.managing.changed = self._follow
        self._follow(frozenset(self.desk.config.accounts))
        receiving = self._receiving = Receiving(self.desk.webhooks, self.desk.config.data / "workers")
        receiving.is_told = True
        kept.append(loop.create_task(receiving.run(on=self.desk.config.receiver.on)))
        kept.append(loop.create_task(self.desk.releasing.run(is_told=True)))
        self._snapshot = replace(self._snapshot, online=True)
        self._looking.start()
        self._started.set()
        if self._stop_asked:
            self._stop.set()
        try:
            await self._stop.wait()
        finally:
            with self._guard:
                self._stop_asked = True
            self.desk.queued = lambda: None
            self.desk.managing.changed = lambda names: None
            for _ in range(2):
                await asyncio.sleep(0)  # calls that were handed over before become tasks, and begin
            ending = [*kept, *self._accounts.values(), *self._calls, *([self._following] if self._following else [])]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            await asyncio.to_thread(self._looking.stop)
            await self.desk.aclose()
            self._snapshot = replace(self._snapshot, online=False)

    async def receive(self, on: bool) -> str:
        """Switch the receiver on or off; gives words of how it stands then. On the engine's loop: by `do`."""
        assert self._receiving is not None
        return await self._receiving.switch(on)

    async def _keep_queue(self, queue: "Queue") -> None:
        from vault.transfers.retrying import PATIENCE_S

        while True:
            try:
                await queue.run(patience_s=PATIENCE_S)
            except VaultError as error:
                self._trouble = error.words
                await asyncio.sleep(LOOK_S * 10)
                self._trouble = ""

    def _follow(self, names: frozenset[str]) -> None:
        """Begin anew with these accounts: they came, went, or have other options or secrets."""
        for name in names:
            before = self._accounts.pop(name, None)
            if before is not None:
                before.cancel()
            account = self.desk.config.accounts.get(name)
            if account is not None:
                self._accounts[name] = asyncio.get_running_loop().create_task(self._keep_account(account, before))
        self._edits += 1

    async def _keep_account(self, account: "AccountConfig", before: "asyncio.Task[None] | None") -> None:
        """Sync at the start and every `poll_s`; watch where the account is watched. Once `before` has ended."""
        ending = {each for each in (before, self._syncs.get(account.name)) if each is not None}
        if ending:  # with what the account was: one that goes on would keep the new one from asking
            await asyncio.wait(ending)
        capabilities = self.desk.capabilities(account.name)
        watched = Capability.WATCH in capabilities and account.settings.options.get("watch")
        if watched:
            await self._keep_watching(account.name)
        if self._sync_at_start:
            await self.sync(account.name)
        while account.poll_s > 0:
            await asyncio.sleep(account.poll_s)
            await self.sync(account.name)

    async def _keep_watching(self, account: str) -> None:
        while True:
            try:
                await self.desk.watch(account)
            except (ProviderError, VaultError) as error:
                await asyncio.to_thread(self.desk.note_trouble, account, error.words)
            await self.desk.rest(account)
            await asyncio.sleep(WATCH_AGAIN_S)

    async def sync(self, account: str) -> str:
        """Sync an account now; gives words of what came of it. Never raises for a fault of network or service."""
        if account in self._syncing:
            return f"{account} is being synced already"
        sync = self._syncs[account] = asyncio.ensure_future(self.desk.sync(account))
        self._syncing.add(account)
        self._used.add(account)
        try:
            await asyncio.wait((sync,))
            if sync.cancelled():
                return f"{account}: stopped; what came until then is kept"
            report = sync.result()
        except (ProviderError, VaultError) as error:
            return f"{account}: {error.words}"
        finally:
            sync.cancel()
            await asyncio.gather(sync, return_exceptions=True)
            self._syncing.discard(account)
            del self._syncs[account]
        return f"{account}: {report.meetings} meetings, {report.new} new; {report.words}".rstrip("; ")

    def give_way(self) -> None:
        """The screen has something to draw: until `drawn`, and not for long, transfers read nothing (any thread)."""
        if self._queue is not None:
            self._queue.giving_way.ask()

    def drawn(self) -> None:
        """What transfers gave way for is drawn. From any thread."""
        if self._queue is not None:
            self._queue.giving_way.answered()

    async def stop_sync(self, account: str) -> bool:
        """End the sync of an account that is under way; whether one was. What came is kept. On the loop: by `do`."""
        sync = self._syncs.get(account)
        if sync is None:
            return False
        sync.cancel()
        await asyncio.wait((sync,))
        return True

    def _look(self) -> None:
        """Take a snapshot where there may be something new, and tell the loop of what was written. In its thread."""
        assert self._loop is not None
        assert self._queue is not None
        try:
            version = self.desk.data_version()
            moved, self._version = version != self._version, version
            is_stale = self.desk.managing.is_stale()
            if moved or is_stale:
                with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
                    self._loop.call_soon_threadsafe(self._moved, is_stale)
            self._used.update(self._queue.busy)
            self._snapshot = self._taken(moved)
        except VaultError as error:
            self._snapshot = replace(self._snapshot, trouble=error.words)

    def _troubles(self) -> str:
        """What cannot work, in words: the first of it."""
        receiving = self._receiving.trouble if self._receiving else ""
        return self._trouble or self.desk.releasing.trouble or receiving or self.desk.managing.trouble

    def _taken(self, moved: bool) -> Snapshot:
        """A snapshot; the same one, at the cost of nothing, where neither the ledger `moved` nor anything runs."""
        assert self._queue is not None
        before = self._snapshot
        syncing = frozenset(self._syncing)
        receiver = self._receiving.view() if self._receiving else before.receiver
        trouble = self._troubles()
        same = (before.syncing, before.trouble, before.receiver) == (syncing, trouble, receiver)
        quiet = same and not self._queue.busy and not before.active
        if quiet and not moved and self._looked_at[1] == self._edits:
            return before
        seen = (self.desk.change_number(), self._edits)
        if quiet and seen == self._looked_at:
            return before
        transfers = self._transfers()
        revision = before.revision + (seen != self._looked_at)
        self._looked_at = seen
        return Snapshot(revision, transfers, syncing, online=True, trouble=trouble, receiver=receiver)

    def _transfers(self) -> "tuple[TransferView, ...]":
        kept = self.desk.transfers(SHOWN_TRANSFERS)
        return kept if self._queue is None else tuple(self._queue.up_to_date(view) for view in kept)

    def _moved(self, is_stale: bool) -> None:
        """Somebody wrote to the ledger, or to config.toml (on the loop)."""
        for each in (self._queue, self._receiving, self._behind, self.desk.releasing):
            assert each is not None
            each.nudge()
        if is_stale and (self._following is None or self._following.done()):
            self._following = asyncio.get_running_loop().create_task(self._follow_config())

    async def _follow_config(self) -> None:
        with contextlib.suppress(VaultError):  # it is told as trouble
            await self.desk.managing.follow()

    async def _keep_resting(self) -> None:
        while True:
            await self._rest_idle_accounts(asyncio.get_running_loop().time())
            await asyncio.sleep(REST_S)

    async def _rest_idle_accounts(self, now: float) -> None:
        """A session at a service (an agent's seat) is not kept longer than it is used."""
        assert self._queue is not None
        busy = self._queue.busy | self._syncing | self.desk.releasing.busy
        used, self._used = self._used, set()
        await self.desk.managing.close_retired(busy)
        for account in self.desk.config.accounts.values():
            if Capability.WATCH not in self.desk.capabilities(account.name) or account.settings.options.get("watch"):
                continue
            if account.name in busy or account.name in used:
                self._idle_since[account.name] = now
            elif now - self._idle_since.get(account.name, now) > IDLE_S:
                del self._idle_since[account.name]
                await self.desk.rest(account.name)
