"""The log of events, over mode 1: every fact that was established here, newest first, however many there are.

It is sorted by number (or moment) and by what an event is of: those two have an index. What happened, its words and who
did it lie in the body, which the chain hashes; an index of them would be written with every record of every sync.
"""

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.widget import Widget

from tui.commands import bindings
from tui.context import Context
from tui.history_sources import EventSource
from tui.log_rows import empty_log, event_rows, log_columns, place_line
from tui.screens.base import sheet
from tui.screens.log_following import FOLLOWED_UNASKED, followed
from tui.screens.ordering import SortsRows
from tui.widgets.bars import Bar
from tui.widgets.lines import Lines
from tui.widgets.table import Table
from vault.views import EVENT_SORTS, LoggedEvent, Sort


class LogScreen(SortsRows):
    """All events, or those of one asset alone. `chain`: how the log's chain stood when it was last followed."""

    MODE = "log"
    PART_OF = "desk"
    CSS_PATH = sheet("log")
    BINDINGS: ClassVar[list[Binding]] = bindings("log")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#events"
    SORTS = EVENT_SORTS
    BY_TIME = "number"
    DID_THEN = "is of"

    def __init__(self, context: Context, chain: str) -> None:
        super().__init__(context)
        self._chain = chain
        self._is_followed = False
        self._only = ""
        """The asset whose events alone are shown; "" for all."""

    def body(self) -> Iterable[Widget]:
        """Where one is, the events, the current one in full."""
        yield Bar(id="place")
        yield Vertical(Table(log_columns(), id="events"), Lines(id="about"), id="body")

    @property
    def table(self) -> "Table[LoggedEvent]":
        """The events."""
        return self.query_one("#events", Table)

    @property
    def sorted_table(self) -> "Table[LoggedEvent]":
        """The same."""
        return self.table

    def list_again(self, *, turned: bool = False) -> None:
        """The cursor stays on its event."""
        self.show_order()
        self.table.empty = empty_log(self._only)
        self.table.show(EventSource(self.context.desk.lists, self._only, self.sorting.now), or_top=turned)
        self._tell()

    async def nearest(self, since: datetime, until: datetime, by_time: Sort) -> tuple[Hashable, datetime | None] | None:
        """By their numbers."""
        find, down = self.context.desk.lists.events.nearest, by_time.descending
        span = (since.timestamp(), until.timestamp())
        row = await self.context.read(lambda: find(self._only, *span, descending=down))
        return None if row is None else (row.event.number, row.event.at)

    def look(self) -> None:
        """Read them."""
        self.list_again()
        if not self._is_followed:
            self._is_followed = True
            self.attempt(self._follow, "log")

    async def _follow(self) -> None:
        """Where that is soon done, how the chain stands now."""
        if await self.context.read(self.context.desk.custody.log_rows) <= FOLLOWED_UNASKED:
            self._chain = await followed(self)
            self._tell()

    def see(self, snapshot: object, *, changed: bool) -> None:
        """New events stand above."""
        if changed:
            self.look()

    def _tell(self) -> None:
        table, chain = self.table, self._chain
        row = table.current
        self.query_one("#place", Bar).say(place_line(table.cursor + 1, table.total, self._only, self.sorting.now))
        self.query_one("#about", Lines).show(lambda width: event_rows(row, chain, width))

    def on_table_moved(self) -> None:
        """The current one in full."""
        self._tell()
        self.refresh_keys()

    def on_table_counted(self) -> None:
        """How many there are."""
        self._tell()

    def on_table_failed(self, event: "Table.Failed") -> None:
        """The ledger could not be read."""
        self.say(event.words, "bad")

    def on_table_opened(self) -> None:
        """To scroll it."""
        self.query_one("#about", Lines).focus()

    def do_log_only(self) -> None:
        """The events of the current one's asset alone; once more, all."""
        row = self.table.current
        self._only = "" if self._only or row is None else row.identity
        self.table.hold()
        self.look()

    def why_not(self, command: str) -> str:
        """What an event is of, it may not say."""
        if command == "log.only":
            row = self.table.current
            return "" if self._only or (row is not None and row.identity) else "this event is of no asset"
        return super().why_not(command)

    def focus_first(self) -> None:
        """The list."""
        self.table.focus()

    def do_mode_desk(self) -> None:
        """Back to the desk."""
        self.dismiss(None)

    def do_back(self) -> None:
        """From the details to the list, from one asset's events to all, from there to where one was."""
        if self.focused is not self.table:
            self.table.focus()
        elif self._only:
            self.do_log_only()
        else:
            self.dismiss(None)
