"""Reading keys without waking for nothing: Textual's own reader looks ten times a second whether it shall end."""

import codecs
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress

from textual import constants
from textual._xterm_parser import XTermParser
from textual.message import Message

_TICK_S = 0.1
_SETTLED_S = max(1.0, 3 * constants.ESCAPE_DELAY)
"""So long after the last byte nothing is half understood any more: an escape that waits for more is the key by then."""
_READ_BYTES = 4096


class Wake(threading.Event):
    """An event that can be waited for beside a terminal: `reader` can be read from while it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def set(self) -> None:
        """Wake whoever waits."""
        super().set()
        with suppress(BlockingIOError):  # it is full: it has been set before
            os.write(self._writer, b"!")

    def clear(self) -> None:
        """Back to sleep."""
        super().clear()
        with suppress(BlockingIOError):
            while os.read(self.reader, _READ_BYTES):
                pass

    def close(self) -> None:
        """For ever."""
        os.close(self.reader)
        os.close(self._writer)


def read_keys(fileno: int, wake: Wake, parser: XTermParser, tell: Callable[[Message], None]) -> None:
    """Tell of what is typed until `wake` is set. Raises OSError when the terminal is gone.

    Bytes that are not UTF-8 (X10 mouse bytes of a terminal that was attached anew) become replacement characters.
    """
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    silent_s = _SETTLED_S
    while not wake.is_set():
        settled = silent_s >= _SETTLED_S
        ready, _, _ = select.select([fileno, wake.reader], [], [], None if settled else _TICK_S)
        silent_s = 0.0 if fileno in ready else silent_s + _TICK_S
        if fileno in ready:
            content = os.read(fileno, _READ_BYTES)
            if not content:  # what was piped in has ended
                wake.wait(_TICK_S)
            elif text := decode(content):
                for message in parser.feed(text):
                    tell(message)
        for message in parser.tick():
            tell(message)
