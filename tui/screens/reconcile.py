"""Service, ledger and disk side by side, over mode 1: what differs, and one key that mends it."""

from collections.abc import Iterable
from typing import ClassVar

from msgspec.structs import replace
from textual.binding import Binding
from textual.containers import Vertical
from textual.widget import Widget

from tui.commands import bindings
from tui.context import Context
from tui.long_work import BUSY
from tui.reconcile_rows import (
    ASKS,
    MEANING,
    about_rows,
    counts_line,
    empty_reconcile,
    name_of,
    reconcile_columns,
)
from tui.screens.base import ModeScreen, sheet
from tui.screens.confirm import ConfirmScreen
from tui.triage_acts import TriageActs
from tui.widgets.bars import Bar
from tui.widgets.lines import Lines
from tui.widgets.source import ListSource
from tui.widgets.table import Table
from vault.errors import Cancelled
from vault.reconciling import ReconcileProgress, ReconcileRow, ReconcileView
from vault.side_by_side import Remedy
from vault.views import Flag


class ReconcileScreen(ModeScreen):
    """Compares when it is opened and when asked to; what differs is a line each."""

    MODE = "reconcile"
    PART_OF = "desk"
    CSS_PATH = sheet("reconcile")
    BINDINGS: ClassVar[list[Binding]] = bindings("reconcile")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#differences"

    def __init__(self, context: Context, acts: TriageActs, account: str = "") -> None:
        super().__init__(context)
        self._acts = acts
        self._account = account
        self._view: ReconcileView | None = None
        self._asked = False
        self._mending: set[ReconcileRow] = set()
        """What is being mended: once is enough, however often the key is pressed."""

    def body(self) -> Iterable[Widget]:
        """Counts, the differences, the current one in full."""
        yield Bar(id="counts")
        yield Vertical(Table(reconcile_columns(), id="differences"), Lines(id="about"), id="body")

    @property
    def table(self) -> "Table[ReconcileRow]":
        """What differs."""
        return self.query_one("#differences", Table)

    # Comparing ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Compare once; then only when asked to, since the services are asked."""
        if not self._asked:
            self._asked = True
            self.do_reconcile_again()
        self._tell()

    def do_reconcile_again(self) -> None:
        """Compare."""
        if self._acts.work.going:
            self.say(BUSY, "warn")
            self.table.empty = (BUSY, "r compares when that has ended.")
            self.table.redraw_words()
        else:
            self.attempt(self._compare)

    async def _compare(self) -> None:
        work, accounts = self._acts.work, (self._account,) if self._account else ()
        self._view = None
        self.table.empty = empty_reconcile(None)
        self.table.redraw_words()
        self._tell()

        def progress(now: ReconcileProgress) -> None:
            share = f" {min(now.done * 100 // now.total, 100)} %" if now.total else ""
            work.words = f"{now.words}{share}; x stops it"

        with work.begun():
            try:
                self._view = await self.context.ask(
                    lambda desk: desk.reconciling.look(accounts, on_progress=progress, cancelled=work.stopped)
                )
            except Cancelled:
                self.say("stopped: nothing was compared to its end", "warn")
        self._show()

    def _show(self) -> None:
        rows = self._view.rows if self._view else ()
        self.table.empty = empty_reconcile(self._view) if self._view else ("Stopped. r compares again.",)
        self.table.show(ListSource(rows, lambda row: (row.asset, row.path)))
        self._tell()
        self.refresh_keys()

    def see(self, snapshot: object, *, changed: bool) -> None:
        """How far it is."""
        self._tell()
        self.refresh_keys()

    def _tell(self) -> None:
        work = self._acts.work
        self.query_one("#counts", Bar).say(counts_line(self._view, work.words, self._account))
        row, view = self.table.current, self._view
        self.query_one("#about", Lines).show(lambda width: about_rows(row, view, width))

    def on_table_moved(self) -> None:
        """The current one in full."""
        self._tell()
        self.refresh_keys()

    def on_table_opened(self) -> None:
        """To scroll it."""
        self.query_one("#about", Lines).focus()

    # Mending -----------------------------------------------------------------------------------------------------

    def do_reconcile_fix(self) -> None:
        """What mends the current one; then the next line."""
        table, row = self.table, self.table.current
        if row is None or row in self._mending:
            return
        table.hold()
        self._mending.add(row)
        self.attempt(lambda: self._fix_in_turn(row), opens=row.remedy in ASKS)
        if row.remedy not in ASKS:
            table.move_to(table.cursor + 1)

    async def _fix_in_turn(self, row: ReconcileRow) -> None:
        try:
            await self._fix(row)
        finally:
            self._mending.discard(row)

    async def _fix(self, row: ReconcileRow) -> None:
        if row.remedy in ASKS:
            lines = [row.words, f"{MEANING[row.remedy]}: {row.path}", "This cannot be taken back."]
            question = ConfirmScreen(f"{str(row.remedy).capitalize()} {name_of(row)}?", lines, "Remove")
            if not await self.app.push_screen_wait(question):
                self.say("nothing was changed")
                return
        self.say(f"{row.remedy}: {name_of(row)}", "info")
        words = await self._mend(row)
        self.context.desk.queued()
        self._mended(row)
        self.say(words, "good")

    async def _mend(self, row: ReconcileRow) -> str:
        desk = self.context.desk
        if row.remedy is Remedy.FORGET and row.asset is not None:
            async with self._acts.turns:
                words = await self.context.read(desk.flagging.set, [row.asset], Flag.FORGET, "gone at the service")
                await self._acts.note_deed()
            return words
        words = await self.context.ask(lambda desk: desk.reconciling.fix(row))
        if row.remedy is Remedy.FETCH:
            await self._acts.note_deed()
        return words

    def _mended(self, row: ReconcileRow) -> None:
        """It leaves the list; a new comparison tells what became of it."""
        if self._view is not None and row in self._view.rows:
            rows = tuple(each for each in self._view.rows if each != row)
            counts = {**self._view.counts, row.difference: self._view.counts.get(row.difference, 1) - 1}
            self._view = replace(self._view, rows=rows, counts=counts)
        self._show()

    def do_reconcile_stop(self) -> None:
        """Stop comparing."""
        self._acts.work.stop()
        self.say("stopping")

    def why_not(self, command: str) -> str:
        """By the current line and by what goes on."""
        if command == "reconcile.fix":
            row = self.table.current
            if row is None:
                return "nothing differs here"
            return MEANING[Remedy.NONE] if row.remedy is Remedy.NONE else ""
        if command == "reconcile.stop":
            return "" if self._acts.work.going else "nothing is being compared"
        return super().why_not(command)

    # Going back --------------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        """The list."""
        self.table.focus()

    def do_mode_desk(self) -> None:
        """Back to the desk."""
        self.do_back()

    def do_back(self) -> None:
        """From the details to the list, from there to the desk; what is compared stops."""
        if self.focused is not self.table:
            self.table.focus()
            return
        if self._view is None:
            self._acts.work.stop()
        self.dismiss(None)
