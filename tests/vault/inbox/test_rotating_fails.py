"""What fails in a rotation loses nothing, and it is said."""

import re
from pathlib import Path
from typing import Any

import pytest

from providers.base import ServiceDown
from providers.emulation import Loopback
from providers.secret import Secret
from tests.vault.inbox.tenant import (
    AVAILABLE,
    CLOSE,
    HOUR_S,
    OLD,
    Picky,
    Tenant,
    gate_of,
    is_current,
    opens,
    revealed,
    tenant,
    words,
)
from tests.vault.world import ACCOUNT
from vault.desk import Desk
from vault.errors import LedgerError, VaultError
from vault.inbox.views import Rotation


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> Tenant:
    return tenant(net, tmp_path)


@pytest.fixture(autouse=True)
def no_receiver_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing has to wait for one."""
    monkeypatch.setattr("vault.inbox.rotating.SEEN_S", 0.0)


# What fails on the way: nothing is lost, and it is said


async def is_as_before(it: Tenant, desk: Desk, rotation: Rotation) -> None:
    """The old address is registered and taken, for good; what was begun is gone or lapses."""
    assert rotation.address is None
    assert it.old_address() in it.urls
    gate = gate_of(desk, it.clock)
    await gate.open()
    assert await opens(gate, OLD)
    it.clock.skip(HOUR_S + 1)
    await gate.reread()
    assert await opens(gate, OLD)
    assert is_current(desk, OLD)
    assert (await desk.webhooks.addresses())[0].address == Secret(it.old_address())


class From:
    """Refuses a call about subscriptions from the nth of its method on."""

    def __init__(self, emulator: Picky, method: str, number: int, status: int, count: int = 10**6) -> None:
        self.emulator, self.method, self.status = emulator, method, status
        self.numbers = range(number, number + count)

    def __call__(self, call: str) -> int | None:
        if not call.startswith(self.method) or "subscriptions" not in call:
            return None
        return self.status if len(self.emulator.calls(self.method)) in self.numbers else None


@pytest.mark.parametrize("status", [400, 401, 422, 500, 503])
async def test_a_registration_that_is_refused(it: Tenant, status: int) -> None:
    it.register()
    it.emulator.refuse = From(it.emulator, "POST", 1, status)
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert it.urls == [it.old_address()]
        await is_as_before(it, desk, rotation)
    assert rotation.steps[-2].startswith("that failed: ")
    assert not re.search(r"[\w-]{40}", words(rotation)), "the service repeats the new address, and we do not"
    assert rotation.steps[-1] == "withdrew the new secret; the old address stays as it is"


async def test_the_second_of_two_registrations_is_refused(it: Tenant) -> None:
    it.register()
    it.register(CLOSE)
    it.emulator.refuse = From(it.emulator, "POST", 2, 503)
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert it.urls == [it.old_address()] * 2, "the first was taken back"
        await is_as_before(it, desk, rotation)


async def test_a_registration_whose_answer_is_lost(it: Tenant) -> None:
    it.register()
    it.emulator.lose = lambda call: call.startswith("POST")
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert it.urls == [it.old_address()], "what came to be all the same is found, and deleted"
        await is_as_before(it, desk, rotation)
    assert "with the new address, again" in words(rotation)


async def test_a_lost_answer_and_then_a_service_that_is_down(it: Tenant) -> None:
    it.register()
    it.emulator.lose = lambda call: call.startswith("POST")
    it.emulator.refuse = From(it.emulator, "GET", 2, 503)
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert len(it.urls) == 2
        await is_as_before(it, desk, rotation)
        assert "cannot be asked whether it registered anything" in words(rotation)
        it.emulator.lose, it.emulator.refuse = (lambda call: False), (lambda call: None)
        again = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert it.urls == [revealed(again)], "the next one tidies up"


async def test_what_was_registered_is_not_to_be_seen(it: Tenant) -> None:
    it.register()
    kept = dict(it.emulator.registered)

    def forget(call: str) -> int | None:
        if call.startswith("GET"):
            it.emulator.registered.clear()
            it.emulator.registered.update(kept)
        return None

    it.emulator.refuse = forget
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        await is_as_before(it, desk, rotation)
    assert "does not show" in words(rotation)


async def test_verifying_fails(it: Tenant) -> None:
    it.register()
    it.emulator.refuse = From(it.emulator, "GET", 2, 503)
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert it.urls == [it.old_address()]
        await is_as_before(it, desk, rotation)


@pytest.mark.parametrize("status", [404, 405, 500])
async def test_the_old_one_cannot_be_deleted(it: Tenant, status: int) -> None:
    identity = it.register()
    it.emulator.refuse = From(it.emulator, "DELETE", 1, status)
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert it.urls == [it.old_address(), revealed(rotation)]
        assert is_current(desk, it.token(revealed(rotation)))
        assert f"{identity} for {AVAILABLE}, with the old address, could not be deleted" in words(rotation)
        assert "then its deliveries get 404" in words(rotation)
        it.emulator.refuse = lambda call: None
        again = await desk.webhooks.subscribing.rotate(ACCOUNT)
    assert it.urls == [revealed(again)]


async def test_a_list_that_fails_changes_nothing(it: Tenant) -> None:
    it.register()
    it.emulator.refuse = From(it.emulator, "GET", 1, 503)
    async with it.desk() as desk:
        with pytest.raises(ServiceDown):
            await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert desk._ledger.hooks.standing(0) == {}
    assert it.urls == [it.old_address()]


async def test_a_ledger_that_cannot_be_written(it: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    it.register()
    async with it.desk() as desk:

        def full(*_: Any) -> None:
            raise LedgerError("the disk is full")

        await gate_of(desk, it.clock).open()
        monkeypatch.setattr(desk._ledger.hooks, "rotate", full)
        monkeypatch.setattr(desk._ledger.hooks, "withdraw", full)
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        monkeypatch.undo()
        assert it.urls == [it.old_address()]
        await is_as_before(it, desk, rotation)
        assert "the new secret lapses within an hour (the disk is full)" in words(rotation)
        monkeypatch.setattr(desk._ledger.hooks, "admit", full)
        with pytest.raises(VaultError, match="the disk is full"):
            await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert it.urls == [it.old_address()]
