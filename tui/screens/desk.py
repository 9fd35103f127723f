"""Mode 1, the desk: what is done with the meetings that are listed."""

from collections.abc import Hashable, Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual.binding import Binding
from textual.screen import Screen

from providers.models import RemoteState
from tui import label
from tui.clipboard import send
from tui.commands import bindings
from tui.context import Context
from tui.desk_words import NO_LINK, copy_entries, why_not_desk
from tui.screens.base import sheet
from tui.screens.meetings import MeetingsScreen
from tui.triage_acts import TriageActs
from tui.triage_rows import with_decisions
from tui.widgets.columns import Column
from vault.views import AssetView, MeetingRow, MeetingView


class DeskScreen(MeetingsScreen):
    """What exists, what state it is in, what will be lost first."""

    MODE = "desk"
    CSS_PATH = sheet("desk")
    BINDINGS: ClassVar[list[Binding]] = bindings("desk")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#meetings"

    def columns(self) -> tuple[Column[MeetingRow], ...]:
        """With what was decided about a meeting."""
        sign = self.context.glyphs.remote[RemoteState.ABANDONED]
        return with_decisions(super().columns(), self.release_of_meeting, self.context.now, sign)

    # Narrowing by what is to be done ------------------------------------------------------------------------------

    def do_list_faults(self) -> None:
        """Only faults, or all again."""
        self.ask_for(replace(self.base, faults=not self.base.faults))

    def do_list_risk(self) -> None:
        """What will be lost first, of the selected account or of all."""
        self.app.push_screen(_risk(self.context, self._acts, self.base.account))

    def do_list_compare(self) -> None:
        """Service, ledger and disk side by side."""
        self.app.push_screen(_reconcile(self.context, self._acts, self.base.account))

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
        if command.startswith(("asset.", "transfer.", "flag.")) and self._pane_is_behind:
            return ""  # The key is for the row moved to, and is looked at when it acts.
        assets = [asset] if asset else list(view.assets) if view else []
        if command == "transfer.cancel" and (self._acts.work.going or self._acts.is_syncing):
            return ""
        reason = why_not_desk(command, self.context, self.table, assets, self._acts)
        return reason or super().why_not(command)

    async def assets_of(self, keys: Sequence[Hashable]) -> list[AssetView]:
        """All assets of the meetings with these keys."""
        meetings = [key for key in keys if isinstance(key, tuple)]
        views = [await self.context.read(self.context.desk.meeting, *key) for key in meetings]
        return [asset for view in views if view is not None for asset in view.assets]

    def marks_changed(self) -> None:
        """Counted in the line over the list."""
        self._tell_selector()

    def do_sync(self) -> None:
        """Ask the selected account, or all."""
        self.attempt(lambda: self._acts.sync(self.base.account), "sync")

    # Showing -----------------------------------------------------------------------------------------------------

    async def _shown(self) -> MeetingView | None:
        row, view = self.table.current, self.pane.view
        if row is None or (view is not None and row.key == (view.account, view.meeting)):
            return view
        return await self.context.read(self.context.desk.meeting, *row.key)

    def do_show_raw(self) -> None:
        """The record as the service gave it."""
        self.attempt(self._show_raw, opens=True)

    async def _show_raw(self) -> None:
        from tui.screens.raw import RawScreen

        view, asset = await self._shown(), self.pane.asset
        if view is not None:
            own = asset.raw if asset is not None and self.pane.has_focus else view.raw
            self.app.push_screen(RawScreen(f"As the service gave it: {view.title}", own or "no record was kept"))

    def do_asset_link(self) -> None:
        """Copy the link and show it."""
        self.attempt(self._show_link, opens=True)

    async def _show_link(self) -> None:
        from tui.screens.raw import RawScreen

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
        self.attempt(self._show_copies, opens=True)

    async def _show_copies(self) -> None:
        from tui.screens.menu import MenuScreen

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


def _risk(context: Context, acts: TriageActs, account: str) -> Screen[None]:
    from tui.screens.risk import RiskScreen

    return RiskScreen(context, acts, account)


def _reconcile(context: Context, acts: TriageActs, account: str) -> Screen[None]:
    from tui.screens.reconcile import ReconcileScreen

    return ReconcileScreen(context, acts, account)
