"""What live transfers cost on the wire, to the byte: rates, bars and seconds that change at every look."""

from dataclasses import replace

import pytest
from rich.color import ColorSystem

from tests.tui.stage import StageEngine
from tests.tui.walk import ready, settled
from tests.tui.wire_stage import XTERM, Twin, TwinApp
from tui.wire.line import PROGRESS_S
from vault.views import Query, TransferState, TransferView

LOOKS = 8
SIZE = 300_000_000


def live(view: TransferView, number: int, look: int) -> TransferView:
    """A transfer at some 4 MB/s that is looked at twice a second, its rate never quite the same."""
    rate = 3_000_000.0 + 170_000 * ((number * 7 + look * 3) % 11)
    received = 40_000_000 + number * 3_000_000 + int(rate * look * PROGRESS_S)
    return replace(
        view,
        state=TransferState.RUNNING,
        received=received,
        total=SIZE,
        rate=rate,
        eta_s=(SIZE - received) / rate,
        attempts=1,
        owner="desk:1",
    )


@pytest.mark.parametrize(
    ("number", "mode", "budget"), [(8, "1", 1_500), (8, "2", 1_500), (50, "1", 4_000), (50, "2", 4_000)]
)
async def test_live_transfers_cost_little(engine: StageEngine, number: int, mode: str, budget: int) -> None:
    twin = Twin(120, 40, XTERM, ColorSystem.EIGHT_BIT)
    app = TwinApp(engine, twin)
    app.console._color_system = ColorSystem.EIGHT_BIT
    desk = engine.desk
    rows = desk.page(Query(), 0, 200)
    assets = [each.identity for row in rows for each in desk.meeting(*row.key).assets]  # type: ignore[union-attr]  # it is there
    desk.enqueue(assets)
    queued = [view for view in desk.transfers() if view.state is TransferState.QUEUED]
    assert len(queued) >= number

    def look_at(look: int) -> None:
        moving = [live(view, place, look) for place, view in enumerate(queued[:number])]
        engine._made = replace(engine._made, transfers=(*moving, *queued[number:]))

    look_at(0)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press(mode)
        await settled(pilot)
        app._poll()
        await settled(pilot)
        twin.tap.sizes.clear()
        for look in range(1, LOOKS + 1):
            look_at(look)
            app._poll()
            await settled(pilot)
        await settled(pilot)
        assert not twin.differences()
    a_second = sum(twin.tap.sizes) / LOOKS / PROGRESS_S
    assert 0 < a_second <= budget
