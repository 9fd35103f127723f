"""Pictures of deciding: the risk list, dialogs, what is in its grace; in both sizes, in light, without colours."""

from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from providers.models import AssetId
from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import ready, settled, shows, until
from tui.screens.reconcile import ReconcileScreen
from vault.views import Flag

Compare = Callable[..., bool]
Steps = Callable[[Pilot[None]], Awaitable[None]]
SIZES = [(80, 24), (120, 36)]
IDS = ["80x24", "120x36"]
HELD = AssetId.parse("advice/advice-000/archive.ARCHIVE")


def deciding(*keys: str, shown: str) -> Steps:
    """From the desk at rest, one key after the other."""

    async def go(pilot: Pilot[None]) -> None:
        screen = await ready(pilot)
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        await shows(pilot, shown)
        await until(pilot, lambda: not screen._acts.work.going)
        await settled(pilot)

    return go


@pytest.fixture
def decided(engine: StageEngine) -> StageEngine:
    """Some was decided before."""
    rows = engine.desk.risk.look("advice").rows
    engine.desk.flagging.set([rows[2].asset.identity], Flag.HOLD, "complaint 4711, see the letter of 3 November")
    engine.desk.enqueue([rows[1].asset.identity])
    engine.transfers_from_ledger()
    return engine


@pytest.mark.parametrize("size", SIZES, ids=IDS)
def test_at_risk(snap_compare: Compare, decided: StageEngine, size: tuple[int, int]) -> None:
    go = deciding("R", "j", "space", shown="1 marked")
    assert snap_compare(app_on(decided), terminal_size=size, run_before=go)


def test_at_risk_in_light(snap_compare: Compare, decided: StageEngine) -> None:
    app = app_on(decided, theme="reeldesk-light")
    assert snap_compare(app, terminal_size=(80, 24), run_before=deciding("R", "j", shown="At risk"))


def test_at_risk_without_colours(snap_compare: Compare, decided: StageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_on(decided), terminal_size=(80, 24), run_before=deciding("R", "j", shown="At risk"))


def test_a_flag_and_its_note(snap_compare: Compare, decided: StageEngine) -> None:
    go = deciding("j", "j", "e", "h", shown="a note, if you like")
    assert snap_compare(app_on(decided), terminal_size=(80, 24), run_before=go)


@pytest.mark.parametrize("size", SIZES, ids=IDS)
def test_in_its_grace(snap_compare: Compare, decided: StageEngine, size: tuple[int, int]) -> None:
    decided.desk.releasing.ask([HELD])
    assert snap_compare(app_on(decided), terminal_size=size, run_before=deciding("j", "j", shown="grace 10m"))


def test_what_is_lost(snap_compare: Compare, decided: StageEngine) -> None:
    go = deciding("j", "j", "v", shown="1 file not as proven")
    assert snap_compare(app_on(decided), terminal_size=(80, 24), run_before=go)


@pytest.mark.parametrize("size", SIZES, ids=IDS)
def test_side_by_side(snap_compare: Compare, decided: StageEngine, size: tuple[int, int]) -> None:
    compare = deciding("c", shown="< missing here")

    async def go(pilot: Pilot[None]) -> None:
        await compare(pilot)
        screen = cast(ReconcileScreen, pilot.app.screen)
        assert screen._view is not None
        screen._view = replace(screen._view, checked=screen._view.checked[:1])  # the folder's name is in the rest
        screen.on_table_moved()
        await settled(pilot)

    assert snap_compare(app_on(decided), terminal_size=size, run_before=go)
