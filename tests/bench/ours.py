"""reeldesk's complete path, in a process of its own: claim, `.part`, SHA-256 on arrival, fsync, check, name, commit.

python -m tests.bench.ours PLAN   does what the plan (JSON) says and prints its figures as JSON.

The clock runs from queueing to the last commit. Before it: imports, the desk opened, the callbacks that announce the
recordings taken in, and one small file fetched the same way, as in a desk that is at work.
"""

import asyncio
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from providers.models import AssetId, Delivery
from tests.bench.results import Ticks
from vault.desk import Desk
from vault.engine import LOOK_S, Engine, Snapshot
from vault.views import LocalState, TransferState

TICK_S = 0.01
IDLE_S = 5.0
_ACCOUNT = "rooms"
_MIXED_AT = 1_790_000_000
_CONFIG = """
[vault]
path = "vault"
workers = {workers}
workers_per_account = {workers}
[accounts.{account}]
provider = "temasys"
base_url = "{base}"
auth = "none"
poll_s = 0
{ca_file}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fetch, and where to."""

    folder: str
    base: str
    """The server's address."""
    ca_file: str
    """"" without TLS."""
    warm: str
    """A small file that is fetched before the clock starts."""
    urls: Mapping[str, str]
    """By name."""
    workers: int
    beside: str = ""
    """If given: measure how late a clock in the main thread ticks when idle, while this line runs, and beside us."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it. `files`: where each name lies now."""

    wall_s: float
    cpu_s: float
    baseline_bytes: int
    peak_bytes: int
    files: Mapping[str, str]
    ticks: Mapping[str, Ticks]


def open_desk(plan: Plan) -> Desk:
    """A desk over one account and an empty vault."""
    folder = Path(plan.folder)
    ca_file = f'ca_file = "{plan.ca_file}"' if plan.ca_file else ""
    text = _CONFIG.format(workers=plan.workers, account=_ACCOUNT, base=plan.base, ca_file=ca_file)
    (folder / "config.toml").write_text(text)
    places = {"REELDESK_CONFIG": str(folder / "config.toml"), "REELDESK_DATA": str(folder / "data")}
    return Desk.open({**places, "REELDESK_KEYRING": "off"})


def identity(name: str) -> AssetId:
    """What the recording with this file's name is called here."""
    return AssetId.parse(f"{_ACCOUNT}/{name}/video.{_MIXED_AT}")


async def announce(desk: Desk, name: str, url: str) -> None:
    """Take in the callback that brings a recording's link."""
    callback = {
        "meetingId": name,
        "apiKey": "bench",
        "unixTime": _MIXED_AT,
        "roomId": "bench",
        "participants": 2,
        "startTime": "2026-11-01T10:00:00Z",
        "endTime": "2026-11-01T11:00:00Z",
        "retrievalUrl": url,
    }
    await desk.take_in(_ACCOUNT, Delivery({"content-type": "application/json"}, json.dumps(callback).encode()))


async def announce_all(desk: Desk, plan: Plan) -> None:
    """The warm one, and all others."""
    await announce(desk, "warm", plan.warm)
    for name, url in plan.urls.items():
        await announce(desk, name, url)


def memory(field: str) -> int:
    """VmRSS (resident now) or VmHWM (at most), in bytes.

    Not ru_maxrss: that begins with the peak of whoever started this process.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def held_files(desk: Desk, plan: Plan) -> dict[str, str]:
    """Where each file lies. Ends the process with words when one is not held."""
    files = {}
    for name in plan.urls:
        asset = desk.asset(identity(name))
        if asset is None or asset.local is not LocalState.HELD:
            sys.exit(f"{name} is {asset.local if asset else 'unknown'}: {asset.error if asset else ''}")
        files[name] = asset.path
    return files


async def fetch_all(desk: Desk, plan: Plan) -> Figures:
    """The queue alone, as `reeldesk work --drain` runs it."""
    await announce_all(desk, plan)
    await desk.fetch_now(identity("warm"))
    wanted = [identity(name) for name in plan.urls]
    baseline = memory("VmRSS")
    used, began = time.process_time(), time.perf_counter()
    await asyncio.to_thread(desk.enqueue, wanted)
    await desk.new_queue().run(drain=True)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - used
    peak = memory("VmHWM")
    await desk.aclose()
    return Figures(wall_s, cpu_s, baseline, peak, held_files(desk, plan), {})


class Clock:
    """Ticks on the running loop, and writes down when, and how late."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            self._late.append((now, now - began - TICK_S))

    def between(self, began: float, ended: float) -> Ticks:
        """Of the ticks in that time (`time.perf_counter`)."""
        return Ticks.of([late for at, late in self._late if began <= at <= ended])


async def until_done(engine: Engine, wanted: Sequence[AssetId]) -> None:
    """Look at the engine's snapshots, as the desk does, until all are held."""
    seen: Snapshot | None = None
    while True:
        await asyncio.sleep(TICK_S)
        snapshot = engine.snapshot()
        if snapshot is seen:
            continue
        seen = snapshot
        states = {transfer.asset: transfer for transfer in snapshot.transfers if transfer.asset in wanted}
        for transfer in states.values():
            if transfer.state is TransferState.FAILED:
                sys.exit(f"{transfer.asset} failed: {transfer.words}")
        if len(states) == len(wanted) and all(t.state is TransferState.DONE for t in states.values()):
            return


async def tick_beside(desk: Desk, engine: Engine, plan: Plan) -> Figures:
    """The clock ticks here; the engine works on its own thread, and is handed what a desk hands it."""
    await asyncio.wrap_future(engine.do(lambda desk: announce_all(desk, plan)))
    await asyncio.to_thread(desk.enqueue, [identity("warm")])
    await until_done(engine, [identity("warm")])
    wanted = [identity(name) for name in plan.urls]
    clock = Clock()
    ticking = asyncio.create_task(clock.run())
    await asyncio.sleep(LOOK_S)
    idle_from = time.perf_counter()
    await asyncio.sleep(IDLE_S)
    idle_to = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*shlex.split(plan.beside), stdout=subprocess.DEVNULL)
    if await process.wait() != 0:
        sys.exit(f"this failed: {plan.beside}")
    beside_to = time.perf_counter()
    await asyncio.to_thread(os.sync)
    baseline = memory("VmRSS")
    used, began = time.process_time(), time.perf_counter()
    await asyncio.to_thread(desk.enqueue, wanted)
    await until_done(engine, wanted)
    ended, cpu_s = time.perf_counter(), time.process_time() - used
    peak = memory("VmHWM")
    ticking.cancel()
    # The end is seen up to LOOK_S late; that idle time is not to count as under load.
    loaded_to = max(ended - LOOK_S, began + (ended - began) / 2)
    ticks = {
        "idle": clock.between(idle_from, idle_to),
        "beside curl": clock.between(idle_to, beside_to),
        "beside reeldesk": clock.between(began, loaded_to),
    }
    return Figures(ended - began, cpu_s, baseline, peak, held_files(desk, plan), ticks)


def with_engine(desk: Desk, plan: Plan) -> Figures:
    """Run the engine in its thread and the clock in this one."""
    engine = Engine(desk, sync_at_start=False)
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        return asyncio.run(tick_beside(desk, engine, plan))
    finally:
        engine.stop()
        thread.join()


def main() -> None:
    """Do as the plan says."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text()))
    desk = open_desk(plan)
    try:
        figures = with_engine(desk, plan) if plan.beside else asyncio.run(fetch_all(desk, plan))
    finally:
        desk.close()
    print(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main()
