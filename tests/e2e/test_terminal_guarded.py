"""The real desk in a real terminal: when it breaks, and when somebody's variables would have its keys recorded."""

import os
from pathlib import Path
from signal import SIGHUP, SIGTERM, Signals

import pytest

from tests.e2e.terminal import CHECKOUT, DESK, MARKS, opened, surroundings

pytestmark = MARKS
HELD = b"in-a-local-variable"
TOLD = b"in-the-words-of-it"
BREAKS = f"""
import os, sys, threading
sys.path.insert(0, {str(CHECKOUT)!r})
from tui.app import DeskApp
from tui.cli import entry

def breaks():
    api_key = "-".join(("in", "a", "local", "variable"))
    headers = {{"Authorization": "Bearer " + api_key}}
    raise RuntimeError("it broke \\x1b]0;title\\x07 with token=" + "-".join(("in", "the", "words", "of", "it")))

async def in_a_task():
    breaks()

async def action_quit(self):
    where = os.environ["BREAKS_IN"]
    if where == "handler":
        breaks()
    elif where == "worker":
        self.run_worker(in_a_task())
    elif where == "worker on a thread":
        self.run_worker(breaks, thread=True)
    else:
        thread = threading.Thread(target=breaks)
        thread.start()
        thread.join()
        self.exit()

DeskApp.action_quit = action_quit
sys.exit(entry())
"""

STUCK = f"""
import asyncio, sys
sys.path.insert(0, {str(CHECKOUT)!r})
from tui.app import DeskApp
from tui.cli import entry
from tui.leaving import Leaving

async def action_quit(self):
    self.say("stuck")
    self.call_later(asyncio.Event().wait)

DeskApp.action_quit = action_quit
Leaving.end_at_last.__defaults__ = (0.5,)
sys.exit(entry())
"""


@pytest.mark.parametrize("where", ["handler", "worker", "worker on a thread", "thread"])
def test_a_crash_shows_no_local_variables_and_ends_with_1(where: str, tmp_path: Path) -> None:
    environ = surroundings(tmp_path, BREAKS_IN=where)
    with opened(environ, command=(DESK[0], "-c", BREAKS)) as desk:
        desk.wait_for("No account is configured yet.")
        desk.press("q")
        assert desk.ended() == 1
        assert desk.restored()
        told = " ".join(bytes(desk.raw).decode().split())
        assert "RuntimeError" in told
        assert "it broke" in told
        assert "with token=…" in told
        unfolded = b"".join(desk.raw.split())
        assert HELD not in unfolded
        assert TOLD not in unfolded
        assert b"\x1b]0;title" not in desk.raw
    assert not [path for path in written(tmp_path) if HELD in path.read_bytes() or TOLD in path.read_bytes()]


@pytest.mark.parametrize(("number", "status"), [(SIGTERM, 143), (SIGHUP, 129)], ids=["SIGTERM", "SIGHUP"])
def test_a_desk_that_does_nothing_any_more_ends_by_a_signal(number: Signals, status: int, tmp_path: Path) -> None:
    with opened(surroundings(tmp_path), command=(DESK[0], "-c", STUCK)) as desk:
        desk.wait_for("No account is configured yet.")
        desk.press("q")
        desk.wait_for("stuck")
        desk.signal(number)
        assert desk.ended() == status
        assert not desk.left_behind()


def written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_keys_are_not_recorded_for_variables_alone(tmp_path: Path) -> None:
    log, driver = tmp_path / "textual.log", "nowhere:Driver"
    asked = {"TEXTUAL_LOG": str(log), "TEXTUAL": "devtools,debug", "TEXTUAL_DRIVER": driver, "TEXTUAL_PRESS": "q"}
    with opened(surroundings(tmp_path) | asked) as desk:
        desk.wait_for("No account is configured yet.")
        assert b"TEXTUAL_LOG is not heeded" in desk.raw
        assert "unsafe" not in desk.text
        desk.press("?")
        desk.wait_gone("No account is configured yet.")
        desk.press("esc")
        desk.wait_for("No account is configured yet.")
        desk.press("q")
        assert desk.ended() == 0
    assert not log.exists()


@pytest.mark.parametrize("arguments", [("--unsafe-devtools",), ("--unsafe-devtools", "demo")], ids=" ".join)
def test_keys_are_recorded_where_that_is_said_and_the_desk_says_so(arguments: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "textual.log"
    with opened(surroundings(tmp_path, TEXTUAL_LOG=str(log)), *arguments, columns=160) as desk:
        desk.wait_for("1 Desk", "unsafe: devtools may record every key you press, passwords too")
        desk.press("q")
        assert desk.ended() == 0
    assert "Key(key='q'" in log.read_text("utf-8")


def test_a_keyring_that_asks_in_the_terminal_is_refused_in_words(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[accounts.advice]\nprovider = "flexperto"\nbase_url = "http://127.0.0.1:9"\n', "utf-8")
    asking = {"PYTHON_KEYRING_BACKEND": "tests.tui.cli.ring.AskingRing", "REELDESK_CONFIG": str(config)}
    environ = surroundings(tmp_path, PYTHONPATH=os.fspath(CHECKOUT), **asking)
    del environ["REELDESK_KEYRING"]
    with opened(environ, columns=160, rows=40) as desk:
        desk.wait_for("1 Desk")
        desk.press("6")
        desk.wait_until(lambda: "asks for a password in the terminal" in " ".join(desk.text.split()), "why it is not")
        desk.press("q")
        assert desk.ended() == 0
    assert b"your keyring's password" not in desk.raw
