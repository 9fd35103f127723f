"""What every widget that draws its own lines shares: named inks, and lines made of runs of text."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.widget import Widget

Run = tuple[str, str]
"""Text and the name of its ink ("" for the plain one)."""
Line = tuple[Run, ...]

INKS = ("dim", "strong", "good", "warn", "bad", "info", "head", "cursor", "cursor-blurred", "mark", "off")
INK_CLASSES = frozenset(f"ink--{name}" for name in INKS)
"""Every screen with such widgets has them as its COMPONENT_CLASSES. Textual styles each of them for each node that has
them: had by the widgets, they were most of what it styled before the first frame."""


def text_of(line: Line) -> str:
    """A line without its inks."""
    return "".join(text for text, _ in line)


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells: at spaces, and inside a word only where it is longer than a line."""
    width = max(width, 2)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        words = paragraph.lstrip(" ")
        # What is indented (a record's JSON) stays so, its further lines too.
        indent = " " * min(len(paragraph) - len(words), width // 2)
        lines += [indent + line for line in _wrap_paragraph(words, width - len(indent))]
    return lines


def _wrap_paragraph(paragraph: str, width: int) -> list[str]:
    lines: list[str] = []
    current, used = "", 0
    for word in paragraph.split(" "):
        wide = cell_len(word)
        if current and used + 1 + wide <= width:
            current, used = f"{current} {word}", used + 1 + wide
            continue
        if current:
            lines.append(current)
        *full, current = _chop(word, width)
        lines += full
        used = cell_len(current)
    lines.append(current)
    return lines


def _chop(word: str, width: int) -> list[str]:
    if cell_len(word) <= width:
        return [word]
    pieces: list[str] = []
    piece, used = "", 0
    for char in word:
        wide = cell_len(char)
        if used + wide > width:
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + char, used + wide
    return [*pieces, piece]


# Textual looks for bindings and sheets along the first base that is a widget: that has to be its own.
if TYPE_CHECKING:
    _Base = Widget
else:
    _Base = object


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers that follow each other, taken together: the first, and that behind the last."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number, number + 1))
    return runs


class KeepsStrips(_Base):
    """Of a widget whose lines are asked for whenever any line of its screen changes: drawn only where they did."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self._strips: list[Strip] = []
        self._strips_of: Region | None = None
        """The part of the widget that `_strips` shows; None: it is not to be used any more."""
        super().__init__(*args, **more)

    def notify_style_update(self) -> None:
        """Another theme, or the focus: other styles."""
        self._strips_of = None
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines as they were drawn, but for those that are to be drawn again.

        Whatever changes on a screen, Textual asks each of its widgets for all lines, and takes them through filters.
        """
        cache = self._styles_cache  # private, and held by a test
        if crop != self._strips_of or len(cache._cache) < crop.height:
            self._strips = super().render_lines(crop)
            self._strips_of = crop
        else:
            for first, behind in _runs(cache._dirty_lines.intersection(crop.line_range)):
                part = Region(crop.x, first, crop.width, behind - first)
                self._strips[first - crop.y : behind - crop.y] = super().render_lines(part)
        return self._strips


class KeptScrollBar(KeepsStrips, ScrollBar):
    """A scrollbar that is drawn when it moves: two of them took as long as a cursor's two rows, with every move."""


class Inked(KeepsStrips, ScrollView, can_focus=False):
    """A widget that draws lines of runs, one Segment a run; inks are styles named in base.tcss."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        self._inks: dict[tuple[str, str], Style] = {}
        """Each ink on the widget's own style, and what is laid over it: Textual would make them anew for each line."""
        super().__init__(id=id)

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """Made with the first look, as Textual's is."""
        if self._vertical_scrollbar is None:  # private, and held by a test
            bar = KeptScrollBar(vertical=True, name="vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self._vertical_scrollbar = bar
            self.app._start_widget(self, bar)
        return self._vertical_scrollbar

    def notify_style_update(self) -> None:
        """Another theme, or the focus: other styles."""
        self._inks.clear()
        super().notify_style_update()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """All of it anew, its styles too, where no regions are named."""
        if not regions:
            self._inks.clear()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def ink(self, name: str) -> Style:
        """The ink's own style, to lay over the widget's."""
        return self.screen.get_component_rich_style(f"ink--{name}", partial=True) if name else Style.null()

    def _inked(self, name: str, over: str) -> Style:
        style = self._inks.get((name, over))
        if style is None:
            style = self._inks[name, over] = self.rich_style + self.ink(name) + self.ink(over)
        return style

    def draw(self, line: Iterable[Run], width: int, over: str = "") -> Strip:
        """A strip of exactly `width` cells, with the ink `over` laid over all of it."""
        segments: list[Segment] = []
        left = width
        for text, name in line:
            if left <= 0:
                break
            wide = cell_len(text)
            if wide > left:
                text, wide = set_cell_size(text, left), left
            segments.append(Segment(text, self._inked(name, over)))
            left -= wide
        if left > 0:
            segments.append(Segment(" " * left, self._inked("", over)))
        return Strip(segments, width)
