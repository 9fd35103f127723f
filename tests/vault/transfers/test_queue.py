"""Many files: workers, retries, steering, and what another process does at the same time."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from providers.base import NotFound, Provider, ProviderError
from providers.emulation import Faults
from providers.models import AssetId
from tests.vault.test_killed import stored_zip
from tests.vault.world import QUICK, World, archive, until
from vault.desk import Desk
from vault.errors import LedgerError, Overtaken, VaultError
from vault.ledger.claiming import STALE_AFTER_S, Beat, Claim, Claims, Terms
from vault.presence import Presence
from vault.transfers import fetch as fetching
from vault.transfers import placing, pouring
from vault.transfers.part import Part
from vault.transfers.queue import Queue
from vault.transfers.retrying import MAX_ATTEMPTS
from vault.transfers.throttle import Throttle
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
    monkeypatch.setattr(pouring, "BLOCK_S", 0.05)


@asynccontextmanager
async def working(queue: Queue, **how: Any) -> AsyncIterator[None]:
    """A queue that runs meanwhile, and is stopped."""
    task = asyncio.create_task(queue.run(**how))
    try:
        yield
    finally:
        task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError), end


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


async def test_the_wait_that_the_service_wishes_is_kept(it: World, desk: Desk) -> None:
    class Busy(ProviderError):
        transient = True

    async def connect(name: str) -> Provider:
        raise Busy("come back later", retry_after_s=40)

    await learn(it, desk, "a")
    desk.enqueue([A])
    queue = Queue(desk.config, desk._ledger, connect, it.clock, jitter=lambda: 1.0, rhythm=QUICK)
    async with working(queue):
        for attempts in (1, 2):
            await until(partial(is_at, desk, attempts))
            again_at = view(desk).again_at
            assert again_at is not None
            assert 30 < (again_at - it.clock()).total_seconds() <= 40
            it.clock.skip(41)
            queue.nudge()
    assert view(desk).words == "come back later"


async def test_progress_lets_the_attempts_count_anew(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection breaks after 70,000 bytes: far more than six attempts, and each gets further."""
    monkeypatch.setattr(fetching, "MAX_RESUMES", 0)
    await learn(it, desk, "a", size=1_000_000)
    it.emulator.archive_faults["a"] = Faults(cut_after=70_000)
    desk.enqueue([A])
    await desk.new_queue().run(drain=True)
    holds(it, desk)
    assert len(it.downloads()) > 2 * MAX_ATTEMPTS
    assert view(desk).attempts <= 2


async def test_what_gets_no_further_is_given_up(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than 64 KiB arrive each time, before anything is kept."""
    await learn(it, desk, "a", size=1_000_000)
    it.emulator.archive_faults["a"] = Faults(cut_after=60_000)
    desk.enqueue([A])
    await desk.new_queue().run(drain=True)
    assert (view(desk).state, len(it.downloads())) == ("failed", MAX_ATTEMPTS)


async def test_a_source_that_is_no_longer_known(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    desk.enqueue([A])
    claim = _claim(it, desk)
    queue = desk.new_queue()
    with pytest.raises(NotFound, match="not known any more"):
        queue._placing.asset(replace(claim, identity=B))


async def test_a_part_that_another_process_has(it: World, desk: Desk) -> None:
    """It is waited for, and counts as no attempt."""
    await learn(it, desk, "a")
    desk.enqueue([A])
    claim = _claim(it, desk)
    queue = desk.new_queue()
    theirs = Part(it.folder / "vault", queue._placing._destination(claim))
    desk._ledger.claims.step_back(claim, "queued", it.clock().timestamp())
    async with working(queue):
        fences = [claim.fence]
        for _ in range(3):
            fences.append(await until(partial(waits_again, desk, fences[-1])))
            assert "being fetched by another process" in view(desk).words
            assert (view(desk).attempts, it.downloads()) == (0, [])
        theirs.close()
        await until(lambda: view(desk).state is TransferState.DONE)
    holds(it, desk)
    assert view(desk).attempts == 1


def is_at(desk: Desk, attempts: int) -> bool:
    return (view(desk).attempts, view(desk).state) == (attempts, TransferState.WAITING)


def waits_again(desk: Desk, fence: int) -> int:
    """The fence of a transfer that waits and was claimed since; else 0."""
    with desk._ledger.claims._database.read() as connection:
        sql = "SELECT fence FROM transfers WHERE state = 'waiting' AND fence > ?"
        row = connection.execute(sql, (fence,)).fetchone()
    return row["fence"] if row else 0


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
    assert (bool(queue._throttle), bool(queue._throttles["advice"])) == (scope == "vault", scope == "account")
    shared = Throttle(1_000_000, time.clock, time.sleep)
    if scope == "vault":
        queue._throttle = shared
    else:
        queue._throttles["advice"] = shared
    await queue.run(drain=True)
    for one in (A, B):
        holds(it, desk, one)
    assert 5.0 - 1.1 < time.now <= 6.01
    await desk.aclose()
    desk.close()


# What lies there already


async def test_a_file_that_someone_else_put_there(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    desk.enqueue([A])
    claim_path = desk.new_queue()._placing._destination(_claim(it, desk))
    path = it.folder / "vault" / claim_path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"precious")
    it.clock.skip(STALE_AFTER_S + 1)
    await desk.new_queue().run(drain=True)
    assert (view(desk).state, view(desk).attempts) == ("failed", 2)
    assert "reeldesk did not write" in view(desk).words
    assert path.read_bytes() == b"precious"


def _claim(it: World, desk: Desk) -> Claim:
    (claim,) = desk._ledger.claims.take(Terms("host:1:other", 9), it.clock().timestamp(), 1)
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
    queue, claims = desk.new_queue(), desk._ledger.claims
    first, second = _claim(it, desk), _claim(it, desk)
    root = it.folder / "vault"
    wanted = queue._placing._destination(second)
    assert claims.fix_path(second, str(root / "elsewhere.zip"))
    assert claims.fix_path(first, str(root / wanted))
    told_apart = queue._placing._destination(second)
    assert told_apart != wanted
    assert told_apart.parent == wanted.parent
    assert told_apart.suffix == ".zip"
    assert not claims.fix_path(first, str(root / told_apart))


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
    monkeypatch.setattr("vault.fetching.PROGRESS_S", 0.02)
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
