"""Deciding in the desk: flags, marks, releases with their grace, verification, undo; by keys, over a real ledger."""

from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from providers.models import AssetId, RemoteState
from tests.tui.sealed_stage import burst
from tests.tui.stage import NOW, StageEngine, app_on
from tests.tui.walk import desk_of, ready, seen, shows, until
from tui.screens import log_following
from tui.screens.confirm import ConfirmScreen
from tui.screens.desk import DeskScreen
from tui.screens.flag import FlagScreen
from tui.screens.reconcile import ReconcileScreen
from tui.screens.risk import RiskScreen
from vault.side_by_side import Remedy
from vault.views import AssetView, Flag, LocalState

SIZES = [(80, 24), (120, 36)]
HELD = AssetId.parse("advice/advice-000/archive.ARCHIVE")


def asset(engine: StageEngine, name: AssetId | str) -> AssetView:
    view = engine.desk.asset(name if isinstance(name, AssetId) else AssetId.parse(name))
    assert view is not None
    return view


async def at_risk(pilot: Pilot[None]) -> RiskScreen:
    await ready(pilot)
    await pilot.press("R")
    await until(pilot, lambda: isinstance(pilot.app.screen, RiskScreen))
    screen = cast(RiskScreen, pilot.app.screen)
    await until(pilot, lambda: screen.table.total > 0 and screen.pane.asset is not None, "the risk list")
    return screen


async def on_held(pilot: Pilot[None]) -> DeskScreen:
    screen = await ready(pilot)
    await pilot.press("j", "j")
    await until(pilot, lambda: screen.pane.view is not None and screen.pane.view.meeting == "advice-000")
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_lost_first_stands_first(engine: StageEngine, size: tuple[int, int]) -> None:
    async with app_on(engine).run_test(size=size) as pilot:
        screen = await at_risk(pilot)
        slacks = [row.slack_s for row in screen.rows]
        known = [each for each in slacks if each is not None]
        assert known == sorted(known)
        assert slacks[len(known) :] == [None] * (len(slacks) - len(known))
        text = seen(pilot)
        for words in ("At risk: all accounts", "free", "in time", "with no known deadline", "stated by the service"):
            assert words in text
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: {row.asset.identity.account for row in screen.rows} == {"advice"})
        await pilot.press("R")
        await until(pilot, lambda: isinstance(pilot.app.screen, DeskScreen))


