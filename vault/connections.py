"""The clients of the configured accounts, each made once and closed at the end."""

import asyncio
from collections.abc import Callable

from providers import registry
from providers.base import Provider
from providers.declaring import lacking
from providers.models import Listing
from providers.secret import Secret
from vault.config import AccountConfig, Config
from vault.errors import VaultError
from vault.passphrase import SealedLocked
from vault.secrets import Secrets


class Connections:
    """Clients by account, on one event loop. Secrets are looked up, off the loop, before an account's first use."""

    def __init__(self, config: Config, secrets: Secrets, news: Callable[[str, Listing], None]) -> None:
        self._config = config
        self._secrets = secrets
        self._news = news
        self._clients: dict[str, Provider] = {}
        self._ready: set[str] = set()
        self._retired: list[tuple[str, Provider]] = []
        self._renewals: dict[str, int] = {}
        self._closing: set[asyncio.Future[None]] = set()

    def account(self, name: str) -> AccountConfig:
        """An account's configuration. Raises VaultError for a name that is none."""
        try:
            return self._config.accounts[name]
        except KeyError:
            known = ", ".join(sorted(self._config.accounts)) or "none is configured"
            raise VaultError(f"there is no account {name!r}; known: {known}") from None

    def client(self, name: str) -> Provider:
        """An account's client, without having looked for its secrets; for what needs no network."""
        if name not in self._clients:
            settings = self.account(name).settings
            client = registry.connect(settings, lambda secret: self._secrets.known(name, secret))
            client.news = lambda listing: self._news(name, listing)
            self._clients[name] = client
        return self._clients[name]

    async def connect(self, name: str) -> Provider:
        """An account's client, ready to send.

        Raises VaultError for a secret that is unusable, SealedLocked where one may lie in the locked sealed file.
        """
        settings = self.account(name).settings
        info = registry.info(settings.provider)
        if name not in self._ready:
            self._secrets.look_again(name)  # who stored one meanwhile, in another process, is not asked to begin anew
            for field in info.secrets:
                await asyncio.to_thread(self._secrets.find, name, field.name)
            missing = lacking(info, settings.options, lambda secret: self._secrets.known(name, secret) is not None)
            for secret in missing:
                if words := self._secrets.state(name, secret).locked:
                    raise SealedLocked(words)
            if not missing:
                self._ready.add(name)
        return self.client(name)

    def is_ready(self, name: str) -> bool:
        """Whether an account's secrets were looked for, and those that it needs were found."""
        return name in self._ready

    async def secret(self, name: str, field: str) -> Secret | None:
        """One of an account's secrets. Raises VaultError for one that is unusable."""
        found = await asyncio.to_thread(self._secrets.find, name, field)
        return found.secret if found else None

    async def close(self, name: str) -> None:
        """Sign an account out and close its connections; the next use opens them again."""
        if name in self._clients:
            self._retired.append((name, self._clients.pop(name)))
        await self.close_retired(lambda account: account == name)

    async def close_retired(self, may_close: Callable[[str], bool]) -> None:
        """Close the clients that `renew` put aside, of those accounts by which nothing runs any more."""
        closing = [client for name, client in self._retired if may_close(name)]
        self._retired = [(name, client) for name, client in self._retired if not may_close(name)]
        await asyncio.gather(*map(self._close, closing))

    async def _close(self, client: Provider) -> None:
        closing = asyncio.ensure_future(client.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await asyncio.shield(closing)  # who is cancelled meanwhile leaves no session half signed out

    def renew(self, name: str) -> None:
        """Have the next use begin with the account's options and secrets as they are then.

        What runs by the client before goes on with it, until `close_retired`.
        """
        self._ready.discard(name)
        self._renewals[name] = self.renewals(name) + 1
        if name in self._clients:
            self._retired.append((name, self._clients.pop(name)))

    def renewals(self, name: str) -> int:
        """How often an account was renewed."""
        return self._renewals.get(name, 0)

    async def aclose(self) -> None:
        """Sign all out, all at once."""
        self._retired += self._clients.items()
        self._clients.clear()
        await asyncio.gather(self.close_retired(lambda account: True), *self._closing)
