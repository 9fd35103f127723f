"""The meetings in mode 1: accounts, the list and how it is narrowed, the metadata pane, the transfers dock."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.widget import Widget
from textual.widgets import Input

from tui.context import Context
from tui.desk_words import empty_words, state_line
from tui.first_paint import TellsFirstPaint
from tui.label import cut
from tui.meeting_source import MeetingSource, nearest
from tui.narrowing import Narrowing, name_problem, narrowing_of
from tui.rows import meeting_columns
from tui.screens.triage import TriageScreen
from tui.triage_acts import TriageActs
from tui.widgets import blank
from tui.widgets.accounts import ALL, AccountsList
from tui.widgets.bars import Bar
from tui.widgets.columns import Column
from tui.widgets.dock import Dock
from tui.widgets.filter import Filter
from tui.widgets.lines import Lines
from tui.widgets.pane import Pane
from tui.widgets.table import Table
from vault.query import Known
from vault.views import AccountView, MeetingRow, Query, SavedView

if TYPE_CHECKING:
    from tui.screens.views import Picked, ViewsScreen
    from vault.engine import Snapshot


WHOLE_S = 0.2
"""Rows that are long in coming keep nothing else from being seen for longer."""


class MeetingsScreen(TriageScreen):
    """What is listed, and how. What is done with it is DeskScreen's."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, TriageActs(context, self.say_on_top))
        self.narrowing = Narrowing()
        self.query_now = Query()
        """All that is asked for: what keys chose and what was typed."""
        self._accounts: tuple[AccountView, ...] = ()
        self._reading = False
        self._has_looked = False
        self._draws = False

    def body(self) -> Iterable[Widget]:
        """Left, middle, right; the dock below."""
        yield blank.Row(
            AccountsList(self.context, id="accounts"),
            blank.Column(Bar(id="selector"), Table(self.columns(), id="meetings"), id="middle"),
            Pane(self.context, id="pane"),
            id="body",
        )
        yield Filter(self._known, self._leave_filter, id="filter")
        yield Dock(self.context, id="dock")

    def on_mount(self) -> None:
        """What belongs together is drawn together: the cursor and its place, the pane and the keys that can act."""
        self.table.placed = self._tell_selector
        self.pane.followed = self.refresh_keys
        self.set_timer(WHOLE_S, self.begin_drawing)

    # The first frame is drawn once: with its rows, not empty and then again.

    def begin_drawing(self) -> None:
        """All that was held back, at once."""
        if not self._draws:
            self._draws = True
            self._compositor_refresh()

    def _compositor_refresh(self) -> None:
        # Private, and held by a test: Textual has no public way to hold back a frame without drawing it.
        if self._draws:
            super()._compositor_refresh()

    @property
    def base(self) -> Query:
        """What keys chose: account, order, only faults, only at risk."""
        return self.narrowing.base

    @property
    def filter(self) -> Filter:
        """Where words are typed."""
        return self.query_one("#filter", Filter)

    def columns(self) -> "tuple[Column[MeetingRow], ...]":
        """The list's columns."""
        return meeting_columns(self.context)

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
        self.attempt(self._look, "look", exclusive=True, opens=not self.table.is_filled)

    async def _look(self) -> None:
        self._accounts = await self.context.read(self.context.desk.accounts)
        is_first, self._has_looked = not self._has_looked, True
        if not is_first:
            await self.look_at_decisions()
        self.see(self.context.engine.snapshot(), changed=False)
        self._list()
        row = self.table.current
        if row is not None:  # while a key is held, it follows no sooner because something changed
            self.pane.follow(row.key, at_once=self.pane.shows(row.key))
        if is_first:  # the rows do not wait for what decides about them to be loaded
            if isinstance(self.app, TellsFirstPaint):
                await self.app.painted.wait()
            await self.look_at_decisions()

    def _list(self, *, keep: bool = True, or_top: bool = False) -> None:
        parsed = self.narrowing.parsed(self.context.now())
        self.query_now = parsed.query
        self.filter.tell(parsed.problems)
        base, glyphs = self.base, self.context.glyphs
        self.table.order = (base.sort, glyphs.down if base.descending else glyphs.up)
        self.table.empty = empty_words(self.context, self._accounts, base, self.narrowing.text)
        self.pane.words = () if self._accounts else self.table.empty
        self.table.show(MeetingSource(self.context.desk, self.query_now), keep=keep, or_top=or_top)

    async def _tell_searched(self) -> None:
        """Where nothing was found: in what it was sought."""
        coverage = await self.context.read(self.context.desk.search.coverage)
        if not self.table.total and self.narrowing.text:
            self.table.empty = empty_words(self.context, self._accounts, self.base, self.narrowing.text, coverage)
            self.table.redraw_words()

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """The dock and the accounts; the rows too when the ledger changed."""
        self.query_one("#dock", Dock).tell(snapshot.transfers)
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
        line = state_line(self.base, self.narrowing.text, self._accounts, self.table, snapshot, now)
        self.query_one("#selector", Bar).say((*line[:2], *self.decided(), *line[2:]))

    def on_table_moved(self, event: Table.Moved) -> None:
        """The pane follows."""
        self.pane.follow(event.row.key if event.row else None)
        self._tell_selector()
        self.begin_drawing()
        if event.row is None and self.narrowing.text:
            self.attempt(self._tell_searched, "searched", exclusive=True)

    def on_table_counted(self) -> None:
        """How many there are."""
        self._tell_selector()

    def on_table_failed(self, event: Table.Failed) -> None:
        """The ledger could not be read."""
        self.say(event.words, "bad")
        self.begin_drawing()

    # Choosing ----------------------------------------------------------------------------------------------------

    def ask_for(self, base: Query, *, keep: bool = True) -> None:
        """List something else; what was typed goes on to hold."""
        self._narrow(replace(self.narrowing, base=base), keep=keep)

    def _narrow(self, narrowing: Narrowing, *, keep: bool = True) -> None:
        self.narrowing = narrowing
        self._list(keep=keep, or_top=True)
        self._tell_selector()

    def on_lines_moved(self, event: Lines.Moved) -> None:
        """An account was selected at the left."""
        if event.lines.id == "accounts" and event.key != self.base.account:
            self.ask_for(replace(self.base, account=str(event.key or ALL)), keep=False)

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
        place = names.index(self.base.account) if self.base.account in names else 0
        name = names[(place + by) % len(names)]
        # At once, not when the list tells that it moved: the next key of a burst is for that account's rows.
        self.ask_for(replace(self.base, account=name), keep=False)
        self.query_one("#accounts", AccountsList).select(name)

    def do_account_previous(self) -> None:
        """The account before."""
        self._step_account(-1)

    def do_account_next(self) -> None:
        """The next account."""
        self._step_account(1)

    def do_list_filter(self) -> None:
        """Filter as one types."""
        self.filter.open()

    def filter_by(self, text: str) -> None:
        """Narrow the list by a text in the language of the filter."""
        self.filter.put(text)

    def on_filter_changed(self) -> None:
        """Each letter narrows the list; what is told of a letter may come after later letters."""
        if self.filter.text != self.narrowing.text:
            self._narrow(replace(self.narrowing, text=self.filter.text))

    def _leave_filter(self) -> None:
        """To the rows that what was typed asks for."""
        self.on_filter_changed()
        self.focus_first()

    def focus_first(self) -> None:
        """The rows."""
        self.set_focus(self.table)  # At once: `focus()` would let the next key of a burst pass by.

    def _known(self) -> Known:
        views = self._accounts
        return Known(tuple(view.name for view in views), tuple(dict.fromkeys(view.provider for view in views)))

    def do_list_sort(self) -> None:
        """The next order; what is newest or largest first, the rest from the first."""
        self._narrow(self.narrowing.next_sort())
        self.say(f"sorted by {self.base.sort}")

    def do_list_reverse(self) -> None:
        """The other way round."""
        self._narrow(self.narrowing.sorted_by(self.base.sort))

    def on_table_headed(self, event: Table.Headed) -> None:
        """A title was clicked: by that column; once more, the other way round."""
        self._narrow(self.narrowing.sorted_by(event.sort))

    def do_list_time(self) -> None:
        """Ask for a day, and go there."""
        from tui.screens.day import ask_for_day

        ask_for_day(self, self._go_to)

    async def _go_to(self, since: datetime, until: datetime) -> None:
        from tui.screens.day import there_words

        moved = self.base.sort != "start"
        narrowing = self.narrowing.sorted_by("start") if moved else self.narrowing
        query = narrowing.parsed(self.context.now()).query
        row = await self.context.read(nearest, self.context.desk, query, since, until)
        if row is None:
            self.say("nothing that is listed says when it began", "warn")
            return
        self.narrowing = narrowing
        self.table.aim(row.key)
        self._list()
        self.say(there_words(row.started_at, since, until, "began", "start" if moved else ""))

    # Saved views -------------------------------------------------------------------------------------------------

    def do_list_views(self) -> None:
        """Pick a saved view, keep this one, forget one."""
        self.attempt(self._show_views, opens=True)

    async def _show_views(self) -> None:
        views = await self.context.read(self.context.desk.search.views)
        self.app.push_screen(_views(views), self._picked)

    def _picked(self, picked: "Picked | None") -> None:
        if picked is None:
            return
        if picked.view is None:
            self._name_view()
        elif picked.forget:
            self.attempt(partial(self._forget, picked.view.name))
        else:
            narrowing = narrowing_of(picked.view)
            self._narrow(narrowing)
            self.query_one("#accounts", AccountsList).select(ALL)
            self.filter.put(narrowing.text)
            self.say(f"view {picked.view.name}")

    def _name_view(self) -> None:
        from tui.screens.prompt import PromptScreen

        view = self.narrowing.view("")

        def named(name: str | None) -> None:
            if name:
                self.attempt(partial(self._keep_view, replace(view, name=name)))

        note = "enter keeps what is listed now under this name, esc goes back"
        text = cut(view.text or f"by {view.sort}", 40, "")
        self.app.push_screen(PromptScreen("A name for this view", note, name_problem, value=text), named)

    async def _keep_view(self, view: SavedView) -> None:
        await self.context.read(self.context.desk.search.save_view, view)
        self.say(f"kept as {view.name}: V shows it again", "good")

    async def _forget(self, name: str) -> None:
        await self.context.read(self.context.desk.search.forget_view, name)
        self.say(f"forgot the view {name}")

    def do_back(self) -> None:
        """Input, then pane, then filter, then marks, then the narrowing."""
        typing = isinstance(self.focused, Input)
        if not typing and (self._reading or self.focused is not self.table):
            self._reading = False
            self.set_class(False, "-reading")
            self.table.focus()
        elif typing or self.narrowing.text:
            self.filter.put("")
            self.focus_first()
        elif self.table.marks:
            self.do_list_unmark()
        else:
            self.ask_for(Query(account=self.base.account))


def _views(views: tuple[SavedView, ...]) -> "ViewsScreen":
    from tui.screens.views import ViewsScreen

    return ViewsScreen(views)
