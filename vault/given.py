"""Secrets that are given to this process from outside: by the environment, by systemd, by an account's command."""

import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

from msgspec import Struct

from providers.secret import InvalidSecret, Secret
from vault import password_command
from vault.errors import VaultError
from vault.private_files import MOST, read_private
from vault.secret_state import NOT_LOOKED_UP, Knowledge, SecretState, Source

PREFIX = "REELDESK_SECRET_"
AGAIN_S = 30.0
"""Until a password command that failed is asked again: a queue of transfers must not open a pinentry for each."""


class Found(Struct, frozen=True):
    """A secret, where it was found in words, and what kind of place that is."""

    secret: Secret
    where: str
    source: Source


def variable(account: str, name: str) -> str:
    """The environment variable of a secret."""
    return f"{PREFIX}{account}_{name}".upper().replace("-", "_")


def take_out(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Everything in an environment, which has none of our secrets afterwards: children must not inherit them.

    What is given is for `Secrets` and for handing over. `/proc/PID/environ` shows what the process was started with.
    """
    taken = dict(environ)
    for name in taken:
        if name.startswith(PREFIX):
            del environ[name]
    return taken


class Given:
    """What the environment, as it is now, systemd and the password commands (argv by account) give."""

    def __init__(
        self,
        environ: Mapping[str, str],
        commands: Mapping[str, tuple[str, ...]],
        command_s: float = password_command.DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.environ = dict(environ)
        self.commands = dict(commands)
        self._command_s = command_s
        self._clock = clock
        self._failed: dict[tuple[str, str], tuple[str, float]] = {}
        self._closed = threading.Event()

    def look(self, account: str, name: str) -> Found | None:
        """The first that has it. Raises VaultError, InvalidSecret; CommandFailed where the stores may have it still."""
        return (
            self._from_environment(account, name)
            or self._from_systemd(account, name)
            or self._from_command(account, name)
        )

    def ahead(self, account: str, name: str) -> str:
        """What has it without asking a command, in words; "" when nothing does."""
        key = variable(account, name)
        if key in self.environ:
            return f"the environment variable {key}"
        if f"{key}_FILE" in self.environ:
            return f"the file named by {key}_FILE"
        return f"the systemd credential {key}" if self._credential(key) else ""

    def state(self, account: str, name: str) -> SecretState:
        """What one sees without asking: where it is to come from, or why a command was given up."""
        key, not_yet = variable(account, name), Knowledge.NOT_LOOKED_UP
        if failed := self._failed.get((account, name)):
            return SecretState(Knowledge.NOT_KNOWN, reasons=(failed[0],))
        if key in self.environ:
            return SecretState(not_yet, f"environment {key}", Source.ENVIRONMENT)
        if f"{key}_FILE" in self.environ:
            return SecretState(not_yet, f"file named by {key}_FILE", Source.FILE)
        if self._credential(key):
            return SecretState(not_yet, "systemd credentials", Source.SYSTEMD)
        if account in self.commands:
            return SecretState(not_yet, f"{self.command(account)}, not asked yet", Source.COMMAND)
        return NOT_LOOKED_UP

    def command(self, account: str) -> str:
        """The account's password command in words; "" without one."""
        return password_command.label(self.commands[account]) if account in self.commands else ""

    def forget(self, account: str, name: str) -> None:
        """Ask a command that failed again the next time."""
        self._failed.pop((account, name), None)

    def close(self) -> None:
        """Kill the commands that run; none is run any more."""
        self._closed.set()

    def _from_environment(self, account: str, name: str) -> Found | None:
        key = variable(account, name)
        if key in self.environ:
            return Found(Secret(self.environ[key]), f"environment {key}", Source.ENVIRONMENT)
        if f"{key}_FILE" in self.environ:
            path = Path(self.environ[f"{key}_FILE"])
            try:
                content, _ = read_private(path, f"the secret in {path}")
            except FileNotFoundError:
                raise VaultError(f"the secret in {path} cannot be read: No such file or directory") from None
            return Found(Secret(_text(content, path)), f"file named by {key}_FILE", Source.FILE)
        return None

    def _credential(self, key: str) -> Path | None:
        folder = self.environ.get("CREDENTIALS_DIRECTORY")
        path = Path(folder) / key if folder else None
        return path if path is not None and path.exists() else None

    def _from_systemd(self, account: str, name: str) -> Found | None:
        path = self._credential(variable(account, name))
        if path is None:
            return None
        try:  # systemd keeps them from others in ways that the mode does not show (an ACL)
            with path.open("rb") as file:
                content = file.read(MOST)
        except OSError as error:
            raise VaultError(f"the secret in {path} cannot be read: {error.strerror}") from None
        return Found(Secret(_text(content, path)), "systemd credentials", Source.SYSTEMD)

    def _from_command(self, account: str, name: str) -> Found | None:
        key, argv = (account, name), self.commands.get(account)
        if argv is None:
            return None
        words, until = self._failed.get(key, ("", 0.0))
        if words and self._clock() < until:
            raise VaultError(words)
        try:
            text = password_command.run(
                argv, name, self.environ, deadline_s=self._command_s, given_up=self._closed.is_set
            )
            found = Found(Secret(text), password_command.label(argv), Source.COMMAND)
        except password_command.CommandFailed:
            self._failed.pop(key, None)
            raise
        except (VaultError, InvalidSecret) as error:
            words = error.words if isinstance(error, VaultError) else f"{name} of account {account}: {error}"
            self._failed[key] = (words, self._clock() + AGAIN_S)
            raise VaultError(words) from None
        self._failed.pop(key, None)
        return found


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise VaultError(f"the secret in {path} cannot be read: it is not text") from None
