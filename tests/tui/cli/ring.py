"""A system keyring for tests: what is kept lies in the file that REELDESK_TEST_RING names."""

import getpass
import json
import os
import subprocess
import sys
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class Ring(KeyringBackend):
    """Keeps secrets in a file."""

    priority = 1.0

    def _path(self) -> Path:
        return Path(os.environ["REELDESK_TEST_RING"])

    def _kept(self) -> dict[str, str]:
        return dict(json.loads(self._path().read_text())) if self._path().exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path().write_text(json.dumps(self._kept() | {f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        kept = self._kept()
        if kept.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError(username)
        self._path().write_text(json.dumps(kept))


class AskingRing(Ring):
    """Asks for its password in the terminal before it answers, as some do."""

    def get_password(self, service: str, username: str) -> str | None:
        getpass.getpass("your keyring's password: ")
        return super().get_password(service, username)


class SpawningRing(Ring):
    """Has another program answer, as some do; it writes down what environment it was given."""

    def get_password(self, service: str, username: str) -> str | None:
        script = "import os, sys; open(sys.argv[1], 'w').write(repr(dict(os.environ)))"
        subprocess.run([sys.executable, "-c", script, f"{self._path()}.environ"], check=True)
        return super().get_password(service, username)
