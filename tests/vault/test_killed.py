"""kill -9 at any moment: what is under a final name is whole and in the ledger, and the next process finishes.

`REELDESK_KILLS` is the number of moments drawn at random; a soak may take hundreds.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.emulation import Blob, Loopback
from tests.vault.world import World, noise, world
from vault.views import LocalState, Query, TransferState

KILLS = int(os.environ.get("REELDESK_KILLS", "20"))
SEED = int(os.environ.get("REELDESK_SEED", "7"))
STALE_S = 20.0


def stored_zip(size: int, seed: int) -> Blob:
    """A zip of noise that is as large as its content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo("video.bin", (2026, 1, 1, 0, 0, 0)), noise(size, seed))
    return Blob.of(buffer.getvalue(), "application/zip")


class Fetcher:
    """The process that fetches; `run` lets it work until it dies, `kill_after` sees to that."""

    def __init__(self, process: "subprocess.Popen[str]", world: World) -> None:
        self.process = process
        self.world = world

    def start(self, die_at: int = 0) -> int:
        self.world.clock.skip(STALE_S)  # what a killed process had claimed is nobody's by then
        ahead = self.world.clock.ahead.total_seconds()
        order = {"environ": self.world.environ, "ahead_s": ahead, "die_at": die_at}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture
def fetcher(net: Loopback, tmp_path: Path) -> Iterator[Fetcher]:
    it = world(net, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.vault.fetcher"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        yield Fetcher(process, it)
        assert process.stdin is not None
        process.stdin.close()


def check_promise(it: World, name: str = "") -> None:
    """A file (of the named archive, else of all) under its final name is whole, and its sha256 is in the ledger."""
    ledger = sqlite3.connect(it.folder / "data" / "ledger.db")
    with contextlib.closing(ledger):
        known = dict(ledger.execute("SELECT path, sha256 FROM assets WHERE path IS NOT NULL"))
    whole = {archive.blob.sha256() for archive in it.emulator.archives.values()}
    for file in it.files():
        if ".part" not in file and f"-{name}" in file:
            path = it.folder / "vault" / file
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            assert sha256 in whole, f"{file} is not whole"
            assert known[str(path)] == sha256


def check_end(it: World) -> None:
    """All is held once, nothing is left over, and each was fetched once by the trail."""
    desk = it.desk()
    try:
        for asset in desk.assets(Query()):
            assert asset.local is LocalState.HELD, desk.transfer(asset.identity)
            assert asset.sha256 == it.emulator.archives[asset.identity.variant].blob.sha256()
            assert hashlib.sha256(Path(asset.path).read_bytes()).hexdigest() == asset.sha256
            assert [event.what for event in desk.trail(asset.identity)].count("fetched") == 1
            transfer = desk.transfer(asset.identity)
            assert transfer is not None
            assert transfer.state is TransferState.DONE
        assert len(it.files()) == len(it.emulator.archives)
    finally:
        desk.close()


def learn(it: World) -> None:
    desk = it.desk()
    asyncio.run(_sync(desk))
    desk.close()


async def _sync(desk: object) -> None:
    await desk.sync("advice")  # type: ignore[attr-defined]
    await desk.aclose()  # type: ignore[attr-defined]


def test_killed_at_random_moments(fetcher: Fetcher) -> None:
    it, moments = fetcher.world, random.Random(SEED)
    it.emulator.faults.bytes_per_s = 600_000
    for number in range(3):
        it.emulator.add_archive(f"a{number}", blob=stored_zip(400_000, number))
    learn(it)
    killed = 0
    for _ in range(KILLS):
        child = fetcher.start()
        time.sleep(moments.uniform(0.0, 0.5))  # the moment to be killed at
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        killed += fetcher.end() == -signal.SIGKILL
        check_promise(it)
        if not it.files() or all(".part" not in name for name in it.files()):
            it.emulator.add_archive(f"b{killed}", blob=stored_zip(400_000, 100 + killed))
            learn(it)
    it.emulator.faults.bytes_per_s = None
    fetcher.start()
    assert fetcher.end() == 0
    check_promise(it)
    check_end(it)
    assert killed >= KILLS // 2


def test_killed_at_every_operation_of_the_disk_and_the_ledger(fetcher: Fetcher) -> None:
    """Each moment on an archive of its own, which the next process finishes."""
    it = fetcher.world
    for die_at in range(1, 200):
        it.emulator.add_archive(f"a{die_at}", blob=stored_zip(70_000, die_at))
        learn(it)
        fetcher.start(die_at)
        code = fetcher.end()
        check_promise(it, f"a{die_at}")
        if code == 0:
            break
        assert code == -signal.SIGKILL
        fetcher.start()
        assert fetcher.end() == 0
    else:
        pytest.fail("it never got to its end")
    assert die_at > 15
    check_promise(it)
    check_end(it)
