"""The list: what a key costs on ledgers of a thousand to a million meetings, beside a minimal Textual app and others.

`python -m tests.bench --only list` measures this alone and renews its section of the page.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import listing_load as beside
from tests.bench import listing_programs as programs
from tests.bench.keyed import Program, Reaction
from tests.bench.listing_programs import MINIMAL, SIZES, Driven, desk_name
from tests.bench.report import BAR_HEAD, Bar, Row, aligned
from tests.bench.results import BenchError, Spread, percentile

GROUP = "list"
TITLE = "The list"
STARTS = 9
"""Starts of each program a round, beside that in which keys are pressed."""
REST_S = 20.0
SETTLED_S = 10.0
"""From its first quiet moment on: what an opening leaves to be done behind the screen is done by then."""
LIVE_S = 10.0
MOVES_UNDER_LOAD = 90
WORDS = ("münchen", "budget", "acme 9")
LEAST, MOST = SIZES[0], SIZES[-1]
OURS = desk_name(MOST)
AT_REST = "at rest"


@dataclass(frozen=True, slots=True)
class Key:
    """What one key cost, in one program and round. `what`: what the key does there."""

    program: str
    round: int
    what: str
    seconds: float
    to_rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Session:
    """One start of a program, its memory and what it does at rest (0.0: not measured)."""

    program: str
    round: int
    first_paint_s: float
    first_bytes: int
    resident_bytes: int
    idle_cpu: float
    """Share of one core."""
    idle_bytes_s: float
    earlier_paint_s: float = 0.0
    """Until the frame was seen that an earlier desk left, marked as such; 0.0 where there was none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One run of this part of the bench. `missing`: in words, what could not be measured."""

    day: str
    rounds: int
    sessions: tuple[Session, ...]
    keys: tuple[Key, ...]
    missing: tuple[str, ...]

    def of(self, program: str, what: str) -> list[Key]:
        """What keys cost there."""
        return [key for key in self.keys if (key.program, key.what) == (program, what)]

    def started(self, program: str) -> list[Session]:
        """Its starts."""
        return [one for one in self.sessions if one.program == program]

    def ms(self, program: str, what: str, share: float = 0.5) -> float:
        """A percentile of the milliseconds that keys took; 0.0 where none was pressed."""
        found = [1000 * key.seconds for key in self.of(program, what)]
        return percentile(found, share) if found else 0.0


# Measuring


class Measuring:
    """Gathers figures of one round after the other."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.sessions: list[Session] = []
        self.keys: list[Key] = []

    def start(self, driven: Driven, number: int, *, rests: bool = False) -> Program:
        """Start a program and wait until it is at rest."""
        programs.read_through(driven)
        program = Program(driven.argv, driven.environ, driven.first, driven.folder, driven.patience_s)
        first = len(program.raw)
        program.settle()
        cpu = bytes_s = 0.0
        resident = program.memory()
        if rests:
            program.watch(SETTLED_S)
            before = program.cpu_s()
            bytes_s = program.watch(REST_S) / REST_S
            cpu = (program.cpu_s() - before) / REST_S
        painted = program.first_paint_s, first, resident, cpu, bytes_s, program.earlier_paint_s
        self.sessions.append(Session(driven.name, number, *painted))
        return program

    def press(self, driven: Driven, program: Program, number: int, name: str = "") -> None:
        """Every key of a program."""
        for what, keys in driven.keys.items():
            for key in keys:
                self._note(name or driven.name, number, what, program.press(key))
        if "filter" in driven.keys:
            self._filter(driven, program, number)
        moves = self.of_round(name or driven.name, number, "cursor move")
        told = f"{1000 * median(moves):.1f} ms a cursor move" if moves else "no cursor"
        self._tell(f"round {number}  {name or driven.name}: {told}")

    def of_round(self, program: str, number: int, what: str) -> list[float]:
        """Seconds."""
        return [key.seconds for key in self.keys if (key.program, key.round, key.what) == (program, number, what)]

    def _filter(self, driven: Driven, program: Program, number: int) -> None:
        program.press("\x1b[H")
        for word in WORDS:
            program.press("/", 0.5)
            for letter in word:
                self._note(driven.name, number, "filter", program.press(letter, 0.3))
            program.press("\x1b", 0.5)

    def _note(self, name: str, number: int, what: str, reaction: Reaction | None) -> None:
        if reaction is not None:
            self.keys.append(Key(name, number, what, reaction.seconds, reaction.to_rows, reaction.bytes))


