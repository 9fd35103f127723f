"""Lists that grow for ever, walked by an index: a page from where one stands, a count, a row's place."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

Values = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """A list: its table, the columns of the index that orders it (the last one is the id), and what belongs to it."""

    table: str
    columns: tuple[str, ...]
    descending: bool = False
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
        where, values = self._beyond(start, backwards=backwards)
        way = "DESC" if self.descending != backwards else "ASC"
        order = ", ".join(f"{column} {way}" for column in self.columns)
        sql = f"SELECT {self.columns[-1]} FROM {self.table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        ids = [row[0] for row in connection.execute(sql, (*values, max(limit, 0), skipped))]
        return ids[::-1] if backwards else ids

    def count(self, connection: sqlite3.Connection) -> int:
        """How many there are."""
        sql = f"SELECT count(*) FROM {self.table} WHERE {self.condition}"
        number: int = connection.execute(sql, self.values).fetchone()[0]
        return number

    def position(self, connection: sqlite3.Connection, number: int) -> int | None:
        """How many come before an id; None when it is not among them."""
        start = self._standing(connection, number)
        if start is None:
            return None
        where, values = self._beyond(start, backwards=True)
        place: int = connection.execute(f"SELECT count(*) FROM {self.table} WHERE {where}", values).fetchone()[0]
        return place

    def _standing(self, connection: sqlite3.Connection, number: int | None) -> Values | None:
        if number is None:
            return None
        names = ", ".join(self.columns)
        sql = f"SELECT {names} FROM {self.table} WHERE {self.columns[-1]} = ? AND {self.condition}"
        row = connection.execute(sql, (number, *self.values)).fetchone()
        return None if row is None else tuple(row)

    def _beyond(self, start: Values | None, *, backwards: bool) -> tuple[str, Values]:
        if start is None:
            return self.condition, self.values
        sign = "<" if self.descending != backwards else ">"
        marks = ", ".join("?" * len(self.columns))
        return f"{self.condition} AND ({', '.join(self.columns)}) {sign} ({marks})", (*self.values, *start)


def in_order(rows: Sequence[sqlite3.Row], ids: Sequence[int], name: str) -> list[sqlite3.Row]:
    """Rows in the order of their ids; without those that are gone."""
    found = {row[name]: row for row in rows}
    return [found[number] for number in ids if number in found]
