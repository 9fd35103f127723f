"""What a service without a screen tells: JSON lines on stderr, for journald or a file, without a secret in them.

A line is written by a thread of its own, and dropped when too many wait: whoever reads the log, or the disk that it is
on, may stall; whoever receives must not.
"""

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

from providers.redaction import RedactedLog, redact, told
from providers.text import safe_text

if TYPE_CHECKING:
    from vault.inbox.tally import Entry

ROOM = 10_000
"""Lines that wait to be written."""
END_S = 1.0
"""So long, at the end, is waited for the lines that are left."""
_WORDS = 1000
_TRACEBACK = 20_000


class ServiceLog:
    """The log of a service; from any thread, and never in anybody's way. `now` gives the time of a line."""

    def __init__(self, now: Callable[[], datetime], stream: TextIO | None = None, room: int = ROOM) -> None:
        self._now = now
        self._write = _writer(stream or sys.stderr)
        self._lines: queue.Queue[str | None] = queue.Queue(room)
        self._guard = threading.Lock()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="service log", daemon=True)
        self._thread.start()

    def say(self, what: str, **fields: object) -> None:
        """A line: its time in UTC, `what` it is about, and more. Texts are made harmless and redacted."""
        with self._guard:
            if self._dropped and self._put("log", words=f"{self._dropped} lines were not written: too many waited"):
                self._dropped = 0
            if not self._put(what, **fields):
                self._dropped += 1

    def _put(self, what: str, **fields: object) -> bool:
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        tellable = {n: redact(safe_text(v, _WORDS)) if isinstance(v, str) else v for n, v in fields.items()}
        try:
            # ASCII alone, and no control character as such: nothing that a field holds can end its line.
            self._lines.put_nowait(json.dumps({"time": time, "what": what, **tellable}) + "\n")
        except queue.Full:
            return False
        return True

    def request(self, entry: "Entry") -> None:
        """A request was answered."""
        self.say(
            "request",
            account=entry.account,
            topic=entry.topic,
            status=entry.status,
            source=entry.source,
            took_ms=round(entry.took_s * 1000, 1),
            repeated=entry.repeated,
            words=entry.words or ("genuine, but not understood: kept as it came" if entry.unreadable else ""),
        )

    def unforeseen(self, fault: BaseException) -> None:
        """A fault of ours: its traceback, line by line, without local variables and redacted."""
        self.say("unforeseen", words=type(fault).__name__, traceback=told(fault)[-_TRACEBACK:].splitlines())

    def close(self) -> None:
        """Write what waits, for a short while."""
        try:
            self._lines.put(None, timeout=END_S)
        except queue.Full:
            return  # nobody reads: it ends with the process
        self._thread.join(END_S)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(line)
            except OSError:
                continue  # whoever read it is gone, or its disk is full: there is nobody to tell


def _writer(stream: TextIO) -> Callable[[str], object]:
    """Writes to the file itself: a stream's lock, held by a thread whose write stalls, would break Python's end."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # it is no file
        return stream.write

    def write(line: str) -> None:
        rest = line.encode()
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write


class _Handler(logging.Handler):
    """What libraries, and asyncio of tasks that failed unheard, would write on stderr as it is."""

    def __init__(self, log: ServiceLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self.setFormatter(RedactedLog())

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        self._log.say("unforeseen", words=record.name, traceback=self.format(record)[-_TRACEBACK:].splitlines())


@contextmanager
def told_in(log: ServiceLog) -> Iterator[None]:
    """What nobody foresaw, on another thread or in a task that nobody waits for, is told in the log."""
    handler, before = _Handler(log), threading.excepthook

    def in_a_thread(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_value is not None:
            log.unforeseen(fault.exc_value)

    threading.excepthook = in_a_thread
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        threading.excepthook = before
