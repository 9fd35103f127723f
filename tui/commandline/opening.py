"""Opening the desk: the only command that imports Textual."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from tui import hardening
from tui.collecting import collect_nothing, collect_rarely, share_heaps, take_short_turns
from tui.commandline.bringing_up import desk_of
from tui.commandline.output import Output
from tui.commandline.session import Usage
from tui.wire.abilities import unfit
from tui.wire.line import Line, Mouse, line_for

if TYPE_CHECKING:
    import argparse
    import subprocess

    from tui.app import DeskApp
    from tui.shown_frame import ShownFrame
    from vault.desk import Desk

_SIZES = ("COLUMNS", "LINES")
"""They are believed more than the terminal, whatever size it has or gets."""
_TELLTALES = ("TEXTUAL", "TEXTUAL_LOG", "TEXTUAL_DEBUG", "TEXTUAL_DEVTOOLS_HOST", "TEXTUAL_DEVTOOLS_PORT")
"""What has Textual write down, or send to its devtools, every key that is pressed: in a password field, too."""
_OTHERS_HANDS = ("TEXTUAL_DRIVER", "TEXTUAL_PRESS", "TEXTUAL_SCREENSHOT")
"""What has it run somebody's code, press keys, and leave pictures of the desk."""
OPTIONS = frozenset(("--unsafe-devtools", "--no-mouse", "--low-bandwidth"))
"""What the desk takes: a command line of these alone names no command."""
WATCHED = "unsafe: devtools may record every key you press, passwords too"


def add(parser: "argparse.ArgumentParser") -> None:
    """What the desk takes."""
    parser.set_defaults(run=run_desk)
    parser.add_argument(
        "--unsafe-devtools",
        action="store_true",
        help="heed Textual's variables for its log and devtools, which record every key, passwords too",
    )
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument(
        "--low-bandwidth", action="store_true", help="show progress half as often, and send less while a key is held"
    )


def asked(options: Sequence[str]) -> "argparse.Namespace":
    """What a parser makes of these, all of which are OPTIONS: nothing can be wrong, and it takes 4 ms to be loaded."""
    found = {option.removeprefix("--").replace("-", "_"): option in options for option in OPTIONS}
    return cast("argparse.Namespace", SimpleNamespace(run=run_desk, **found))


def run_desk(args: "argparse.Namespace", out: Output) -> int:
    """Open the desk over what is configured."""
    banner = WATCHED if heeds_devtools(args, out) else ""
    return open_desk(args.environ, banner, line=line_of(args), frames=not banner, shown=args.frame)


def line_of(args: "argparse.Namespace") -> Line:
    """The line to the terminal, as the environment and the options have it."""
    return line_for(os.environ, no_mouse=args.no_mouse, low_bandwidth=args.low_bandwidth)


def heeds_devtools(args: "argparse.Namespace", out: Output) -> bool:
    """Whether Textual may record keys, since somebody said so; else what would have it do so is dropped, and named."""
    if args.unsafe_devtools:
        return True
    for name in (*_TELLTALES, *_OTHERS_HANDS):
        if os.environ.pop(name, None):
            out.note(f"{name} is not heeded: passwords could be recorded; --unsafe-devtools heeds it")
    return False


class Play(Struct, frozen=True):
    """A play of `tui.play` by name, and the seconds between two of its keys."""

    name: str
    pace_s: float


def open_desk(
    environ: Mapping[str, str],
    banner: str = "",
    *,
    outlived: bool = True,
    line: Line | None = None,
    play: Play | None = None,
    frames: bool = False,
    shown: "ShownFrame | None" = None,
) -> int:
    """Open the desk and give its exit status; `banner` is shown as long as it is open. `play`: what it shows by itself.

    `outlived`: whether the services are still there after it, so that transfers can be handed over. `frames`: whether
    its last frame is kept for the next desk; `shown`: that of the last one, if it stands on the terminal. The caller
    asks `heeds_devtools` before.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("the desk needs a terminal; `reeldesk list` and the other commands do not (`reeldesk --help`)")
    if why_not := unfit(os.environ):
        raise Usage(why_not)
    for name in _SIZES:
        os.environ.pop(name, None)
    collect_nothing()
    from tui.app import DeskApp
    from tui.keeping_frame import keep
    from vault.engine import Engine

    desk = desk_of(environ)
    try:
        over = partial(_hand_over, environ=environ) if outlived else None
        kind = _playing(play) if play else DeskApp
        app = kind(Engine(desk), banner=banner, hand_over=over, line=line)
        collect_rarely()
        share_heaps()
        take_short_turns()
        app.shown = shown
        with hardening.drawn_on() as broken:
            app.run(mouse=app.line.mouse is not Mouse.OFF)
        if frames:
            keep(app.last_frame, desk.config, environ)
    finally:
        desk.secrets.close()
        desk.close()
    if app.wants_demo and not broken:
        from tui.commandline.demo import open_demo

        return open_demo(environ, line=line)
    return app.return_code or int(bool(broken))


def _hand_over(desk: "Desk", environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    from tui.commandline.takeover import hand_over

    return hand_over(desk, environ)


def _playing(play: Play) -> "type[DeskApp]":
    from tui.play import PLAYS
    from tui.player import PlayingApp

    return type("Played", (PlayingApp,), {"script": PLAYS[play.name], "pace_s": play.pace_s})
