"""A real pseudo-terminal for the real program: what it draws is read into a screen, and kept as raw bytes.

Nothing here sleeps: every wait reads what the program writes until a condition holds or a deadline has passed.
"""

import os
import re
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.e2e.served import Session, clean_environment

CHECKOUT = Path(__file__).parents[2]


def from_checkout(imports: str, call: str) -> str:
    """A program for `python -c` that finds the checkout's packages in any working folder."""
    return f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); {imports}; sys.exit({call})"


DESK = (sys.executable, "-m", "tui")
"""`reeldesk` from the checkout, which must be the working folder."""
ELSEWHERE = (sys.executable, "-P", "-c", from_checkout("from tui.start import entry", "entry()"))
"""The same, from any working folder."""
MARKS = [
    pytest.mark.e2e,
    # pexpect forks from a process that has threads under xdist; the child does nothing but exec.
    pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning"),
]
DEADLINE_S = 30.0
"""For what should take a second or two: the machine may be busy with everything else."""
KEYS: Mapping[str, bytes] = {
    "enter": b"\r",
    "esc": b"\x1b",
    "tab": b"\t",
    "space": b" ",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "pagedown": b"\x1b[6~",
    "backspace": b"\x7f",
    "ctrl+c": b"\x03",
    "ctrl+d": b"\x04",
    "ctrl+s": b"\x13",
    "ctrl+u": b"\x15",
}
BLOCK = "d7d7d7"
"""An input's cursor: a cell in the dark theme's foreground, as 256 colours have it."""
EARLIER = "As it was on "
"""What marks the last desk's frame, which stands on the terminal until the desk draws."""
_ASKED = b"\x1b[6n"
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l")
"""What gives a terminal back: its own screen, the cursor, no mouse."""
SEQUENCE = re.compile(rb"\x1b\[[<>=?]?[0-9;]*[ -/]*[@-~]")


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which everything that the program may write lies in `folder`; a plain 256-colour terminal.

    Bytecode is kept, as for whoever installed it: compiled at each start, the desk alone would take 0.2 s of CPU more.
    """
    terminal = ("COLORTERM", "NO_COLOR", "TEXTUAL", "LC_", "SSH_", "TMUX", "COLUMNS", "LINES", "XDG_")
    led_astray = (*terminal, "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(led_astray)}
    places = {name: folder / name.lower() for name in ("HOME", "TMPDIR")}
    for place in places.values():
        place.mkdir(exist_ok=True)
    homely = {name: str(place) for name, place in places.items()}
    return {**kept, **homely, "TERM": "xterm-256color", "LANG": "C.UTF-8", "REELDESK_KEYRING": "off", **more}


class Terminal:
    """A program in a pseudo-terminal of `columns` x `rows`."""

    def __init__(self, command: tuple[str, ...], environ: Mapping[str, str], columns: int = 80, rows: int = 24) -> None:
        self.raw = bytearray()
        """Every byte that the program wrote."""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lines: list[str] | None = None
        self._child = pexpect.spawn(
            command[0],
            list(command[1:]),
            env=dict(environ),
            cwd=str(CHECKOUT),
            dimensions=(rows, columns),
            encoding=None,
            timeout=None,
        )
        self._child.delaybeforesend = None
        self.began = time.monotonic()

    # What it shows -----------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        if self._lines is None:
            self._lines = [line.rstrip() for line in self._screen.display]
        return self._lines

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.lines)

    def line_with(self, text: str) -> str:
        """The first line with this text, "" when there is none."""
        return next((line for line in self.lines if text in line), "")

    @property
    def cursor_line(self) -> str:
        """The line of the focused list's cursor, drawn on the background that the current mode's name has."""
        buffer, columns = self._screen.buffer, range(self._screen.columns)
        shades = {buffer[0][x].bg for x in columns} - {buffer[0][columns[-1]].bg}
        for row in range(1, self._screen.lines):
            if sum(buffer[row][x].bg in shades for x in columns) >= 10:
                return self.lines[row]
        return ""

    @property
    def typing_line(self) -> str:
        """The line of the input that has the focus, told by its cursor's block; "" when none has."""
        buffer, columns = self._screen.buffer, range(self._screen.columns)
        rows = (row for row in range(self._screen.lines) if any(buffer[row][x].bg == BLOCK for x in columns))
        return next((self.lines[row] for row in rows), "")

    # Waiting -----------------------------------------------------------------------------------------------------

    def read(self, seconds: float, most: int = 65_536) -> int:
        """Take in what is written within `seconds`, as soon as something is; how many bytes (0 at the end, too)."""
        try:
            chunk = self._child.read_nonblocking(most, seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return 0
        self.raw += chunk
        self._lines = None
        for _ in range(chunk.count(_ASKED)):
            self._child.send(f"\x1b[{self._screen.lines};1R".encode())
        # pyte draws the letter of a sequence whose private mark it does not know.
        self._stream.feed(re.sub(rb"\x1b\[[<>=][0-9;]*[a-z]", b"", chunk))
        return len(chunk)

    def wait_until(
        self, holds: Callable[[], object], what: str, within: float = DEADLINE_S, *, earlier: bool = False
    ) -> float:
        """Read until `holds()`; gives the seconds that took. Fails with the screen.

        What an earlier desk left on the screen is only judged with `earlier`.
        """
        start = time.monotonic()
        # Judged only between two updates: in the middle of one, the screen is half old and half new.
        while self.read(0.02) or self.is_earlier is not earlier or not holds():
            left = start + within - time.monotonic()
            assert left > 0, f"not within {within} s: {what}\n{self.text}\n{self._child.isalive()=}"
            self.read(min(left, 0.1))
        return time.monotonic() - start

    def wait_for(self, *texts: str, within: float = DEADLINE_S) -> float:
        """Until all of these are on the screen."""
        return self.wait_until(lambda: all(text in self.text for text in texts), f"{texts} on the screen", within)

    @property
    def is_earlier(self) -> bool:
        """Whether the last desk's frame is shown still."""
        return EARLIER in self.lines[-1]

    @property
    def echoes(self) -> bool:
        """Whether the terminal echoes what is typed, and waits for a line's end."""
        flags = termios.tcgetattr(self._child.child_fd)[3]
        return bool(flags & termios.ECHO and flags & termios.ICANON and flags & termios.ISIG)

    def wait_gone(self, text: str) -> float:
        """Until this is not on the screen any more."""
        return self.wait_until(lambda: text not in self.text, f"{text!r} gone from the screen")

    def written_in(self, seconds: float) -> int:
        """How many bytes are written in so many seconds."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            count += self.read(left)
        return count

    def settle(self, quiet_s: float = 1.0, within: float = DEADLINE_S) -> None:
        """Until nothing was written for `quiet_s`."""
        end = time.monotonic() + within
        while self.written_in(quiet_s):
            assert time.monotonic() < end, f"it never stops writing\n{self.text}"

    # Acting ------------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Press keys by name (`enter`, `ctrl+s`) or by their letter."""
        for key in keys:
            self._child.send(KEYS.get(key) or key.encode())

    def press_at_once(self, *keys: str) -> None:
        """The same in one burst, as a fast typist on a slow line does."""
        self._child.send(b"".join(KEYS.get(key) or key.encode() for key in keys))

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, as a terminal does: SIGWINCH follows."""
        self._screen.resize(rows, columns)
        self._lines = None
        self._child.setwinsize(rows, columns)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        os.kill(self._child.pid, number)

    def hang_up(self) -> None:
        """Close the terminal's side of the line, as a lost connection does."""
        self._child.ptyproc.fileobj.close()

    # The end -----------------------------------------------------------------------------------------------------

    def ended(self, within: float = DEADLINE_S) -> int:
        """Wait for the program's end, reading on; its exit status, or minus the signal that killed it."""
        start = time.monotonic()
        while self._child.isalive():
            assert time.monotonic() < start + within, f"still alive after {within} s\n{self.text}"
            if self._child.ptyproc.fileobj.closed:
                time.sleep(0.02)
            else:
                self.read(0.05)
        while not self._child.ptyproc.fileobj.closed and self.read(0.05):
            pass
        status, killed = self._child.exitstatus, self._child.signalstatus
        return int(status) if status is not None else -int(killed)

    def wait_unread(self, within: float) -> None:
        """Wait for the program's end, and read nothing of what it writes."""
        end = time.monotonic() + within
        while self._child.isalive():
            assert time.monotonic() < end, f"still alive after {within} s"
            time.sleep(0.01)

    def left_behind(self) -> bool:
        """Whether a process of the program's group still lives."""
        try:
            os.killpg(self._child.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def restored(self) -> bool:
        """Whether the terminal was given back, last of all."""
        return all(self.raw.rfind(each) > self.raw.rfind(each[:-1] + _opposite(each)) for each in RESTORED)

    def close(self) -> None:
        """End it, whatever it does."""
        if self._child.isalive():
            self._child.kill(signal.SIGKILL)
        if not self._child.ptyproc.fileobj.closed:
            self._child.ptyproc.fileobj.close()
        while self._child.isalive():
            time.sleep(0.01)


def _opposite(sequence: bytes) -> bytes:
    return b"h" if sequence.endswith(b"l") else b"l"


def choose(desk: Terminal, title: str) -> None:
    """Move the list's cursor down to a title, a line at a time, and wait until the desk has followed."""
    seen = 0
    while title not in desk.cursor_line:
        before = desk.cursor_line
        desk.press("j")
        desk.wait_until(lambda before=before: desk.cursor_line not in ("", before), "the cursor moves down")  # type: ignore[misc]  # bound early on purpose
        seen += 1
        assert seen < 80, f"{title} is not in the list\n{desk.text}"
    desk.settle(0.3)


def narrow(desk: Terminal, words: str) -> None:
    """Filter the desk's list by words."""
    desk.press("/")
    desk.wait_until(lambda: desk.typing_line.startswith("words in title"), "the filter has the focus")
    desk.press(*words, "enter")
    desk.wait_for(f"with “{words}”")
    desk.settle(0.3)


def read_down(desk: Terminal, *texts: str) -> None:
    """Page down until each text has been on the screen."""
    missing, end = set(texts), time.monotonic() + DEADLINE_S
    while missing := {text for text in missing if text not in desk.text}:
        assert time.monotonic() < end, f"not there to be read: {missing}\n{desk.text}"
        desk.press("pagedown")
        desk.written_in(0.2)


@contextmanager
def opened(
    environ: Mapping[str, str],
    *arguments: str,
    command: tuple[str, ...] = DESK,
    columns: int = 80,
    rows: int = 24,
) -> Iterator[Terminal]:
    """The program in a terminal until the end of the block."""
    terminal = Terminal((*command, *arguments), environ, columns, rows)
    try:
        yield terminal
    finally:
        terminal.close()


def configured(session: Session, folder: Path, *, still: bool = False) -> dict[str, str]:
    """An environment for a desk over a served demo, with a ledger and a vault of its own in `folder`.

    `still`: no account is polled or watched, and no webhook comes in.
    """
    text = Path(session.environ["REELDESK_CONFIG"]).read_text("utf-8")
    text = re.sub(r"(?m)^path = .*$", f'path = "{folder / "vault"}"', text)
    if still:
        text = re.sub(r"(?m)^(poll_s = .*|watch = true)\n", "", text)
        text = re.sub(r"(?m)^(\[accounts\..*\])$", r"\1\npoll_s = 0", text)
        text = re.sub(r"(?m)^on = true$", "on = false", text)
    config = folder / "config.toml"
    config.write_text(text, "utf-8")
    named = {name: value for name, value in session.environ.items() if name.startswith("REELDESK_")}
    return surroundings(folder, **named | {"REELDESK_CONFIG": str(config), "REELDESK_DATA": str(folder / "data")})
