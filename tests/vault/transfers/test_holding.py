"""When a service as a whole fails, or the disk is full: all take a break, one tries, and all go on.

The clock of the queue is moved by the tests; breaks have their real lengths.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from providers.emulation import Faults, Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import AssetId
from tests.vault.test_killed import stored_zip
from tests.vault.world import World, archive, until
from vault.desk import Desk
from vault.ledger.claiming import EVERYTHING, Claims, Hold, Terms
from vault.transfers.part import Part
from vault.transfers.queue import Queue
from vault.transfers.retrying import HOLD_S, MAX_ATTEMPTS, Rhythm
from vault.views import AccountView, LocalState, TransferState, TransferView

A, B, C = archive("a"), archive("b"), archive("c")
LONG = timedelta(hours=6).total_seconds()


class TwoAccounts(World):
    """`advice` and `rooms`, each at an emulator of its own."""

    other: FlexpertoEmulator

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "REELDESK_SECRET_ROOMS_API_KEY": self.other.api_key}


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> TwoAccounts:
    emulator, other = FlexpertoEmulator(), FlexpertoEmulator()
    for each in (emulator, other):
        net.serve(each)
    made = TwoAccounts(tmp_path, emulator, rhythm=Rhythm(beat_s=0.03, backoff_s=0.02, busy_s=0.05))
    made.other = other
    made.options = f"""[accounts.rooms]\nprovider = "flexperto"\nbase_url = "{other.base_url}"\npoll_s = 0"""
    return made


@pytest.fixture
async def desk(it: TwoAccounts) -> AsyncIterator[Desk]:
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


@asynccontextmanager
async def working(queue: Queue, **how: Any) -> AsyncIterator[Queue]:
    """A queue that runs meanwhile, patiently, and is stopped."""
    task = asyncio.create_task(queue.run(**{"patience_s": LONG, **how}))
    try:
        yield queue
    finally:
        task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError), end


async def learn(it: TwoAccounts, desk: Desk, *names: str, size: int = 100_000) -> None:
    for number, name in enumerate(names):
        it.emulator.add_archive(name, blob=stored_zip(size, number))
    await desk.sync("advice")


async def learn_other(it: TwoAccounts, desk: Desk, name: str) -> AssetId:
    it.other.add_archive(name, blob=stored_zip(50_000, 99))
    await desk.sync("rooms")
    return AssetId.parse(f"rooms/conference-{name}/archive.{name}")


def view(desk: Desk, identity: AssetId = A) -> TransferView:
    found = desk.transfer(identity)
    assert found is not None
    return found


def account(desk: Desk, name: str = "advice") -> AccountView:
    return next(each for each in desk.accounts() if each.name == name)


def hold(desk: Desk, scope: str = "advice") -> Hold | None:
    return desk._ledger.claims.holds().get(scope)


def asked(it: TwoAccounts) -> int:
    return len(it.downloads()) + len(it.other.faults.seen)


def asked_more_than(it: TwoAccounts, times: int) -> bool:
    return asked(it) > times


def are(desk: Desk, state: str, *identities: AssetId) -> bool:
    return all(view(desk, identity).state == state for identity in identities)


def lasts_s(it: World, desk: Desk, scope: str = "advice") -> float:
    """How long a break still is."""
    found = hold(desk, scope)
    assert found is not None
    return found.until - it.clock().timestamp()


async def rounds(queue: Queue, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a queue look into the ledger a few times."""
    looks: list[float] = []
    with monkeypatch.context() as patch:
        is_due = Claims.is_due

        def count(self: Claims, terms: Terms, now: float) -> bool:
            looks.append(now)
            return is_due(self, terms, now)

        patch.setattr(Claims, "is_due", count)
        queue.nudge()
        await until(lambda: len(looks) >= 4)


def got_to(desk: Desk, level: int) -> bool:
    found = hold(desk)
    return found is not None and found.level == level


# An account


