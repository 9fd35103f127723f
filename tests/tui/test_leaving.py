"""Leaving the desk while transfers are not done: what is asked, what is not, and what becomes of them."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.tui.stage import CONFIG, RUNNING, StageEngine, app_on, stage
from tests.tui.test_triage import HELD
from tests.tui.walk import ready, seen, shows, until
from tui.app import SIGNALS, DeskApp
from tui.leaving import NOT_IN_A_DEMO, Answer, Leaving
from tui.screens.leave import LeaveScreen
from vault.desk import Desk
from vault.engine import Engine
from vault.handover import Knowledge, hand_over
from vault.views import TransferState

SIZES = [(80, 24), (120, 36)]
TAKES = "import sys; sys.stdin.readline(); print('ready', flush=True); sys.stdin.read()"
REFUSES = "import sys; sys.stdin.readline(); print('the ledger cannot be opened: it is on the moon')"


class Taking:
    """Hands over to a process that only says what it is told to; ends it with the block."""

    def __init__(self, folder: Path, code: str = TAKES) -> None:
        self.folder = folder
        self.code = code
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, desk: Desk) -> "subprocess.Popen[bytes]":
        program = (sys.executable, "-c", self.code)
        self.processes.append(hand_over(Knowledge(desk.config.path, {}), program, dict(os.environ), self.folder))
        return self.processes[-1]

    def __enter__(self) -> "Taking":
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


@pytest.fixture
def taking(tmp_path: Path) -> Iterator[Taking]:
    with Taking(tmp_path) as one:
        yield one


@contextmanager
def busy(folder: Path, on_leave: str = "ask") -> Iterator[StageEngine]:
    """Two transfers that this process runs, two that wait."""
    with stage(folder, config=CONFIG + f'\n[desk]\non_leave = "{on_leave}"\n') as engine:
        engine.transfers_from_ledger(RUNNING)
        run_by(engine, f"{socket.gethostname()}:{os.getpid()}")
        yield engine
        deadline = time.monotonic() + 10
        while not engine.loop.is_closed():  # its thread outlives the application by a moment
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StageEngine]:
    with busy(tmp_path) as made:
        yield made


def run_by(engine: StageEngine, owner: str) -> None:
    transfers = engine.snapshot().transfers
    engine.set(transfers=tuple(replace(v, owner=owner if v.owner else "") for v in transfers))


def only(engine: StageEngine, *states: TransferState) -> None:
    engine.set(transfers=tuple(v for v in engine.snapshot().transfers if v.state in states))


async def asked(pilot: Pilot[None], key: str = "q") -> LeaveScreen:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, LeaveScreen))
    screen = pilot.app.screen
    assert isinstance(screen, LeaveScreen)
    return screen


# The question ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_all_of_the_question_is_seen(engine: StageEngine, taking: Taking, size: tuple[int, int]) -> None:
    async with app_on(engine, hand_over=taking).run_test(size=size) as pilot:
        await ready(pilot)
        await asked(pilot)
        await shows(pilot, "2 transfers running, 2 waiting. Leave the desk?")
        for words in (
            "esc Stay",
            "s   Stop and leave",
            "where it stopped.",
            "h   Hand over and leave",
            "2 (Transfers).",
        ):
            assert words in seen(pilot)
        assert "not here" not in seen(pilot)


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_staying_changes_nothing(engine: StageEngine, taking: Taking, key: str) -> None:
    async with app_on(engine, hand_over=taking).run_test() as pilot:
        desk = await ready(pilot)
        await asked(pilot)
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.screen is desk)
        assert not engine.stopped.is_set()
        assert not taking.processes


@pytest.mark.parametrize("keys", [("s",), ("enter",), ("j", "k", "enter"), ("k", "down", "enter")])
async def test_stopping_leaves_and_starts_nothing(engine: StageEngine, taking: Taking, keys: tuple[str, ...]) -> None:
    app = app_on(engine, hand_over=taking)
    async with app.run_test() as pilot:
        await ready(pilot)
        await asked(pilot)
        await pilot.press(*keys)
        await until(pilot, engine.stopped.is_set)
    assert app.return_code == 0
    assert not taking.processes


@pytest.mark.parametrize("key", ["s", "h"])
async def test_a_release_in_its_grace_is_not_forgotten(
    engine: StageEngine, taking: Taking, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """With the desk nothing sends it any more: who leaves is told what does."""
    asked_for = engine.desk.releasing.ask([HELD])
    assert asked_for.release
    app = app_on(engine, hand_over=taking)
    async with app.run_test() as pilot:
        await ready(pilot)
        await asked(pilot)
        await pilot.press(key)
        await until(pilot, engine.stopped.is_set)
    said = " ".join(capsys.readouterr().err.split())
    due = asked_for.release[0].due_at
    assert (
        f"1 release still open: a desk or `reeldesk work` that runs then sends it, not before {due:%Y-%m-%d %H:%M}"
        in said
    )


@pytest.mark.parametrize("keys", [("h",), ("j", "enter"), ("G", "enter"), ("down", "down", "enter")])
async def test_handing_over_leaves_a_process_behind(
    engine: StageEngine, taking: Taking, keys: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    app = app_on(engine, hand_over=taking)
    async with app.run_test() as pilot:
        await ready(pilot)
        await asked(pilot)
        await pilot.press(*keys)
        await until(pilot, engine.stopped.is_set)
    assert app.return_code == 0
    assert "handed over: a process without a screen fetches on" in capsys.readouterr().err
    (process,) = taking.processes
    assert process.poll() is None, "it waits until the desk has let go"


async def test_a_click_answers_too(engine: StageEngine, taking: Taking) -> None:
    async with app_on(engine, hand_over=taking).run_test() as pilot:
        await ready(pilot)
        screen = await asked(pilot)
        await pilot.click("#answers", offset=(8, 0))
        await until(pilot, lambda: screen.query_one("#answers").key is Answer.STAY)  # type: ignore[attr-defined]  # Lines
        await pilot.click("#answers", offset=(8, 0))
        await until(pilot, lambda: pilot.app.screen is not screen)
    assert not taking.processes


async def test_what_cannot_be_handed_over_is_grey_and_says_why(engine: StageEngine) -> None:
    async with app_on(engine, banner="demo").run_test() as pilot:
        await ready(pilot)
        screen = await asked(pilot)
        assert f"not here: {NOT_IN_A_DEMO}" in seen(pilot)
        await pilot.press("h")
        await shows(pilot, f"this cannot be chosen: {NOT_IN_A_DEMO}")
        await pilot.press("down", "enter")
        assert pilot.app.screen is screen
        assert not engine.stopped.is_set()


async def test_it_is_asked_once(engine: StageEngine, taking: Taking) -> None:
    async with app_on(engine, hand_over=taking).run_test() as pilot:
        await ready(pilot)
        screen = await asked(pilot)
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert pilot.app.screen is screen
        assert sum(isinstance(each, LeaveScreen) for each in pilot.app.screen_stack) == 1


async def test_a_hand_over_that_fails_leaves_the_desk_as_it_was(engine: StageEngine, tmp_path: Path) -> None:
    with Taking(tmp_path, REFUSES) as refusing:
        async with app_on(engine, hand_over=refusing).run_test(size=(120, 36)) as pilot:
            await ready(pilot)
            await asked(pilot)
            await pilot.press("h")
            await shows(pilot, "not handed over, so the desk stays: the ledger cannot be opened: it is on the moon")
            assert not engine.stopped.is_set()
            refusing.code = TAKES
            await asked(pilot)
            await pilot.press("h")
            await until(pilot, engine.stopped.is_set)
        assert len(refusing.processes) == 1


# What is asked about --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ((TransferState.RUNNING,), "2 transfers running. Leave"),
        ((TransferState.QUEUED, TransferState.FAILED), "2 transfers waiting. Leave"),
    ],
)
async def test_what_waits_counts(
    engine: StageEngine, taking: Taking, states: tuple[TransferState, ...], words: str
) -> None:
    only(engine, *states)
    async with app_on(engine, hand_over=taking).run_test() as pilot:
        await ready(pilot)
        await asked(pilot)
        await shows(pilot, words)


def nothing(engine: StageEngine) -> None:
    engine.set(transfers=())


def ended(engine: StageEngine) -> None:
    only(engine, TransferState.DONE, TransferState.FAILED)


def paused(engine: StageEngine) -> None:
    engine.set(transfers=tuple(replace(v, state=TransferState.PAUSED) for v in engine.snapshot().transfers))


def of_another(engine: StageEngine) -> None:
    """A `reeldesk work`, or one that took over before: this desk's end does not stop it."""
    only(engine, TransferState.RUNNING)
    run_by(engine, f"{socket.gethostname()}:1")


