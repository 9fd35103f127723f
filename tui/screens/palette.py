"""The palette: every action of the screen, found by its words; what cannot act now says why."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input, Static

from tui.commands import Command, keys_of, spoken
from tui.label import label
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.widgets.lines import Lines, Row


class PaletteScreen(Modal[str | None]):
    """Answers the id of the chosen command, or None."""

    CSS_PATH = sheet("raw")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape,ctrl+p", "dismiss(None)", "Back", show=False, priority=True),
        Binding("down,ctrl+n", "step(1)", show=False, priority=True),
        Binding("up", "step(-1)", show=False, priority=True),
    ]

    def __init__(self, commands: Sequence[Command], why_not: Callable[[str], str], keymap: dict[str, str]) -> None:
        super().__init__()
        self._commands = [
            (command, why_not(command.id)) for command in commands if command.id not in ("palette", "back")
        ]
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        """An input and what matches."""
        with Vertical(id="box"):
            yield Input(placeholder="what to do", id="words", compact=True)
            yield Lines(id="text", focusable=False)
            yield Static(label("enter does it, esc goes back; grey ones say why they cannot act now"), id="note")

    def on_mount(self) -> None:
        """All of them at first."""
        words = self.query_one("#words", Input)
        words.cursor_blink = False
        words.focus()
        self._show("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """As one types."""
        self._show(event.value)

    def on_input_submitted(self) -> None:
        """The one under the cursor."""
        key = self.query_one("#text", Lines).key
        if key is not None:
            self.dismiss(str(key))

    def on_lines_opened(self, event: Lines.Opened) -> None:
        """A click on it."""
        self.dismiss(str(event.key) if event.key else None)

    def action_step(self, by: int) -> None:
        """The cursor, while the input keeps the focus."""
        self.query_one("#text", Lines).action_perform("move.down" if by > 0 else "move.up")

    def matches(self, words: str) -> list[tuple[Command, str]]:
        """The commands that fit, best first, each with why it cannot act."""
        if not words.strip():
            return self._commands
        matcher = Matcher(words)
        scored = [(matcher.match(f"{c.words} {c.help}"), c, reason) for c, reason in self._commands]
        scored.sort(key=lambda each: -each[0])
        return [(command, reason) for score, command, reason in scored if score > 0]

    def _show(self, words: str) -> None:
        found = self.matches(words)

        def build(width: int) -> list[Row]:
            if not found:
                return [Row((("nothing is called that", "dim"),))]
            return [Row(self._line(command, reason), command.id) for command, reason in found]

        lines = self.query_one("#text", Lines)
        lines.show(build, top=True)
        if found:
            lines.select(found[0][0].id)

    def _line(self, command: Command, reason: str) -> tuple[tuple[str, str], ...]:
        keys = spoken(keys_of(command, self._keymap))
        ink = "off" if reason else ""
        return (
            (f"{keys:>9}  ", "off" if reason else "strong"),
            (f"{command.words}  ", ink),
            (reason or command.help, "dim"),
        )
