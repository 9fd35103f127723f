"""What comes before the first frame, and how often it is drawn."""

import inspect
import threading
from typing import Any

import pytest
from textual.screen import Screen

from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import desk_of, ready, seen, until
from tui.app import DeskApp
from tui.modes import MODES
from tui.screens.base import ModeScreen
from tui.screens.desk import DeskScreen
from tui.wire.app import WiredApp


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many meetings the list had in each frame."""
    frames: list[int] = []
    display = WiredApp._display

    def noting(app: WiredApp, screen: Screen[Any], renderable: Any) -> None:
        if isinstance(screen, DeskScreen) and renderable is not None:
            frames.append(screen.table.total)
        display(app, screen, renderable)

    monkeypatch.setattr(WiredApp, "_display", noting)
    return frames


def test_textual_is_as_it_was() -> None:
    assert list(inspect.signature(Screen._compositor_refresh).parameters) == ["self"]
    source = inspect.getsource(Screen)
    assert source.count("self._compositor_refresh") == source.count("_compositor_refresh") - 1, "all frames go by it"


async def test_the_first_frame_has_the_rows(engine: StageEngine, shown: list[int]) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        assert shown
        assert shown[0] > 0


async def test_rows_that_are_long_in_coming_hold_nothing_else_back(
    engine: StageEngine, shown: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    come = threading.Event()
    page = engine.desk.page

    def late(*args: Any, **near: Any) -> Any:
        assert come.wait(30)
        return page(*args, **near)

    monkeypatch.setattr(engine.desk, "page", late)
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: bool(shown), "a frame without rows")
        assert shown[0] == 0
        assert "1 Desk" in seen(pilot)
        come.set()
        await ready(pilot)
        assert desk_of(pilot).table.total > 0


async def test_the_desk_is_all_there_is_before_another_mode_is_opened(engine: StageEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        assert app.screen_stack == [screen]
        assert app.current_mode == MODES[0] == DeskApp.DEFAULT_MODE
        assert screen.has_class("-wide", "-tall")


@pytest.mark.parametrize(
    ("size", "classes"),
    [((59, 19), {"-tiny-width", "-tiny-height"}), ((60, 20), {"-narrow", "-low"}), ((200, 60), {"-huge", "-tall"})],
)
async def test_a_screen_begins_with_the_classes_of_its_size(
    engine: StageEngine, size: tuple[int, int], classes: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[frozenset[str]] = []
    fit = ModeScreen.fit

    def noting(screen: ModeScreen, *args: Any) -> None:
        fit(screen, *args)
        begun.append(frozenset(screen.classes))

    monkeypatch.setattr(ModeScreen, "fit", noting)
    async with app_on(engine).run_test(size=size) as pilot:
        screen = await ready(pilot)
        assert begun == [frozenset(classes)]
        assert classes <= screen.classes
