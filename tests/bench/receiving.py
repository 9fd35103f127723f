"""Webhooks: how many a second are on disk before they are answered, and what a desk's screen feels of them.

`python -m tests.bench --only receiving` measures this alone and renews its section of the page.
"""

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from providers.cronofy.emulator import API_KEY
from tests.bench import receiving_desk
from tests.bench.machine import ForeignLoad
from tests.bench.receiving_desk import Painted
from tests.bench.receiving_load import Plan, Sent
from tests.bench.receiving_server import BASE, NAIVE, OURS, PATH, PROCESSING, VARIANTS, WITHOUT
from tests.bench.report import BAR_HEAD, Bar, Row, aligned
from tests.bench.results import BenchError, Spread

GROUP = "receiving"
TITLE = "Receiving webhooks"
CONNECTIONS = (16, 1)
COUNTS = {16: 4000, 1: 1500}
"""Deliveries in a run, by the number of connections."""
DESK_ROUNDS = 3
LEAST_OF_WITHOUT = 0.4
LEAST_PER_S = 500.0
MOST_P99_MS = 100.0
MOST_PAINT_MS = 50.0
_SAME_PACE = 1.02
"""A sender that keeps to a pace is never ahead of it, and sometimes a little behind."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One variant, once: `count` deliveries over so many connections."""

    variant: str
    connections: int
    round: int
    count: int
    wall_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_s: float
    """Of the receiver's whole process."""
    foreign: float = 0.0
    """CPU that others used meanwhile, as a share of one core."""

    @property
    def per_s(self) -> float:
        """Deliveries a second."""
        return self.count / self.wall_s


@dataclass(frozen=True, slots=True)
class Received:
    """One run of this part of the bench."""

    day: str
    rounds: int
    accepted: tuple[Accepted, ...]
    painted: tuple[Painted, ...]

    def of(self, variant: str, connections: int) -> tuple[Accepted, ...]:
        """The runs of a variant, in the order of the rounds."""
        found = [run for run in self.accepted if (run.variant, run.connections) == (variant, connections)]
        return tuple(sorted(found, key=lambda run: run.round))

    def phase(self, name: str) -> tuple[Painted, ...]:
        """The rounds of a phase."""
        return tuple(painted for painted in self.painted if painted.phase == name)

    @property
    def phases(self) -> tuple[str, ...]:
        """Those that were watched, in their order."""
        return tuple(dict.fromkeys(painted.phase for painted in self.painted))


# Measuring


def accept(folder: Path, variant: str, connections: int, count: int, number: int) -> Accepted:
    """Start a variant, send, stop it, and compare the ledger with the answers. Raises BenchError."""
    command = [sys.executable, "-m", "tests.bench.receiving_server", variant, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            plan = Plan("127.0.0.1", port, PATH, API_KEY, BASE, 1, count, connections)
            foreign = ForeignLoad([server.pid])
            sender = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.receiving_load", json.dumps(asdict(plan))],
                stdout=subprocess.PIPE,
                text=True,
            )
            said, _ = sender.communicate(timeout=300)
            sent = Sent.read(said)
            others_s = foreign.seconds(sent.cpu_s)
            ended, _ = server.communicate("", timeout=60)
        except BaseException:
            server.kill()
            raise
    _compare(folder, variant, sent, count + plan.warm)
    cpu_s: float = json.loads(ended)["cpu_s"]
    share = others_s / sent.whole_s
    return Accepted(
        variant, connections, number, count, sent.wall_s, sent.p50_ms, sent.p99_ms, sent.max_ms, cpu_s, share
    )


def _compare(folder: Path, variant: str, sent: Sent, count: int) -> None:
    """Every delivery was accepted, and is a row of the ledger, once; none is without storage."""
    with closing(sqlite3.connect(folder / "data" / "ledger.db")) as connection:
        rows: int = connection.execute("SELECT count(DISTINCT key) FROM deliveries").fetchone()[0]
    if sent.statuses != {"204": count} or rows != (0 if variant == WITHOUT else count):
        raise BenchError(f"{variant}: {count} sent, answered {dict(sent.statuses)}, {rows} in the ledger")


