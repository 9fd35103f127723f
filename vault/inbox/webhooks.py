"""The use cases around webhooks: what came, where to send it, what is registered at the services, what was missed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from providers import registry
from providers.kept import laid_out
from providers.secret import Secret
from vault.config import Config
from vault.connections import Connections
from vault.errors import VaultError
from vault.inbox.addresses import address_views
from vault.inbox.gate import BARE, SECRET, Gate, digest, doors_of
from vault.inbox.holder import Holder
from vault.inbox.intake import Intake
from vault.inbox.missed import Missing
from vault.inbox.subscribing import Subscribing
from vault.inbox.views import AddressView
from vault.inbox.worker import Worker
from vault.ledger import Ledger
from vault.presence import Presence
from vault.secrets import Secrets
from vault.views import DeliveryView

if TYPE_CHECKING:  # an HTTP server is loaded when there is one to run
    from vault.inbox.binding import Listening
    from vault.inbox.receiver import Receiver
    from vault.inbox.tally import Entry


class Webhooks:
    """A part of the Desk. Reads are quick and may come from any thread; async ones run on the engine's loop."""

    def __init__(
        self,
        config: Config,
        connections: Connections,
        ledger: Ledger,
        secrets: Secrets,
        intake: Intake,
        catchup: Callable[[str, str], Awaitable[str]],
        now: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._connections = connections
        self._ledger = ledger
        self._intake = intake
        self._catchup = catchup
        self._now = now
        self._secrets = secrets
        self.listens_on = ""
        """What this process listens on now; "" when it does not."""
        self.subscribing = Subscribing(self, connections, ledger.hooks, secrets, now)
        self.missing = Missing(connections, ledger.hooks, self.subscribing, now)

    # What came

    def deliveries(self, account: str = "", limit: int = 500) -> tuple[DeliveryView, ...]:
        """Deliveries of an account ("": of all), newest first."""
        return self._ledger.deliveries.page(account, limit)

    def body(self, delivery: int) -> str:
        """A delivery's payload as text to be read, secrets redacted."""
        return laid_out(self._ledger.deliveries.body(delivery))

    def replay(self, delivery: int) -> bool:
        """Have a delivery processed once more; False when it is no longer kept as it came."""
        return self._ledger.deliveries.replay(delivery)

    # Where it is to come

    async def addresses(self) -> tuple[AddressView, ...]:
        """Where the services are to call each account that receives something. Raises LedgerError."""
        tokens: dict[str, Secret | None] = {}
        unreadable: dict[str, str] = {}
        labels: dict[str, str] = {}
        for door in doors_of(self._config.accounts):
            try:
                tokens[door.account] = await self._token(door.account)
            except VaultError as error:
                tokens[door.account], unreadable[door.account] = None, error.words
            labels[door.account] = registry.info(self._config.accounts[door.account].settings.provider).label
        views = await asyncio.to_thread(
            address_views, self._config, self._ledger.hooks, tokens, labels, self.listens_on
        )
        return tuple(replace(v, problem=unreadable.get(v.account, v.problem)) for v in views)

    async def _token(self, account: str) -> Secret | None:
        token = await self._connections.secret(account, SECRET)
        current = await asyncio.to_thread(self._ledger.hooks.current, account)
        if token is None or current in ("", BARE, digest(token.reveal())):
            return token
        self._secrets.forget(account, SECRET)  # another process may have put a new one into the keyring
        return await self._connections.secret(account, SECRET)

    def topics(self, account: str) -> tuple[str, ...]:
        """What webhooks of an account can be registered for; first, that a recording became available."""
        return registry.info(self._config.accounts[account].settings.provider).topics

    # Who receives, and who processes

    def listening(self) -> "Listening":
        """Where the configuration says to listen."""
        from vault.inbox.binding import Listening

        receiver = self._config.receiver
        return Listening(
            receiver.host,
            receiver.port,
            receiver.tls_cert,
            receiver.tls_key,
            receiver.trusted_proxies,
            receiver.allow_plain,
        )

    def new_receiver(
        self,
        listening: "Listening",
        *,
        kept: Callable[[], None] = lambda: None,
        tell: "Callable[[Entry], None]" = lambda entry: None,
        broke: Callable[[BaseException], None] = lambda fault: None,
    ) -> "Receiver":
        """What receives, for one event loop."""
        from vault.inbox.receiver import Receiver

        gate = Gate(self._config.accounts, self._connections, self._ledger.hooks, self._now)
        rate = self._config.receiver.rate_per_s
        return Receiver(
            *(listening, rate, gate, self._connections, self._intake, self._ledger, self._catchup, self._now),
            holder=Holder(self._config.data),
            kept=kept,
            tell=tell,
            broke=broke,
        )

    def new_worker(self, presence: Presence) -> Worker:
        """What processes deliveries, for one event loop."""
        return Worker(self._intake, self._ledger, presence, self._now)
