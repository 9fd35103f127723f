"""A program in a pseudo-terminal of 120x40: how soon it paints, what a key costs until its rows are drawn, and rest.

What arrives is written down with its time, and read into a screen only afterwards: reading it takes longer than
drawing it.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

from tests.bench.results import BenchError
from tests.e2e.terminal import EARLIER

COLUMNS, ROWS = 120, 40
PATIENCE_S = 60.0
_QUIET_S = 0.12
_WIDTH = 24
"""Of what is looked at of each row, from where the first one begins."""
_EARLIER = EARLIER.encode()
_UNKNOWN = re.compile(rb"\x1b\[[<>=][0-9;]*[a-z]")


@dataclass(frozen=True, slots=True)
class Reaction:
    """To a key: seconds until the rows were as they stayed, bytes until then, and bytes in all."""

    seconds: float
    to_rows: int
    bytes: int


class Program:
    """Runs from its making until `close`. `first`: what its first row begins with. Raises BenchError.

    It paints within `patience_s`, begins to answer a key within a sixtieth of that, and has answered within a sixth.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        first: str,
        folder: Path,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        began = time.perf_counter()
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
                os.chdir(folder)
                os.execvpe(argv[0], list(argv), dict(environ))
            finally:
                os._exit(127)
        self.earlier_paint_s = 0.0
        """Seconds until an earlier desk's frame was seen, marked as such; 0.0 where there was none."""
        while not self._is_live(first.encode(), began):
            content = self._read(began + patience_s - time.perf_counter())
            if not content:
                self.close()
                raise BenchError(f"{argv[0]} painted no {first!r}: {self.raw[-1000:]!r}")
            self.raw += content
        self.first_paint_s = time.perf_counter() - began
        self._feed(self.raw)
        self._first = first
        self._at = self._top = 0
        self._bottom = ROWS

    def _is_live(self, first: bytes, began: float) -> bool:
        """Whether the first row is there in its own frame; an earlier one has its mark before and after it."""
        marks = self.raw.count(_EARLIER)
        earlier, _, own = self.raw.rpartition(_EARLIER)
        if marks > 1 and not self.earlier_paint_s and first in earlier:
            self.earlier_paint_s = time.perf_counter() - began
        return marks != 1 and first in own

    def _read(self, seconds: float) -> bytes:
        """What has come within so many seconds; nothing, also at the end."""
        if seconds <= 0 or not select.select([self._descriptor], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self._descriptor, 65_536)
        except OSError:
            return b""

    def _feed(self, content: bytes) -> None:
        # pyte draws the letter of a sequence whose private mark it does not know.
        self._stream.feed(_UNKNOWN.sub(b"", content))

    def settle(self, quiet_s: float = 1.5) -> None:
        """Until nothing came for so long. Raises BenchError when it never rests."""
        give_up_at = time.perf_counter() + self._patience_s
        while content := self._read(quiet_s):
            self._feed(content)
            self.raw += content
            if time.perf_counter() > give_up_at:
                raise BenchError("it does not come to rest")
        # The last one: what tells where one is stands above the rows, and may name the first of them.
        line = next((line for line in reversed(self._screen.display) if self._first in line), "")
        self._at = max(line.find(self._first), 0)
        # Where the rows begin: how many there are is told above them, and comes after them.
        found = [y for y, line in enumerate(self._screen.display) if line.find(self._first) == self._at]
        self._top = min(found, default=0)

    def watch(self, seconds: float) -> int:
        """Bytes that come in so many seconds by themselves."""
        end, count = time.perf_counter() + seconds, 0
        while (left := end - time.perf_counter()) > 0:
            content = self._read(left)
            self._feed(content)
            count += len(content)
        return count

    def _rows(self) -> list[tuple[object, ...]]:
        buffer, span = self._screen.buffer, range(self._at, self._at + _WIDTH)
        rows = range(self._top, self._bottom)
        return [tuple((buffer[y][x].data, buffer[y][x].bg, buffer[y][x].reverse) for x in span) for y in rows]

    def ends_above(self, beginning: str) -> None:
        """Where its rows end: above the first line that begins so."""
        found = [y for y, line in enumerate(self._screen.display) if line.startswith(beginning)]
        self._bottom = min(found, default=ROWS)

    def send(self, key: str) -> None:
        """A key, for which nothing is waited."""
        os.write(self._descriptor, key.encode())

    def press(self, key: str, quiet_s: float = _QUIET_S) -> Reaction | None:
        """A key, and what came of it until it was quiet; None where nothing came."""
        chunks: list[tuple[float, bytes]] = []
        began = time.perf_counter()
        self.send(key)
        while content := self._read(quiet_s if chunks else self._patience_s / 60):
            chunks.append((time.perf_counter() - began, content))
            if chunks[-1][0] > self._patience_s / 6:
                raise BenchError(f"it does not come to rest after {key!r}")
        states = [self._rows()]
        for _, content in chunks:
            self._feed(content)
            states.append(self._rows())
        settled = next((n for n, rows in enumerate(states) if all(later == rows for later in states[n:])), 0)
        if not chunks or not settled:
            return None
        sizes = [len(content) for _, content in chunks]
        return Reaction(chunks[settled - 1][0], sum(sizes[:settled]), sum(sizes))

    def memory(self) -> int:
        """Resident bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far, to the nanosecond."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    @property
    def display(self) -> str:
        """The screen."""
        return "\n".join(self._screen.display)

    def leave(self) -> None:
        """End it as a person does."""
        self.send("q")
        while self._read(self._patience_s):
            pass
        os.waitpid(self.pid, 0)
        os.close(self._descriptor)

    def close(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._descriptor)
