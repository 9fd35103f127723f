"""Textual's driver, but for its output: that goes through the glass, and never waits for the terminal.

Its keys are read without waking for nothing (tui/wire/keys.py).

Private places of Textual 8.2.8 that the wire stands on, held by tests/tui/test_wire_textual.py: `App._display`,
`Strip._segments`, `LayoutUpdate`, `ChopsUpdate`, and the LinuxDriver's `_file`, `_mouse`, `_get_terminal_size`,
`_enable_mouse_support`, `_enable_mouse_pixels`, `_disable_mouse_support`.
"""

import os
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.color import ColorSystem
from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.widgets import Input

from tui.wire.abilities import abilities
from tui.wire.cells import Cells
from tui.wire.glass import Glass, Update
from tui.wire.hearing import HEARS_S, Hearing, Hears
from tui.wire.keys import Wake, read_keys
from tui.wire.line import Line, Mouse
from tui.wire.meter import Meter
from tui.wire.outlet import Outlet
from tui.wire.pencil import Pencil

if TYPE_CHECKING:
    from tui.shown_frame import ShownFrame

ENDS_S = 0.25
"""So long is a terminal waited for that does not read while the desk ends."""
SETTLES_S = 0.2
_ALTERNATE = "\x1b[?1049h"
_MOUSE = {
    Mouse.OFF: (),
    Mouse.CLICKS: ("1000", "1002", "1006"),
    Mouse.ALL: ("1000", "1003", "1006"),
}
_MODES = ("1000", "1002", "1003", "1006")


class WireDriver(LinuxDriver):
    """Keys and modes as Textual has them; frames by difference. `meter`: what was sent so far; `glass`: the frame.

    Where a frame of an earlier desk stands on the terminal, that stays until `show_live`, and keys are not heard.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.meter = Meter()
        self.line: Line = getattr(app, "line", Line())
        self._thread = threading.get_ident()
        self.glass: Glass | None = None
        self._shown: ShownFrame | None = getattr(app, "shown", None)
        self._hearing = Hearing(deaf=False)
        self._is_alternate = False
        """Whether the terminal is on its other screen before it is sent there."""
        self._outlet: Outlet | None = None
        self.exit_event = self._wake = Wake()
        self._last: list[str] | None = None
        """What ends the application mode, while that is put together."""

    # Frames and sequences ----------------------------------------------------------------------------------------

    def paint(self, update: Update) -> None:
        """Show what the compositor drew."""
        if self.glass is not None:
            self.glass.paint(update)

    def write(self, data: str) -> None:
        """A sequence that draws nothing."""
        if threading.get_ident() != self._thread:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.write, data)
        elif self._last is not None:
            self._last.append(data)
        elif data == _ALTERNATE and self._is_alternate:
            self._is_alternate = False  # some terminals would empty it
        elif self.glass is not None:
            self.glass.control(data)

    def show_live(self) -> None:
        """From now on our own frames."""
        if self._hearing.deaf and self.glass is not None:
            self.glass.show(self._hearing.ask(len(self.glass.rows)))
            self._loop.call_later(HEARS_S, self._hearing.hear)

    def repaint(self) -> None:
        """Write the whole frame again, since the terminal may show anything."""
        if self.glass is not None:
            self.glass.forget()
            # Where the window has another size, a frame that fits it comes first.
            self._loop.call_later(SETTLES_S, self._pump)

    def _cursor(self) -> tuple[int, int] | None:
        # Hidden, but what an input method composes appears there. No screen has a TextArea.
        return self._app.cursor_position if isinstance(self._app.focused, Input) else None

    def _terminal(self) -> int:
        """Standard error is drawn on, as Textual does; where that goes elsewhere, standard output."""
        fileno = self._file.fileno() if self._file is not None else 2
        return fileno if os.isatty(fileno) else 1

    # Start and stop ----------------------------------------------------------------------------------------------

    def start_application_mode(self) -> None:
        """Begin with a terminal of which nothing is known."""
        self._end_outlet(b"")
        fileno = self._terminal()
        colours = self._app.console._color_system or ColorSystem.TRUECOLOR
        cells = Cells(colours)
        outlet = Outlet(fileno, self._pump, self.meter)
        self._outlet = outlet
        shown, self._shown = self._shown if self._shown is not None and self._shown.stands else None, None
        self._hearing = Hearing(deaf=shown is not None)
        self._is_alternate = shown is not None and shown.is_whole
        before, self.glass = (
            self.glass,
            Glass(
                partial(Pencil, cells, abilities(os.environ, fileno)),
                cells,
                outlet,
                bytes_s=self.line.bytes_s,
                later=self._loop.call_later,
                synchronised=lambda: self._app._sync_available,
                cursor=self._cursor,
                held=self._hearing.deaf,
            ),
        )
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's own
        if shown is not None:
            self.attrs_before = shown.attributes
            shown.hand_over()
        if before is not None:
            self._loop.call_soon(self._app.refresh)

    def stop_application_mode(self) -> None:
        """Give the terminal back, as far as it reads."""
        if self.glass is None:
            return
        self._last = [self.glass.end().decode()]
        super().stop_application_mode()
        words, self._last = "".join(self._last), None
        self._end_outlet(words.encode())

    def _end_outlet(self, last: bytes) -> None:
        if self._outlet is not None:
            self._outlet.last(last, ENDS_S)
            self._outlet = None

    def _pump(self) -> None:
        if self.glass is not None:
            self.glass.pump()

    def run_input_thread(self) -> None:
        """Until the input is disabled."""
        read_keys(self.fileno, self._wake, XTermParser(self._debug), self.process_message)

    def close(self) -> None:
        """The end of the driver, after that of its threads."""
        super().close()
        self._wake.close()

    # The terminal's size -----------------------------------------------------------------------------------------

    def _get_terminal_size(self) -> tuple[int, int]:
        # Asked for when the window's size changed, or the terminal was attached anew: what it shows then, nobody knows.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.repaint)
        return super()._get_terminal_size()

    def process_message(self, message: Message) -> None:
        """The terminal may tell its size in band."""
        if isinstance(message, events.Resize):
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.repaint)
        if self._hearing.takes(message):
            if isinstance(message, events.Key | events.Paste) and isinstance(self._app, Hears):
                self._app.heard()
            super().process_message(message)

    # The mouse ---------------------------------------------------------------------------------------------------

    def _enable_mouse_support(self) -> None:
        if self._mouse:
            self.write("".join(f"\x1b[?{mode}h" for mode in _MOUSE[self.line.mouse]))

    def _disable_mouse_support(self) -> None:
        # Whatever was switched on: a desk that gives the terminal back leaves nothing to chance.
        self.write("".join(f"\x1b[?{mode}l" for mode in _MODES))

    def _enable_mouse_pixels(self) -> None:
        if self.line.mouse is Mouse.ALL:
            super()._enable_mouse_pixels()
