"""Every kind of widget that the desk shows remote text with, in a real terminal: one hostile text after another.

The texts arrive raw, as if nothing at a provider's edge had made them harmless.
"""

import sys
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, Checkbox, Input, Static

from styles import SHEETS
from styles.themes import THEMES, variables_for_others
from tests.e2e.hostile import PAYLOADS
from tui.guard import ControlGuard
from tui.label import label, plain
from tui.widgets.ink import INK_CLASSES
from tui.widgets.lines import Lines, text_rows
from tui.widgets.secret_input import SecretInput

HEIGHT_OF_LINES = 4


def marker(number: int) -> str:
    """Stands on the screen together with the text of that number."""
    return f"payload-{number:02d}-on"


class Inked(Screen[None]):
    """Has what its widgets draw with."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(INK_CLASSES)


class Widgets(App[None]):
    """Shows each text for one paint in all of them, then ends."""

    CSS_PATH = str(SHEETS / "base.tcss")

    def __init__(self) -> None:
        super().__init__()
        for each in THEMES:
            self.register_theme(each)
        self.theme = THEMES[0].name
        self.animation_level = "none"
        self._filters.append(ControlGuard())
        self._number = 0

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What the desk's sheet names."""
        return variables_for_others()

    def get_default_screen(self) -> Screen[None]:
        """It."""
        return Inked()

    def compose(self) -> ComposeResult:
        """A place for them."""
        yield VerticalScroll(id="place")

    async def on_mount(self) -> None:
        """Begin."""
        await self._next()

    async def _next(self) -> None:
        if self._number == len(PAYLOADS):
            self.exit()
            return
        text, place = PAYLOADS[self._number], self.query_one("#place")
        await place.remove_children()
        lines = Lines(id="lines")
        framed = Static(label(text), classes="framed")
        framed.border_title = Content(text)
        await place.mount(
            Static(marker(self._number)),
            Static(label(text)),
            Static(Content(text)),
            Static(Text(text)),
            Button(label(text)),
            Button(Content(text)),
            Checkbox(Content(text)),
            Input(text, placeholder=text),
            Input(placeholder=text),
            SecretInput(placeholder=text, id="secret"),
            framed,
            lines,
        )
        framed.styles.border = ("round", "white")
        lines.styles.height = HEIGHT_OF_LINES
        lines.show(lambda width: text_rows([((text, ""),), ((plain(text), ""),)]))
        self.title = text
        self._number += 1
        self.call_after_refresh(self.call_after_refresh, self._next)


def main() -> int:
    """Run it."""
    app = Widgets()
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
