"""Work that takes its while, one at a time: it says how far it is, and stops when it is asked to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vault.errors import VaultError

BUSY = "something is being read already; x stops it"


class Stopped(VaultError):
    """A person stopped it."""


class LongWork:
    """What goes on. `words` may be written by any thread; the screens show them as often as they look."""

    def __init__(self) -> None:
        self.words = ""
        self._going = False
        self._stop = threading.Event()

    @property
    def going(self) -> bool:
        """Whether something goes on."""
        return self._going

    def stop(self) -> None:
        """Ask it to stop."""
        self._stop.set()

    def stopped(self) -> bool:
        """Whether it was asked to. From any thread."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raises Stopped when it was asked to stop. From any thread."""
        if self._stop.is_set():
            raise Stopped("it was stopped")

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Around the work. Raises VaultError while something else goes on."""
        if self._going:
            raise VaultError(BUSY)
        self._stop.clear()
        self._going = True
        try:
            yield
        finally:
            self._going = False
            self.words = ""