@pytest.mark.parametrize("way", ["ask", "hand_over"])
@pytest.mark.parametrize("change", [nothing, ended, paused, of_another])
async def test_what_does_not_end_with_the_desk_is_not_asked_about(
    tmp_path: Path, taking: Taking, way: str, change: Callable[[StageEngine], None]
) -> None:
    with busy(tmp_path, way) as engine:
        change(engine)
        async with app_on(engine, hand_over=taking).run_test() as pilot:
            await ready(pilot)
            await pilot.press("q")
            await until(pilot, engine.stopped.is_set)
            assert not any(isinstance(screen, LeaveScreen) for screen in pilot.app.screen_stack)
    assert not taking.processes


# What was chosen before -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("way", "number"), [("stop", 0), ("hand_over", 1)])
async def test_a_choice_of_the_configuration_is_not_asked_again(
    tmp_path: Path, taking: Taking, way: str, number: int
) -> None:
    with busy(tmp_path, way) as engine:
        async with app_on(engine, hand_over=taking).run_test() as pilot:
            await ready(pilot)
            await pilot.press("q")
            await until(pilot, engine.stopped.is_set)
        assert len(taking.processes) == number


async def test_a_choice_that_is_impossible_is_asked(tmp_path: Path) -> None:
    with busy(tmp_path, "hand_over") as engine:
        async with app_on(engine).run_test() as pilot:
            await ready(pilot)
            await asked(pilot)
            assert not engine.stopped.is_set()


