"""The stores of secrets, asked on one daemon thread with a deadline: what hangs delays neither a call nor quitting.

A system keyring asks other processes over D-Bus, which may never answer; the sealed file's key takes a while to derive.
"""

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from providers.secret import Secret
from vault.errors import VaultError
from vault.passphrase import Passphrase

if TYPE_CHECKING:  # `import keyring` takes 100 ms: it is loaded on the thread, when a store is asked
    from keyring.backend import KeyringBackend

    from vault.sealed_file import SealedKeyring, State

SERVICE = "reeldesk"
DEADLINE_S = 3.0
DERIVE_S = 60.0
"""For deriving a key: 0.2 s on this desk's machine, longer on a small one that is busy."""
_PROBE = "reeldesk/probe"
_FAULTS_IF_LOADED = (("dbus.exceptions", "DBusException"), ("gi.repository.GLib", "Error"))
"""What the backends of KDE and libsecret let through."""
_T = TypeVar("_T")


class KeyringIsLocked(VaultError):
    """The system keyring wants its owner's password, which we do not ask for."""


class NoKeyring(VaultError):
    """There is no system keyring that could have a secret: none at all, or only such as are never used."""


class Late(VaultError):
    """A store did not answer in time."""


class _Unforeseen(VaultError):
    """A store failed in a way that nobody foresaw; the thread's own report says more."""


