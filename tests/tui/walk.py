"""Steps of a walkthrough: press, wait until the screen has settled, look."""

import time
from collections.abc import Callable

from textual.pilot import Pilot
from textual.screen import ModalScreen

from tui.screens.base import ModeScreen
from tui.screens.desk import DeskScreen


def seen(pilot: Pilot[None]) -> str:
    """What the terminal shows, as text."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def until(pilot: Pilot[None], true: Callable[[], bool], what: str = "") -> None:
    """Let the app work until something holds."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, f"{what or 'it'} never happened; the screen says:\n{seen(pilot)}"
        await pilot.pause(0.02)


async def shows(pilot: Pilot[None], text: str) -> None:
    """Let the app work until the screen shows a text."""
    await until(pilot, lambda: text in seen(pilot), repr(text))


def desk_of(pilot: Pilot[None]) -> DeskScreen:
    screen = next(s for s in pilot.app.screen_stack if isinstance(s, DeskScreen))
    return screen


def screen_of(pilot: Pilot[None]) -> ModeScreen:
    return next(s for s in pilot.app.screen_stack if isinstance(s, ModeScreen))


async def ready(pilot: Pilot[None]) -> DeskScreen:
    """Until the desk has its rows and the pane its meeting."""
    await until(pilot, lambda: any(isinstance(s, DeskScreen) and s.is_mounted for s in pilot.app.screen_stack))
    screen = desk_of(pilot)
    await until(pilot, lambda: screen.table.total > 0 and screen.pane.view is not None, "the desk's rows")
    await pilot.pause()
    return screen


async def settled(pilot: Pilot[None]) -> None:
    """Until nothing is read any more, but what waits for an answer, and everything read is drawn."""

    def at_rest() -> bool:
        waits = {"engine", "attempts"} if isinstance(pilot.app.screen, ModalScreen) else {"engine"}
        return all(worker.is_finished for worker in pilot.app.workers if worker.name not in waits)

    for _ in range(3):
        await pilot.pause(0.05)
        await until(pilot, at_rest, "rest")
    await pilot.pause()
