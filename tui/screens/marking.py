"""Marks on a list's rows: for verbs that act on many at once."""

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable
from typing import Any

from tui import label
from tui.screens.base import ModeScreen
from tui.widgets.table import Table


class MarksRows(ModeScreen):
    """A screen whose rows can be marked, one by one, in ranges, or all that are listed."""

    @property
    def table(self) -> "Table[Any]":
        """The list."""
        raise NotImplementedError

    def marks_changed(self) -> None:
        """Marks came or went: for the line over the list."""

    def marked(self, words: str, back: Callable[[], Awaitable[None]]) -> None:
        """Marks came or went: `back` takes that back, where something can be taken back."""

    def unmark(self, keys: Iterable[Hashable]) -> None:
        """Marks go with the verb that they were for: the next one is never for rows that one sees no more."""
        self.table.marks.difference_update(keys)
        self.table.recolour()
        self.marks_changed()

    def do_list_mark(self) -> None:
        """Mark and go on."""
        table, key = self.table, self.table.current_key
        if key is None:
            return
        marked = key not in table.marks
        table.mark(key, marked)

        async def back() -> None:
            table.mark(key, not marked)

        self.marked("a mark" if marked else "an unmarking", back)
        table.move_to(table.cursor + 1)
        self.marks_changed()

    def do_list_unmark(self) -> None:
        """No marks."""
        self.table.unmark_all()
        self.marks_changed()

    def do_list_mark_all(self) -> None:
        """Every line of what is listed, also what is not seen."""
        self.attempt(self._mark_all)

    async def _mark_all(self) -> None:
        self._marked_at_once(await self.table.mark_between(0, self.table.total - 1))

    def do_list_mark_range(self) -> None:
        """From the line that was marked last to this one."""
        self.attempt(self._mark_range)

    async def _mark_range(self) -> None:
        self._marked_at_once(await self.table.mark_range())

    def _marked_at_once(self, new: Collection[Hashable]) -> None:
        """What was marked at once is unmarked at once."""
        table = self.table

        async def back() -> None:
            table.marks.difference_update(new)
            table.recolour()

        if new:
            self.marked(label.count(len(new), "mark"), back)
        more = "" if len(new) == len(table.marks) else " more"
        self.say(f"marked {len(new)}{more}; esc takes the marks away", "good" if new else "")
        self.marks_changed()
        self.refresh_keys()

    def why_not(self, command: str) -> str:
        """What there is to mark, or marked."""
        if command == "list.unmark":
            return "" if self.table.marks else "nothing is marked"
        if command == "list.mark-range":
            return "" if self.table.has_anchor else "no range begins yet: space marks where it does"
        if command in ("list.mark", "list.mark-all"):
            return "" if self.table.total else "there is nothing to mark"
        return super().why_not(command)
