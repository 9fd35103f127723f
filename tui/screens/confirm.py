"""A question before something that cannot be taken back. The harmless answer has the focus."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static

from tui.label import label
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.widgets.ink import wrap
from tui.widgets.lines import Lines, Row


class ConfirmScreen(Modal[bool]):
    """Asks `title`; shows `lines`; answers True only for the button named `yes`.

    `no_first`: the refusing button has the focus (for what deletes); else the agreeing one.
    """

    CSS_PATH = sheet("confirm")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape", "answer(False)", "No", show=False),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
        Binding("down,j", "read(1)", show=False),
        Binding("up,k", "read(-1)", show=False),
        Binding("pagedown,ctrl+d", "read(10)", show=False),
        Binding("pageup,ctrl+u", "read(-10)", show=False),
    ]

    def __init__(
        self, title: str, lines: Sequence[str], yes: str, no: str = "Cancel", *, no_first: bool = True
    ) -> None:
        super().__init__()
        self._title, self._lines, self._yes, self._no, self._no_first = title, tuple(lines), yes, no, no_first

    def compose(self) -> ComposeResult:
        """The question, what it is about, two buttons."""
        with Vertical(id="box"):
            yield Static(label(self._title), id="title")
            yield Lines(id="about")
            yield from self.extra()
            with Horizontal(id="answers"):
                yield Button(label(self._no), id="no", compact=True)
                yield Button(label(self._yes), id="yes", compact=True, variant="error" if self._no_first else "primary")

    def extra(self) -> Iterable[Widget]:
        """What else is asked, between the lines and the buttons."""
        return ()

    def on_mount(self) -> None:
        """The harmless answer first."""
        self.query_one("#about", Lines).show(self._rows)
        self.query_one("#no" if self._no_first else "#yes", Button).focus()

    def _rows(self, width: int) -> list[Row]:
        return [Row(((part, ""),)) for line in self._lines for part in wrap(line, width)]

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The answer."""
        self.dismiss(event.button.id == "yes")

    def action_read(self, by: int) -> None:
        """Scroll what it is about, while an answer has the focus."""
        about = self.query_one("#about", Lines)
        about.scroll_to(y=about.scroll_y + by, animate=False)

    def action_answer(self, answer: bool) -> None:
        """Escape refuses."""
        self.dismiss(answer)
