"""Cells: what stands in one place of the screen, as one number that compares fast.

A cell is a character and a pen. Characters whose width terminals disagree about (emoji that are joined, combining
marks) are clusters: kept in a table, and written with care.
"""

from functools import lru_cache
from typing import NamedTuple

from rich.cells import get_character_cell_size, split_graphemes
from rich.color import ColorSystem
from rich.style import Style
from textual.strip import Strip

_BITS = 21
_CODE = (1 << _BITS) - 1
FIRST_CLUSTER = 0x110000
FIRST_WIDE = 0x1100
"""Characters before it are never wide, clusters apart."""
REST = _CODE
"""The code of a wide character's right half."""
SPACE = 32
UNKNOWN = -1
"""A cell of which nobody knows what stands there."""
_MOST_CLUSTERS = 50_000
_MOST_STYLES = 8_192
_EMOJI = 0x1F000
_SYMBOLS = range(0x2000, 0x2E80)
_RESET_ONLY = frozenset({"6", "8", "21", "51", "52", "53"})
"""Attributes that terminals cannot be relied on to switch off one by one."""
_SEEN_ON_BLANKS = frozenset({"4", "7", "9", "21", "51", "52", "53"})
_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}


class Pen(NamedTuple):
    """How a cell is drawn: SGR's attributes, both colours ("" for the terminal's own), and OSC 8's link."""

    attributes: frozenset[str] = frozenset()
    colour: str = ""
    ground: str = ""
    link: str = ""

    @property
    def blank(self) -> "Pen":
        """The pen of a space in it: only what is seen there."""
        return self if self.attributes & _SEEN_ON_BLANKS or self.link else Pen(ground=self.ground)


class Cluster(NamedTuple):
    """A character whose width is in doubt: its text, the cells it has here, and how many more a terminal may take."""

    text: str
    width: int
    spill: int


class Cells:
    """Makes cells of styled text, and knows what each stands for. One for each colour system."""

    def __init__(self, colours: ColorSystem) -> None:
        self._colours = colours
        self.pens: list[Pen] = []
        self._numbers: dict[Pen, int] = {}
        self._styles: dict[Style, int] = {}
        self._clusters: list[Cluster] = []
        self._cluster_codes: dict[str, int] = {}
        self.plain = self.number(Pen())
        """The terminal's own pen."""
        self.blanks = [self.plain]
        """The pen of a space, for each pen."""
        self.empty = SPACE
        """An empty cell in it: the plain pen's number is 0."""
        self.of = lru_cache(8_192)(self._of)

    def number(self, pen: Pen) -> int:
        """The number of a pen."""
        number = self._numbers.get(pen)
        if number is None:
            number = self._numbers[pen] = len(self.pens)
            self.pens.append(pen)
            if number:
                self.blanks.append(number if pen.blank == pen else self.number(pen.blank))
        return number

    def pen(self, style: Style | None) -> int:
        """The pen that Textual would draw a style with."""
        if style is None:
            return self.plain
        number = self._styles.get(style)
        if number is None:
            if len(self._styles) >= _MOST_STYLES:
                self._styles.clear()
            number = self._styles[style] = self.number(self._made(style))
        return number

    def _made(self, style: Style) -> Pen:
        attributes, colour, ground = parsed(Strip.render_ansi(style, self._colours))
        link = f"id={style._link_id};{style._link}" if style._link else ""
        return Pen(attributes, colour, ground, link)

    def _of(self, text: str, pen: int) -> tuple[int, ...]:
        """The cells of a text, as many as it is wide."""
        base = pen << _BITS
        space = self.blanks[pen] << _BITS | SPACE
        if text.isascii():
            return tuple([space if char == " " else base | ord(char) for char in text])
        cells: list[int] = []
        for start, end, width in split_graphemes(text)[0]:
            char = text[start:end]
            if char == " ":
                cells.append(space)
            elif width:
                cells.append(base | (ord(char) if _sure(char, width) else self._cluster(char, width)))
                cells += [base | REST] * (width - 1)
        return tuple(cells)

    def _cluster(self, text: str, width: int) -> int:
        code = self._cluster_codes.get(text)
        if code is None:
            code = self._cluster_codes[text] = FIRST_CLUSTER + len(self._clusters)
            # A terminal that does not join emoji gives each its two cells.
            alone = sum(2 if ord(char) >= _EMOJI else get_character_cell_size(char) for char in text)
            spill = alone + ("\ufe0f" in text) - width
            harmless = "".join(char for char in text if char >= " " and not "\x7f" <= char < "\xa0")
            self._clusters.append(Cluster(harmless, width, max(spill, 0)))
        return code

    @property
    def full(self) -> bool:
        """Whether so many clusters were met that they should be begun with anew."""
        return len(self._clusters) >= _MOST_CLUSTERS

    def begin_anew(self) -> None:
        """Forget the clusters: cells that were made before mean nothing any more."""
        self._clusters.clear()
        self._cluster_codes.clear()
        self.of.cache_clear()

    def cluster(self, code: int) -> Cluster:
        """What a cluster's code stands for."""
        return self._clusters[code - FIRST_CLUSTER]

    def width(self, code: int) -> int:
        """How many cells a character has."""
        return self.cluster(code).width if in_doubt(code) else get_character_cell_size(chr(code))

    def blank(self, cell: int) -> int:
        """A space on the ground of a cell."""
        return self.blanks[cell >> _BITS] << _BITS | SPACE


