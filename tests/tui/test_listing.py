"""The virtual list over sources that know their neighbours, count slowly, or are superseded."""

import asyncio
import threading
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from unicodedata import east_asian_width

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from tests.tui.stage import HOSTILE, NOW, StageEngine, app_on
from tests.tui.test_table import Counting, Stand
from tests.tui.walk import ready, seen, until
from tui.desk_words import count_words
from tui.meeting_source import MeetingSource
from tui.rows import meeting_columns
from tui.widgets import columns as fitting
from tui.widgets.columns import Column
from tui.widgets.ink import text_of
from tui.widgets.source import Near
from tui.widgets.windows import SIZE
from vault.errors import Superseded
from vault.views import Count, Query

TITLES = (*HOSTILE[9:15], "日本語の会議" * 6, "👩🏽‍💻 pairing", "e\u0301te\u0301 " * 9, "plain")


class Neighbours(Counting):
    """Says how it was asked."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.near: list[tuple[int, Near[int]]] = []

    def rows(self, offset: int, limit: int, near: Near[int]) -> Sequence[int]:
        self.near.append((offset, near))
        return super().rows(offset, limit, near)


async def test_windows_are_read_from_the_row_next_to_them() -> None:
    source = Neighbours(10_000)
    app = Stand(source)
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 10_000)
        for _ in range(30):
            await pilot.press("pagedown")
        await until(pilot, lambda: app.table.current == app.table.cursor)
        asked = [near for offset, near in source.near if offset]
        assert asked
        assert all(near.after is not None for near in asked), "behind what is held, never by counting off"
        await pilot.press("G")
        await until(pilot, lambda: app.table.current == 9_999)
        far = next(near for offset, near in source.near if offset > 9_000)
        assert far == Near(None, None, 10_000), "from the end, which the total tells"
        source.near.clear()
        for _ in range(30):
            await pilot.press("pageup")
        await until(pilot, lambda: app.table.current == app.table.cursor)
        assert all(near.before is not None for _, near in source.near)


async def test_a_row_known_is_come_back_to_from_its_neighbours() -> None:
    app = Stand(Neighbours(100_000))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 100_000)
        app.table.move_to(50_500)
        await until(pilot, lambda: app.table.current == 50_500)
        again = Neighbours(100_000)
        app.table.show(again)
        await until(pilot, lambda: bool(again.near) and app.table._source is again and app.table._loads is None)
        assert app.table.current == 50_500
        assert again.near[0][1] == Near(before=50_500)
        assert all(near.after is not None or near.before is not None for _, near in again.near)


class Uncounted(Counting):
    """Knows at once only that there are 200 or more; the rest when it may."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.may = threading.Event()
        self.counts = 0

    def count_at_once(self) -> Count | None:
        return None

    def count(self) -> Count:
        return Count(200, exact=False)

    def count_exactly(self) -> int:
        self.counts += 1
        assert self.may.wait(10)
        return self.total


async def test_a_count_never_holds_up_the_rows() -> None:
    source = Uncounted(5_000)
    app = Stand(source)
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 200)
        assert count_words(app.table.count) == "200+"
        assert app.table.current == 0
        await pilot.press("G")
        await until(pilot, lambda: app.table.current == 199)
        assert app.table.awaits_end
        source.may.set()
        await until(pilot, lambda: app.table.current == 4_999, "to the very end, once that is known")
        assert app.table.count == Count(5_000, exact=True)
        assert not app.table.awaits_end


async def test_who_moves_on_is_not_taken_to_the_end_later() -> None:
    source = Uncounted(5_000)
    app = Stand(source)
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 200)
        await pilot.press("G", "g")
        source.may.set()
        await until(pilot, lambda: app.table.total == 5_000)
        assert app.table.cursor == 0
        assert source.counts == 1


class Superseding(Counting):
    """Ends with Superseded when it is interrupted, as the ledger's reading does."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.interrupted = threading.Event()

    def rows(self, offset: int, limit: int, near: Near[int]) -> Sequence[int]:
        assert self.interrupted.wait(10)
        raise Superseded("another list was asked for")

    def interrupt(self) -> None:
        self.interrupted.set()


async def test_what_is_superseded_is_interrupted_and_says_nothing() -> None:
    slow = Superseding(1_000)
    app = Stand(slow)
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table._loads is slow)
        app.table.show(Counting(70))
        await until(pilot, lambda: app.table.total == 70)
        assert slow.interrupted.is_set()
        assert app.words == ""


class Stuck(Counting):
    """Reads rows when it may, interrupted or not: what waits in line behind it is not begun."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.began, self.may = threading.Event(), threading.Event()

    def rows(self, offset: int, limit: int, near: Near[int]) -> Sequence[int]:
        self.began.set()
        assert self.may.wait(10)
        return super().rows(offset, limit, near)


async def test_what_waits_in_line_and_is_superseded_is_never_read() -> None:
    app = Stand(Counting(70))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 70)
        with ThreadPoolExecutor(1) as line:
            asyncio.get_running_loop().set_default_executor(line)
            first, second, last = Stuck(100), Counting(200), Counting(300)
            app.table.show(first)
            await until(pilot, first.began.is_set)
            app.table.show(second)
            await until(pilot, lambda: line._work_queue.qsize() >= 3, "its questions wait in line")
            app.table.show(last)
            first.may.set()
            await until(pilot, lambda: app.table.total == 300)
            assert (second.asked, second.threads) == ([], set())
            assert app.words == ""


