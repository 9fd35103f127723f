"""The last frame on the terminal, marked as such, until the desk draws or the terminal is given back.

Meanwhile the terminal neither echoes nor waits for a line's end; ctrl+c ends the program as ever.
"""

import os
import sys
import termios
import time

from tui.last_frame import Frame, Place, kept

TYPE_CHECKING = False  # the modules for types take as long to load as the frame to show
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any, TextIO
else:
    import _signal as signal  # what signal stands on; that makes enumerations of it, in 4 ms of 22

STALLS_S = 0.25
"""So long is a terminal waited for that does not read."""
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""The other screen, no cursor, and no line goes on in the next."""
_GIVE_BACK = (
    "\x18\x1b[?2026l\x1b[<u\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l"
    "\x1b[r\x1b[0m\x1b[?7h\x1b[?1049l\x1b[?25h"
)
"""Also what a desk may have switched on, if it was beginning when a signal came."""
_LFLAG, _CC = 3, 6


def shown(environ: "Mapping[str, str]", now: float) -> "ShownFrame | None":
    """Show the last frame of this environment's desk, if there is one for this terminal; else None. `now`: Unix time.

    All of standard input, output and error must be the terminal, with this process in its foreground.
    """
    try:
        if not all(map(os.isatty, (0, 1, 2))) or os.tcgetpgrp(0) != os.getpgrp():
            return None
        size = os.get_terminal_size(1)
        frame = kept(Place(environ), environ, size.columns, size.lines, now)
        return ShownFrame(frame, now) if frame else None
    except (OSError, termios.error):
        return None


def marking(frame: Frame, now: float) -> str:
    """What marks a frame: its last line, without colour and in ASCII, so that it is there on every terminal."""
    at = time.gmtime(frame.at)
    year = "" if at.tm_year == time.gmtime(now).tm_year else " %Y"
    words = time.strftime(f" As it was on %d %b{year} %H:%M UTC: opening... ", at)
    return f"\x1b[{frame.lines};1H\x1b[0;7m{words[: frame.columns].ljust(frame.columns)}\x1b[0m"


class ShownFrame:
    """A frame that stands on the terminal. `attributes`: the terminal's, as they were before and are to be again."""

    def __init__(self, frame: Frame, now: float) -> None:
        """Show it. Raises OSError, termios.error, with nothing shown."""
        self._stands = True
        self._own = os.open(os.ttyname(2), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        self.attributes = termios.tcgetattr(0)
        self._streams = sys.stdout, sys.stderr
        self.is_whole = False
        """Whether the terminal took all of it."""
        try:
            self._show(frame, now)
        except BaseException:  # ctrl+c among them
            self.take_back()
            raise

    def _show(self, frame: Frame, now: float) -> None:
        for number in _ENDING:
            if signal.getsignal(number) == signal.SIG_DFL:  # under nohup one is ignored
                signal.signal(number, self._end)
        termios.tcsetattr(0, termios.TCSANOW, _silent(self.attributes))
        # Kept, since print() does not hold the stream that it writes to.
        self._first = tuple(_GivesBackFirst(each, self.take_back) for each in self._streams)
        sys.stdout, sys.stderr = self._first
        mark = marking(frame, now)  # first and last: it is there whatever becomes of the rows
        self.is_whole = self._written(f"{_BEGIN}{mark}\x1b[H{frame.rows}{mark}")

    @property
    def stands(self) -> bool:
        """Whether it is there still."""
        return self._stands

    def take_back(self) -> None:
        """Give the terminal back as it was; what was typed meanwhile is dropped. Nothing, if that was done before."""
        if self._stands:
            self._stands = False
            self._give_back()
            self._leave()

    def hand_over(self) -> None:
        """The desk draws now, and gives the terminal back itself."""
        if self._stands:
            self._stands = False
            self._leave()

    def _give_back(self) -> None:
        self._written(_GIVE_BACK)
        try:
            termios.tcflush(0, termios.TCIFLUSH)
            termios.tcsetattr(0, termios.TCSANOW, self.attributes)
        except termios.error:
            pass  # it is gone

    def _leave(self) -> None:
        sys.stdout, sys.stderr = self._streams

    def _end(self, number: int, frame: "FrameType | None") -> None:
        # Until the desk's loop hears signals itself, which is a moment after it has begun to draw.
        self._stands = False
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _written(self, words: str) -> bool:
        """Write it, as far as the terminal takes it in time; what it did not take then is dropped."""
        data, end = words.encode(errors="replace"), time.monotonic() + STALLS_S
        while data:
            try:
                data = data[os.write(self._own, data) :]
            except BlockingIOError:
                import select  # seldom needed

                left = end - time.monotonic()
                if left <= 0 or not select.select([], [self._own], [], left)[1]:
                    break
            except OSError:
                return True  # it is gone
        if data:
            try:
                termios.tcflush(self._own, termios.TCOFLUSH)
                os.write(self._own, _GIVE_BACK.encode())
            except (OSError, termios.error):
                pass  # it does not read that either
        return not data


class _GivesBackFirst:
    """A stream before whose first words the terminal is given back: they belong on its own screen."""

    def __init__(self, stream: "TextIO", give_back: "Callable[[], None]") -> None:
        self._stream, self._give_back = stream, give_back

    def write(self, text: str) -> int:
        """Words for a person."""
        self._give_back()
        return self._stream.write(text)

    def writelines(self, lines: "list[str]") -> None:
        """Likewise."""
        self._give_back()
        self._stream.writelines(lines)

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._stream, name)


def _silent(attributes: "list[Any]") -> "list[Any]":
    """The same without echo, lines, and the keys that would stop the program with the frame on the screen."""
    changed = [*attributes[:_CC], list(attributes[_CC])]
    changed[_LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    nothing = bytes([os.fpathconf(0, "PC_VDISABLE")])
    changed[_CC][termios.VSUSP] = changed[_CC][termios.VQUIT] = nothing
    changed[_CC][termios.VMIN], changed[_CC][termios.VTIME] = 1, 0
    return changed
