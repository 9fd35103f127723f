"""Walking an order by its index: from either end, or from a row on, without a look at what lies before.

Where something has no value for an order it comes last, whichever way the order goes. So a walk is a few stretches of
one index, each of them in the index's own order.
"""

from collections.abc import Iterator
from dataclasses import dataclass

Key = tuple[object, int]
"""Where a row stands: the order's value and its id."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of an index: the condition, its values, and the ORDER BY that the index serves."""

    condition: str
    values: tuple[object, ...]
    order: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order of meetings: its column, whether that may be empty, the index over all and the one within an account."""

    column: str
    nullable: bool
    index: str
    index_of_account: str
    descending: bool = False
    only_filled: bool = False
    """Whether the filter leaves out what has no value, so that the walk need not come by there."""

    def stretches(self, start: Key | None = None, *, backwards: bool = False) -> Iterator[Stretch]:
        """From the first or behind `start` to the last; `backwards`: from the last, or before `start`, to the first."""
        down = self.descending != backwards
        by_id = f"m.id {_direction(down)}"
        by_both = by_id if self.column == "m.id" else f"{self.column} {_direction(down)}, {by_id}"
        beyond = "<" if down else ">"
        empty = Stretch(f"{self.column} IS NULL", (), by_id)
        filled = Stretch(f"{self.column} IS NOT NULL" if self.nullable else "1", (), by_both)
        if start is None:
            whole = [filled, empty] if self.nullable and not self.only_filled else [filled]
            yield from reversed(whole) if backwards else whole
            return
        value, number = start
        if self.column == "m.id":
            yield Stretch(f"m.id {beyond} ?", (number,), by_id)
        elif value is None:
            yield Stretch(f"{self.column} IS NULL AND m.id {beyond} ?", (number,), by_id)
            if backwards:
                yield filled
        else:
            yield Stretch(f"{self.column} = ? AND m.id {beyond} ?", (value, number), by_id)
            yield Stretch(f"{self.column} {beyond} ?", (value,), by_both)
            if self.nullable and not backwards and not self.only_filled:
                yield empty


def _direction(down: bool) -> str:
    return "DESC" if down else "ASC"


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
        return Order("m.id", False, "meetings_by_account", "meetings_by_account", descending)
    only_filled = risk and sort == "deadline"  # what is at risk has a deadline
    return Order(*_ORDERS.get(sort, _ORDERS["start"]), descending=descending, only_filled=only_filled)
