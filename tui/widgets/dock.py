"""The transfers dock: one line a transfer under the desk, there only while something is."""

from collections import Counter
from datetime import datetime

from rich.cells import cell_len

from tui import label
from tui.context import Context
from tui.label import Glyphs, plain
from tui.rows import TRANSFER_INKS, left_words, next_try, progress_words, words_now
from tui.widgets.ink import Line
from tui.widgets.lines import Lines, Row
from vault.views import TransferState, TransferView

_LEAST_NAME = 16
"""Cells that a name keeps, however long the words beside it are."""


class Dock(Lines):
    """The transfers below a list; it takes no focus, and no room while nothing is under way."""

    def __init__(self, context: Context, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id, focusable=False)
        self._glyphs, self._now = context.glyphs, context.now

    def tell(self, transfers: tuple[TransferView, ...]) -> None:
        """What the engine knows of them now."""
        most = 5 if self.screen.size.height >= 30 else 3
        self.show(lambda width: dock_rows(transfers, width, self._glyphs, most, self._now()))
        self.display = bool(dock_rows(transfers, 80, self._glyphs, most, self._now()))


def dock_rows(transfers: tuple[TransferView, ...], width: int, glyphs: Glyphs, most: int, now: datetime) -> list[Row]:
    """What is under way or went wrong, as many as fit, and how many more there are."""
    shown = [view for view in transfers if not view.state.ended or view.state is TransferState.FAILED]
    # Running ones first; failed ones after what still moves.
    shown.sort(key=lambda view: (view.state is TransferState.FAILED, view.state is not TransferState.RUNNING))
    rows = [_row(view, width, glyphs, now) for view in shown[: most if len(shown) <= most else most - 1]]
    if len(shown) > len(rows):
        more = Counter(str(view.state) for view in shown[len(rows) :])
        counts = ", ".join(f"{number} {state}" for state, number in more.items())
        rows.append(Row(((f"   and {counts}: 2 shows the queue", "dim"),)))
    return rows


def _row(view: TransferView, width: int, glyphs: Glyphs, now: datetime) -> Row:
    sign = (f" {glyphs.transfer[view.state]} ", TRANSFER_INKS[view.state])
    if view.state is TransferState.RUNNING:
        return Row((sign, *_moving(view, width - 3, glyphs)))
    return Row((sign, *_standing(view, width - 3, glyphs, now)))


def _moving(view: TransferView, width: int, glyphs: Glyphs) -> Line:
    """Name, attempt, bar, percent, rate, time left. Each has its place, so that nothing shifts while they change."""
    figures = f" {progress_words(view):>7} {label.rate(view.rate):>9} {left_words(view):>7} "
    bar_width = 16 if width >= 90 else 8
    again = f" try {view.attempts}" if view.attempts > 1 else ""
    room = max(width - bar_width - len(figures) - len(again) - 1, 4)
    name = _name(view, room, glyphs)
    return (
        (name + " " * (room - cell_len(name)), ""),
        (again + " ", "warn"),
        (label.bar(view.received, view.total, bar_width, glyphs), "info"),
        (figures, ""),
    )


def _standing(view: TransferView, width: int, glyphs: Glyphs, now: datetime) -> Line:
    """Name, state, what it waits for, and when it is tried next: of these the moment is never cut."""
    again = next_try(view, now)
    at = f", {again}" if again else ""
    words = words_now(view)
    paused = view.state is TransferState.PAUSED and view.received
    state = f"{view.state} at {progress_words(view)}" if paused else str(view.state)
    head = f"{state}: " if words else state
    if at and words and len(head) + cell_len(words) + len(at) > width - _LEAST_NAME - 3:
        head = ""  # The moment of the next try says as much.
    name = _name(view, max(width - 3 - len(head) - cell_len(words) - len(at), _LEAST_NAME), glyphs)
    room = max(width - cell_len(name) - 3 - len(head) - len(at), 0)
    return ((name, ""), ("  ", ""), (head + label.cut(words, room, glyphs.cut) + at, TRANSFER_INKS[view.state]))


def _name(view: TransferView, width: int, glyphs: Glyphs) -> str:
    """Title and kind; the title is cut, since the kind tells the assets of a meeting apart."""
    kind = f" {view.asset.kind}"
    title = plain(view.title) or plain(view.asset.meeting)
    return label.cut(label.cut(title, max(width - len(kind), 1), glyphs.cut) + kind, width, glyphs.cut)
