"""A vault on a temporary disk, over flexperto's emulator; and waiting for what must happen."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import AssetId
from vault.desk import Desk
from vault.transfers.retrying import Rhythm

QUICK = Rhythm(beat_s=0.05, backoff_s=0.02, hold_s=0.2, busy_s=0.05, settle_s=0.2, look_s=0.05)
ACCOUNT = "advice"


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that differ at every position, so that a shifted file is found out."""
    return random.Random(seed).randbytes(size)


async def until(condition: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Wait for a condition to hold and give its value; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)
    return value


def until_true(condition: Callable[[], Any], within_s: float = 10.0) -> Any:
    """The same without an event loop."""
    return asyncio.run(until(condition, within_s))


@dataclass
class Clock:
    """The present, and moved ahead at will."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def skip(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass
class World:
    """One flexperto account, its configuration and its desk (opened anew with `desk()`)."""

    folder: Path
    emulator: FlexpertoEmulator
    clock: Clock = field(default_factory=Clock)
    options: str = ""
    vault: str = ""
    rhythm: Rhythm = QUICK

    @property
    def environ(self) -> dict[str, str]:
        return {
            "REELDESK_CONFIG": str(self.folder / "config.toml"),
            "REELDESK_DATA": str(self.folder / "data"),
            "REELDESK_SECRET_ADVICE_API_KEY": self.emulator.api_key,
            "REELDESK_KEYRING": "off",
        }

    def write(self) -> None:
        text = f"""[vault]\npath = "vault"\n{self.vault}
[accounts.{ACCOUNT}]\nprovider = "flexperto"\nbase_url = "{self.emulator.base_url}"\npoll_s = 0\n{self.options}\n"""
        (self.folder / "config.toml").write_text(text)

    def desk(self) -> Desk:
        self.write()
        return Desk.open(self.environ, now=self.clock, rhythm=self.rhythm)

    def files(self) -> list[str]:
        """Every file in the vault, relative."""
        root = self.folder / "vault"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())

    def downloads(self) -> list[str]:
        return [line for line in self.emulator.faults.seen if line.endswith("/download")]


def world(net: Loopback, folder: Path) -> World:
    emulator = FlexpertoEmulator()
    net.serve(emulator)
    return World(folder, emulator)


def archive(name: str, conference: str | None = None) -> AssetId:
    """The identity of an archive added as `add_archive(name)`."""
    return AssetId.parse(f"{ACCOUNT}/{conference or f'conference-{name}'}/archive.{name}")
