"""Pictures of mode 5: its lists in both sizes; deliveries and addresses in light and colourless; a question."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from providers.emulation import Loopback
from tests.tui.hook_stage import hook_stage
from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import ready, settled, shows
from vault.inbox.views import ReceiverState, ReceiverView

Compare = Callable[..., bool]
SIZES = [(80, 24), (120, 36)]
NAMES = ["80x24", "120x36"]
ON = ReceiverView(
    ReceiverState.ON,
    address="http://127.0.0.1:8787",
    accepted=128,
    repeated=3,
    refused={"404 no such address": 2, "401 not authentic": 1},
    catchups=4,
    waiting=2,
)
VIEWS = {
    "deliveries": ("14:02:00", (), "advice: communication.archives.archive.available", ("j",)),
    "addresses": ("ours", ("tab",), "delivered 2026-11-22T14:05", ("j", "j")),
    "missed": ("Missed 1", ("shift+tab",), "found by polling", ()),
}


@pytest.fixture
def received(net: Loopback, tmp_path: Path) -> Iterator[StageEngine]:
    """A desk that has received; its receiver listens in words only, so that the port is always the same."""
    with hook_stage(net, tmp_path) as (engine, _):
        engine.set(receiver=ON)
        yield engine


def going(view: str, *more: str) -> Callable[[Pilot[None]], object]:
    async def go(pilot: Pilot[None]) -> None:
        words, steps, told, moves = VIEWS[view]
        await ready(pilot)
        await pilot.press("5")
        await shows(pilot, "Addresses 4")
        await settled(pilot)
        await pilot.press(*steps)
        await shows(pilot, words)
        await pilot.press(*moves)
        await shows(pilot, told)
        await settled(pilot)
        await pilot.press(*more)
        await settled(pilot)

    return go


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
@pytest.mark.parametrize("view", VIEWS)
def test_view(snap_compare: Compare, received: StageEngine, view: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(received), terminal_size=size, run_before=going(view))


@pytest.mark.parametrize("view", ["deliveries", "addresses"])
def test_view_in_light(snap_compare: Compare, received: StageEngine, view: str) -> None:
    app = app_on(received, theme="reeldesk-light")
    assert snap_compare(app, terminal_size=(120, 36), run_before=going(view))


@pytest.mark.parametrize("view", ["deliveries", "addresses"])
def test_view_without_colours(
    snap_compare: Compare, received: StageEngine, view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_on(received)
    assert app.theme == "ansi-dark"
    assert snap_compare(app, terminal_size=(80, 24), run_before=going(view))


def test_address_and_its_rotation(snap_compare: Compare, received: StageEngine) -> None:
    run_before = going("addresses", "g", "T")
    assert snap_compare(app_on(received), terminal_size=(80, 24), run_before=run_before)
