"""The clients of the configured accounts, each made once and closed at the end."""

import asyncio
from collections.abc import Callable

from providers import registry
from providers.base import Provider
from providers.models import Listing
from providers.secret import Secret
from vault.config import AccountConfig, Config
from vault.errors import VaultError
from vault.secrets import Secrets


class Connections:
    """Clients by account, on one event loop. Secrets are looked up, off the loop, before an account's first use."""

    def __init__(self, config: Config, secrets: Secrets, news: Callable[[str, Listing], None]) -> None:
        self._config = config
        self._secrets = secrets
        self._news = news
        self._clients: dict[str, Provider] = {}
        self._ready: set[str] = set()
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
        """An account's client, ready to send. Raises VaultError for a secret that is unusable."""
        info = registry.info(self.account(name).settings.provider)
        if name not in self._ready:
            for field in info.secrets:
                await asyncio.to_thread(self._secrets.find, name, field.name)
            self._ready.add(name)
        return self.client(name)

    async def secret(self, name: str, field: str) -> Secret | None:
        """One of an account's secrets. Raises VaultError for one that is unusable."""
        found = await asyncio.to_thread(self._secrets.find, name, field)
        return found.secret if found else None

    async def close(self, name: str) -> None:
        """Sign an account out and close its connections; the next use opens them again."""
        client = self._clients.pop(name, None)
        if client is not None:
            closing = asyncio.ensure_future(client.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            await asyncio.shield(closing)  # who is cancelled meanwhile leaves no session half signed out

    async def aclose(self) -> None:
        """Sign all out, all at once."""
        names = list(self._clients)
        await asyncio.gather(*(self.close(name) for name in names), *self._closing)
