"""The list: a table that draws only what is seen, holds a few windows of rows, and keeps its cursor by identity."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tui.beside import beside
from tui.commands import bindings
from tui.context import FAULTS, words_of
from tui.widgets import columns as fitting
from tui.widgets.columns import Column
from tui.widgets.ink import Inked, Line, wrap
from tui.widgets.windows import Windows

Row = TypeVar("Row")
HEADER = 1


class Source(Protocol[Row]):
    """Rows in an order. Called in a thread; may raise what `FAULTS` names."""

    def count(self) -> int:
        """How many rows there are."""
        ...

    def rows(self, offset: int, limit: int) -> Sequence[Row]:
        """A part of them."""
        ...

    def position(self, key: Hashable) -> int | None:
        """Where a row stands; None when it is not among them."""
        ...

    def key(self, row: Row) -> Hashable:
        """What identifies a row."""
        ...


class ListSource(Generic[Row]):
    """Rows that are in memory anyway (transfers, accounts)."""

    def __init__(self, rows: Sequence[Row], key: Callable[[Row], Hashable]) -> None:
        self._rows = rows
        self.key = key

    def count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def rows(self, offset: int, limit: int) -> Sequence[Row]:
        """A part of them."""
        return self._rows[offset : offset + limit]

    def position(self, key: Hashable) -> int | None:
        """Where a row stands."""
        return next((place for place, row in enumerate(self._rows) if self.key(row) == key), None)


class Table(Inked, Generic[Row], can_focus=True):
    """A virtual table. `show` gives it a source, `reload` reads the same one again."""

    BINDINGS: ClassVar[list[Binding]] = bindings("list")  # type: ignore[assignment]  # Textual's own type is wider

    class Moved(Message):
        """The row under the cursor is another one, or it changed. `row` is None when there is none."""

        def __init__(self, table: "Table[Any]", row: Any) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> "Table[Any]":
            """The table, for `on` with a selector."""
            return self.table

    class Opened(Moved):
        """Enter, or a click on the current row."""

    class Failed(Message):
        """The rows could not be read."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(self, columns: Sequence[Column[Row]], *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._columns = columns
        self._fitted: list[tuple[Column[Row], int]] = []
        self._source: Source[Row] = ListSource((), hash)
        self._windows: Windows[Row] = Windows()
        self._wanted: set[int] = set()
        self._key: Hashable | None = None
        self._steered = False
        """Whether a person moved the cursor: until then it stays at the top of a list that still fills."""
        self.empty: Sequence[str] = ()
        """Words for when there are no rows."""
        self._empty_drawn: tuple[str, ...] = ()
        self.total = 0
        self.cursor = 0
        self.marks: set[Hashable] = set()

    # What others use ---------------------------------------------------------------------------------------------

    @property
    def current(self) -> Row | None:
        """The row under the cursor, when it is loaded."""
        return self._windows.get(self.cursor) if self.total else None

    @property
    def held(self) -> int:
        """How many rows are in memory."""
        return self._windows.held

    def show(self, source: Source[Row], *, keep: bool = True) -> None:
        """Show other rows. The cursor stays on its row where that is among them; without `keep` it goes to the top."""
        self._source = source
        self._steered = self._steered and keep
        beside(self, partial(self._load_all, source, keep_place=keep), "table", exclusive=True)

    def reload(self) -> None:
        """Read the same source again; only lines that differ are drawn."""
        self.show(self._source)

    def mark(self, key: Hashable, marked: bool) -> None:
        """Mark or unmark a row, wherever it is."""
        (self.marks.add if marked else self.marks.discard)(key)
        self._refresh_rows()

    def unmark_all(self) -> None:
        """Take every mark away."""
        self.marks.clear()
        self._refresh_rows()

    def move_to(self, index: int) -> None:
        """Put the cursor on a row."""
        if not self.total:
            return
        self._steered = True
        index = min(max(index, 0), self.total - 1)
        before, self.cursor = self.cursor, index
        for place in {before, index}:
            self.refresh_line(place + HEADER)
        self._keep_in_view()
        self._want_visible()
        self._settle()

    def hold(self) -> None:
        """Something was done with the current row: from now on the cursor stays on it."""
        self._steered = True

    def aim(self, key: Hashable) -> None:
        """The cursor is to be on this row; `show` or `reload` takes it there."""
        self._key, self._steered = key, True

    def recolour(self) -> None:
        """Draw the visible rows again, since what they show depends on the time."""
        self._refresh_rows()

    # Loading -----------------------------------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        return max(self.scrollable_content_region.height - HEADER, 1)

    @property
    def _top(self) -> int:
        return int(self.scroll_offset.y)

    async def _load_all(self, source: Source[Row], *, keep_place: bool) -> None:
        start, key = self.cursor, self._key
        try:
            total, place = await asyncio.to_thread(_measure, source, key)
            fallback = min(self.cursor, max(total - 1, 0)) if keep_place else 0
            cursor = fallback if place is None or not self._steered else place
            line = start - self._top
            top = max(cursor - line, 0) if 0 <= line < self._room else cursor
            fresh: Windows[Row] = Windows()
            needed = {number for at in (top, cursor) for number in fresh.missing(at, min(at + self._room, total))}
            for number in sorted(needed):
                fresh.put(number, await asyncio.to_thread(source.rows, number * fresh.size, fresh.size))
        except FAULTS as error:
            self.post_message(self.Failed(words_of(error)))
            return
        if cursor == place:  # rows that came in since it was measured moved it on
            place = fresh.find(lambda row: source.key(row) == key)
            cursor, top = (cursor, top) if place is None else (place, top + place - cursor)
        # Keys pressed meanwhile count from where the cursor comes to stand.
        moved = self.cursor - start
        self._swap(fresh, total, min(max(cursor + moved, 0), max(total - 1, 0)), top)

    def _swap(self, fresh: Windows[Row], total: int, cursor: int, top: int) -> None:
        seen = range(self._top, self._top + self._room + 1)
        before = [self._windows.get(index) for index in seen]
        same_shape = (self.total, self.cursor) == (total, cursor)
        old_row = self.current
        self._windows, self.total, self.cursor = fresh, total, cursor
        self._wanted.clear()
        if same_shape:
            for index, row in zip(seen, before, strict=True):
                if self._windows.get(index) != row:
                    self.refresh_line(index + HEADER)
        else:
            self._resize_virtual()
            self.set_scroll(None, min(top, max(total - self._room, 0)))
            self.refresh()
        self._keep_in_view()
        self._want_visible()
        if self.current != old_row or not total:
            self._settle()
        if not total and self._empty_drawn != tuple(self.empty):
            self._empty_drawn = tuple(self.empty)
            self.refresh()

    def _settle(self) -> None:
        row = self.current
        if row is not None:
            self._key = self._source.key(row)
        elif not self.total:
            self._key = None
        else:
            return
        self.post_message(self.Moved(self, row))

    def _want_visible(self) -> None:
        last = min(self._top + self._room, self.total - 1)
        missing = set(self._windows.missing(self._top, last)) if self.total else set()
        if self.total and self._windows.get(self.cursor) is None:
            missing.add(self.cursor // self._windows.size)
        new = missing - self._wanted
        if new:
            self._wanted |= new
            work = partial(self._load_windows, self._windows, self._source, sorted(new))
            beside(self, work, "windows")

    async def _load_windows(self, windows: Windows[Row], source: Source[Row], numbers: list[int]) -> None:
        try:
            for number in numbers:
                windows.put(number, await asyncio.to_thread(source.rows, number * windows.size, windows.size))
        except FAULTS as error:
            self.post_message(self.Failed(words_of(error)))
            return
        if windows is self._windows:
            self._wanted -= set(numbers)
            self._refresh_rows()
            if self.cursor // windows.size in numbers:
                self._settle()

    # Drawing -----------------------------------------------------------------------------------------------------

    def _resize_virtual(self) -> None:
        width = self.scrollable_content_region.width
        self.virtual_size = Size(width, self.total + HEADER)
        # The region may just have lost or gained the scrollbar's column.
        self._fitted = fitting.fit(self._columns, max(self.scrollable_content_region.width - 1, 1))

    def _refresh_rows(self) -> None:
        self.refresh_lines(self._top + HEADER, self._room + 1)

    def _keep_in_view(self) -> None:
        if self.cursor < self._top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= self._top + self._room:
            self.scroll_to(y=self.cursor - self._room + 1, animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Rows that came into view are loaded."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._want_visible()

    def on_resize(self) -> None:
        """Other columns may fit now."""
        self._resize_virtual()
        self._keep_in_view()
        self._want_visible()
        self.refresh()

    def on_focus(self) -> None:
        """The cursor is brighter with the focus."""
        self.refresh_line(self.cursor + HEADER)

    def on_blur(self) -> None:
        """And fainter without."""
        self.refresh_line(self.cursor + HEADER)

    def render_line(self, y: int) -> Strip:
        """One line: the header, a row, the words of an empty table, or nothing."""
        width = self.scrollable_content_region.width
        if y == 0:
            return self.draw(((" ", ""), *fitting.header(self._fitted)), width, "head")
        if not self.total:
            return self.draw(self._empty_line(y - HEADER, width), width)
        index = y - HEADER + self._top
        if index >= self.total:
            return self.draw((), width)
        row = self._windows.get(index)
        over = ("cursor" if self.has_focus else "cursor-blurred") if index == self.cursor else ""
        if row is None:
            return self.draw(((" …", "dim"),), width, over)
        marked = self._source.key(row) in self.marks
        return self.draw((self._margin(marked), *fitting.line(row, self._fitted)), width, over)

    def _margin(self, marked: bool) -> tuple[str, str]:
        return ("+", "mark") if marked else (" ", "")

    def _empty_line(self, y: int, width: int) -> Line:
        lines = [line for words in self.empty for line in wrap(words, width - 2)]
        return ((" ", ""), (lines[y - 1], "" if y == 1 else "dim")) if 0 < y <= len(lines) else ()

    # Keys and mouse ----------------------------------------------------------------------------------------------

    def action_perform(self, command: str) -> None:
        """One of the list's own commands."""
        steps = {
            "move.down": 1,
            "move.up": -1,
            "move.half-down": self._room // 2,
            "move.half-up": -(self._room // 2),
            "move.page-down": self._room,
            "move.page-up": -self._room,
            "move.top": -self.total,
            "move.bottom": self.total,
        }
        if command == "move.open":
            self.post_message(self.Opened(self, self.current))
        else:
            self.move_to(self.cursor + steps[command])

    def on_click(self, event: events.Click) -> None:
        """A click selects; on the current row it opens."""
        index = event.y - HEADER + self._top
        if event.y < HEADER or index >= self.total:
            return
        if index == self.cursor:
            self.post_message(self.Opened(self, self.current))
        else:
            self.move_to(index)


def _measure(source: Source[Row], key: Hashable | None) -> tuple[int, int | None]:
    return source.count(), source.position(key) if key is not None else None
