"""A terminal that does not read, or slowly: the desk goes on, drops what nobody saw, and shows the present first."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGTERM, Signals

import pytest

from tests.e2e.gaps import longest
from tests.e2e.served import Session, served
from tests.e2e.terminal import ELSEWHERE, MARKS, Terminal, configured, from_checkout, opened
from tests.e2e.test_terminal_end import begin_the_slow_video, part_size

pytestmark = MARKS
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
STALL_S = 30.0 if SOAK else 4.0
GAP_S = 0.1 if SOAK else 0.5
"""On a quiet machine; beside the rest of the suite a loop waits for its turn. Textual's own stands still throughout."""
STALE_BYTES = 40_000
"""At most what the kernel holds for a terminal that does not read (20 kB), and the difference to the present."""
SLOW_BYTES_S = 20_000
VIDEO_BYTES_S = 1_500_000
ENDS_S = 1.0 if SOAK else 3.0
WATCHED = (ELSEWHERE[0], "-P", "-c", from_checkout("from tests.e2e.gaps import watched_entry", "watched_entry()"))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The emulators, in a process of their own."""
    with served(list(ELSEWHERE), tmp_path_factory.mktemp("served") / "demo") as one:
        yield one


@pytest.fixture
def desk(tmp_path: Path, session: Session) -> Iterator[Terminal]:
    """A desk with its rows, watched."""
    environ = configured(session, tmp_path) | {"GAPS": str(tmp_path / "gaps")}
    with opened(environ, command=WATCHED, columns=120, rows=40) as terminal:
        terminal.wait_for("Sprint planning", "Mortgage advice")
        terminal.settle(0.5)
        yield terminal


def neglect(desk: Terminal, seconds: float) -> None:
    """Type, and read nothing: every key draws a frame that nobody takes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        desk.press("pagedown", "g")
        time.sleep(0.05)


def test_a_terminal_that_does_not_read_stops_nothing_and_sees_the_present(tmp_path: Path, desk: Terminal) -> None:
    begin_the_slow_video(desk)
    desk.press("esc", "esc")
    desk.written_in(0.5)
    began, before = time.monotonic(), part_size(tmp_path)
    neglect(desk, STALL_S)
    ended, after = time.monotonic(), part_size(tmp_path)
    assert longest(tmp_path / "gaps", began, ended) < GAP_S
    enough = 0.6 * VIDEO_BYTES_S * (min(ended - began, 8.0) - 0.5)
    assert after - before > enough or after == 0, "the download went on at its speed, or is done"
    seen = len(desk.raw)
    desk.press("5")
    desk.wait_for("Deliveries")
    assert len(desk.raw) - seen < STALE_BYTES
    assert desk.written_in(0.5) < 4_000, "nothing old follows"


def test_a_slow_line_slows_no_loop(tmp_path: Path, desk: Terminal) -> None:
    began = time.monotonic()
    seen = len(desk.raw)
    turn = 0
    while (now := time.monotonic()) < began + STALL_S:
        turn += 1
        desk.press(("pagedown", "j", "g")[turn % 3])
        if len(desk.raw) - seen < SLOW_BYTES_S * (now - began):
            desk.read(0, most=800)
        time.sleep(1 / 30)
    assert longest(tmp_path / "gaps", began, time.monotonic()) < GAP_S
    desk.press("5")
    seen = len(desk.raw)
    desk.wait_for("Deliveries")
    assert len(desk.raw) - seen < STALE_BYTES


@pytest.mark.parametrize(("how", "status"), [(SIGTERM, 143), (SIGHUP, 129), (None, 0)], ids=["SIGTERM", "SIGHUP", "q"])
def test_it_ends_while_nobody_reads_and_gives_the_terminal_back(
    desk: Terminal, how: Signals | None, status: int
) -> None:
    neglect(desk, 1.5)
    began = time.monotonic()
    if how is None:
        desk.press("q")
    else:
        desk.signal(how)
    desk.wait_unread(ENDS_S)
    assert time.monotonic() - began < ENDS_S
    assert desk.ended() == status
    assert desk.restored()
