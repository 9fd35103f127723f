"""Whose keys are heard: while a frame of an earlier desk stands on the terminal, nobody's but ctrl+c.

Whoever types then sees another list than the one that keys act on.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from textual import events
from textual.message import Message

HEARS_S = 0.5
"""So long after our first frame keys are heard again, where the terminal does not answer that it has it."""
ASKS = "\x1b[6n"
"""Asks for the cursor's place. Every terminal answers, after it has drawn what was sent before: what was typed before
that comes in before the answer."""


@runtime_checkable
class Hears(Protocol):
    """An app that is told of each key at once."""

    def heard(self) -> None:
        """A key was read: on the thread that reads, before the app has it."""


class Hearing:
    """Begins deaf where `deaf`. `interrupt`: what ctrl+c does then."""

    def __init__(self, deaf: bool, interrupt: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGINT)) -> None:
        self.deaf = deaf
        self._interrupt = interrupt
        self._asked = threading.Event()

    def ask(self, height: int) -> str:
        """What asks the terminal to say when it has drawn what it was sent, on a screen of so many lines."""
        self._asked.set()
        # From the last line: in the first one, the answer is a key of some terminals.
        return f"\x1b[{max(height, 2)}H{ASKS}"

    def hear(self) -> None:
        """From now on all of it."""
        self.deaf = False

    def takes(self, message: Message) -> bool:
        """Whether a message of the terminal is for the app."""
        if not self.deaf:
            return True
        if isinstance(message, events.Key) and message.key == "ctrl+c":
            self._interrupt()
        if isinstance(message, events.CursorPosition) and self._asked.is_set():
            self.deaf = False
            return False
        return not isinstance(message, events.InputEvent | events.Paste)
