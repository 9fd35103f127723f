"""Who may come in: the account that a path or a bearer token belongs to. Secrets are compared as hashes."""

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from providers import registry
from providers.models import Capability
from vault.config import AccountConfig
from vault.connections import Connections
from vault.errors import VaultError
from vault.ledger.hooks import Hooks

SHORTEST = 16
"""Characters; a shorter secret could be guessed, so it opens nothing."""
SECRET = "hook_secret"  # noqa: S105  # its name
_REREAD_S = 0.2
_NOBODY = frozenset({hashlib.sha256(b"").hexdigest()})


def digest(token: str) -> str:
    """The hash that a secret part is known by."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def is_one_of(given: str, hashes: Iterable[str]) -> bool:
    """Whether a hash is among others; each is compared, whichever matches."""
    found = [hmac.compare_digest(given.encode(), each.encode()) for each in hashes]
    return any(found)


BARE = digest("")
"""Stands for the address without a secret, once an account that signs is about to have one."""


class Door(Struct, frozen=True):
    """An account that can be called from outside. `signs`: its service signs, so that the address needs no secret."""

    account: str
    signs: bool
    rooms: tuple[str, ...] = ()
    is_catchup: bool = False
    """Late joiners ask there; else webhooks come."""
    subscribes: bool = False
    """Whether webhooks can be registered at the service."""


def doors_of(accounts: Mapping[str, AccountConfig]) -> tuple[Door, ...]:
    """The accounts that receive something: webhooks, or late joiners' questions for a catch-up."""
    doors = []
    for name, account in accounts.items():
        info = registry.info(account.settings.provider)
        if Capability.WEBHOOK in info.capabilities:
            doors.append(Door(name, info.signs, subscribes=Capability.SUBSCRIPTIONS in info.capabilities))
        if Capability.CATCHUP in info.capabilities:
            rooms = tuple(account.settings.options.get("rooms", ()))
            doors.append(Door(name, info.signs, rooms, is_catchup=True))
    return tuple(doors)


class Gate:
    """Lets in who knows an account's secret. The ledger says which secrets stand, whichever process rotated them."""

    def __init__(
        self,
        accounts: Mapping[str, AccountConfig],
        connections: Connections,
        hooks: Hooks,
        now: Callable[[], datetime],
    ) -> None:
        self.doors: tuple[Door, ...] = ()
        self._accounts = accounts
        self._taken_up: dict[Door, int] = {}
        """And how often its account had been renewed then."""
        self._connections = connections
        self._hooks = hooks
        self._now = now
        self._standing: Mapping[str, frozenset[str]] = {}
        self.closed: dict[str, str] = {}
        """Accounts whose secret cannot be read, and why: nobody gets in there."""
        self._read_at = float("-inf")

    async def open(self) -> None:
        """Take up the configured secrets. Raises LedgerError."""
        await self._take_up()
        await self.reread()

    async def follow(self) -> None:
        """Take up accounts that came meanwhile or have other secrets; those that went are shut. Raises LedgerError."""
        if await self._take_up():
            await self.reread()

    async def _take_up(self) -> bool:
        doors = doors_of(self._accounts)
        known = {door: self._connections.renewals(door.account) for door in doors}
        new = [door for door in doors if self._taken_up.get(door) != known[door]]
        for door in new:
            self.closed.pop(door.account, None)
            await self._take_up_one(door)
        self.doors, self._taken_up = doors, known
        return bool(new)

    async def _take_up_one(self, door: Door) -> None:
        try:
            token = await self._connections.secret(door.account, SECRET)
        except VaultError as error:
            self.closed[door.account] = error.words
            return
        if not door.is_catchup:  # its client is loaded now, and not while the first delivery waits
            with contextlib.suppress(VaultError):
                await self._connections.connect(door.account)
        if token is not None and len(token.reveal()) >= SHORTEST:
            now = self._now().timestamp()
            await asyncio.to_thread(self._hooks.adopt, door.account, digest(token.reveal()), now)

    async def reread(self) -> None:
        """See which secrets stand now: one that was replaced stops an hour later. Raises LedgerError."""
        self._read_at = time.monotonic()
        self._standing = await asyncio.to_thread(self._hooks.standing, self._now().timestamp())

    async def _reread_for_a_stranger(self) -> bool:
        """A secret that is not known may have come to be, in another process; whether it was looked for."""
        if time.monotonic() - self._read_at < _REREAD_S:
            return False
        try:
            await self.reread()
        except VaultError:
            return False
        return True

    async def of_hook(self, account: str, token: str | None) -> Door | None:
        """The door that an account's name and the secret part of the path (None: there is none) lead to."""
        found = self._of_hook(account, token)
        if found is None and await self._reread_for_a_stranger():
            found = self._of_hook(account, token)
        return found

    def _of_hook(self, account: str, token: str | None) -> Door | None:
        named = [d for d in self.doors if d.account == account and not d.is_catchup and account not in self.closed]
        standing = self._standing.get(account, frozenset())
        # What is compared takes as long for an account that is none.
        known = is_one_of(digest(token or ""), standing or _NOBODY) and bool(token) and bool(standing)
        if not named:
            return None
        if named[0].signs and token is None:
            return named[0] if not standing or BARE in standing else None
        return named[0] if known else None

    async def of_bearer(self, token: str) -> tuple[Door, ...]:
        """The doors for catch-ups that a bearer token opens."""
        found = self._of_bearer(token)
        if not found and await self._reread_for_a_stranger():
            found = self._of_bearer(token)
        return found

    def _of_bearer(self, token: str) -> tuple[Door, ...]:
        given = digest(token)
        doors = [door for door in self.doors if door.is_catchup and door.account not in self.closed]
        mine = [(d, is_one_of(given, self._standing.get(d.account, _NOBODY))) for d in doors]
        return tuple(door for door, opens in mine if opens and token)

    @property
    def tells_catchups(self) -> bool:
        """Whether any account's catch-ups are given at all."""
        return any(door.is_catchup and door.account in self._standing for door in self.doors)
