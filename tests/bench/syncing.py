"""Syncing: a service with a long list, taken in page by page beside a clock that stands for the desk's screen.

`python -m tests.bench --only syncing` measures this alone and renews its section of the page.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.ours import Clock
from tests.bench.report import BAR_HEAD, SAME_MEMORY, Bar, Row, aligned
from tests.bench.results import BenchError, Spread, Ticks

GROUP = "syncing"
TITLE = "Syncing"
MANY, FEWER = 100_000, 20_000
PAGE = 250
IDLE_S = 5.0
_LEAST_A_SECOND = 5_000
_TIMES_IDLE = 2.0
_PATIENCE_S = 600
_SYNC = "beside the sync"
_APART = "beside the sync, in another process"


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync from nothing, the indexing behind it, and one more sync that finds everything as it was."""

    records: int
    wall_s: float
    cpu_s: float
    """Of the whole process."""
    ledger_s: float
    """Of it in the ledger."""
    ledger_cpu_s: float
    page_p50_ms: float
    page_p99_ms: float
    behind_s: float
    """From the end of the sync until a search looks through everything."""
    again_s: float
    before_bytes: int
    peak_bytes: int
    ticks: dict[str, Ticks]

    @property
    def late(self) -> float:
        """How late the clock was beside the sync, of how late it is idle (p99)."""
        return self.ticks[_SYNC].p99_ms / self.ticks["idle"].p99_ms


@dataclass(frozen=True, slots=True)
class Synced:
    """One run of this part of the bench."""

    day: str
    rounds: int
    syncs: tuple[Sync, ...]

    def of(self, records: int) -> list[Sync]:
        """The syncs of a list of this length."""
        return [sync for sync in self.syncs if sync.records == records]


# Measuring


