"""A desk that is drawn twice from the same frames: as Textual writes them, and by the wire; both are read by pyte."""

import random
from collections.abc import Callable
from typing import Any, cast

import pyte
import pytest
from pyte.screens import Char
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import RenderableType
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.geometry import Size
from textual.screen import Screen
from textual.strip import Strip

from tests.tui.stage import NOW, StageEngine
from tui.app import DeskApp
from tui.wire.abilities import Abilities
from tui.wire.cells import Cells, in_doubt
from tui.wire.glass import SYNC_BEGIN, SYNC_END, Glass, Update, understood
from tui.wire.outlet import Outlet
from tui.wire.pencil import Pencil
from vault.engine import Engine

XTERM = Abilities(erases_cells=True, erases_in_ground=True, scrolls=True)
SCREEN = Abilities(scrolls=True)
NOTHING = Abilities()


class GroundlessScreen(pyte.Screen):
    """A terminal that erases to its own ground, whatever the pen's is, as GNU screen does."""

    def erase_characters(self, count: int | None = None) -> None:
        with_pen, self.cursor.attrs = self.cursor.attrs, self.default_char
        super().erase_characters(count)
        self.cursor.attrs = with_pen

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        with_pen, self.cursor.attrs = self.cursor.attrs, self.default_char
        super().erase_in_line(how, private)
        self.cursor.attrs = with_pen


class Tap:
    """In an outlet's place: counts, and takes nothing while `stalled`."""

    def __init__(self, screen: pyte.Screen) -> None:
        self._stream = pyte.ByteStream(screen)
        self.sizes: list[int] = []
        self.stalled = False
        self._rest = b""

    @property
    def blocked(self) -> bool:
        return self.stalled or bool(self._rest)

    def write(self, data: bytes) -> bool:
        self.sizes.append(len(data))
        for mode in (SYNC_BEGIN, SYNC_END):
            data = data.replace(mode.encode(), b"")
        self._stream.feed(data)
        return not self.stalled

    def cut(self) -> bytes:
        return b""


class Twin:
    """Two terminals of one size. `same`: whether both show the same."""

    def __init__(
        self, width: int, height: int, abilities: Abilities = XTERM, colours: ColorSystem = ColorSystem.TRUECOLOR
    ) -> None:
        self.abilities, self.cells = abilities, Cells(colours)
        kind = pyte.Screen if abilities.erases_in_ground else GroundlessScreen
        self.stock, self.wired = kind(width, height), kind(width, height)
        self._stock_stream = pyte.Stream(self.stock)
        self.tap = Tap(self.wired)
        self.glass = Glass(
            lambda columns, rows: Pencil(self.cells, abilities, columns, rows),
            self.cells,
            cast(Outlet, self.tap),
            later=lambda _seconds, _call: None,
            synchronised=lambda: True,
            cursor=lambda: None,
        )
        for stream in (self._stock_stream, pyte.Stream(self.wired)):
            stream.feed("\x1b[?7l")
        self.stock_bytes = 0
        self.whole = False
        """Whether a frame of this size was drawn. Until then a terminal without the wire shows what it has got."""

    def draw(self, update: Update, console: Any) -> None:
        size = Size(self.stock.columns, self.stock.lines)
        self.whole |= isinstance(update, LayoutUpdate) and update.region == size.region
        words = _as_textual_writes(update, console)
        self.stock_bytes += len(words.encode())
        self._stock_stream.feed(words)
        self.glass.paint(update)

    def resize(self, width: int, height: int) -> None:
        for screen in (self.stock, self.wired):
            screen.resize(height, width)
            screen.reset()
            screen.reset_mode(7, private=True)
        self.glass.forget()
        self.whole = False

    def differences(self) -> list[str]:
        """Where the two differ, in words; rows with characters whose width is in doubt are compared to the frame."""
        found: list[str] = []
        if not self.whole:
            return found
        dirty = self.stock.dirty | self.wired.dirty
        for y in sorted(y for y in dirty if y < self.stock.lines):
            if self.stock.buffer[y] == self.wired.buffer[y]:
                continue
            row = self.glass._rows[y]
            doubtful = {x for x, cell in enumerate(row) if in_doubt(cell & 0x1FFFFF)}
            if doubtful:
                found += self._against_frame(y, row, doubtful)
                continue
            for x in range(self.stock.columns):
                ours, theirs = (_plain(screen.buffer[y][x]) for screen in (self.wired, self.stock))
                if ours != theirs:
                    found.append(f"{y},{x}: {ours} instead of {theirs}")
        self.stock.dirty.clear()
        self.wired.dirty.clear()
        return found

    def _against_frame(self, y: int, row: list[int], doubtful: set[int]) -> list[str]:
        skip: set[int] = set()
        for x in doubtful:
            skip |= set(range(x, x + self.cells.cluster(row[x] & 0x1FFFFF).width))
        found = []
        for x, cell in enumerate(row):
            code = cell & 0x1FFFFF
            if x in skip or code >= 0x110000:
                continue
            shown = self.wired.buffer[y][x].data
            if shown != chr(code):
                found.append(f"{y},{x}: {shown!r} instead of {chr(code)!r}")
        return found


def _as_textual_writes(update: Update, console: Any) -> str:
    def render_style(style: Style, text: str, color_system: ColorSystem) -> str:
        # Textual's keeps in a style what it was first rendered as: right for one colour system in a process.
        codes = Strip.render_ansi(style, color_system)
        return f"\x1b[{codes}m{text}\x1b[0m" if codes else text

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Strip, "render_style", staticmethod(render_style))
        return update.render_segments(console)


def _plain(char: Char) -> tuple[Any, ...]:
    """What is seen of a cell: of a blank its ground alone."""
    if char.data == " " and not (char.reverse or char.underscore or char.strikethrough):
        return (" ", char.bg)
    return tuple(char)


class TwinApp(DeskApp):
    """The desk, whose frames go to twins."""

    def __init__(self, engine: StageEngine, twin: Twin, **options: Any) -> None:
        options.setdefault("environ", {})
        super().__init__(cast(Engine, engine), now=lambda: NOW, **options)
        self.twin = twin
        self.frames = 0
        self.on_frame: Callable[[], None] = lambda: None

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if understood(renderable) and not self._batch_count:
            width, height = self.size
            if (width, height) != (self.twin.stock.columns, self.twin.stock.lines):
                self.twin.resize(width, height)
            self.twin.draw(renderable, self.console)
            self.frames += 1
            self.on_frame()
        super()._display(screen, renderable)


KEYS = (*"jjjjkkjkgG2345611111fsSR /?uaM", "pagedown", "pagedown", "pageup", "down", "up", "ctrl+d", "ctrl+u",
        "space", "enter", "escape", "escape", "tab", "home", "end", "ctrl+p", "T", "ctrl+t", "left", "right",
        "n", "y", "o", "v")  # fmt: skip
"""Nothing that leaves the desk or asks a service."""


def keys(seed: int, count: int) -> list[str]:
    """A random session."""
    chance = random.Random(seed)
    return [chance.choice(KEYS) for _ in range(count)]


def width(text: str) -> int:
    return cell_len(text)
