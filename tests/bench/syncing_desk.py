"""A sync as an open desk does it, beside a clock: `python -m tests.bench.syncing_desk FOLDER BASE IDLE_S`.

The engine works on its thread, the clock ticks in the main one, where the desk would draw. The figures go to standard
output as JSON.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from providers.models import Listing
from tests.bench.ours import Clock, memory
from tests.bench.results import percentile
from tui.collecting import collect_rarely, take_short_turns
from vault.desk import Desk
from vault.engine import Engine
from vault.ledger.recording import Recorded
from vault.syncing import Syncing

ACCOUNT = "advice"
_CONFIG = """\
[vault]
path = "vault"

[accounts.{account}]
provider = "flexperto"
base_url = "{base}"
poll_s = 0
"""


def environ(folder: Path, base: str) -> dict[str, str]:
    """Write a configuration over one account; gives the variables that name it."""
    (folder / "config.toml").write_text(_CONFIG.format(account=ACCOUNT, base=base))
    return {
        "REELDESK_CONFIG": str(folder / "config.toml"),
        "REELDESK_DATA": str(folder / "data"),
        f"REELDESK_SECRET_{ACCOUNT.upper()}_API_KEY": "flexperto-key",
        "REELDESK_KEYRING": "off",
    }


class Timed:
    """How long each page took to be written down."""

    def __init__(self, desk: Desk) -> None:
        self.wall_s: list[float] = []
        self.cpu_s = 0.0
        syncing: Syncing = desk._syncing
        record = syncing.record

        def timed(account: str, listing: Listing, *, authoritative: bool) -> Recorded:
            began, used = time.perf_counter(), time.thread_time()
            brought = record(account, listing, authoritative=authoritative)
            self.wall_s.append(time.perf_counter() - began)
            self.cpu_s += time.thread_time() - used
            return brought

        syncing.record = timed  # type: ignore[method-assign]  # to see what the ledger alone takes


def wait_until_indexed(desk: Desk, meetings: int) -> None:
    """Until a search looks through all of them."""
    while desk.search.coverage().searched < meetings:
        time.sleep(0.1)


async def measured(desk: Desk, engine: Engine, idle_s: float) -> Mapping[str, Any]:
    """One sync from nothing, and one more that finds everything as it was."""
    clock, timed = Clock(), Timed(desk)
    ticking = asyncio.create_task(clock.run())
    await asyncio.sleep(idle_s / 5)
    idle_from = time.perf_counter()
    await asyncio.sleep(idle_s)
    began, used, before = time.perf_counter(), time.process_time(), memory("VmRSS")
    words = await asyncio.wrap_future(engine.do(lambda _: engine.sync(ACCOUNT)))
    ended, cpu_s, peak = time.perf_counter(), time.process_time() - used, memory("VmHWM")
    written, written_cpu_s = list(timed.wall_s), timed.cpu_s
    totals = await asyncio.to_thread(desk.totals)
    await asyncio.to_thread(wait_until_indexed, desk, totals.meetings)
    indexed = time.perf_counter()
    await asyncio.wrap_future(engine.do(lambda _: engine.sync(ACCOUNT)))
    again_s = time.perf_counter() - indexed
    ticking.cancel()
    return {
        "words": words,
        "began": began,
        "ended": ended,
        "records": totals.assets,
        "wall_s": ended - began,
        "cpu_s": cpu_s,
        "ledger_s": sum(written),
        "ledger_cpu_s": written_cpu_s,
        "page_p50_ms": 1000 * percentile(written, 0.5),
        "page_p99_ms": 1000 * percentile(written, 0.99),
        "behind_s": indexed - ended,
        "again_s": again_s,
        "before_bytes": before,
        "peak_bytes": peak,
        "ticks": {
            "idle": asdict(clock.between(idle_from, began)),
            "beside the sync": asdict(clock.between(began, ended)),
        },
    }


def main() -> None:
    """Sync."""
    folder, base, idle_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    os.umask(0o077)
    desk = Desk.open(environ(folder, base))
    engine = Engine(desk, sync_at_start=False)
    collect_rarely()
    take_short_turns()
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        print(json.dumps(asyncio.run(measured(desk, engine, idle_s))))
    finally:
        engine.stop()
        thread.join()
        desk.close()


if __name__ == "__main__":
    main()
