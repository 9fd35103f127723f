"""Where credentials come from: the environment, systemd's credentials, the system keyring. Never from config.toml.

A keyring asks other processes over D-Bus and may hang, so it is asked on a daemon thread with a deadline; what was
found is kept in memory for the rest of the run.
"""

import queue
import stat
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from providers.secret import InvalidSecret, Secret
from vault.errors import VaultError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "reeldesk"
DEADLINE_S = 3.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Found:
    """A secret and where it was found, in words."""

    secret: Secret
    where: str


def variable(account: str, name: str) -> str:
    """The environment variable of a secret."""
    return f"REELDESK_SECRET_{account}_{name}".upper().replace("-", "_")


def system_backend() -> "KeyringBackend":
    """The keyring that the system offers. Raises VaultError where it has none, or only one that keeps secrets in clear.

    The library picks a chain with a plaintext store as soon as one is installed beside it; neither is used.
    """
    import keyring
    from keyring.backends import chainer, fail, null

    backend = keyring.get_keyring()
    if isinstance(backend, fail.Keyring | null.Keyring):
        raise VaultError("there is no system keyring here (a plain SSH login has none); use environment variables")
    if isinstance(backend, chainer.ChainerBackend) or "plaintext" in type(backend).__name__.lower():
        raise VaultError(f"the keyring {type(backend).__name__} may keep secrets in clear; it is not used")
    if type(backend).__module__.startswith("keyrings."):
        raise VaultError(f"the keyring {type(backend).__name__} asks for its password in the terminal; it is not used")
    return backend


def _keyring_faults() -> tuple[type[Exception], ...]:
    """What backends raise: their own errors, misconfiguration, and D-Bus errors as they come."""
    from keyring.errors import KeyringError

    known = (
        *(KeyringError, RuntimeError, OSError, ValueError, ImportError, AttributeError),
        *(AssertionError, EOFError, LookupError, TypeError, ArithmeticError),
    )
    try:
        from jeepney.wrappers import DBusErrorResponse
    except ImportError:
        return known
    return (*known, DBusErrorResponse)


class KeyringThread:
    """The system keyring on its own daemon thread: one that hangs delays neither a call nor quitting."""

    def __init__(
        self, backend: Callable[[], "KeyringBackend"] = system_backend, deadline_s: float = DEADLINE_S
    ) -> None:
        self._backend = backend
        self._deadline_s = deadline_s
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._started = threading.Lock()
        self._hung = False

    def get(self, account: str, name: str) -> str | None:
        """The stored text; None when there is none. Raises VaultError where the keyring cannot be used."""
        return self._ask(lambda: self._backend().get_password(SERVICE, f"{account}/{name}"))

    def set(self, account: str, name: str, secret: Secret) -> None:
        """Store a secret. Raises VaultError."""
        self._ask(lambda: self._backend().set_password(SERVICE, f"{account}/{name}", secret.reveal()))

    def describe(self) -> str:
        """Which keyring there is, or why none, in words."""
        try:
            return f"keyring {self._ask(lambda: type(self._backend()).__name__)}"
        except VaultError as error:
            return error.words

    def _ask(self, call: Callable[[], _T]) -> _T:
        if self._hung:
            raise VaultError("the system keyring hangs; it is not asked again in this run")
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._serve, name="keyring", daemon=True).start()
        future: Future[_T] = Future()

        def run() -> None:
            try:
                future.set_result(call())
            except VaultError as error:
                future.set_exception(error)
            except _keyring_faults() as error:
                future.set_exception(VaultError(f"the system keyring cannot be used ({type(error).__name__})"))

        self._calls.put(run)
        try:
            return future.result(self._deadline_s)
        except TimeoutError:
            self._hung = True
            raise VaultError(f"the system keyring did not answer in {self._deadline_s:g} s") from None

    def _serve(self) -> None:
        while True:
            self._calls.get()()


