"""Keeping the desk's last frame for the next start: only the list, as it was without anything over it."""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from rich.cells import get_character_cell_size
from rich.console import RenderableType
from textual._compositor import LayoutUpdate
from textual.screen import Screen

from tui.first_paint import TellsFirstPaint
from tui.last_frame import MOST, Frame, Place, harmless, packed
from tui.screens.base import ModeScreen
from tui.wire.abilities import Abilities
from tui.wire.app import WiredApp
from tui.wire.cells import Cells
from tui.wire.glass import Glass, Update
from tui.wire.pencil import Pencil, Row
from vault.config import Config
from vault.private_files import replace_private

_OWN = frozenset("\x1b\r")
_LINK = re.compile("\x1b\\]8;[^\x1b]*\x1b\\\\")


class LastFrames:
    """Follows what is painted. `is_list`: whether a screen shows the list now; `clock`: Unix time."""

    def __init__(self, is_list: Callable[[Screen[object]], bool], clock: Callable[[], float]) -> None:
        self._is_list, self._clock = is_list, clock
        self._of: tuple[Screen[object], Glass] | None = None
        """The screen of which the glass holds a whole frame, with the list."""
        self._before: tuple[float, Cells, list[Row]] | None = None
        """As it was before something else was painted over it."""

    def painting(self, screen: Screen[object], update: Update, glass: Glass) -> None:
        """Something is painted on the glass now. The glass is another one when the terminal was attached anew."""
        is_list = self._is_list(screen)
        if self._of is not None and (self._of != (screen, glass) or not is_list):
            self._before, self._of = self._now(self._of[1]), None
        if glass.cells.full:  # they will mean something else
            self._of = self._before = None
        if is_list and isinstance(update, LayoutUpdate):  # other updates leave some of what was there before
            self._of = screen, glass

    def last(self) -> Frame | None:
        """The last one; None when there was none."""
        found = self._now(self._of[1]) if self._of is not None else self._before
        if found is None or len(found[2]) < 2:
            return None
        at, cells, rows = found
        return Frame(int(at), len(rows[0]), len(rows), as_text(cells, rows[:-1]))

    def _now(self, glass: Glass) -> tuple[float, Cells, list[Row]]:
        return self._clock(), glass.cells, [list(row) for row in glass.rows]


class KeepsFrame(WiredApp, TellsFirstPaint):
    """Knows its last frame, and draws in the place of the one before when it has the list."""

    last_frame: Frame | None = None
    """What the list looked like last, once the app ended properly."""
    _frames: LastFrames | None = None

    def follow(self, now: Callable[[], datetime]) -> None:
        """Begin to."""
        self.follower = self._frames = LastFrames(_is_list, lambda: now().timestamp())

    def first_painted(self) -> None:
        """The list is there, or is long in coming."""
        self.show_live()
        super().first_painted()

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """What is painted while it ends does not count any more."""
        if self._frames is not None and self.is_painted:
            self.last_frame = self._frames.last()
        self.follower = self._frames = None
        super().exit(result, return_code, message)


def _is_list(screen: Screen[object]) -> bool:
    hidden = screen.has_class("-reading") and (screen.has_class("-narrow") or screen.has_class("-tiny-width"))
    return isinstance(screen, ModeScreen) and screen.MODE == "desk" and not hidden


def as_text(cells: Cells, rows: list[Row]) -> str:
    """Rows as text, colours and places for any terminal; without links, and without what it might not draw."""
    pencil = Pencil(cells, Abilities(), len(rows[0]) if rows else 0, len(rows))
    words = _LINK.sub("", "".join(pencil.row(y, list(row)) for y, row in enumerate(rows)))
    if harmless(words, pencil.width, pencil.height + 1):
        return words
    return "".join(
        char if char in _OWN or harmless(char, 1, 2) else "?" * get_character_cell_size(char) for char in words
    )


def keep(frame: Frame | None, config: Config, environ: Mapping[str, str]) -> None:
    """Keep a frame beside the ledger, in place of the one before; where config.toml says so, none at all.

    It is only for looks: a disk that is full, or a place that is not the usual one, keeps none.
    """
    place = Place(environ)
    if os.path.abspath(config.data) != os.path.abspath(place.folder):
        return
    if not config.last_frame:
        place.remove()
    elif frame is not None and os.path.abspath(config.path) == os.path.abspath(place.config):
        content = packed(frame, place.depends(environ, frame.columns, frame.lines))
        if len(content) <= MOST and harmless(frame.rows, frame.columns, frame.lines):
            with suppress(OSError):
                replace_private(Path(place.path), content)
