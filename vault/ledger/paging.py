"""Walking an order by its index: from either end, or from a row on, without a look at what lies before.

Where something has no value for an order it comes last, whichever way the order goes. So a walk is a few stretches of
one index, each of them in the index's own order.
"""

from collections.abc import Iterator

from msgspec import Struct

Key = tuple[object, ...]
"""Where a row stands: what it has in the columns of an order, its id last; that alone counts in an order by ids."""


class Stretch(Struct, frozen=True):
    """A part of an index: the condition, its values, and the ORDER BY that the index serves."""

    condition: str
    values: tuple[object, ...]
    order: str


class Order(Struct, frozen=True):
    """An order: the columns of the index that serves it, that index, and the one within an account.

    The last column is the id, the first may be empty where it is `nullable`.
    """

    columns: tuple[str, ...]
    nullable: bool
    index: str
    index_of_account: str
    descending: bool = False
    only_filled: bool = False
    """Whether the filter leaves out what has no value, so that the walk need not come by there."""

    @property
    def column(self) -> str:
        """What rows are ordered by."""
        return self.columns[0]

    def stretches(self, start: Key | None = None, *, backwards: bool = False) -> Iterator[Stretch]:
        """From the first or behind `start` to the last; `backwards`: from the last, or before `start`, to the first."""
        down = self.descending != backwards
        start = start and start[-len(self.columns) :]
        ends = self.nullable and not self.only_filled
        empty = Stretch(f"{self.column} IS NULL", (), _by(self.columns[1:], down))
        filled = Stretch(f"{self.column} IS NOT NULL" if self.nullable else "1", (), _by(self.columns, down))
        if start is None:
            whole = [filled, empty] if ends else [filled]
            yield from reversed(whole) if backwards else whole
        elif self.nullable and start[0] is None:
            yield from _behind(self.columns[1:], start[1:], down, before=f"{self.column} IS NULL AND ")
            if backwards:
                yield filled
        else:
            yield from _behind(self.columns, start, down)
            if ends and not backwards:
                yield empty

    def from_value(self, bound: object, *, backwards: bool = False) -> Stretch:
        """From a value of the first column to the last; `backwards`: to the first.

        Whichever way that leads down begins below the value, whichever leads up begins with it.
        """
        down = self.descending != backwards
        return Stretch(f"{self.column} {'<' if down else '>='} ?", (bound,), _by(self.columns, down))


def _behind(columns: tuple[str, ...], start: Key, down: bool, before: str = "") -> Iterator[Stretch]:
    """What comes behind a row: first what is like it but for the id, then what is less and less like it."""
    for place in range(len(columns) - 1, -1, -1):
        like = "".join(f"{column} = ? AND " for column in columns[:place])
        condition = f"{before}{like}{columns[place]} {'<' if down else '>'} ?"
        yield Stretch(condition, start[: place + 1], _by(columns[place:], down))


def _by(columns: tuple[str, ...], down: bool) -> str:
    return ", ".join(f"{column} {'DESC' if down else 'ASC'}" for column in columns)


# Only the usual order has an index within each account: every index costs a sync, and the others, which hold the
# account, too, are walked for it quickly enough.
_ORDERS = {
    "start": ("m.started_at", True, "meetings_by_start", "meetings_of_by_start"),
    "title": ("m.title COLLATE NOCASE", False, "meetings_by_title", "meetings_by_title"),
    "state": ("m.summary_state", False, "meetings_by_state", "meetings_by_state"),
    "size": ("m.summary_size", True, "meetings_by_size", "meetings_by_size"),
    "deadline": ("m.summary_deadline", True, "meetings_by_deadline", "meetings_by_deadline"),
    "account": ("m.account", False, "meetings_by_account", "meetings_by_account"),
    "has": ("m.summary_has", False, "meetings_by_has", "meetings_by_has"),
}


def order_of(sort: str, *, descending: bool, one_account: bool, risk: bool) -> Order:
    """The order that a query names; within one account that of accounts is the order in which they were seen."""
    if sort == "account" and one_account:
        return Order(("m.id",), False, "meetings_by_account", "meetings_by_account", descending)
    only_filled = risk and sort == "deadline"  # what is at risk has a deadline
    column, nullable, index, index_of_account = _ORDERS.get(sort, _ORDERS["start"])
    return Order((column, "m.id"), nullable, index, index_of_account, descending, only_filled)
