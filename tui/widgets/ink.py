"""What every widget that draws its own lines shares: named inks, and lines made of runs of text."""

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.scroll_view import ScrollView
from textual.strip import Strip

Run = tuple[str, str]
"""Text and the name of its ink ("" for the plain one)."""
Line = tuple[Run, ...]

INKS = ("dim", "strong", "good", "warn", "bad", "info", "head", "cursor", "cursor-blurred", "mark", "off")


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


class Inked(ScrollView, can_focus=False):
    """A widget that draws lines of runs, one Segment a run; inks are styles named in base.tcss."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"ink--{name}" for name in INKS}
    ALLOW_SELECT = False

    def ink(self, name: str) -> Style:
        """The ink's own style, to lay over the widget's."""
        return self.get_component_rich_style(f"ink--{name}", partial=True) if name else Style.null()

    def draw(self, line: Iterable[Run], width: int, over: str = "") -> Strip:
        """A strip of exactly `width` cells, with the ink `over` laid over all of it."""
        base = self.rich_style
        top = self.ink(over)
        segments: list[Segment] = []
        left = width
        for text, name in line:
            if left <= 0:
                break
            wide = cell_len(text)
            if wide > left:
                text, wide = set_cell_size(text, left), left
            segments.append(Segment(text, base + self.ink(name) + top))
            left -= wide
        if left > 0:
            segments.append(Segment(" " * left, base + top))
        return Strip(segments, width)
