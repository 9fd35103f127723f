"""What desk and risk list share: verbs that act on what is marked, or on the line, and then go on."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from textual.timer import Timer

from providers.models import AssetId
from tui import label
from tui.context import Context
from tui.screens.log_following import FollowsLog
from tui.screens.marking import MarksRows
from tui.triage_acts import Act, TriageActs, Verified, flagging, plan_release
from tui.triage_words import damage_lines, grace_words, packet_text, release_lines, release_title
from tui.widgets.ink import Line
from vault import rules
from vault.views import AssetView, Flag

if TYPE_CHECKING:
    from tui.screens.confirm import ConfirmScreen
    from tui.screens.flag import Chosen
    from vault.triage.views import ReleaseView


TELL_S = 0.5
"""Between two looks at how far something is; what is drawn is only what changed."""


class TriageScreen(MarksRows, FollowsLog):
    """A list to decide about, a pane beside it. A verb takes the line it was pressed on, however fast one types."""

    def __init__(self, context: Context, acts: TriageActs) -> None:
        super().__init__(context)
        self._acts = acts
        self._last: Callable[[], None] | None = None
        self._releases: tuple[ReleaseView, ...] = ()
        self._ticking: Timer | None = None
        self._graced = ""
        """What was said last of open releases."""

    async def assets_of(self, keys: Sequence[Hashable]) -> list[AssetView]:
        """All assets that lines with these keys stand for."""
        raise NotImplementedError

    # What goes on ------------------------------------------------------------------------------------------------

    def keep_telling(self) -> None:
        """Tell every second how far the long work is and what is left of a grace, as long as there is either."""
        if self._ticking is None:
            self._ticking = self.set_interval(TELL_S, self._tick)

    def _tick(self) -> None:
        if self._acts.work.words and self.is_current:
            self.say(self._acts.work.words, "info")
        if self.grace != self._graced:
            self._graced = self.grace
            self.marks_changed()
            self.table.recolour()
        if not self._releases and not self._acts.work.going and self._ticking is not None:
            self._ticking.stop()
            self._ticking = None

    # What was decided --------------------------------------------------------------------------------------------

    async def look_at_decisions(self) -> None:
        """Open releases, and what can be taken back."""
        desk = self.context.desk
        before, self._releases = self._releases, await self.context.read(lambda: desk.releasing.due())
        self._acts.deed = await self.context.read(lambda: desk.undoing.last())
        if before != self._releases:
            self.table.recolour()
            self.marks_changed()
        if self._releases:
            self.keep_telling()
        self.look_at_log()

    @property
    def grace(self) -> str:
        """Open releases and when the next is sent, in words; "" for none."""
        return grace_words(self._releases, self.context.now())

    def decided(self) -> Line:
        """The same for the line over a list."""
        return ((f"  {self.grace}", "warn"),) if self._releases else ()

    def release_of_meeting(self, key: Hashable) -> "ReleaseView | None":
        """The open release of a meeting's asset that is sent first."""
        found = (view for view in self._releases if (view.asset.account, view.asset.meeting) == key)
        return min(found, key=lambda view: view.due_at, default=None)

    # Acting ------------------------------------------------------------------------------------------------------

    def act(self, act: Act, *, asks: bool = False, reads: bool = False) -> None:
        """Do something with the pane's asset, else with what is marked, else with the line; then go on to the next.

        `asks`: it asks first, and goes on only where the answer was yes (it gives True then). `reads`: it decides
        nothing, and takes long: what is decided meanwhile does not wait for it, and marks stay.
        """
        table = self.table
        chosen = self.pane.asset if self.pane.has_focus else None
        here = table.current_key
        keys = list(table.marks) or [here]
        on_line = not chosen and not table.marks
        self._last = lambda: self.act(act, asks=asks, reads=reads)
        table.hold()

        async def run() -> None:
            self.keep_telling()
            async with nullcontext() if reads else self._acts.turns:
                yes = await act([chosen] if chosen else await self.assets_of(keys))
            if asks and yes and on_line and table.current_key == here:
                table.move_to(table.cursor + 1)
            if not (reads or chosen or on_line) and (yes or (yes is None and not asks)):
                self.unmark(keys)
            self.look()
            self.refresh_keys()

        self.attempt(run, opens=asks)
        if on_line and not asks:
            table.move_to(table.cursor + 1)

    def do_asset_fetch(self) -> None:
        """Queue."""
        self.act(self._fetch)

    async def _fetch(self, assets: Sequence[AssetView]) -> bool | None:
        """What does not fit is asked about before it starts; False when it is not to be."""
        from tui.risk_words import totals_words
        from tui.screens.confirm import ConfirmScreen

        wanted = [asset.identity for asset in assets if not rules.why_not_fetch(asset)]
        room = await self.context.read(lambda: self.context.desk.risk.room(wanted)) if wanted else None
        if room is None or room.fits:
            await self._acts.fetch(assets)
            return None
        question = ConfirmScreen("It does not fit. Queue it all the same?", [totals_words(room)], "Queue")
        yes = await self._answer(question)
        if yes:
            await self._acts.fetch(assets)
        else:
            self.say("nothing queued")
        return yes

    async def _answer(self, question: "ConfirmScreen") -> bool:
        answer: bool | None = await self.app.push_screen_wait(question)
        return bool(answer)

    def do_asset_verify(self) -> None:
        """Verify."""
        self.act(self._verify, reads=True)

    async def _verify(self, assets: Sequence[AssetView]) -> None:
        found = await self._acts.verify(assets)
        if found is not None and found.wrong:
            await self._tell_damage(found)

    async def _tell_damage(self, found: Verified) -> None:
        """Loud: nobody should think that what is damaged or lost is held."""
        from tui.screens.confirm import ConfirmScreen

        self.app.bell()
        again = [asset for asset, _ in found.wrong if not rules.why_not_fetch(asset)]
        title = f"{label.count(len(found.wrong), 'file')} not as proven"
        yes = f"Fetch {len(again)} again" if again else "Understood"
        question = ConfirmScreen(title, damage_lines(found), yes, "Close", no_first=False)
        if await self._answer(question) and again:
            await self._acts.fetch(again)

    def do_asset_release(self) -> None:
        """Ask, then release after the time of grace."""
        self.act(self._release, asks=True)

    async def _release(self, assets: Sequence[AssetView]) -> bool:
        from tui.screens.confirm import ConfirmScreen

        plan = await self.context.read(plan_release, self.context.desk, assets)
        if not plan.free:
            reasons = [words for _, words in plan.refused]
            self.say(f"not released: {reasons[0]}" if reasons else "there is nothing to release", "warn")
            return False
        desk = self.context.desk
        lines = release_lines(plan, desk.releasing.grace_s, self.context.now(), desk.kept_after_release)
        if not await self._answer(ConfirmScreen(release_title(plan), lines, "Release")):
            self.say("nothing was released")
            return False
        await self._acts.release(plan.free)
        return True

    def do_asset_packet(self) -> None:
        """Write a custody packet."""
        self.act(self._packet, reads=True)

    async def _packet(self, assets: Sequence[AssetView]) -> None:
        """Where it lies is shown in full: the status line may have no room for it."""
        from tui.screens.raw import RawScreen

        packet = await self._acts.packet(assets)
        if packet is not None and self.is_current:
            self.app.push_screen(RawScreen("Custody packet", packet_text(packet)))

    def _ids(self, act: Callable[[Sequence[AssetId]], Awaitable[None]]) -> None:
        self.act(lambda assets: act([asset.identity for asset in assets]))

    def do_transfer_cancel(self) -> None:
        """Stop what reads or writes for long; else cancel."""
        if self._acts.work.going:
            self._acts.work.stop()
            self.say("stopping")
        elif self._acts.is_syncing and not self._acts.is_moving:
            self.attempt(self._acts.stop_sync)
        else:
            self._ids(self._acts.cancel)

    def do_transfer_pause(self) -> None:
        """Pause or go on; the cursor stays, since the same key takes it back."""
        self.act(lambda assets: self._acts.pause([asset.identity for asset in assets]), asks=True)

    def do_undo(self) -> None:
        """Take the last thing back."""
        self.attempt(self._undo)

    async def _undo(self) -> None:
        async with self._acts.turns:
            await self._acts.undo()
        self.look()
        self.marks_changed()
        self.refresh_keys()

    def do_repeat(self) -> None:
        """The last action, here."""
        if self._last is not None:
            self._last()

    # Flags -------------------------------------------------------------------------------------------------------

    def do_flag_want(self) -> None:
        """To be fetched."""
        self.act(flagging(self._acts, Flag.WANT))

    def do_flag_skip(self) -> None:
        """Not needed here."""
        self.act(flagging(self._acts, Flag.SKIP))

    def do_flag_forget(self) -> None:
        """Say no more of it."""
        self.act(flagging(self._acts, Flag.FORGET))

    def do_flag_hold(self) -> None:
        """Never to be released."""
        self.act(flagging(self._acts, Flag.HOLD))

    def do_flag_note(self) -> None:
        """Choose a flag, write a note; `.` does the same again without asking."""

        async def ask(assets: Sequence[AssetView]) -> bool:
            from tui.screens.flag import FlagScreen

            chosen: Chosen | None = await self.app.push_screen_wait(FlagScreen(assets))
            if chosen is None:
                self.say("no flag was changed")
                return False
            act = flagging(self._acts, chosen.flag, chosen.note)
            self._last = lambda: self.act(act)
            await act(assets)
            return True

        self.act(ask, asks=True)

    # Marks -------------------------------------------------------------------------------------------------------

    def marked(self, words: str, back: Callable[[], Awaitable[None]]) -> None:
        """`u` takes it back."""
        self._acts.undone.append((words, back))

    def unmark(self, keys: Iterable[Hashable]) -> None:
        """There is no marking to take back any more."""
        self._acts.forget_marks()
        super().unmark(keys)

    def do_list_log(self) -> None:
        """Every event that was established here."""
        from tui.screens.log import LogScreen

        self.app.push_screen(LogScreen(self.context, self.pane.chain))

    # What can act ------------------------------------------------------------------------------------------------

    def why_not(self, command: str) -> str:
        """Reasons that do not depend on which list it is."""
        if command == "undo":
            return "" if self._acts.can_undo else "there is nothing to take back"
        if command == "repeat":
            return "" if self._last is not None else "nothing was done yet that could be done again"
        if command == "transfer.cancel" and (self._acts.work.going or self._acts.is_syncing):
            return ""
        return super().why_not(command)
