"""What other processes do on the same ledger at the same time, and a ledger that cannot be used."""

import asyncio
import os
import threading
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pytest

from providers.models import AssetId
from tests.vault.transfers.running import A, B, holds, learn, slow, view, working
from tests.vault.world import World, archive, until
from vault.desk import Desk
from vault.errors import LedgerError, Overtaken, VaultError
from vault.ledger.claiming import STALE_AFTER_S, Beat, Claim, Claims, Terms
from vault.presence import Presence
from vault.transfers import placing
from vault.transfers.part import Part
from vault.views import TransferState

pytestmark = pytest.mark.usefixtures("quick")


async def test_two_queues_never_fetch_the_same(it: World) -> None:
    names = [f"n{number}" for number in range(12)]
    one, two = it.desk(), it.desk()
    await learn(it, one, *names)
    one.enqueue([archive(name) for name in names])
    await asyncio.gather(one.new_queue().run(drain=True), two.new_queue().run(drain=True))
    for name in names:
        holds(it, one, archive(name))
        assert [event.what for event in one.trail(archive(name))].count("fetched") == 1
    assert sorted(it.downloads()) == sorted(f"GET /api/v2{_path(name)}" for name in names)
    for desk in (one, two):
        await desk.aclose()
        desk.close()


def _path(name: str) -> str:
    return f"/communication/archives/archives/{name}/download"


async def test_an_overtaken_transfer_commits_nothing(it: World, desk: Desk) -> None:
    await slow(it, desk, "a")
    desk.enqueue([A])
    queue = desk.new_queue()
    running = asyncio.create_task(queue.run(drain=True))
    await until(lambda: queue.up_to_date(view(desk)).received > 50_000)
    later = it.clock().timestamp() + STALE_AFTER_S + 5
    (claim,) = desk._ledger.claims.take(Terms("host:1:other", 9), later, 1)
    await until(lambda: not queue.busy)
    assert view(desk).owner == "host:1"
    desk._ledger.claims.step_back(claim, "cancelled", later)
    await running
    assert [name for name in it.files() if not name.endswith((".part", ".json"))] == []


