"""The log of events, line by line: when, what, of what, who; and the current event in full."""

from datetime import datetime

from tui import label
from tui.describe import field
from tui.label import plain
from tui.widgets.columns import Column
from tui.widgets.ink import Line
from tui.widgets.lines import Row
from vault.views import LoggedEvent, Sort

LOUD = frozenset({"damaged", "lost", "failed", "mismatch"})
"""What nobody should overlook."""


def log_columns() -> tuple[Column[LoggedEvent], ...]:
    """Number, moment, what was established, of which asset or account, the words, who."""

    def what(row: LoggedEvent) -> Line:
        return ((plain(row.event.what), "bad" if row.event.what in LOUD else "strong"),)

    return (
        Column("Number", 8, 4, lambda row: ((f"{row.event.number:,}", "dim"),), right=True, sort="number"),
        Column("When UTC", 19, 0, lambda row: ((_moment(row.event.at), ""),), sort="number"),
        Column("What", 11, 1, what),
        Column("Of what", 18, 2, lambda row: ((plain(row.identity) or label.UNKNOWN, ""),), flex=True, sort="of"),
        Column("Said", 16, 3, lambda row: ((plain(row.event.words), "dim"),), flex=True),
        Column("Who", 14, 5, lambda row: ((plain(row.event.who), "dim"),)),
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def place_line(place: int, total: int, only: str, sort: Sort) -> Line:
    """Which event of how many, in which order, and of what."""
    where = f"{place:,} of {total:,}" if total else "none"
    of = f"  of {plain(only)}" if only else ""
    order = "newest first" if sort.descending else "oldest first"
    if sort.by == "of" and not only:
        order = f"by what they are of, {'Z to A' if sort.descending else 'A to Z'}"
    return ((" Log of events", "strong"), (f"  {where}", ""), (f"  {order}", "dim"), (of, ""))


def event_rows(row: LoggedEvent | None, chain: str, width: int) -> list[Row]:
    """All that the log has of an event, down to its link in the chain."""
    rows = field("chain", chain, width, "bad" if chain.startswith("BROKEN") else "dim")
    if row is None:
        return rows
    event = row.event
    rows += field("what", event.what, width, "strong")
    rows += field("of", row.identity or "the ledger", width)
    rows += field("at", f"{event.at:%Y-%m-%d %H:%M:%S.%f} UTC", width)
    rows += field("by", event.who, width)
    rows += field("says", event.words, width)
    for name, value in event.facts.items():
        rows += field(name, "" if value is None else str(value), width)
    return rows + field("link", event.chain, width, "dim")


def empty_log(only: str) -> tuple[str, ...]:
    """Where there is nothing."""
    first = f"Nothing was established of {plain(only)} here yet." if only else "Nothing was established here yet."
    return (first, "What is seen, fetched, verified, flagged, released and answered is an event, once it happens.")
