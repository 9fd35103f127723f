"""The private places of Textual that the wire stands on, and its parts one by one."""

import asyncio
import inspect
import os
import pty
import subprocess
import sys
import tty
from collections.abc import Iterable
from pathlib import Path

import pyte
import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region
from textual.strip import Strip

from tests.tui.wire_stage import NOTHING, SCREEN, XTERM, Twin
from tui.wire.abilities import Abilities, unfit
from tui.wire.app import WiredApp
from tui.wire.cells import Cells, Pen, between
from tui.wire.driver import WireDriver
from tui.wire.line import Mouse, line_for
from tui.wire.meter import Meter
from tui.wire.outlet import CANCEL, Outlet

WIDTH, HEIGHT = 40, 12
CHECKOUT = Path(__file__).parents[2]


def frame(*lines: str, style: Style | None = None) -> LayoutUpdate:
    """A whole frame of lines."""
    padded = [*lines, *[""] * (HEIGHT - len(lines))]
    strips: list[Iterable[Strip]] = []
    for line in padded:
        strip = Strip([Segment(line, style)])
        strips.append([strip.adjust_cell_length(WIDTH, style)])
    return LayoutUpdate(strips, Region(0, 0, WIDTH, HEIGHT))


def test_textual_is_as_it_was() -> None:
    assert list(inspect.signature(App._display).parameters) == ["self", "screen", "renderable"]
    assert {"strips", "region"} <= set(inspect.signature(LayoutUpdate.__init__).parameters)
    assert list(inspect.signature(ChopsUpdate.__init__).parameters) == ["self", "chops", "spans", "chop_ends"]
    assert Strip([Segment("x")])._segments == [Segment("x")]
    for name in ("_get_terminal_size", "_enable_mouse_support", "_disable_mouse_support", "_enable_mouse_pixels"):
        assert name in vars(LinuxDriver)
    source = inspect.getsource(LinuxDriver)
    assert "self._file = sys.__stderr__" in source
    assert "terminal_size = self._get_terminal_size()" in source, "asked for when the window's size changes"
    assert "getincrementaldecoder" in vars(linux_driver), "X10 mouse bytes are tolerated there (tui/guard.py)"
    assert "self.exit_event.set()" in inspect.getsource(LinuxDriver.disable_input), "it wakes whoever reads keys"
    assert "self.run_input_thread()" in source
    assert list(inspect.signature(XTermParser.__init__).parameters) == ["self", "debug"]
    assert WiredApp().get_driver_class() is WireDriver


@pytest.mark.parametrize("can", [XTERM, SCREEN, NOTHING], ids=["xterm", "screen", "nothing"])
def test_frames_of_every_kind_look_the_same(can: Abilities) -> None:
    twin = Twin(WIDTH, HEIGHT, can)
    console = App[None]().console
    lines = [f"row {number} of a list" for number in range(HEIGHT)]
    bold, red = Style(bold=True, bgcolor="blue"), Style(color="red", underline=True)
    wide = ["会议 第三回", "한국어 회의", "a会b议c", "会" * 20, "x" + "会" * 19 + "y"]
    odd = ["party 🎉👩‍👩‍👧‍👦 ❤️ done", "z" + "\u0301" * 5 + "algo", "पाठ्यक्रम समीक्षा", "👍🏽 ok 🇩🇪 x"]
    frames = [
        frame(*lines), frame(*lines[1:]), frame(*lines[3:]), frame(*lines), frame(*lines, style=bold),
        frame(*wide), frame(*wide[1:], style=red), frame(*odd), frame("plain"), frame(*odd[1:]), frame(*wide, *odd),
        frame(), frame(style=bold), frame(style=red), frame(*[line[:7] for line in lines], style=Style(reverse=True)),
    ]  # fmt: skip
    for each in frames:
        twin.draw(each, console)
        assert not twin.differences()


def test_no_end_of_odd_characters_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.wire.cells._MOST_CLUSTERS", 20)
    twin = Twin(WIDTH, HEIGHT)
    console = App[None]().console
    for number in range(60):
        lines = [chr(0x61 + (number + each) % 26) + "\u0301" * (1 + number % 9) + " x" for each in range(HEIGHT)]
        twin.draw(frame(*lines), console)
        assert not twin.differences()
        assert len(twin.cells._clusters) < 20 + HEIGHT * 2


def test_a_list_that_scrolls_over_the_full_width_costs_a_line() -> None:
    twin = Twin(WIDTH, HEIGHT)
    console = App[None]().console
    lines = [str((number + 3) ** 40)[:36] for number in range(HEIGHT + 5)]
    twin.draw(frame(*lines[:HEIGHT]), console)
    for start in (1, 2, 3, 2):
        twin.tap.sizes.clear()
        twin.draw(frame(*lines[start : start + HEIGHT]), console)
        assert not twin.differences()
        assert sum(twin.tap.sizes) < 140
    twin.tap.sizes.clear()
    twin.draw(frame(*lines[2 : 2 + HEIGHT]), console)
    assert sum(twin.tap.sizes) == 0


