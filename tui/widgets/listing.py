"""Rows of any number: those in sight and some around them are held, and the cursor keeps to its row by identity."""

import asyncio
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any, Generic, TypeVar

from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from tui.beside import beside
from tui.context import FAULTS, words_of
from tui.widgets import reading
from tui.widgets.ink import Inked
from tui.widgets.reading import Loaded, Spot, asked, load, read_window
from tui.widgets.source import ListSource, Source
from tui.widgets.windows import Windows
from vault.errors import Superseded
from vault.views import Count

Row = TypeVar("Row")
HEADER = 1


class Listing(Inked, Generic[Row], can_focus=True):
    """A virtual list under one line of headings. `show` gives it a source, `reload` reads the same one again."""

    class Moved(Message, namespace="table"):
        """The row under the cursor is another one, or it changed. `row` is None when there is none."""

        def __init__(self, table: "Listing[Any]", row: Any) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> "Listing[Any]":
            """The table, for `on` with a selector."""
            return self.table

    class Opened(Moved, namespace="table"):
        """Enter, or a click on the current row."""

    class Counted(Message, namespace="table"):
        """It is known how many rows there are, or that the cursor's row stands in another place among them."""

        def __init__(self, table: "Listing[Any]") -> None:
            super().__init__()
            self.table = table

    class Failed(Message, namespace="table"):
        """The rows could not be read."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._source: Source[Row] = ListSource((), hash)
        self._windows: Windows[Row] = Windows()
        self._wanted: set[int] = set()
        self._key: Hashable | None = None
        self._steered = False
        """Whether a person moved the cursor: until then it stays at the top of a list that still fills."""
        self._home: Hashable | None = None
        """The row that the cursor was on before what is listed left it out; it goes back there, unless it was moved."""
        self._aim: Hashable | None = None
        """The row that the cursor is to go to, as soon as rows are read; what is read meanwhile changes nothing."""
        self._loads: Source[Row] | None = None
        """The source that is being read anew; None: none is."""
        self._shows: Source[Row] | None = None
        """The source whose rows are there; None: none are yet."""
        self._stale = False
        """Whether it changed while it was read."""
        self._counted_of: Source[Row] | None = None
        """The source whose rows are being counted."""
        self._comes = False
        """Whether the rows around the cursor are awaited, to be scrolled to."""
        self._took_s = 0.0
        """Seconds that it took to count all rows."""
        self._to_end = False
        """Whether the cursor goes to the last row as soon as it is known which one that is."""
        self.placed: Callable[[], None] = lambda: None
        """Called when the cursor was moved, before that is drawn: what else says its place is drawn with it."""
        self.count, self.cursor = Count(0, exact=True), 0

    # What others use ---------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many rows there are, as far as that is known."""
        return self.count.number

    @property
    def current(self) -> Row | None:
        """The row under the cursor, when it is loaded."""
        return self._windows.get(self.cursor) if self.total else None

    @property
    def is_behind(self) -> bool:
        """Whether other rows were asked for than are shown, or another one than the cursor is on."""
        return self._loads is not None and (self._aim is not None or self._loads != self._shows)

    @property
    def is_filled(self) -> bool:
        """Whether rows, or none, were shown once."""
        return self._shows is not None

    @property
    def awaits_end(self) -> bool:
        """Whether the cursor goes to the last row as soon as all are counted."""
        return self._to_end

    @property
    def current_key(self) -> Hashable | None:
        """What identifies the row under the cursor; None when there is none, or it is not loaded yet."""
        row = self.current
        return None if row is None else self._source.key(row)

    @property
    def held(self) -> int:
        """How many rows are in memory."""
        return self._windows.held

    def show(self, source: Source[Row], *, keep: bool = True, or_top: bool = False) -> None:
        """Show other rows. The cursor stays on its row where that is among them; without `keep` it goes to the top.

        Where its row is not among them it stays in its place, or (`or_top`) goes to the top, to come back later.
        """
        self._steered, self._home = self._steered and keep, self._home if keep else None
        if self._loads == source and keep:
            self._stale = True  # read once more, when it is read: or it never would be, in a ledger that grows
            return
        if source != self._source:
            self._source.interrupt()
            self._to_end = False
        same, self._source = source == self._source, source
        self._loads = source
        beside(self, partial(self._load_all, source, same=same, or_top=or_top), "table", exclusive=True)

    def reload(self) -> None:
        """Read the same source again; only lines that differ are drawn."""
        self.show(self._source)

    def move_to(self, index: int) -> None:
        """Put the cursor on a row."""
        if not self.total:
            return
        self._steered, self._home, self._aim = True, None, None
        self._to_end = not self.count.exact and index >= self.total - 1
        index = min(max(index, 0), self.total - 1)
        before, self.cursor = self.cursor, index
        if self.current is None:
            self._key = None  # its row is to come: until then it is a place, and no longer the row before
        for place in {before, index}:
            self.refresh_line(place + HEADER)
        self._comes = self._want(self._top_for(index))
        if self._comes:
            self.set_timer(reading.PATIENCE_S, self._come)  # sooner, when its rows are there
        else:
            self._keep_in_view()
        self._settle()
        self.placed()

    def hold(self) -> None:
        """Something was done with the current row: from now on the cursor stays on it."""
        self._steered = True

    def aim(self, key: Hashable) -> None:
        """The cursor is to be on this row; `show` or `reload` takes it there."""
        self._aim, self._steered, self._home = key, True, None

    # Loading -----------------------------------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        return max(self.scrollable_content_region.height - HEADER, 1)

    @property
    def _top(self) -> int:
        return int(self.scroll_offset.y)

    def _spot(self, *, or_top: bool) -> Spot[Row]:
        line = self.cursor - self._top
        row = self.current
        key = self._key if self._steered else None
        key = self._home if or_top and self._home is not None else key
        key = key if self._aim is None else self._aim
        return Spot(
            key=key,
            row=row if row is not None and self._source.key(row) == key else None,
            index=self.cursor if self._steered and not or_top else 0,
            line=line if 0 <= line < self._room else 0,
            room=self._room,
        )

    async def _load_all(self, source: Source[Row], *, same: bool, or_top: bool) -> None:
        try:
            again = True
            while again:
                self._stale = False
                again = await self._load_once(source, same=same, or_top=or_top) or self._stale
                same, or_top = True, or_top and self._home is not None
        except FAULTS as error:
            self.post_message(self.Failed(words_of(error)))
        finally:
            if self._loads == source:
                self._loads = self._aim = None

    async def _load_once(self, source: Source[Row], *, same: bool, or_top: bool) -> bool:
        """Whether it is to be read once more."""
        start, spot = self.cursor, self._spot(or_top=or_top)
        try:
            patience_s = reading.LATE_S if same or self._aim is not None else reading.PLACE_S
            loaded = await load(source, spot, patience_s, lambda: source == self._source)
        except Superseded:
            return source == self._source
        self._aim = None if self._aim == spot.key else self._aim
        if same and or_top and self._home is None:
            return False  # it came late, and a person moved on meanwhile
        count = loaded.count
        if same and not count.exact:
            count = Count(max(count.number, self.total), exact=False)
        if or_top and spot.key is not None:
            self._home = None if loaded.found or self.cursor != start else spot.key
            self._steered = bool(loaded.found) or self.cursor != start
        # Keys pressed meanwhile count from where the cursor comes to stand.
        cursor = min(max(loaded.cursor + self.cursor - start, 0), max(count.number - 1, 0))
        self._swap(loaded, count, cursor)
        if not count.exact and self._counted_of != source:
            self._counted_of = source
            pause = min(self._took_s * reading.PAUSE, reading.MOST_PAUSE_S) if same else 0.0
            beside(self, partial(self._count, source, loaded.counting, pause), "count", exclusive=True)
        return or_top and loaded.found is None and self._home is not None

    async def _count(
        self, source: Source[Row], counting: "asyncio.Future[Count | None] | None", pause_s: float
    ) -> None:
        """Count all, however long that takes; as far as that is soon done first."""
        try:
            count: Count | None = None
            if counting is not None and not pause_s:
                with suppress(Superseded):
                    count = await counting
            while count is None and source == self._source:
                await asyncio.sleep(pause_s or reading.RESTS_S)
                with suppress(Superseded):  # as another list was: this one is sought again
                    count = await self._seek_all(source)
        except FAULTS as error:
            if source == self._source and not isinstance(error, Superseded):
                self.post_message(self.Failed(words_of(error)))
            return
        finally:
            if self._counted_of == source:
                self._counted_of = None
        if source == self._source and count is not None:
            self._recount(count)

    async def _seek_all(self, source: Source[Row]) -> Count:
        count = await asked(lambda: source == self._source, source.count)
        if not count.exact and source == self._source:
            self._recount(Count(max(count.number, self.total), exact=False))
            await asyncio.sleep(reading.RESTS_S)
            began = time.monotonic()
            count = Count(await asked(lambda: source == self._source, source.count_exactly), exact=True)
            self._took_s = time.monotonic() - began
        return count

    def _recount(self, count: Count) -> None:
        """There are more (or fewer) rows than was known."""
        if count == self.count:
            return
        more, self.count = count.number != self.total, count
        if more:
            self._resize_virtual()
            self.cursor = min(self.cursor, max(self.total - 1, 0))
        if self._to_end and count.exact:
            self.move_to(self.total - 1)
        self.post_message(self.Counted(self))

    def _looks(self) -> list[tuple[Row | None, bool, bool]]:
        """What the lines in sight show."""
        seen = range(self._top, self._top + self._room + 1)
        return [(self._windows.get(index), index < self.total, index == self.cursor) for index in seen]

    def _refresh_where(self, before: list[tuple[Row | None, bool, bool]]) -> None:
        """Draw the lines in sight that show something else now."""
        for index, (was, now) in enumerate(zip_longest(before, self._looks()), self._top):
            if was != now:
                self.refresh_line(index + HEADER)

    def _swap(self, loaded: Loaded[Row], count: Count, cursor: int) -> None:
        before, width = self._looks(), self.scrollable_content_region.width
        old_row, old_count, old_top, old_cursor = self.current, self.count, self._top, self.cursor
        self._windows, self._shows, self.count, self.cursor = loaded.windows, self._source, count, cursor
        self._wanted.clear()
        if (count.number, cursor) != (old_count.number, old_cursor):
            self._resize_virtual()
            self.set_scroll(None, min(loaded.top, max(self.total - self._room, 0)))
        if self._top != old_top or self.scrollable_content_region.width != width:
            self.refresh()
        else:
            self._refresh_where(before)
        self._keep_in_view()
        self._want(self._top)
        if self.current != old_row or not self.total:
            self._settle()
        elif (count, cursor) != (old_count, old_cursor):
            self.post_message(self.Counted(self))
        self.redraw_words()

    def redraw_words(self) -> None:
        """Draw what stands beside the rows, where that changed."""

    def _settle(self) -> None:
        row = self.current
        if row is not None:
            self._key = self._source.key(row)
        elif not self.total:
            self._key = self._key if self._steered else None
        else:
            return
        self.post_message(self.Moved(self, row))

    def _want(self, top: int) -> bool:
        """Have what is in sight from `top` on read, and a page around it; whether something in sight is missing."""
        if not self.total:
            return False
        last = self.total - 1
        needed = set(self._windows.missing(top, min(top + self._room, last)))
        around = self._windows.missing(top - self._room, min(top + 2 * self._room, last))
        new = (needed | set(around)) - self._wanted
        if new:
            self._wanted |= new
            work = partial(self._load_windows, self._windows, self._source, sorted(new, key=lambda n: n not in needed))
            beside(self, work, "windows")
        return bool(needed)

    async def _load_windows(self, windows: Windows[Row], source: Source[Row], numbers: list[int]) -> None:
        try:
            for number in numbers:
                rows = await read_window(source, windows, number, self.total if self.count.exact else None)
                before = self._looks()
                windows.put(number, rows)
                if windows is self._windows:
                    self._refresh_where(before)
                    self._arrived(number)
        except Superseded:
            if windows is self._windows:
                self._wanted -= set(numbers)
                self._want(self._top)
        except FAULTS as error:
            self.post_message(self.Failed(words_of(error)))

    def _arrived(self, number: int) -> None:
        """A window is here: what waited for it is done."""
        self._wanted.discard(number)
        target = self._top_for(self.cursor)
        if self._comes and not self._windows.missing(target, min(target + self._room, self.total - 1)):
            self._come()
        if self.cursor // self._windows.size == number:
            self._settle()

    # In sight ----------------------------------------------------------------------------------------------------

    def _resize_virtual(self) -> None:
        size = Size(self.scrollable_content_region.width, self.total + HEADER)
        # Set plainly, the size would have the whole screen laid out. Private, and held by the test of the wire.
        self.set_reactive(Widget.virtual_size, size)
        self._scroll_update(size)

    def _refresh_rows(self) -> None:
        self.refresh_lines(self._top + HEADER, self._room + 1)

    def _top_for(self, cursor: int) -> int:
        """The first line in sight that shows this row, with as little scrolling as can be."""
        return max(min(self._top, cursor), cursor - self._room + 1, 0)

    def _come(self) -> None:
        """Scroll to where the cursor went."""
        if self._comes:
            self._comes = False
            self._keep_in_view()

    def _keep_in_view(self) -> None:
        top = self._top_for(self.cursor)
        if top != self._top:
            self.scroll_to(y=top, animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Rows that came into view are loaded."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._want(self._top)
