"""Steps of a walk through mode 5."""

import socket
from typing import cast

from textual.pilot import Pilot

from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.stage import StageEngine
from tests.tui.walk import ready, screen_of, seen, settled, shows
from tui.screens.webhooks import WebhooksScreen
from tui.widgets.lines import Lines

SIZES = [(80, 24), (120, 36)]
Hooks = tuple[StageEngine, FlexpertoEmulator]


def free_port() -> int:
    """One that was free just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


async def opened(pilot: Pilot[None]) -> WebhooksScreen:
    """Mode 5, its deliveries and addresses read."""
    await ready(pilot)
    await pilot.press("5")
    await shows(pilot, "Addresses 4")
    await settled(pilot)
    return cast(WebhooksScreen, screen_of(pilot))


async def addresses(pilot: Pilot[None], row: int = 0) -> WebhooksScreen:
    """The addresses, the cursor on a line of them."""
    screen = await opened(pilot)
    await pilot.press("tab")
    await shows(pilot, "● ours")
    await pilot.press("g", *["j"] * row)
    await settled(pilot)
    return screen


def about(pilot: Pilot[None]) -> str:
    """What the pane says, whatever is scrolled away, its lines joined."""
    return " ".join(screen_of(pilot).query_one("#about", Lines).text.split())


def rows_of(pilot: Pilot[None], *marks: str) -> list[int]:
    """On which line of the terminal each mark stands."""
    lines = seen(pilot).split("\n")
    return [next(place for place, line in enumerate(lines) if mark in line) for mark in marks]
