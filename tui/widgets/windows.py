"""Rows by window: a few windows of a long result are held, never the whole."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from tui.widgets.source import Near

Row = TypeVar("Row")

SIZE = 48
"""A large terminal's rows: the first that are seen wait for one window, and of what is seldom found few are sought."""
KEPT = 21


class Windows(Generic[Row]):
    """At most `kept` windows of `size` rows each; the ones used longest ago go first."""

    def __init__(self, size: int = SIZE, kept: int = KEPT) -> None:
        self.size = size
        self._kept = kept
        self._windows: OrderedDict[int, tuple[Row, ...]] = OrderedDict()

    @property
    def held(self) -> int:
        """How many rows are in memory."""
        return sum(len(rows) for rows in self._windows.values())

    def get(self, index: int) -> Row | None:
        """The row, or None when its window is not held."""
        number, place = divmod(index, self.size)
        rows = self._windows.get(number)
        if index < 0 or rows is None or place >= len(rows):
            return None
        self._windows.move_to_end(number)
        return rows[place]

    def find(self, wanted: Callable[[Row], bool]) -> int | None:
        """Where a row stands, among those that are held."""
        for number, rows in self._windows.items():
            for place, row in enumerate(rows):
                if wanted(row):
                    return number * self.size + place
        return None

    def put(self, number: int, rows: Sequence[Row]) -> None:
        """Hold a window; another goes when there are too many."""
        self._windows[number] = tuple(rows)
        self._windows.move_to_end(number)
        while len(self._windows) > self._kept:
            self._windows.popitem(last=False)

    def missing(self, first: int, last: int) -> list[int]:
        """The windows between two rows (both included) that are not held."""
        numbers = range(max(first, 0) // self.size, max(last, 0) // self.size + 1)
        return [number for number in numbers if number not in self._windows]

    def near(self, number: int, total: int | None = None) -> Near[Row]:
        """What is held just before and just behind a window."""
        return Near(self.get(number * self.size - 1), self.get((number + 1) * self.size), total)
