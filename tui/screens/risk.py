"""What will be lost first, over mode 1: one line an asset, in the order of the time that is left to begin with it."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from providers.models import AssetId
from tui.clipboard import send
from tui.commands import bindings
from tui.context import Context
from tui.desk_words import why_not_assets
from tui.risk_rows import empty_risk, place_line, risk_columns, sentence, steady, totals_line
from tui.screens.base import sheet
from tui.screens.raw import RawScreen
from tui.screens.triage import TriageScreen
from tui.triage_acts import TriageActs
from tui.widgets.bars import Bar
from tui.widgets.dock import Dock
from tui.widgets.pane import Pane
from tui.widgets.source import ListSource
from tui.widgets.table import Table
from vault.risk import RiskRow, RiskView
from vault.views import AssetView

if TYPE_CHECKING:
    from vault.engine import Snapshot

MOST = 1000
"""Lines that are listed: what comes after them has more time."""


class RiskScreen(TriageScreen):
    """At risk, by slack. It has the desk's acts, so that `u` and `.` go on where one was."""

    MODE = "risk"
    PART_OF = "desk"
    CSS_PATH = sheet("risk")
    BINDINGS: ClassVar[list[Binding]] = bindings("risk")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#risk"

    def __init__(self, context: Context, acts: TriageActs, account: str = "") -> None:
        super().__init__(context, acts)
        self._account = account
        self._view: RiskView | None = None
        self._rows: tuple[RiskRow, ...] = ()
        self._listed: str | None = None
        """The account whose rows are shown; None: none are yet."""

    def body(self) -> Iterable[Widget]:
        """Totals over the list; the pane at the right; the current line in words; the dock."""
        yield Bar(id="totals")
        yield Horizontal(
            Vertical(Bar(id="selector"), Table(risk_columns(self.context), id="risk"), Bar(id="sentence"), id="middle"),
            Pane(self.context, id="pane"),
            id="body",
        )
        yield Dock(self.context, id="dock")

    @property
    def table(self) -> "Table[RiskRow]":
        """The assets."""
        return self.query_one("#risk", Table)

    @property
    def pane(self) -> Pane:
        """The meeting of the current one."""
        return self.query_one("#pane", Pane)

    @property
    def rows(self) -> tuple[RiskRow, ...]:
        """What is listed, in its order."""
        return self._rows

    @property
    def is_filling(self) -> bool:
        """Also until another account's rows were read."""
        return super().is_filling or self._listed != self._account

    # Reading -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """The list anew; the cursor stays on its line."""
        self.attempt(self._look, "look", exclusive=True)

    async def _look(self) -> None:
        account = self._account
        view = self._view = await self.context.read(lambda: self.context.desk.risk.look(account, limit=MOST))
        await self.look_at_decisions()
        self.table.empty = empty_risk(self._account)
        self._rows = steady(self._rows, view.rows)
        self.table.show(ListSource(self._rows, lambda row: row.asset.identity))
        self._listed = account
        self.query_one("#totals", Bar).say(totals_line(view))
        self._tell()
        self._follow(at_once=True)

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """The dock; the list when the ledger changed."""
        self.query_one("#dock", Dock).tell(snapshot.transfers)
        self._tell()
        if changed:
            self.look()
        self.refresh_keys()

    def minute(self) -> None:
        """Slack moves by the minute, and with it the order."""
        self._rows = ()
        self.look()

    def _tell(self) -> None:
        table, view = self.table, self._view
        place = f"{table.cursor + 1} of {table.total}" if table.total else "none"
        if view is not None and view.more:
            place += f", {view.more} more with more time"
        self.query_one("#selector", Bar).say(place_line(view, self._account, place, len(table.marks), self.grace))
        row = table.current
        self.query_one("#sentence", Bar).say(sentence(row) if row else ())

    def on_table_moved(self) -> None:
        """The pane follows."""
        self._follow()
        self._tell()

    def _follow(self, *, at_once: bool = False) -> None:
        row = self.table.current
        identity = row.asset.identity if row else None
        self.pane.follow((identity.account, identity.meeting) if identity else None, asset=identity, at_once=at_once)

    def on_pane_followed(self) -> None:
        """What can act depends on the asset."""
        self.refresh_keys()

    def on_table_opened(self, event: Table.Opened) -> None:
        """The pane: a full view where the terminal is narrow."""
        if event.row is not None:
            self.set_class(True, "-reading")
            self.pane.focus()

    # Choosing ----------------------------------------------------------------------------------------------------

    def do_account_previous(self) -> None:
        """The account before."""
        self._step_account(-1)

    def do_account_next(self) -> None:
        """The next account."""
        self._step_account(1)

    def _step_account(self, by: int) -> None:
        names = ["", *self.context.desk.config.accounts]
        place = names.index(self._account) if self._account in names else 0
        self._account = names[(place + by) % len(names)]
        self._rows = ()
        self.table.unmark_all()
        self.look()

    def do_risk_desk(self) -> None:
        """Back to the desk."""
        self.dismiss(None)

    def do_mode_desk(self) -> None:
        """Back to the desk."""
        self.dismiss(None)

    def focus_first(self) -> None:
        """The list."""
        self.table.focus()

    def do_back(self) -> None:
        """Out of the pane, then no marks, then the desk."""
        if self.focused is not self.table:
            self.set_class(False, "-reading")
            self.table.focus()
        elif self.table.marks:
            self.do_list_unmark()
        else:
            self.dismiss(None)

    # Acting ------------------------------------------------------------------------------------------------------

    async def assets_of(self, keys: Sequence[Hashable]) -> list[AssetView]:
        """One asset a line, as it is known now."""
        identities = [key for key in keys if isinstance(key, AssetId)]
        views = [await self.context.read(self.context.desk.asset, identity) for identity in identities]
        return [view for view in views if view is not None]

    def why_not(self, command: str) -> str:
        """By the current line."""
        row = self.table.current
        if command.startswith(("asset.", "flag.", "transfer.", "show.")) and not self._acts.work.going:
            if row is None:
                return "nothing is listed here"
            if not self.table.marks:
                reason = why_not_assets(command, self.context, [row.asset], self._acts)
                if reason:
                    return reason
        return super().why_not(command)

    def marks_changed(self) -> None:
        """Counted in the line over the list."""
        self._tell()

    def do_sync(self) -> None:
        """Ask the selected account, or all."""
        self.attempt(lambda: self._acts.sync(self._account), "sync")

    def do_show_raw(self) -> None:
        """The record as the service gave it."""
        row = self.table.current
        if row is not None:
            title = f"As the service gave it: {row.asset.title}"
            self.app.push_screen(RawScreen(title, row.asset.raw or "no record was kept"))

    def do_asset_copy(self) -> None:
        """The asset's id."""
        row = self.table.current
        if row is not None:
            self.say(send(self.app, str(row.asset.identity), "asset id"))

    def do_list_compare(self) -> None:
        """Service, ledger and disk side by side."""
        from tui.screens.reconcile import ReconcileScreen

        self.app.push_screen(ReconcileScreen(self.context, self._acts, self._account))
