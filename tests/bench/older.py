"""A ledger of an older version: how long it is brought up, what is told meanwhile, and what an interrupt costs.

`python -m tests.bench --only older` measures this alone and renews its section of the page.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.ledgers import copied
from tests.bench.older_ledgers import older_ledger_of
from tests.bench.older_opening import INTERRUPTED
from tests.bench.report import BAR_HEAD, Bar, Row, aligned
from tests.bench.results import BenchError, Spread

GROUP = "older"
TITLE = "A ledger of an older version"
SIZES = (1_000, 100_000, 1_000_000)
LEAST, MOST = SIZES[0], SIZES[-1]
SILENT_S = 1.0
ENDED_S = 1.0
"""Both are our own reading: the issue says that it shows progress and can be interrupted, and names no figures."""
FLAT = 1.15
"""What the issue calls flat from a thousand meetings to a million."""
_PATIENCE_S = 3_600
_CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening, to its end or until it was interrupted. Times in seconds, from the opening's beginning."""

    meetings: int
    is_whole: bool
    wall_s: float
    cpu_s: float
    told: int
    """How often the watcher was."""
    silent_p50_s: float
    """Between two times that it was told."""
    silent_p99_s: float
    silent_worst_s: float
    silent_in: str
    """What was being done in the longest."""
    phases: tuple[tuple[str, float], ...]
    """What was done, in its order, and how long."""
    peak_bytes: int
    ended_s: float = 0.0
    """From the interrupt to the end of the process; 0.0: there was none, or it was brought up before."""

    @property
    def last(self) -> str:
        """What was being done at its end."""
        return self.phases[-1][0] if self.phases else ""


@dataclass(frozen=True, slots=True)
class Broken:
    """A ledger that was interrupted once in each phase, and brought up in so many openings."""

    meetings: int
    openings: tuple[Opening, ...]

    @property
    def wall_s(self) -> float:
        """Of all of them."""
        return sum(one.wall_s for one in self.openings)

    @property
    def ended_s(self) -> list[float]:
        """How soon each interrupt ended it."""
        return [one.ended_s for one in self.openings if not one.is_whole]


@dataclass(frozen=True, slots=True)
class Older:
    """One run of this part of the bench."""

    day: str
    whole: tuple[Opening, ...]
    broken: tuple[Broken, ...]

    def of(self, meetings: int) -> list[Opening]:
        """The openings of a ledger of this size that nobody interrupted."""
        return [one for one in self.whole if one.meetings == meetings]

    def broken_of(self, meetings: int) -> Broken | None:
        """The one of this size that was interrupted."""
        return next((one for one in self.broken if one.meetings == meetings), None)

    @property
    def sizes(self) -> list[int]:
        """Those that were measured."""
        return sorted({one.meetings for one in self.whole})


# Measuring


@dataclass(frozen=True, slots=True)
class Moment:
    """When an interrupt comes: so many seconds after this was first told."""

    words: str
    after_s: float


@contextlib.contextmanager
def older_folder(folder: Path | None, meetings: int, kept: Path | None = None) -> Iterator[Path]:
    """A folder with a ledger of version 3 in `data`; it is on the disk, so that nothing waits for that later."""
    with tempfile.TemporaryDirectory(prefix="reeldesk-bench-", dir=folder) as name:
        copied(older_ledger_of(meetings, kept), Path(name) / "data" / "ledger.db")
        os.sync()
        yield Path(name)


def bring_up(place: Path, meetings: int, moment: Moment | None = None) -> Opening:
    """Open the ledger in a process of its own; interrupt it at a moment. Raises BenchError."""
    with (place / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.older_opening", str(place)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=_CHECKOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C.UTF-8", "REELDESK_KEYRING": "off"},
        )
    try:
        assert process.stdout is not None
        lines, interrupted_at = list[str](), 0.0
        for line in process.stdout:
            lines.append(line)
            if moment is not None and line.strip() == moment.words and not interrupted_at:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(moment.after_s)
                interrupted_at = time.perf_counter()
                process.send_signal(signal.SIGINT)
        status = process.wait(_PATIENCE_S)
        ended_s = time.perf_counter() - interrupted_at
    finally:
        process.kill()
        process.communicate()
    if status not in (0, INTERRUPTED):
        raise BenchError(f"to bring a ledger up ended with {status}: {(place / 'stderr').read_text()[-2000:]}")
    return opening_of({**json.loads(lines[-1]), "meetings": meetings, "ended_s": ended_s if status else 0.0})


