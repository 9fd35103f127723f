"""`reeldesk` as it is, or without its code for credentials: `python -m tests.bench.starting_program whole|without`.

Without: what issue "accounts and credentials" brought is neither imported nor run; stand-ins take its place. Secrets
come at once out of the environment as it is, nothing is hardened, redacted, offered to be unlocked, or watched.

With a file's name as second argument, the names of all modules that are loaded when the list is first painted are
written to it.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

FIRST_TITLE = "First of the list"
"""Whoever sees this sees the desk."""
ABSENT = (
    "vault.secrets", "vault.given", "vault.keyrings", "vault.sealed_file", "vault.sealed_format", "vault.passphrase",
    "vault.password_command", "vault.private_files", "vault.managing", "vault.accounts", "vault.testing",
    "tui.hardening", "tui.unlock_offer", "tui.unlocking", "tui.secret_words", "tui.screens.unlock",
    "tui.screens.secrets", "tui.commandline.account", "tui.commandline.adding", "tui.commandline.keeping_secrets",
    "tui.commandline.unlocking", "tui.commandline.testing",
)  # fmt: skip


class StandIn(ModuleType):
    """A module of which whatever is asked for is there, as a class that does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (Exception,), {})  # also for `except`
        setattr(self, name, made)
        return made


class Plain:
    """An account's secrets, out of the environment."""

    def __init__(self, *_: object, **__: object) -> None:
        self._environ = dict(os.environ)

    def find(self, account: str, name: str) -> Any:
        """The secret, or None."""
        from providers.secret import Secret

        value = self._environ.get(f"REELDESK_SECRET_{account}_{name}".upper().replace("-", "_"))
        return Secret(value) if value else None

    known = find

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: ""


class Nothing:
    """Does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        """Nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: ""


@contextlib.contextmanager
def drawn_on() -> Iterator[list[str]]:
    """Nothing is watched."""
    yield []


def without_credentials() -> None:
    """Put stand-ins in the place of all of it."""
    for name in ABSENT:
        module = StandIn(name)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        __import__(parent)
        setattr(sys.modules[parent], child, module)
    modules: dict[str, Any] = dict(sys.modules)
    modules["vault.secrets"].Secrets = modules["vault.secrets"].secrets_of = Plain
    modules["vault.secrets"].SEALED_NAME = "secrets.sealed"
    modules["vault.given"].take_out = dict
    modules["vault.managing"].Managing = modules["vault.testing"].Testing = Nothing
    modules["tui.hardening"].harden = lambda: None
    modules["tui.hardening"].drawn_on = drawn_on
    for family in ("account", "adding", "keeping_secrets"):
        modules[f"tui.commandline.{family}"].add = lambda commands: None

    from tui.first_paint import TellsFirstPaint

    modules["tui.unlock_offer"].OffersUnlocking = type("OffersUnlocking", (TellsFirstPaint,), {})


def note_modules(place: Path) -> None:
    """Write down, at the first paint of the list, what is loaded; in the very process, before a byte leaves it."""
    from tui.wire.outlet import Outlet

    write = Outlet.write

    def noting(outlet: Outlet, data: bytes) -> bool:
        if FIRST_TITLE.encode() in data and not place.exists():
            place.write_text("\n".join(sorted(sys.modules)))
        return write(outlet, data)

    Outlet.write = noting  # type: ignore[method-assign,assignment]  # for this process alone


def main() -> int:
    """Run it."""
    variant, place = sys.argv[1], sys.argv[2:]
    del sys.argv[1:]
    if variant == "without":
        without_credentials()
    if place:
        note_modules(Path(place[0]))
    from tui.cli import entry

    return entry()


if __name__ == "__main__":
    sys.exit(main())
