"""How many bytes a second the desk sends to its terminal."""

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 5.0


class Meter:
    """Counts what the terminal took. `total`: bytes since the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lately: deque[tuple[float, int]] = deque()
        self.total = 0

    def add(self, count: int) -> None:
        """So many bytes went out now."""
        self.total += count
        self._lately.append((self._clock(), count))
        self._forget()

    def rate(self) -> float:
        """Bytes a second over the last WINDOW_S."""
        self._forget()
        return sum(count for _, count in self._lately) / WINDOW_S

    def _forget(self) -> None:
        oldest = self._clock() - WINDOW_S
        while self._lately and self._lately[0][0] < oldest:
            self._lately.popleft()
