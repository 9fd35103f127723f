"""Connections to the ledger's file: each serves one thread at a time; no more stay open than work at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vault.errors import LedgerError
from vault.ledger.events import LogConnection

_MOST_IDLE = 3
"""That read, beside one that writes: each has read the schema, and keeps a little of what it read last."""


class _Turn:
    """What a thread has in hand, and how many times it took it."""

    def __init__(self) -> None:
        self.connection: LogConnection | None = None
        self.depth = 0


class Pool:
    """Gives connections and takes them back. A thread that has one gets the same again, and sees what it wrote itself.

    The one that came back last goes out first: its cache is warm. One that writes is kept apart, because its cache is
    larger. Usable from any thread.
    """

    def __init__(self, connect: Callable[[], LogConnection]) -> None:
        self._connect = connect
        self._reading: list[LogConnection] = []
        self._writing: list[LogConnection] = []
        """Idle ones, both."""
        self._local = threading.local()
        self._users = 0
        self._closed = False
        self._guard = threading.Condition()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps it from closing. Raises LedgerError where it is closed."""
        with self._guard:
            if self._closed:
                raise LedgerError("the ledger is closed")
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1
                self._guard.notify_all()

    @contextmanager
    def taken(self, *, writes: bool) -> Iterator[LogConnection]:
        """A connection for this thread, inside `in_use`. `writes`: it does, or is to before it comes back."""
        turn = self._turn()
        if turn.connection is None:
            turn.connection = self._idle(writes=writes) or self._connect()
        turn.depth += 1
        try:
            yield turn.connection
        finally:
            turn.depth -= 1
            if not turn.depth:
                connection, turn.connection = turn.connection, None
                self._give_back(connection, writes=writes)

    def _turn(self) -> _Turn:
        turn: _Turn | None = getattr(self._local, "turn", None)
        if turn is None:
            turn = self._local.turn = _Turn()
        return turn

    def _idle(self, *, writes: bool) -> LogConnection | None:
        with self._guard:
            idle = self._writing if writes else self._reading
            return idle.pop() if idle else None

    def _give_back(self, connection: LogConnection, *, writes: bool) -> None:
        with self._guard:
            idle, most = (self._writing, 1) if writes else (self._reading, _MOST_IDLE)
            if len(idle) < most:
                idle.append(connection)
                return
        connection.close()

    def close(self, patience_s: float) -> None:
        """Close all, when what is under way is done: to close under it would end the process.

        Where something hangs for longer, nothing is closed; the process ends without it.
        """
        with self._guard:
            self._closed = True
            self._guard.wait_for(lambda: self._users == 0, patience_s)
            if self._users:
                return
            for connection in (*self._reading, *self._writing):
                connection.close()
            self._reading.clear()
            self._writing.clear()
