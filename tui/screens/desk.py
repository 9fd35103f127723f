"""Mode 1, the desk: what is done with the meetings that are listed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding

from providers.models import AssetId
from tui import label
from tui.clipboard import send
from tui.commands import bindings
from tui.context import Context
from tui.desk_words import NO_LINK, copy_entries, why_not_desk
from tui.screens.base import sheet
from tui.screens.confirm import ConfirmScreen
from tui.screens.meetings import MeetingsScreen
from tui.screens.menu import MenuScreen
from tui.screens.raw import RawScreen
from vault.views import AssetView, MeetingView

Keys = list[tuple[str, str]]


class DeskScreen(MeetingsScreen):
    """What exists, what state it is in, what will be lost first."""

    MODE = "desk"
    CSS_PATH = sheet("desk")
    BINDINGS: ClassVar[list[Binding]] = bindings("desk")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#meetings"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._last: Callable[[], None] | None = None

    # Narrowing by what is to be done ------------------------------------------------------------------------------

    def do_list_faults(self) -> None:
        """Only faults, or all again."""
        self.ask_for(replace(self.base, faults=not self.base.faults))

    def do_list_risk(self) -> None:
        """Only what is at risk, the most urgent first; or all again."""
        risk = not self.base.at_risk
        order = {"sort": "deadline", "descending": False} if risk else {"sort": "start", "descending": True}
        self.ask_for(replace(self.base, at_risk=risk, sort=str(order["sort"]), descending=bool(order["descending"])))

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
        self.attempt(lambda: self._acts.sync(self.base.account), "sync")

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
