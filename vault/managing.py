"""Accounts come, change and go while a desk is open: by itself, or by whoever edits config.toml beside it."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Literal

from providers import registry
from providers.declaring import lacking
from providers.secret import Secret
from vault.config import AccountConfig, Accounts, Config, parse
from vault.connections import Connections
from vault.errors import ConfigError, VaultError
from vault.passphrase import Passphrase
from vault.secrets import Secrets, commands_of

_Stamp = tuple[int, int, int]


def _asks_otherwise(before: AccountConfig | None, after: AccountConfig | None) -> bool:
    """Whether an account's client is another one: transfers go on through changes of the rest."""
    if before is None or after is None:
        return True
    return (before.settings, before.password_command) != (after.settings, after.password_command)


class Managing:
    """Edits accounts and their secrets, and has the rest of the desk follow. On one event loop, but for `is_stale`.

    What config.toml says beside the accounts counts from the next start.
    """

    def __init__(
        self,
        config: Config,
        accounts: Accounts,
        connections: Connections,
        secrets: Secrets,
        begin_anew: Callable[[Collection[str]], None],
    ) -> None:
        self._config = config
        self._accounts = accounts
        self._connections = connections
        self._secrets = secrets
        self._begin_anew = begin_anew
        """Has what waits for accounts be tried now. Blocks."""
        self._stamp: _Stamp | None = None
        self._editing = asyncio.Lock()
        self.trouble = ""
        """Why config.toml as it stands now is not followed, in words."""
        self.changed: Callable[[frozenset[str]], None] = lambda names: None
        """Called on the loop with the names of accounts that came, went, or have other options or secrets."""

    # Following

    def is_stale(self) -> bool:
        """Whether config.toml was written since it was read. One that is gone changes nothing. Quick."""
        return self._now() not in (None, self._stamp)

    def _now(self) -> _Stamp | None:
        try:
            found = self._config.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    async def follow(self) -> frozenset[str]:
        """Take the accounts over from config.toml as it is now; gives the names of those that changed.

        Raises ConfigError for one that cannot be used: the accounts stay as they were.
        """
        async with self._editing:
            return await self._follow()

    async def _follow(self) -> frozenset[str]:
        try:
            stamp, config = await asyncio.to_thread(self._read)
        except ConfigError as error:
            self._stamp = self._now()
            self.trouble = f"{error.words}; the accounts stay as they were"
            raise
        self._stamp, self.trouble = stamp, ""
        before, after = dict(self._accounts), config.accounts
        names = frozenset(name for name in {*before, *after} if before.get(name) != after.get(name))
        if names:
            self._accounts.replace(after)
            for name in names:
                if _asks_otherwise(before.get(name), after.get(name)):
                    self._connections.renew(name)
            self._secrets.reconfigure(commands_of(after), names)
            await self._tell(names)
        return names

    def _read(self) -> tuple[_Stamp | None, Config]:
        stamp = self._now()
        try:
            text = self._config.path.read_text("utf-8")
        except FileNotFoundError:
            text = ""
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(f"{self._config.path}: cannot be read: {reason}") from None
        return stamp, parse(text, self._config.path, self._config.data)

    async def close_retired(self, busy: Collection[str]) -> None:
        """Sign out, of accounts that are not busy, who was signed in with options or secrets of before."""
        await self._connections.close_retired(lambda account: account not in busy)

    # Accounts

    async def add(
        self, name: str, provider: str, options: Mapping[str, Any], secrets: Mapping[str, Secret], *, for_run: bool
    ) -> dict[str, str]:
        """Add an account with its secrets; gives where each of those lies.

        Raises SealedLocked, VaultError: nothing was added.
        """
        from vault import accounts

        async with self._editing:
            if problem := accounts.problem_with_name(name, self._accounts):
                raise ConfigError(problem)
            lies = await self._keep_all(name, secrets, for_run=for_run)
            try:
                await asyncio.to_thread(accounts.add, self._config.path, name, provider, options)
            except VaultError:
                await self._drop_all(name, lies)
                raise
            await self._follow()
        return lies

    async def change(
        self, name: str, options: Mapping[str, Any], secrets: Mapping[str, Secret], *, for_run: bool
    ) -> dict[str, str]:
        """Change some of an account's options and secrets; gives where each of those lies.

        Raises SealedLocked, VaultError; config.toml is as it was then, but secrets may be kept already.
        """
        from vault import accounts

        async with self._editing:
            self._connections.account(name)
            lies = await self._keep_all(name, secrets, for_run=for_run)
            await asyncio.to_thread(accounts.change, self._config.path, name, options)
            changed = await self._follow()
        if lies and name not in changed:
            await self._credentials_changed(name)
        return lies

    async def remove(self, name: str, *, forget_secrets: bool) -> str:
        """Take an account out of config.toml; what was fetched and is known stays. Says what became of its secrets."""
        from vault import accounts

        async with self._editing:
            fields = registry.info(self._connections.account(name).settings.provider).secrets
            await asyncio.to_thread(accounts.remove, self._config.path, name)
            await self._follow()
        if not forget_secrets:
            return "its secrets stay where they are kept"
        said = [await self._forgotten(name, field) for field in dict.fromkeys(field.name for field in fields)]
        return "; ".join(filter(None, said)) or "it had no secrets in a store"

    async def _forgotten(self, account: str, name: str) -> str:
        try:
            return await asyncio.to_thread(self._secrets.forget_stored, account, name)
        except VaultError:
            return ""  # it lay in none, or in one that cannot be asked now

    # Secrets

    async def store(self, account: str, name: str, secret: Secret, *, for_run: bool = False) -> str:
        """Keep a secret; says where. Raises SealedLocked, VaultError."""
        known = {f.name for f in registry.info(self._connections.account(account).settings.provider).secrets}
        if name not in known:
            raise VaultError(f"account {account} has no secret {name!r}; it has {', '.join(sorted(known))}")
        lies = await self._keep_all(account, {name: secret}, for_run=for_run)
        await self._credentials_changed(account)
        return lies[name]

    async def move(self, account: str, name: str, to: Literal["keyring", "sealed"]) -> str:
        """Put a secret into another store; says what was done. Raises SealedLocked, VaultError."""
        return await asyncio.to_thread(self._secrets.move, account, name, to)

    async def forget(self, account: str, name: str) -> str:
        """Remove a secret from the stores; says from which. Raises SealedLocked, VaultError."""
        words = await asyncio.to_thread(self._secrets.forget_stored, account, name)
        await self._credentials_changed(account)
        return words

    async def unlock(self, passphrase: Passphrase) -> frozenset[str]:
        """Unlock the sealed file; gives the accounts that are tried again. Raises WrongPassphrase, VaultError."""
        await asyncio.to_thread(self._secrets.unlock, passphrase)
        names = frozenset(name for name in self._accounts if not self._connections.is_ready(name))
        for name in names:
            self._connections.renew(name)
        await self._tell(names)
        return names

    async def lock(self) -> None:
        """Forget the sealed file's key, and what was found in it: its accounts wait for `unlock`."""
        self._secrets.lock()
        for name in self._accounts:
            if self._lacks(name):
                self._connections.renew(name)

    def _lacks(self, account: str) -> bool:
        settings = self._accounts[account].settings
        info = registry.info(settings.provider)
        return bool(lacking(info, settings.options, lambda name: self._secrets.known(account, name) is not None))

    async def _keep_all(self, account: str, secrets: Mapping[str, Secret], *, for_run: bool) -> dict[str, str]:
        lies = {}
        for name, secret in secrets.items():
            if for_run:
                self._secrets.keep_for_run(account, name, secret)
                lies[name] = self._secrets.where(account, name)
            else:
                lies[name] = await asyncio.to_thread(self._secrets.store, account, name, secret)
        return lies

    async def _drop_all(self, account: str, names: Iterable[str]) -> None:
        for name in names:
            await asyncio.to_thread(partial(self._forgotten_now, account, name))

    def _forgotten_now(self, account: str, name: str) -> None:
        try:
            self._secrets.forget_stored(account, name)
        except VaultError:
            self._secrets.forget(account, name)

    async def _credentials_changed(self, account: str) -> None:
        self._connections.renew(account)
        await self._tell(frozenset({account}))

    async def _tell(self, names: frozenset[str]) -> None:
        await asyncio.to_thread(self._begin_anew, names)
        self.changed(names)
