"""Mode 2, the transfers: the queue with what runs, waits and has ended."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.widget import Widget

from providers.models import AssetId
from tui import label
from tui.acts import Acts
from tui.clipboard import send
from tui.commands import BY_ID, bindings, keys_of, spoken
from tui.context import Context
from tui.describe import OURS, run_by, transfer_rows
from tui.history_sources import TransferSource
from tui.label import plain
from tui.rows import is_due, transfer_columns
from tui.screens.base import ModeScreen, sheet
from tui.widgets.bars import Bar
from tui.widgets.lines import Lines, Row
from tui.widgets.table import Table
from vault.presence import this_process
from vault.views import AssetView, TransferState, TransferView

if TYPE_CHECKING:
    from vault.engine import Snapshot

EMPTY = ("Nothing was ever queued.", "Press 1, put the cursor on a meeting and press d.")


class TransfersScreen(ModeScreen):
    """The queue in its order; what the engine says now stands over what the ledger says."""

    MODE = "transfers"
    CSS_PATH = sheet("transfers")
    BINDINGS: ClassVar[list[Binding]] = bindings("transfers")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#queue"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._acts = Acts(context, self.say)
        self._own = this_process()
        self._live: Mapping[AssetId, TransferView] = {}
        """What the engine says of those that it knows; the rows are the ledger's."""
        self._first: tuple[TransferView, ...] = ()
        """The first ones, as the ledger has them."""
        self._tally: Mapping[TransferState, int] = {}
        """How many of each state the ledger has."""
        self._due: frozenset[AssetId] = frozenset()
        self._told: AssetId | None = None
        self._asset: AssetView | None = None
        """The finished one that was read last, with its proof."""

    def body(self) -> Iterable[Widget]:
        """A line of totals, the queue, the current one in full."""
        yield Vertical(
            Bar(id="totals"),
            Table(transfer_columns(self.context, self._now), id="queue"),
            Lines(id="about"),
            id="body",
        )

    @property
    def table(self) -> "Table[TransferView]":
        """The queue."""
        return self.query_one("#queue", Table)

    def look(self) -> None:
        """Read the queue."""
        self.attempt(self._look, "look", exclusive=True)

    async def _look(self) -> None:
        desk = self.context.desk
        self._first = await self.context.read(desk.transfers)
        self._tally = await self.context.read(lambda: desk.lists.transfers.tally())
        self.table.empty = EMPTY
        self.table.show(TransferSource(desk.lists))
        self.see(self.context.engine.snapshot(), changed=False)
        self._prove()

    def _now(self, row: TransferView) -> TransferView:
        """A row as it is now."""
        return self._live.get(row.asset, row)

    @property
    def current(self) -> TransferView | None:
        """The transfer under the cursor, as it is now."""
        row = self.table.current
        return None if row is None else self._now(row)

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """Rows that changed are drawn again."""
        if changed:
            self.look()
            return
        before, self._live = self._live, {view.asset: view for view in snapshot.transfers}
        changed_ones = {key for key, view in self._live.items() if before.get(key) != view}
        self.table.redraw(changed_ones | (before.keys() - self._live.keys()))
        self.tick()
        counts = Counter(self._tally)
        for view in self._first:  # of these the engine may know better
            counts.subtract([view.state])
            counts.update([self._now(view).state])
        said = ", ".join(f"{number} {state}" for state in TransferState if (number := counts[state]) > 0)
        self.query_one("#totals", Bar).say(
            (
                (f" {said or 'no transfers'}", "strong"),
                (f"  {label.rate(snapshot.rate)}", ""),
                (f"  {plain(snapshot.trouble)}" if snapshot.trouble else "", "bad"),
            )
        )
        self._tell()
        self.refresh_keys()

    def tick(self) -> None:
        """Those whose moment has come wait for their turn only."""
        due = frozenset(key for key, view in self._live.items() if is_due(view, self.context.now()))
        if due != self._due:
            self.table.redraw(due ^ self._due)
            self._due = due
            self._tell()

    def focus_first(self) -> None:
        """The queue."""
        self.table.focus()

    def on_table_moved(self) -> None:
        """The current one in full."""
        self._tell()
        self._prove()
        self.refresh_keys()

    def on_table_opened(self) -> None:
        """The current one in full, to scroll it."""
        self.query_one("#about", Lines).focus()

    def do_back(self) -> None:
        """From the details to the queue, from there to the desk."""
        if self.focused is self.table:
            super().do_back()
        else:
            self.table.focus()

    def _tell(self) -> None:
        view = self.current
        context, key = self.context, self._key
        identity = view.asset if view is not None else None
        top, self._told = identity != self._told, identity
        asset = self._asset if self._asset is not None and self._asset.identity == identity else None

        def rows(width: int) -> list[Row]:
            if view is None:
                return []
            return transfer_rows(view, asset, width, context.glyphs, context.now(), self._own, key)

        self.query_one("#about", Lines).show(rows, top=top)

    def _prove(self) -> None:
        """Read what is held of the current one, when it is finished."""
        view = self.current
        if view is not None and view.state is TransferState.DONE:
            self.attempt(partial(self._read_asset, view.asset), "proof", exclusive=True)

    async def _read_asset(self, identity: AssetId) -> None:
        self._asset = await self.context.read(self.context.desk.asset, identity)
        self._tell()

    def _key(self, command: str) -> str:
        """The first key of a command, after a person's own keymap; without one its name in the palette."""
        keys = spoken(keys_of(BY_ID[command], self.app._keymap)).split()
        return keys[0] if keys else f"{BY_ID[command].words} in the palette"

    # Acting ------------------------------------------------------------------------------------------------------

    def why_not(self, command: str) -> str:
        """Whether the current transfer can be acted on."""
        if not command.startswith(("transfer.", "asset.")):
            return super().why_not(command)
        view = self.current
        if view is None:
            return "there is no transfer here"
        if command == "transfer.retry":
            ended_badly = view.state.ended and view.state is not TransferState.DONE
            return "" if ended_badly else f"it is {view.state}: nothing to try again"
        if command == "transfer.now":
            return self._why_not_now(view)
        if command in ("transfer.later", "transfer.sooner"):
            waiting = view.state in (TransferState.QUEUED, TransferState.WAITING, TransferState.PAUSED)
            return "" if waiting else f"it is {view.state}: only what waits has a place in the queue"
        if command.startswith("transfer."):
            return f"it has ended: {view.state}" if view.state.ended else ""
        return ""

    def _why_not_now(self, view: TransferView) -> str:
        if view.state is TransferState.RUNNING:
            return "it is running already"
        if not view.state.ended:
            return ""
        tail = "" if view.state is TransferState.DONE else f"; {self._key('transfer.retry')} tries it again"
        return f"it has ended: {view.state}{tail}"

    def _with(self, act: Callable[[AssetId], object], words: str, *, doing: str = "") -> None:
        """Act on the current one. `doing`: what is said instead of `words` while it runs, since that takes a moment."""
        view = self.current
        if view is None:
            return
        self.table.hold()
        if doing and view.state is TransferState.RUNNING:
            runner = run_by(view.owner, self._own)
            words = f"{doing} it; what is here of it stays" if runner == OURS else f"{doing} it: {runner} is asked to"

        async def run() -> None:
            await self.context.read(act, view.asset)
            self.say(words)
            await self._look()

        self.attempt(run)

    def do_transfer_cancel(self) -> None:
        """Cancel; the part stays."""
        words = "cancelled; the part already fetched stays for a later try"
        self._with(self.context.desk.cancel, words, doing="cancelling")

    def do_transfer_pause(self) -> None:
        """Pause, or go on."""
        view = self.current
        if view is not None and view.state is TransferState.PAUSED:
            self._with(self.context.desk.resume, "resumed")
        else:
            self._with(self.context.desk.pause, "paused", doing="pausing")

    def do_transfer_retry(self) -> None:
        """Again."""
        self._with(self.context.desk.retry, "queued again")

    def do_transfer_now(self) -> None:
        """First in the queue."""
        view = self.current
        waited = view is not None and (view.state is TransferState.WAITING or view.again_at is not None)
        self._with(self.context.desk.hurry, "first in the queue" + (", and tried now" if waited else ""))

    def do_transfer_later(self) -> None:
        """Down in the queue."""
        self._with(lambda asset: self.context.desk.move(asset, 1), "moved down in the queue")

    def do_transfer_sooner(self) -> None:
        """Up in the queue."""
        self._with(lambda asset: self.context.desk.move(asset, -1), "moved up in the queue")

    def do_sync(self) -> None:
        """Ask every account."""
        self.attempt(lambda: self._acts.sync(""), "sync")

    def do_asset_copy(self) -> None:
        """The asset's id."""
        view = self.current
        if view is not None:
            self.say(send(self.app, str(view.asset), "asset id"))
