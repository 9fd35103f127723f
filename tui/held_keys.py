"""Keys wait for what they were typed for: the rows of another list, a screen that is on its way, an input's focus.

Textual sends each key to what has the focus when it comes, and acts on it when it came up again from there. In a burst
(a fast typist, a slow line, a macro) all keys are sent before the first one acts.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from textual import events
from textual.app import App
from textual.dom import DOMNode

HOLD_S = 3.0
"""Keys wait no longer than this, and are dropped then: what they would act on, nobody could say."""
LOOK_S = 0.02
MOST_ON_THEIR_WAY = 256
AT_ONCE = ("ctrl+q", "ctrl+l")
"""Leaving and drawing anew are for no row."""
DROPPED = "keys typed before what they were for was there are not heeded"

Typed: TypeAlias = events.Key | events.Paste


@runtime_checkable
class Filling(Protocol):
    """A screen that knows whether what the next key is for has not come yet."""

    is_filling: bool


class HoldsKeys(App[Any]):
    """Keys that come in one burst behind one that changes what they are for wait for that."""

    clock: Callable[[], float] = staticmethod(time.monotonic)
    _held: tuple[Typed, ...] = ()
    _held_since: float | None = None
    """When the first of them was held; it stays when they were dropped, until there is nothing to wait for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sent: deque[tuple[Typed, DOMNode]] = deque(maxlen=MOST_ON_THEIR_WAY)
        """Keys, and what had the focus when they were sent there."""

    async def on_event(self, event: events.Event) -> None:
        """Hold a key, or let it through."""
        if isinstance(event, events.Key | events.Paste):
            if not self.screen_stack:
                return  # the last of a burst, while the desk closes
            if self._waits(event):
                self._hold(event)
                return
            if not event.is_forwarded:
                self._sent.append((event, self.focused or self.screen))
        await super().on_event(event)

    def _waits(self, event: Typed) -> bool:
        if isinstance(event, events.Key) and event.key in AT_ONCE:
            return False
        if self._held:
            return True
        if not self._is_filling:
            self._held_since = None
            return self._went_astray(event)
        if self._held_since is None:
            self._held_since = self.clock()
        return self.clock() - self._held_since < HOLD_S

    @property
    def _is_filling(self) -> bool:
        screen = self.screen if self.screen_stack else None
        return isinstance(screen, Filling) and screen.is_filling

    def _went_astray(self, event: Typed) -> bool:
        """Whether it was sent to what had the focus before the one before it acted."""
        if not event.is_forwarded or hasattr(self.screen, "overhear"):
            return False
        sent = next((target for each, target in self._sent if each is event), None)
        return sent is not None and sent is not (self.focused or self.screen)

    def _hold(self, event: Typed) -> None:
        if not self._held:
            self.set_timer(LOOK_S, self._let_go)
        # Those that came up again are older than those that follow them from the terminal.
        self._held = tuple(sorted((*self._held, event), key=lambda each: each.time))

    def _let_go(self) -> None:
        overdue = self._held_since is not None and self.clock() - self._held_since >= HOLD_S
        if self._is_filling and not overdue:
            self.set_timer(LOOK_S, self._let_go)
            return
        held, self._held = self._held, ()
        if overdue:
            self.say(DROPPED, "warn")
            return
        self._held_since = None
        for event in held:
            self.post_message(_anew(event))

    def say(self, words: str, ink: str = "bad") -> None:
        """Tell a person."""
        raise NotImplementedError


def _anew(event: Typed) -> Typed:
    return events.Paste(event.text) if isinstance(event, events.Paste) else events.Key(event.key, event.character)
