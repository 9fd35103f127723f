"""A place of its own for every test (configuration, data, vault), and `reeldesk` to call in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from tui import cli

KEYRING = "keyring.backends.null.Keyring"
"""None: what is configured on the machine that runs the tests is not asked."""


@dataclass
class Place:
    """Folders, and the configuration as it is written so far."""

    root: Path

    @property
    def environ(self) -> dict[str, str]:
        return {
            "REELDESK_CONFIG": str(self.root / "config.toml"),
            "REELDESK_DATA": str(self.root / "data"),
            "PYTHON_KEYRING_BACKEND": KEYRING,
        }

    def configure(self, accounts: Mapping[str, Mapping[str, object]], vault: str = "vault") -> None:
        """Write config.toml."""
        lines = ["[vault]", f"path = {json.dumps(str(self.root / vault))}"]
        for name, options in accounts.items():
            lines += [f"[accounts.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in options.items())]
        (self.root / "config.toml").write_text("\n".join(lines), "utf-8")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Reeldesk:
    """Calls the command line in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str) -> Ran:
        self._capsys.readouterr()
        status = cli.main(list(argv))
        printed = self._capsys.readouterr()
        assert "Traceback" not in printed.err
        return Ran(status, printed.out, printed.err)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    here = Place(tmp_path)
    for name, value in here.environ.items():
        monkeypatch.setenv(name, value)
    return here


@pytest.fixture
def reeldesk(place: Place, capsys: pytest.CaptureFixture[str]) -> Reeldesk:
    return Reeldesk(capsys)


@pytest.fixture
def advice(place: Place, net: Loopback, monkeypatch: pytest.MonkeyPatch) -> FlexpertoEmulator:
    """A flexperto tenant as account `advice`: one archive that can be had, one in the making, one that failed."""
    emulator = FlexpertoEmulator()
    emulator.add_archive("a1", "c1", title="Beratung 会議")
    emulator.add_archive("a2", "c2", "PACKING", title="Still packing")
    emulator.add_archive("a3", "c3", "FAILED", title="Broken", error="no tracks were recorded")
    place.configure({"advice": {"provider": "flexperto", "base_url": net.serve(emulator), "timeout_s": 5}})
    monkeypatch.setenv("REELDESK_SECRET_ADVICE_API_KEY", emulator.api_key)
    return emulator