@pytest.mark.parametrize("status", [429, 503])
async def test_a_service_that_says_when_is_obeyed_by_all_of_the_account(
    it: TwoAccounts, desk: Desk, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    it.vault = "workers_per_account = 1"
    await learn(it, desk, "a", "b")
    other = await learn_other(it, desk, "x")
    desk = it.desk()
    it.emulator.faults.status, it.emulator.faults.retry_after = status, "90"
    desk.enqueue([A, B])
    async with working(desk.new_queue()) as queue:
        await until(lambda: hold(desk) and are(desk, "waiting", A))
        assert 85 < lasts_s(it, desk) <= 90
        desk.enqueue([other])
        await until(lambda: are(desk, "done", other))
        await rounds(queue, desk, monkeypatch)
        assert (len(it.downloads()), view(desk, B).state) == (1, TransferState.QUEUED)
        held_until = account(desk).held_until
        assert held_until is not None
        assert 80 < (held_until - it.clock()).total_seconds() <= 90
        assert f"HTTP {status}" in account(desk).held_words
        for one in (A, B):
            assert f"HTTP {status}" in view(desk, one).words
            assert view(desk, one).again_at == held_until
        assert account(desk, "rooms").held_until is None
        it.emulator.faults.status = None
        it.clock.skip(91)
        await until(lambda: are(desk, "done", A, B))
    assert view(desk).attempts == 1  # it was not the file that failed
    await desk.aclose()
    desk.close()


async def test_three_failures_of_two_assets_hold_the_account(
    it: TwoAccounts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(it, desk, "a", "b", "c")
    it.emulator.faults.status = 503
    desk.enqueue([A, B])
    async with working(desk.new_queue()) as queue:
        await until(lambda: hold(desk) and are(desk, "waiting", A, B))
        assert HOLD_S - 5 < lasts_s(it, desk) <= HOLD_S
        tried = len(it.downloads())
        assert tried >= 3
        desk.enqueue([C])
        await rounds(queue, desk, monkeypatch)
        assert len(it.downloads()) <= tried + 1  # one that was on its way
        assert view(desk, C).state is TransferState.QUEUED
        assert "503" in view(desk, C).words


async def test_one_file_that_fails_holds_nobody_else(it: TwoAccounts, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    it.emulator.archive_faults["a"] = Faults(status=503)
    desk.enqueue([A])
    async with working(desk.new_queue()):
        await until(lambda: are(desk, "failed", A))
        assert view(desk).attempts == MAX_ATTEMPTS
        assert hold(desk) is None
        desk.enqueue([B])
        await until(lambda: are(desk, "done", B))


async def test_after_a_break_one_tries_and_its_failure_doubles_it(
    it: TwoAccounts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(it, desk, "a", "b", "c")
    it.emulator.faults.status = 503
    desk.enqueue([A, B, C])
    async with working(desk.new_queue()) as queue:
        await until(lambda: hold(desk) and are(desk, "waiting", A, B, C) and not queue.busy)
        for level, length in ((2, 60), (3, 120), (4, 240)):
            tried = len(it.downloads())
            it.clock.skip(lasts_s(it, desk) + 0.1)
            await until(partial(got_to, desk, level))
            assert length - 5 < lasts_s(it, desk) <= length
            await rounds(queue, desk, monkeypatch)
            assert len(it.downloads()) == tried + 1
        it.emulator.faults.status = None
        it.clock.skip(241)
        await until(lambda: are(desk, "done", A, B, C))
        await until(lambda: hold(desk) is None)
    assert account(desk).held_until is None


async def test_a_transfer_that_began_before_the_break_does_not_end_it(
    it: TwoAccounts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much it gets: the service asked not to be asked for more."""
    await learn(it, desk, "a", "b", "c", size=600_000)
    it.emulator.archive_faults["a"] = Faults(bytes_per_s=300_000)
    it.emulator.archive_faults["b"] = Faults(status=429, retry_after="90")
    desk.enqueue([A])
    async with working(desk.new_queue()) as queue:
        await until(lambda: queue.up_to_date(view(desk)).received > 100_000)
        desk.enqueue([B, C])
        desk.move(C, 5)
        queue.nudge()
        await until(lambda: are(desk, "waiting", B))
        await until(lambda: are(desk, "done", A))
        await rounds(queue, desk, monkeypatch)
        assert 80 < lasts_s(it, desk) <= 90
        assert view(desk, C).state is TransferState.QUEUED


async def test_a_transfer_that_began_before_the_break_keeps_nobody_from_trying(it: TwoAccounts) -> None:
    it.rhythm = replace(it.rhythm, hold_s=5.0)
    desk = it.desk()
    await learn(it, desk, "a", "b", size=900_000)
    it.emulator.archive_faults["a"] = Faults(bytes_per_s=100_000)
    it.emulator.archive_faults["b"] = Faults(status=429, retry_after="10")
    desk.enqueue([A])
    async with working(desk.new_queue()) as queue:
        await until(lambda: queue.up_to_date(view(desk)).received > 100_000)
        desk.enqueue([B])
        queue.nudge()
        await until(lambda: are(desk, "waiting", B))
        del it.emulator.archive_faults["b"]
        it.clock.skip(11)
        await until(lambda: are(desk, "done", B), within_s=4)
        assert view(desk).state is TransferState.RUNNING
        await until(lambda: hold(desk) is None)
    await desk.aclose()
    desk.close()


async def test_another_queue_on_the_ledger_keeps_to_it(
    it: TwoAccounts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(it, desk, "a", "b")
    other_one = await learn_other(it, desk, "x")
    desk._ledger.claims.hold("advice", Hold(it.clock().timestamp() + 300, "the service answers HTTP 503", 1))
    second = it.desk()
    second.enqueue([A, B, other_one])
    async with working(second.new_queue()) as queue:
        await until(lambda: are(second, "done", other_one))
        await rounds(queue, second, monkeypatch)
        assert it.downloads() == []
        assert are(second, "queued", A, B)
        desk._ledger.claims.go_on(["advice"])
        await until(lambda: are(second, "done", A, B))
    await second.aclose()
    second.close()


async def test_one_that_is_hurried_tries_at_once(it: TwoAccounts, desk: Desk) -> None:
    await learn(it, desk, "a", "b", "c")
    it.emulator.faults.status, it.emulator.faults.retry_after = 503, "300"
    desk.enqueue([A, B, C])
    async with working(desk.new_queue()) as queue:
        await until(lambda: hold(desk) and not queue.busy)
        it.emulator.faults.status = None
        desk.hurry(B)
        queue.nudge()
        await until(lambda: are(desk, "done", B))
        assert hold(desk) is None


async def test_a_command_does_not_wait_for_a_break(it: TwoAccounts, desk: Desk) -> None:
    await learn(it, desk, "a")
    desk._ledger.claims.hold("advice", Hold(it.clock().timestamp() + 300, "the service answers HTTP 503", 1))
    asset = await desk.fetch_now(A)
    assert asset.local is LocalState.HELD


async def test_a_command_soon_says_that_the_service_fails(it: TwoAccounts, desk: Desk) -> None:
    await learn(it, desk, "a", "b", "c")
    it.emulator.faults.status = 503
    desk.enqueue([A, B, C])
    await desk.new_queue().run(drain=True)
    assert are(desk, "failed", A, B, C)
    assert hold(desk) is None
    assert [view(desk, one).attempts for one in (A, B, C)] == [MAX_ATTEMPTS] * 3


async def test_a_command_does_not_wait_half_a_day(it: TwoAccounts, desk: Desk) -> None:
    await learn(it, desk, "a")
    it.emulator.archive_faults["a"] = Faults(status=503, retry_after="40000")
    await asyncio.wait_for(desk.fetch_all([A]), 10)
    assert view(desk).state is TransferState.FAILED
    assert "it asks to wait until" in view(desk).words


async def test_patience_has_an_end(it: TwoAccounts, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    it.emulator.faults.status = 503
    desk.enqueue([A, B])
    async with working(desk.new_queue(), patience_s=100) as queue:
        await until(lambda: hold(desk) and are(desk, "waiting", A, B) and not queue.busy)
        it.clock.skip(200)
        for _ in range(2):  # one after the other, each as the trial
            await until(lambda: are(desk, "failed", A) or are(desk, "failed", B) or lasts_s(it, desk) > 0)
        await until(lambda: are(desk, "failed", A, B))
    assert "503" in view(desk).words


async def test_patience_begins_with_the_first_attempt(it: TwoAccounts, desk: Desk) -> None:
    """Queued in the evening; in the morning the service is down."""
    await learn(it, desk, "a", "b")
    desk.enqueue([A, B])
    it.clock.skip(LONG + 3_600)
    it.emulator.faults.status = 503
    async with working(desk.new_queue()) as queue:
        await until(lambda: hold(desk) and not queue.busy)
        assert are(desk, "waiting", A, B)


async def test_time_in_which_nothing_worked_costs_no_patience(
    it: TwoAccounts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried in the evening and in the morning, the desk closed between."""
    await learn(it, desk, "a", "b")
    it.emulator.faults.status = 503
    desk.enqueue([A, B])
    async with working(desk.new_queue()) as queue:
        await until(lambda: hold(desk) and are(desk, "waiting", A, B) and not queue.busy)
    it.clock.skip(LONG + 3_600)
    async with working(desk.new_queue()) as queue:
        await until(lambda: hold(desk) and lasts_s(it, desk) > 0 and not queue.busy)
        await rounds(queue, desk, monkeypatch)
        assert are(desk, "waiting", A, B)


# The disk


async def test_a_full_disk_holds_everything_until_there_is_room(
    it: TwoAccounts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(it, desk, "a", "b")
    other = await learn_other(it, desk, "x")
    monkeypatch.setattr(Part, "free_bytes", lambda self: 1_000)
    desk.enqueue([A])
    async with working(desk.new_queue()) as queue:
        await until(lambda: hold(desk, EVERYTHING) and are(desk, "waiting", A))
        desk.enqueue([B, other])
        await rounds(queue, desk, monkeypatch)
        assert len(it.downloads()) == 1
        for one in (A, B, other):
            assert "bytes are missing" in view(desk, one).words
            assert view(desk, one).again_at is not None
        for _ in range(3):  # looked at again every so often, by one transfer, and no less often as time goes by
            tried = asked(it)
            it.clock.skip(HOLD_S + 0.1)
            await until(partial(asked_more_than, it, tried))
            await until(lambda: lasts_s(it, desk, EVERYTHING) > 0 and not queue.busy)
            assert lasts_s(it, desk, EVERYTHING) <= HOLD_S
        monkeypatch.undo()
        it.clock.skip(HOLD_S + 0.1)
        await until(lambda: are(desk, "done", A, B, other))
        await until(lambda: hold(desk, EVERYTHING) is None)
    assert view(desk).attempts == 1


async def test_a_command_soon_says_that_the_disk_is_full(
    it: TwoAccounts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(it, desk, "a")
    monkeypatch.setattr(Part, "free_bytes", lambda self: 1_000)
    desk.enqueue([A])
    await desk.new_queue().run(drain=True)
    assert view(desk).state is TransferState.FAILED
    assert "bytes are missing" in view(desk).words
    assert hold(desk, EVERYTHING) is None


async def test_a_drain_that_waited_leaves_no_break_behind(it: TwoAccounts, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    it.emulator.faults.status, it.emulator.faults.retry_after = 503, "90"
    desk.enqueue([A, B])
    running = asyncio.create_task(desk.new_queue().run(drain=True, patience_s=LONG))
    await until(lambda: hold(desk) and any(are(desk, "waiting", one) for one in (A, B)))
    await until(lambda: not any(are(desk, "running", one) for one in (A, B)))
    it.emulator.faults.status = None
    it.clock.skip(91)
    async with asyncio.timeout(10):
        await running
    assert are(desk, "done", A, B)
    assert hold(desk) is None