def measure(folder: Path | None, count: int, seed: int, day: str, tell: Callable[[str], None]) -> Listed:
    """All of it. Raises BenchError."""
    found, missing, order = Measuring(tell), list[str](), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="reeldesk-bench-", dir=folder) as name:
        place = Path(name)
        tell("making the ledgers (a million meetings take minutes, once)")
        ours = [programs.desk(place / str(size), size) for size in SIZES]
        compared = [programs.minimal(place), *ours]
        for driven in compared:  # from the disk's cache, and bytecode is made
            program = found.start(driven, 0)
            (program.leave if driven in ours else program.close)()  # a desk leaves its last frame
        found.sessions.clear()
        for number in range(1, count + 1):
            turns = compared * STARTS
            order.shuffle(turns)
            for driven in turns:
                found.start(driven, number).close()
            for driven in order.sample(compared, len(compared)):
                program = found.start(driven, number, rests=True)
                found.press(driven, program, number)
                program.close()
        for driven in programs.others(place, missing):
            program = found.start(driven, 1, rests=driven.rests)
            found.press(driven, program, 1)
            program.close()
        _under_load(place, count, found, missing)
        _watch_many(place, count, found, tell)
    return Listed(day, count, tuple(found.sessions), tuple(found.keys), tuple(missing))


def _under_load(place: Path, count: int, found: Measuring, missing: list[str]) -> None:
    if not beside.has_room(place):
        missing.append("the disk has no room for downloads beside the list")
        return
    for number in range(1, count + 1):
        with beside.under_load(place, MOST) as program:
            _press_under_load(program, number, found)


def _watch_many(place: Path, count: int, found: Measuring, tell: Callable[[str], None]) -> None:
    for number in range(1, count + 1):
        for shown in beside.watch_many(place, LIVE_S):
            found.sessions.append(Session(shown.name, number, 0.0, 0, shown.resident_bytes, 0.0, shown.bytes_s))
            tell(f"round {number}  {shown.name}: {shown.bytes_s:.0f} bytes a second")


