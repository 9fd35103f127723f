"""The desk's application: modes, theme, start and stop."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from rich.console import RenderableType
from textual import events
from textual.binding import Binding
from textual.drivers import linux_driver

from styles import SHEETS
from styles.themes import NO_COLOR, THEMES, variables_for_others
from tui.context import Context
from tui.guard import AsciiSigns, ControlGuard, crash_report, terminal_is_gone, tolerate_old_mouse
from tui.held_keys import HoldsKeys
from tui.keeping_frame import KeepsFrame
from tui.keymaps import keymap_problems
from tui.label import ASCII, glyphs_for
from tui.leaving import HandOver, Leaving
from tui.modes import MODES, screen_of
from tui.quitting import LeavesDesk
from tui.running import RunsEngine
from tui.screens.base import ModeScreen
from tui.wire.line import Line, line_for
from vault.desk import utc_now

if TYPE_CHECKING:
    from vault.engine import Engine, Snapshot

SOON_S = 0.05
SIGNALS = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}


# RunsEngine before HoldsKeys: who typed a key that is held back is at work already.
class DeskApp(RunsEngine, HoldsKeys, KeepsFrame, LeavesDesk):
    """The desk over an engine, which it runs in a thread. `banner` stands at the top right ("" for none).

    Programs end with `sys.exit(app.return_code or 0)`: a crash gives 1, a signal 128 and its number.
    """

    DEFAULT_MODE = "desk"
    """Textual begins in it: another screen before it would be styled, laid out and drawn for nothing."""
    CSS_PATH: ClassVar[list[str | PurePath]] = [str(SHEETS / "base.tcss"), str(SHEETS / "desk.tcss")]
    """With the first screen's: one read later has all of them parsed anew."""
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("ctrl+q", "quit_here", show=False, priority=True)  # in place of Textual's, which asks no screen
    ]

    def __init__(
        self,
        engine: "Engine",
        *,
        banner: str = "",
        now: Callable[[], datetime] = utc_now,
        environ: Mapping[str, str] | None = None,
        keymap: Mapping[str, str] | None = None,
        theme: str = "",
        hand_over: HandOver | None = None,
        line: Line | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        colourless = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if colourless else None)
        self.context = Context(engine, now, glyphs_for(environ), banner)
        self.animation_level = "none"
        self.line = line or line_for(environ)
        self.title = "reeldesk"
        for each in THEMES:
            self.register_theme(each)
        self.theme = self._first_theme = NO_COLOR if colourless else theme or THEMES[0].name
        self.stylesheet.set_variables(self.get_css_variables())
        # Private, and held by a test: Textual has no public place for a filter of every drawn line.
        self._filters.append(ControlGuard())
        if self.context.glyphs is ASCII:
            self._filters.append(AsciiSigns())
        tolerate_old_mouse(linux_driver)
        self._keymap_problems = keymap_problems(keymap or {})
        if keymap and not self._keymap_problems:
            self.set_keymap(dict(keymap))
            self.keys_mean_else = True
        for mode in MODES:
            self.add_mode(mode, partial(self._screen, mode))
        self._revision = -1
        self._seen: tuple[ModeScreen | None, Snapshot | None, float] = (None, None, 0.0)
        """What was shown last, where, and the bytes a second then."""
        self._leaving = False
        self.leave = Leaving(engine, hand_over)
        self.follow(now)

    def _screen(self, mode: str) -> ModeScreen:
        screen = screen_of(mode)(self.context)
        screen.fit(self.size)
        return screen

    def refresh_css(self, animate: bool = True) -> None:
        """Parse the sheets again and style everything anew: not before the first paint, where nothing has changed."""
        if self.is_painted or self.theme != self._first_theme:
            super().refresh_css(animate)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """For Textual's own themes, which lack ours."""
        return variables_for_others()

    # Start and stop ----------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """The desk first; the engine follows (tui/running.py)."""
        loop = asyncio.get_running_loop()
        if not self.is_headless:
            for number, code in SIGNALS.items():
                loop.add_signal_handler(number, self._signalled, code)
        self.set_interval(self.line.progress_s, self._poll)
        self.set_interval(60, self._minute)
        if self.context.banner:
            self.call_after_refresh(self.say, self.context.banner, "warn")
        if self._keymap_problems:
            self.call_after_refresh(self.say, f"keymap not used: {self._keymap_problems[0]}")

    def _signalled(self, code: int) -> None:
        if not self.is_headless:
            self.leave.end_at_last(code)
        if self.is_running and self.mode_screen() is None and not self._leaving:
            self.set_timer(SOON_S, partial(self._signalled, code))  # its screen is only being made
            return
        if code == SIGNALS[signal.SIGHUP] and not self._leaving:
            self.leave.line_lost()
        self.exit(return_code=code)

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """Leave; the engine stops its transfers cleanly first, their parts stay. `message` is printed afterwards."""
        self._leaving = self.keys_mean_else = True
        self.leave.end()
        super().exit(result, return_code, message)

    def on_key(self, event: events.Key) -> None:
        """Keys that come while it leaves are for nothing."""
        if self._leaving:
            event.prevent_default()

    def on_unmount(self) -> None:
        """However the desk ended: Python waits for the engine's thread, so the engine is told."""
        self.leave.end()
        self.leave.ended()

    def _fatal_error(self) -> None:
        # Textual's own shows every local variable: credentials among them.
        self.leave.end()
        self.bell()
        self._exit_renderables.append(crash_report(self._exception))
        self._close_messages_no_wait()

    def say(self, words: str, ink: str = "bad") -> None:
        """Tell a person, in the line of the mode's screen."""
        screen = self.mode_screen()
        if screen is not None:
            screen.say(words, ink)

    # What the engine does ----------------------------------------------------------------------------------------

    def mode_screen(self) -> ModeScreen | None:
        """The screen of the mode, whatever lies over it; None while the desk begins or ends."""
        if not self.is_running:
            return None  # While it closes, widgets go one by one.
        return next((s for s in reversed(self.screen_stack) if isinstance(s, ModeScreen) and s.is_mounted), None)

    def _poll(self) -> None:
        if not self.is_headless and terminal_is_gone():
            self._signalled(SIGNALS[signal.SIGHUP])
            return
        screen = self.mode_screen()
        if screen is None:
            return
        snapshot = self.context.engine.snapshot()
        rate, (before, known, told) = self.bytes_a_second, self._seen
        if screen is before and snapshot is known and rate == told:
            screen.tick()
            return  # a desk at rest costs nothing
        self._seen = (screen, snapshot, rate)
        changed, self._revision = snapshot.revision != self._revision, snapshot.revision
        self.give_way()
        screen.see(snapshot, changed=changed)
        screen.tell_rate()

    def _minute(self) -> None:
        screen = self.mode_screen()
        if screen is not None:
            screen.minute()
