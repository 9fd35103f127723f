"""The sealed file is locked by whoever lives long, and at an end nobody waits for a store that hangs."""

import asyncio
import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.tui.cli.conftest import Place
from tests.vault.secret_place import QUICK, SEALED_WORDS
from tests.vault.test_secrets import Ring
from tests.vault.world import until
from tui.commandline.output import Output
from tui.commandline.session import keeping_secrets, on_loop
from tui.commandline.takeover import finish
from vault.desk import Desk
from vault.errors import VaultError
from vault.keyrings import KeyringThread
from vault.sealed_file import SealedKeyring
from vault.secrets import Secrets, Source

HUNG_S = 30.0
LONG_S = 1_000_000.0


class Late:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sealed_at(path: Path, clock: Late) -> SealedKeyring:
    ring = SealedKeyring(path / "secrets.sealed", kdf=QUICK, clock=clock)
    ring.create(SEALED_WORDS)
    return ring


async def test_it_is_locked_when_idle(tmp_path: Path) -> None:
    clock = Late()
    ring = sealed_at(tmp_path, clock)
    with keeping_secrets(Secrets({}, KeyringThread(Ring, off=True), sealed=ring), every_s=0.001):
        await asyncio.sleep(0.05)
        assert ring.state()[0] == "available"
        clock.now = LONG_S
        await until(lambda: ring._opened is None)  # `state` would lock it by itself
    assert ring.state()[0] == "locked"


@pytest.fixture
def hang_up() -> Iterator[None]:
    """SIGHUP as it was before, afterwards."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hang_up")
async def test_a_hang_up_locks_it_in_the_process_that_took_over(place: Place, tmp_path: Path) -> None:
    place.configure({})
    ours, theirs = os.pipe()
    with closing(Desk.open(os.environ)) as desk:
        ring = sealed_at(tmp_path, Late())
        ring.set_password("reeldesk", "advice/api_key", "kept")
        desk.secrets = Secrets({}, KeyringThread(Ring, off=True), sealed=ring)
        assert desk.secrets.find("advice", "api_key") is not None
        taking = asyncio.create_task(finish(desk, Output(stderr=io.StringIO()), descriptor=ours))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: ring.state()[0] == "locked")
        assert desk.secrets.source("advice", "api_key") is not Source.SEALED
        assert not taking.done(), "it lives on"
        os.close(theirs)
        assert await taking == 0
    os.close(ours)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


class Hung(Ring):
    """A keyring that does not answer."""

    began = threading.Event()
    over = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.began.set()
        self.over.wait(HUNG_S)
        return None


def test_a_command_that_ends_waits_for_no_store(place: Place) -> None:
    place.configure({})
    seen: list[str] = []

    def hang(desk: Desk) -> None:
        desk.secrets = Secrets({}, KeyringThread(Hung, HUNG_S))

    async def work(desk: Desk) -> int:
        finding = asyncio.create_task(asyncio.to_thread(find, desk.secrets, seen))
        await asyncio.to_thread(Hung.began.wait, HUNG_S)
        finding.cancel()
        return 3

    start = time.monotonic()
    try:
        assert on_loop(os.environ, work, first=hang) == 3
        assert time.monotonic() - start < HUNG_S / 2
    finally:
        Hung.over.set()
    assert seen == ["not waited for"]


def find(secrets: Secrets, seen: list[str]) -> None:
    assert secrets.find("advice", "api_key") is None
    words = secrets.where("advice", "api_key")
    seen.append("not waited for" if "not waited for" in words else words)


def test_after_the_end_no_store_is_asked(tmp_path: Path) -> None:
    secrets = Secrets({}, KeyringThread(Ring), sealed=sealed_at(tmp_path, Late()))
    secrets.close()
    with pytest.raises(VaultError, match="is ending"):
        secrets.forget_stored("advice", "api_key")
