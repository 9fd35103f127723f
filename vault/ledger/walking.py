"""Lists that grow for ever, walked by an index: a page from where one stands, a count, places, nearest rows."""

import sqlite3
from collections.abc import Callable, Sequence

from msgspec import Struct

from vault.ledger.paging import Key, Order, Stretch

Values = tuple[object, ...]


class Walk(Struct, frozen=True):
    """A list: its table, its order, and what belongs to it (with a condition: what is of one account, or asset)."""

    table: str
    order: Order
    condition: str = "1"
    values: Values = ()

    def page(
        self,
        connection: sqlite3.Connection,
        offset: int,
        limit: int,
        *,
        after: int | None = None,
        before: int | None = None,
        total: int | None = None,
    ) -> list[int]:
        """Ids from `offset` on: behind `after`, or before `before`, else from the end that `total` says is nearer."""
        backwards = after is None and before is not None
        start = self._standing(connection, before if backwards else after)
        skipped = 0
        if start is None:
            backwards = total is not None and offset > total // 2
            skipped = max((total or 0) - offset - limit, 0) if backwards else offset
            limit = min(limit, (total or 0) - offset) if backwards else limit
        ids: list[int] = []
        for stretch in self.order.stretches(start, backwards=backwards):
            ids += self._ids(connection, stretch, max(limit - len(ids), 0), skipped)
            if len(ids) >= limit:
                break
            if skipped:
                skipped = 0 if ids else max(skipped - self._count(connection, stretch), 0)
        return ids[::-1] if backwards else ids

    def count(self, connection: sqlite3.Connection) -> int:
        """How many there are."""
        return self._number(connection, f"SELECT count(*) FROM {self.table} WHERE {self.condition}", self.values)

    def position(self, connection: sqlite3.Connection, number: int) -> int | None:
        """How many come before an id; None when it is not among them."""
        start = self._standing(connection, number)
        if start is None:
            return None
        return sum(self._count(connection, stretch) for stretch in self.order.stretches(start, backwards=True))

    def nearest(self, connection: sqlite3.Connection, low: object, high: object) -> int | None:
        """The first in order of those from `low` up to before `high`, by what they are ordered by.

        Where there is none: the next one behind them in order, else the last one before them; None for none at all.
        """
        bound, other = (high, low) if self.order.descending else (low, high)
        onward, back = self.order.from_value(bound), self.order.from_value(other, backwards=True)
        found = self._ids(connection, onward, 1) or self._ids(connection, back, 1)
        return found[0] if found else None

    def _standing(self, connection: sqlite3.Connection, number: int | None) -> Key | None:
        if number is None:
            return None
        names = ", ".join(self.order.columns)
        sql = f"SELECT {names} FROM {self.table} WHERE {self.order.columns[-1]} = ? AND {self.condition}"
        row = connection.execute(sql, (number, *self.values)).fetchone()
        return None if row is None else tuple(row)

    def _select(self, what: str, stretch: Stretch) -> str:
        index = self.order.index_of_account if self.values else self.order.index
        by = f"INDEXED BY {index}" if index else ""
        return f"SELECT {what} FROM {self.table} {by} WHERE {self.condition} AND {stretch.condition}"

    def _ids(self, connection: sqlite3.Connection, stretch: Stretch, limit: int, offset: int = 0) -> list[int]:
        sql = f"{self._select(self.order.columns[-1], stretch)} ORDER BY {stretch.order} LIMIT ? OFFSET ?"
        return [row[0] for row in connection.execute(sql, (*self.values, *stretch.values, limit, offset))]

    def _count(self, connection: sqlite3.Connection, stretch: Stretch) -> int:
        return self._number(connection, self._select("count(*)", stretch), (*self.values, *stretch.values))

    @staticmethod
    def _number(connection: sqlite3.Connection, sql: str, values: Values) -> int:
        number: int = connection.execute(sql, values).fetchone()[0]
        return number


def first_from(last: int, is_reached: Callable[[int], bool]) -> int:
    """The first id, of those from 1 to `last`, by which a moment is reached; behind the last where there is none.

    Ids are taken to follow the moments, as they do where rows are numbered as they come in, so that no index of moments
    is written with each. Where a clock was put back, it is one of the places at which they pass the moment.
    """
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        if is_reached(middle):
            high = middle
        else:
            low = middle + 1
    return low


def in_order(rows: Sequence[sqlite3.Row], ids: Sequence[int], name: str) -> list[sqlite3.Row]:
    """Rows in the order of their ids; without those that are gone."""
    found = {row[name]: row for row in rows}
    return [found[number] for number in ids if number in found]
