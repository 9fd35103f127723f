"""The meetings of a query, as the desk's table reads them."""

from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui.widgets.source import Near
from vault.views import Count, MeetingRow, Query

if TYPE_CHECKING:
    from vault.desk import Desk


class MeetingSource(Struct, frozen=True):
    """The meetings of a query, for the table."""

    desk: "Desk"
    query: Query

    def count_at_once(self) -> Count | None:
        """How many, where that is known in milliseconds."""
        return self.desk.search.counted_at_once(self.query)

    def count(self) -> Count:
        """How many, as far as that is soon known."""
        return self.desk.search.counted(self.query)

    def count_exactly(self) -> int:
        """How many."""
        return self.desk.search.count_exactly(self.query)

    def rows(self, offset: int, limit: int, near: Near[MeetingRow]) -> Sequence[MeetingRow]:
        """A part of them."""
        after, before = (None if row is None else row.key for row in (near.after, near.before))
        return self.desk.page(self.query, offset, limit, after=after, before=before, total=near.total)

    def position(self, key: Hashable) -> int | None:
        """Where one stands."""
        return self.desk.position(self.query, key) if isinstance(key, tuple) else None

    def key(self, row: MeetingRow) -> Hashable:
        """Account and meeting id."""
        return row.key

    def interrupt(self) -> None:
        """Another query takes over."""
        self.desk.search.interrupt()


def nearest(desk: "Desk", query: Query, since: datetime, until: datetime) -> MeetingRow | None:
    """The first row of a query in the order of starts that began then (`since` <= start < `until`).

    Where none did, the next one in that order, else the one before; None where none says when it began. Blocks.
    """
    until = until if query.until is None else min(until, query.until)
    since = since if query.since is None else max(since, query.since)
    onward = replace(query, until=until) if query.descending else replace(query, since=since)
    back = replace(query, since=since) if query.descending else replace(query, until=until)
    backward = replace(back, descending=not query.descending)
    rows = (row for each in (onward, backward) for row in desk.page(each, 0, 1))
    return next((row for row in rows if row.started_at is not None), None)
