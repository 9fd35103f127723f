"""A small selector: a few values side by side, one of them chosen; where they do not fit, the chosen one alone."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tui.label import cut, plain
from tui.widgets.ink import Inked, Line


class Choice(Inked, can_focus=True):
    """One of `choices`. Left and right (h, l) and space change it, a click chooses, enter goes on."""

    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("left,h", "turn(-1)", show=False),
        Binding("right,l,space", "turn(1)", show=False),
        Binding("enter", "app.focus_next", show=False),
    ]

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, choice: "Choice") -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> "Choice":
            """The widget, for `on` with a selector."""
            return self.choice

    def __init__(self, choices: Sequence[str], value: str, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.choices = tuple(choices)
        self._value = value if value in self.choices else self.choices[0]

    @property
    def value(self) -> str:
        """The one that is chosen."""
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        if value != self._value and value in self.choices:
            self._value = value
            self.refresh()
            self.post_message(self.Changed(self))

    def action_turn(self, by: int) -> None:
        """The next one; after the last the first."""
        self.value = self.choices[(self.choices.index(self._value) + by) % len(self.choices)]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Always one line."""
        return 1

    def on_focus(self) -> None:
        """The chosen one is brighter with the focus."""
        self.refresh()

    def on_blur(self) -> None:
        """And fainter without."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click chooses."""
        at = 0
        for choice in self.choices if self._fits else ():
            wide = cell_len(plain(choice)) + 2
            if at <= event.x < at + wide:
                self.value = choice
            at += wide

    @property
    def _fits(self) -> bool:
        return sum(cell_len(plain(choice)) + 2 for choice in self.choices) <= self.size.width

    def _line(self) -> Line:
        chosen = "cursor" if self.has_focus else "strong"
        if self._fits:
            return tuple(
                (f"[{plain(each)}]", chosen) if each == self._value else (f" {plain(each)} ", "dim")
                for each in self.choices
            )
        place = f" {self.choices.index(self._value) + 1} of {len(self.choices)}"
        room = max(self.size.width - len(place) - 2, 1)
        return ((f"[{cut(plain(self._value), room)}]", chosen), (place, "dim"))

    def render_line(self, y: int) -> Strip:
        """The values, the chosen one in brackets."""
        return self.draw(self._line() if y == 0 else (), self.size.width)
