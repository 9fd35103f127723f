"""Mode 1, the desk: accounts, meetings, the metadata pane, the transfers dock."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from providers.models import AssetId
from tui import label
from tui.acts import Acts
from tui.clipboard import send
from tui.commands import bindings
from tui.context import Context
from tui.desk_words import NO_LINK, copy_entries, empty_words, state_line, why_not_desk
from tui.meeting_source import MeetingSource
from tui.rows import meeting_columns
from tui.screens.base import ModeScreen, sheet
from tui.screens.confirm import ConfirmScreen
from tui.screens.menu import MenuScreen
from tui.screens.raw import RawScreen
from tui.widgets.accounts import ALL, AccountsList
from tui.widgets.bars import Bar
from tui.widgets.dock import dock_rows
from tui.widgets.lines import Lines
from tui.widgets.pane import Pane
from tui.widgets.table import Table
from vault.views import SORTS, AccountView, AssetView, MeetingRow, MeetingView, Query

if TYPE_CHECKING:
    from vault.engine import Snapshot

Keys = list[tuple[str, str]]


class DeskScreen(ModeScreen):
    """What exists, what state it is in, what will be lost first."""

    MODE = "desk"
    CSS_PATH = sheet("desk")
    BINDINGS: ClassVar[list[Binding]] = bindings("desk")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#meetings"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.query_now = Query()
        self._acts = Acts(context, self.say)
        self._accounts: tuple[AccountView, ...] = ()
        self._last: Callable[[], None] | None = None
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

    def do_list_faults(self) -> None:
        """Only faults, or all again."""
        self.ask_for(replace(self.query_now, faults=not self.query_now.faults))

    def do_list_risk(self) -> None:
        """Only what is at risk, the most urgent first; or all again."""
        risk = not self.query_now.at_risk
        order = {"sort": "deadline", "descending": False} if risk else {"sort": "start", "descending": True}
        self.ask_for(
            replace(self.query_now, at_risk=risk, sort=str(order["sort"]), descending=bool(order["descending"]))
        )

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

    # Acting ------------------------------------------------------------------------------------------------------

    @property
    def _pane_is_behind(self) -> bool:
        row = self.table.current
        return row is not None and not self.pane.shows(row.key)

    def refresh_keys(self) -> None:
        """What can act depends on the meeting: known, and drawn once, when the pane has followed."""
        if not self._pane_is_behind:
            super().refresh_keys()

    def why_not(self, command: str) -> str:
        """The reasons of the desk before those of every screen."""
        asset = self.pane.asset if self.pane.has_focus else None
        view = self.pane.view
        if command.startswith(("asset.", "transfer.")) and self._pane_is_behind:
            return ""  # The key is for the row moved to, and is looked at when it acts.
        assets = [asset] if asset else list(view.assets) if view else []
        reason = why_not_desk(command, self.context, self.table, assets, self._acts, again=self._last is not None)
        return reason or super().why_not(command)

    async def targets(self) -> list[AssetView]:
        """The asset under the pane's cursor, else all assets of the marked meetings, else of the current one."""
        if self.pane.has_focus and self.pane.asset is not None:
            return [self.pane.asset]
        keys: Keys = [key for key in self.table.marks if isinstance(key, tuple)]
        if not keys and self.table.current is not None:
            keys = [self.table.current.key]
        views = [await self.context.read(self.context.desk.meeting, *key) for key in keys]
        return [asset for view in views if view is not None for asset in view.assets]

    def _act(self, act: Callable[[Sequence[AssetView]], Awaitable[None]]) -> None:
        async def run() -> None:
            await act(await self.targets())
            self.refresh_keys()

        self._last = lambda: self._act(act)
        self.table.hold()
        self.attempt(run)

    def do_asset_fetch(self) -> None:
        """Queue."""
        self._act(self._acts.fetch)

    def do_asset_verify(self) -> None:
        """Verify."""
        self._act(self._acts.verify)

    def do_asset_release(self) -> None:
        """Ask, then release."""
        self._act(self._ask_release)

    async def _ask_release(self, assets: Sequence[AssetView]) -> None:
        free, reasons = self._acts.releasable(assets)
        if not free:
            self.say(reasons[0] if reasons else "there is nothing to release", "warn")
            return
        title = f"Let the service delete {label.count(len(free), 'asset')}?"
        if reasons:
            title += f" ({len(reasons)} more may not be released)"
        question = ConfirmScreen(title, self._acts.release_lines(free), "Release", "Cancel")

        def answered(yes: bool | None) -> None:
            if yes:
                self.attempt(lambda: self._acts.release(free))
            else:
                self.say("nothing was released")

        self.app.push_screen(question, answered)

    def _ids(self, act: Callable[[Sequence[AssetId]], Awaitable[None]]) -> None:
        self._act(lambda assets: act([asset.identity for asset in assets]))

    def do_transfer_cancel(self) -> None:
        """Cancel."""
        self._ids(self._acts.cancel)

    def do_transfer_pause(self) -> None:
        """Pause or go on."""
        self._ids(self._acts.pause)

    def do_sync(self) -> None:
        """Ask the selected account, or all."""
        self.attempt(lambda: self._acts.sync(self.query_now.account), "sync")

    def do_undo(self) -> None:
        """Take the last thing back."""
        self.attempt(self._undo)

    async def _undo(self) -> None:
        await self._acts.undo()
        self._tell_selector()
        self.refresh_keys()

    def do_repeat(self) -> None:
        """The last action, here."""
        if self._last is not None:
            self._last()

    # Showing -----------------------------------------------------------------------------------------------------

    async def _shown(self) -> MeetingView | None:
        row, view = self.table.current, self.pane.view
        if row is None or (view is not None and row.key == (view.account, view.meeting)):
            return view
        return await self.context.read(self.context.desk.meeting, *row.key)

    def do_show_raw(self) -> None:
        """The record as the service gave it."""
        self.attempt(self._show_raw)

    async def _show_raw(self) -> None:
        view, asset = await self._shown(), self.pane.asset
        if view is not None:
            own = asset.raw if asset is not None and self.pane.has_focus else view.raw
            self.app.push_screen(RawScreen(f"As the service gave it: {view.title}", own or "no record was kept"))

    def do_asset_link(self) -> None:
        """Copy the link and show it."""
        self.attempt(self._show_link)

    async def _show_link(self) -> None:
        view = await self._shown()
        link = next((asset.link for asset in view.assets if asset.link), "") if view else ""
        if not link:
            self.say(NO_LINK, "warn")
            return
        said = send(self.app, link, "link")
        self.app.push_screen(RawScreen("Link", link, said))
        self.say(said)

    def do_asset_copy(self) -> None:
        """Choose what to copy."""
        self.attempt(self._show_copies)

    async def _show_copies(self) -> None:
        view = await self._shown()
        if view is None or not view.assets:
            self.say("no asset of it is known yet", "warn")
            return
        chosen = self.pane.asset
        asset = chosen if chosen in view.assets and chosen is not None else view.assets[0]
        entries = copy_entries(view, asset)
        self.app.push_screen(MenuScreen("Copy", entries, "a letter or enter copies, esc goes back"), self._copied)

    def _copied(self, value: str | None) -> None:
        if value:
            self.say(send(self.app, value, label.cut(value, 40)))
