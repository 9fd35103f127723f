"""The present frame, and its way to the terminal: what the terminal has not taken yet is replaced by what is newer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

from tui.wire.cells import REST, SPACE, UNKNOWN, Cells, code_of
from tui.wire.outlet import Outlet
from tui.wire.pencil import Pencil, Row
from tui.wire.scrolling import LEAST_ROWS, Move, moved

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Update: TypeAlias = LayoutUpdate | ChopsUpdate
PIECE = 4_096
"""Bytes that are made at a time: so much of a frame is stale at most when the terminal stops reading."""
MOST_WAIT_S = 0.25
"""However large a frame was, the next one follows it after this."""
SYNC_BEGIN, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"


class Glass:
    """What the terminal is to show (rows of cells), painted by Textual's compositor, and what it shows (the pencil).

    `bytes_s`: at how many bytes a second frames follow each other, 0 for no limit; `later`: what calls a function after
    so many seconds. `synchronised`: whether the terminal holds a frame until it is whole. `cursor`: where the cursor
    belongs, None: nowhere. `held`: whether no frame is written before `show`, since another one stands there.
    """

    def __init__(
        self,
        make_pencil: Callable[[int, int], Pencil],
        cells: Cells,
        outlet: Outlet,
        *,
        bytes_s: int = 0,
        later: Callable[[float, Callable[[], None]], object],
        synchronised: Callable[[], bool],
        cursor: Callable[[], tuple[int, int] | None],
        held: bool = False,
    ) -> None:
        self._make_pencil, self.cells, self._outlet = make_pencil, cells, outlet
        self._synchronised, self._cursor = synchronised, cursor
        self._bytes_s, self._later = bytes_s, later
        self._held = False
        """Whether more belongs to what was painted."""
        self._resting = False
        """Whether the next frame waits for its time."""
        self._held, self._then = held, ""
        self._pencil = make_pencil(0, 0)
        self._rows: list[Row] = []
        self._dirty: set[int] = set()
        self._controls: list[str] = []
        self._open = False
        """Whether the terminal was told to hold back a frame."""
        self._going_on = False
        """Whether a frame is being written whose first rows are out."""

    # What comes in -----------------------------------------------------------------------------------------------

    def paint(self, update: Update) -> None:
        """Take over what the compositor drew, and write it as far as the terminal takes it."""
        if isinstance(update, LayoutUpdate):
            self._fit(update.region.width, update.region.height)
            if self.cells.full:  # every cell is made anew now
                self.cells.begin_anew()
                self.forget()
            for y, line in enumerate(update.strips, update.region.y):
                self._put(y, update.region.x, line)
        else:
            for y, x1, x2 in update.spans:
                for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                    if strip is not None and x <= x2 and end > x1:
                        whole = x1 <= x < x2 and end <= x2
                        self._put(y, x, (strip if whole else strip.crop(0, min(end, x2) - x),))
        self.pump()

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is painted in it is written together at its end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self.pump()

    def control(self, sequence: str) -> None:
        """A sequence that draws nothing (a mode, the clipboard, the bell): in its turn, before the next frame."""
        if sequence != "\a" or sequence not in self._controls:
            self._controls.append(sequence)
        self.pump()

    @property
    def rows(self) -> list[Row]:
        """The present frame; not to be changed."""
        return self._rows

    def show(self, then: str) -> None:
        """Write frames from now on; after the first one, this sequence that draws nothing."""
        if self._held:
            self._held, self._then = False, then
            self.pump()

    def forget(self) -> None:
        """Nobody knows what the terminal shows: all of the present frame is written again."""
        self._pencil = self._make_pencil(self._pencil.width, self._pencil.height)
        self._dirty = set(range(len(self._rows)))
        self._going_on = False

    def _fit(self, width: int, height: int) -> None:
        if (width, height) != (self._pencil.width, self._pencil.height):
            self._pencil = self._make_pencil(width, height)
            self._rows = [[self.cells.empty] * width for _ in range(height)]
            self._dirty = set(range(height))

    def _put(self, y: int, x: int, strips: Iterable[Strip]) -> None:
        of, pen = self.cells.of, self.cells.pen
        cells: list[int] = []
        for strip in strips:
            for text, style, control in strip._segments:
                if not control:
                    cells += of(text, pen(style))
        width = self._pencil.width
        if not 0 <= y < len(self._rows) or not 0 <= x < width or not cells:
            return
        del cells[width - x :]
        row = self._rows[y]
        end = x + len(cells)
        # Half of a wide character cannot stay.
        if code_of(row[x]) == REST and code_of(cells[0]) != REST and x:
            row[x - 1] = self.cells.blank(row[x - 1])
        row[x:end] = cells
        if end < width and code_of(row[end]) == REST:
            row[end] = self.cells.blank(row[end])
        if end == width and len(cells) > 1 and self._cut_in_two(row):
            row[-1] = self.cells.blank(row[-1])
        self._dirty.add(y)

    def _cut_in_two(self, row: Row) -> bool:
        """Whether the last cell is a wide character's left half."""
        code = code_of(row[-1])
        return code not in (REST, SPACE) and self.cells.width(code) > 1

    # What goes out -----------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Write what differs, until all is written or the terminal is behind."""
        size = 0
        while not self._held and not self._outlet.blocked and not self._resting:
            words = self._piece().encode(errors="replace")
            if not words:
                break
            size += len(words)
            if not self._outlet.write(words):
                self._going_on = False  # what comes next may be another frame
        if size and self._bytes_s:
            self._resting = True
            self._later(min(size / self._bytes_s, MOST_WAIT_S), self._rested)

    def _rested(self) -> None:
        self._resting = False
        self.pump()

    def _piece(self) -> str:
        parts: list[str] = []
        if self._controls:
            parts += self._controls
            self._controls = []
            self._pencil.lost()
        if self._held:
            return "".join(parts)
        left = self._left()
        if len(left) > 1 and not self._open and self._synchronised():
            self._open = True
            parts.append(SYNC_BEGIN)
        if not self._going_on and (move := self._move(left)):
            parts.append(self._pencil.scroll(*move))
            self._dirty.update(range(move.top, move.bottom + 1))
            left = self._left()
        rows, size = self._rows, 0
        for y in left:
            words = self._pencil.row(y, list(rows[y]))
            parts.append(words)
            self._dirty.discard(y)
            size += len(words)
            if size >= PIECE:
                self._going_on = True
                return "".join(parts)
        self._dirty.clear()
        self._going_on = False
        if left and (cursor := self._cursor()) is not None:
            parts.append(self._pencil.place(*cursor))
        if self._open:
            self._open = False
            parts.append(SYNC_END)
        if self._then:
            parts.append(self._then)
            self._then = ""
            self._pencil.lost()
        return "".join(parts)

    def _left(self) -> list[int]:
        """The rows that differ."""
        shown, rows = self._pencil.shown, self._rows
        return sorted(y for y in self._dirty if rows[y] != shown[y])

    def _move(self, left: Sequence[int]) -> Move | None:
        if len(left) < LEAST_ROWS or not self._pencil.scrolls or self._pencil.shown[left[-1]][-1] == UNKNOWN:
            return None
        return moved(self._pencil.shown, self._rows)

    def end(self) -> bytes:
        """Give the terminal back: what restores its pen and its lines, whatever was cut short."""
        self._controls.clear()
        self._dirty.clear()
        opened, self._open = self._open, False
        return self._outlet.cut() + (SYNC_END.encode() if opened else b"") + b"\x1b[r\x1b[0m"


def understood(renderable: RenderableType | None) -> "TypeIs[Update]":
    """Whether it is a frame of the compositor."""
    return isinstance(renderable, LayoutUpdate | ChopsUpdate)
