"""What the comparison says: signs with words beside them, what each of the three says, what mends a difference."""

from collections.abc import Sequence
from pathlib import PurePath

from tui import label
from tui.describe import field, words
from tui.label import plain
from tui.reconcile_words import SIGNS, difference_words
from tui.widgets.columns import Column
from tui.widgets.ink import Line
from tui.widgets.lines import Row
from vault.reconciling import ReconcileRow, ReconcileView
from vault.side_by_side import Difference, Remedy

INKS = {
    Difference.EQUAL: "good",
    Difference.MISSING_HERE: "warn",
    Difference.GONE_THERE: "info",
    Difference.DIFFERS: "bad",
    Difference.UNKNOWN: "dim",
    Difference.STRAY: "warn",
    Difference.LEFT_OVER: "dim",
}
MEANING = {
    Remedy.NONE: "nothing mends it from here",
    Remedy.FETCH: "queue it: it is fetched and proven",
    Remedy.VERIFY: "read the file again, and write down what it is",
    Remedy.FORGET: "flag it to be forgotten: it is no fault any more",
    Remedy.ADOPT: "read the file, prove it, and take it into the ledger",
    Remedy.REMOVE: "remove the file from the disk",
}
ASKS = frozenset({Remedy.REMOVE})
"""What is asked about first, since it cannot be taken back."""


def name_of(row: ReconcileRow) -> str:
    """The asset, or the file that is no asset's."""
    return str(row.asset) if row.asset is not None else PurePath(row.path).name


def reconcile_columns() -> tuple[Column[ReconcileRow], ...]:
    """Sign and word, what it is, what each of the three says, what `m` does."""

    def difference(row: ReconcileRow) -> Line:
        return ((difference_words(row.difference), INKS[row.difference]),)

    return (
        Column("Difference", 19, 0, difference),
        Column("Asset or file", 18, 1, lambda row: ((plain(name_of(row)), ""),), flex=True),
        Column("Service", 11, 3, lambda row: ((plain(row.there), "dim"),)),
        Column("Ledger", 9, 4, lambda row: ((plain(row.ledger), "dim"),)),
        Column("Disk", 9, 5, lambda row: ((plain(row.here), "dim"),)),
        Column("m does", 7, 2, lambda row: ((str(row.remedy) or label.UNKNOWN, "strong" if row.remedy else "dim"),)),
    )


def counts_line(view: ReconcileView | None, progress: str, account: str) -> Line:
    """How many of each kind, words beside the signs."""
    who = plain(account) or "all accounts"
    if view is None:
        return ((f" Comparing {who}: ", "strong"), (progress or "asking the services", "info"))
    runs: list[tuple[str, str]] = [(f" Compared {who}:", "strong")]
    found = [(each, view.counts.get(each, 0)) for each in Difference]
    runs += [(f"  {SIGNS[each]} {number} {each}", INKS[each]) for each, number in found if number]
    return tuple(runs)


def about_rows(row: ReconcileRow | None, view: ReconcileView | None, width: int) -> list[Row]:
    """The current difference in full; under it what was compared, and what was not."""
    rows: list[Row] = []
    if row is not None:
        rows += words(row.words, width, INKS[row.difference])
        for name, value in (("service", row.there), ("ledger", row.ledger), ("disk", row.here), ("file", row.path)):
            rows += field(name, value, width)
        rows += field("m", f"{row.remedy}: {MEANING[row.remedy]}" if row.remedy else MEANING[row.remedy], width)
    for line in view.checked if view else ():
        rows += words(line, width, "dim")
    return rows


def empty_reconcile(view: ReconcileView | None) -> Sequence[str]:
    """Why there are no rows."""
    if view is None:
        return ("Asking the services what they have, and looking at the disk.", "x stops it.")
    return ("Service, ledger and disk say the same.", *view.checked)
