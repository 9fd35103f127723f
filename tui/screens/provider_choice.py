"""The first question of a new account: at which service."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from providers.declaring import ProviderInfo
from tui.label import cut, label, plain
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.widgets.lines import Lines, Row


class ProviderChoiceScreen(Modal[str | None]):
    """Answers a provider's name, or None."""

    CSS_PATH = sheet("raw")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape,q", "dismiss(None)", "Back", show=False)
    ]

    def __init__(self, infos: Sequence[ProviderInfo]) -> None:
        super().__init__()
        self._infos = tuple(infos)

    def compose(self) -> ComposeResult:
        """A box over the screen."""
        with Vertical(id="box", classes="menu services"):
            yield Static(label("Add an account at which service?"), id="title")
            yield Lines(id="text")
            yield Static(label("a digit or enter chooses, esc goes back"), id="note")

    def on_mount(self) -> None:
        """The cursor is on the first one."""
        lines = self.query_one("#text", Lines)
        lines.show(self._rows)
        lines.focus()

    def _rows(self, width: int) -> list[Row]:
        rows = []
        for number, info in enumerate(self._infos, start=1):
            kinds = f"{info.meeting_word}s with {', '.join(info.kinds)}"
            rows.append(Row(((f" {number} ", "strong"), (plain(info.label), "strong"), (f"  {kinds}", "")), info.name))
            rows.append(Row(((cut(f"   {plain(info.found_by)}", width - 1), "dim"),), info.name))
        return rows

    def on_key(self, event: events.Key) -> None:
        """A digit chooses at once."""
        if event.key.isdigit() and 1 <= int(event.key) <= len(self._infos):
            event.stop()
            self.dismiss(self._infos[int(event.key) - 1].name)

    def on_lines_opened(self, event: Lines.Opened) -> None:
        """Enter chooses."""
        self.dismiss(str(event.key) if event.key else None)
