"""Leaving the desk while it downloads: a process without a screen goes on, outlives the line, ends with the queue."""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGHUP, Signals

import pytest

from providers.emulation import mp4_blob
from tests.e2e.served import Session, served
from tests.e2e.terminal import ELSEWHERE, MARKS, Terminal, configured, opened
from tests.e2e.test_terminal_end import SIZE, begin_the_slow_video, end, only_a_part, part_size, percent, recorded

pytestmark = MARKS
DEADLINE_S = 60.0
"""For what takes the slow video's 12 s, and a busy machine longer."""
HANDED_OVER = b"--handed-over"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The emulators, in a process of their own."""
    with served(list(ELSEWHERE), tmp_path_factory.mktemp("served") / "demo") as one:
        yield one


@dataclass(frozen=True)
class Taker:
    """The process that took over, as anyone may see it."""

    pid: int

    @property
    def shown(self) -> bytes:
        """Its arguments and its environment."""
        process = Path(f"/proc/{self.pid}")
        return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()

    @property
    def lives(self) -> bool:
        try:
            return HANDED_OVER in self.shown
        except (FileNotFoundError, ProcessLookupError):
            return False


def takers(folder: Path) -> list[Taker]:
    """The processes that took over from desks with their data in `folder`."""
    found = []
    for each in Path("/proc").iterdir():
        with suppress(OSError):  # it ended meanwhile, or is not ours to see
            if each.name.isdecimal() and Path(os.readlink(each / "cwd")) == folder / "data":
                found += [taker for taker in (Taker(int(each.name)),) if taker.lives]
    return found


def alive_in_session(leader: int) -> Iterator[int]:
    """The processes of a session; one that ended, and that nobody asked for its status yet, has no arguments."""
    for each in Path("/proc").iterdir():
        with suppress(OSError):
            if each.name.isdecimal() and os.getsid(int(each.name)) == leader and (each / "cmdline").read_bytes():
                yield int(each.name)


@contextmanager
def place(session: Session, folder: Path, on_leave: str, *, slow: bool = False) -> Iterator[dict[str, str]]:
    """An environment for a desk; whatever took over from it is ended with the block.

    `slow`: the video takes a minute and a half, which no test waits for.
    """
    environ = configured(session, folder)
    config = folder / "config.toml"
    limited = "[accounts.agents]\nmax_bytes_per_s = 200000" if slow else "[accounts.agents]"
    text = config.read_text("utf-8").replace("[accounts.agents]", limited)
    config.write_text(f'{text}\n[desk]\non_leave = "{on_leave}"\n', "utf-8")
    try:
        yield environ
    finally:
        for taker in takers(folder):
            os.kill(taker.pid, signal.SIGKILL)


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def secrets(environ: Mapping[str, str]) -> list[bytes]:
    found = [value.encode() for name, value in environ.items() if name.startswith("REELDESK_SECRET_")]
    assert found
    return found


def goes_on_to_the_end(environ: Mapping[str, str], folder: Path) -> None:
    """The one process that took over shows no secret, fetches the video to its end, and is gone."""
    (taker,) = takers(folder)
    log = folder / "data" / "work.log"
    shown = taker.shown
    assert not [secret for secret in secrets(environ) if secret in shown]
    assert b"REELDESK" not in shown
    before = part_size(folder)
    until(lambda: part_size(folder) > before or not taker.lives, "it fetches on")
    until(lambda: not taker.lives, "it ends")
    assert not takers(folder)
    assert not list(alive_in_session(taker.pid))
    assert log.stat().st_mode & 0o777 == 0o600
    told = log.read_bytes()
    assert b"took over 1 transfer" in told
    assert b"the queue is empty: 1 fetched, 0 failed" in told
    assert not [secret for secret in secrets(environ) if secret in told]
    record = recorded(dict(environ))
    assert record["local"] == "held"
    assert record["sha256"] == mp4_blob(SIZE, 4).sha256()
    assert hashlib.sha256(Path(record["path"]).read_bytes()).hexdigest() == record["sha256"]
    assert not list(folder.rglob("*.part*"))


def test_what_is_handed_over_is_fetched_without_a_screen(tmp_path: Path, session: Session) -> None:
    with place(session, tmp_path, "ask") as environ:
        with opened(environ) as desk:
            begin_the_slow_video(desk)
            desk.press("q")
            desk.wait_for("1 transfer running. Leave the desk?", "Stay", "Stop and leave", "Hand over and leave")
            desk.press("h")
            assert desk.ended() == 0
            assert desk.restored()
            assert b"handed over: a process without a screen fetches on" in desk.raw
        goes_on_to_the_end(environ, tmp_path)


def test_the_next_desk_shows_it_and_leaves_it_alone(tmp_path: Path, session: Session) -> None:
    with place(session, tmp_path, "hand_over", slow=True) as environ:
        with opened(environ) as desk:
            begin_the_slow_video(desk)
            desk.press("q")
            assert desk.ended() == 0
        (taker,) = takers(tmp_path)
        with opened(environ) as desk:
            see_it_running(desk)
            desk.wait_for(f"process {taker.pid} on this machine")
            desk.press("q")
            assert desk.ended() == 0, "nothing ends with this desk, so nothing is asked"
        assert takers(tmp_path) == [taker]
        os.kill(taker.pid, signal.SIGTERM)
        until(lambda: not taker.lives, "it stops cleanly")
        assert only_a_part(tmp_path)
        assert recorded(environ)["local"] == "queued", "the next one goes on with it"


def test_the_next_desk_steers_it(tmp_path: Path, session: Session) -> None:
    with place(session, tmp_path, "hand_over", slow=True) as environ:
        with opened(environ) as desk:
            begin_the_slow_video(desk)
            desk.press("q")
            assert desk.ended() == 0
        (taker,) = takers(tmp_path)
        with opened(environ) as desk:
            see_it_running(desk)
            desk.press("x")
            desk.wait_for("1 cancelled")
            desk.press("q")
            assert desk.ended() == 0
        until(lambda: not taker.lives, "nothing is left to do, so it ends")
        assert only_a_part(tmp_path)


def see_it_running(desk: Terminal) -> None:
    """What another process fetches is in the dock, and in mode 2."""
    desk.wait_until(lambda: percent(desk) >= 0, "it is in the dock")
    desk.press("2")
    desk.wait_for("1 running")


@pytest.mark.parametrize("how", [SIGHUP, None], ids=["SIGHUP", "line lost"])
def test_a_lost_line_hands_over_where_that_was_chosen(tmp_path: Path, session: Session, how: Signals | None) -> None:
    with place(session, tmp_path, "hand_over") as environ:
        with opened(environ) as desk:
            begin_the_slow_video(desk)
            assert end(desk, how) == 129
        goes_on_to_the_end(environ, tmp_path)


@pytest.mark.parametrize("how", [SIGHUP, None], ids=["SIGHUP", "line lost"])
def test_a_lost_line_cannot_be_asked_so_it_stops(tmp_path: Path, session: Session, how: Signals | None) -> None:
    with place(session, tmp_path, "ask") as environ:
        with opened(environ) as desk:
            begin_the_slow_video(desk)
            assert end(desk, how) == 129
            assert not desk.left_behind()
        assert not takers(tmp_path)
        assert only_a_part(tmp_path)


def test_what_cannot_be_handed_over_stays(tmp_path: Path, session: Session) -> None:
    with place(session, tmp_path, "ask") as environ, opened(environ) as desk:
        begin_the_slow_video(desk)
        config = tmp_path / "config.toml"
        before = config.read_text()
        config.write_text("this is not TOML")
        desk.press("q")
        desk.wait_for("Hand over and leave")
        desk.press("h")
        desk.wait_for("not handed over, so the desk stays")
        assert not takers(tmp_path)
        config.write_text(before)
        at = percent(desk)
        desk.wait_until(lambda: percent(desk) > at, "it goes on here")
        desk.press("q")
        desk.wait_for("Stop and leave")
        desk.press("s")
        assert desk.ended() == 0
        assert only_a_part(tmp_path)
