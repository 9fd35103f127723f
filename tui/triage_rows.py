"""The desk's rows with what was decided about them: flags before the title, a release's time of grace as the state."""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui.triage_words import flags_line, left_words
from tui.widgets.columns import Column
from tui.widgets.ink import Line
from vault.views import MeetingRow

if TYPE_CHECKING:
    from vault.triage.views import ReleaseView


def release_cell(view: "ReleaseView", now: datetime, sign: str) -> Line:
    """How an open release stands: what is left of its grace, or that it is being sent."""
    left = view.left_s(now)
    return ((f"{sign} grace {left_words(left)}" if left else f"{sign} {view.state}", "warn"),)


def with_decisions(
    columns: Sequence[Column[MeetingRow]],
    release_of: "Callable[[Hashable], ReleaseView | None]",
    now: Callable[[], datetime],
    sign: str,
) -> tuple[Column[MeetingRow], ...]:
    """The columns, with flags before the title, and an open release in place of the state. `sign`: a release's."""

    def wrapped(column: Column[MeetingRow]) -> Column[MeetingRow]:
        plain_cells = column.cells

        def state(row: MeetingRow) -> Line:
            view = release_of(row.key)
            return release_cell(view, now(), sign) if view else plain_cells(row)

        def title(row: MeetingRow) -> Line:
            return (*flags_line(row.flags), *plain_cells(row))

        cells = {"State": state, "Title": title}.get(column.title, plain_cells)
        return replace(column, cells=cells)

    return tuple(map(wrapped, columns))
