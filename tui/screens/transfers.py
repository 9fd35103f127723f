"""Mode 2, the transfers: the queue with what runs, waits and has ended."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.widget import Widget

from providers.models import AssetId
from tui import label
from tui.acts import Acts
from tui.clipboard import send
from tui.commands import bindings
from tui.context import Context
from tui.describe import field
from tui.label import plain
from tui.rows import progress_words, transfer_columns
from tui.screens.base import ModeScreen, sheet
from tui.widgets.bars import Bar
from tui.widgets.lines import Lines, Row
from tui.widgets.table import ListSource, Table
from vault.views import TransferState, TransferView

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
        self._known: tuple[TransferView, ...] = ()

    def body(self) -> Iterable[Widget]:
        """A line of totals, the queue, the current one in full."""
        yield Vertical(
            Bar(id="totals"),
            Table(transfer_columns(self.context), id="queue"),
            Lines(id="about", focusable=False),
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
        self._known = await self.context.read(self.context.desk.transfers)
        self.see(self.context.engine.snapshot(), changed=False)

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """Rows that changed are drawn again."""
        if changed:
            self.look()
            return
        live = {view.asset: view for view in snapshot.transfers}
        rows = [live.get(view.asset, view) for view in self._known]
        self.table.empty = EMPTY
        self.table.show(ListSource(rows, lambda view: view.asset))
        counts = {state: sum(1 for row in rows if row.state is state) for state in TransferState}
        said = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
        self.query_one("#totals", Bar).say(
            ((f" {said or 'no transfers'}", "strong"), (f"  {label.rate(snapshot.rate)}", ""))
        )
        self._tell()
        self.refresh_keys()

    def focus_first(self) -> None:
        """The queue."""
        self.table.focus()

    def on_table_moved(self) -> None:
        """The current one in full."""
        self._tell()
        self.refresh_keys()

    def _tell(self) -> None:
        view = self.table.current
        self.query_one("#about", Lines).show(lambda width: about(view, width) if view else [])

    # Acting ------------------------------------------------------------------------------------------------------

    def why_not(self, command: str) -> str:
        """Whether the current transfer can be acted on."""
        if not command.startswith(("transfer.", "asset.")):
            return super().why_not(command)
        view = self.table.current
        if view is None:
            return "there is no transfer here"
        if command == "transfer.retry":
            return (
                ""
                if view.state.ended and view.state is not TransferState.DONE
                else f"it is {view.state}: nothing to try again"
            )
        if command in ("transfer.later", "transfer.sooner"):
            waiting = view.state in (TransferState.QUEUED, TransferState.WAITING, TransferState.PAUSED)
            return "" if waiting else f"it is {view.state}: only what waits has a place in the queue"
        if command.startswith("transfer."):
            return f"it has ended: {view.state}" if view.state.ended else ""
        return ""

    def _with(self, act: Callable[[AssetId], object], words: str) -> None:
        view = self.table.current
        if view is None:
            return
        self.table.hold()

        async def run() -> None:
            await self.context.read(act, view.asset)
            self.say(words)
            await self._look()

        self.attempt(run)

    def do_transfer_cancel(self) -> None:
        """Cancel; the part stays."""
        self._with(self.context.desk.cancel, "cancelled; the part already fetched stays for a later try")

    def do_transfer_pause(self) -> None:
        """Pause, or go on."""
        view = self.table.current
        paused = view is not None and view.state is TransferState.PAUSED
        self._with(self.context.desk.resume if paused else self.context.desk.pause, "resumed" if paused else "paused")

    def do_transfer_retry(self) -> None:
        """Again."""
        self._with(self.context.desk.retry, "queued again")

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
        view = self.table.current
        if view is not None:
            self.say(send(self.app, str(view.asset), "asset id"))


def about(view: TransferView, width: int) -> list[Row]:
    """A transfer in full: nothing is cut here."""
    rows = field("asset", str(view.asset), width)
    rows += field("title", plain(view.title), width)
    far = f"{label.size(view.received)} of {label.size(view.total)} {progress_words(view)}"
    rows += field("state", f"{view.state}, {far}, {label.count(view.attempts, 'attempt')}", width)
    rows += field("says", view.words, width, "bad" if view.state is TransferState.FAILED else "")
    rows += field("run by", view.owner, width)
    return rows
