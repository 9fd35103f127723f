"""Saved views: a filter and an order under a name. Pick one, keep what is listed now, forget one."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from tui.label import cut, label, plain
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.widgets.lines import Lines, Row
from vault.views import SavedView


class Picked(Struct, frozen=True):
    """The view that was picked; `forget`: it is not wanted any more. No view: what is listed now is to be kept."""

    view: SavedView | None
    forget: bool = False


class ViewsScreen(Modal[Picked | None]):
    """Answers what is to be done, or None."""

    CSS_PATH = sheet("raw")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape,q,V", "dismiss(None)", "Back", show=False),
        Binding("n", "keep", "Keep", show=False),
        Binding("x", "forget", "Forget", show=False),
    ]

    def __init__(self, views: Sequence[SavedView]) -> None:
        super().__init__()
        self._views = {view.name: view for view in views}

    def compose(self) -> ComposeResult:
        """A box over the screen."""
        with Vertical(id="box", classes="menu services"):
            yield Static(label("Saved views"), id="title")
            yield Lines(id="text")
            yield Static(
                label("enter or a digit shows it, n keeps what is listed now, x forgets it, esc goes back"), id="note"
            )

    def on_mount(self) -> None:
        """The cursor is on the first one."""
        lines = self.query_one("#text", Lines)
        lines.show(self._rows)
        lines.focus()

    def _rows(self, width: int) -> list[Row]:
        if not self._views:
            return [Row((("None is kept yet: n keeps what is listed now under a name.", "dim"),))]
        rows = []
        for number, view in enumerate(self._views.values(), start=1):
            digit = f" {number} " if number < 10 else "   "
            name = cut(plain(view.name), 24)
            about = f"{view.text or 'everything'}, by {view.sort} {'down' if view.descending else 'up'}"
            shown = cut(plain(about), max(width - len(digit) - 26, 4))
            rows.append(Row(((digit, "dim"), (f"{name:<24}  ", "strong"), (shown, "dim")), view.name))
        return rows

    @property
    def _current(self) -> SavedView | None:
        return self._views.get(str(self.query_one("#text", Lines).key))

    def on_key(self, event: events.Key) -> None:
        """A digit picks at once."""
        if event.key.isdigit() and 1 <= int(event.key) <= len(self._views):
            event.stop()
            self.dismiss(Picked(list(self._views.values())[int(event.key) - 1]))

    def on_lines_opened(self, event: Lines.Opened) -> None:
        """Enter picks."""
        if self._current is not None:
            self.dismiss(Picked(self._current))

    def action_keep(self) -> None:
        """Keep what is listed now."""
        self.dismiss(Picked(None))

    def action_forget(self) -> None:
        """Forget the one under the cursor."""
        if self._current is not None:
            self.dismiss(Picked(self._current, forget=True))
