"""Many files: workers, retries, and seeing one through."""

import asyncio
from contextlib import closing
from datetime import datetime
from functools import partial

import pytest
from msgspec.structs import replace

from providers.base import NotFound, Provider, ProviderError
from providers.emulation import Faults
from tests.vault.transfers.running import A, B, C, claimed, holds, learn, slow, view, working
from tests.vault.world import QUICK, World, archive, until
from vault.desk import Desk
from vault.errors import VaultError
from vault.transfers import fetch as fetching
from vault.transfers.part import Part
from vault.transfers.queue import Queue
from vault.transfers.retrying import MAX_ATTEMPTS
from vault.views import LocalState, TransferState, TransferView

pytestmark = pytest.mark.usefixtures("quick")


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
    claim = claimed(it, desk)
    queue = desk.new_queue()
    with pytest.raises(NotFound, match="not known any more"):
        queue._placing.asset(replace(claim, identity=B))


async def test_a_part_that_another_process_has(it: World, desk: Desk) -> None:
    """It is waited for, and counts as no attempt."""
    await learn(it, desk, "a")
    desk.enqueue([A])
    claim = claimed(it, desk)
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


async def test_an_account_that_is_not_configured_any_more(it: World, desk: Desk) -> None:
    """It was queued before; what is of other accounts goes on, and it can be tried again when it is back."""
    await learn(it, desk, "a")
    desk.enqueue([A])
    config = it.folder / "config.toml"
    before = config.read_text()
    config.write_text(before.replace("[accounts.advice]", "[accounts.renamed]"))
    with closing(Desk.open(it.environ, now=it.clock, rhythm=it.rhythm)) as other:
        await other.new_queue().run(drain=True)
        assert (view(other).state, view(other).attempts, it.downloads()) == ("failed", 1, [])
        assert view(other).words == "there is no account 'advice'; known: renamed"
        await other.aclose()
    desk.retry(A)
    await desk.new_queue().run(drain=True)
    holds(it, desk)


def is_at(desk: Desk, attempts: int) -> bool:
    return (view(desk).attempts, view(desk).state) == (attempts, TransferState.WAITING)


def waits_again(desk: Desk, fence: int) -> int:
    """The fence of a transfer that waits and was claimed since; else 0."""
    with desk._ledger.claims._database.read() as connection:
        sql = "SELECT fence FROM transfers WHERE state = 'waiting' AND fence > ?"
        row = connection.execute(sql, (fence,)).fetchone()
    return row["fence"] if row else 0


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
