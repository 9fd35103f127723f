"""kill -9 at any moment: what is under a final name is whole and in the ledger, and the next process goes on.

`REELDESK_KILLS` is the number of moments drawn at random (a soak takes hundreds), `REELDESK_SEED` draws others.
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
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from providers.emulation import Blob, Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import AssetId
from tests.vault.world import World, noise, until_true
from vault.transfers.fetch import OVERLAP_BYTES
from vault.views import LocalState, Query, TransferState

KILLS = int(os.environ.get("REELDESK_KILLS", "20"))
SEED = int(os.environ.get("REELDESK_SEED", "7"))
WORKERS = 4
SIZE = 250_000
HUNG_S = 60.0


def stored_zip(size: int, seed: int) -> Blob:
    """A zip of noise that is as large as its content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo("video.bin", (2026, 1, 1, 0, 0, 0)), noise(size, seed))
    return Blob.of(buffer.getvalue(), "application/zip")


class Asked(FlexpertoEmulator):
    """Keeps which archive was asked for, from which byte on."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.is_asked = threading.Event()
        super().__init__()

    async def _download(self, request: Request) -> Response:
        self.asked.append((request.path_params["archive_id"], request.headers.get("range", "")))
        self.is_asked.set()
        return await super()._download(request)


@dataclass(frozen=True)
class Row:
    """An asset and its transfer, as the ledger tells them."""

    archive: str
    kept: str
    path: str | None
    sha256: str
    size: int | None
    proof: str | None
    state: str | None
    transfers: int
    fetched: int


class Fetcher:
    """The process that fetches, killed at will, and what it leaves behind."""

    def __init__(self, process: "subprocess.Popen[str]", net: Loopback, folder: Path) -> None:
        self.process = process
        self.net = net
        self.emulator = Asked()
        net.serve(self.emulator)
        self.it = World(folder, self.emulator, vault=f"workers = {WORKERS}\nworkers_per_account = {WORKERS}")
        self.it.write()
        self.sums: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self._read: dict[tuple[str, int, int], str] = {}

    def add(self, name: str, size: int, seed: int) -> None:
        blob = stored_zip(size, seed)
        self.sums[name] = blob.sha256()
        self.emulator.add_archive(name, blob=blob)

    def learn(self) -> None:
        desk = self.it.desk()

        async def sync() -> None:
            await desk.sync("advice")
            await desk.aclose()

        asyncio.run(sync())
        desk.close()

    def live(self, *, die_at: int = 0, for_s: float | None = None) -> int:
        """Let a process work until its end, at most `for_s` seconds after it asks for bytes; gives its exit code.

        Then look at what the next one will find.
        """
        noted, held = self.noted(), {row.archive for row in self.rows() if row.kept == "held"}
        before = len(self.emulator.asked)
        self.emulator.is_asked.clear()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"environ": self.it.environ, "die_at": die_at}) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        ended = threading.Event()
        killer = threading.Thread(target=self._kill, args=(child, for_s, ended))
        killer.start()
        code = int(self.process.stdout.readline())
        ended.set()
        self.emulator.is_asked.set()
        killer.join()
        until_true(self.is_quiet)
        self.check_requests(noted, held, self.emulator.asked[before:])
        self.check_ledger()
        return code

    def _kill(self, child: int, for_s: float | None, ended: threading.Event) -> None:
        """A slow machine must not be killed before it has begun: the clock runs from the first request on."""
        if for_s is not None and self.emulator.is_asked.wait(HUNG_S):
            if not ended.wait(for_s):
                _end(child, signal.SIGKILL)
        elif not ended.wait(HUNG_S):
            _end(child, signal.SIGABRT)

    def is_quiet(self) -> bool:
        """Whether the emulator has seen every request of the process that is gone."""
        return not any(server.server_state.connections for server, _ in self.net._servers)

    def rows(self) -> list[Row]:
        ledger = sqlite3.connect(self.it.folder / "data" / "ledger.db")
        with contextlib.closing(ledger):
            assert ledger.execute("PRAGMA quick_check").fetchone() == ("ok",)
            found = ledger.execute(
                """SELECT a.identity, a.kept, a.path, a.sha256, a.held_size, a.proof, t.state,
                (SELECT count(*) FROM transfers WHERE asset_id = a.id),
                (SELECT count(*) FROM events e WHERE e.identity = a.identity AND e.what = 'fetched')
                FROM assets a LEFT JOIN transfers t ON t.asset_id = a.id"""
            )
            return [Row(AssetId.parse(identity).variant, *rest) for identity, *rest in found]

    def noted(self) -> dict[str, int]:
        """Of each archive that has a part: after how many bytes it can be continued."""
        parts = {}
        for row in self.rows():
            part, side = Path(f"{row.path}.part"), Path(f"{row.path}.part.json")
            if row.path is not None and part.exists():
                parts[row.archive] = json.loads(side.read_bytes())["durable"] if side.exists() else 0
        return parts

    def check_requests(self, noted: dict[str, int], held: set[str], asked: list[tuple[str, str]]) -> None:
        """What has a part is continued where that was noted, or begun anew; what is held is not asked for again."""
        first = dict(reversed(asked))
        assert not held & first.keys(), "what is held was fetched again"
        for archive, asked_for in first.items():
            durable = noted.get(archive, 0)
            if durable:
                assert asked_for == f"bytes={max(0, durable - OVERLAP_BYTES)}-", f"{durable} bytes were noted"
                self.counts["resumed"] += 1
            else:
                assert asked_for == ""
                self.counts["restarted" if archive in noted else "begun"] += 1

    def check_ledger(self) -> None:
        """The ledger and the disk tell the same."""
        rows = {row.path: row for row in self.rows() if row.path is not None}
        files = {str(self.it.folder / "vault" / name) for name in self.it.files()}
        for row in self.rows():
            assert row.transfers <= 1
            assert row.fetched == (row.kept == "held")
            assert (row.state == "done") == (row.kept == "held")
            assert row.state in (None, "queued", "running", "done"), row
            assert row.kept != "held" or row.path in files
        for file in files:
            place = file.removesuffix(".new").removesuffix(".json").removesuffix(".part")
            row = rows[place]  # whatever lies there is known
            if file == place:
                assert row.proof is not None
                assert (self.sha256(file), os.stat(file).st_size) == (row.sha256, row.size)
                assert row.sha256 == self.sums[row.archive]
            else:
                assert row.state in ("queued", "running"), f"{file} is nobody's"

    def sha256(self, file: str) -> str:
        """Read again only when it is another file than before."""
        there = os.stat(file)
        key = (file, there.st_ino, there.st_mtime_ns)
        if key not in self._read:
            self._read[key] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        return self._read[key]

    def count_left_behind(self) -> None:
        """In how many of the moments something was just going on."""
        rows = self.rows()
        published = [row.path is not None and Path(row.path).exists() for row in rows]
        open_rows = [(row, there) for row, there in zip(rows, published, strict=True) if row.kept != "held"]
        self.counts["left parts"] += bool(self.noted())
        self.counts["left a proof without its file"] += any(row.proof and not there for row, there in open_rows)
        self.counts["left a file that was not committed"] += any(there for _, there in open_rows)

    def left(self) -> int:
        """How many archives are not held yet."""
        return sum(row.kept != "held" for row in self.rows())

    def check_end(self) -> None:
        """All is held once, proven, and nothing is left over."""
        self._read.clear()
        self.check_ledger()
        desk = self.it.desk()
        try:
            for asset in desk.assets(Query()):
                assert asset.local is LocalState.HELD, desk.transfer(asset.identity)
                assert asset.sha256 == self.sums[asset.identity.variant]
                transfer = desk.transfer(asset.identity)
                assert transfer is not None
                assert transfer.state is TransferState.DONE
            assert len(self.it.files()) == len(self.sums)
        finally:
            desk.close()


def _end(process: int, ending: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, ending)


@pytest.fixture
def fetcher(net: Loopback, tmp_path: Path) -> Iterator[Fetcher]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.vault.fetcher"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        yield Fetcher(process, net, tmp_path)
        assert process.stdin is not None
        process.stdin.close()


def test_killed_at_random_moments(fetcher: Fetcher) -> None:
    """Four transfers at once; half of the moments by the clock, half by what is being done, in whatever thread."""
    moments, counts = random.Random(SEED), fetcher.counts
    fetcher.emulator.faults.bytes_per_s = 600_000
    added = 0
    for _ in range(KILLS):
        if not added or fetcher.left() < 2 * WORKERS:
            for number in range(added, added + 2 * WORKERS):
                fetcher.add(f"a{number}", moments.randrange(1_000, SIZE), number)
            added += 2 * WORKERS
            fetcher.learn()
        if moments.random() < 0.5:
            code = fetcher.live(for_s=moments.uniform(0.0, 0.5))
            counts["killed by the clock"] += code == -signal.SIGKILL
        else:
            code = fetcher.live(die_at=int(10 ** moments.uniform(0, 3)), for_s=0.8)
            counts["killed at an operation"] += code == -signal.SIGKILL
        fetcher.count_left_behind()
        assert code in (0, -signal.SIGKILL), [row for row in fetcher.rows() if row.kept != "held"]
    fetcher.emulator.faults.bytes_per_s = None
    assert fetcher.live() == 0
    fetcher.check_end()
    print(dict(counts))
    assert counts["killed by the clock"] + counts["killed at an operation"] >= KILLS * 3 // 4, counts
    assert counts["resumed"] >= KILLS // 4, counts


def test_killed_at_every_operation_of_the_disk_and_the_ledger(fetcher: Fetcher) -> None:
    """Each moment on an archive of its own, which the next process finishes."""
    step = 1 if KILLS >= 100 else 7
    for die_at in range(1 + SEED % step, 400, step):
        fetcher.add(f"a{die_at}", 70_000, die_at)
        fetcher.learn()
        code = fetcher.live(die_at=die_at)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        assert fetcher.live() == 0
    else:
        pytest.fail("it never got to its end")
    assert die_at > 30
    fetcher.check_end()
