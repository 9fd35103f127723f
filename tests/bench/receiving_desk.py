"""From the key to the paint: the real desk in a pseudo-terminal, idle, and while hundreds of webhooks a second come in.

Keys and what the program writes are only noted, with their times; what was painted when is made out afterwards, so
that the terminal that reads it takes no time from the desk.
"""

import json
import os
import random
import re
import select
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from providers.cronofy.emulator import API_KEY
from tests.bench import receiving_server
from tests.bench.receiving_load import Plan, Sent
from tests.bench.results import BenchError, percentile
from tests.e2e.terminal import Terminal, opened, surroundings

KEYS = 150
"""Presses in each phase."""
PER_S = 500.0
_KNOWN = 500
"""Meetings that are there before."""
_EVERY_S = (0.05, 0.11)
"""Between two presses: no rhythm that the desk could happen to share."""
_TITLE = re.compile(r"Meeting (\d+)")
_READY_S = 60.0
_DRAINED_S = 60.0


@dataclass(frozen=True, slots=True)
class Painted:
    """One phase of a round: how long after a key's press its paint was there."""

    phase: str
    round: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    keys: int
    accepted: int = 0
    """Deliveries that were answered with 2xx meanwhile."""
    per_s: float = 0.0
    """How many of them a second."""
    late_ms: float = 0.0
    """p99 of their answers."""


@dataclass
class Notes:
    """What was pressed and written, and when (seconds, monotonic)."""

    pressed: list[float]
    written: list[tuple[float, bytes]]


def watch(desk: Terminal, key: str, pauses: Sequence[float]) -> Notes:
    """Press a key after each of the pauses, and note what comes."""
    notes = Notes([], [])
    descriptor = desk._child.child_fd
    due = [time.perf_counter()]
    for pause in pauses:
        due.append(due[-1] + pause)
    end = due[-1] + 2.0  # for what is painted late
    for at in [*due[1:], end]:
        while (left := at - time.perf_counter()) > 0:
            if select.select([descriptor], [], [], left)[0]:
                written = os.read(descriptor, 65_536)
                notes.written.append((time.perf_counter(), written))
        if at != end:
            notes.pressed.append(time.perf_counter())
            desk.press(key)
    return notes


def chosen(desk: Terminal) -> int | None:
    """The number of the meeting under the cursor."""
    found = _TITLE.search(desk.cursor_line)
    return int(found[1]) if found else None


def paints(desk: Terminal, notes: Notes) -> list[float]:
    """The seconds from each press (down, one meeting a press) until the cursor was seen where it leads.

    A paint that shows several presses at once is the paint of each.
    """
    first = chosen(desk)
    if first is None:
        raise BenchError(f"there is no cursor\n{desk.text}")
    took: list[float] = []
    for at, written in notes.written:
        take(desk, written)
        now = chosen(desk)
        while now is not None and len(took) < len(notes.pressed) and now <= first - len(took) - 1:
            took.append(at - notes.pressed[len(took)])
    if len(took) != len(notes.pressed):
        raise BenchError(f"{len(notes.pressed)} presses, {len(took)} paints\n{desk.text}")
    return took


def take(desk: Terminal, written: bytes) -> None:
    """Have the terminal's screen show what was written."""
    desk.raw += written
    desk._lines = None
    desk._stream.feed(re.sub(rb"\x1b\[[<>=][0-9;]*[a-z]", b"", written))


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def load(port: int, first: int, count: int, per_s: float, step_s: int) -> "subprocess.Popen[str]":
    """Deliveries from another process."""
    host, path, base = "127.0.0.1", receiving_server.PATH, receiving_server.BASE
    plan = Plan(host, port, path, API_KEY, base, first, count, 16, per_s, 0, step_s)
    command = [sys.executable, "-m", "tests.bench.receiving_load", json.dumps(asdict(plan))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answer(process: "subprocess.Popen[str]", count: int) -> Sent:
    """What came of a load. Raises BenchError unless all were accepted."""
    said, _ = process.communicate(timeout=300)
    sent = Sent.read(said)
    if sent.statuses != {"204": count}:
        raise BenchError(f"{count} deliveries were not all accepted: {dict(sent.statuses)}")
    return sent


def round_of(folder: Path, number: int, seed: int, tell: Callable[[str], None]) -> list[Painted]:
    """The desk started, filled, and watched in both phases; then every delivery must be in the ledger, processed."""
    port = free_port()
    environ = surroundings(folder, **receiving_server.environ(folder, on=True, port=port))
    chance = random.Random(seed + number)
    pauses = [[chance.uniform(*_EVERY_S) for _ in range(KEYS)] for _ in range(2)]
    ledger = folder / "data" / "ledger.db"
    with opened(environ) as desk:
        desk.wait_for("No recordings are known yet", within=_READY_S)
        wait_for_port(desk, port)
        answer(load(port, 0, _KNOWN, 0.0, 1), _KNOWN)
        desk.wait_until(lambda: done(ledger) == _KNOWN, "all processed", _DRAINED_S)
        desk.wait_for(f"Meeting {_KNOWN - 1}", within=_READY_S)
        desk.settle()
        idle = paints(desk, watch(desk, "j", pauses[0]))
        count = round((sum(pauses[1]) + 6) * PER_S)
        # Older than what is on the screen, where the cursor has its place: what is measured is the paint of a key.
        process = load(port, 10_000, count, PER_S, -1)
        try:
            desk.wait_until(lambda: done(ledger) > _KNOWN + PER_S, "deliveries come in", _READY_S)
            loaded = paints(desk, watch(desk, "j", pauses[1]))
        finally:
            sent = answer(process, count)
        desk.wait_until(lambda: done(ledger) == _KNOWN + count, "all processed", _DRAINED_S)
    tell(f"round {number}: {count} deliveries at {count / sent.wall_s:.0f}/s, all processed")
    beside = {"accepted": count, "per_s": count / sent.wall_s, "late_ms": sent.p99_ms}
    return [_painted("idle", number, idle), _painted(f"{PER_S:.0f} deliveries/s offered", number, loaded, **beside)]


def _painted(phase: str, number: int, took_s: Sequence[float], **beside: float) -> Painted:
    ms = [1000 * took for took in took_s]
    return Painted(phase, number, percentile(ms, 0.5), percentile(ms, 0.99), max(ms), len(ms), **beside)  # type: ignore[arg-type]  # accepted is a whole number


def wait_for_port(desk: Terminal, port: int) -> None:
    """Until the desk's receiver listens."""

    def listens() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0

    desk.wait_until(listens, "the receiver listens", _READY_S)


def done(ledger: Path) -> int:
    """Deliveries that are processed."""
    with closing(sqlite3.connect(ledger)) as connection:
        count: int = connection.execute("SELECT count(*) FROM deliveries WHERE state = 'done'").fetchone()[0]
    return count