def rounds(
    folder: Path,
    count: int,
    seed: int,
    tell: Callable[[str], None],
    *,
    variants: Sequence[str] = VARIANTS,
    connections: Sequence[int] = CONNECTIONS,
    share: float = 1.0,
) -> list[Accepted]:
    """Every variant in each round, in an order that differs from round to round."""
    order, found = random.Random(seed), []
    for number in range(1, count + 1):
        for lines in connections:
            names = list(variants)
            order.shuffle(names)
            for name in names:
                with tempfile.TemporaryDirectory(dir=folder) as own:
                    run = accept(Path(own), name, lines, round(COUNTS[lines] * share), number)
                tell(
                    f"round {number}/{count}  c{lines:<3} {name:26} {run.per_s:6.0f}/s  p50 {run.p50_ms:6.1f} ms  "
                    f"p99 {run.p99_ms:6.1f} ms  others {100 * run.foreign:3.0f} %"
                )
                found.append(run)
    return found


def measure(folder: Path | None, count: int, seed: int, day: str, tell: Callable[[str], None]) -> Received:
    """All of it. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="reeldesk-bench-", dir=folder) as name:
        accepted = rounds(Path(name), count, seed, tell)
        painted: list[Painted] = []
        for number in range(1, min(count, DESK_ROUNDS) + 1):
            with tempfile.TemporaryDirectory(dir=name) as own:
                painted += receiving_desk.round_of(Path(own), number, seed, tell)
    return Received(day, count, tuple(accepted), tuple(painted))


# What the figures say


def bars(received: Received) -> list[Bar]:
    """The promises; a figure that must be at least so much is given as the part of it that is missing."""
    ours, without = received.of(OURS, 16), received.of(WITHOUT, 16)
    found = []
    if ours and without:
        single = [their.per_s / mine.per_s for mine, their in zip(ours, without, strict=True)]
        words = "16 connections: time a delivery, of the same without storage"
        found.append(Bar(words, median(single), 1 / LEAST_OF_WITHOUT, Spread.of(single)))
    if ours:
        found.append(_bar("16 connections: ms a delivery", [1000 / run.per_s for run in ours], 1000 / LEAST_PER_S))
        found.append(_bar("16 connections: p99", [run.p99_ms for run in ours], MOST_P99_MS))
    if received.painted:
        busy = received.phase(received.phases[-1])
        words = f"from key to paint beside {received.phases[-1]}: p99"
        found.append(_bar(words, [painted.p99_ms for painted in busy], MOST_PAINT_MS))
        each = [1000 / painted.per_s for painted in busy]
        found.append(
            _bar("at the desk, processed as well: ms a delivery", each, _SAME_PACE * 1000 / receiving_desk.PER_S)
        )
    return found


def _bar(words: str, figures: Sequence[float], limit: float) -> Bar:
    return Bar(words, median(figures), limit, Spread.of(figures), " ms")


def table(received: Received, connections: int) -> tuple[Row, list[Row]]:
    """Head and rows for a number of connections. Ratios are medians of those within a round."""
    of = "of the one without storage"
    head = ("", "a second", "min–max", of, "p50 ms", "p99 ms", "min–max", "CPU ms each", "others' CPU")
    rows: list[Row] = []
    without = received.of(WITHOUT, connections)
    for name in VARIANTS:
        runs = received.of(name, connections)
        if not runs:
            continue
        ratio = ""
        if name != WITHOUT and without:
            ratio = f"{median(a.per_s / b.per_s for a, b in zip(runs, without, strict=True)):.2f}"
        pace, p99 = Spread.of([run.per_s for run in runs]), Spread.of([run.p99_ms for run in runs])
        others = Spread.of([100 * run.foreign for run in runs])
        rows.append(
            (
                name,
                f"{pace.median:.0f}",
                f"{pace.low:.0f}–{pace.high:.0f}",
                ratio,
                f"{median(run.p50_ms for run in runs):.1f}",
                f"{p99.median:.1f}",
                f"{p99.low:.1f}–{p99.high:.1f}",
                f"{median(1000 * run.cpu_s / run.count for run in runs):.2f}",
                f"{others.median:.0f} % ({others.low:.0f}–{others.high:.0f})",
            )
        )
    return head, rows


def desk_table(received: Received) -> tuple[Row, list[Row]]:
    """Head and rows of the phases at the desk."""
    head = ("", "p50 ms", "p99 ms", "min–max", "latest ms", "keys", "deliveries a second", "their p99 ms")
    rows: list[Row] = []
    for name in received.phases:
        found = received.phase(name)
        p99 = Spread.of([painted.p99_ms for painted in found])
        rows.append(
            (
                name,
                f"{median(painted.p50_ms for painted in found):.1f}",
                f"{p99.median:.1f}",
                f"{p99.low:.1f}–{p99.high:.1f}",
                f"{max(painted.max_ms for painted in found):.1f}",
                str(sum(painted.keys for painted in found)),
                f"{median(painted.per_s for painted in found):.0f}",
                f"{median(painted.late_ms for painted in found):.1f}" if found[0].accepted else "",
            )
        )
    return head, rows


def _titles(received: Received) -> list[tuple[str, tuple[Row, list[Row]]]]:
    found = []
    for lines in CONNECTIONS:
        if any(run.connections == lines for run in received.accepted):
            words = f"{COUNTS[lines]} deliveries of 2 KiB over {lines} connection{'s' if lines > 1 else ''}"
            found.append((words, table(received, lines)))
    if received.painted:
        found.append(("From the key to the paint", desk_table(received)))
    return found


def text(received: Received) -> str:
    """Everything for a terminal."""
    parts = [f"{words}\n{aligned(*figures)}" for words, figures in _titles(received)]
    return "\n\n".join([*parts, aligned(BAR_HEAD, [bar.row() for bar in bars(received)])])


def section(received: Received, notes: str, drawn: Callable[[Row, Sequence[Row]], str]) -> str:
    """The page's section. `drawn` makes a table of head and rows; `notes`: what a person has to say about it."""
    parts = [
        f"## {TITLE}",
        f"Measured on {received.day}; `make bench` renews it, and `python -m tests.bench --only {GROUP}` it alone.",
        drawn(BAR_HEAD, [bar.row() for bar in bars(received)]),
        notes.strip(),
    ]
    for words, figures in _titles(received):
        parts += [f"### {words}", drawn(*figures)]
    parts.append(_METHOD.format(rounds=received.rounds, naive=NAIVE, processing=PROCESSING, without=WITHOUT).strip())
    return "\n\n".join(part for part in parts if part) + "\n"


