"""A text in full: the raw record of a service, or a link that was copied. Scrolls, wraps, and is only read."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from providers.kept import laid_out
from tui.label import label, safe_block
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.widgets.ink import wrap
from tui.widgets.lines import Lines, Row


class RawScreen(Modal[None]):
    """Shows `text` under `title`, laid out where it is compact JSON."""

    CSS_PATH = sheet("raw")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape,q,w", "dismiss(None)", "Back", show=False)
    ]

    def __init__(self, title: str, text: str, note: str = "j k scroll, esc goes back") -> None:
        super().__init__()
        self._title, self._text, self._note = title, safe_block(laid_out(text)), note

    def compose(self) -> ComposeResult:
        """A box over the screen."""
        with Vertical(id="box"):
            yield Static(label(self._title), id="title")
            yield Lines(id="text")
            yield Static(label(self._note), id="note")

    def on_mount(self) -> None:
        """Show it from the top."""
        lines = self.query_one("#text", Lines)
        lines.show(self._rows)
        lines.focus()

    def _rows(self, width: int) -> list[Row]:
        return [Row(((part, ""),)) for part in wrap(self._text, width)]
