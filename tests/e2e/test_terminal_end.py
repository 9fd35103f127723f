"""However the desk ends while it downloads: the terminal is given back, nothing is lost, nothing is left behind."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, Signals

import pytest

from providers.emulation import mp4_blob
from tests.e2e.served import Session, served
from tests.e2e.terminal import (
    CHECKOUT,
    DESK,
    ELSEWHERE,
    MARKS,
    Terminal,
    choose,
    configured,
    narrow,
    opened,
    surroundings,
)

pytestmark = MARKS
ENDS_S = 5.0
SIZE = 18_000_000
SLOW = "agents/agt_000000000000000000000004/video"
"""SIZE bytes at 1.5 MB/s (the demo's story)."""
PROVEN_FROM = 5_000_000
"""Bytes; by then the part has been made sure of on disk at least once."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The emulators, in a process of their own."""
    with served(list(ELSEWHERE), tmp_path_factory.mktemp("served") / "demo") as one:
        yield one


def queue_the_slow_video(desk: Terminal) -> None:
    desk.wait_for("Sprint planning", "1 Desk")
    narrow(desk, "meeting q3")
    desk.wait_for("Board meeting Q3", "1 of 1 ")
    desk.press("enter")
    desk.wait_for("account agents (cronofy)", "○ available video")
    choose(desk, "○ available video")
    desk.press("d")
    desk.wait_for("queued")


def begin_the_slow_video(desk: Terminal) -> None:
    queue_the_slow_video(desk)
    desk.wait_until(lambda: percent(desk) >= 2, "the video is on its way")


def percent(desk: Terminal) -> int:
    """How far the dock says the video is; -1 where it says nothing."""
    words = desk.line_with("Board meeting Q3 video").split()
    return int(words[words.index("%") - 1]) if "%" in words else -1


def end(desk: Terminal, how: Signals | None) -> int:
    if how is None:
        desk.hang_up()
    else:
        desk.signal(how)
    return desk.ended(within=ENDS_S)


@pytest.mark.parametrize(
    ("how", "status"),
    [(SIGTERM, 143), (SIGHUP, 129), (SIGINT, 130), (None, 129)],
    ids=["SIGTERM", "SIGHUP", "SIGINT", "line lost"],
)
def test_a_demo_that_downloads_ends_cleanly(tmp_path: Path, how: Signals | None, status: int) -> None:
    with opened(surroundings(tmp_path), "demo") as desk:
        begin_the_slow_video(desk)
        assert end(desk, how) == status
        assert how is None or desk.restored()
        assert not desk.left_behind()
        assert b"Traceback" not in desk.raw
    assert not list((tmp_path / "tmpdir").iterdir()), "the demo's folder is gone"


def test_quitting_while_it_downloads_asks_and_keeps_the_part(tmp_path: Path, session: Session) -> None:
    with opened(configured(session, tmp_path)) as desk:
        begin_the_slow_video(desk)
        desk.press("q")
        desk.wait_for("1 transfer running", "Stay")
        desk.press("esc")
        desk.wait_gone("1 transfer running")
        before = percent(desk)
        desk.wait_until(lambda: percent(desk) > before, "it goes on")
        desk.press("q")
        desk.wait_for("Stop and leave")
        desk.press("enter")
        assert desk.ended(within=ENDS_S) == 0
        assert desk.restored()
    assert only_a_part(tmp_path)


def test_what_was_queued_a_moment_ago_is_asked_about(tmp_path: Path, session: Session) -> None:
    with opened(configured(session, tmp_path)) as desk:
        queue_the_slow_video(desk)
        desk.press("q")
        desk.wait_for("Leave the desk?", "Stay")
        desk.press("s")
        assert desk.ended(within=ENDS_S) == 0


def test_the_next_desk_goes_on_where_the_last_one_ended(tmp_path: Path, session: Session) -> None:
    environ = configured(session, tmp_path)
    with opened(environ) as desk:
        begin_the_slow_video(desk)
        desk.wait_until(lambda: part_size(tmp_path) >= PROVEN_FROM, "a good part of it is on disk")
        assert end(desk, SIGTERM) == 143
        assert not desk.left_behind()
    assert only_a_part(tmp_path)
    kept = part_size(tmp_path)
    assert kept >= PROVEN_FROM

    with opened(environ) as desk:
        sizes = [kept]

        def is_done() -> bool:
            sizes.append(part_size(tmp_path))
            return percent(desk) < 0

        desk.wait_until(lambda: percent(desk) >= 0, "it goes on by itself")
        desk.wait_until(is_done, "it is done")
        assert min(size for size in sizes if size) == kept, "what is here is not fetched again"
        desk.press("2")
        desk.wait_for("1 done", "MP4 complete")
        desk.press("q")
        assert desk.ended() == 0
    record = recorded(environ)
    assert record["local"] == "held"
    assert record["sha256"] == mp4_blob(SIZE, 4).sha256()
    assert hashlib.sha256(Path(record["path"]).read_bytes()).hexdigest() == record["sha256"]
    assert not list(tmp_path.rglob("*.part*"))


def test_a_kill_leaves_a_part_and_no_false_word(tmp_path: Path, session: Session) -> None:
    environ = configured(session, tmp_path)
    with opened(environ) as desk:
        begin_the_slow_video(desk)
        assert end(desk, SIGKILL) == -SIGKILL
        assert not desk.left_behind()
    assert only_a_part(tmp_path)
    assert recorded(environ)["local"] in ("queued", "fetching")
    assert command(environ, "verify", "--all").returncode == 0, "nothing is said to be held that is not"


def command(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DESK, *arguments], env=environ, cwd=CHECKOUT, capture_output=True, text=True, timeout=120)


def recorded(environ: dict[str, str]) -> dict[str, str]:
    """The slow video's record."""
    listed = command(environ, "list", "meeting q3", "--json").stdout.splitlines()
    records: list[dict[str, str]] = [json.loads(line) for line in listed]
    return next(record for record in records if record["asset"] == SLOW)


def part_size(folder: Path) -> int:
    return max((path.stat().st_size for path in (folder / "vault").rglob("video.mp4.part")), default=0)


def only_a_part(folder: Path) -> bool:
    """Whether the vault holds the video's part and nothing under the final name."""
    names = {path.name for path in (folder / "vault").rglob("video*")}
    return "video.mp4.part" in names and "video.mp4" not in names
