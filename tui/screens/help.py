"""All keys of a screen, from the registry, and what the signs mean."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from tui.commands import Command, keys_of, on, spoken
from tui.label import label
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.widgets.ink import wrap
from tui.widgets.lines import Lines, Row

SIGNS = (
    ("a v s t d c", "archive, video, sound, transcript, dashboard, catch-up: seen"),
    ("A V S T D C", "the same, held here and proven"),
    ("a!", "something is wrong with it"),
    ("Slack", "the time left until the service deletes it; a dash where no deadline is known"),
    ("▲ ▼", "the list is sorted by this column, from the first or from the last"),
    ("10,000+", "at least so many: they are still being counted"),
    ("/", 'words, "a phrase", -without, state: local: account: kind: before: after: on: size: is: has: flag:'),
)


class HelpScreen(Modal[None]):
    """The keys of a mode by group; a person's own keymap is in it."""

    CSS_PATH = sheet("raw")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape,q,question_mark", "dismiss(None)", "Back", show=False)
    ]

    def __init__(self, mode: str, keymap: dict[str, str]) -> None:
        super().__init__()
        self._mode, self._keymap = mode, keymap

    def compose(self) -> ComposeResult:
        """A box over the screen."""
        with Vertical(id="box"):
            yield Static(label(f"Keys: {self._mode}"), id="title")
            yield Lines(id="text")
            yield Static(label("j k scroll, esc goes back; 1 to 6 change the mode"), id="note")

    def on_mount(self) -> None:
        """From the top."""
        lines = self.query_one("#text", Lines)
        lines.show(self._rows)
        lines.focus()

    def _rows(self, width: int) -> list[Row]:
        commands = (*on(self._mode), *on("list"))
        rows: list[Row] = []
        for group in dict.fromkeys(command.group for command in commands):
            rows.append(Row(((group, "head"),)))
            for command in commands:
                if command.group == group:
                    rows += self._command(command, width)
            rows.append(Row(()))
        rows.append(Row((("Signs", "head"),)))
        for sign, words in SIGNS:
            rows += _pair(sign, words, width)
        return rows

    def _command(self, command: Command, width: int) -> list[Row]:
        keys = spoken(keys_of(command, self._keymap)) or "(palette)"
        return _pair(keys, f"{command.words}: {command.help}", width)


def _pair(head: str, words: str, width: int) -> list[Row]:
    first, *rest = wrap(words, width - 15)
    rows = [Row(((f"{head:>13}  ", "strong"), (first, "")))]
    return rows + [Row(((" " * 15, ""), (part, ""))) for part in rest]
