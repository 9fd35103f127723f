"""The list's looks and keys: columns that fit, marks, the words of an empty one; keys and the mouse move the cursor."""

import asyncio
from collections.abc import Collection, Hashable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip

from tui.commands import bindings
from tui.widgets import columns as fitting
from tui.widgets.columns import Column
from tui.widgets.ink import Line, wrap
from tui.widgets.listing import HEADER, Listing
from tui.widgets.reading import keys_between
from tui.widgets.source import ListSource, Near, Source

__all__ = ["ListSource", "Near", "Source", "Table"]

Row = TypeVar("Row")
MOST_AT_ONCE = 10_000
"""Rows that one marking takes."""


class Table(Listing[Row], Generic[Row], can_focus=True):
    """A virtual list in columns."""

    BINDINGS: ClassVar[list[Binding]] = bindings("list")  # type: ignore[assignment]  # Textual's own type is wider

    class Headed(Message):
        """A column's title was clicked: `sort` is the order it stands for."""

        def __init__(self, sort: str) -> None:
            super().__init__()
            self.sort = sort

    def __init__(self, columns: Sequence[Column[Row]], *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._columns = columns
        self._fitted: list[tuple[Column[Row], int]] = []
        self._anchor: Hashable | None = None
        """The row that was marked last."""
        self._drawn: tuple[object, ...] = ()
        self.empty: Sequence[str] = ()
        """Words for when there are no rows."""
        self.order: tuple[str, str] = ("", "")
        """The sort whose column has a sign in the header, and the sign."""
        self.marks: set[Hashable] = set()

    # Marks -------------------------------------------------------------------------------------------------------

    def mark(self, key: Hashable, marked: bool) -> None:
        """Mark or unmark a row, wherever it is."""
        (self.marks.add if marked else self.marks.discard)(key)
        self._anchor = key if marked else None
        self._refresh_rows()

    def unmark_all(self) -> None:
        """Take every mark away."""
        self.marks.clear()
        self._anchor = None
        self._refresh_rows()

    @property
    def has_anchor(self) -> bool:
        """Whether a range of marks has its beginning."""
        return self._anchor is not None

    async def mark_range(self) -> set[Hashable]:
        """Mark all from the row that was marked last to the current one; gives those that were not marked before.

        Raises what the source raises. Of a long range no more than MOST_AT_ONCE are marked.
        """
        row, source = self.current, self._source
        place = await asyncio.to_thread(source.position, self._anchor) if self._anchor is not None else None
        if row is None or place is None:
            return set()
        first, last = sorted((place, self.cursor))
        return await self.mark_between(first, last, anchor=source.key(row))

    async def mark_between(self, first: int, last: int, *, anchor: Hashable | None = None) -> set[Hashable]:
        """Mark the rows from one place to another, MOST_AT_ONCE at most; gives those that were not marked before."""
        keys = await keys_between(self._source, first, min(last, first + MOST_AT_ONCE - 1))
        new = set(keys) - self.marks
        self.marks |= new
        self._anchor = anchor if anchor is not None else self._anchor
        self._refresh_rows()
        return new

    def recolour(self) -> None:
        """Draw the visible rows again, since what they show depends on the time."""
        self._refresh_rows()

    def redraw(self, keys: Collection[Hashable]) -> None:
        """Draw those of these rows again that are in sight, since what they show comes from elsewhere, too."""
        for index in range(self._top, self._top + self._room + 1):
            row = self._windows.get(index)
            if row is not None and self._source.key(row) in keys:
                self.refresh_line(index + HEADER)

    # Drawing -----------------------------------------------------------------------------------------------------

    def _resize_virtual(self) -> None:
        super()._resize_virtual()
        # The region may just have lost or gained the scrollbar's column.
        self._fitted = fitting.fit(self._columns, max(self.scrollable_content_region.width - 1, 1))

    def redraw_words(self) -> None:
        """Draw what stands beside the rows, where that changed."""
        drawn = (*(self.empty if not self.total else ()), self.order)
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def on_resize(self) -> None:
        """Other columns may fit now."""
        self._resize_virtual()
        self._keep_in_view()
        self._want(self._top)
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
            return self.draw(((" ", ""), *fitting.header(self._fitted, *self.order)), width, "head")
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
        if event.y < HEADER:
            self._head_clicked(event.x - 1)
            return
        index = event.y - HEADER + self._top
        if index >= self.total:
            return
        if index == self.cursor:
            self.post_message(self.Opened(self, self.current))
        else:
            self.move_to(index)

    def _head_clicked(self, x: int) -> None:
        for column, width in self._fitted:
            if 0 <= x < width and column.sort:
                self.post_message(self.Headed(column.sort))
            x -= width + fitting.GAP
