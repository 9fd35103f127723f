"""The order of a list: how a key, or a click on a column's title, changes it."""

from msgspec import Struct
from msgspec.structs import replace

from vault.views import Sort

FROM_THE_LAST = frozenset({"start", "size", "has", "tries", "changed", "received", "number"})
"""Orders that are wanted from the last (the newest, the largest, what has most) first."""


def turned(sort: str, before: Sort) -> Sort:
    """By this; where it is that already, the other way round."""
    return Sort(sort, not before.descending if sort == before.by else sort in FROM_THE_LAST)


class Sorting(Struct, frozen=True):
    """The orders that a list has, and the one that it is in."""

    sorts: tuple[str, ...]
    now: Sort

    def by(self, sort: str) -> "Sorting":
        """By this; once more, the other way round."""
        return replace(self, now=turned(sort, self.now))

    def next(self) -> "Sorting":
        """By the next one."""
        return self.by(self.sorts[(self.sorts.index(self.now.by) + 1) % len(self.sorts)])

    @property
    def words(self) -> str:
        """By what, and which way."""
        return f"by {self.now.by} {'down' if self.now.descending else 'up'}"


def sorting(sorts: tuple[str, ...]) -> Sorting:
    """The usual order first."""
    return Sorting(sorts, Sort(sorts[0], sorts[0] in FROM_THE_LAST))