def opening_of(told: dict[str, Any]) -> Opening:
    """From what was written as JSON."""
    return Opening(**{**told, "phases": tuple((words, seconds) for words, seconds in told["phases"])})


def break_up(place: Path, whole: Opening, tell: Callable[[str], None]) -> Broken:
    """Interrupt it once in the middle of each phase that the opening had which was `whole`; go on to the end."""
    openings = list[Opening]()
    moments = [Moment(words, seconds / 2) for words, seconds in whole.phases]
    for moment in [*moments, None]:
        one = bring_up(place, whole.meetings, moment)
        openings.append(one)
        if one.is_whole:
            break
        tell(f"{whole.meetings:,} meetings: interrupted in “{one.last}”, ended in {one.ended_s:.2f} s")
    return Broken(whole.meetings, tuple(openings))


def measure(folder: Path | None, count: int, seed: int, day: str, tell: Callable[[str], None]) -> Older:
    """All of it. Raises BenchError. The largest is brought up once, whatever `count`; `seed` changes nothing."""
    whole, broken = list[Opening](), list[Broken]()
    for meetings in SIZES:
        tell(f"making the ledger of version 3 with {meetings:,} meetings (a million take minutes, once)")
        older_ledger_of(meetings)
        for number in range(1 if meetings == MOST else count):
            with older_folder(folder, meetings) as place:
                one = bring_up(place, meetings)
            whole.append(one)
            tell(
                f"round {number + 1}  {meetings:,} meetings brought up in {one.wall_s:.1f} s, {one.cpu_s:.1f} s of CPU;"
                f" silent for {one.silent_worst_s:.2f} s at most ({one.silent_in})"
            )
        if meetings != LEAST:  # that one is over before anyone could interrupt it
            with older_folder(folder, meetings) as place:
                broken.append(break_up(place, whole[-1], tell))
    return Older(day, tuple(whole), tuple(broken))


# Telling


def bars(older: Older) -> list[Bar]:
    """Our own, for what the issue promises in words."""
    found = list[Bar]()
    silences = [one.silent_worst_s for one in older.of(MOST)]
    if silences:
        words = f"{MOST:,} meetings: longest time in which nothing is told"
        found.append(Bar(words, max(silences), SILENT_S, Spread.of(silences), " s"))
    parts = older.broken_of(MOST)
    if parts is not None and parts.ended_s:
        words = f"{MOST:,} meetings: from an interrupt to the end, the worst of {len(parts.ended_s)}"
        found.append(Bar(words, max(parts.ended_s), ENDED_S, Spread.of(parts.ended_s), " s"))
    peaks = [[one.peak_bytes for one in older.of(meetings)] for meetings in (MOST, LEAST)]
    if all(peaks):
        ratios = [peak / median(peaks[1]) for peak in peaks[0]]
        found.append(Bar(f"peak memory, of that with {LEAST:,}", median(ratios), FLAT, Spread.of(ratios)))
    return found


_TOLD: tuple[tuple[str, Callable[[Opening], float], str], ...] = (
    ("brought up in, s", lambda one: one.wall_s, ".1f"),
    ("… CPU s", lambda one: one.cpu_s, ".1f"),
    ("… CPU µs a meeting", lambda one: 1e6 * one.cpu_s / one.meetings, ".0f"),
    ("the watcher is told, times", lambda one: one.told, ".0f"),
    ("nothing is told for, ms: p50", lambda one: 1000 * one.silent_p50_s, ".1f"),
    ("… p99", lambda one: 1000 * one.silent_p99_s, ".1f"),
    ("… longest", lambda one: 1000 * one.silent_worst_s, ".0f"),
    ("memory at most, MB", lambda one: one.peak_bytes / 1e6, ".1f"),
)
_BROKEN: tuple[tuple[str, Callable[[Broken], float], str], ...] = (
    ("interrupts", lambda one: len(one.ended_s), ".0f"),
    ("from an interrupt to the end, s: p50", lambda one: median(one.ended_s or [0.0]), ".2f"),
    ("… worst", lambda one: max(one.ended_s, default=0.0), ".2f"),
    ("all parts together, s", lambda one: one.wall_s, ".1f"),
)


