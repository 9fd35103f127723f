"""A folder in which every source can have a secret, and the sealed file that is made quickly."""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.vault.test_secrets import KEY, Ring, thread
from vault.passphrase import Passphrase
from vault.sealed_file import SealedKeyring
from vault.sealed_format import Kdf
from vault.secrets import Secrets, Source

SEALED_WORDS = Passphrase("correct horse")
QUICK = Kdf("argon2id", (1, 19 * 1024, 1))
ORDER = tuple(Source)[:-1]


@dataclass
class Place:
    """A folder in which every source can have the secret."""

    folder: Path
    ring: Ring
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.folder / "secrets.sealed"

    def sealed(self, *, unlocked: bool = True) -> SealedKeyring:
        """The sealed file as another process has it, made where there is none."""
        made = SealedKeyring(self.path, kdf=QUICK)
        if not self.path.exists():
            made.create(SEALED_WORDS)
        elif unlocked:
            made.unlock(SEALED_WORDS)
        if not unlocked:
            made.lock()
        return made

    def private(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.touch(0o600)
        path.write_text(content)
        return path

    def give(self, source: Source) -> None:
        """Let a source have the secret; its value names the source."""
        if source is Source.ENVIRONMENT:
            self.environ[KEY] = "of-environment"
        elif source is Source.FILE:
            self.environ[f"{KEY}_FILE"] = str(self.private("file", "of-file\n"))
        elif source is Source.SYSTEMD:
            (self.folder / "systemd").mkdir()
            (self.folder / "systemd" / KEY).write_text("of-systemd")
            self.environ["CREDENTIALS_DIRECTORY"] = str(self.folder / "systemd")
        elif source is Source.COMMAND:
            self.commands["my-agents"] = ("sh", "-c", 'test "$1" = api_key && echo of-command', "sh", "{name}")
        elif source is Source.KEYRING:
            self.ring.kept["reeldesk", "my-agents/api_key"] = "of-keyring"
        elif source is Source.SEALED:
            self.sealed().set_password("reeldesk", "my-agents/api_key", "of-sealed")

    def secrets(self, sealed: SealedKeyring | None = None, environ: Mapping[str, str] | None = None) -> Secrets:
        place = sealed or (self.sealed() if self.path.exists() else self.path)
        return Secrets(self.environ | dict(environ or {}), thread(self.ring), commands=self.commands, sealed=place)

    def passphrase_file(self, passphrase: str = "correct horse") -> dict[str, str]:
        return {"REELDESK_PASSPHRASE_FILE": str(self.private("passphrase", f"{passphrase}\n"))}


def forbid_getpass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may ask in the terminal: a desk is drawn there."""

    def asked(*args: object, **named: object) -> str:
        raise AssertionError("getpass was called")

    monkeypatch.setattr(getpass, "getpass", asked)
