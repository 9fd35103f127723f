"""Writes rows onto a terminal: the cells that differ, with few moves of the cursor and few changes of the pen."""

from functools import lru_cache

from tui.wire.abilities import Abilities
from tui.wire.cells import (
    FIRST_CLUSTER,
    FIRST_WIDE,
    REST,
    SPACE,
    UNKNOWN,
    Cells,
    between,
    code_of,
    in_doubt,
    onto_blank,
    pen_of,
)

Row = list[int]
_LEAST_ERASED = 10
"""Blanks that are cheaper to erase than to write."""
_LEAST_TAIL = 4
"""The same at a row's end, where nothing has to follow."""
_STEP = 16
_FILLED = 4
"""Cells that are rather written again than leapt over."""


class Pencil:
    """What a terminal of `width` x `height` shows, row by row, and where its cursor and which its pen is."""

    def __init__(self, cells: Cells, abilities: Abilities, width: int, height: int) -> None:
        self._cells = cells
        self._abilities = abilities
        self.width, self.height = width, height
        self.shown: list[Row] = [[UNKNOWN] * width for _ in range(height)]
        self._pen: int | None = None
        self._x: int | None = None
        """None: somewhere in row `_y`."""
        self._y: int | None = None
        self._change = lru_cache(4_096)(self._changed)

    @property
    def scrolls(self) -> bool:
        """Whether the terminal moves lines."""
        return self._abilities.scrolls

    def lost(self) -> None:
        """The cursor and the pen may be anywhere."""
        self._pen = self._x = self._y = None

    # Rows --------------------------------------------------------------------------------------------------------

    def row(self, y: int, new: Row) -> str:
        """What has row `y` show `new`, which is kept as shown. The caller gives a row that nobody changes later."""
        old = self.shown[y]
        differing = _differing(old, new)
        self.shown[y] = new
        if not differing:
            return ""
        out: list[str] = []
        tail = self._tail(new, differing)
        done = 0  # what is left of it is right
        forced = 0  # up to here it is written, whether it differs or not
        at = 0
        while True:
            while at < len(differing) and differing[at] < done:
                at += 1
            x = done if done < forced else differing[at] if at < len(differing) else self.width
            if x >= self.width:
                break
            if x >= tail:
                out += self._erased(x, y, new[x], 0)
                break
            if code_of(new[x]) == REST and x > done:
                x -= 1
            blanks = self._blanks(new, x, tail) if code_of(new[x]) == SPACE else 0
            if blanks >= _LEAST_ERASED and self._erases(new[x]):
                out += self._erased(x, y, new[x], blanks)
                done = x + blanks
                continue
            done, forced = self._written(out, x, y, new, forced)
            if done >= forced and self._x == done:
                self._x = done = self._run(out, old, new, done, tail)
        return "".join(out)

    def _written(self, out: list[str], x: int, y: int, new: Row, forced: int) -> tuple[int, int]:
        """Write the character at x. Gives where it ends, and up to where all has to be written after it."""
        cell = new[x]
        code = code_of(cell)
        out.append(self._move(x, y, new))
        if in_doubt(code):
            cluster = self._cells.cluster(code)
            out.append(self._to_pen(cell))
            # A terminal that draws it narrower would leave beside it what was there before.
            out.append(f"{' ' * cluster.width}\x1b[{x + 1}G{cluster.text}")
            self._x = None
            return x + cluster.width, max(forced, min(x + cluster.width + cluster.spill, self.width))
        wide = 2 if x + 1 < self.width and code_of(new[x + 1]) == REST else 1
        out.append(self._to_pen(cell) + chr(code))
        self._x = x + wide if x + wide < self.width else None
        return x + wide, forced

    def _run(self, out: list[str], old: Row, new: Row, start: int, tail: int) -> int:
        """Go on writing plain characters that differ, as long as the pen stays; gives where that ended."""
        pen, x, end = self._pen, start, min(tail, self.width - 1)
        while x < end:
            cell = new[x]
            code = code_of(cell)
            if cell == old[x] or (code >= FIRST_WIDE and (code >= FIRST_CLUSTER or code_of(new[x + 1]) == REST)):
                break
            if code == SPACE:
                if new[x + 1] == cell or self._change(pen, pen_of(cell), True)[0]:
                    break
            elif pen_of(cell) != pen:
                break
            out.append(chr(code))
            x += 1
        return x

    def _tail(self, new: Row, differing: list[int]) -> int:
        """From where a row is best erased to its end; its width when it is not."""
        last = new[-1]
        if code_of(last) != SPACE or not self._erases(last):
            return self.width
        start = self.width
        while start and new[start - 1] == last:
            start -= 1
        return start if sum(x >= start for x in differing) >= _LEAST_TAIL else self.width

    def _erases(self, cell: int) -> bool:
        """Whether erasing gives this blank."""
        pen = self._cells.pens[pen_of(cell)]
        return not pen.attributes and not pen.link and (self._abilities.erases_in_ground or not pen.ground)

    def _blanks(self, new: Row, x: int, end: int) -> int:
        cell = new[x]
        if not self._abilities.erases_cells:
            return 0
        stop = x
        while stop < end and new[stop] == cell:
            stop += 1
        return stop - x

    def _erased(self, x: int, y: int, cell: int, count: int) -> list[str]:
        """Blanks from x on; 0: to the row's end."""
        return [self._move(x, y, None), self._to_pen(cell), f"\x1b[{count}X" if count else "\x1b[K"]

    # The cursor --------------------------------------------------------------------------------------------------

    def place(self, x: int, y: int) -> str:
        """Put the cursor somewhere."""
        return self._move(x, y, None) if 0 <= x < self.width and 0 <= y < self.height else ""

    def _move(self, x: int, y: int, row: Row | None) -> str:
        here = self._x
        if self._y == y and here == x:
            return ""
        best = f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H" if y else "\x1b[H"
        ways: list[str] = []
        if self._y == y:
            ways.append(f"\x1b[{x + 1}G")
            if not x:
                ways.append("\r")
            if here is not None and x > here:
                ways.append(f"\x1b[{x - here}C" if x - here > 1 else "\x1b[C")
                if row is not None and x - here <= _FILLED and (same := self._same(row, here, x)):
                    ways.append(same)
            elif here is not None:
                ways.append(f"\x1b[{here - x if here - x > 1 else ''}D")
        elif here == x and self._y is not None:
            down = y - self._y
            ways.append(f"\x1b[{abs(down) if abs(down) > 1 else ''}{'B' if down > 0 else 'A'}")
        self._x, self._y = x, y
        return min([best, *ways], key=len)

    def _same(self, row: Row, start: int, end: int) -> str:
        """What stands there, when it can be written with the pen as it is."""
        if self._pen is None:
            return ""
        pen = self._pen
        if any(
            not SPACE <= code_of(cell) < 127 or self._change(pen, pen_of(cell), code_of(cell) == SPACE)[0]
            for cell in row[start:end]
        ):
            return ""
        return "".join(chr(code_of(cell)) for cell in row[start:end])

    # The pen -----------------------------------------------------------------------------------------------------

    def _to_pen(self, cell: int) -> str:
        wanted = pen_of(cell)
        if self._pen == wanted:
            return ""
        words, self._pen = self._change(self._pen, wanted, code_of(cell) == SPACE)
        return words

    def _changed(self, now: int | None, wanted: int, blank: bool) -> tuple[str, int]:
        new = self._cells.pens[wanted]
        if now is None:
            return "\x1b[0m" + between(self._cells.pens[self._cells.plain], new) + _link("", new.link), wanted
        old = self._cells.pens[now]
        if blank:
            new = onto_blank(old, new)
        return between(old, new) + _link(old.link, new.link), self._cells.number(new)

    # Bands -------------------------------------------------------------------------------------------------------

    def scroll(self, top: int, bottom: int, lines: int) -> str:
        """Move the rows from `top` to `bottom` (both in it) up by so many lines, down when negative."""
        count = abs(lines)
        band = self.shown[top : bottom + 1]
        fresh = [[self._cells.empty] * self.width for _ in range(count)]
        self.shown[top : bottom + 1] = [*band[count:], *fresh] if lines > 0 else [*fresh, *band[:-count]]
        number = "" if count == 1 else str(count)
        whole = bottom == self.height - 1
        margins, free = ("", "") if whole and not top else (f"\x1b[{top + 1};{bottom + 1}r", "\x1b[r")
        go = f"\x1b[{top + 1}H" if top else "\x1b[H"
        # Lines that come in empty have the pen's ground in some terminals: so it is the plain one.
        pen, self._pen = self._change(self._pen, self._cells.plain, False)
        # Where the cursor is after the margins changed, terminals do not agree.
        self._x, self._y = (None, None) if free else (0, top)
        return f"{pen}{margins}{go}\x1b[{number}{'M' if lines > 0 else 'L'}{free}"


def _differing(old: Row, new: Row) -> list[int]:
    """The columns that differ; looked for in steps, since most do not."""
    found: list[int] = []
    for start in range(0, len(new), _STEP):
        was, now = old[start : start + _STEP], new[start : start + _STEP]
        if was != now:
            found += [x for x, (one, other) in enumerate(zip(was, now, strict=True), start) if one != other]
    return found


def _link(old: str, new: str) -> str:
    if old == new:
        return ""
    return f"\x1b]8;{new}\x1b\\" if new else "\x1b]8;;\x1b\\"