def test_frames_that_nobody_saw_are_dropped() -> None:
    twin = Twin(WIDTH, HEIGHT)
    console = App[None]().console
    twin.draw(frame("first"), console)
    twin.tap.stalled = True
    twin.tap.sizes.clear()
    for number in range(1_000):
        twin.draw(frame(f"number {number}"), console)
    assert not twin.tap.sizes
    twin.tap.stalled = False
    twin.glass.pump()
    assert sum(twin.tap.sizes) < 40, "one difference: the present"
    assert not twin.differences()


def test_the_pen_changes_by_the_shortest_way() -> None:
    plain, bold = Pen(), Pen(frozenset({"1"}), "31", "44")
    assert between(plain, plain) == ""
    assert between(bold, plain) == "\x1b[m"
    assert between(plain, bold) == "\x1b[1;31;44m"
    assert between(bold, bold._replace(ground="45")) == "\x1b[45m"
    assert between(bold, Pen(frozenset(), "31", "44")) == "\x1b[22m"
    dim = Pen(frozenset({"2"}), "31", "44")
    assert between(bold, dim) == "\x1b[22;2m", "bold and faint end by the same"


def test_blanks_are_the_same_whatever_colour_they_would_write_in() -> None:
    cells = Cells(ColorSystem.EIGHT_BIT)
    one, other = (cells.pen(Style(color=colour, bgcolor="blue")) for colour in ("red", "green"))
    assert cells.of("  ", one) == cells.of("  ", other)
    assert cells.of("x", one) != cells.of("x", other)
    lined = cells.pen(Style(color="red", bgcolor="blue", underline=True))
    assert cells.of(" ", lined) != cells.of(" ", one)


@pytest.mark.parametrize(
    ("environ", "can"),
    [
        ({"TERM": "xterm-256color"}, XTERM),
        ({"TERM": "screen-256color"}, SCREEN),
        ({"TERM": "linux"}, XTERM),
        ({"TERM": "nothing-known"}, NOTHING),
        ({"TERM": "screen-256color", "TMUX": "x"}, XTERM),
        ({"TERM": "tmux-256color"}, XTERM),
    ],
)
def test_a_terminal_is_believed_what_it_says(environ: dict[str, str], can: Abilities) -> None:
    # In a process of its own: curses looks once.
    program = f"from tui.wire.abilities import abilities; print(abilities({environ!r}, 2))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert said.stdout == f"{can}\n"


def test_a_terminal_that_cannot_move_its_cursor_is_refused() -> None:
    assert unfit({"TERM": "dumb"})
    assert unfit({})
    assert not unfit({"TERM": "linux"})


def test_a_slow_line_is_spared() -> None:
    near, far = line_for({}), line_for({"SSH_TTY": "/dev/pts/1"})
    assert (near.mouse, near.progress_s, near.bytes_s) == (Mouse.ALL, 0.5, 0)
    assert (far.mouse, far.progress_s) == (Mouse.CLICKS, 1.0)
    thin = line_for({"SSH_TTY": "/dev/pts/1"}, low_bandwidth=True)
    assert (thin.progress_s, thin.bytes_s) == (2.0, far.bytes_s // 2)
    assert line_for({}, low_bandwidth=True).progress_s == 1.0
    assert line_for({}, no_mouse=True).mouse is Mouse.OFF


def test_the_meter_tells_of_the_last_seconds() -> None:
    now = [0.0]
    meter = Meter(lambda: now[0])
    meter.add(1_000)
    now[0] = 2.0
    meter.add(500)
    assert meter.rate() == 300.0
    now[0] = 6.0
    assert meter.rate() == 100.0
    now[0] = 60.0
    assert meter.rate() == 0.0
    assert meter.total == 1_500


async def test_a_terminal_that_does_not_read_is_never_waited_for() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    woken = asyncio.Event()
    outlet = Outlet(theirs, woken.set, Meter())
    try:
        written = 1_000
        while outlet.write(b"x" * 1_000):
            written += 1_000
        assert outlet.blocked
        taken = b""
        while not woken.is_set():
            taken += os.read(ours, 65_536)
            await asyncio.sleep(0)
        assert not outlet.blocked
        written += 1_000 - len(taken)
        while outlet.write(b"y" * 1_000):
            written += 1_000
        outlet.last(b"\x1b[?1049l", 0.05)
        left = b""
        while not left.endswith(b"\x1b[?1049l"):
            left += os.read(ours, 65_536)
        assert CANCEL in left, "what was cut short is ended"
        assert len(left) < written, "what nobody had read is gone"
        assert outlet.write(b"too late")
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_terminal_that_is_gone_ends_nothing() -> None:
    ours, theirs = pty.openpty()
    outlet = Outlet(theirs, lambda: None, Meter())
    os.close(ours)
    assert outlet.write(b"x")
    outlet.last(b"y", 0.05)
    os.close(theirs)


def test_pyte_is_a_fair_judge() -> None:
    screen = pyte.Screen(4, 2)
    pyte.Stream(screen).feed("abcd\x1b[1;2H\x1b[2X")
    assert screen.display[0] == "a  d"
