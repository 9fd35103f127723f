"""A thread that looks again and again: it costs a wake-up where a loop with threads for what blocks costs four."""

import threading
from collections.abc import Callable


class Looking:
    """Calls `look` in its thread, every `every_s()` seconds and soon after `soon`, from `start` until `stop`."""

    def __init__(self, look: Callable[[], None], every_s: Callable[[], float]) -> None:
        self._look = look
        self._every_s = every_s
        self._soon = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="looking", daemon=True)

    def start(self) -> None:
        """Begin, with a look at once."""
        self._thread.start()

    def soon(self) -> None:
        """Look now. From any thread."""
        self._soon.set()

    def stop(self) -> None:
        """The last look has ended when this returns. Blocks."""
        self._stopped = True
        self._soon.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            self._look()
            self._soon.wait(self._every_s())
            self._soon.clear()
