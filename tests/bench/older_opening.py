"""Bringing a ledger up as a program does, timed: `python -m tests.bench.older_opening FOLDER`.

FOLDER/data/ledger.db is the ledger. What is being done goes to standard output, a line as each begins; the figures
follow as JSON. SIGINT ends it as Ctrl+C does.
"""

import json
import os
import signal
import sys
import time
from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.ours import memory
from tests.bench.results import percentile
from tui.commandline.bringing_up import opened
from vault.desk import Desk
from vault.ledger.migrating import Migrating

INTERRUPTED = 130


class Watched:
    """Notes when the watcher is told, and of what."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.told_at = array("d", [clock()])
        """The opening's beginning, and each time that the watcher was told."""
        self.phases: list[tuple[str, int]] = []
        """What was done, and which time was the first that this was told."""

    def by(self, watch: Callable[[Migrating], None]) -> Callable[[Migrating], None]:
        """`watch`, and a note of it."""

        def tell(now: Migrating) -> None:
            if not self.phases or self.phases[-1][0] != now.words:
                self.phases.append((now.words, len(self.told_at)))
                print(now.words, flush=True)
            self.told_at.append(self._clock())
            watch(now)

        return tell

    def figures(self) -> Mapping[str, Any]:
        """What there is to tell at the end."""
        times = [*self.told_at, self._clock()]
        silences = [after - before for before, after in pairwise(times)]
        worst = max(range(len(silences)), key=silences.__getitem__)
        names = [words for words, _ in self.phases]
        # The first is told of once a part of it is done.
        begun = [times[0], *(times[place] for _, place in self.phases[1:]), times[-1]]
        return {
            "wall_s": times[-1] - times[0],
            "told": len(self.told_at) - 1,
            "silent_p50_s": percentile(silences, 0.5),
            "silent_p99_s": percentile(silences, 0.99),
            "silent_worst_s": silences[worst],
            "silent_in": next((words for words, place in reversed(self.phases) if place <= worst), "its beginning"),
            "phases": [(words, to - since) for words, (since, to) in zip(names, pairwise(begun), strict=False)],
        }


def main() -> int:
    """Open it, say how that went, and close it."""
    folder = Path(sys.argv[1])
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # while it is opened it is heard; what comes later changes nothing
    environ = {"REELDESK_CONFIG": str(folder / "config.toml"), "REELDESK_DATA": str(folder / "data")}
    (folder / "config.toml").write_text(f'[vault]\npath = "{folder / "vault"}"\n')
    watched, used = Watched(time.perf_counter), time.process_time()
    desk: Desk | None = None
    with suppress(KeyboardInterrupt):
        desk = opened(lambda watch: Desk.open(environ, on_migration=watched.by(watch)))
    used, peak = time.process_time() - used, memory("VmHWM")
    figures = watched.figures()
    if desk is not None:
        desk.close()
    print(json.dumps({**figures, "is_whole": desk is not None, "cpu_s": used, "peak_bytes": peak}), flush=True)
    return 0 if desk is not None else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