# Signals --------------------------------------------------------------------------------------------------------------


async def signalled(app: DeskApp, name: str) -> None:
    """As if the signal had come: a test's own process must not get it."""
    code = {number.name: code for number, code in SIGNALS.items()}[name]
    async with app.run_test() as pilot:
        await ready(pilot)
        app._signalled(code)
        app._signalled(code)
    assert app.return_code == code


@pytest.mark.parametrize(
    ("way", "name", "number"),
    [
        *(("hand_over", "SIGHUP", 1), ("ask", "SIGHUP", 0), ("stop", "SIGHUP", 0)),
        *(("hand_over", "SIGTERM", 0), ("hand_over", "SIGINT", 0)),
    ],
)
async def test_only_a_lost_line_hands_over_and_only_where_it_was_chosen(
    tmp_path: Path, taking: Taking, way: str, name: str, number: int
) -> None:
    with busy(tmp_path, way) as engine:
        await signalled(app_on(engine, hand_over=taking), name)
        assert engine.stopped.is_set()
    assert len(taking.processes) == number


async def test_a_lost_line_without_a_taker_stops_cleanly(tmp_path: Path) -> None:
    with busy(tmp_path, "hand_over") as engine, Taking(tmp_path, REFUSES) as refusing:
        await signalled(app_on(engine, hand_over=refusing), "SIGHUP")
        assert engine.stopped.is_set()


async def test_a_lost_line_in_a_demo_stops_cleanly(tmp_path: Path) -> None:
    with busy(tmp_path, "hand_over") as engine:
        await signalled(app_on(engine), "SIGHUP")
        assert engine.stopped.is_set()


def test_who_quits_and_loses_the_line_hands_over_once(tmp_path: Path, taking: Taking) -> None:
    with stage(tmp_path, config=CONFIG + '\n[desk]\non_leave = "hand_over"\n') as engine:
        leaving = Leaving(cast(Engine, engine), taking)
        assert leaving.undone()
        quits = threading.Thread(target=leaving.hand_over)
        quits.start()
        leaving.line_lost()
        quits.join()
        leaving.line_lost()
    assert len(taking.processes) == 1
