"""Many files: workers, retries, steering, and what another process does at the same time."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath

import pytest

from providers.base import NotFound, ProviderError
from providers.emulation import Faults
from providers.models import AssetId
from tests.vault.test_killed import stored_zip
from tests.vault.world import World, archive, until
from vault.desk import Desk
from vault.errors import LedgerError, Overtaken, VaultError
from vault.ledger.queueing import STALE_AFTER_S, Claim, Transfers
from vault.transfers import fetch as fetching
from vault.transfers import queue as queues
from vault.transfers.part import Part
from vault.transfers.queue import MAX_ATTEMPTS, Queue
from vault.views import AssetView, LocalState, TransferState, TransferView

A, B, C = archive("a"), archive("b"), archive("c")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "BEAT_S", 0.05)
    monkeypatch.setattr(queues, "BACKOFF_S", 0.02)
    monkeypatch.setattr(fetching, "BLOCK_S", 0.05)


async def learn(it: World, desk: Desk, *names: str, size: int = 100_000) -> None:
    for number, name in enumerate(names):
        it.emulator.add_archive(name, blob=stored_zip(size, number))
    await desk.sync("advice")


def view(desk: Desk, identity: AssetId = A) -> TransferView:
    found = desk.transfer(identity)
    assert found is not None
    return found


def holds(it: World, desk: Desk, identity: AssetId = A) -> None:
    asset = desk.asset(identity)
    assert asset is not None
    assert asset.local is LocalState.HELD, view(desk, identity)
    content = Path(asset.path).read_bytes()
    assert hashlib.sha256(content).hexdigest() == asset.sha256 == it.emulator.archives[identity.variant].blob.sha256()


def spoil(asset: AssetView, content: bytes) -> None:
    Path(asset.path).write_bytes(content)


async def test_everything_queued_is_fetched(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b", "c")
    assert desk.enqueue([A, B, C]) == (A, B, C)
    assert desk.enqueue([A, B, C]) == ()
    await desk.new_queue().run(drain=True)
    for one in (A, B, C):
        holds(it, desk, one)
        assert (view(desk, one).state, view(desk, one).attempts) == ("done", 1)
    assert len(it.downloads()) == 3
    assert len(it.files()) == 3


async def test_only_what_was_chosen(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    desk.enqueue([A, B])
    await desk.new_queue().run(only=[B], drain=True)
    holds(it, desk, B)
    assert view(desk, A).state is TransferState.QUEUED


async def test_nothing_to_do(it: World, desk: Desk) -> None:
    await asyncio.wait_for(desk.new_queue().run(drain=True), 5)


# Faults


async def test_transient_faults_are_tried_again(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    faults = it.emulator.archive_faults["a"] = Faults(status=503)
    desk.enqueue([A])
    running = asyncio.create_task(desk.new_queue().run(drain=True))
    await until(lambda: view(desk).attempts >= 2)
    assert "503" in view(desk).words
    faults.status = None
    await running
    holds(it, desk)
    assert view(desk).attempts >= 2


async def test_it_is_given_up_after_some_attempts(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    it.emulator.archive_faults["a"] = Faults(status=503)
    desk.enqueue([A, B])
    await desk.new_queue().run(drain=True)
    assert (view(desk).state, view(desk).attempts) == ("failed", MAX_ATTEMPTS)
    assert len([line for line in it.downloads() if "/a/" in line]) == MAX_ATTEMPTS
    holds(it, desk, B)
    asset = desk.asset(A)
    assert asset is not None
    assert "503" in asset.error


async def test_other_faults_are_not_tried_again(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    it.emulator.archive_faults["a"] = Faults(status=403)
    desk.enqueue([A])
    await desk.new_queue().run(drain=True)
    assert (view(desk).state, view(desk).attempts) == ("failed", 1)
    del it.emulator.archive_faults["a"]
    desk.retry(A)
    await desk.new_queue().run(drain=True)
    holds(it, desk)


def waits_again(desk: Desk, attempts: int) -> bool:
    return (view(desk).attempts, view(desk).state) == (attempts, TransferState.WAITING)


async def test_the_wait_that_the_service_wishes_is_kept(it: World, desk: Desk) -> None:
    waits = []

    class Busy(ProviderError):
        transient = True

    async def connect(name: str) -> object:
        raise Busy("come back later", retry_after_s=40)

    await learn(it, desk, "a")
    desk.enqueue([A])
    queue = Queue(desk.config, desk._ledger, connect, "me", it.clock, lambda: 1.0)  # type: ignore[arg-type]  # raises
    running = asyncio.create_task(queue.run(drain=True))
    for attempt in range(1, 3):
        await until(partial(waits_again, desk, attempt))
        start = desk._ledger.transfers.next_start()
        assert start is not None
        waits.append(start - it.clock().timestamp())
        it.clock.skip(41)
        queue.nudge()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert all(30 < wait <= 40 for wait in waits)
    assert view(desk).words == "come back later"


def test_waits_grow_and_are_spread(it: World) -> None:
    desk = it.desk()
    waits = []
    for jitter in (0.0, 1.0):
        queue = Queue(desk.config, desk._ledger, desk._connections.connect, "me", it.clock, partial(float, jitter))
        for attempts in (1, 3, 5):
            claim = Claim(1, A, 1, attempts, None, None)
            error = ProviderError("x")
            error.transient = True
            now, again = queue._next_attempt(claim, error)
            assert again is not None
            waits.append(round((again - now) / queues.BACKOFF_S, 1))
    assert waits == [0.5, 2.0, 8.0, 1.0, 4.0, 16.0]
    desk.close()


async def test_a_source_that_is_no_longer_known(it: World, desk: Desk) -> None:
    queue = desk.new_queue()
    provider = await desk._connections.connect("advice")
    with pytest.raises(NotFound, match="not known any more"):
        await queue._resolve(provider, A)


# Pausing, cancelling, stopping


async def slow(it: World, desk: Desk, *names: str) -> None:
    await learn(it, desk, *names, size=400_000)
    it.emulator.faults.bytes_per_s = 300_000


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


# Others on the same ledger


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
    claim = desk._ledger.transfers.claim("other", later, per_account=9)
    assert claim is not None
    await until(lambda: not queue.busy)
    assert view(desk).owner == "other"
    desk._ledger.transfers.step_back(claim, "cancelled", later)
    await running
    assert [name for name in it.files() if not name.endswith((".part", ".json"))] == []


async def test_a_ledger_that_cannot_be_written_stops_the_transfer(
    it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await slow(it, desk, "a")
    desk.enqueue([A])

    def full(*args: object) -> str:
        raise LedgerError("the ledger is full")

    monkeypatch.setattr(Transfers, "beat", full)
    monkeypatch.setattr(Transfers, "fail", full)
    queue = desk.new_queue()
    running = asyncio.create_task(queue.run(drain=True))
    await until(lambda: queue.busy)
    await until(lambda: not queue.busy)
    received = len(it.downloads())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert received == 1
    part = Part(it.folder / "vault", _relative(it))  # nobody holds the lock any more
    part.close()


def _relative(it: World) -> PurePosixPath:
    [name] = [name for name in it.files() if name.endswith(".part")]
    return PurePosixPath(name.removesuffix(".part"))


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

    monkeypatch.setattr(queues, "Part", Slow)
    running = asyncio.create_task(desk.new_queue().run(drain=True))
    await until(reached.is_set)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    go_on.set()
    await until(lambda: opened and opened[0]._closed)
    monkeypatch.undo()
    await desk.new_queue().run(drain=True)
    holds(it, desk)


# What lies there already


async def test_a_file_that_someone_else_put_there(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    desk.enqueue([A])
    claim_path = desk.new_queue()._destination(_claim(it, desk))
    path = it.folder / "vault" / claim_path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"precious")
    it.clock.skip(STALE_AFTER_S + 1)
    await desk.new_queue().run(drain=True)
    assert (view(desk).state, view(desk).attempts) == ("failed", 2)
    assert "reeldesk did not write" in view(desk).words
    assert path.read_bytes() == b"precious"


def _claim(it: World, desk: Desk) -> Claim:
    claim = desk._ledger.transfers.claim("other", it.clock().timestamp(), per_account=9)
    assert claim is not None
    return claim


async def test_a_damaged_file_is_set_aside(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    for number in range(3):
        await desk.fetch_now(A)
        asset = desk.asset(A)
        assert asset is not None
        spoil(asset, b"damaged %d" % number)
        assert (await desk.verify(A)).state is LocalState.DAMAGED
    await desk.fetch_now(A)
    holds(it, desk)
    assert [name.rpartition(".zip")[2] for name in it.files()] == ["", ".damaged", ".damaged-2", ".damaged-3"]


async def test_a_file_that_came_back(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    asset = await desk.fetch_now(A)
    moved = it.folder / "elsewhere"
    os.rename(asset.path, moved)
    assert (await desk.verify(A)).state is LocalState.LOST
    os.rename(moved, asset.path)
    await desk.fetch_now(A)
    holds(it, desk)
    assert len(it.downloads()) == 1


async def test_two_assets_that_would_share_a_path(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    desk.enqueue([A, B])
    queue, transfers = desk.new_queue(), desk._ledger.transfers
    first, second = _claim(it, desk), _claim(it, desk)
    root = it.folder / "vault"
    wanted = queue._destination(second)
    assert transfers.fix_path(second, str(root / "elsewhere.zip"))
    assert transfers.fix_path(first, str(root / wanted))
    told_apart = queue._destination(second)
    assert told_apart != wanted
    assert told_apart.parent == wanted.parent
    assert told_apart.suffix == ".zip"
    assert not transfers.fix_path(first, str(root / told_apart))


async def test_the_vault_moved(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    asset = await desk.fetch_now(A)
    os.unlink(asset.path)
    await desk.verify(A)
    it.write()
    text = (it.folder / "config.toml").read_text().replace('path = "vault"', 'path = "moved"')
    (it.folder / "config.toml").write_text(text)
    other = Desk.open(it.environ, now=it.clock)
    asset = await other.fetch_now(A)
    assert Path(asset.path).is_relative_to(it.folder / "moved")
    await other.aclose()
    other.close()


# Seeing one through


async def test_progress_is_told(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.desk.PROGRESS_S", 0.02)
    await slow(it, desk, "a")
    told: list[TransferView] = []
    await desk.fetch_now(A, told.append)
    received = [one.received for one in told]
    assert received == sorted(received)
    assert len(set(received)) > 5


async def test_fetching_now_says_why_not(it: World, desk: Desk) -> None:
    it.emulator.add_archive("p", status="PROCESSING")
    await learn(it, desk, "a")
    with pytest.raises(VaultError, match="still making it"):
        await desk.fetch_now(archive("p"))
    with pytest.raises(VaultError, match="is not known here"):
        await desk.fetch_now(archive("unknown"))
    it.emulator.archive_faults["a"] = Faults(status=403)
    with pytest.raises(VaultError, match="403"):
        await desk.fetch_now(A)
    del it.emulator.archive_faults["a"]
    desk.enqueue([A])
    desk.pause(A)
    asset = await desk.fetch_now(A)
    assert asset.local is LocalState.HELD
    with pytest.raises(VaultError, match="held already"):
        await desk.fetch_now(A)


async def test_moving_in_the_queue(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    desk.enqueue([A, B])
    desk.move(B, -1)
    assert [one.asset for one in desk.transfers()] == [B, A]
    assert isinstance(it.clock(), datetime)


async def test_wrong_bytes_are_not_asked_for_again_by_themselves(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    it.emulator.archives["a"].stated_sha256 = "cd" * 32
    await desk.sync("advice")
    with pytest.raises(VaultError, match="not what the service states"):
        await desk.fetch_now(A)
    assert len(it.downloads()) == 1
    asset = desk.asset(A)
    assert asset is not None
    assert asset.wrong
    assert "not what the service states" in asset.error
    it.emulator.archives["a"].stated_sha256 = None
    await desk.sync("advice")
    asset = desk.asset(A)
    assert asset is not None
    assert not asset.wrong
    await desk.fetch_now(A)
    holds(it, desk)
