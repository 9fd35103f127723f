"""Results that are small enough to be held: the ids of their meetings, in order."""

import threading
from array import array
from collections import OrderedDict

from vault.views import Query

_VECTORS = 4


class Vectors:
    """The ids of the last few queries, in their order. Usable from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: OrderedDict[tuple[Query, int], array[int] | None] = OrderedDict()

    def get(self, key: tuple[Query, int]) -> tuple[bool, "array[int] | None"]:
        """Whether it is known, and what it is: None where there are too many."""
        with self._guard:
            if key not in self._held:
                return False, None
            self._held.move_to_end(key)
            return True, self._held[key]

    def put(self, key: tuple[Query, int], ids: "array[int] | None") -> None:
        """Keep one; another goes."""
        with self._guard:
            self._held[key] = ids
            while len(self._held) > _VECTORS:
                self._held.popitem(last=False)


def part(vector: "array[int]", offset: int, limit: int, after: int | None, before: int | None) -> "array[int]":
    """The ids behind `after`, before `before`, or from `offset` on."""
    if after is not None and after in vector:
        offset = vector.index(after) + 1
    elif before is not None and before in vector:
        end = vector.index(before)
        return vector[max(end - limit, 0) : end]
    return vector[offset : offset + limit]