class Sought(Uncounted):
    """Notes that its rows were counted."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.sought = 0

    def count(self) -> Count:
        self.sought += 1
        return super().count()


async def test_nothing_is_sought_to_be_counted_while_the_list_is_narrowed() -> None:
    app = Stand(Counting(70))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 70)
        typed = [Sought(1_000 * number) for number in range(1, 5)]
        for source in typed:
            app.table.show(source)
            await until(pilot, lambda source=source: app.table._loads is None)  # type: ignore[misc]
            assert app.table.total == SIZE, "as many as were read"
        typed[-1].may.set()
        await until(pilot, lambda: app.table.count == Count(4_000, exact=True))
        assert [source.sought for source in typed] == [0, 0, 0, 1]


class Unplaced(Counting):
    """Finds no row's place in time."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.may = threading.Event()

    def position(self, key: Hashable) -> int | None:
        self.may.wait(10)
        return super().position(key)


async def test_a_place_that_takes_long_does_not_hold_up_the_rows() -> None:
    app = Stand(Counting(1_000))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 1_000)
        app.table.move_to(500)
        await until(pilot, lambda: app.table.current == 500)
        slow = Unplaced(900)
        app.table.show(slow, or_top=True)
        await until(pilot, lambda: app.table.total == 900)
        assert app.table.current == 0
        slow.may.set()
        await until(pilot, lambda: app.table.current == 500, "it goes there as soon as it is known where that is")


async def test_who_moved_on_meanwhile_is_left_there() -> None:
    app = Stand(Counting(1_000))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 1_000)
        app.table.move_to(500)
        await until(pilot, lambda: app.table.current == 500)
        slow = Unplaced(900)
        app.table.show(slow, or_top=True)
        await until(pilot, lambda: app.table.total == 900)
        await pilot.press("j", "j")
        slow.may.set()
        await until(pilot, lambda: app.table._loads is None)
        assert app.table.current == 2


async def test_a_list_read_again_keeps_its_place_however_long_that_takes() -> None:
    slow = Unplaced(1_000)
    slow.may.set()
    app = Stand(slow)
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 1_000)
        app.table.move_to(500)
        await until(pilot, lambda: app.table.current == 500)
        slow.may.clear()
        slow.first, slow.total = -10, 1_010
        app.table.reload()
        await pilot.pause(0.4)
        assert app.table.current == 500
        slow.may.set()
        await until(pilot, lambda: app.table.total == 1_010)
        assert (app.table.current, app.table.cursor) == (500, 510)


async def test_a_row_that_is_gone_to_is_waited_for_and_keys_wait_with_it() -> None:
    """Whatever else was being read when it was named."""
    app = Stand(Counting(1_000))
    async with app.run_test(size=(40, 24)) as pilot:
        await until(pilot, lambda: app.table.total == 1_000)
        slow = Unplaced(900)
        app.table.move_to(20)
        app.table.show(slow)
        app.table.aim(500)
        app.table.show(slow)
        await pilot.pause(0.4)
        assert app.table.is_behind
        slow.may.set()
        await until(pilot, lambda: app.table.current == 500)
        await until(pilot, lambda: not app.table.is_behind)
        app.table.aim(700)
        app.table.reload()
        assert app.table.is_behind
        await until(pilot, lambda: not app.table.is_behind)
        assert app.table.current == 700


@pytest.mark.parametrize("width", [58, 66, 78, 97, 120])
def test_columns_align_whatever_is_written_in_them(engine: StageEngine, width: int) -> None:
    columns = meeting_columns(app_on(engine).context)
    row = engine.desk.page(Query(), 0, 1)[0]
    fitted = fitting.fit(columns, width)
    assert fitted[-1][0].title == "Slack", "the last to go but for state and title"
    for title in TITLES:
        shown = fitting.line(replace(row, title=title, deadline=None), fitted)
        assert cell_len(text_of(shown)) == width, title
        where = text_of(shown).rstrip().rfind("—")
        assert cell_len(text_of(shown)[:where]) == width - 1, "the last column ends where it always does"
        plainly = sum(2 if east_asian_width(char) in "WF" else 1 for char in text_of(shown))
        if title.isascii():
            assert plainly == width


def test_columns_go_by_their_priority() -> None:
    columns = meeting_columns_of(("a", 10, 0), ("b", 10, 2), ("c", 10, 1))
    assert [column.title for column, _ in fitting.fit(columns, 32)] == ["a", "b", "c"]
    assert [column.title for column, _ in fitting.fit(columns, 31)] == ["a", "c"]
    assert [column.title for column, _ in fitting.fit(columns, 20)] == ["a"]
    roomy = (*columns, Column[int]("d", 5, 9, lambda row: (), leaves=10))
    assert [column.title for column, _ in fitting.fit(roomy, 47)] == ["a", "b", "c"]
    assert [column.title for column, _ in fitting.fit(roomy, 48)] == ["a", "b", "c", "d"]


def meeting_columns_of(*told: tuple[str, int, int]) -> tuple[Column[int], ...]:
    return tuple(Column[int](title, width, priority, lambda row: ()) for title, width, priority in told)


async def test_a_click_on_a_title_sorts_by_it_and_turns_it_round(engine: StageEngine) -> None:
    async with app_on(engine, now=lambda: NOW).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        head = seen(pilot).split("\n")[2]
        assert "Start UTC ▼" in head
        await pilot.click("#meetings", offset=(head.index("Title"), 0))
        await until(pilot, lambda: (screen.base.sort, screen.base.descending) == ("title", False))
        await until(pilot, lambda: "Title ▲" in seen(pilot))
        await pilot.click("#meetings", offset=(head.index("Title"), 0))
        await until(pilot, lambda: "Title ▼" in seen(pilot))


def test_sources_of_one_query_are_one(engine: StageEngine) -> None:
    one, same = (MeetingSource(engine.desk, Query()) for _ in range(2))
    assert one == same
    assert one != MeetingSource(engine.desk, Query(faults=True))
