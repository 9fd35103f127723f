"""The meetings in mode 1: accounts, the list and how it is narrowed, the metadata pane, the transfers dock."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from tui.acts import Acts
from tui.context import Context
from tui.desk_words import empty_words, state_line
from tui.meeting_source import MeetingSource
from tui.rows import meeting_columns
from tui.screens.base import ModeScreen
from tui.widgets.accounts import ALL, AccountsList
from tui.widgets.bars import Bar
from tui.widgets.dock import dock_rows
from tui.widgets.lines import Lines
from tui.widgets.pane import Pane
from tui.widgets.table import Table
from vault.views import SORTS, AccountView, MeetingRow, Query

if TYPE_CHECKING:
    from vault.engine import Snapshot


class MeetingsScreen(ModeScreen):
    """What is listed, and how. What is done with it is DeskScreen's."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.query_now = Query()
        self._acts = Acts(context, self.say)
        self._accounts: tuple[AccountView, ...] = ()
        self._reading = False

    def body(self) -> Iterable[Widget]:
        """Left, middle, right; the dock below."""
        yield Horizontal(
            AccountsList(self.context, id="accounts"),
            Vertical(Bar(id="selector"), Table(meeting_columns(self.context), id="meetings"), id="middle"),
            Pane(self.context, id="pane"),
            id="body",
        )
        yield Input(
            placeholder="words in title, people, ids, account", id="filter", compact=True, select_on_focus=False
        )
        yield Lines(id="dock", focusable=False)

    def on_mount(self) -> None:
        """Quiet cursor; first rows."""
        self.query_one("#filter", Input).cursor_blink = False

    @property
    def table(self) -> "Table[MeetingRow]":
        """The meetings."""
        return self.query_one("#meetings", Table)

    @property
    def pane(self) -> Pane:
        """The metadata pane."""
        return self.query_one("#pane", Pane)

    # Reading -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Accounts, rows and the pane anew; the cursor stays on its row."""
        self.attempt(self._look, "look", exclusive=True)

    async def _look(self) -> None:
        self._accounts = await self.context.read(self.context.desk.accounts)
        self.see(self.context.engine.snapshot(), changed=False)
        self._list()
        if self.table.current is not None:
            self.pane.follow(self.table.current.key, at_once=True)

    def _list(self, *, keep: bool = True) -> None:
        self.table.empty = empty_words(self.context, self._accounts, self.query_now)
        self.pane.words = () if self._accounts else self.table.empty
        self.table.show(MeetingSource(self.context.desk, self.query_now), keep=keep)

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """The dock and the accounts; the rows too when the ledger changed."""
        dock, context = self.query_one("#dock", Lines), self.context
        most = 5 if self.size.height >= 30 else 3
        dock.show(lambda width: dock_rows(snapshot.transfers, width, context.glyphs, most, context.now()))
        dock.display = bool(dock_rows(snapshot.transfers, 80, context.glyphs, most, context.now()))
        self.query_one("#accounts", AccountsList).tell(self._accounts, snapshot)
        self._tell_selector()
        if changed:
            self.look()
        self.refresh_keys()

    def minute(self) -> None:
        """Slack moves by the minute."""
        self.table.recolour()
        self.pane.redraw()

    def _tell_selector(self) -> None:
        snapshot, now = self.context.engine.snapshot(), self.context.now()
        self.query_one("#selector", Bar).say(state_line(self.query_now, self._accounts, self.table, snapshot, now))

    def on_table_moved(self, event: Table.Moved) -> None:
        """The pane follows."""
        self.pane.follow(event.row.key if event.row else None)
        self._tell_selector()

    def on_table_failed(self, event: Table.Failed) -> None:
        """The ledger could not be read."""
        self.say(event.words, "bad")

    def on_pane_followed(self) -> None:
        """What can act depends on the meeting."""
        self.refresh_keys()

    # Choosing ----------------------------------------------------------------------------------------------------

    def ask_for(self, query: Query, *, keep: bool = True) -> None:
        """List something else."""
        self.query_now = query
        self._list(keep=keep)
        self._tell_selector()

    def on_lines_moved(self, event: Lines.Moved) -> None:
        """An account was selected at the left."""
        if event.lines.id == "accounts" and event.key != self.query_now.account:
            self.ask_for(replace(self.query_now, account=str(event.key or ALL)), keep=False)

    def on_lines_opened(self, event: Lines.Opened) -> None:
        """Enter on an account goes to its meetings; on an asset it changes nothing."""
        if event.lines.id == "accounts":
            self.table.focus()

    def on_table_opened(self, event: Table.Opened) -> None:
        """The pane: a full view where the terminal is narrow."""
        if event.row is not None:
            self._reading = True
            self.set_class(True, "-reading")
            self.pane.focus()

    def _step_account(self, by: int) -> None:
        names = [ALL, *(view.name for view in self._accounts)]
        place = names.index(self.query_now.account) if self.query_now.account in names else 0
        self.query_one("#accounts", AccountsList).select(names[(place + by) % len(names)])

    def do_account_previous(self) -> None:
        """The account before."""
        self._step_account(-1)

    def do_account_next(self) -> None:
        """The next account."""
        self._step_account(1)

    def do_list_filter(self) -> None:
        """Filter as one types."""
        field = self.query_one("#filter", Input)
        field.display = True
        self.set_focus(field)  # At once: `focus()` would let the next key of a burst pass by.

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each letter narrows the list."""
        if event.value != self.query_now.text:
            self.ask_for(replace(self.query_now, text=event.value), keep=False)

    def on_input_submitted(self) -> None:
        """Keep the filter, go to the rows."""
        self.focus_first()

    def focus_first(self) -> None:
        """The rows."""
        field = self.query_one("#filter", Input)
        field.display = bool(field.value)
        self.table.focus()

    def do_list_sort(self) -> None:
        """The next order; titles and deadlines from the first, the rest from the last."""
        sort = SORTS[(SORTS.index(self.query_now.sort) + 1) % len(SORTS)]
        self.ask_for(replace(self.query_now, sort=sort, descending=sort in ("start", "size")))
        self.say(f"sorted by {sort}")

    def do_list_reverse(self) -> None:
        """The other way round."""
        self.ask_for(replace(self.query_now, descending=not self.query_now.descending))

    def do_list_mark(self) -> None:
        """Mark and go on."""
        row = self.table.current
        if row is None:
            return
        marked = row.key not in self.table.marks
        self.table.mark(row.key, marked)
        words = "a mark" if marked else "an unmarking"

        async def back() -> None:
            self.table.mark(row.key, not marked)

        self._acts.undone.append((words, back))
        self.table.move_to(self.table.cursor + 1)
        self._tell_selector()

    def do_list_unmark(self) -> None:
        """No marks."""
        self.table.unmark_all()
        self._tell_selector()

    def do_back(self) -> None:
        """Input, then pane, then filter, then marks, then the narrowing."""
        field = self.query_one("#filter", Input)
        if self.focused is not field and (self._reading or self.focused is not self.table):
            self._reading = False
            self.set_class(False, "-reading")
            self.table.focus()
        elif self.focused is field or field.value:
            field.value = ""
            self.focus_first()
        elif self.table.marks:
            self.do_list_unmark()
        else:
            self.ask_for(Query(account=self.query_now.account))
