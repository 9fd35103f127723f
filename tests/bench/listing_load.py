"""Downloads beside the list: eight at full speed while keys are pressed, and fifty that are watched."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.bench.keyed import Program
from tests.bench.listing_programs import SIZES, desk
from tests.bench.results import BenchError
from vault.ledger import Ledger
from vault.views import TransferState

FEW, FEW_BYTES = 8, 3 << 30
MANY, MANY_BYTES, MANY_BYTES_S = 50, 8 << 20, 100_000
"""So that each of them lives for over a minute, and all together need little of the disk."""
BESIDE = f"{FEW} downloads"
IN_THE_DOCK = f"{MANY} downloads, in the dock"
IN_THE_LIST = f"{MANY} downloads, in mode 2"
MODES: Mapping[str, str] = MappingProxyType({IN_THE_DOCK: "1", IN_THE_LIST: "2"})
"""The key of each."""
_PATIENCE_S = 120.0
_RUNNING = " ↓ "
"""Each of the dock's lines begins with it."""
_CHECKOUT = Path(__file__).parents[2]
_TWO_ACCOUNTS = """\
[vault]
path = "vault"
workers = 32
workers_per_account = 32

[accounts.advice]
provider = "flexperto"
base_url = "{base}"
poll_s = 0
auto_fetch = true

[accounts.archive]
provider = "flexperto"
base_url = "{base}"
poll_s = 0
auto_fetch = true
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a desk wrote in so many seconds while downloads were shown, and its memory."""

    name: str
    bytes_s: float
    resident_bytes: int


@contextlib.contextmanager
def archives(count: int, size: int, bytes_s: int = 0) -> Iterator[str]:
    """A service with archives that take long to fetch, each at so many bytes a second; gives its address."""
    line = [sys.executable, "-m", "tests.bench.syncing_server", str(count), "250", str(size), str(bytes_s)]
    server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_CHECKOUT)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.communicate()


@contextlib.contextmanager
def under_load(place: Path, size: int) -> Iterator[Program]:
    """A desk over so many meetings with a few downloads at full speed. Raises BenchError."""
    with archives(FEW, FEW_BYTES) as base, tempfile.TemporaryDirectory(dir=place) as loaded:
        driven = desk(Path(loaded) / "desk", size, base)
        program = Program(driven.argv, driven.environ, driven.first, driven.folder)
        try:
            program.watch(2.0)
            _wait_for_parts(Path(loaded) / "desk" / "vault")
            program.settle(0.02)
            program.ends_above(_RUNNING)  # what is below tells of downloads whenever something happens to them
            yield program
        finally:
            program.close()


def _wait_for_parts(vault: Path) -> None:
    """Until all downloads are under way. Raises BenchError."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while sum(part.stat().st_size > 1 << 20 for part in vault.rglob("*.part")) < FEW:
        if time.monotonic() > give_up_at:
            raise BenchError(f"not all {FEW} downloads began in {_PATIENCE_S:g} s")
        time.sleep(0.2)


def has_room(folder: Path) -> bool:
    """Whether the disk has room for what is fetched at full speed."""
    return shutil.disk_usage(folder).free > (FEW + 2) * FEW_BYTES


def watch_many(
    place: Path, seconds: float, count: int = MANY, meetings: int = SIZES[0], before_s: float = 3.0
) -> tuple[Watched, ...]:
    """What a desk writes while so many downloads are shown live. Raises BenchError where one does not live so long.

    A desk runs 32 at most: the others are run by `reeldesk work` on the same ledger. `before_s`: until all is drawn
    that is there whether anything moves or not.
    """
    accounts = 2
    with archives(count // accounts, MANY_BYTES, MANY_BYTES_S) as base, tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name) / "desk"
        driven = desk(folder, meetings, base)
        (folder / "config.toml").write_text(_TWO_ACCOUNTS.format(base=base))
        environ = {**driven.environ, "REELDESK_SECRET_ARCHIVE_API_KEY": "flexperto-key"}
        program = Program(driven.argv, environ, driven.first, driven.folder)
        try:
            with _worker(environ):
                ledger = Ledger(folder / "data" / "ledger.db")
                try:
                    return tuple(_watch(program, ledger, count, (before_s, seconds), name) for name in MODES)
                finally:
                    ledger.close()
        finally:
            program.close()


def _watch(program: Program, ledger: Ledger, count: int, seconds: tuple[float, float], name: str) -> Watched:
    give_up_at = time.monotonic() + _PATIENCE_S
    while _running(ledger) < count:
        program.watch(0.2)  # a terminal reads all the while
        if time.monotonic() > give_up_at:
            raise BenchError(f"{_running(ledger)} of {count} downloads ran after {_PATIENCE_S:g} s")
    program.send(MODES[name])
    program.watch(seconds[0])
    found = Watched(name, program.watch(seconds[1]) / seconds[1], program.memory())
    if _running(ledger) < count:
        raise BenchError(f"not all of {count} downloads lived until they had been watched")
    return found


def _running(ledger: Ledger) -> int:
    return ledger.transfer_lines.tally().get(TransferState.RUNNING, 0)


@contextlib.contextmanager
def _worker(environ: Mapping[str, str]) -> Iterator[None]:
    line = [sys.executable, "-m", "tui", "work"]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(line, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=dict(environ), cwd=_CHECKOUT)
    try:
        yield
    finally:
        process.kill()
        process.wait()
