"""Lists without a filter: by what they are sorted, and going to a day."""

from collections.abc import Hashable
from datetime import datetime
from typing import Any, ClassVar

from tui.context import Context
from tui.screens.base import ModeScreen
from tui.sorting import Sorting, sorting
from tui.widgets.table import Table
from vault.views import Sort

_COMMANDS = frozenset({"list.sort", "list.reverse", "list.time", "list.day"})


class SortsRows(ModeScreen):
    """A screen with a list that has several orders, one of them by moments."""

    SORTS: ClassVar[tuple[str, ...]] = ()
    """The usual one first."""
    BY_TIME: ClassVar[str] = ""
    """The one by moments."""
    DID_THEN: ClassVar[str] = ""
    """What a row did at its moment, as a verb."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sorting: Sorting = sorting(self.SORTS)

    @property
    def sorted_table(self) -> "Table[Any]":
        """The list."""
        raise NotImplementedError

    def list_again(self, *, turned: bool = False) -> None:
        """Show the list in its order; the cursor stays on its row. `turned`: the order is another one than before."""
        raise NotImplementedError

    async def nearest(self, since: datetime, until: datetime, by_time: Sort) -> tuple[Hashable, datetime | None] | None:
        """The key and the moment of the row nearest to a day, in an order by moments; None where there is no row."""
        raise NotImplementedError

    def show_order(self) -> None:
        """The sign in the header, drawn with the rows."""
        glyphs, now = self.context.glyphs, self.sorting.now
        self.sorted_table.order = (now.by, glyphs.down if now.descending else glyphs.up)

    def _sort(self, sorting: Sorting) -> None:
        self.sorting = sorting
        self.list_again(turned=True)

    def do_list_sort(self) -> None:
        """The next order; what is newest or largest first, the rest from the first."""
        self._sort(self.sorting.next())
        self.say(f"sorted by {self.sorting.now.by}")

    def do_list_reverse(self) -> None:
        """The other way round."""
        self._sort(self.sorting.by(self.sorting.now.by))

    def on_table_headed(self, event: Table.Headed) -> None:
        """A title was clicked: by that column; once more, the other way round."""
        self._sort(self.sorting.by(event.sort))

    def do_list_day(self) -> None:
        """Ask for a day, and go there."""
        from tui.screens.day import ask_for_day

        ask_for_day(self, self._go_to)

    do_list_time = do_list_day

    async def _go_to(self, since: datetime, until: datetime) -> None:
        from tui.screens.day import there_words

        moved = self.sorting.now.by != self.BY_TIME
        sorting = self.sorting.by(self.BY_TIME) if moved else self.sorting
        found = await self.nearest(since, until, sorting.now)
        if found is None:
            self.say("nothing is listed that has a moment", "warn")
            return
        key, at = found
        self.sorting = sorting
        self.sorted_table.aim(key)
        self.list_again()
        self.say(there_words(at, since, until, self.DID_THEN, self.BY_TIME if moved else ""))

    def why_not(self, command: str) -> str:
        """An order is one of rows."""
        if command in _COMMANDS and not self.sorted_table.total:
            return "nothing is listed"
        return super().why_not(command)
