"""What keys and live transfers cost on the wire, to the byte."""

import pytest
from msgspec.structs import replace
from rich.color import ColorSystem
from textual.pilot import Pilot

from tests.tui.stage import StageEngine
from tests.tui.walk import ready, seen, settled, shows, until
from tests.tui.wire_stage import XTERM, Twin, TwinApp
from tui.wire.line import PROGRESS_S, line_for
from vault.views import Query, TransferState, TransferView

FIRST_BYTES = 36_000
CURSOR_BYTES = 500
"""For a cursor move: its two lines, its place, and the keys that can act."""
PANE_BYTES = 2_000
"""For the pane beside the list, when it follows to a meeting of which much is known."""
LINE_BYTES, LINE_BESIDE_BYTES, PAGE_BYTES = 1_000, 3_500, 7_000
SSH = {"SSH_TTY": "/dev/pts/9"}
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


class Costs:
    """A desk over SSH whose bytes are counted key by key."""

    def __init__(self, engine: StageEngine, width: int) -> None:
        engine.transfers_from_ledger()  # nothing moves by itself
        self.twin = Twin(width, 40, XTERM, ColorSystem.EIGHT_BIT)
        self.app = TwinApp(engine, self.twin, line=line_for(SSH))
        self.app.console._color_system = ColorSystem.EIGHT_BIT
        self.width = width

    async def of(self, pilot: Pilot[None], key: str) -> list[int]:
        """The frames of a key, with all that follows."""
        self.twin.tap.sizes.clear()
        await pilot.press(key)
        await settled(pilot)
        assert not self.twin.differences()
        return list(self.twin.tap.sizes)


@pytest.mark.parametrize("width", [80, 99])
async def test_keys_cost_little_over_the_full_width(engine: StageEngine, width: int) -> None:
    costs = Costs(engine, width)
    async with costs.app.run_test(size=(width, 40)) as pilot:
        screen = await ready(pilot)
        await settled(pilot)
        assert sum(costs.twin.tap.sizes) <= FIRST_BYTES
        for key in ("j", "down", "j", "k", "up"):
            frames = await costs.of(pilot, key)
            assert 0 < sum(frames) <= CURSOR_BYTES
            assert len(frames) <= 2
        screen.table.move_to(screen.table._room - 1)
        await settled(pilot)
        for key in ("j", "j", "j", "down"):
            assert 0 < sum(await costs.of(pilot, key)) <= LINE_BYTES
        for key in ("pagedown", "pageup", "G", "g", "ctrl+d"):
            assert 0 < sum(await costs.of(pilot, key)) <= PAGE_BYTES


async def test_keys_cost_little_beside_the_pane(engine: StageEngine) -> None:
    costs = Costs(engine, 120)
    async with costs.app.run_test(size=(120, 40)) as pilot:
        screen = await ready(pilot)
        await settled(pilot)
        assert sum(costs.twin.tap.sizes) <= FIRST_BYTES
        for key in ("j", "down", "j", "k", "up"):
            frames = await costs.of(pilot, key)
            # The move's and the pane's; on a busy machine either may come in two parts, which hold no more together.
            assert 2 <= len(frames) <= 4
            assert 0 < frames[0] <= CURSOR_BYTES
            assert sum(frames) <= CURSOR_BYTES + PANE_BYTES
        screen.table.move_to(screen.table._room - 1)
        await settled(pilot)
        for key in ("j", "j", "j", "down"):
            assert 0 < sum(await costs.of(pilot, key)) <= LINE_BESIDE_BYTES
        for key in ("pagedown", "pageup", "G", "g", "ctrl+d"):
            assert 0 < sum(await costs.of(pilot, key)) <= PAGE_BYTES


async def test_the_pane_does_not_follow_while_a_key_is_held_over_ssh(engine: StageEngine) -> None:
    costs = Costs(engine, 120)
    async with costs.app.run_test(size=(120, 40)) as pilot:
        screen = await ready(pilot)
        await settled(pilot)
        shown = screen.pane.view
        assert shown is not None
        costs.app.line = replace(costs.app.line, follow_s=60.0)  # however slow the machine is
        costs.twin.tap.sizes.clear()
        for _ in range(30):
            await pilot.press("j")
        assert screen.pane.view is shown
        assert sum(costs.twin.tap.sizes) <= 30 * CURSOR_BYTES
        costs.app.line = line_for(SSH)
        await pilot.press("k")
        row = screen.table.current
        assert row is not None
        await until(pilot, lambda: screen.pane.shows(row.key))


async def test_the_status_line_says_what_is_sent_when_that_is_wanted(engine: StageEngine) -> None:
    costs = Costs(engine, 80)
    async with costs.app.run_test(size=(80, 40)) as pilot:
        screen = await ready(pilot)
        assert "sent" not in seen(pilot)
        screen.action_perform("line.rate")
        await shows(pilot, "0 B/s sent")
        await settled(pilot)
        costs.twin.tap.sizes.clear()
        for _ in range(4):
            costs.app._poll()
            await settled(pilot)
        assert not costs.twin.tap.sizes, "a rate that is the same is not drawn again"
        screen.action_perform("line.rate")
        await until(pilot, lambda: "sent" not in seen(pilot))
