"""What commands print: records and tables on stdout; faults, notes and progress on stderr. Harmless to any terminal."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TextIO

from rich.cells import cell_len

from providers.text import safe_block, safe_text

BLOCK = 500
"""Rows that are aligned together, so that a long table begins at once."""
REDRAW_S = 0.5


class Output:
    """Where a command prints, and whether anything failed. `status` is the exit status that follows from that."""

    def __init__(
        self, stdout: TextIO | None = None, stderr: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._clock = clock
        self._drawn_at: float | None = None
        self.failures = 0
        self.unheard = False
        """Whoever read stdout is gone (`| head`): there is no use in printing more."""
        self.live = self._stderr.isatty()
        """Whether progress is shown."""

    @property
    def status(self) -> int:
        """0 when all went well, 1 when something failed."""
        return 1 if self.failures else 0

    def line(self, text: str) -> None:
        """One line on stdout."""
        self.progress("")
        self._write(text + "\n")

    def record(self, record: Mapping[str, object]) -> None:
        """One JSON object as a line on stdout."""
        self.line(json.dumps(record, ensure_ascii=not self._is_utf8()))

    def text(self, text: str) -> None:
        """Several lines on stdout, made harmless."""
        self.line(safe_block(text))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
        """Aligned columns on stdout, every cell made harmless, and how many rows there were; none: no head either."""
        rest, widths, count = iter(rows), [cell_len(title) for title in head], 0
        while not self.unheard and (block := [[safe_text(cell) for cell in row] for row in islice(rest, BLOCK)]):
            widths = [max(width, *(cell_len(row[i]) for row in block)) for i, width in enumerate(widths)]
            for row in block if count else [list(head), *block]:
                self.line("  ".join(map(_padded, row, widths)).rstrip())
            count += len(block)
        return count

    def note(self, words: str) -> None:
        """A line for a person, on stderr."""
        self.progress("")
        self._say(safe_text(words, 2000) + "\n")

    def fail(self, subject: str, words: str) -> None:
        """Name what failed and why."""
        self.failures += 1
        self.note(words if words.startswith((f"{subject}: ", f"{subject} ")) else f"{subject}: {words}")

    def progress(self, words: str) -> None:
        """Show how far it is, in place, on a terminal, twice a second at most; "" takes it away."""
        now = self._clock()
        if not self.live or (not words and self._drawn_at is None):
            return
        if words and self._drawn_at is not None and now - self._drawn_at < REDRAW_S:
            return
        self._drawn_at = now if words else None
        self._say("\r\x1b[K" + safe_text(words, _columns(self._stderr) - 1))

    def flush(self) -> None:
        """Hand over what was printed, for a reader that waits for it. Raises OSError for a full disk."""
        self._guarded(self._stdout.flush)

    def finish(self) -> None:
        """Print what is still held back. Raises OSError for a full disk."""
        self.progress("")
        self.flush()

    def _write(self, text: str) -> None:
        if not self.unheard:
            self._guarded(lambda: self._stdout.write(text))

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as fault:
            self.unheard = True
            _silence(self._stdout)
            if not isinstance(fault, BrokenPipeError):
                raise OSError(fault.errno, fault.strerror, "stdout") from None

    def _say(self, text: str) -> None:
        try:
            self._stderr.write(text)
            self._stderr.flush()
        except OSError:
            _silence(self._stderr)

    def _is_utf8(self) -> bool:
        return (getattr(self._stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def _silence(stream: TextIO) -> None:
    # What the stream still holds would be written, and fail, once more when Python ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