def _press_under_load(program: Program, number: int, found: Measuring) -> None:
    for key in (["j"] * 15 + ["k"] * 15) * (MOVES_UNDER_LOAD // 30):
        reaction = program.press(key)  # in the same rhythm as at rest
        if reaction is not None:
            found.keys.append(
                Key(beside.BESIDE, number, "cursor move", reaction.seconds, reaction.to_rows, reaction.bytes)
            )
    live = program.watch(LIVE_S) / LIVE_S
    found.sessions.append(Session(beside.BESIDE, number, 0.0, 0, program.memory(), 0.0, live))


# Telling


def bars(listed: Listed) -> list[Bar]:
    """What issue "A million rows over a slow line" promises of it."""
    return [bar for bar in _bars(listed) if bar is not None]


def _bars(listed: Listed) -> Iterator[Bar | None]:
    paint, memory = (lambda one: one.first_paint_s), (lambda one: float(one.resident_bytes))
    million, thousand = f"{MOST:,}", f"{LEAST:,}"
    for words, figure, limit in (("first paint", paint, 1.25), ("memory", memory, 1.7)):
        yield _of_sessions(listed, f"{words} with {million} meetings, of the minimal app's", figure, MINIMAL, limit)
        yield _of_sessions(listed, f"{words}, of that with {thousand}", figure, desk_name(LEAST), 1.15)
    yield _earlier(listed, f"stored last frame with {million} meetings, of the minimal app's first paint")
    yield _of_keys(listed, "cursor move: p50, of the minimal app's", "cursor move", (MINIMAL, "cursor move"), 1.0)
    yield _of_keys(
        listed, "cursor move: p99, of the minimal app's", "cursor move", (MINIMAL, "cursor move"), 1.5, (0.99, 0.99)
    )
    for what in ("page", "end"):
        yield _of_keys(listed, f"{what}: p50, of the minimal app's page", what, (MINIMAL, "page"), 1.5)
    for what in ("cursor move", "page", "end"):
        yield _of_keys(listed, f"{what}: p50, of that with {thousand}", what, (desk_name(LEAST), what), 1.3)
    for what in ("sort", "filter"):
        yield _of_keys(listed, f"{what}: p99, of a page's p50", what, (OURS, "page"), 4.0, (0.99, 0.5))
    yield _of_keys(
        listed,
        f"cursor move beside {beside.FEW} downloads: p99, of that at rest",
        "cursor move",
        (OURS, "cursor move"),
        4.0,
        (0.99, 0.99),
        beside.BESIDE,
    )
    yield _plain(
        listed, "bytes of a cursor move (median, rows)", [k.to_rows for k in listed.of(OURS, "cursor move")], 500
    )
    yield _plain(listed, "bytes of a page (median, rows)", [k.to_rows for k in listed.of(OURS, "page")], 7_000)
    started = [one for one in listed.started(OURS) if one.idle_cpu]
    yield _plain(listed, "bytes of the first screen", [one.first_bytes for one in listed.started(OURS)], 36_000)
    yield _plain(listed, "bytes a second at rest", [one.idle_bytes_s for one in started], 0)
    yield _plain(listed, "CPU at rest, %", [100 * one.idle_cpu for one in started], 0.3)
    live = [one.idle_bytes_s for one in listed.started(beside.BESIDE)]
    yield _plain(listed, f"bytes a second with {beside.FEW} downloads shown", live, 1_500)
    for name in beside.MODES:
        shown = [one.idle_bytes_s for one in listed.started(name)]
        yield _plain(listed, f"bytes a second with {name}", shown, 4_000)


def _of_sessions(
    listed: Listed, words: str, figure: Callable[[Session], float], other: str, limit: float
) -> Bar | None:
    mine, others = listed.started(OURS), listed.started(other)
    if not mine or not others:
        return None

    def ratio(number: int | None) -> float:
        parts = [[figure(s) for s in found if number in (None, s.round)] for found in (mine, others)]
        return median(parts[0]) / median(parts[1])

    single = [ratio(number) for number in range(1, listed.rounds + 1)]
    return Bar(words, ratio(None), limit, Spread.of(single))


def _earlier(listed: Listed, words: str) -> Bar | None:
    """What the issue holds for possible: a tenth."""
    mine = [one.earlier_paint_s for one in listed.started(OURS) if one.earlier_paint_s]
    others = [one.first_paint_s for one in listed.started(MINIMAL)]
    if not mine or not others:
        return None
    return Bar(words, median(mine) / median(others), 0.1, Spread.of([one / median(others) for one in mine]))


def _of_keys(
    listed: Listed,
    words: str,
    what: str,
    other: tuple[str, str],
    limit: float,
    shares: tuple[float, float] = (0.5, 0.5),
    program: str = OURS,
) -> Bar | None:
    if not listed.of(program, what) or not listed.of(*other):
        return None

    def ratio(number: int | None) -> float:
        kinds = ((program, what, shares[0]), (*other, shares[1]))
        each = [[k.seconds for k in listed.of(p, w) if number in (None, k.round)] for p, w, _ in kinds]
        return percentile(each[0], shares[0]) / percentile(each[1], shares[1]) if all(each) else 0.0

    single = [one for number in range(1, listed.rounds + 1) if (one := ratio(number))]
    return Bar(words, ratio(None), limit, Spread.of(single or [ratio(None)]))


def _plain(listed: Listed, words: str, figures: Sequence[float], limit: float) -> Bar | None:
    return Bar(words, median(figures), limit, Spread.of(list(figures))) if figures else None


def table(listed: Listed) -> tuple[Row, list[Row]]:
    """Head and rows: a program each."""
    head = (
        *("", "first paint ms", "stored frame ms", "MB", "move p50", "p99", "bytes"),
        *("page p50", "p99", "bytes", "end p50", "p99"),
        *("sort p50", "p99", "filter p50", "p99", "idle CPU %", "idle B/s"),
    )
    rows: list[Row] = []
    for name in dict.fromkeys(one.program for one in listed.sessions):
        started = listed.started(name)
        is_watched = name in (beside.BESIDE, *beside.MODES)
        cells = ["" if is_watched else f"{1000 * median(s.first_paint_s for s in started):.0f}"]
        earlier = [s.earlier_paint_s for s in started if s.earlier_paint_s]
        cells.append(f"{1000 * median(earlier):.0f}" if earlier else "")
        cells.append(f"{median(s.resident_bytes for s in started) / 1e6:.0f}")
        for what in ("cursor move", "page", "end", "sort", "filter"):
            keys = listed.of(name, what)
            cells += [f"{listed.ms(name, what, share):.1f}" if keys else "" for share in (0.5, 0.99)]
            if what in ("cursor move", "page"):
                cells.append(f"{median(key.bytes for key in keys):.0f}" if keys else "")
        rested = [s for s in started if s.idle_cpu]
        cells.append(f"{100 * median(s.idle_cpu for s in rested):.2f}" if rested else "")
        cells.append(
            f"{median(s.idle_bytes_s for s in started if s.idle_cpu or is_watched):.0f}" if rested or is_watched else ""
        )
        rows.append((f"… beside {name}" if is_watched else name, *cells))
    return head, rows


def text(listed: Listed) -> str:
    """Everything for a terminal."""
    told = [f"{TITLE}\n{aligned(*table(listed))}", aligned(BAR_HEAD, [bar.row() for bar in bars(listed)])]
    return "\n\n".join([*told, *listed.missing])


def section(listed: Listed, notes: str, drawn: Callable[[Row, Sequence[Row]], str]) -> str:
    """The page's section. `drawn` makes a table of head and rows; `notes`: what a person has to say about it."""
    parts = [
        f"## {TITLE}",
        f"Measured on {listed.day}; `make bench` renews it, and `python -m tests.bench --only {GROUP}` it alone.",
        drawn(BAR_HEAD, [bar.row() for bar in bars(listed)]),
        notes.strip(),
        drawn(*table(listed)),
        f"Not measured: {'; '.join(listed.missing)}." if listed.missing else "",
        _METHOD.format(**_SAID, rounds=listed.rounds).strip(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_SAID = {
    "starts": STARTS,
    "rest": REST_S,
    "settled": SETTLED_S,
    "live": LIVE_S,
    "words": ", ".join(WORDS),
    "load": beside.FEW,
    "many": beside.MANY,
    "pace": beside.MANY_BYTES_S // 1000,
}
_METHOD = """
- Real programs in a pseudo-terminal of 120x40, xterm-256color. First paint is from before the fork to the read in which
  the first row's title is seen: {starts} starts of each and round ({rounds} rounds), in shuffled order, and those in
  which keys are pressed. A desk that was left before shows its stored last frame first, marked as such: that is timed
  apart, first paint is that of the live list, and the first screen's bytes are those of both. Times are milliseconds;
  memory is what was resident when the program had come to rest.
- A key's time is from writing it to the read after which the rows, as far as 24 columns of them show, are as they stay:
  text and cursor. "bytes" is all that a key sends, with the pane that follows it; the bars count to the rows.
- The ledgers hold meetings of five accounts over four years with titles in several scripts, and 1.3 times as many
  assets. The minimal app is a DataTable of 50 rows; its "end" is ctrl+end and ctrl+home. Filtered is by typing
  {words}, letter by letter. Each ledger was read through before its start, so that the disk has no part in the figures.
  CPU and bytes at rest are those of {rest:.0f} s that begin {settled:.0f} s after it was quiet first; CPU from the
  scheduler, of all threads.
- Beside downloads: {load} archives of 3 GiB from flexperto's emulator at full speed, with all that a transfer does.
  Emulator, desk and disk share the machine; the rows end above the dock, whose lines change by themselves. A held key
  is counted to the byte by tests (tests/e2e/test_terminal_wire.py), and so are downloads
  (tests/tui/test_wire_budgets.py).
- {many} downloads: archives of two accounts at {pace} kB/s each, so that all live while they are watched for
  {live:.0f} s, first in the dock below the list, then in mode 2. A desk runs 32 at most; `reeldesk work` on the same
  ledger runs the others.
- DataTable with a million rows is given 15 minutes for its first paint, and only moves its cursor; it is left out where
  less than 3 GB of memory is free.
"""


# Saved


def save(listed: Listed, path: Path) -> None:
    """Write everything down as JSON."""
    path.write_text(json.dumps(asdict(listed), indent=0) + "\n")


def load(path: Path) -> Listed:
    """Read what `save` wrote. Raises BenchError."""
    try:
        told: dict[str, Any] = json.loads(path.read_text())
        sessions, keys = (Session(**one) for one in told["sessions"]), (Key(**one) for one in told["keys"])
        return Listed(told["day"], told["rounds"], tuple(sessions), tuple(keys), tuple(told["missing"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(f"{path} holds no lists: {error}") from None
