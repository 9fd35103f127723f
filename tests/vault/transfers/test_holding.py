"""When a service as a whole fails, or the disk is full: all take a break, one tries, and all go on.

The clock of the queue is moved by the tests; breaks have their real lengths.
"""

from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from providers.emulation import Faults, Loopback
from tests.vault.transfers.breaks import (
    TwoAccounts,
    account,
    are,
    asked,
    asked_more_than,
    got_to,
    hold,
    lasts_s,
    learn_other,
    rounds,
    two_accounts,
    working,
)
from tests.vault.transfers.running import A, B, C, learn, view
from tests.vault.world import until
from vault.desk import Desk
from vault.ledger.claiming import EVERYTHING, Hold
from vault.transfers.part import Part
from vault.transfers.retrying import HOLD_S, MAX_ATTEMPTS
from vault.views import TransferState


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> TwoAccounts:
    return two_accounts(net, tmp_path)


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
        await until(lambda: hold(desk) and not queue.busy)  # the third may not have been tried before the break
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
        await until(lambda: are(desk, "done", B) and hold(desk) is None)  # it is over at the next beat


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


async def test_a_break_of_a_clock_that_was_put_back_ends(it: TwoAccounts, desk: Desk) -> None:
    """It says days; one tries at once, and when it got through it is over for all."""
    it.vault = "workers_per_account = 1"
    await learn(it, desk, "a", "b")
    with closing(it.desk()) as one_at_a_time:
        far = it.clock().timestamp() + timedelta(days=7).total_seconds()
        for scope in ("advice", EVERYTHING):
            one_at_a_time._ledger.claims.hold(scope, Hold(far, "the service answers HTTP 503", 1))
        one_at_a_time.enqueue([A, B])
        async with working(one_at_a_time.new_queue()):
            await until(lambda: are(one_at_a_time, "done", A, B))
            await until(lambda: one_at_a_time._ledger.claims.holds() == {})
        await one_at_a_time.aclose()
