"""Pictures of every mode in both sizes; of the desk also in light and without colours."""

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from tests.tui.stage import StageEngine, app_on, trouble
from tests.tui.walk import ready, settled, shows

Compare = Callable[..., bool]
SIZES = [(80, 24), (120, 36)]
MODES = {
    "desk": ("1", "1 of 60"),
    "transfers": ("2", "2 queued, 2 running"),
    "rooms": ("3", "Budget is agreed"),
    "notifications": ("4", "could not be read"),
    "webhooks": ("5", "Addresses 4"),
    "accounts": ("6", "api_key not looked up yet"),
}


def going(key: str, words: str, *more: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def go(pilot: Pilot[None]) -> None:
        await ready(pilot)
        await settled(pilot)
        await pilot.press(key)
        await shows(pilot, words)
        await settled(pilot)
        for each in more:
            await pilot.press(each)
            await settled(pilot)

    return go


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
@pytest.mark.parametrize("mode", MODES)
def test_mode(snap_compare: Compare, engine: StageEngine, mode: str, size: tuple[int, int]) -> None:
    key, words = MODES[mode]
    assert snap_compare(app_on(engine, banner="demo"), terminal_size=size, run_before=going(key, words))


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
@pytest.mark.parametrize(("key", "words"), [("1", "1 of 60"), ("2", "1 queued, 2 running, 1 waiting")])
def test_trouble(snap_compare: Compare, engine: StageEngine, key: str, words: str, size: tuple[int, int]) -> None:
    trouble(engine)
    steps = ("j", "j") if key == "2" else ()
    assert snap_compare(app_on(engine), terminal_size=size, run_before=going(key, words, *steps))


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
def test_a_finished_transfer(snap_compare: Compare, engine: StageEngine, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(engine), terminal_size=size, run_before=going("2", "3 done", "G"))


def test_desk_in_light(snap_compare: Compare, engine: StageEngine) -> None:
    app = app_on(engine, theme="reeldesk-light")
    assert snap_compare(app, terminal_size=(120, 36), run_before=going("1", "1 of 60", "j", "j"))


def test_desk_without_colours(snap_compare: Compare, engine: StageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_on(engine)
    assert app.theme == "ansi-dark"
    assert snap_compare(app, terminal_size=(120, 36), run_before=going("1", "1 of 60", "j", "space"))


def test_meeting_in_full_at_80x24(snap_compare: Compare, engine: StageEngine) -> None:
    assert snap_compare(app_on(engine), terminal_size=(80, 24), run_before=going("1", "1 of 60", "j", "j", "enter"))


def test_release_dialog(snap_compare: Compare, engine: StageEngine) -> None:
    async def go(pilot: Pilot[None]) -> None:
        await ready(pilot)
        await pilot.press("j", "j")
        await settled(pilot)
        await pilot.press("A")
        await shows(pilot, "Let the service delete 1 asset")
        await settled(pilot)

    assert snap_compare(app_on(engine), terminal_size=(80, 24), run_before=go)


@pytest.mark.parametrize(("key", "words"), [("question_mark", "Keys: desk"), ("ctrl+p", "what to do")])
def test_help_and_palette(snap_compare: Compare, engine: StageEngine, key: str, words: str) -> None:
    assert snap_compare(app_on(engine), terminal_size=(80, 24), run_before=going(key, words))
