"""Lines of text that scroll, with a cursor over some of them or with none; only lines that changed are drawn again."""

from collections.abc import Callable, Hashable, Sequence
from itertools import zip_longest
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.commands import bindings
from tui.widgets.ink import Inked, Line


class Row(Struct, frozen=True):
    """A line, and what the cursor is on when it is there: lines with the same key are one entry; None is only read."""

    line: Line
    key: Hashable | None = None


def text_rows(lines: Sequence[Line]) -> list[Row]:
    """Lines that are only read."""
    return [Row(line) for line in lines]


class Lines(Inked, can_focus=True):
    """Shows what `build(width)` makes. With keyed rows it has a cursor, kept by key; without, keys scroll."""

    BINDINGS: ClassVar[list[Binding]] = bindings("list")  # type: ignore[assignment]  # Textual's own type is wider

    class Moved(Message):
        """The cursor is on another entry (None for none)."""

        def __init__(self, lines: "Lines", key: Hashable | None) -> None:
            super().__init__()
            self.lines = lines
            self.key = key

        @property
        def control(self) -> "Lines":
            """The widget, for `on` with a selector."""
            return self.lines

    class Opened(Moved):
        """Enter or a click on the current entry."""

    def __init__(self, *, id: str, cursor_seen: bool = True, focusable: bool = True) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._build: Callable[[int], Sequence[Row]] = lambda width: ()
        self._rows: Sequence[Row] = ()
        self._cursor_seen = cursor_seen
        self.can_focus = focusable
        self.key: Hashable | None = None

    def show(self, build: Callable[[int], Sequence[Row]], *, top: bool = False) -> None:
        """Show other lines; `top` scrolls to the first one."""
        self._build = build
        self._rebuild()
        if top:
            self.scroll_to(y=0, animate=False)

    @property
    def text(self) -> str:
        """What is shown, as plain lines."""
        return "\n".join("".join(text for text, _ in row.line) for row in self._rows)

    @property
    def keys(self) -> list[Hashable]:
        """The entries in their order."""
        return list(dict.fromkeys(row.key for row in self._rows if row.key is not None))

    def select(self, key: Hashable | None) -> None:
        """Put the cursor on an entry."""
        if key == self.key:
            return
        before, self.key = self.key, key
        for y, row in enumerate(self._rows):
            if row.key is not None and row.key in (before, key):
                self.refresh_line(y)
        self._keep_in_view()
        self.post_message(self.Moved(self, key))

    def _width(self) -> int:
        # The scrollbar's column is kept free always: lines that wrap anew when it appears could never settle.
        return max(self.size.width - self.styles.scrollbar_size_vertical, 1)

    def _rebuild(self) -> None:
        if not self.size.width:
            # Not laid out yet: the entries are known all the same, only their lines are not.
            keys = list(dict.fromkeys(row.key for row in self._build(40) if row.key is not None))
            self.key = self.key if self.key in keys else next(iter(keys), None)
            return
        before = self._rows
        self._rows = self._build(self._width())
        keys = self.keys
        if self.key not in keys:
            self.key = keys[0] if keys else None
        if len(before) != len(self._rows):
            self._resize_content(Size(self._width(), len(self._rows)))
        for y, (old, new) in enumerate(zip_longest(before, self._rows)):
            if old != new:
                self.refresh_line(y)

    def _resize_content(self, size: Size) -> None:
        """Another number of lines: the scrollbar follows, and only a widget as high as its lines is laid out anew."""
        if self.styles.height is not None and self.styles.height.is_auto:
            self.virtual_size = size
            return
        # Set plainly, the size would have the whole screen laid out and all lines here drawn twice. Private, and held
        # by the test of the wire.
        self.set_reactive(Widget.virtual_size, size)
        self._scroll_update(size)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are at this width, known before anything is laid out."""
        return len(self._build(max(width - self.styles.scrollbar_size_vertical, 1)))

    def on_resize(self) -> None:
        """Wrap anew."""
        self._rebuild()
        self.refresh()

    def on_focus(self) -> None:
        """The cursor is brighter with the focus."""
        self.refresh()

    def on_blur(self) -> None:
        """And fainter without."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of what is scrolled to."""
        width = self.size.width
        place = y + int(self.scroll_offset.y)
        if place >= len(self._rows):
            return self.draw((), width)
        row = self._rows[place]
        here = self._cursor_seen and row.key is not None and row.key == self.key
        over = ("cursor" if self.has_focus else "cursor-blurred") if here else ""
        return self.draw(row.line, width, over)

    def _keep_in_view(self) -> None:
        places = [y for y, row in enumerate(self._rows) if row.key is not None and row.key == self.key]
        if not places:
            return
        top, height = int(self.scroll_offset.y), max(self.size.height, 1)
        if places[0] < top:
            self.scroll_to(y=0 if self.key == self.keys[0] else places[0], animate=False)
        elif places[-1] >= top + height:
            self.scroll_to(y=places[-1] - height + 1, animate=False)

    def action_perform(self, command: str) -> None:
        """One of the list's own commands: the cursor moves where there is one, else the text scrolls."""
        half, page = max(self.size.height // 2, 1), max(self.size.height - 1, 1)
        many = len(self._rows)
        steps = {
            "move.down": 1,
            "move.up": -1,
            "move.half-down": half,
            "move.half-up": -half,
            "move.page-down": page,
            "move.page-up": -page,
            "move.top": -many,
            "move.bottom": many,
        }
        if command == "move.open":
            self.post_message(self.Opened(self, self.key))
            return
        keys = self.keys
        single = abs(steps[command]) == 1 or abs(steps[command]) == many
        if keys and self._cursor_seen and single:
            self._step(keys, steps[command])
        else:
            self.scroll_to(y=int(self.scroll_offset.y) + steps[command], animate=False)

    def _step(self, keys: list[Hashable], by: int) -> None:
        place = keys.index(self.key) if self.key in keys else 0
        target = min(max(place + by, 0), len(keys) - 1)
        if target == place and abs(by) == 1:
            # At the first or last entry the text around the entries still scrolls.
            self.scroll_to(y=int(self.scroll_offset.y) + by, animate=False)
        else:
            self.select(keys[target])

    def on_click(self, event: events.Click) -> None:
        """A click selects; on the current entry it opens."""
        place = event.y + int(self.scroll_offset.y)
        key = self._rows[place].key if 0 <= place < len(self._rows) else None
        if key is None:
            return
        if key == self.key:
            self.post_message(self.Opened(self, key))
        else:
            self.select(key)
