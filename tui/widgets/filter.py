"""The filter below the list: a line to type in, and a line that says what could be typed and what is wrong."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from tui.narrowing import Completing, completing, hint
from tui.widgets.bars import Bar
from vault.query import Known, Problem

PLACEHOLDER = "words in title, people, ids; state:failed before:2026-11 -word; tab completes"


class FilterInput(Input):
    """Typed in; tab, enter and the arrow down are the filter's."""

    # Before the input gets them: what comes in one burst behind enter is for the rows.
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("tab", "complete(1)", show=False, priority=True),
        Binding("shift+tab", "complete(-1)", show=False, priority=True),
        Binding("enter,down", "leave", show=False, priority=True),
        Binding("escape", "screen.perform('back')", show=False, priority=True),
    ]

    leave: Callable[[], None]

    class Completed(Message):
        """Another completion is wanted: the next, or (-1) the one before."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def action_complete(self, by: int) -> None:
        """Complete what is typed."""
        self.post_message(self.Completed(by))

    def action_leave(self) -> None:
        """To the rows; what was typed goes on to hold."""
        self.leave()


class Filter(Vertical):
    """Shown from `open` until it is empty and left. `known()`: what can be named; `leave()`: to the rows."""

    class Changed(Message):
        """Another text was typed: `text`."""

    def __init__(self, known: Callable[[], Known], leave: Callable[[], None], *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._known = known
        self._leave = leave
        self._problems: Sequence[Problem] = ()
        self._completing: Completing | None = None

    def compose(self) -> ComposeResult:
        """Two lines."""
        yield FilterInput(placeholder=PLACEHOLDER, id="typed", compact=True, select_on_focus=False)
        yield Bar(id="hint")

    def on_mount(self) -> None:
        """The cursor does not blink: that would be two writes a second."""
        self.input.leave = self._leave
        self.input.cursor_blink = False
        self.display = False

    @property
    def input(self) -> FilterInput:
        """Where is typed."""
        return self.query_one("#typed", FilterInput)

    @property
    def text(self) -> str:
        """What is typed."""
        return self.input.value

    @property
    def said(self) -> str:
        """What the line below says."""
        return self.query_one("#hint", Bar).text

    def open(self) -> None:
        """Type."""
        self.display = True
        self.screen.set_focus(self.input)  # At once: `focus()` would let the next key of a burst pass by.
        self._say()

    def put(self, text: str) -> None:
        """Another text, as if it were typed."""
        self.display = bool(text) or self.input.has_focus
        self.input.value = text
        self.input.cursor_position = len(text)

    def tell(self, problems: Sequence[Problem]) -> None:
        """What of the text could not be understood."""
        self._problems = problems
        self._say()

    def left(self) -> None:
        """The focus is elsewhere: an empty one is not seen, and of another one what is wrong."""
        self.display = bool(self.text)
        self._say()

    def _say(self) -> None:
        bar, typing = self.query_one("#hint", Bar), self.input.has_focus
        bar.display = typing or bool(self._problems)
        cursor = self.input.cursor_position if typing else -1
        found = self._completing
        if found is None and typing:
            found = completing(self.text, cursor, self._known())
        bar.say(hint(self.text, cursor, self._problems, found if typing else None, max(self.size.width, 20)))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each letter narrows the list."""
        event.stop()
        if self._completing is not None and event.value != self._completing.value:
            self._completing = None
        self.post_message(self.Changed())

    def on_filter_input_completed(self, event: FilterInput.Completed) -> None:
        """Put the next one in."""
        event.stop()
        going = self._completing or completing(self.text, self.input.cursor_position, self._known())
        if going is None:
            return
        going = going.step(event.by)
        self._completing = going if len(going.found.choices) > 1 else None  # behind the only one it goes on anew
        self.input.value = going.value
        self.input.cursor_position = going.cursor
        self._say()

    def on_resize(self) -> None:
        """As much is said as fits."""
        self._say()

    def on_descendant_focus(self) -> None:
        """What could be typed is said."""
        self._say()

    def on_descendant_blur(self) -> None:
        """And no more."""
        self.left()
