"""Columns that fit: which ones a width has room for, and how wide each one is."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct
from rich.cells import cell_len

from tui.label import cut
from tui.widgets.ink import Line

Row = TypeVar("Row")
GAP = 1


class Column(Struct, Generic[Row], frozen=True):
    """One column. Lower priority stays longer; one with `flex` takes what is left beyond `width`."""

    title: str
    width: int
    priority: int
    cells: Callable[[Row], Line]
    flex: bool = False
    right: bool = False
    sort: str = ""
    """The order that it stands for; "" for none."""
    leaves: int = 0
    """Cells that those that flex must have beyond their own; else it is left out."""


def fit(columns: Sequence[Column[Row]], width: int) -> list[tuple[Column[Row], int]]:
    """The columns that fit into `width` cells, in their order, each with its width."""
    kept = list(columns)
    while len(kept) > 1:
        last = max(kept, key=lambda column: column.priority)
        if _needed(kept) + last.leaves <= width:
            break
        kept.remove(last)
    spare = max(width - _needed(kept), 0)
    flexible = [column for column in kept if column.flex]
    widths = []
    for column in kept:
        extra = spare // len(flexible) if column.flex else 0
        widths.append((column, column.width + extra))
    return widths


def _needed(columns: Sequence[Column[Row]]) -> int:
    return sum(column.width for column in columns) + GAP * max(len(columns) - 1, 0)


def header(columns: Sequence[tuple[Column[Row], int]], sort: str = "", sign: str = "") -> Line:
    """The titles over the columns; the one of `sort` has a sign."""
    runs: list[tuple[str, str]] = []
    for column, width in columns:
        title = _signed(column.title, sign, width) if sign and column.sort == sort else column.title
        runs += _padded(((title, ""),), width, column.right)
        runs.append((" " * GAP, ""))
    return tuple(runs[:-1])


def _signed(title: str, sign: str, width: int) -> str:
    """A title with a sign, which stays where there is no room for both."""
    room = width - cell_len(sign)
    return f"{title} {sign}" if cell_len(title) < room else f"{title[: max(room, 0)]}{sign}"


def line(row: Row, columns: Sequence[tuple[Column[Row], int]]) -> Line:
    """A row's cells, each cut or padded to its column."""
    runs: list[tuple[str, str]] = []
    for column, width in columns:
        runs += _padded(column.cells(row), width, column.right)
        runs.append((" " * GAP, ""))
    return tuple(runs[:-1])


def _padded(cells: Line, width: int, right: bool) -> list[tuple[str, str]]:
    runs: list[tuple[str, str]] = []
    left = width
    for text, ink in cells:
        shown = cut(text, left)
        runs.append((shown, ink))
        left -= cell_len(shown)
    pad = (" " * max(left, 0), "")
    return [pad, *runs] if right else [*runs, pad]
