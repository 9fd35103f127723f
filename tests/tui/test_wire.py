"""The wire draws what Textual would have drawn: over random sessions of the real desk, frame by frame."""

import os

import pytest
from rich.color import ColorSystem

from tests.tui.stage import StageEngine
from tests.tui.walk import ready
from tests.tui.wire_stage import NOTHING, SCREEN, XTERM, Twin, TwinApp, keys
from tui.wire.abilities import Abilities

LONG = 50 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 1
SIZES = ((120, 40), (80, 24), (60, 20), (100, 30), (97, 33))


@pytest.mark.parametrize(
    ("seed", "abilities", "colours", "environ"),
    [
        (1, XTERM, ColorSystem.TRUECOLOR, {}),
        (2, XTERM, ColorSystem.EIGHT_BIT, {}),
        (3, SCREEN, ColorSystem.EIGHT_BIT, {}),
        (4, NOTHING, ColorSystem.STANDARD, {}),
        (5, XTERM, ColorSystem.EIGHT_BIT, {"REELDESK_ASCII": "1"}),
        (6, SCREEN, ColorSystem.EIGHT_BIT, {"NO_COLOR": "1"}),
    ],
    ids=["truecolour", "256 colours", "screen", "unknown", "ASCII", "NO_COLOR"],
)
async def test_random_sessions_look_the_same(
    engine: StageEngine,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    abilities: Abilities,
    colours: ColorSystem,
    environ: dict[str, str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    twin = Twin(120, 40, abilities, colours)
    app = TwinApp(engine, twin, environ=environ)
    app.console._color_system = colours
    pressed: list[str] = []

    def same() -> None:
        found = twin.differences()
        assert not found, f"after {pressed}: {found[:5]}"

    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        app.on_frame = same
        same()
        for place, key in enumerate(keys(seed, 24 * LONG)):
            pressed.append(key)
            await pilot.press(key)
            if place % 8 == 7:
                await pilot.resize_terminal(*SIZES[place // 8 % len(SIZES)])
        await pilot.pause()
        same()
    assert app.frames > 15
    assert twin.whole
    assert sum(twin.tap.sizes) < twin.stock_bytes
