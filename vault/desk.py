"""The one door for the screens and the commands: every use case, and every question that the ledger answers.

Reads and queue verbs are quick and may come from any thread. The async use cases run on one event loop.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from providers import registry
from providers.models import (
    Announcement,
    AssetId,
    Capability,
    Delivery,
    NotificationChange,
    NotificationSettings,
)
from vault import config as configuration
from vault.account_views import account_view
from vault.config import Config
from vault.ledger import Ledger
from vault.ledger.migrating import Watcher
from vault.operator import this_process
from vault.parts import Now, Parts
from vault.secrets import Secrets, secrets_of
from vault.views import (
    AccountView,
    AssetView,
    CatchupView,
    Event,
    MeetingRow,
    MeetingView,
    Near,
    Query,
    Totals,
    TransferView,
)

if TYPE_CHECKING:  # the first paint does not wait for them
    from providers.steps import Step
    from vault.keeping import Verification, VerifyProgress
    from vault.syncing import SyncReport
    from vault.transfers.queue import Queue
    from vault.transfers.retrying import Rhythm


def utc_now() -> datetime:
    """The present, aware and in UTC."""
    return datetime.now(UTC)


class Desk(Parts):
    """What reeldesk can do, over one configuration and one ledger."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        secrets: Secrets,
        now: Now = utc_now,
        rhythm: "Rhythm | None" = None,
    ) -> None:
        super().__init__(config, ledger, secrets, now, rhythm, this_process())

    @classmethod
    def open(
        cls,
        environ: Mapping[str, str],
        *,
        config_path: Path | None = None,
        now: Now = utc_now,
        rhythm: "Rhythm | None" = None,
        on_migration: Watcher = lambda _: None,
    ) -> "Desk":
        """Read the configuration and open the ledger. Raises ConfigError, LedgerError, and what `on_migration` raises.

        That is told, while a ledger of an older version is brought up, how far it is.
        """
        config = configuration.load(config_path, environ)
        ledger = Ledger(config.ledger_path, on_migration=on_migration, clock=lambda: now().timestamp())
        return cls(config, ledger, secrets_of(config, environ), now, rhythm)

    def close(self) -> None:
        """Close the ledger; after `aclose` where use cases ran."""
        self._ledger.close()

    async def aclose(self) -> None:
        """Sign out everywhere and close all connections."""
        if "_connections" in vars(self):  # else nobody ever was connected, and nothing is loaded to say so
            await self._connections.aclose()

    # What the ledger tells.

    def page(self, query: Query, offset: int, limit: int, **near: Unpack[Near]) -> tuple[MeetingRow, ...]:
        """Meetings that fit a query, in its order; quicker by what is known `near` them."""
        return self._ledger.reader.page(query, offset, limit, **near)

    def count(self, query: Query) -> int:
        """How many meetings fit a query, exactly."""
        return self._ledger.reader.count(query)

    def position(self, query: Query, key: tuple[str, str]) -> int | None:
        """Where a meeting (account, meeting id) stands in a query's order; None when it is not in it."""
        return self._ledger.reader.position(query, key)

    def meeting(self, account: str, meeting: str) -> MeetingView | None:
        """A meeting with its assets."""
        return self._ledger.reader.meeting(account, meeting)

    def asset(self, identity: AssetId) -> AssetView | None:
        """An asset."""
        return self._ledger.reader.asset(identity)

    def assets(self, query: Query) -> Iterator[AssetView]:
        """Every asset that fits a query."""
        return self._ledger.reader.assets(query)

    def transfers(self, limit: int = 200) -> tuple[TransferView, ...]:
        """Transfers in queue order, then ended ones, newest first."""
        return self._ledger.reader.transfers(limit)

    def transfer(self, identity: AssetId) -> TransferView | None:
        """An asset's transfer."""
        return self._ledger.reader.transfer(identity)

    def trail(self, identity: AssetId) -> tuple[Event, ...]:
        """An asset's custody trail, oldest first."""
        return self._ledger.reader.trail(identity)

    def totals(self) -> Totals:
        """Of the whole ledger."""
        return self._ledger.reader.totals()

    def change_number(self) -> int:
        """Grows when anyone, in any process, changed what lists show."""
        return self._ledger.change_number()

    def data_version(self) -> int:
        """Another number whenever anything was written but by this very thread: the cheapest look there is."""
        return self._ledger.data_version()

    def note_trouble(self, account: str, words: str) -> None:
        """Write down why an account cannot be worked with now; "" when it can again."""
        self._ledger.history.asked(account, words, self.now().timestamp())

    def catchup_history(self, account: str, room: str, limit: int = 50) -> tuple[CatchupView, ...]:
        """A room's summaries as they were, newest first."""
        return self._ledger.reader.catchups(account, room, limit)

    def rooms(self) -> tuple[tuple[str, str], ...]:
        """The rooms (account, room) whose catch-up can be asked for, as configured."""
        return tuple(
            (name, room)
            for name, account in self.config.accounts.items()
            if Capability.CATCHUP in self.capabilities(name)
            for room in account.settings.options.get("rooms", ())
        )

    def capabilities(self, account: str) -> frozenset[Capability]:
        """What an account can do; nothing when it is not configured (any more)."""
        known = self.config.accounts.get(account)
        return registry.info(known.settings.provider).capabilities if known else frozenset()

    def kept_after_release(self, account: str) -> timedelta | None:
        """How long the service keeps what it was told to let go, as the account is set up; None: nobody knows."""
        known = self.config.accounts.get(account)
        option = registry.info(known.settings.provider).days_after_release if known else ""
        return timedelta(days=float(known.settings.options[option])) if known and option else None

    def accounts(self) -> tuple[AccountView, ...]:
        """The configured accounts, with what the ledger knows of each."""
        return tuple(account_view(account, self._ledger, self.secrets) for account in self.config.accounts.values())

    # The queue. A running engine, here or in another process, does what is queued.

    def enqueue(self, identities: Iterable[AssetId], *, first: bool = False) -> tuple[AssetId, ...]:
        """Queue what can be fetched now; gives those that were newly queued."""
        queued = self._fetching.enqueue(identities, first=first, operator=self._operator)
        self.queued()
        return queued

    def cancel(self, *identities: AssetId) -> int:
        """Stop transfers; their parts stay, so that they can be queued again and continue. How many that changed."""
        return self._steer(identities, "cancel")

    def pause(self, *identities: AssetId) -> int:
        """Stop transfers until `resume`. How many that changed."""
        return self._steer(identities, "pause")

    def resume(self, *identities: AssetId) -> int:
        """Let paused transfers go on, or waiting ones at once. How many that changed."""
        return self._steer(identities, "resume")

    def retry(self, *identities: AssetId) -> int:
        """Queue transfers again that failed or were cancelled. How many that changed."""
        return self._steer(identities, "retry")

    def hurry(self, *identities: AssetId) -> int:
        """Put transfers first in line, and let them try now whatever they wait for. How many that changed."""
        changed = self._ledger.transfers.hurry_all(identities)
        self.queued()
        return changed

    def move(self, identity: AssetId, by: int) -> None:
        """Move a transfer up (negative) or down among those that wait."""
        self._ledger.transfers.move(identity, by)
        self.queued()

    def _steer(self, identities: Sequence[AssetId], wish: str) -> int:
        changed = self._ledger.transfers.steer_all(identities, wish, self.now().timestamp())
        self.queued()
        return changed

    def new_queue(self) -> "Queue":
        """What runs transfers, for one event loop."""
        from vault.transfers.queue import Queue

        return Queue(self.config, self._ledger, self._connections.connect, self.now, rhythm=self._rhythm)

    # The use cases. They raise ProviderError and VaultError, whose words are for a person.

    async def sync(self, account: str) -> "SyncReport":
        """Ask the service for what it has."""
        return await self._syncing.sync(account)

    async def watch(self, account: str) -> None:
        """Record what happens at the service until cancelled."""
        await self._syncing.watch(account)

    async def take_in(self, account: str, delivery: Delivery) -> Announcement:
        """Verify, read and record a webhook."""
        return await self._syncing.take_in(account, delivery)

    async def rest(self, account: str) -> None:
        """Sign an account out until it is needed again."""
        await self._connections.close(account)

    async def adopt(self, identity: AssetId) -> AssetView:
        """Make an asset known whose ids a person gave by hand. Raises NotFound where ids must be announced."""
        known = await asyncio.to_thread(self.asset, identity)
        if known is None:
            client = await self._connections.connect(identity.account)
            listing = client.adopt(identity)
            await asyncio.to_thread(self._syncing.record, identity.account, listing, authoritative=False)
        return await asyncio.to_thread(self.keeping.asset, identity)

    def check_fetch(self, identity: AssetId) -> None:
        """Raises VaultError with why an asset cannot be fetched now, if so; queued already is no reason."""
        self._fetching.check(identity)

    async def fetch_now(
        self, identity: AssetId, on_progress: Callable[[TransferView], None] | None = None
    ) -> AssetView:
        """Queue an asset first in line and see it through. Raises VaultError with why it is not held in the end."""
        await asyncio.to_thread(self.check_fetch, identity)
        await self.fetch_all([identity], on_progress)
        return await asyncio.to_thread(self.outcome, identity)

    async def fetch_all(
        self,
        identities: Iterable[AssetId],
        on_progress: Callable[[TransferView], None] | None = None,
        on_end: Callable[[AssetId], None] | None = None,
    ) -> None:
        """Queue assets first in line, in this order, and see them through; `on_end` is told of each as it ends.

        What is wrong with a service is not waited out. What became of each is its `outcome`.
        """
        await self._fetching.fetch_all(self.new_queue(), identities, on_progress, on_end)
        self.queued()

    def outcome(self, identity: AssetId) -> AssetView:
        """A held asset. Raises VaultError with why it is not held."""
        return self._fetching.outcome(identity)

    async def verify(
        self,
        identity: AssetId,
        on_progress: "Callable[[VerifyProgress], None] | None" = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> "Verification":
        """Read a held file again and write down what it is now; see `Keeping.verify`."""
        return await self.keeping.verify(identity, on_progress, cancelled)

    async def release(self, identity: AssetId) -> AssetView:
        """Let the service delete it at once, against a complete proof."""
        return await self.releasing.now(identity)

    async def catchup(self, account: str, room: str) -> CatchupView:
        """Ask for the summary of the call in a room, and keep it when it says something new."""
        client = await self._connections.connect(account)
        summary = await client.catchup(room)
        now = self.now()
        await asyncio.to_thread(self._ledger.history.caught_up, account, room, summary.text, now.timestamp())
        return CatchupView(account, room, now, summary.text)

    async def _summary(self, account: str, room: str) -> str:
        return (await self.catchup(account, room)).text

    async def notifications(self, account: str) -> NotificationSettings:
        """The recording notifications as set at the service."""
        return await (await self._connections.connect(account)).notifications()

    async def save_notifications(self, account: str, change: NotificationChange) -> NotificationSettings:
        """Create or update them; gives what the service then says."""
        return await (await self._connections.connect(account)).save_notifications(change)

    def preview_notifications(self, account: str, change: NotificationChange, *, exists: bool) -> str:
        """What saving would send, secrets masked."""
        return self._connections.client(account).preview_notifications(change, exists=exists)

    def notification_problems(
        self, fields: Mapping[str, str], stored: NotificationSettings | None = None
    ) -> dict[str, str]:
        """What is wrong with a form, field to words, as one types. `stored`: what the service has now."""
        from providers.notifications import problems

        return problems(fields, stored)

    async def test(self, account: str, on_step: "Callable[[Step], None] | None" = None) -> "tuple[Step, ...]":
        """What works of an account and what does not, step by step; `on_step` is told of each as it ends.

        Raises VaultError for a name that is no account.
        """
        return await self._testing.test(account, on_step)

    async def dispatch_agent(self, account: str, join_url: str, *, attendee: str = "", callback_url: str = "") -> None:
        """Send an agent to a meeting now."""
        client = await self._connections.connect(account)
        listing = await client.dispatch_agent(join_url, attendee=attendee, callback_url=callback_url)
        await asyncio.to_thread(self._syncing.record, account, listing, authoritative=False)

    async def schedule_agent(
        self,
        account: str,
        join_url: str,
        key: str,
        join_at: datetime,
        *,
        attendee: str = "",
        callback_url: str = "",
    ) -> None:
        """Have an agent join later; `key` names it for `cancel_agent`."""
        client = await self._connections.connect(account)
        await client.schedule_agent(join_url, key, join_at, attendee=attendee, callback_url=callback_url)

    async def cancel_agent(self, account: str, key: str) -> None:
        """Cancel a scheduled agent."""
        await (await self._connections.connect(account)).cancel_agent(key)
