"""The accounts at the left: how many recordings, health as glyph and word, what is at risk."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from tui import label
from tui.context import Context
from tui.label import plain
from tui.rows import health
from tui.widgets.ink import Line
from tui.widgets.lines import Lines, Row
from vault.views import AccountView

if TYPE_CHECKING:
    from vault.engine import Snapshot

ALL = ""
"""The key of the entry that stands for every account."""


class AccountsList(Lines):
    """Entries by account name; the first stands for all."""

    def __init__(self, context: Context, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.context = context
        self.key = ALL

    def tell(self, accounts: Sequence[AccountView], snapshot: "Snapshot") -> None:
        """Show these."""
        self.show(lambda width: account_entries(accounts, snapshot, width, self.context))


def account_entries(accounts: Sequence[AccountView], snapshot: "Snapshot", width: int, context: Context) -> list[Row]:
    """Three lines an account, and one entry for all."""
    meetings = sum(view.meetings for view in accounts)
    risk = sum(view.at_risk for view in accounts)
    rows = [Row(_ends("All accounts", f"{meetings:,}", width, "strong"), ALL), Row(_risk(risk, 0, width), ALL)]
    for view in accounts:
        syncing = view.name in snapshot.syncing
        rows.append(Row(_ends(plain(view.name), f"{view.meetings:,}", width, "strong"), view.name))
        insecure = (("  TLS unchecked", "bad"),) if not view.verify else ()
        rows.append(Row((("  ", ""), *health(view, context.glyphs, syncing=syncing), *insecure), view.name))
        rows.append(Row(_risk(view.at_risk, view.faults, width), view.name))
    return rows


def _ends(left: str, right: str, width: int, ink: str) -> Line:
    shown = label.cut(left, max(width - len(right) - 2, 1))
    return ((shown, ink), (" " * max(width - cell_len(shown) - len(right), 1), ""), (right, ""))


def _risk(at_risk: int, faults: int, width: int) -> Line:
    wrong = f"{faults:,} {'fault' if faults == 1 else 'faults'}"
    if not at_risk:
        return ("  ", ""), (wrong, "bad") if faults else ("none at risk", "dim")
    risk = f"{at_risk:,} at risk"
    if not faults:
        return ("  ", ""), (risk, "warn")
    return ("  ", ""), (risk, "warn"), (", ", ""), (label.cut(wrong, max(width - len(risk) - 4, 1)), "bad")
