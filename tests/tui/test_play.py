"""The plays, walked: what `reeldesk demo --play` shows is what happens, over the demo's own services, at 80x24."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

from providers.demo import Demo
from providers.models import AssetId
from tests.tui.walk import desk_of, seen, until
from tui.app import DeskApp
from tui.commandline.demo import BANNER
from tui.play import CLAIMED, DECIDED, ON_HOLD, PROOF, SKIPPED, TRIAGE, Step
from tui.screens.desk import DeskScreen
from vault.desk import Desk
from vault.engine import Engine
from vault.transfers.retrying import Rhythm
from vault.views import AssetView, Flag, LocalState

KNOWN = 50
"""Meetings that are there when a newcomer begins."""
KEYS = 45
"""As many may be pressed for twenty archives."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """The demo as `reeldesk demo` opens it; only the waits between two attempts are shorter."""
    with Demo(tmp_path / "demo", decays=True) as demo:
        desk = Desk.open(demo.environ, rhythm=Rhythm(beat_s=0.1, backoff_s=0.05))
        try:
            yield Engine(desk)
        finally:
            desk.secrets.close()
            desk.close()


async def opened(pilot: Pilot[None]) -> None:
    """Until the services have answered."""
    await until(pilot, lambda: any(isinstance(each, DeskScreen) for each in pilot.app.screen_stack))
    await until(pilot, lambda: desk_of(pilot).table.total >= KNOWN, "the first sync")


async def walk(pilot: Pilot[None], steps: Sequence[Step]) -> int:
    """Press every key and wait for what follows; gives the number of keys."""
    app = pilot.app
    assert isinstance(app, DeskApp)
    keys = 0
    for step in steps:
        for key in step.keys:
            await pilot.press(key)
            keys += 1
        await until(pilot, lambda step=step: step.is_done(app), step.caption)  # type: ignore[misc]  # bound early on purpose
    return keys


def known(engine: Engine, asset: str) -> AssetView:
    view = engine.desk.asset(AssetId.parse(asset))
    assert view is not None, asset
    return view


async def test_twenty_archives_are_decided_about_in_at_most_45_keys(engine: Engine) -> None:
    app = DeskApp(engine, banner=BANNER)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        keys = await walk(pilot, TRIAGE)
        assert len(set(DECIDED)) == 20
        assert len(CLAIMED) == 18
        assert keys <= KEYS
        assert all(known(engine, each).local is LocalState.HELD for each in CLAIMED)
        flags = {each: known(engine, each).flags for each in DECIDED}
        assert {each for each, flag in flags.items() if Flag.SKIP in flag} == {SKIPPED}
        assert {each for each, flag in flags.items() if Flag.HOLD in flag} == {ON_HOLD}
        assert known(engine, SKIPPED).local is LocalState.ABSENT
        assert known(engine, ON_HOLD).local is LocalState.ABSENT
        others = [view for view in engine.desk.risk.look("advice").rows if str(view.asset.identity) in CLAIMED]
        assert others == []
        app.exit()


async def test_what_was_decided_is_proven_released_stopped_packed_and_compared(engine: Engine) -> None:
    app = DeskApp(engine, banner=BANNER)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await walk(pilot, TRIAGE)
        await walk(pilot, PROOF)
        assert "1 Desk" in seen(pilot)
        parts = [known(engine, each) for each in CLAIMED if "conf-0025" in each]
        assert [part.release for part in parts] == [None, None, None]
        events = [event.what for event in engine.desk.trail(AssetId.parse(CLAIMED[-1]))]
        assert "release stopped" in events
        packets = list((engine.desk.config.vault_path.parent).glob("*-packets/*/bagit.txt"))
        assert len(packets) == 1
        app.exit()
