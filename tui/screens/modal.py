"""What all questions over a screen have in common."""

from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

from tui.widgets.ink import INK_CLASSES

T = TypeVar("T")


class Modal(ModalScreen[T]):
    """Answers once: keys that came in one burst behind the one that answered leave alone what lies below."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(INK_CLASSES)

    @property
    def is_filling(self) -> bool:
        """Keys that come before its widgets are there wait for them (tui/held_keys.py)."""
        return not self.is_mounted

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Answer and go. Textual's own, called twice, would take the next screen away, too."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
