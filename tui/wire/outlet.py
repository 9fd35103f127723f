"""Bytes to the terminal, as fast as it takes them; nobody ever waits for it."""

import asyncio
import fcntl
import os
import select
import termios
import time
from collections.abc import Callable
from contextlib import suppress

from tui.wire.meter import Meter

CANCEL = b"\x18"
"""Ends a sequence that was cut short (CAN)."""


class Outlet:
    """A terminal to write to. `on_room` is called on the loop when it takes bytes again after it had not.

    The terminal is opened a second time, so that only these writes never block: the shell's and the keys' side of it
    stays as it is. Where that is forbidden (after `su`), each write alone is made not to block.
    """

    def __init__(self, fileno: int, on_room: Callable[[], None], meter: Meter) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_room, self._meter = on_room, meter
        self._rest = b""
        self._gone = False
        try:
            self._own = os.open(os.ttyname(fileno), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            self._own = -1
        self._fileno = fileno if self._own < 0 else self._own

    @property
    def blocked(self) -> bool:
        """Whether the terminal is behind: what is handed over now would only wait."""
        return bool(self._rest)

    def write(self, data: bytes) -> bool:
        """Hand over bytes; whether the terminal took them all. What it did not take goes first, later."""
        if self._gone:
            return True
        if self._rest:
            self._rest += data
            return False
        self._rest = data[self._taken(data) :]
        if self._rest and not self._gone:
            self._loop.add_writer(self._fileno, self._room)
            return False
        return True

    def _room(self) -> None:
        self._rest = self._rest[self._taken(self._rest) :]
        if not self._rest or self._gone:
            self._rest = b""
            self._loop.remove_writer(self._fileno)
            self._on_room()

    def _taken(self, data: bytes) -> int:
        try:
            count = os.write(self._fileno, data) if self._own >= 0 else self._write_once(data)
        except BlockingIOError:
            return 0
        except OSError:  # the terminal is gone
            self._gone = True
            return 0
        self._meter.add(count)
        return count

    def _write_once(self, data: bytes) -> int:
        flags = fcntl.fcntl(self._fileno, fcntl.F_GETFL)
        fcntl.fcntl(self._fileno, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        try:
            return os.write(self._fileno, data)
        finally:
            fcntl.fcntl(self._fileno, fcntl.F_SETFL, flags)

    def cut(self) -> bytes:
        """Drop what still waits; gives what makes the terminal forget a sequence that was cut by it."""
        cut, self._rest = self._rest, b""
        if cut:
            with suppress(OSError, ValueError):
                self._loop.remove_writer(self._fileno)
        return CANCEL if cut else b""

    def last(self, data: bytes, within_s: float) -> None:
        """Write the last bytes, after what was handed over before, and close.

        A terminal that does not take them in `within_s` loses instead what it was sent and did not read yet: so it
        gets them when it reads again.
        """
        data = self.cut() + data
        data = self._by(data, within_s)
        if data and not self._gone:
            with suppress(termios.error):
                termios.tcflush(self._fileno, termios.TCOFLUSH)
            self._by(CANCEL + data, within_s)
        self._gone = True
        if self._own >= 0:
            os.close(self._own)
            self._own = -1

    def _by(self, data: bytes, within_s: float) -> bytes:
        end = time.monotonic() + within_s
        while data and not self._gone:
            data = data[self._taken(data) :]
            left = end - time.monotonic()
            if not data or left <= 0 or not select.select([], [self._fileno], [], left)[1]:
                break
        return data
