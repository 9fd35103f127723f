"""What screens with fields to fill in have in common."""

from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding
from textual.geometry import Region
from textual.widgets import Checkbox, Input

from tui.screens.base import ModeScreen
from tui.widgets.choice import Choice

FIELD_KEYS: tuple[Binding, ...] = (
    # Before the fields get them: what comes in one burst behind a tab (a pasted secret) is for the next field.
    Binding("tab,down", "go(1)", show=False, priority=True),
    Binding("shift+tab,up", "go(-1)", show=False, priority=True),
    Binding("enter", "enter", show=False, priority=True),
)


class FillingScreen(ModeScreen):
    """Tab and enter go to the next field at once."""

    BINDINGS: ClassVar[list[Binding]] = list(FIELD_KEYS)  # type: ignore[assignment]  # Textual's own type is wider

    def action_go(self, by: int) -> None:
        """To the next field, or the one before; elsewhere the keys are what they are there."""
        if not isinstance(self.focused, Input | Checkbox | Choice):
            raise SkipAction
        if by > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_enter(self) -> None:
        """Enter goes to the next field; on a tick it is the tick's own."""
        if not isinstance(self.focused, Input | Choice):
            raise SkipAction
        self.focus_next()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """What was filled in before the field had a size shows its beginning, wherever the cursor stands."""
        field = event.widget
        if isinstance(field, Input):
            at = Region(field.cursor_screen_offset.x - field.content_region.x + field.scroll_offset.x, 0, 1, 1)
            field.call_after_refresh(field.scroll_to_region, at, force=True, animate=False)