async def test_a_verb_takes_the_line_and_goes_on_however_fast_it_is_typed(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await at_risk(pilot)
        first = [row.asset.identity for row in screen.rows[:4]]
        await pilot.press("d", "X", "H", "d")
        await until(pilot, lambda: asset(engine, first[3]).local is LocalState.QUEUED)
        assert asset(engine, first[0]).local is LocalState.QUEUED
        assert asset(engine, first[1]).flags == {Flag.SKIP}
        assert asset(engine, first[2]).flags == {Flag.HOLD}
        await until(pilot, lambda: first[1] not in [row.asset.identity for row in screen.rows], "it leaves the list")
        for _ in range(4):
            await pilot.press("u")
            await until(pilot, lambda: "undone" in screen.said)
        assert [asset(engine, each).local for each in first] == [LocalState.ABSENT] * 4
        assert [asset(engine, each).flags for each in first] == [frozenset()] * 4


async def test_a_refresh_moves_neither_cursor_nor_lines(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await at_risk(pilot)
        await pilot.press("j", "j", "j")
        order = [row.asset.identity for row in screen.rows]
        here = screen.table.current_key
        engine.desk.enqueue(order[5:7])
        engine.set()
        await until(pilot, lambda: screen.rows[5].asset.local is LocalState.QUEUED)
        assert [row.asset.identity for row in screen.rows] == order
        assert screen.table.current_key == here


async def test_marks_of_all_that_is_listed_a_verb_on_them_and_back(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await at_risk(pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: len(screen.rows) < 20)
        many = len(screen.rows)
        await pilot.press("asterisk")
        await shows(pilot, f"{many} marked")
        await pilot.press("W")
        await until(pilot, lambda: all(Flag.WANT in row.asset.flags for row in screen.rows))
        assert not screen.table.marks, "marks go with the verb that they were for"
        await pilot.press("u")
        await until(pilot, lambda: not any(row.asset.flags for row in screen.rows))
        assert not screen._acts.undone, "no mark is left to take back"
        await pilot.press("space", "j", "M")
        await until(pilot, lambda: len(screen.table.marks) == 3)
        for left in (1, 0):
            await pilot.press("u")
            await until(pilot, lambda left=left: len(screen.table.marks) == left)  # type: ignore[misc]  # bound early on purpose


async def test_what_is_decided_in_one_burst_is_taken_back_in_its_order(engine: StageEngine) -> None:
    """Each decision is done in a thread: none may overtake the one before it, nor `u` any of them."""
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await at_risk(pilot)
        first = [row.asset.identity for row in screen.rows[:3]]
        await pilot.press("X")
        await until(pilot, lambda: asset(engine, first[0]).flags == {Flag.SKIP})
        for _ in range(3):
            events = engine.desk.custody.log_size()
            burst(pilot.app, "H", "d", "u", "u")
            # Each of the four is an event of its own.
            await until(pilot, lambda events=events: engine.desk.custody.log_size() >= events + 4)  # type: ignore[misc]  # bound early on purpose
            await until(pilot, lambda: not screen._acts.turns.locked())
            assert asset(engine, first[0]).flags == {Flag.SKIP}, "what was decided before stays"
            assert [asset(engine, each).flags for each in first[1:]] == [frozenset(), frozenset()]
            assert [asset(engine, each).local for each in first[1:]] == [LocalState.ABSENT] * 2
            await pilot.press("k", "k")


async def test_a_note_typed_at_once_is_for_the_question(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await at_risk(pilot)
        first = screen.rows[0].asset.identity
        burst(pilot.app, "e", "h", *"quit", "enter")
        await until(pilot, lambda: asset(engine, first).flags == {Flag.HOLD})
        await until(pilot, lambda: "hold: quit" in screen.pane.text.replace("\n", " ") or "hold" in screen.said)
        assert pilot.app.is_running


async def test_a_flag_with_a_note_stands_in_the_row_and_in_the_pane(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await on_held(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, FlagScreen))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(pilot.app.focused, Input))
        await pilot.press(*"court", "enter")
        await until(pilot, lambda: asset(engine, HELD).flags == {Flag.HOLD})
        await shows(pilot, "hold Quarterly") if "hold Quarterly" in seen(pilot) else await shows(pilot, "hold ")
        await pilot.press("k")
        await until(pilot, lambda: "hold: court" in screen.pane.text.replace("\n", " "))
        await pilot.press("j", "k", "e")
        await until(pilot, lambda: isinstance(pilot.app.screen, FlagScreen))
        await pilot.press("escape")
        await until(pilot, lambda: "no flag was changed" in screen.said)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, FlagScreen))
        await pilot.press("minus")
        await until(pilot, lambda: not asset(engine, HELD).flags)


async def test_a_release_is_named_waits_and_is_stopped(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("A")
        assert "no way to let it delete" in screen.said
        await on_held(pilot) if screen.table.cursor == 2 else await pilot.press("j", "j")
        await until(pilot, lambda: screen.pane.view is not None and screen.pane.view.meeting == "advice-000")
        await pilot.press("A")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.pause()
        text = " ".join(seen(pilot).split())
        for words in (
            "Let the service delete 1 asset, 1.4 GB?",
            "Nothing is sent for 10m",
            "u stops it until then",
            "deletes it: about 2026-11-25 14:15 UTC",
        ):
            assert words in text, text
        assert cast(Button, pilot.app.focused).id == "no"
        await pilot.press("enter")
        await until(pilot, lambda: screen.said == "nothing was released")
        assert engine.desk.releasing.due() == ()
        await pilot.press("A")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("right", "enter")
        await shows(pilot, "1 release, sent in 10m: u stops")
        await shows(pilot, "◌ grace 10m")
        (waiting,) = engine.desk.releasing.due()
        assert waiting.due_at == NOW + timedelta(minutes=10)
        await pilot.press("k", "enter")
        await until(pilot, lambda: "release sent in 10m" in " ".join(screen.pane.text.split()))
        await pilot.press("escape", "u")
        await until(pilot, lambda: engine.desk.releasing.due() == ())
        await until(pilot, lambda: "u stops" not in seen(pilot))
        assert asset(engine, HELD).state is RemoteState.AVAILABLE


async def test_what_is_on_hold_is_refused_with_the_reason(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await on_held(pilot)
        engine.desk.flagging.set([HELD], Flag.HOLD, "court")
        engine.set()
        await until(pilot, lambda: screen.pane.asset is not None and Flag.HOLD in screen.pane.asset.flags)
        await pilot.press("A")
        await until(pilot, lambda: "hold" in screen.said)
        assert not isinstance(pilot.app.screen, ConfirmScreen)


async def test_what_is_lost_is_told_loudly_and_fetched_again(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await on_held(pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.pause()
        text = seen(pilot)
        for words in ("1 file not as proven", "lost", "the service still has it", "Fetch 1 again"):
            assert words in text
        assert asset(engine, HELD).local is LocalState.LOST
        await pilot.press("enter")
        await until(pilot, lambda: asset(engine, HELD).local is LocalState.QUEUED)


async def test_reading_can_be_stopped(engine: StageEngine, tmp_path: Path) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await on_held(pilot)
        acts = screen._acts
        with acts.work.begun():
            acts.work.words = "reading 1 of 9 again: 12 %; x stops it"
            screen.keep_telling()
            await shows(pilot, "12 %; x stops it")
            await pilot.press("x")
            assert acts.work.stopped()
            await pilot.press("v")
            await until(pilot, lambda: "something is being read already" in desk_of(pilot).said)


async def test_repeat_does_the_same_on_the_next_line(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await at_risk(pilot)
        first = [row.asset.identity for row in screen.rows[:3]]
        await pilot.press("H", ".", ".")
        await until(pilot, lambda: all(asset(engine, each).flags == {Flag.HOLD} for each in first))


async def test_service_ledger_and_disk_side_by_side_and_one_key_mends(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, ReconcileScreen))
        screen = cast(ReconcileScreen, pilot.app.screen)
        await until(pilot, lambda: screen.table.total > 0, "the comparison")
        await shows(pilot, "< missing here")
        text = seen(pilot)
        for words in ("Compared all accounts:", "= 52 equal", "Service", "Ledger", "Disk", "m does"):
            assert words in text, text
        row = screen.table.current
        assert row is not None
        many = screen.table.total
        assert row.remedy is Remedy.FETCH
        await pilot.press("m")
        await until(pilot, lambda: screen.table.total == many - 1, f"one of {many} mended, {screen.table.total=}")
        queued = [row.asset for row in screen._view.rows[:3]] if screen._view else []
        burst(pilot.app, "m", "m", "m")
        await until(pilot, lambda: screen.table.total == many - 4)
        assert [asset(engine, each).local for each in queued if each] == [LocalState.QUEUED] * 3
        await shows(pilot, "< 52 missing here")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, DeskScreen))


async def test_the_pane_says_whether_the_log_is_whole(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await on_held(pilot)
        await until(pilot, lambda: "chain whole, " in " ".join(screen.pane.text.split()))
        assert "fetched" in screen.pane.text
        assert "anna@desk" in screen.pane.text


async def test_a_long_log_is_followed_when_somebody_reads_the_pane(
    engine: StageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The events alone would be few: it is long for the assets that are compared with them.
    monkeypatch.setattr(log_following, "FOLLOWED_UNASKED", engine.desk.custody.log_size())
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await on_held(pilot)
        events = engine.desk.custody.log_size()
        assert events
        await until(pilot, lambda: screen.pane.chain == f"{events} events, not followed yet: enter follows it")
        assert not [worker for worker in screen.workers if worker.group == "log"]
        await pilot.press("enter")
        await until(pilot, lambda: screen.pane.chain.startswith(f"whole, {events} events"))