class StoreThread:
    """Calls that may hang, one at a time, on a daemon thread; one that hangs is left behind, its thread with it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._calls: queue.SimpleQueue[Callable[[], None] | None] | None = None
        self._waiting: Future[object] | None = None
        self._closed = False

    def ask(self, call: Callable[[], _T], deadline_s: float) -> _T:
        """What the call gives; its time counts from when it begins. Raises Late, or what the call raises."""
        with self._turn:
            future: Future[_T] = Future()
            self._waiting = future  # type: ignore[assignment]  # only its exception is ever set
            if self._closed:
                raise VaultError("reeldesk is ending; no store is asked any more")
            calls = self._begin(lambda: _settle(future, call))
            try:
                return future.result(deadline_s)
            except TimeoutError:
                self._calls = None
                calls.put(None)  # its thread ends whenever the call does
                raise Late(f"no answer in {deadline_s:g} s") from None
            except _Unforeseen:
                self._calls = None  # its thread has ended
                raise
            finally:
                self._waiting = None

    def close(self) -> None:
        """Whoever waits for a store gets a VaultError at once, and so does whoever asks from now on."""
        self._closed = True
        waiting = self._waiting
        if waiting is not None:
            with contextlib.suppress(InvalidStateError):
                waiting.set_exception(VaultError("reeldesk is ending; the store was not waited for"))

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def _begin(self, call: Callable[[], None]) -> "queue.SimpleQueue[Callable[[], None] | None]":
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls,), name="secrets", daemon=True).start()
        self._calls.put(call)
        return self._calls


def _serve(calls: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    while (call := calls.get()) is not None:
        call()


def _settle(future: Future[_T], call: Callable[[], _T]) -> None:
    """Run a call, and tell whoever waits how it ended; nobody does when it was late."""
    with contextlib.suppress(InvalidStateError):
        try:
            future.set_result(call())
        except VaultError as error:
            future.set_exception(error)
        except _keyring_faults() as error:
            future.set_exception(_in_words(error))
        finally:
            if not future.done():
                future.set_exception(_Unforeseen("the store of secrets failed unexpectedly"))


def _keyring_faults() -> tuple[type[Exception], ...]:
    """What backends raise: their own errors, misconfiguration, and D-Bus errors as they come."""
    from keyring.errors import KeyringError

    known: tuple[type[Exception], ...] = (
        *(KeyringError, RuntimeError, OSError, ValueError, ImportError, AttributeError),
        *(AssertionError, EOFError, LookupError, TypeError, ArithmeticError),
    )
    try:
        from jeepney.wrappers import DBusErrorResponse
    except ImportError:
        pass
    else:
        known = (*known, DBusErrorResponse)
    loaded = ((sys.modules.get(module), name) for module, name in _FAULTS_IF_LOADED)
    return (*known, *(getattr(module, name) for module, name in loaded if module is not None))


def _in_words(error: Exception) -> VaultError:
    from keyring.errors import InitError, KeyringLocked, NoKeyringError

    if isinstance(error, KeyringLocked):
        return KeyringIsLocked("the system keyring is locked")
    if isinstance(error, InitError):
        return KeyringIsLocked("the system keyring cannot be opened: it is locked, or was never set up")
    kind = NoKeyring if isinstance(error, NoKeyringError) else VaultError
    return kind(f"the system keyring cannot be used ({type(error).__name__})")


def system_backend() -> "KeyringBackend":
    """The keyring that the system offers. Raises NoKeyring where it has none, or only one that keeps secrets in clear.

    Where several are installed, the library takes a chain of them all, with a plaintext store among them if there is
    one, and asks each in turn: of a chain, the system's own store is used alone.
    """
    import keyring
    from keyring.backends import chainer, fail, null

    backend = keyring.get_keyring()
    if isinstance(backend, chainer.ChainerBackend) and "PYTHON_KEYRING_BACKEND" not in os.environ:
        chain: list[KeyringBackend] = backend.backends
        backend = next((one for one in chain if type(one).__module__.startswith("keyring.backends.")), backend)
    if isinstance(backend, fail.Keyring | null.Keyring):
        raise NoKeyring("there is no system keyring here (a plain SSH login has none)")
    if isinstance(backend, chainer.ChainerBackend) or "plaintext" in type(backend).__name__.lower():
        raise NoKeyring(f"the keyring {type(backend).__name__} may keep secrets in clear; it is not used")
    if type(backend).__module__.startswith("keyrings."):
        raise NoKeyring(f"the keyring {type(backend).__name__} asks for its password in the terminal; it is not used")
    return backend


def _name(backend: "KeyringBackend") -> str:
    """Many are called Keyring; then their module says which one (SecretService, macOS)."""
    kind = type(backend)
    return kind.__module__.rpartition(".")[2] if kind.__name__ == "Keyring" else kind.__name__


class StoreView(Struct, frozen=True):
    """A store as it is shown: `keyring` or `sealed`, its state, and why in words."""

    name: str
    label: str
    state: "State"
    words: str
    path: Path | None = None


class KeyringThread:
    """The system keyring, which is not asked again once it hung."""

    def __init__(
        self,
        backend: "Callable[[], KeyringBackend]" = system_backend,
        deadline_s: float = DEADLINE_S,
        thread: StoreThread | None = None,
        *,
        off: bool = False,
    ) -> None:
        self._backend = backend
        self._deadline_s = deadline_s
        self.thread = thread or StoreThread()
        self.off = off
        """Switched off: it is never asked."""
        self._hung = False

    def get(self, account: str, name: str) -> str | None:
        """The stored text; None when there is none. Raises VaultError where the keyring cannot be used."""
        return self._ask(lambda: self._backend().get_password(SERVICE, f"{account}/{name}"))

    def set(self, account: str, name: str, secret: Secret) -> None:
        """Store a secret. Raises VaultError."""
        self._ask(lambda: self._backend().set_password(SERVICE, f"{account}/{name}", secret.reveal()))

    def delete(self, account: str, name: str) -> bool:
        """Remove a secret; whether there was one. Raises VaultError."""

        def remove() -> bool:
            backend = self._backend()
            if backend.get_password(SERVICE, f"{account}/{name}") is None:
                return False
            backend.delete_password(SERVICE, f"{account}/{name}")
            return True

        return self._ask(remove)

    def describe(self) -> str:
        """Which keyring there is, or why none, in words."""
        try:
            return f"keyring {self._ask(lambda: _name(self._backend()))}"
        except VaultError as error:
            return error.words

    def view(self) -> StoreView:
        """Its state: it is asked for something that it does not have, which also tells whether it is locked."""
        label = "system keyring"
        try:
            label = f"keyring {self._ask(lambda: _name(self._backend()))}"
            self._ask(lambda: self._backend().get_password(SERVICE, _PROBE))
        except KeyringIsLocked as error:
            return StoreView("keyring", label, "locked", error.words)
        except VaultError as error:
            return StoreView("keyring", label, "none", error.words)
        return StoreView("keyring", label, "available", "it answers")

    def _ask(self, call: Callable[[], _T]) -> _T:
        if self.off:
            raise VaultError("the system keyring is switched off (REELDESK_KEYRING=off)")
        if self._hung:
            raise VaultError("the system keyring hangs; it is not asked again in this run")
        try:
            return self.thread.ask(call, self._deadline_s)
        except Late:
            self._hung = True
            raise VaultError(f"the system keyring did not answer in {self._deadline_s:g} s") from None


class SealedThread:
    """The sealed file (vault/sealed_file.py), asked on the same thread as the keyring. `where` None: there is none."""

    def __init__(self, where: "Path | SealedKeyring | None", thread: StoreThread) -> None:
        self._thread = thread
        self._made: SealedKeyring | None = None
        if where is None or isinstance(where, Path):
            self.path = where
        else:
            self.path, self._made = where.path, where

    @property
    def exists(self) -> bool:
        """Whether there is something at its path."""
        return self.path is not None and os.path.lexists(self.path)

    def get(self, account: str, name: str) -> str | None:
        """The stored text; None when there is none. Raises SealedLocked, VaultError."""
        return self._ask(lambda: self._ring().get_password(SERVICE, f"{account}/{name}"))

    def set(self, account: str, name: str, secret: Secret) -> None:
        """Store a secret. Raises SealedLocked, VaultError."""
        self._ask(lambda: self._ring().set_password(SERVICE, f"{account}/{name}", secret.reveal()))

    def delete(self, account: str, name: str) -> bool:
        """Remove a secret; whether there was one. Raises SealedLocked, VaultError."""

        def remove() -> bool:
            if self._ring().get_password(SERVICE, f"{account}/{name}") is None:
                return False
            self._ring().delete_password(SERVICE, f"{account}/{name}")
            return True

        return self._ask(remove)

    def create(self, passphrase: Passphrase) -> None:
        """Make the file. Raises VaultError."""
        self._ask(lambda: self._ring().create(passphrase), DERIVE_S)

    def unlock(self, passphrase: Passphrase) -> None:
        """Unlock the file. Raises WrongPassphrase, VaultError."""
        self._ask(lambda: self._ring().unlock(passphrase), DERIVE_S)

    def rekey(self, passphrase: Passphrase) -> None:
        """Give the unlocked file another passphrase. Raises SealedLocked, VaultError."""
        self._ask(lambda: self._ring().rekey(passphrase), DERIVE_S)

    def lock(self) -> None:
        """Forget its key at once, whatever the thread is busy with."""
        if self._made is not None:
            self._made.lock()

    def lock_if_idle(self) -> bool:
        """Forget its key when it was not used for long; whether it did so now."""
        return self._made is not None and self._made.lock_if_idle()

    def describe(self) -> str:
        """Where it lies."""
        return f"sealed file {self.path}"

    def view(self) -> StoreView:
        """Its state."""
        if self.path is None:
            return StoreView("sealed", "sealed file", "none", "there is no place for it")
        try:
            state, words = self._ask(lambda: self._ring().state())
        except VaultError as error:
            state, words = "none", error.words
        return StoreView("sealed", "sealed file", state, words, self.path)

    def _ring(self) -> "SealedKeyring":
        if self._made is None:
            from vault.sealed_file import SealedKeyring

            if self.path is None:
                raise VaultError("there is no place for a sealed file")
            self._made = SealedKeyring(self.path)
        return self._made

    def _ask(self, call: Callable[[], _T], deadline_s: float = DEADLINE_S) -> _T:
        try:
            return self._thread.ask(call, deadline_s)
        except Late:
            raise VaultError(f"the sealed file did not answer in {deadline_s:g} s") from None
