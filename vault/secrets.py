"""Where credentials come from. Never from config.toml.

In this order: the environment (a variable, or a file that it names), systemd's credentials, the account's password
command (vault/given.py); the system keyring, the sealed file (vault/keyrings.py); memory for this run. What was found
is kept in memory for the rest of the run.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from providers.secret import InvalidSecret, Secret
from vault import passphrase as passphrases
from vault import password_command
from vault.errors import VaultError
from vault.given import Found, Given, take_out, variable
from vault.keyrings import KeyringThread, NoKeyring, SealedThread, StoreView, system_backend
from vault.passphrase import NoSealedFile, Passphrase, SealedLocked
from vault.secret_state import NOT_SET, Knowledge, SecretState, Source, missed

if TYPE_CHECKING:
    from vault.config import AccountConfig, Config
    from vault.sealed_file import SealedKeyring

__all__ = [
    "Found",
    "KeyringThread",
    "Secrets",
    "Source",
    "StoreView",
    "secrets_of",
    "system_backend",
    "take_out",
    "variable",
]

SEALED_NAME = "secrets.sealed"
"""The sealed file's name in the data folder."""
_Key = tuple[str, str]
_T = TypeVar("_T")


def secrets_of(config: "Config", environ: Mapping[str, str]) -> "Secrets":
    """The secrets of a configuration's accounts, with their password commands and the sealed file."""
    return Secrets(environ, commands=commands_of(config.accounts), sealed=config.data / SEALED_NAME)


def commands_of(accounts: "Mapping[str, AccountConfig]") -> dict[str, tuple[str, ...]]:
    """The password commands (argv) of those accounts that have one."""
    return {name: each.password_command for name, each in accounts.items() if each.password_command}


