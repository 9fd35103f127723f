"""Rotating an account's secret, so that nothing is refused whatever is killed when.

The ledger takes the new secret beside the old one (`admit`) before any service knows it. The old one's last hour
begins (`rotate`) when the service is seen to know the new address, or else, where a person must carry it there, when
the new secret is kept. Between any two steps both addresses are taken, or the old one is for good.
"""

import asyncio
import secrets as randomness
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TypeVar

from msgspec import Struct

from providers.base import Provider, ProviderError, ProviderInfo
from providers.models import Capability, Subscription
from providers.secret import Secret
from vault.errors import LedgerError, VaultError
from vault.inbox.addresses import hook_address, leads_below, masked
from vault.inbox.asking import hushed, listed
from vault.inbox.gate import BARE, SECRET, SHORTEST, digest
from vault.inbox.views import AddressView, Rotation
from vault.ledger.hooks import GRACE_S, Hooks
from vault.secrets import Secrets, variable

_T = TypeVar("_T")
_BYTES = 32
SEEN_S = 0.25
"""After so long every receiver takes a secret that was admitted: a gate looks for strangers' every 0.2 s."""
_ALIKE = 0.95
"""How alike a misspelt topic is: two letters that changed places, not another word."""


def meant(one: Subscription, topics: tuple[str, ...]) -> str:
    """The topic that a misspelt one, which its provider warns of, should have been; "" for any other."""
    if not one.warning or one.topic in topics:
        return ""
    return next(iter(get_close_matches(one.topic, topics, 1, _ALIKE)), "")


class Unverified(VaultError):
    """The service does not show what was registered there."""


class Setting(Struct, frozen=True):
    """What there is before a rotation."""

    address: AddressView
    info: ProviderInfo
    old: Secret | None
    listed: tuple[Subscription, ...] | None
    """What is registered at the service; None where it does not tell, or has no such thing."""
    unreachable: str
    """Why the service could not call us, in words."""
    current: str
    """The hash of the secret in use; "" when there is none."""

    @property
    def account(self) -> str:
        """The account's name."""
        return self.address.account

    @property
    def ours(self) -> tuple[Subscription, ...]:
        """What leads to this receiver's address of the account, with whatever secret: a rotation may have been cut."""
        return tuple(one for one in self.listed or () if self._is_ours(one))

    @property
    def perhaps_ours(self) -> tuple[Subscription, ...]:
        """What may lead there, for all that the service tells: told the new address as well, but never deleted."""
        known = self.address.address is not None
        return tuple(
            one
            for one in self.listed or ()
            if not self._is_ours(one) and not (known and one.digest) and self._below(one) is None
        )

    def _is_ours(self, one: Subscription) -> bool:
        whole = self.address.address
        return bool((whole is not None and one.leads_to(whole.reveal())) or self._below(one))

    def _below(self, one: Subscription) -> bool | None:
        return leads_below(one.url, hook_address(self.address.base, self.account, None))

    @property
    def topics(self) -> tuple[str, ...]:
        """What the new address is to be registered for; every topic where it is not known which were."""
        if self.listed is None:
            return self.info.topics
        found = (meant(one, self.info.topics) or one.topic for one in (*self.ours, *self.perhaps_ours))
        return tuple(dict.fromkeys(found))


