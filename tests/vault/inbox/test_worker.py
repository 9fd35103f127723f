"""The worker with a service that is slow, and with faults of ours: what waits is processed all the same."""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.vault.inbox.house import ADVICE, AGENTS, ROOMS, House
from tests.vault.world import until
from vault.inbox.intake import Intake
from vault.inbox.receiving import Receiving
from vault.views import DeliveryState

ARCHIVES = 20
LEASE_S = 0.8


class OddError(Exception):
    """A fault that nobody foresaw."""


async def test_a_slow_service_is_asked_about_everything_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its answers take longer than a lease; what waits to be asked was taken anew, and no answer ever counted."""
    monkeypatch.setattr("vault.ledger.deliveries.LEASE_S", LEASE_S)
    monkeypatch.setattr("vault.inbox.worker._RENEW_S", LEASE_S / 4)
    async with house.receiving(process=False) as it:
        for number in range(ARCHIVES):
            assert (await it.post(ADVICE, house.services.archive(f"a{number}"))).status == 204
        house.services.flexperto.faults.latency_s = LEASE_S / 2
        working = asyncio.ensure_future(it.worker.run())
        await until(lambda: all(d.state is DeliveryState.DONE for d in it.deliveries()), 20)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        assert [d.tries for d in it.deliveries()] == [1] * ARCHIVES


def break_hearing(monkeypatch: pytest.MonkeyPatch) -> None:
    hear = Intake.hear

    async def odd(self: Intake, taken: Any) -> Any:
        if taken.account == "rooms":
            raise OddError
        return await hear(self, taken)

    monkeypatch.setattr(Intake, "hear", odd)


def break_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    confirm = Intake.confirm

    async def odd(self: Intake, heard: Any) -> Any:
        if heard.said.confirm:
            raise OddError
        return await confirm(self, heard)

    monkeypatch.setattr(Intake, "confirm", odd)


def break_writing_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(recorded: Any, warnings: Any, *, confirmed: bool) -> str:
        if recorded.assets == 1 and not confirmed:  # a recording; an agent has more of them
            raise OddError
        return "as it should be"

    monkeypatch.setattr("vault.inbox.intake.outcome", odd)


@pytest.mark.parametrize(
    ("broken", "account"), [(break_hearing, "rooms"), (break_asking, "advice"), (break_writing_down, "rooms")]
)
async def test_a_fault_of_ours_keeps_nothing_else_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch, broken: Any, account: str
) -> None:
    async with house.receiving(process=False) as it:
        assert (await it.post(ROOMS, house.services.recording())).status == 204
        assert (await it.post(ADVICE, house.services.archive())).status == 204
        assert (await it.post(AGENTS, house.services.agent())).status == 204
        with monkeypatch.context() as breaking:
            broken(breaking)
            with pytest.raises(OddError):
                await asyncio.wait_for(it.worker.run(), 10)
            await asyncio.wait_for(it.worker.drain(), 10)
        states = {d.account: (d.state, d.tries) for d in it.deliveries()}
        assert states.pop(account) == (DeliveryState.FAILED, 1)
        assert {state for state, _ in states.values()} == {DeliveryState.DONE}
        [failed] = [d for d in it.deliveries() if d.account == account]
        assert failed.outcome == "a fault of reeldesk ended its processing (OddError)"
        assert it.desk.webhooks.replay(failed.id)  # mended, it is processed
        await asyncio.wait_for(it.worker.drain(), 10)
        assert {d.state for d in it.deliveries()} == {DeliveryState.DONE}


async def test_a_desk_goes_on_after_a_fault(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It said that what comes in is kept, and had stopped receiving."""
    break_hearing(monkeypatch)
    monkeypatch.setattr("vault.inbox.receiving._AGAIN_S", 0.3)
    async with house.receiving(process=False) as it:
        desks = Receiving(it.desk.webhooks, it.desk.config.data / "workers")
        running = asyncio.ensure_future(desks.run(on=False))
        assert (await it.post(ROOMS, house.services.recording())).status == 204
        await until(lambda: desks.trouble)
        assert desks.trouble == "a fault of reeldesk broke off the processing of webhooks (OddError); it begins again"
        assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [OddError]
        assert (await it.post(AGENTS, house.services.agent())).status == 204
        await until(lambda: it.deliveries()[0].state is DeliveryState.DONE)
        assert desks.trouble == ""
        running.cancel()
        await asyncio.wait((running,))