class Secrets:
    """An account's secrets. `environ` is read once, now; `commands`: password commands (argv) by account.

    `sealed`: where the sealed file lies or will lie; None: nowhere. Where REELDESK_PASSPHRASE_FILE is set, that file is
    unlocked when it is first needed. Calls may take up to a store's deadline, so none is for an event loop but `known`,
    `state`, `where`, `source`, `lock`, `lock_if_idle` and `close`.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        keyring: KeyringThread | None = None,
        *,
        commands: Mapping[str, tuple[str, ...]] | None = None,
        sealed: "Path | SealedKeyring | None" = None,
        command_s: float = password_command.DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._given = Given(environ, commands or {}, command_s, clock)
        self._keyring = keyring or KeyringThread()
        self._keyring.off = self._keyring.off or environ.get("REELDESK_KEYRING") == "off"
        self._thread = self._keyring.thread
        self._sealed = SealedThread(sealed, self._thread)
        self._found: dict[_Key, Found | None] = {}
        self._missed: dict[_Key, SecretState] = {}
        """Of what was found nowhere: whether it is not set, or why that is not known."""
        self._looking: dict[_Key, threading.Lock] = {}
        self._passphrase_fault = ""
        """Why the file with the passphrase is not tried again."""
        self._kept_locked = False

    # Looking up

    def find(self, account: str, name: str) -> Found | None:
        """Look a secret up; may take up to the deadlines of its command and of the stores.

        Raises VaultError for one that is unusable.
        """
        key = (account, name)
        with contextlib.suppress(KeyError):
            return self._found[key]
        with self._looking.setdefault(key, threading.Lock()):  # one pinentry, however many ask
            with contextlib.suppress(KeyError):
                return self._found[key]
            looked = self._look(account, name)
            return self._found.setdefault(key, looked)  # what was stored meanwhile is newer

    def _look(self, account: str, name: str) -> Found | None:
        try:
            try:
                return self._given.look(account, name) or self._stored(account, name, [])
            except password_command.CommandFailed as error:  # it may have others of the account's secrets
                return self._stored(account, name, [error.words])
        except InvalidSecret as error:
            raise VaultError(f"{name} of account {account}: {error}") from None

    def look(self, account: str, name: str) -> SecretState:
        """Look a secret up as `find` does; what is known of it then, also of one that is unusable."""
        try:
            self.find(account, name)
        except VaultError as error:
            return SecretState(Knowledge.UNUSABLE, reasons=(error.words,))
        return self.state(account, name)

    def known(self, account: str, name: str) -> Secret | None:
        """What `find` gave before, without looking again; for clients on an event loop."""
        found = self._found.get((account, name))
        return found.secret if found else None

    def forget(self, account: str, name: str) -> None:
        """Look a secret up anew the next time: its store may hold another one by now."""
        self._found.pop((account, name), None)
        self._given.forget(account, name)

    def look_again(self, account: str) -> None:
        """Look up anew, the next time, what was not found; a password command that failed keeps its pause."""
        for key, found in list(self._found.items()):
            if key[0] == account and found is None:
                self._found.pop(key, None)

    def reconfigure(self, commands: Mapping[str, tuple[str, ...]], accounts: Collection[str]) -> None:
        """Use these password commands from now on; of these accounts forget what the ones before gave, or did not."""
        self._given.commands = dict(commands)
        for key, found in list(self._found.items()):
            if key[0] in accounts and (found is None or found.source is Source.COMMAND):
                self.forget(*key)

    def source(self, account: str, name: str) -> Source | None:
        """What kind of place a secret was found in; None until it was."""
        found = self._found.get((account, name))
        return found.source if found else None

    def state(self, account: str, name: str) -> SecretState:
        """What is known of the secret, without asking command or store: it is not looked up until `find` did."""
        key = (account, name)
        if key not in self._found:
            return self._given.state(account, name)
        found = self._found[key]
        if found is None:
            return self._missed.get(key, NOT_SET)
        return SecretState(Knowledge.FOUND, found.where, found.source)

    def where(self, account: str, name: str) -> str:
        """The words of `state`."""
        return self.state(account, name).words

    def outranking(self, account: str, name: str) -> str:
        """What is read before the stores and so hides what lies there, in words; "" when nothing does."""
        is_commands = self.source(account, name) is Source.COMMAND
        return self._given.ahead(account, name) or (f"the {self._given.command(account)}" if is_commands else "")

    def _stored(self, account: str, name: str, unasked: list[str]) -> Found | None:
        absent, locked = list[str](), ""
        if not self._keyring.off:
            try:
                text = self._keyring.get(account, name)
                if text:
                    return Found(Secret(text), self._keyring.describe(), Source.KEYRING)
            except NoKeyring as error:
                absent.append(error.words)
            except VaultError as error:
                unasked.append(error.words)
        try:
            found = self._in_sealed(account, name)
            if found:
                return found
        except SealedLocked as error:
            locked = error.words
        except VaultError as error:
            unasked.append(error.words)
        self._missed[account, name] = missed(unasked, absent, locked)
        return None

    def _in_sealed(self, account: str, name: str) -> Found | None:
        if not self._sealed.exists:
            return None
        text = self._opened(lambda: self._sealed.get(account, name))
        return Found(Secret(text), self._sealed.describe(), Source.SEALED) if text else None

    def _opened(self, call: Callable[[], _T]) -> _T:
        """Ask the sealed file, unlocked with the passphrase in a file where one is named and nobody locked it."""
        try:
            return call()
        except SealedLocked:
            if not self._unlocked_by_file():
                raise
        return call()

    def _unlocked_by_file(self) -> bool:
        if self._kept_locked:
            return False
        if self._passphrase_fault:
            raise SealedLocked(self._passphrase_fault)
        try:
            passphrase = passphrases.from_file(self._given.environ)
            if passphrase is None:
                return False
            self._sealed.unlock(passphrase)
        except VaultError as error:
            self._passphrase_fault = f"{error.words} ({passphrases.VARIABLE})"
            raise SealedLocked(self._passphrase_fault) from None
        return True

    # Storing

    def store(self, account: str, name: str, secret: Secret) -> str:
        """Keep a secret in the system keyring, else in the sealed file, and say where it lies.

        Raises SealedLocked where the sealed file must be unlocked first, VaultError where there is no place for it.
        """
        try:
            self._keyring.set(account, name, secret)
        except VaultError as error:
            source = self._store_sealed(account, name, secret, error.words)
        else:
            source = Source.KEYRING
            if self._sealed.exists:
                with contextlib.suppress(VaultError):  # an old one there would be read where there is no keyring
                    self._opened(lambda: self._sealed.delete(account, name))
        where = self._store(source).describe()
        self._found[account, name] = Found(secret, where, source)
        return where

    def _store_sealed(self, account: str, name: str, secret: Secret, reason: str) -> Source:
        if not self._sealed.exists:
            raise NoSealedFile(f"{reason}; make a sealed file with a passphrase, or set {variable(account, name)}")
        try:
            self._opened(lambda: self._sealed.set(account, name, secret))
        except VaultError as error:
            raise type(error)(f"{reason}; {error.words}") from None
        return Source.SEALED

    def keep_for_run(self, account: str, name: str, secret: Secret) -> None:
        """Have a secret used until this process ends, wherever it is kept, or nowhere."""
        self._found[account, name] = Found(secret, "in memory, for this run only", Source.MEMORY)

    def move(self, account: str, name: str, to: Literal["keyring", "sealed"]) -> str:
        """Put a stored secret, or one in memory, into the store `to` and into no other; what was done, in words.

        It is removed from the other only after it was read back. Raises SealedLocked, VaultError: nothing was changed.
        """
        target, other = (Source.KEYRING, Source.SEALED) if to == "keyring" else (Source.SEALED, Source.KEYRING)
        texts: dict[Source, str | None] = {}
        faults: dict[Source, VaultError] = {}
        for source in (Source.KEYRING, Source.SEALED):
            try:
                texts[source] = self._text(source, account, name)
            except VaultError as error:
                faults[source] = error
        if target in faults:
            raise faults[target]
        kept = self.known(account, name) if self.source(account, name) is Source.MEMORY else None
        text = texts.get(Source.KEYRING) or texts.get(Source.SEALED) or (kept.reveal() if kept else None)
        if text is None:
            raise faults.get(other) or VaultError(f"{name} of account {account} lies in no store")
        secret = _secret(text, account, name)
        if texts[target] != text:
            self._asked(target, lambda: self._store(target).set(account, name, secret))
            if self._text(target, account, name) != text:
                raise VaultError(f"the {self._store(target).describe()} did not keep {name} of account {account}")
        words = f"it lies in the {self._store(target).describe()}"
        if texts.get(other):
            words += f"; {self._removed(other, account, name)}"
        elif other in faults and self._may_have(other):
            words += f"; whether it lies elsewhere, too, is not known: {faults[other].words}"
        return words + self._moved(account, name, Found(secret, self._store(target).describe(), target))

    def _removed(self, source: Source, account: str, name: str) -> str:
        where = self._store(source).describe()
        try:
            self._store(source).delete(account, name)
        except VaultError as error:
            return f"it could not be removed from the {where}: {error.words}"
        return f"it was removed from the {where}"

    def _moved(self, account: str, name: str, found: Found) -> str:
        ahead = self.outranking(account, name)
        if ahead:
            return f"; {ahead} is read before it"
        self._found[account, name] = found
        return ""

    def forget_stored(self, account: str, name: str) -> str:
        """Remove a secret from the stores, and from memory; from which, in words. Raises VaultError if from none."""
        gone, faults = [], []
        for source in (Source.KEYRING, Source.SEALED):
            store = self._store(source)
            if not self._may_have(source):
                continue
            try:
                if self._asked(source, partial(store.delete, account, name)):
                    gone.append(store.describe())
            except VaultError as error:
                faults.append(error)
        found = self.source(account, name)
        if found is Source.MEMORY:
            gone.append("memory of this run")
        if found in (Source.KEYRING, Source.SEALED, Source.MEMORY, None):
            self.forget(account, name)
        if not gone:
            locked = next((each for each in faults if isinstance(each, SealedLocked)), None)
            words = "; ".join(each.words for each in faults)
            nowhere = f"{name} of account {account} lies in no store that could be asked"
            raise (SealedLocked if locked else VaultError)(f"{nowhere}: {words}" if words else nowhere)
        unsure = "".join(f"; not asked: {each.words}" for each in faults)
        return f"{name} of account {account} was removed from the {' and the '.join(gone)}{unsure}"

    def _text(self, source: Source, account: str, name: str) -> str | None:
        if source is Source.SEALED and not self._sealed.exists:
            raise NoSealedFile("there is no sealed file yet: make one with a passphrase")
        return self._asked(source, lambda: self._store(source).get(account, name)) or None

    def _asked(self, source: Source, call: Callable[[], _T]) -> _T:
        return call() if source is Source.KEYRING else self._opened(call)

    def _store(self, source: Source) -> KeyringThread | SealedThread:
        return self._keyring if source is Source.KEYRING else self._sealed

    def _may_have(self, source: Source) -> bool:
        return not self._keyring.off if source is Source.KEYRING else self._sealed.exists

    # The stores

    def stores(self) -> tuple[StoreView, ...]:
        """The stores there are, and their states; may take up to their deadlines."""
        return (self._keyring.view(), self._sealed.view())

    def describe_keyring(self) -> str:
        """Which keyring there is, in words."""
        return self._keyring.describe()

    def create_sealed(self, passphrase: Passphrase) -> None:
        """Make the sealed file; it is unlocked. Raises VaultError."""
        self._sealed.create(passphrase)
        self._unlocked()

    def unlock(self, passphrase: Passphrase) -> None:
        """Unlock the sealed file; what was not found before is looked for in it. Raises WrongPassphrase, VaultError."""
        self._sealed.unlock(passphrase)
        self._unlocked()

    def rekey(self, passphrase: Passphrase) -> None:
        """Give the unlocked sealed file another passphrase. Raises SealedLocked, VaultError."""
        self._sealed.rekey(passphrase)

    def lock(self) -> None:
        """Forget the sealed file's key and what was found in it, at once, until `unlock`."""
        self._kept_locked = True
        self._sealed.lock()
        for key, found in list(self._found.items()):
            if found and found.source is Source.SEALED:
                self._found.pop(key, None)

    def lock_if_idle(self) -> bool:
        """Forget the key when the sealed file was not used for long; what was found in it stays. Whether it did now."""
        return self._sealed.lock_if_idle()

    def close(self) -> None:
        """Before a process ends: nobody waits for a store or a command any more; what was found stays, to sign out."""
        self._thread.close()
        self._given.close()
        self._sealed.lock()

    def _unlocked(self) -> None:
        self._kept_locked, self._passphrase_fault = False, ""
        for (account, name), found in list(self._found.items()):
            if found is None:
                try:
                    now = self._found[account, name] = self._in_sealed(account, name)
                except (VaultError, InvalidSecret):
                    self._found.pop((account, name), None)  # whoever looks it up next is told
                    continue
                if now is None:
                    self._missed[account, name] = self._missed.get((account, name), NOT_SET).unlocked()


def _secret(text: str, account: str, name: str) -> Secret:
    try:
        return Secret(text)
    except InvalidSecret as error:
        raise VaultError(f"{name} of account {account}: {error}") from None
