"""The meetings of a query, as the desk's table reads them."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from vault.views import MeetingRow, Query

if TYPE_CHECKING:
    from vault.desk import Desk


class MeetingSource:
    """The meetings of a query, for the table."""

    def __init__(self, desk: "Desk", query: Query) -> None:
        self._desk, self._query = desk, query

    def count(self) -> int:
        """How many."""
        return self._desk.count(self._query)

    def rows(self, offset: int, limit: int) -> Sequence[MeetingRow]:
        """A part of them."""
        return self._desk.page(self._query, offset, limit)

    def position(self, key: Hashable) -> int | None:
        """Where one stands."""
        return self._desk.position(self._query, key) if isinstance(key, tuple) else None

    def key(self, row: MeetingRow) -> Hashable:
        """Account and meeting id."""
        return row.key
