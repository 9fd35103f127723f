"""A short menu: choose one of a few values by its letter or with the cursor."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from tui.label import cut, label, plain
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.widgets.lines import Lines, Row


class MenuScreen(Modal[str | None]):
    """Entries of (letter, name, value); answers the value chosen, or None."""

    CSS_PATH = sheet("raw")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape,q", "dismiss(None)", "Back", show=False)
    ]

    def __init__(self, title: str, entries: Sequence[tuple[str, str, str]], note: str) -> None:
        super().__init__()
        self._title, self._entries, self._note = title, tuple(entries), note

    def compose(self) -> ComposeResult:
        """A box over the screen."""
        with Vertical(id="box", classes="menu"):
            yield Static(label(self._title), id="title")
            yield Lines(id="text")
            yield Static(label(self._note), id="note")

    def on_mount(self) -> None:
        """The cursor is on the first entry."""
        lines = self.query_one("#text", Lines)
        lines.show(self._rows)
        lines.focus()

    def _rows(self, width: int) -> list[Row]:
        return [
            Row(((f" {letter} ", "strong"), (f"{name:<8} ", ""), (cut(plain(value), width - 13), "dim")), letter)
            for letter, name, value in self._entries
        ]

    def on_key(self, event: events.Key) -> None:
        """A letter chooses at once."""
        for letter, _, value in self._entries:
            if event.key == letter:
                event.stop()
                self.dismiss(value)

    def on_lines_opened(self, event: Lines.Opened) -> None:
        """Enter chooses."""
        self.dismiss(next((value for letter, _, value in self._entries if letter == event.key), None))