class Secrets:
    """An account's secrets, looked up in the order of the design: environment, systemd credentials, keyring."""

    def __init__(self, environ: Mapping[str, str], keyring: KeyringThread | None = None) -> None:
        self._environ = environ
        self._keyring = keyring or KeyringThread()
        self._found: dict[tuple[str, str], Found | None] = {}
        self._problems: dict[tuple[str, str], str] = {}

    def find(self, account: str, name: str) -> Found | None:
        """Look a secret up; may take up to the keyring's deadline. Raises VaultError for one that is unusable."""
        key = (account, name)
        if key not in self._found:
            self._problems.pop(key, None)
            self._found[key] = self._look(account, name)
        return self._found[key]

    def _look(self, account: str, name: str) -> Found | None:
        try:
            return (
                self._from_environment(account, name)
                or self._from_systemd(account, name)
                or self._stored(account, name)
            )
        except InvalidSecret as error:
            raise VaultError(f"{name} of account {account}: {error}") from None

    def known(self, account: str, name: str) -> Secret | None:
        """What `find` gave before, without looking again; for clients on an event loop."""
        found = self._found.get((account, name))
        return found.secret if found else None

    def forget(self, account: str, name: str) -> None:
        """Look a secret up anew the next time: its store may hold another one by now."""
        self._found.pop((account, name), None)

    def where(self, account: str, name: str) -> str:
        """Where the secret is, in words, without asking the keyring: "not looked up yet" until `find` did."""
        key = (account, name)
        if key in self._problems:
            return self._problems[key]
        if key in self._found:
            found = self._found[key]
            return found.where if found else "not set"
        if variable(account, name) in self._environ:
            return f"environment {variable(account, name)}"
        return "not looked up yet"

    def store(self, account: str, name: str, secret: Secret) -> str:
        """Keep a secret in the keyring and say where it lies. Raises VaultError."""
        if self._keyring_is_off:
            raise VaultError("the system keyring is switched off (REELDESK_KEYRING=off)")
        self._keyring.set(account, name, secret)
        where = self._keyring.describe()
        self._found[account, name] = Found(secret, where)
        return where

    def keep_for_run(self, account: str, name: str, secret: Secret) -> None:
        """Have a secret used until this process ends, wherever it is kept, or nowhere."""
        self._problems.pop((account, name), None)
        self._found[account, name] = Found(secret, "in memory, for this run only")

    def outranking(self, account: str, name: str) -> str:
        """What is read before the keyring and so hides what lies there, in words; "" when nothing does."""
        key = variable(account, name)
        if key in self._environ:
            return f"the environment variable {key}"
        if f"{key}_FILE" in self._environ:
            return f"the file named by {key}_FILE"
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        return f"the systemd credential {key}" if folder and (Path(folder) / key).exists() else ""

    def describe_keyring(self) -> str:
        """Which keyring there is, in words."""
        return self._keyring.describe()

    @property
    def _keyring_is_off(self) -> bool:
        return self._environ.get("REELDESK_KEYRING") == "off"

    def _from_environment(self, account: str, name: str) -> Found | None:
        key = variable(account, name)
        if key in self._environ:
            return Found(Secret(self._environ[key]), f"environment {key}")
        if f"{key}_FILE" in self._environ:
            path = Path(self._environ[f"{key}_FILE"])
            return Found(Secret(_private_text(path)), f"file named by {key}_FILE")
        return None

    def _from_systemd(self, account: str, name: str) -> Found | None:
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        path = Path(folder) / variable(account, name) if folder else None
        if path is None or not path.exists():
            return None
        return Found(Secret(_read(path)), "systemd credentials")

    def _stored(self, account: str, name: str) -> Found | None:
        if self._keyring_is_off:
            return None
        try:
            text = self._keyring.get(account, name)
        except VaultError as error:
            self._problems[account, name] = f"not set; {error.words}"
            return None
        return Found(Secret(text), self._keyring.describe()) if text else None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise VaultError(f"the secret in {path} cannot be read: {reason}") from None


def _private_text(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise VaultError(f"the secret in {path} cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise VaultError(f"the secret in {path} can be read by others: chmod 600 {path}")
    return _read(path)
