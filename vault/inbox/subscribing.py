"""Webhooks registered at the services: register, list, delete, rotate their secret, and how deliveries went."""

import asyncio
import ipaddress
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from providers import registry
from providers.base import Provider, ProviderInfo, Unsupported
from providers.models import Capability, Subscription
from providers.origin import Origin
from providers.secret import Secret
from vault.connections import Connections
from vault.errors import VaultError
from vault.inbox.addresses import hook_address, leads_below
from vault.inbox.asking import hushed, listed
from vault.inbox.gate import SECRET, SHORTEST, digest
from vault.inbox.rotating import Rotating, Setting
from vault.inbox.views import AddressView, Reports, Rotation, SubscriptionView
from vault.ledger.hooks import Hooks
from vault.secrets import Secrets

if TYPE_CHECKING:
    from vault.inbox.webhooks import Webhooks


def view_of(address: AddressView, one: Subscription) -> SubscriptionView:
    """A webhook as registered, and whether it leads to this receiver's address."""
    if address.address is not None and one.leads_to(address.address.reveal()):
        return SubscriptionView(address.account, one, True, "this receiver")
    below = leads_below(one.url, hook_address(address.base, address.account, None))
    if below is False:
        return SubscriptionView(address.account, one, False, "another address than this receiver's")
    if address.address is not None and one.digest:
        words = "this receiver, with another secret than the one in use" if below else "another address or account"
        return SubscriptionView(address.account, one, False, words)
    words = "this receiver; with which secret cannot be told" if below else "where it leads cannot be told"
    return SubscriptionView(address.account, one, None, words)


def unreachable(base: str, service: str) -> str:
    """Why a service could not call this receiver, in words; "" when it might.

    assumption: what is asked of flexperto's targets (https, a public address) is true of any service elsewhere. One on
    this machine, an emulator, may call any address.
    """
    origin, own = Origin.of(base), Origin.of(service)
    if origin is None:
        return "the receiver's address is no http(s) address: set public_url under [receiver] in config.toml"
    if own is not None and own.is_loopback:
        return ""
    try:
        public = ipaddress.ip_address(origin.host).is_global
    except ValueError:
        public = not origin.is_loopback
    if origin.scheme == "https" and public:
        return ""
    return (
        f"the service cannot call {origin} (it needs https and a public address): "
        "set public_url under [receiver] in config.toml to how it is reached from outside"
    )


class Subscribing:
    """The use cases `subscriptions`, `register`, `unsubscribe`, `rotate` and `reports`.

    They raise ProviderError and VaultError; no words of theirs hold an address's secret part.
    """

    def __init__(
        self,
        webhooks: "Webhooks",
        connections: Connections,
        hooks: Hooks,
        secrets: Secrets,
        now: Callable[[], datetime],
    ) -> None:
        self._webhooks = webhooks
        self._connections = connections
        self._hooks = hooks
        self._secrets = secrets
        self._now = now
        self._one_at_a_time: dict[str, asyncio.Lock] = {}
        self._turning: set[asyncio.Future[Rotation]] = set()

    async def subscriptions(self, account: str) -> tuple[SubscriptionView, ...]:
        """The webhooks registered at the service, whoever registered them. Raises Unsupported where it lists none."""
        client = await self._client(account)
        address = await self._address(account)
        found = await listed(client, await self._token(account))
        if found is None:
            raise Unsupported(f"{client.info.label} does not tell which webhooks are registered there")
        return tuple(view_of(address, one) for one in found)

    async def register(self, account: str, topic: str) -> SubscriptionView:
        """Register our address for a topic. Raises VaultError where it cannot be called, or is registered already."""
        client = await self._client(account)
        if topic not in client.info.topics:
            raise VaultError(f"{client.info.label} has no topic {topic!r}; it has {', '.join(client.info.topics)}")
        address = await self._address(account)
        if address.address is None:
            raise VaultError(f"no webhook can be registered for account {account}: {address.problem}")
        if problem := unreachable(address.base, self._service(account)):
            raise VaultError(problem)
        whole, token = address.address.reveal(), await self._token(account)
        for one in await listed(client, token) or ():
            if one.topic == topic and one.leads_to(whole):
                raise VaultError(f"our address is registered for {topic} already ({one.id or 'its id is not told'})")
        if token is not None and len(token.reveal()) >= SHORTEST:
            await asyncio.to_thread(self._hooks.adopt, account, digest(token.reveal()), self._now().timestamp())
        made = await hushed(client.subscribe(topic, whole), token)
        return SubscriptionView(account, made, True, "this receiver")

    async def unsubscribe(self, account: str, subscription: Subscription) -> str:
        """Delete a registered webhook; gives words about what is still to come."""
        client = await self._client(account)
        await hushed(client.unsubscribe(_identity(subscription)), await self._token(account))
        return (
            f"{subscription.id} for {subscription.topic} is deleted; what is in flight is still delivered, "
            "up to three times"
        )

    async def reports(self, account: str, subscription: Subscription) -> Reports:
        """The service's latest attempts to deliver, newest first."""
        client = await self._client(account)
        found = await hushed(client.delivery_reports(_identity(subscription)), await self._token(account))
        return Reports(subscription, found, self._now())

    async def rotate(self, account: str) -> Rotation:
        """Make a new secret, put it to use wherever that can be done from here, and say what is left to do.

        The old one is taken for an hour more. Killed at any moment, it has lost nothing: one that was begun lapses
        within an hour, and the next one replaces what was left behind. Raises only where nothing was changed.
        """
        turning = asyncio.ensure_future(self._rotate(account))
        self._turning.add(turning)
        turning.add_done_callback(self._turned)
        return await asyncio.shield(turning)  # a screen that is left meanwhile does not leave it half done

    def _turned(self, turning: "asyncio.Future[Rotation]") -> None:
        self._turning.discard(turning)
        if not turning.cancelled():
            turning.exception()  # whoever asked may have gone

    async def _rotate(self, account: str) -> Rotation:
        async with self._one_at_a_time.setdefault(account, asyncio.Lock()):
            address, info, old = await self._address(account), self._info(account), await self._token(account)
            client = await self._connections.connect(account) if Capability.SUBSCRIPTIONS in info.capabilities else None
            found = await listed(client, old) if client else None
            current = await asyncio.to_thread(self._hooks.current, account)
            setting = Setting(address, info, old, found, unreachable(address.base, self._service(account)), current)
            return await Rotating(setting, client, self._hooks, self._secrets, self._now).run()

    async def _client(self, account: str) -> Provider:
        info = self._info(account)
        if Capability.SUBSCRIPTIONS not in info.capabilities:
            raise VaultError(f"{info.label} has no webhooks to register from here (account {account})")
        return await self._connections.connect(account)

    async def _token(self, account: str) -> Secret | None:
        return await self._connections.secret(account, SECRET)

    async def _address(self, account: str) -> AddressView:
        self._connections.account(account)
        found = [view for view in await self._webhooks.addresses() if view.account == account]
        if not found:
            raise VaultError(f"account {account} receives nothing: its service announces nothing to us")
        return found[0]

    def _info(self, account: str) -> ProviderInfo:
        return registry.info(self._connections.account(account).settings.provider)

    def _service(self, account: str) -> str:
        return str(self._connections.account(account).settings.options.get("base_url") or "")


def _identity(subscription: Subscription) -> str:
    if not subscription.id:
        raise VaultError("the service does not say this webhook's id: it can be reached at the service only")
    return subscription.id
