"""When the desk was first painted: what can wait (clients, keyrings, a question) begins only then."""

import asyncio
from typing import Any

from textual.app import App

LATEST_S = 2.0
"""A list that is long in coming keeps nothing waiting for longer."""


class TellsFirstPaint(App[None]):
    """Calls `first_painted` once, when the first rows, or the words of an empty list, were drawn."""

    is_painted: bool = False

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.painted = asyncio.Event()
        """Set then."""

    def on_mount(self) -> None:
        """At the latest after a while."""
        self.set_timer(LATEST_S, self._paint_over)

    def on_table_moved(self) -> None:
        """The list has its rows: they are drawn with the next refresh of the screen, which may follow the app's."""
        if not self.is_painted:
            self.call_after_refresh(self.call_after_refresh, self._paint_over)

    def _paint_over(self) -> None:
        if not self.is_painted:
            self.is_painted = True
            self.painted.set()
            self.first_painted()

    def first_painted(self) -> None:
        """What waited for it."""
