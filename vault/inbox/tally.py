"""What came to the receiver: counted for the desk, and told line by line where that is wanted."""

import time
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from vault.inbox.rates import Rates

TOLD_PER_S = 1.0
"""Of requests that brought nothing, so many are told: anybody may send as many as they like, and a log is on a disk."""
TOLD_AT_ONCE = 100.0


class Entry(Struct):
    """A request, as much of it as anybody may read: no path, no secret, nothing of its body but the topic."""

    source: str
    account: str = ""
    topic: str = ""
    repeated: bool = False
    unreadable: bool = False
    status: int = 0
    words: str = ""
    """Why it was turned away."""
    took_s: float = 0.0

    def ended(self, status: int, words: str, took_s: float) -> "Entry":
        """The same, answered."""
        self.status, self.words, self.took_s = status, words, took_s
        return self


class Tally:
    """Counts since it was made. `tell` gets every delivery and catch-up; of the rest a few, and how many it missed.

    `clock` is in seconds, monotonic.
    """

    def __init__(
        self, tell: Callable[[Entry], None] = lambda entry: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._rest = Rates(TOLD_PER_S, TOLD_AT_ONCE, TOLD_PER_S)
        self._untold = 0
        self.accepted = 0
        self.repeated = 0
        self.catchups = 0
        self.refused: Counter[str] = Counter()

    def note(self, entry: Entry) -> None:
        """A request was answered."""
        if entry.status >= 400:
            self.refused[f"{entry.status} {_NAMES.get(entry.status, '')}".strip()] += 1
        elif entry.status == 200 and entry.topic and not entry.repeated:
            self.catchups += 1
        elif entry.repeated:
            self.repeated += 1
        elif entry.topic:
            self.accepted += 1
        if entry.topic and entry.status < 400:
            self._tell(entry)
        elif self._rest.allow("", self._clock()) is None:
            self._tell(self._with_untold(entry))
        else:
            self._untold += 1

    def _with_untold(self, entry: Entry) -> Entry:
        if self._untold:
            entry.words = f"{entry.words} (not told before it: {self._untold})".lstrip()
            self._untold = 0
        return entry


_NAMES = {
    400: "not HTTP as it should be",
    401: "not authentic",
    404: "no such address",
    408: "too slow",
    413: "too large",
    429: "too many",
    500: "no summary",
    503: "cannot be kept",
}