_METHOD = """
- Every delivery is a Cronofy notification of 2,048 bytes about another agent, signed before the clock starts, sent
  from a process of its own over connections that are kept; each connection waits for its answer. Each run has a
  receiver and a ledger of its own, 200 deliveries before the clock starts, and {rounds} rounds in which every variant
  runs once, in shuffled order. After each run the ledger is counted: as many rows as answers with 2xx, or none
  (`{without}`), or there are no figures.
- Only the writer differs between the variants: `reeldesk` has one thread that puts whatever waits into one
  transaction; `{processing}` has the worker beside it that records meetings and files, as in a desk;
  `{without}` says at once that it kept it; `{naive}` is a thread of the pool and a transaction for each.
  Transactions are on disk (synchronous FULL) before the answer. Ratios are medians of the ratios within a round.
- At the desk: the real program in a pseudo-terminal of 80 x 24, `j` pressed every 50 to 110 ms, 500 meetings in the
  list at the start. The time runs from the key's write to the read after which the cursor is seen where the key leads.
  The deliveries come from another process, all of them new meetings, all accepted, all processed meanwhile or at
  once after; they are older than what is on the screen, so that the cursor's place is where the keys put it.
"""


# Saved


def save(received: Received, path: Path) -> None:
    """Write everything down as JSON."""
    path.write_text(json.dumps(asdict(received), indent=1) + "\n")


def load(path: Path) -> Received:
    """Read what `save` wrote. Raises BenchError."""
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        accepted = tuple(Accepted(**run) for run in document["accepted"])
        painted = tuple(Painted(**run) for run in document["painted"])
        return Received(document["day"], document["rounds"], accepted, painted)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} holds nothing that was received: {error}") from None
