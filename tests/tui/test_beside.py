"""Work beside a screen that goes while it is done."""

import asyncio

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import WorkerFailed

from tui.beside import beside, is_going


class Shown(Screen[None]):
    """Draws something once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.seen = asyncio.Event()

    def compose(self) -> ComposeResult:
        yield Static(id="there")

    async def draw(self, name: str) -> None:
        self.seen.set()
        await self.may.wait()
        self.query_one(name)


async def test_a_screen_that_is_popped_is_going() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        screen = Shown()
        await app.push_screen(screen)
        await pilot.pause()
        assert not is_going(screen)
        await app.pop_screen()
        assert is_going(screen)
        assert not is_going(app)
    assert is_going(app)


async def test_what_is_drawn_on_a_screen_that_goes_is_left_out() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        screen = Shown()
        await app.push_screen(screen)
        beside(screen, lambda: screen.draw("#there"), "draw")
        await screen.seen.wait()
        popping = app.pop_screen()
        await screen.query_one("#there").remove()
        screen._pruning = True  # as it is while its widgets go
        screen.may.set()
        await popping
        await pilot.pause()
        assert app.is_running


async def test_what_is_never_there_is_told() -> None:
    with pytest.raises(WorkerFailed, match="#nowhere"):
        await draw_nowhere()


async def draw_nowhere() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        screen = Shown()
        await app.push_screen(screen)
        beside(screen, lambda: screen.draw("#nowhere"), "draw")
        screen.may.set()
        await pilot.pause()
