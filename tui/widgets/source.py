"""Where a table's rows come from."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from vault.views import Count

Row = TypeVar("Row")


class Near(Struct, Generic[Row], frozen=True):
    """What is known near a part of the rows: from there it is read, however long the list."""

    after: Row | None = None
    """The row just before the part."""
    before: Row | None = None
    """The row just behind it."""
    total: int | None = None
    """How many rows there are: tells the nearer end."""


class Source(Protocol[Row]):
    """Rows in an order. All but `key` and `interrupt` is called in threads, and may raise what `FAULTS` names.

    Two sources that are equal give the same rows, as of the moment that they are asked.
    """

    def count_at_once(self) -> Count | None:
        """How many rows there are, where that takes no longer than to read some; None where it does."""
        ...

    def count(self) -> Count:
        """How many rows there are, as far as that is soon known."""
        ...

    def count_exactly(self) -> int:
        """How many rows there are, however long it takes to count them."""
        ...

    def rows(self, offset: int, limit: int, near: Near[Row]) -> Sequence[Row]:
        """A part of them."""
        ...

    def position(self, key: Hashable) -> int | None:
        """Where a row stands; None when it is not among them."""
        ...

    def key(self, row: Row) -> Hashable:
        """What identifies a row."""
        ...

    def interrupt(self) -> None:
        """Nobody waits any more for what is being read: it may end with Superseded."""
        ...


class ListSource(Generic[Row]):
    """Rows that are in memory anyway (accounts, addresses)."""

    def __init__(self, rows: Sequence[Row], key: Callable[[Row], Hashable]) -> None:
        self._rows = rows
        self.key = key

    def count_at_once(self) -> Count:
        """How many rows there are."""
        return self.count()

    def count(self) -> Count:
        """The same."""
        return Count(len(self._rows), exact=True)

    def count_exactly(self) -> int:
        """The same."""
        return len(self._rows)

    def rows(self, offset: int, limit: int, near: Near[Row]) -> Sequence[Row]:
        """A part of them."""
        return self._rows[offset : offset + limit]

    def position(self, key: Hashable) -> int | None:
        """Where a row stands."""
        return next((place for place, row in enumerate(self._rows) if self.key(row) == key), None)

    def interrupt(self) -> None:
        """There is nothing to wait for."""
