"""A flag with a note: a letter or the cursor chooses the flag, then a note may be typed."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui import label as figures
from tui.label import label, plain
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.triage_words import FLAG_LETTERS, FLAG_WORDS
from tui.widgets.ink import wrap
from tui.widgets.lines import Lines, Row
from vault.views import AssetView, Flag

_NONE = "-"
_KEY = 10
"""Cells for the letter and the flag's name."""


class Chosen(Struct, frozen=True):
    """A flag (None: no flag any more) and a note ("": none)."""

    flag: Flag | None
    note: str


class FlagScreen(Modal[Chosen | None]):
    """Answers what was chosen, or None."""

    CSS_PATH = sheet("flag")
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape", "dismiss(None)", "Back", show=False)
    ]

    def __init__(self, assets: Sequence[AssetView]) -> None:
        super().__init__()
        self._assets = tuple(assets)

    def compose(self) -> ComposeResult:
        """The flags, and a line for the note."""
        many = len(self._assets)
        name = plain(self._assets[0].title) if many == 1 else figures.count(many, "asset")
        field = Input(placeholder="a note, if you like; enter keeps it", id="note", compact=True, max_length=400)
        field.cursor_blink = False
        with Vertical(id="box"):
            yield Static(label(f"Flag {name}"), id="title")
            yield Lines(id="flags")
            yield field
            yield Static(label("a letter or enter chooses, then a note or enter; esc changes nothing"), id="hint")

    def on_mount(self) -> None:
        """The cursor is on the first flag."""
        lines = self.query_one("#flags", Lines)
        lines.show(self._rows)
        lines.focus()

    def _rows(self, width: int) -> list[Row]:
        rows = []
        for flag, letter in FLAG_LETTERS.items():
            first, *rest = wrap(FLAG_WORDS[flag], width - _KEY)
            rows.append(Row(((f" {letter} ", "strong"), (f"{flag:<7}", ""), (first, "dim")), flag))
            rows += [Row(((" " * _KEY, ""), (part, "dim")), flag) for part in rest]
        rows.append(Row(((f" {_NONE} ", "strong"), (f"{'none':<7}", ""), ("take every flag away", "dim")), _NONE))
        return rows

    def on_key(self, event: events.Key) -> None:
        """A letter chooses; the note is typed next."""
        lines = self.query_one("#flags", Lines)
        if self.focused is not lines:
            return
        letters: dict[str, Flag | str] = {letter: flag for flag, letter in FLAG_LETTERS.items()}
        chosen = letters.get(event.key) or (_NONE if event.character == _NONE else None)
        if chosen is not None:
            event.stop()
            lines.select(chosen)
            self._choose()

    def on_lines_opened(self) -> None:
        """Enter chooses."""
        self._choose()

    def _choose(self) -> None:
        if self.query_one("#flags", Lines).key == _NONE:
            self.dismiss(Chosen(None, ""))
        else:
            self.set_focus(self.query_one("#note", Input))  # At once: the next key of a burst is the note's.

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Done."""
        key = self.query_one("#flags", Lines).key
        self.dismiss(Chosen(key if isinstance(key, Flag) else None, event.value.strip()))
