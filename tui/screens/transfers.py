"""Mode 2, the transfers: the queue with what runs, waits and has ended."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
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
from tui.screens.base import sheet
from tui.screens.marking import MarksRows
from tui.screens.ordering import SortsRows
from tui.transfer_words import choose, why_not_transfer
from tui.widgets.bars import Bar
from tui.widgets.lines import Lines, Row
from tui.widgets.table import Table
from vault.presence import this_process
from vault.views import TRANSFER_SORTS, AssetView, Sort, TransferState, TransferView

if TYPE_CHECKING:
    from vault.engine import Snapshot

_OF_MARKS = frozenset({"transfer.cancel", "transfer.pause", "transfer.retry", "transfer.now", "asset.copy"})
EMPTY = ("Nothing was ever queued.", "Press 1, put the cursor on a meeting and press d.")


class TransfersScreen(MarksRows, SortsRows):
    """The queue in its order; what the engine says now stands over what the ledger says."""

    MODE = "transfers"
    CSS_PATH = sheet("transfers")
    BINDINGS: ClassVar[list[Binding]] = bindings("transfers")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#queue"
    SORTS = TRANSFER_SORTS
    BY_TIME = "changed"
    DID_THEN = "changed"

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

    @property
    def sorted_table(self) -> "Table[TransferView]":
        """The same."""
        return self.table

    def list_again(self, *, turned: bool = False) -> None:
        """The cursor stays on its transfer."""
        self.show_order()
        self.table.empty = EMPTY
        self.table.show(TransferSource(self.context.desk.lists, self.sorting.now), or_top=turned)
        self._tell_totals()

    async def nearest(self, since: datetime, until: datetime, by_time: Sort) -> tuple[Hashable, datetime | None] | None:
        """By when they were queued, or ended."""
        find, down = self.context.desk.lists.transfers.nearest, by_time.descending
        view = await self.context.read(lambda: find(since.timestamp(), until.timestamp(), descending=down))
        return None if view is None else (view.asset, view.changed_at)

    def look(self) -> None:
        """Read the queue."""
        self.attempt(self._look, "look", exclusive=True)

    async def _look(self) -> None:
        desk = self.context.desk
        self._first = await self.context.read(desk.transfers)
        self._tally = await self.context.read(lambda: desk.lists.transfers.tally())
        self.list_again()
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
        self._tell_totals()
        self._tell()
        self.refresh_keys()

    def _tell_totals(self) -> None:
        """How many of each state, marks, the order, how fast all of it is."""
        snapshot = self.context.engine.snapshot()
        counts = Counter(self._tally)
        for view in self._first:  # of these the engine may know better
            counts.subtract([view.state])
            counts.update([self._now(view).state])
        said = ", ".join(f"{number} {state}" for state in TransferState if (number := counts[state]) > 0)
        marks = len(self.table.marks)
        self.query_one("#totals", Bar).say(
            (
                (f" {said or 'no transfers'}", "strong"),
                (f"  {marks} marked" if marks else "", "mark"),
                (f"  {self.sorting.words}", "dim"),
                (f"  {label.rate(snapshot.rate)}", ""),
                (f"  {plain(snapshot.trouble)}" if snapshot.trouble else "", "bad"),
            )
        )

    def marks_changed(self) -> None:
        """Counted in the line over the list."""
        self._tell_totals()

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
        """From the details to the queue, then no marks, from there to the desk."""
        if self.focused is not self.table:
            self.table.focus()
        elif self.table.marks:
            self.do_list_unmark()
        else:
            super().do_back()

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
        """Whether the current transfer can be acted on; marked ones are looked at when the key is pressed."""
        if not command.startswith(("transfer.", "asset.")):
            return super().why_not(command)
        if command in _OF_MARKS and self.table.marks:
            return ""
        view = self.current
        return "there is no transfer here" if view is None else why_not_transfer(command, view.state, self._key)

    def _on_marked(self, command: str) -> bool:
        """Act on what is marked, all of it at once; False where nothing is. Marks go, unless the key takes it back."""
        marked = [key for key in self.table.marks if isinstance(key, AssetId)]
        if not marked:
            return False
        self.table.hold()
        desk = self.context.desk

        async def run() -> None:
            states = await self.context.read(desk.lists.transfers.states, marked)
            chosen = choose(command, states, self._key)
            acts = {"cancel": desk.cancel, "retry": desk.retry, "hurry": desk.hurry}
            act = acts.get(chosen.verb) or (desk.pause if chosen.verb == "pause" else desk.resume)
            changed = await self.context.read(act, *chosen.transfers) if chosen.transfers else 0
            self.say(*chosen.words(changed))
            if command != "transfer.pause":
                self.unmark(marked)
            await self._look()

        self.attempt(run)
        return True

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
        if not self._on_marked("transfer.cancel"):
            words = "cancelled; the part already fetched stays for a later try"
            self._with(self.context.desk.cancel, words, doing="cancelling")

    def do_transfer_pause(self) -> None:
        """Pause, or go on."""
        if self._on_marked("transfer.pause"):
            return
        view = self.current
        if view is not None and view.state is TransferState.PAUSED:
            self._with(self.context.desk.resume, "resumed")
        else:
            self._with(self.context.desk.pause, "paused", doing="pausing")

    def do_transfer_retry(self) -> None:
        """Again."""
        if not self._on_marked("transfer.retry"):
            self._with(self.context.desk.retry, "queued again")

    def do_transfer_now(self) -> None:
        """First in the queue."""
        if not self._on_marked("transfer.now"):
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
        """The ids of what is marked, a line each, else the current one's."""
        marked, view = sorted(map(str, self.table.marks)), self.current
        if marked:
            self.say(send(self.app, "\n".join(marked), f"list of {label.count(len(marked), 'asset id')}"))
        elif view is not None:
            self.say(send(self.app, str(view.asset), "asset id"))
