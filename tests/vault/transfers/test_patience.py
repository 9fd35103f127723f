"""How long a failing service, or a full disk, is waited out: by a desk for hours, by a command hardly at all.

The clock of the queue is moved by the tests; breaks have their real lengths.
"""

import asyncio
from pathlib import Path

import pytest

from providers.emulation import Faults, Loopback
from tests.vault.transfers.breaks import (
    LONG,
    TwoAccounts,
    are,
    hold,
    lasts_s,
    rounds,
    two_accounts,
    working,
)
from tests.vault.transfers.running import A, B, C, learn, view
from tests.vault.world import until
from vault.desk import Desk
from vault.ledger.claiming import EVERYTHING, Hold
from vault.transfers.part import Part
from vault.transfers.retrying import MAX_ATTEMPTS
from vault.views import LocalState, TransferState


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> TwoAccounts:
    return two_accounts(net, tmp_path)


# A command


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


# A desk


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
