"""Mode 5: in which order deliveries are listed, and going to a day; by keys, over a real ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.emulation import Loopback
from tests.tui.hook_stage import hook_stage
from tests.tui.hook_walk import Hooks, free_port, opened
from tests.tui.stage import app_on
from tests.tui.walk import seen, settled, shows, until
from vault.views import DELIVERY_SORTS, Sort


@pytest.fixture
def hooks(net: Loopback, tmp_path: Path) -> Iterator[Hooks]:
    """A desk with six deliveries of several accounts."""
    with hook_stage(net, tmp_path, free_port()) as made:
        yield made


TITLES = {"received": "UTC", "account": "Account", "topic": "What", "verified": "Verified", "state": "Outcome"}


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_each_order_in_turn_keeps_the_cursor_on_its_row(hooks: Hooks, size: tuple[int, int]) -> None:
    async with app_on(hooks[0]).run_test(size=size) as pilot:
        screen = await opened(pilot)
        table, page = screen.list_of("deliveries"), hooks[0].desk.lists.deliveries.page
        await pilot.press("j", "j")
        row = table.current
        assert row is not None
        kept = row.id
        for name in (*DELIVERY_SORTS[1:], DELIVERY_SORTS[0]):
            await pilot.press("s")
            assert screen.said == f"sorted by {name}"
            for press in ("", "S"):
                await pilot.press(*press)
                now = screen.sorting.now
                assert now == Sort(name, (name == "received") != bool(press))
                place = [view.id for view in page("", 0, 99, sort=now)].index(kept)
                await until(pilot, lambda place=place: table.cursor == place)  # type: ignore[misc]  # bound early
                assert table.current_key == kept
                signs = [f"{TITLES[name]}{gap}{'▼' if now.descending else '▲'}" for gap in (" ", "")]
                await until(pilot, lambda signs=signs: any(sign in seen(pilot) for sign in signs))  # type: ignore[misc]
            await pilot.press("S")


async def test_a_click_on_a_title_and_one_account_alone(hooks: Hooks) -> None:
    async with app_on(hooks[0]).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        table = screen.list_of("deliveries")
        header = next(line for line in seen(pilot).split("\n") if "Verified" in line)
        for name, words in TITLES.items():
            await pilot.click("#deliveries", offset=(header.index(words), 0))
            assert screen.sorting.now == Sort(name)
        await pilot.click("#deliveries", offset=(header.index("Rep"), 0))
        assert screen.sorting.now == Sort("state")
        await pilot.press("right_square_bracket")
        only = hooks[0].desk.lists.deliveries.page(screen._account, 0, 99, sort=Sort("state"))
        await until(pilot, lambda: table.total == len(only) > 1)
        await settled(pilot)
        assert table.current == only[0]


async def test_a_day_is_gone_to(hooks: Hooks) -> None:
    async with app_on(hooks[0]).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        table = screen.list_of("deliveries")
        views = hooks[0].desk.lists.deliveries.page("", 0, 99)
        await pilot.press("s", "at", *"2026-11-21", "enter")
        day = next(view for view in views if f"{view.received_at:%F}" == "2026-11-21")
        await until(pilot, lambda: table.current_key == day.id)
        assert screen.said == f"{day.received_at:%F %H:%M} UTC, sorted by received"
        await pilot.press("at", *"2020", "enter")
        await until(pilot, lambda: screen.said.startswith("nothing then; the nearest came "))
        assert table.current_key == views[-1].id


async def test_other_lists_have_no_order(hooks: Hooks) -> None:
    async with app_on(hooks[0]).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("tab")
        for key in ("s", "S", "at"):
            await pilot.press(key)
            assert screen.said == "only deliveries are sorted and gone to by a day: tab goes to them"
        await pilot.press("shift+tab", "s")
        await shows(pilot, "sorted by account")
