"""One key after the other: each acts before the next is sent, and waits for what it was typed for.

Textual sends every key at once to what has the focus, and runs most bindings only when a key has come up again from
there. In a burst (a fast typist, a slow line, a macro) the second key would so be sent, or act, before the first has
acted. Here it waits: until the one before has come up or was used, and until the rows of another list, or a screen that
is on its way, are there.

A key that what has the focus binds itself (a cursor's) acts where it stands: to be sent there and to come up again
takes a quarter of the time from the key to the frame, and nobody on the way would hear it.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from textual import events
from textual.app import App
from textual.message import Message
from textual.widget import Widget

from tui.widgets.ink import Inked

HOLD_S = 3.0
"""Keys wait no longer than this for rows or a screen, and are dropped then: for what they were, nobody could say."""
ACTS_S = 1.0
"""A key acts in less; one that was lost with the widget that it was sent to keeps nothing waiting for longer."""
LOOK_S = 0.02
AT_ONCE = ("ctrl+q", "ctrl+l")
"""Leaving and drawing anew are for no row."""
DROPPED = "keys typed before what they were for was there are not heeded"

Typed: TypeAlias = events.Key | events.Paste


@runtime_checkable
class Filling(Protocol):
    """A screen that knows whether what the next key is for has not come yet."""

    is_filling: bool


class HoldsKeys(App[Any]):
    """Sends keys one after the other."""

    class Followed(Message):
        """Sent behind a key, this comes up behind it: so the key has acted, or was used.

        It has the key's number alone: messages are written down where somebody looks for a fault, keys never.
        """

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    keys_mean_else: bool = False
    """Whether a keymap changes what widgets bind, or a key is for nothing any more."""
    clock: Callable[[], float] = staticmethod(time.monotonic)
    _held: tuple[Typed, ...] = ()
    _held_since: float | None = None
    """When the first of them was held for a screen; it stays when they were dropped, until nothing is waited for."""
    _acting: tuple[Typed, Widget, float] | None = None
    """The key that was sent last, where to and when, as long as it may not have acted."""
    _number = 0
    """How many were sent."""
    _followed = 0
    """The number of the last one behind which something was sent."""
    _has_acted = 0
    """The number of the last one that has acted."""

    async def on_event(self, event: events.Event) -> None:
        """Send a key, hold it, or let it act when it comes up."""
        if not isinstance(event, events.Key | events.Paste):
            await super().on_event(event)
        elif not self.screen_stack:
            pass  # the last of a burst, while the desk closes
        elif event.is_forwarded:
            await super().on_event(event)
            if self._acting is not None and self._acting[0] is event:
                self._acted(self._number)
        elif self._waits(event):
            self._hold(event)
        else:
            await self._send(event)

    def on_holds_keys_followed(self, event: Followed) -> None:
        """The key before it has acted."""
        self._acted(event.number)

    async def _send(self, event: Typed) -> None:
        self._number += 1
        self._acting = (event, self.focused or self.screen, self.clock())
        _, target, _ = self._acting
        action = self._own_action(event, target) if isinstance(event, events.Key) else ""
        if action and await self.run_action(action, target):
            self.call_after_refresh(self._follow)  # what it asked for comes before the next key
            return
        await super().on_event(event)
        if not event.is_forwarded:  # a binding with priority took it
            self._acted(self._number)

    def _own_action(self, event: events.Key, target: Widget) -> str:
        """What the target has bound it to, if nothing else would hear or take it before; "" where it has to be sent."""
        if not isinstance(target, Inked) or not self.app_focus or self.keys_mean_else:
            return ""
        chain = [node._bindings.key_to_bindings.get(event.key, []) for node in target.ancestors_with_self]
        if not chain[0] or any(one.priority for bound in chain for one in bound):
            return ""
        if any(hasattr(node, "on_key") for node in target.ancestors_with_self if node is not self):
            return ""
        return chain[0][0].action

    def _acted(self, number: int) -> None:
        if number > self._has_acted:
            self._has_acted = number
            self.call_later(self._next)  # behind what it asked for: Textual gives the focus so

    async def _next(self) -> None:
        if self._has_acted == self._number:
            self._acting = None
            await self._let_go()

    def _waits(self, event: Typed) -> bool:
        if isinstance(event, events.Key) and event.key in AT_ONCE:
            return False
        return bool(self._held) or self._is_acting or self._is_behind

    @property
    def _is_acting(self) -> bool:
        if self._acting is None:
            return False
        _, target, since = self._acting
        return target.is_attached and self.clock() - since < ACTS_S

    @property
    def _is_behind(self) -> bool:
        """Whether rows or a screen are waited for, and not for too long."""
        screen = self.screen
        if not (isinstance(screen, Filling) and screen.is_filling):
            self._held_since = None
            return False
        if self._held_since is None:
            self._held_since = self.clock()
        return not self._is_overdue

    @property
    def _is_overdue(self) -> bool:
        return self._held_since is not None and self.clock() - self._held_since >= HOLD_S

    def _hold(self, event: Typed) -> None:
        if not self._held:
            self.set_timer(LOOK_S, self._look_again)
        self._held = (*self._held, event)
        self._follow()

    def _follow(self) -> None:
        if self._acting is not None and self._followed < self._number:
            self._followed = self._number
            self._acting[1].post_message(self.Followed(self._number))

    async def _look_again(self) -> None:
        await self._let_go()
        if self._held:
            self.set_timer(LOOK_S, self._look_again)

    async def _let_go(self) -> None:
        """Send those that need wait no more."""
        while self._held and self.screen_stack and not self._is_acting and not self._is_behind:
            if self._is_overdue:
                self._held = ()
                self.say(DROPPED, "warn")
                return
            first, *rest = self._held
            self._held = tuple(rest)
            await self._send(first)
        if self._held:
            self._follow()

    def say(self, words: str, ink: str = "bad") -> None:
        """Tell a person."""
        raise NotImplementedError
