import sqlite3
import threading
from collections.abc import Hashable, Sequence
from functools import partial
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.strip import Strip

from tests.tui.walk import seen, until
from tui.widgets.columns import Column, header
from tui.widgets.ink import INK_CLASSES, text_of
from tui.widgets.source import ListSource, Near
from tui.widgets.table import Table
from tui.widgets.windows import KEPT, SIZE, Windows
from vault.views import Count

COLUMNS = (Column[int]("Number", 12, 0, lambda row: ((f"row {row}", ""),), flex=True),)


class Counting:
    """Numbers from `first`; says what was asked for."""

    def __init__(self, total: int, first: int = 0) -> None:
        self.total, self.first = total, first
        self.asked: list[tuple[int, int]] = []
        self.threads: set[int] = set()

    def count_at_once(self) -> Count | None:
        return self.count()

    def count(self) -> Count:
        self.threads.add(threading.get_ident())
        return Count(self.total, exact=True)

    def count_exactly(self) -> int:
        return self.count().number

    def interrupt(self) -> None:
        pass

    def rows(self, offset: int, limit: int, near: Near[int]) -> Sequence[int]:
        self.asked.append((offset, limit))
        self.threads.add(threading.get_ident())
        return range(self.first + offset, self.first + min(offset + limit, self.total))

    def position(self, key: Hashable) -> int | None:
        assert isinstance(key, int)
        return key - self.first if self.first <= key < self.first + self.total else None

    def key(self, row: int) -> Hashable:
        return row


class Broken(Counting):
    def rows(self, offset: int, limit: int, near: Near[int]) -> Sequence[int]:
        raise sqlite3.OperationalError("the disk is gone")


class Inked(Screen[None]):
    COMPONENT_CLASSES: ClassVar[set[str]] = set(INK_CLASSES)


class Stand(App[None]):
    CSS = "Table { height: 1fr; scrollbar-gutter: stable; }"

    def __init__(self, source: Counting) -> None:
        super().__init__()
        self.source = source
        self.words = ""
        self.counted: list[int] = []

    def get_default_screen(self) -> Screen[None]:
        return Inked()

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="table")

    def on_mount(self) -> None:
        self.table.show(self.source)

    @property
    def table(self) -> "Table[int]":
        return self.query_one("#table", Table)

    def on_table_failed(self, event: Table.Failed) -> None:
        self.words = event.words

    def on_table_counted(self, event: Table.Counted) -> None:
        self.counted.append(self.table.cursor)


def watched(table: "Table[int]") -> list[int]:
    """The lines that are drawn from now on."""
    drawn: list[int] = []
    draw = table.render_line

    def watching(y: int) -> Strip:
        drawn.append(y)
        return draw(y)

    table.render_line = watching  # type: ignore[method-assign]  # for one test's look
    return drawn


async def test_a_hundred_thousand_rows_are_never_held_at_once() -> None:
    source = Counting(100_000)
    app = Stand(source)
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 100_000)
        assert app.table.held <= 3 * SIZE
        for _ in range(60):
            await pilot.press("pagedown")
        await pilot.press("G")
        await until(pilot, lambda: app.table.current == 99_999)
        await pilot.press("g")
        await until(pilot, lambda: app.table.current == 0)
        for place in range(1000, 100_000, 3000):
            app.table.move_to(place)
            await until(pilot, lambda place=place: app.table.current == place)  # type: ignore[misc]
        assert app.table.held <= KEPT * SIZE
        assert max(limit for _, limit in source.asked) == SIZE
        assert threading.get_ident() not in source.threads


async def test_the_cursor_stays_on_its_row_and_on_its_line() -> None:
    app = Stand(Counting(1000, first=0))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 1000)
        app.table.move_to(500)
        await until(pilot, lambda: app.table.current == 500)
        line = next(y for y, text in enumerate(seen(pilot).split("\n")) if "row 500" in text)
        app.table.show(Counting(1040, first=-40))
        await until(pilot, lambda: app.table.total == 1040)
        assert (app.table.current, app.table.cursor) == (500, 540)
        await pilot.pause()
        assert "row 500" in seen(pilot).split("\n")[line]


async def test_a_row_that_is_gone_leaves_the_cursor_in_place() -> None:
    app = Stand(Counting(100))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 100)
        app.table.move_to(99)
        app.table.show(Counting(50))
        await until(pilot, lambda: app.table.total == 50)
        assert app.table.current == 49
        app.table.show(Counting(0))
        await until(pilot, lambda: app.table.total == 0)
        assert app.table.current is None
        await pilot.press("j", "k", "G", "enter", "pagedown")


