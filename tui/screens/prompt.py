"""A question that a few words answer: a name, a day."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.label import label
from tui.screens.base import sheet
from tui.screens.modal import Modal


class PromptScreen(Modal[str | None]):
    """Answers what was typed, or None. `problem(text)` says why it will not do; "" when it does."""

    CSS_PATH = sheet("raw")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape", "dismiss(None)", "Back", show=False, priority=True),
        # At once, not when the field tells that it was pressed: what comes in one burst behind it is for what follows.
        Binding("enter", "answer", show=False, priority=True),
    ]

    def __init__(self, title: str, note: str, problem: Callable[[str], str], *, value: str = "") -> None:
        super().__init__()
        self._title, self._note, self._problem, self._value = title, note, problem, value

    def compose(self) -> ComposeResult:
        """A small box over the screen."""
        with Vertical(id="box", classes="menu"):
            yield Static(label(self._title), id="title")
            yield Input(self._value, id="words", compact=True, select_on_focus=True)
            yield Static(label(self._note), id="note")

    def on_mount(self) -> None:
        """Type at once."""
        words = self.query_one("#words", Input)
        words.cursor_blink = False
        words.focus()

    def on_input_changed(self) -> None:
        """What was wrong may be right now."""
        self.query_one("#note", Static).update(label(self._note))

    def action_answer(self) -> None:
        """Only what will do is taken."""
        text = self.query_one("#words", Input).value.strip()
        problem = self._problem(text)
        if problem:
            self.query_one("#note", Static).update(label(problem))
        elif text:
            self.dismiss(text)