def code_of(cell: int) -> int:
    """The character's code; REST, or a cluster's."""
    return cell & _CODE


def pen_of(cell: int) -> int:
    """The pen's number."""
    return cell >> _BITS


def in_doubt(code: int) -> bool:
    """Whether it is a cluster's."""
    return FIRST_CLUSTER <= code < REST


def _sure(char: str, width: int) -> bool:
    """Whether every terminal draws it in so many cells."""
    if len(char) > 1 or ord(char) >= _EMOJI:
        return False
    return width == 1 or ord(char) not in _SYMBOLS


def parsed(codes: str) -> tuple[frozenset[str], str, str]:
    """SGR's parameters as attributes, colour and ground."""
    attributes: list[str] = []
    colour = ground = ""
    rest = codes.split(";") if codes else []
    while rest:
        first = rest.pop(0)
        if first in ("38", "48"):
            taken = 2 if rest[0] == "5" else 4
            whole = ";".join([first, *rest[:taken]])
            rest = rest[taken:]
            colour, ground = (whole, ground) if first == "38" else (colour, whole)
        elif first in ("39", "49"):
            colour, ground = ("", ground) if first == "39" else (colour, "")
        elif len(first) > 1 and first[:-1] in ("3", "9"):
            colour = first
        elif len(first) > 1 and first[:-1] in ("4", "10"):
            ground = first
        else:
            attributes.append(first)
    return frozenset(attributes), colour, ground


def between(old: Pen, new: Pen) -> str:
    """The shortest SGR from one pen to another; the link is not its business."""
    if old[:3] == new[:3]:
        return ""
    anew = [*sorted(new.attributes), *filter(None, (new.colour, new.ground))]
    whole = ";".join(["0", *anew]) if anew else ""
    lost = old.attributes - new.attributes
    if lost & _RESET_ONLY:
        return f"\x1b[{whole}m"
    off = {_OFF[each] for each in lost}
    kept = {each for each in old.attributes & new.attributes if _OFF.get(each, "") not in off}
    steps = [*sorted(off), *sorted(new.attributes - kept)]
    if old.colour != new.colour:
        steps.append(new.colour or "39")
    if old.ground != new.ground:
        steps.append(new.ground or "49")
    step = ";".join(steps)
    return f"\x1b[{step if len(step) <= len(whole) else whole}m"


def onto_blank(old: Pen, new: Pen) -> Pen:
    """The pen to go to from `old` to write a space that is to look as in `new`: what is not seen there stays."""
    if new.attributes or old.link or new.link or old.attributes & _RESET_ONLY:
        return new
    return Pen(old.attributes - _SEEN_ON_BLANKS, old.colour, new.ground)