def table(older: Older) -> tuple[Row, list[Row]]:
    """Head and rows: medians of the openings, then what interrupts cost."""
    rows = list[Row]()
    for words, figure, form in _TOLD:
        spreads = [Spread.of([figure(one) for one in older.of(meetings)]) for meetings in older.sizes]
        rows.append((words, *(f"{s.median:{form}} ({s.low:{form}}–{s.high:{form}})" for s in spreads)))
    parts = [older.broken_of(meetings) for meetings in older.sizes]
    for words, of_parts, form in _BROKEN:
        rows.append((words, *("" if one is None else f"{of_parts(one):{form}}" for one in parts)))
    shares = [one and one.wall_s / median(whole.wall_s for whole in older.of(one.meetings)) for one in parts]
    rows.append(("… of one opening's", *("" if share is None else f"{share:.2f}" for share in shares)))
    return ("", *(f"{meetings:,} meetings" for meetings in older.sizes)), rows


def phases(older: Older) -> tuple[Row, list[Row]]:
    """Head and rows: where the time goes, and how soon an interrupt there ended it."""
    rows = list[Row]()
    largest = older.sizes[-1]
    whole, parts = older.of(largest)[-1], older.broken_of(largest)
    ended = {one.last: one.ended_s for one in parts.openings if not one.is_whole} if parts is not None else {}
    for words, seconds in whole.phases:
        rows.append((words, f"{seconds:.1f}", f"{ended[words]:.2f}" if words in ended else ""))
    return (f"{largest:,} meetings: what is done", "s", "ended by an interrupt in, s"), rows


def text(older: Older) -> str:
    """Everything for a terminal."""
    tables = (table(older), phases(older), (BAR_HEAD, [bar.row() for bar in bars(older)]))
    return "\n\n".join([TITLE, *(aligned(*each) for each in tables)])


def section(older: Older, notes: str, drawn: Callable[[Row, Sequence[Row]], str]) -> str:
    """The page's section. `drawn` makes a table of head and rows; `notes`: what a person has to say about it."""
    parts = [
        f"## {TITLE}",
        f"Measured on {older.day}; `make bench` renews it, and `python -m tests.bench --only {GROUP}` it alone.",
        drawn(BAR_HEAD, [bar.row() for bar in bars(older)]),
        notes.strip(),
        drawn(*table(older)),
        drawn(*phases(older)),
        _METHOD.strip(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_METHOD = """
- The ledgers are those of the list, as version 3 kept them (before summaries, counters, the search index and the
  chained log): 1.3 times as many assets as meetings, each with the event that it was first seen; each that is held, six
  of ten, with a proof, a transfer that ended, and the event that says so. Each opening has a copy of its own, which
  lies in the system's cache, and is a process of its own that opens it as every command does. The largest is opened
  once.
- What is told is how far it is. The longest time in which nothing is told is that in which the share on the terminal
  stands still, and nobody hears an interrupt. The time to an interrupt's end is from SIGINT to the end of the process.
- In parts: a copy is interrupted in the middle of everything that is done with it, once each, and opened again; all
  those openings together, beside one that nobody interrupts. What an interrupt undoes is the step under way, at most
  the indexes that are made together.
- The bars are our own: the issue asks for progress and for interrupts, and says no figures. Of memory it calls flat
  what grows by 15 % at most from a thousand meetings to a million.
"""


# Saved


def save(older: Older, path: Path) -> None:
    """Write everything down as JSON."""
    path.write_text(json.dumps(asdict(older), indent=1) + "\n")


def load(path: Path) -> Older:
    """Read what `save` wrote. Raises BenchError."""
    try:
        told: dict[str, Any] = json.loads(path.read_text())
        broken = (Broken(one["meetings"], tuple(map(opening_of, one["openings"]))) for one in told["broken"])
        return Older(told["day"], tuple(map(opening_of, told["whole"])), tuple(broken))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(f"{path} holds no ledgers that were brought up: {error}") from None