async def test_a_cursor_nobody_moved_stays_at_the_top_of_a_list_that_fills() -> None:
    app = Stand(Counting(10, first=100))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 10)
        app.table.show(Counting(60, first=50))
        await until(pilot, lambda: app.table.total == 60)
        assert app.table.current == 50


class Slow(Counting):
    """Gives rows only when it may."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.may = threading.Event()

    def rows(self, offset: int, limit: int, near: Near[int]) -> Sequence[int]:
        assert self.may.wait(10)
        return super().rows(offset, limit, near)


async def test_keys_pressed_while_rows_are_read_are_not_lost() -> None:
    app = Stand(Counting(100))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 100)
        await pilot.press("j", "j")
        slow = Slow(90)
        app.table.show(slow)
        await pilot.press("j", "j", "j")
        slow.may.set()
        await until(pilot, lambda: app.table.total == 90)
        assert app.table.current == 5


async def test_marks_outlive_a_refresh() -> None:
    app = Stand(Counting(100))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 100)
        app.table.mark(3, True)
        app.table.show(Counting(100, first=-2))
        await until(pilot, lambda: "row -2" in seen(pilot))
        assert [text for text in seen(pilot).split("\n") if text.startswith("+")] == ["+row 3"]
        app.table.unmark_all()
        await pilot.pause()
        assert "+row" not in seen(pilot)


async def test_a_move_draws_two_lines() -> None:
    app = Stand(Counting(1000))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 1000)
        await pilot.pause()
        drawn = watched(app.table)
        await pilot.press("j")
        await pilot.pause()
        assert set(drawn) == {1, 2}


async def test_only_rows_that_differ_are_drawn_again() -> None:
    app = Stand(Counting(5))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 5)
        await pilot.pause()
        drawn = watched(app.table)
        app.table.show(ListSource((0, 1, 20, 3, 4), lambda row: row))
        await until(pilot, lambda: bool(drawn))
        assert set(drawn) == {3}
        assert "row 20" in seen(pilot)


async def test_rows_that_cannot_be_read_are_told() -> None:
    app = Stand(Broken(5))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.words == "the disk is gone")


async def test_clicks_select_and_open() -> None:
    app = Stand(Counting(50))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 50)
        await pilot.click("#table", offset=(4, 6))
        assert app.table.current == 5
        await pilot.click("#table", offset=(4, 0))
        assert app.table.current == 5


def test_windows_forget_the_one_used_longest_ago() -> None:
    windows: Windows[int] = Windows(size=10, kept=2)
    windows.put(0, range(10))
    windows.put(1, range(10, 20))
    assert windows.get(3) == 3
    windows.put(5, range(50, 55))
    assert (windows.get(3), windows.get(13), windows.get(54), windows.get(55)) == (3, None, 54, None)
    assert windows.missing(0, 59) == [1, 2, 3, 4]
    assert windows.held == 15


class Growing(Counting):
    """Whenever a row's place was asked for, three more come in above all."""

    def position(self, key: Hashable) -> int | None:
        place = super().position(key)
        self.first -= 3
        self.total += 3
        return place


async def test_rows_that_come_in_while_it_reads_do_not_move_the_cursor_from_its_row() -> None:
    app = Stand(Growing(1_000))
    async with app.run_test(size=(40, 20)) as pilot:
        await until(pilot, lambda: app.table.total == 1_000)
        for _ in range(5):
            await pilot.press("j")
        assert app.table.current == 5
        for again in range(1, 4):
            app.table.reload()
            place = 5 + 3 * again
            await until(pilot, partial(lambda place: app.table.cursor == place, place))
            assert app.table.current == 5


def test_a_sign_stays_where_there_is_no_room_for_the_whole_title() -> None:
    for width, shown in ((12, "Number ▼"), (8, "Number ▼"), (7, "Number▼"), (3, "Nu▼"), (1, "▼")):
        column = Column[int]("Number", width, 0, lambda row: ((str(row), ""),), sort="number")
        assert text_of(header([(column, width)], "number", "▼")).rstrip() == shown
        assert "▼" not in text_of(header([(column, width)], "other", "▼"))


async def test_it_is_told_when_the_cursor_s_row_stands_in_another_place() -> None:
    app = Stand(Counting(100))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 100)
        app.table.move_to(50)
        await until(pilot, lambda: app.table.current == 50)
        app.counted.clear()
        app.table.show(Counting(100, first=-10))
        await until(pilot, lambda: app.counted == [60])
        assert app.table.current == 50
