"""What runs is paused, cancelled, stopped and limited."""

import asyncio

import pytest

from tests.vault.transfers.running import A, B, holds, learn, slow, view
from tests.vault.world import World, until
from vault.desk import Desk
from vault.transfers.throttle import Throttle
from vault.views import TransferState

pytestmark = pytest.mark.usefixtures("quick")


# Pausing, cancelling, stopping


@pytest.mark.parametrize(("wish", "end"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_stopped_while_it_runs_and_continued(it: World, desk: Desk, wish: str, end: str) -> None:
    await slow(it, desk, "a")
    desk.enqueue([A])
    queue = desk.new_queue()
    running = asyncio.create_task(queue.run(drain=True))
    await until(lambda: queue.up_to_date(view(desk)).received > 150_000)
    getattr(desk, wish)(A)
    await running
    assert view(desk).state == end
    assert queue.busy == frozenset()
    [part, note] = it.files()
    assert part.endswith(".part")
    assert note.endswith(".part.json")
    it.emulator.faults.bytes_per_s = None
    (desk.resume if wish == "pause" else desk.retry)(A)
    await desk.new_queue().run(drain=True)
    holds(it, desk)
    assert len(it.downloads()) == 2
    assert len(it.files()) == 1


async def test_stopping_queues_it_again_and_the_next_run_goes_on(it: World, desk: Desk) -> None:
    await slow(it, desk, "a")
    desk.enqueue([A])
    queue = desk.new_queue()
    running = asyncio.create_task(queue.run())
    await until(lambda: queue.up_to_date(view(desk)).received > 150_000)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (view(desk).state, view(desk).owner, view(desk).attempts) == ("queued", "", 0)
    it.emulator.faults.bytes_per_s = None
    await desk.new_queue().run(drain=True)
    holds(it, desk)


async def test_live_figures(it: World, desk: Desk) -> None:
    await slow(it, desk, "a", "b")
    desk.enqueue([A, B])
    queue = desk.new_queue()
    running = asyncio.create_task(queue.run(drain=True))
    await until(lambda: (queue.up_to_date(view(desk)).rate or 0) > 0)
    now = queue.up_to_date(view(desk))
    assert now.total == it.emulator.archives["a"].blob.size
    assert now.eta_s is not None
    assert 100_000 < (now.rate or 0) < 600_000
    assert queue.busy == {"advice"}
    assert view(desk).received > 0  # for other processes, through the ledger
    it.emulator.faults.bytes_per_s = None
    desk.cancel(A)
    desk.cancel(B)
    await running


async def test_what_is_queued_while_it_runs(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    queue = desk.new_queue()
    running = asyncio.create_task(queue.run())
    desk.enqueue([A])
    queue.nudge()
    await until(lambda: view(desk).state is TransferState.DONE)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    holds(it, desk)


# Limits


async def test_limits_for_an_account(it: World) -> None:
    it.vault = "workers_per_account = 1"
    desk = it.desk()
    await slow(it, desk, "a", "b")
    desk.enqueue([A, B])
    queue = desk.new_queue()
    running = asyncio.create_task(queue.run(drain=True))
    await until(lambda: view(desk, A).state is TransferState.RUNNING)
    await until(lambda: queue.up_to_date(view(desk)).received > 50_000)
    assert view(desk, B).state is TransferState.QUEUED
    it.emulator.faults.bytes_per_s = None
    await running
    holds(it, desk, A)
    holds(it, desk, B)
    await desk.aclose()
    desk.close()


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.mark.parametrize("scope", ["vault", "account"])
async def test_limits_on_bytes(it: World, scope: str) -> None:
    """Two files of 3 MB each at 1 MB/s together take 6 s of the limit's clock, less the last pieces."""
    limit = "max_bytes_per_s = 1_000_000"
    it.vault, it.options = (limit, "") if scope == "vault" else ("", limit)
    desk = it.desk()
    await learn(it, desk, "a", "b", size=3_000_000)
    desk.enqueue([A, B])
    queue, time = desk.new_queue(), Time()
    assert (bool(queue._throttle), bool(queue._throttle_of("advice"))) == (scope == "vault", scope == "account")
    shared = Throttle(1_000_000, time.clock, time.sleep)
    if scope == "vault":
        queue._throttle = shared
    else:
        queue._throttles["advice", 1_000_000] = shared
    await queue.run(drain=True)
    for one in (A, B):
        holds(it, desk, one)
    assert 5.0 - 1.1 < time.now <= 6.01
    await desk.aclose()
    desk.close()
