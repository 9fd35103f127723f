"""Keys typed ahead, in one burst: they wait for what they were typed for."""

from pathlib import Path
from typing import cast

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from tests.tui.sealed_stage import at_work, burst, sealed_stage
from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import ready, until
from tui.app import DeskApp
from tui.held_keys import DROPPED, HOLD_S
from tui.screens.account_form import AccountFormScreen
from tui.screens.flag import FlagScreen
from tui.screens.leave import LeaveScreen
from tui.screens.risk import RiskScreen
from vault.views import Query


async def test_a_verb_behind_a_filter_is_for_the_row_that_comes(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        burst(pilot.app, "slash", *"account:agents", "enter", "space", "space")
        await until(pilot, lambda: len(screen.table.marks) == 2)
        assert screen.table.marks == {("agents", "agents-000"), ("agents", "agents-001")}


async def test_verbs_behind_an_order_and_an_account_are_for_the_rows_that_come(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        burst(pilot.app, "right_square_bracket", "space", "right_square_bracket", "space")
        await until(pilot, lambda: len(screen.table.marks) == 2)
        assert screen.table.marks == {("advice", "advice-000"), ("agents", "agents-000")}


async def test_in_the_risk_list_a_verb_is_for_the_account_that_comes(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        burst(pilot.app, "R", "right_square_bracket", "space", "space")
        await until(pilot, lambda: isinstance(pilot.app.screen, RiskScreen) and pilot.app.screen.is_mounted)
        screen = cast(RiskScreen, pilot.app.screen)
        await until(pilot, lambda: len(screen.table.marks) == 2)
        assert screen.table.marks == {row.asset.identity for row in screen.rows[:2]}
        assert {row.asset.identity.account for row in screen.rows} == {"advice"}


async def test_what_is_typed_behind_a_key_that_opens_a_form_is_for_its_field(tmp_path: Path) -> None:
    with sealed_stage(tmp_path) as engine:
        async with at_work(engine).run_test(size=(80, 24)) as pilot:
            await ready(pilot)
            burst(pilot.app, "6", "e", *"zq6")
            await until(pilot, lambda: isinstance(pilot.app.screen, AccountFormScreen))
            await until(pilot, lambda: any(each.value.endswith("zq6") for each in pilot.app.screen.query(Input)))


async def test_what_is_pasted_behind_a_key_that_asks_is_for_the_question(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        burst(pilot.app, "e", "h")
        pilot.app.post_message(events.Paste("the court has asked for it"))
        await until(pilot, lambda: isinstance(pilot.app.screen, FlagScreen))
        await until(pilot, lambda: any("the court" in each.value for each in pilot.app.screen.query(Input)))


async def test_keys_wait_only_so_long_and_are_dropped_then(engine: StageEngine) -> None:
    app, now = app_on(engine), [0.0]
    app.clock = lambda: now[0]
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        screen._opening = object()  # something that never comes
        burst(app, "space")
        await until(pilot, lambda: bool(app._held))
        now[0] = HOLD_S
        await until(pilot, lambda: screen.said.strip() == DROPPED)
        assert not screen.table.marks
        burst(app, "space")  # whoever presses a key now has seen what there is
        await until(pilot, lambda: len(screen.table.marks) == 1)


async def test_leaving_waits_for_nothing(engine: StageEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        (await ready(pilot))._opening = object()
        burst(app, "j", "ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, LeaveScreen))


@pytest.mark.parametrize(
    ("keys", "text"), [(["a", "b", "ctrl+u", "x", "y"], "xy"), (["a", "left", "b", "end", "c"], "bac")]
)
async def test_an_inputs_own_keys_act_in_their_order(engine: StageEngine, keys: list[str], text: str) -> None:
    """Textual runs its bindings (ctrl+u) later than it takes letters in."""
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        for _ in range(3):
            burst(pilot.app, "slash", *keys, "enter", "G")
            await until(pilot, lambda: screen.focused is screen.table and screen.filter.text == text)
            burst(pilot.app, "slash", "escape")
            await until(pilot, lambda: screen.focused is screen.table and not screen.filter.text)


async def test_a_paste_behind_a_key_that_empties_the_field_stays(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        burst(pilot.app, "slash", *"abc", "ctrl+u")
        pilot.app.post_message(events.Paste("board meeting"))
        burst(pilot.app, "enter")
        await until(pilot, lambda: screen.focused is screen.table and screen.filter.text == "board meeting")


async def test_a_verb_behind_a_day_is_for_the_row_that_is_gone_to(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        burst(pilot.app, "t", *"2026-11-20", "enter", "space", "at", *"2026-11-18", "enter", "space")
        await until(pilot, lambda: len(screen.table.marks) == 2)
        rows = engine.desk.page(Query(), 0, 99)
        days = [next(row for row in rows if row.started_at and row.started_at.day == day) for day in (20, 18)]
        assert screen.table.marks == {row.key for row in days}


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_verbs_behind_moves_are_for_the_row_that_was_gone_to(engine: StageEngine, size: tuple[int, int]) -> None:
    async with app_on(engine).run_test(size=size) as pilot:
        screen = await ready(pilot)
        rows = engine.desk.page(Query(), 0, 9)
        burst(pilot.app, "j", "down", "space", "j", "k", "k", "k", "space")
        await until(pilot, lambda: len(screen.table.marks) == 2)
        assert screen.table.marks == {rows[2].key, rows[1].key}


async def sent_to_the_table(app: DeskApp, pilot: Pilot[None], monkeypatch: pytest.MonkeyPatch, key: str) -> bool:
    """Whether it was sent there and came up again."""
    screen, heard = await ready(pilot), list[Widget]()
    hear = Widget._on_key

    async def hearing(widget: Widget, event: events.Key) -> None:
        heard.append(widget)
        await hear(widget, event)

    monkeypatch.setattr(Widget, "_on_key", hearing)
    before = screen.table.cursor
    burst(app, key)
    await until(pilot, lambda: screen.table.cursor != before)
    return screen.table in heard


async def test_a_move_acts_where_it_stands(engine: StageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_on(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        assert not await sent_to_the_table(app, pilot, monkeypatch, "j")


async def test_a_key_that_a_keymap_gives_to_a_move_is_sent(
    engine: StageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_on(engine, keymap={"move.down": "z", "list.faults": "j"})
    async with app.run_test(size=(80, 24)) as pilot:
        assert await sent_to_the_table(app, pilot, monkeypatch, "z")
        screen = await ready(pilot)
        burst(app, "j")
        await until(pilot, lambda: screen.base.faults)


async def test_moves_behind_a_key_that_opens_the_pane_are_the_panes(engine: StageEngine) -> None:
    """Enter is a key of the list's own, like a move; what it opens is only on its way when the next one comes."""
    app = app_on(engine)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        burst(app, "j", "enter", "j", "j")
        await until(pilot, lambda: screen.focused is screen.pane and app._acting is None)
        assert screen.table.cursor == 1
