"""The log of events over the desk, by keys only."""

from typing import cast

import pytest
from textual.pilot import Pilot

from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import ready, seen, shows, until
from tui.screens.desk import DeskScreen
from tui.screens.log import LogScreen
from vault.views import Sort


async def opened(pilot: Pilot[None]) -> LogScreen:
    await ready(pilot)
    await pilot.press("L")
    await until(pilot, lambda: isinstance(pilot.app.screen, LogScreen) and pilot.app.screen.is_mounted)
    screen = cast(LogScreen, pilot.app.screen)
    await until(pilot, lambda: screen.table.current is not None, "the events")
    return screen


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_every_event_newest_first_and_those_of_one_asset(engine: StageEngine, size: tuple[int, int]) -> None:
    async with app_on(engine).run_test(size=size) as pilot:
        screen = await opened(pilot)
        many = engine.desk.custody.log_size()
        await shows(pilot, f"1 of {many:,}  newest first")
        row = screen.table.current
        assert row is not None
        assert row.event.number == many
        await shows(pilot, f"chain whole, {many} events")
        await pilot.press("G")
        await until(pilot, lambda: (last := screen.table.current) is not None and last.event.number == 1)
        await pilot.press("g")
        events = engine.desk.lists.events
        place = next(n for n, each in enumerate(events.page("", 0, many)) if each.event.what == "fetched")
        screen.table.move_to(place)
        await until(pilot, lambda: (here := screen.table.current) is not None and here.event.what == "fetched")
        fetched = screen.table.current
        assert fetched is not None
        await pilot.press("i")
        await until(pilot, lambda: screen.table.total == events.count(fetched.identity))
        assert screen.table.current == fetched, "the cursor stays on its event"
        assert fetched.identity in seen(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: screen.focused is screen.query_one("#about"))
        await pilot.press("G")
        await shows(pilot, fetched.event.chain[:20])
        await pilot.press("escape", "escape")
        await until(pilot, lambda: screen.table.total == many)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, DeskScreen))


async def test_a_new_event_comes_in_above_and_moves_no_cursor(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("j", "j")
        before, total = screen.table.current, screen.table.total
        engine.desk.enqueue([engine.desk.risk.look().rows[0].asset.identity])
        engine.set()
        await until(pilot, lambda: screen.table.total > total)
        assert screen.table.current == before


async def test_the_chain_is_told_as_it_stands_when_the_log_is_opened(engine: StageEngine) -> None:
    """The desk followed it when it opened, and much has happened since."""
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        desk = await ready(pilot)
        before = engine.desk.custody.log_size()
        await until(pilot, lambda: desk.pane.chain.startswith(f"whole, {before} events"))
        engine.desk.enqueue([row.asset.identity for row in engine.desk.risk.look().rows[:3]])
        many = engine.desk.custody.log_size()
        assert many > before
        await pilot.press("L")
        await shows(pilot, f"chain whole, {many} events")
        assert "None" not in seen(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is desk)
        await pilot.press("enter")
        await until(pilot, lambda: desk.pane.chain.startswith(f"whole, {many} events"))


@pytest.mark.parametrize("key", ["t", "at"])
async def test_orders_and_days_of_the_log(engine: StageEngine, key: str) -> None:
    """The cursor stays on its event in every order; a day is gone to in the order of numbers."""
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        events, table = engine.desk.lists.events, screen.table
        many = engine.desk.custody.log_size()
        table.move_to(5)
        await until(pilot, lambda: table.cursor == 5 and table.current is not None)
        kept = table.current_key
        orders = [Sort("number"), Sort("of"), Sort("of", descending=True), Sort("number", descending=True)]
        for press, sort in zip("SsSs", orders, strict=True):
            await pilot.press(press)
            assert screen.sorting.now == sort
            place = next(n for n, row in enumerate(events.page("", 0, many, sort=sort)) if row.event.number == kept)
            await until(pilot, lambda place=place: table.cursor == place)  # type: ignore[misc]  # bound early on purpose
            assert table.current_key == kept
            words = "by what they are of" if sort.by == "of" else "newest first" if sort.descending else "oldest first"
            await shows(pilot, f"{place + 1} of {many}  {words}")
        await pilot.press("s", key, *"2026-11-22", "enter")
        day = next(row for row in events.page("", 0, many) if f"{row.event.at:%F}" == "2026-11-22")
        await until(pilot, lambda: table.current_key == day.event.number)
        assert screen.said == f"{day.event.at:%F %H:%M} UTC, sorted by number"
        await pilot.press(key, *"2020", "enter")
        await until(pilot, lambda: table.current_key == 1)
        assert screen.said.startswith("nothing then; the nearest is of ")


async def test_a_click_on_a_title_of_the_log(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        header = next(line for line in seen(pilot).split("\n") if "Of what" in line)
        for words, sort in (
            ("Of what", Sort("of")),
            ("Number", Sort("number", descending=True)),
            ("When", Sort("number")),
        ):
            await pilot.click("#events", offset=(header.index(words), 0))
            assert screen.sorting.now == sort
        await pilot.click("#events", offset=(header.index("Said"), 0))
        assert screen.sorting.now == Sort("number"), "what lies in the body has no order"