def sync(folder: Path | None, records: int, idle_s: float = IDLE_S) -> Sync:
    """A service and a desk, each a process of its own. Raises BenchError."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.syncing_server", str(records), str(PAGE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        base = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory(prefix="reeldesk-bench-", dir=folder) as place:
            line = [sys.executable, "-m", "tests.bench.syncing_desk", place, base, str(idle_s)]
            told, clock = asyncio.run(_beside_a_clock(line))
        told["ticks"][_APART] = asdict(clock.between(told.pop("began"), told.pop("ended")))
        if told.pop("words") != f"advice: {records} meetings, {records} new":
            raise BenchError(f"not all was synced: {told}")
        return _sync_of(told)
    finally:
        server.kill()
        server.communicate()


async def _beside_a_clock(line: Sequence[str]) -> tuple[dict[str, Any], Clock]:
    """What a desk tells, and a clock in this process meanwhile: what two cores do to one that only sleeps."""
    clock = Clock()
    ticking = asyncio.create_task(clock.run())
    desk = await asyncio.create_subprocess_exec(*line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = await asyncio.wait_for(desk.communicate(), _PATIENCE_S)
    except TimeoutError:
        desk.kill()
        raise BenchError("the sync takes too long") from None
    finally:
        ticking.cancel()
    if desk.returncode:
        raise BenchError(f"the sync ended with {desk.returncode}: {err.decode(errors='replace')[-2000:]}")
    told: dict[str, Any] = json.loads(out)
    return told, clock


def _sync_of(told: dict[str, Any]) -> Sync:
    return Sync(**{**told, "ticks": {phase: Ticks(**ticks) for phase, ticks in told["ticks"].items()}})


def measure(folder: Path | None, count: int, seed: int, day: str, tell: Callable[[str], None]) -> Synced:
    """Both lengths, `count` times each. Raises BenchError. `seed` changes nothing: there is one order."""
    found: list[Sync] = []
    for number in range(1, count + 1):
        for records in (FEWER, MANY):
            one = sync(folder, records)
            found.append(one)
            tell(
                f"round {number}/{count}  {records} records in {one.wall_s:.1f} s, {one.ledger_s:.1f} s of it in the"
                f" ledger; clock {one.late:.1f} times as late as idle"
            )
    return Synced(day, count, tuple(found))


# Telling


def bars(synced: Synced) -> list[Bar]:
    """What the issue promises of it."""
    many, fewer = synced.of(MANY), synced.of(FEWER)
    ledger = [1e6 * one.ledger_s / one.records for one in many]
    late = [one.late for one in many]
    memory = [mine.peak_bytes / other.peak_bytes for mine, other in zip(many, fewer, strict=True)]
    least = 1e6 / _LEAST_A_SECOND
    words = f"{MANY} records: microseconds a record in the ledger ({least:.0f}: {_LEAST_A_SECOND} a second)"
    return [
        Bar(words, median(ledger), least, Spread.of(ledger)),
        Bar("clock beside the sync: p99 delay, of the idle one", median(late), _TIMES_IDLE, Spread.of(late)),
        Bar(f"peak memory, of that with {FEWER} records", median(memory), SAME_MEMORY, Spread.of(memory)),
    ]


def table(synced: Synced) -> tuple[Row, list[Row]]:
    """Head and rows: medians."""
    head = ("", *(f"{records} records" for records in (FEWER, MANY)))
    told: list[tuple[str, Callable[[Sync], float], str]] = [
        ("whole sync, s", lambda one: one.wall_s, ".1f"),
        ("… records a second", lambda one: one.records / one.wall_s, ".0f"),
        ("… CPU s of the desk", lambda one: one.cpu_s, ".1f"),
        ("in the ledger: records a second", lambda one: one.records / one.ledger_s, ".0f"),
        ("… records a CPU second", lambda one: one.records / one.ledger_cpu_s, ".0f"),
        (f"… ms a page of {PAGE}, p50", lambda one: one.page_p50_ms, ".1f"),
        ("… p99", lambda one: one.page_p99_ms, ".1f"),
        ("until all is searched, s more", lambda one: one.behind_s, ".1f"),
        ("the same sync again, s", lambda one: one.again_s, ".1f"),
        ("clock, idle: p99 ms", lambda one: one.ticks["idle"].p99_ms, ".2f"),
        ("clock, beside the sync: p50 ms", lambda one: one.ticks[_SYNC].p50_ms, ".2f"),
        ("… p99 ms", lambda one: one.ticks[_SYNC].p99_ms, ".2f"),
        ("… latest ms", lambda one: one.ticks[_SYNC].max_ms, ".1f"),
        ("… p99 ms of one in another process", lambda one: one.ticks[_APART].p99_ms, ".2f"),
        ("memory before, MB", lambda one: one.before_bytes / 1e6, ".1f"),
        ("memory at most, MB", lambda one: one.peak_bytes / 1e6, ".1f"),
    ]
    rows: list[Row] = []
    for words, figure, form in told:
        spreads = [Spread.of([figure(one) for one in synced.of(records)]) for records in (FEWER, MANY)]
        rows.append((words, *(f"{s.median:{form}} ({s.low:{form}}–{s.high:{form}})" for s in spreads)))
    return head, rows


def text(synced: Synced) -> str:
    """Everything for a terminal."""
    return f"{TITLE}\n{aligned(*table(synced))}\n\n{aligned(BAR_HEAD, [bar.row() for bar in bars(synced)])}"


def section(synced: Synced, notes: str, drawn: Callable[[Row, Sequence[Row]], str]) -> str:
    """The page's section. `drawn` makes a table of head and rows; `notes`: what a person has to say about it."""
    parts = [
        f"## {TITLE}",
        f"Measured on {synced.day}; `make bench` renews it, and `python -m tests.bench --only {GROUP}` it alone.",
        drawn(BAR_HEAD, [bar.row() for bar in bars(synced)]),
        notes.strip(),
        drawn(*table(synced)),
        _METHOD.format(rounds=synced.rounds, page=PAGE, idle=IDLE_S).strip(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_METHOD = """
- flexperto's emulator, in a process of its own, lists available archives in pages of {page}; a record is an archive
  with its conference, people and SHA-256, which becomes two rows, an event in the chained log, a search text and
  entries in all indexes. The desk begins with an empty ledger in a process of its own, over loopback HTTP. Given are
  medians of {rounds} rounds, with the lowest and the highest.
- "In the ledger" is from handing a page over until its transaction has ended, on the thread that writes it.
- The search index is filled behind the sync by the engine: "until all is searched" is from the end of the sync.
- The clock stands for the screen: an event loop in the main thread that sleeps 10 ms again and again, while the engine
  works on its own thread in the same process. A delay is how much later than 10 ms it woke; idle is {idle:.0f} s before
  the sync. Collections and turns of threads are set as the desk sets them. The one in another process does nothing but
  sleep so, beside the same sync: no program on these two cores is woken sooner than that.
"""


# Saved


def save(synced: Synced, path: Path) -> None:
    """Write everything down as JSON."""
    path.write_text(json.dumps(asdict(synced), indent=1) + "\n")


def load(path: Path) -> Synced:
    """Read what `save` wrote. Raises BenchError."""
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        return Synced(document["day"], document["rounds"], tuple(map(_sync_of, document["syncs"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(f"{path} holds no syncs: {error}") from None