async def test_a_ledger_that_cannot_be_written_stops_the_transfer(
    it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing gets a final name that is not in the ledger; whoever takes it over goes on."""
    await learn(it, desk, "a")
    desk.enqueue([A])

    def full(*args: object, **more: object) -> None:
        raise LedgerError("the ledger is full")

    monkeypatch.setattr(Claims, "prepare", full)
    monkeypatch.setattr(Claims, "fail", full)
    queue = desk.new_queue()
    async with working(queue):
        await until(lambda: it.downloads() and not queue.busy)
        assert [name for name in it.files() if name.endswith(".zip")] == []
        [name] = [name for name in it.files() if name.endswith(".part")]
        Part(it.folder / "vault", PurePosixPath(name.removesuffix(".part"))).close()  # nobody holds its lock
    monkeypatch.undo()
    it.clock.skip(STALE_AFTER_S + 1)
    await desk.new_queue().run(drain=True)
    holds(it, desk)


async def test_a_beat_that_cannot_be_written_stops_nothing(
    it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []

    def locked(*args: object) -> dict[AssetId, str]:
        tried.append(True)
        raise LedgerError("database is locked")

    monkeypatch.setattr(Claims, "beat", locked)
    await slow(it, desk, "a")
    desk.enqueue([A])
    await desk.new_queue().run(drain=True)
    holds(it, desk)
    assert tried


@pytest.mark.parametrize("fault", [Overtaken("another"), LedgerError("full")])
async def test_the_end_of_what_is_anothers_is_not_ours(desk: Desk, fault: VaultError) -> None:
    def verb() -> None:
        raise fault

    await desk.new_queue()._settle(verb)


async def test_cancelled_while_the_part_is_opened(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that opens goes on; the lock it gets is given back."""
    await learn(it, desk, "a")
    desk.enqueue([A])
    reached, go_on, opened = threading.Event(), threading.Event(), []

    class Slow(Part):
        def __init__(self, root: Path, relative: object) -> None:
            reached.set()
            go_on.wait(10)
            super().__init__(root, relative)  # type: ignore[arg-type]  # handed on
            opened.append(self)

    monkeypatch.setattr(placing, "Part", Slow)
    running = asyncio.create_task(desk.new_queue().run(drain=True))
    await until(reached.is_set)
    running.cancel()
    go_on.set()
    await asyncio.gather(running, return_exceptions=True)
    assert [part.is_closed for part in opened] == [True]
    monkeypatch.undo()
    await desk.new_queue().run(drain=True)
    holds(it, desk)


async def test_what_a_killed_process_had_is_taken_over_at_once(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    desk.enqueue([A])
    killed = Presence(desk.config.data / "workers")
    assert desk._ledger.claims.take(Terms(killed.name, 9), it.clock().timestamp(), 1)
    queue = desk.new_queue()
    async with working(queue):
        seen = len(it.emulator.faults.seen)
        for _ in range(5):  # looks, and leaves it to whoever lives
            queue.nudge()
            await asyncio.sleep(0.02)
        assert (len(it.emulator.faults.seen), view(desk).state) == (seen, TransferState.RUNNING)
        os.close(killed._descriptor)  # as the system does when a process is killed: the lock goes, the file stays
        await until(lambda: view(desk).state is TransferState.DONE, within_s=5)
    holds(it, desk)


async def test_beats_of_all_that_runs_are_one(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    beat = Claims.beat

    def count(self: Claims, beats: Iterable[Beat], now: float) -> dict[AssetId, str]:
        told = list(beats)
        sizes.append(len(told))
        return beat(self, told, now)

    monkeypatch.setattr(Claims, "beat", count)
    await slow(it, desk, "a", "b")
    desk.enqueue([A, B])
    async with working(desk.new_queue()):
        await until(lambda: 2 in sizes)
    assert max(sizes) == 2


async def test_a_ledger_that_could_not_be_used_for_a_moment(
    it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the run with words; the next run of the same queue works."""

    def locked(*args: object) -> tuple[Claim, ...]:
        raise LedgerError("database is locked")

    await learn(it, desk, "a")
    desk.enqueue([A])
    queue = desk.new_queue()
    monkeypatch.setattr(Claims, "take", locked)
    with pytest.raises(LedgerError, match="locked"):
        await queue.run(drain=True)
    monkeypatch.undo()
    await queue.run(drain=True)
    holds(it, desk)


def workers_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("transfers")]


async def test_a_process_that_cannot_say_that_it_is_here(it: World, desk: Desk) -> None:
    """It fetches nothing, leaves no thread behind, and the next run of the same queue works."""
    await learn(it, desk, "a")
    desk.enqueue([A])
    queue, in_the_way = desk.new_queue(), desk.config.data / "workers"
    in_the_way.write_text("a file where a folder must be")
    with pytest.raises(VaultError, match="cannot be written"):
        await queue.run(drain=True)
    assert (workers_threads(), it.downloads()) == ([], [])
    in_the_way.unlink()
    await queue.run(drain=True)
    holds(it, desk)
    assert workers_threads() == []


async def test_cancelled_while_it_says_that_it_is_here(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread goes on; what it then says is taken back."""
    reached, go_on = threading.Event(), threading.Event()
    hold = Presence._hold

    def slow_hold(self: Presence) -> int:
        reached.set()
        go_on.wait(10)
        return hold(self)

    monkeypatch.setattr(Presence, "_hold", slow_hold)
    running = asyncio.create_task(desk.new_queue().run(drain=True))
    await until(reached.is_set)
    running.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert list((desk.config.data / "workers").iterdir()) == []
    assert workers_threads() == []