class Rotating:
    """One rotation."""

    def __init__(
        self, setting: Setting, client: Provider | None, hooks: Hooks, secrets: Secrets, now: Callable[[], datetime]
    ) -> None:
        self.setting = setting
        self.client = client
        self.hooks = hooks
        self.secrets = secrets
        self.now = now
        self.steps: list[str] = []
        self._account = self.setting.account
        self._new = Secret(randomness.token_urlsafe(_BYTES))
        self._address = hook_address(self.setting.address.base, self._account, self._new.reveal())
        self._sha256 = digest(self._new.reveal())
        self._until = ""
        """Until when the old one is taken, in words."""

    async def run(self) -> Rotation:
        """Rotate. Raises VaultError where nothing was changed."""
        if self.client is not None and self.setting.topics and self.setting.unreachable:
            raise VaultError(self.setting.unreachable)
        await self._begin()
        done = await (self._carry(self.client) if self.client is not None else self._hand_over())
        whole = self._new if self.setting.address.is_catchup else Secret(self._address)
        return Rotation(tuple(self.steps), whole if done else None)

    async def _begin(self) -> None:
        old = self.setting.old
        if old is not None and self._old_counts:  # else a receiver that starts later takes it for newer
            await self._write(self.hooks.adopt, digest(old.reveal()))
        made = f"made a new secret ({masked(self._new.reveal())})"
        if self._opens_without:
            await self._write(self.hooks.adopt, BARE)
        await self._write(self.hooks.admit, self._sha256)
        await asyncio.sleep(SEEN_S)
        both = self._had_one or self._opens_without
        self.steps.append(f"{made}; {'both addresses are' if both else 'it is'} taken from now on")

    async def _write(self, verb: Callable[[str, str, float], None], sha256: str) -> None:
        await asyncio.to_thread(verb, self._account, sha256, self.now().timestamp())

    # Where the service can be told from here

    async def _carry(self, client: Provider) -> bool:
        made: list[Subscription] = []
        try:
            await self._register(client, made)
            await self._verify(client, made)
            await self._take_over()
        except (ProviderError, VaultError) as error:
            await self._go_back(client, made, error)
            return False
        self._tell_until()
        await self._keep()
        await self._delete_old(client, made)
        return True

    async def _register(self, client: Provider, made: list[Subscription]) -> None:
        setting = self.setting
        if setting.listed is None:
            self.steps.append(
                f"{setting.info.label} does not tell what is registered there, so the new address is registered for "
                "everything it announces"
            )
        elif not setting.topics:
            self.steps.append(
                f"nothing at {setting.info.label} is registered to our address: only the secret is renewed"
            )
        for topic in setting.topics:
            made.append(await self._ask(client.subscribe(topic, self._address)))
            self.steps.append(f"registered the new address for {topic} ({_name(made[-1])})")

    async def _verify(self, client: Provider, made: list[Subscription]) -> None:
        if not made:
            return
        found = await listed(client, self._new, self.setting.old)
        if found is None:
            self.steps.append(
                "the service's answer to registering is all there is: it does not tell what is registered"
            )
            return
        for one in made:
            if not any(self._is(one, other) for other in found):
                raise Unverified(f"the service does not show {_name(one)} for {one.topic} among its webhooks")
        self.steps.append("the service lists the new address" if len(made) == 1 else "the service lists them all")

    def _is(self, one: Subscription, other: Subscription) -> bool:
        """Whether a listed webhook is one that was registered; by its id where addresses are not told."""
        if other.digest:
            return other.leads_to(self._address) and other.topic == one.topic
        return bool(one.id) and other.id == one.id

    async def _delete_old(self, client: Provider, made: list[Subscription]) -> None:
        setting, until = self.setting, self._until
        new = {one.id for one in made}
        for one in setting.ours:
            if one.id in new and one.id:
                continue  # a service that keeps one webhook a topic changed the old one's address
            try:
                if not one.id:
                    raise VaultError("its id is not told")
                await self._ask(client.unsubscribe(one.id))
            except (ProviderError, VaultError) as error:
                self.steps.append(
                    f"{_name(one)} for {one.topic}, with the old address, could not be deleted: {error.words}; "
                    f"it works until {until}, then its deliveries get 404: delete it at the service"
                )
            else:
                self.steps.append(
                    f"deleted {_name(one)} for {one.topic}, with the old address; what is in flight is still "
                    f"delivered up to three times, and taken until {until}"
                )
        for one in setting.perhaps_ours:
            self.steps.append(
                f"{_name(one)} for {one.topic} may have the old address, which the service does not tell: if so, "
                f"delete it at the service; from {until} on its deliveries get 404"
            )
        if setting.listed is None:
            self.steps.append(
                "what is registered with the old address cannot be deleted from here: delete it at the service; "
                f"from {until} on its deliveries get 404"
            )

    async def _go_back(self, client: Provider, made: Iterable[Subscription], error: ProviderError | VaultError) -> None:
        self.steps.append(f"that failed: {error.words}")
        stray = {one.id: one for one in made}
        try:  # what was registered although the answer did not arrive
            found = await listed(client, self._new, self.setting.old) or ()
            stray |= {one.id: one for one in found if one.leads_to(self._address)}
        except ProviderError:
            self.steps.append("the service cannot be asked whether it registered anything")
        known = {one.id for one in self.setting.listed or ()}
        for one in stray.values():
            if one.id in known and one.id:
                continue  # it was there before; nothing that may be wanted is deleted
            try:
                if not one.id:
                    raise VaultError("its id is not told")
                await self._ask(client.unsubscribe(one.id))
                self.steps.append(f"deleted {_name(one)} for {one.topic}, with the new address, again")
            except (ProviderError, VaultError) as fault:
                self.steps.append(
                    f"{_name(one)} for {one.topic}, with the new address, could not be deleted: {fault.words}; "
                    "nothing is lost by it, delete it at the service"
                )
        try:
            await asyncio.to_thread(self.hooks.withdraw, self._account, self._sha256)
            self.steps.append("withdrew the new secret; the old address stays as it is")
        except LedgerError as fault:
            self.steps.append(f"the old address stays as it is; the new secret lapses within an hour ({fault.words})")

    async def _ask(self, call: Awaitable[_T]) -> _T:
        return await hushed(call, self._new, self.setting.old)

    # Where a person has to

    async def _hand_over(self) -> bool:
        await self._keep()
        try:
            await self._take_over()
        except VaultError as error:
            if self.setting.old is not None:
                self.secrets.keep_for_run(self._account, SECRET, self.setting.old)
            self.steps.append(f"that failed: {error.words}; the old secret stays in use: rotate again")
            return False
        self._tell_until()
        self.steps.append(self._where_to())
        return True

    def _where_to(self) -> str:
        info = self.setting.info
        if self.setting.address.is_catchup:
            return (
                f"give the new bearer token to the apps that ask for catch-ups; until {self._until} they may use both"
            )
        if Capability.NOTIFICATIONS in info.capabilities:
            return (
                "set the new address as the callback of the recording notifications (mode 4) "
                f"before {self._until}: after that what is sent to the old one gets 404"
            )
        if Capability.AGENTS in info.capabilities:
            return (
                "give the new address to agents that are sent from now on; those under way call the old one, "
                f"which is taken until {self._until} only"
            )
        return f"set the new address at {info.label} before {self._until}"

    # For both

    async def _take_over(self) -> None:
        self._until = f"{self.now() + timedelta(seconds=GRACE_S):%H:%M} UTC"
        await self._write(self.hooks.rotate, self._sha256)

    @property
    def _had_one(self) -> bool:
        return self.setting.current not in ("", BARE) or self._old_counts

    @property
    def _opens_without(self) -> bool:
        """Whether the address holds no secret yet: the service signs."""
        return self.setting.info.signs and not self.setting.address.is_catchup and not self._had_one

    @property
    def _old_counts(self) -> bool:
        return self.setting.old is not None and len(self.setting.old.reveal()) >= SHORTEST

    def _tell_until(self) -> None:
        words = f"; the one before is taken until {self._until}" if self._had_one else ""
        if self._opens_without:
            words = f"; the address without a secret is taken until {self._until}"
        self.steps.append(f"the new secret is in use{words}")

    async def _keep(self) -> None:
        name = variable(self._account, SECRET)
        ahead = self.secrets.outranking(self._account, SECRET)
        self.secrets.keep_for_run(self._account, SECRET, self._new)
        part = "it" if self.setting.address.is_catchup else "its last part"
        what = "new token" if self.setting.address.is_catchup else "new address"
        try:
            where = await asyncio.to_thread(self.secrets.store, self._account, SECRET, self._new)
        except VaultError as error:
            self.steps.append(
                f"the new secret is kept in memory only ({error.words}): copy the {what} now and set {part} as {name}; "
                "what was set there before is no longer taken after an hour"
            )
            return
        self.steps.append(f"the new secret is kept in the {where}")
        if ahead:
            self.steps.append(
                f"{ahead} is read before the keyring and still has the old secret, which is not taken after an hour: "
                "remove it, or set the new one there"
            )


def _name(one: Subscription) -> str:
    return one.id or "a webhook without an id"
