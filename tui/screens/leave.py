"""The question when the desk is left while transfers are not done: three answers, by letter or with the cursor."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from tui.label import label
from tui.leaving import Answer
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.widgets.ink import wrap
from tui.widgets.lines import Lines, Row

ANSWERS: tuple[tuple[Answer, str, str, str], ...] = (
    (Answer.STAY, "esc", "Stay", "The desk stays open, and everything goes on."),
    (
        Answer.STOP,
        "s",
        "Stop and leave",
        "What is here is kept; the next desk or `reeldesk work` goes on where it stopped.",
    ),
    (
        Answer.HAND_OVER,
        "h",
        "Hand over and leave",
        "A process without a screen fetches on, and ends when the queue is empty. The next desk shows and steers it, "
        "in mode 2 (Transfers).",
    ),
)
_KEY = 5
"""Cells for the key and the space beside it."""


class LeaveScreen(Modal[Answer]):
    """Asks `title`. `why_not`: why handing over is impossible, which is greyed then; "" when it is possible."""

    CSS_PATH = sheet("leave")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape,q", "choose('stay')", "Stay", show=False),
        Binding("s", "choose('stop')", "Stop", show=False),
        Binding("h", "choose('hand_over')", "Hand over", show=False),
    ]

    def __init__(self, title: str, why_not: str) -> None:
        super().__init__()
        self._title, self._why_not = title, why_not

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        with Vertical(id="box"):
            yield Static(label(self._title), id="title")
            yield Lines(id="answers")
            yield Static(label("a letter, or up and down and enter"), id="note")

    def on_mount(self) -> None:
        """Who presses q wants to leave, and nothing is lost by it."""
        answers = self.query_one("#answers", Lines)
        answers.show(self._rows)
        answers.select(Answer.STOP)
        answers.focus()

    def _rows(self, width: int) -> list[Row]:
        rows = []
        for answer, key, name, about in ANSWERS:
            why_not = self._why_not if answer is Answer.HAND_OVER else ""
            inks = ("off", "off") if why_not else ("head", "strong")
            rows.append(Row(((f" {key:<{_KEY - 1}}", inks[0]), (name, inks[1])), answer))
            lines = wrap(f"not here: {why_not}" if why_not else about, width - _KEY)
            rows += [Row(((" " * _KEY + line, "dim"),), answer) for line in lines]
        return rows

    def on_lines_opened(self, event: Lines.Opened) -> None:
        """Enter, or a click on the answer that the cursor is on."""
        event.stop()
        self.action_choose(str(event.key))

    def action_choose(self, answer: str) -> None:
        """An answer; what is impossible only says why."""
        if self._why_not and answer == Answer.HAND_OVER:
            self.query_one("#note", Static).update(label(f"this cannot be chosen: {self._why_not}"))
        else:
            self.dismiss(Answer(answer))
