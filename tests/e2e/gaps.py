"""The program with a watch beside it: how long its loop stood still, and when."""

import asyncio
import json
import os
import time
from pathlib import Path

TICK_S = 0.005
LEAST_S = 0.02
"""Gaps from here on are written down."""


def watched_entry() -> int:
    """Run the program; $GAPS names the file that gets a line a gap: when it ended (time.monotonic()), seconds."""
    import tui.app
    from tui.cli import entry

    class Watched(tui.app.DeskApp):
        async def on_load(self) -> None:
            self.watch_task = asyncio.create_task(_watch(Path(os.environ["GAPS"])))

    tui.app.DeskApp = Watched  # type: ignore[misc]  # opened by its name
    return entry()


async def _watch(path: Path) -> None:
    with path.open("a", buffering=1, encoding="utf-8") as file:
        before = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            if now - before - TICK_S >= LEAST_S:
                file.write(json.dumps([now, now - before - TICK_S]) + "\n")
            before = now


def longest(path: Path, since: float, until: float) -> float:
    """The longest gap between two moments of time.monotonic(), in seconds; 0.0 for none."""
    gaps = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return max((gap for when, gap in gaps if since <= when <= until + gap), default=0.0)
