"""A rotation that is killed between any two steps loses nothing; and those that a person has to complete."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from providers.emulation import Loopback
from tests.vault.inbox.tenant import (
    AVAILABLE,
    HOUR_S,
    OLD,
    Killed,
    Tenant,
    gate_of,
    is_current,
    opens,
    revealed,
    tenant,
    words,
)
from tests.vault.test_secrets import Ring
from tests.vault.world import ACCOUNT
from vault.desk import Desk
from vault.errors import LedgerError
from vault.inbox.asking import listed
from vault.inbox.gate import SECRET
from vault.inbox.rotating import Rotating, Setting
from vault.secrets import variable


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> Tenant:
    return tenant(net, tmp_path)


@pytest.fixture(autouse=True)
def no_receiver_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing has to wait for one."""
    monkeypatch.setattr("vault.inbox.rotating.SEEN_S", 0.0)


# Killed between any two steps


def kill_at(desk: Desk, it: Tenant, cut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process, as far as a rotation goes, right before or right after a step."""
    step, _, when = cut.partition(" ")
    hooks, client = desk._ledger.hooks, desk._connections.client(ACCOUNT)
    owner: Any = {"admit": hooks, "rotate": hooks, "store": desk.secrets}.get(step, client)
    real = getattr(owner, step)

    def killed(*args: Any) -> Any:
        if when == "after":
            real(*args)
        raise Killed

    async def killed_there(*args: Any) -> Any:
        if when == "after":
            await real(*args)
        raise Killed

    monkeypatch.setattr(owner, step, killed_there if owner is client else killed)


CUTS = [f"{step} {when}" for step in ("admit", "subscribe", "rotate", "store", "unsubscribe") for when in ("", "after")]


@pytest.mark.parametrize("with_keyring", [False, True])
@pytest.mark.parametrize("cut", CUTS)
async def test_killed(it: Tenant, cut: str, with_keyring: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if with_keyring:
        it.secret, it.ring = "", Ring()
        it.ring.kept["reeldesk", f"{ACCOUNT}/{SECRET}"] = OLD
    it.register()
    async with it.desk() as desk:
        await gate_of(desk, it.clock).open()
        kill_at(desk, it, cut, monkeypatch)
        with contextlib.suppress(Killed):
            await rotate_killed(desk)
    monkeypatch.undo()
    async with it.desk() as desk:
        gate = gate_of(desk, it.clock)
        await gate.open()
        for url in it.urls:
            assert await opens(gate, it.token(url)), "nothing on its way is refused"
        it.clock.skip(HOUR_S + 1)
        await gate.reread()
        assert any([await opens(gate, it.token(url)) for url in it.urls]), "one registered address is taken for good"
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert it.urls == [revealed(rotation)], "the next rotation leaves nothing behind"
        assert is_current(desk, it.token(it.urls[0]))
    assert {one.topic for one in it.emulator.registered.values()} == {AVAILABLE}


async def rotate_killed(desk: Desk) -> None:
    """Rotate as `Subscribing.rotate` does, without a task: what kills one goes to the loop, not to who waits."""
    client = await desk._connections.connect(ACCOUNT)
    [address] = await desk.webhooks.addresses()
    old = await desk._connections.secret(ACCOUNT, SECRET)
    current = desk._ledger.hooks.current(ACCOUNT)
    setting = Setting(address, client.info, old, await listed(client, old), "", current)
    await Rotating(setting, client, desk._ledger.hooks, desk.secrets, desk.now).run()


# Where a person has to carry the new address


MANUAL = """[accounts.agents]
provider = "cronofy"
[accounts.rooms]
provider = "temasys"
base_url = "https://rooms.example"
[accounts.standup]
provider = "proconf"
base_url = "https://standup.example"
"""


@pytest.fixture
def manual(it: Tenant) -> Tenant:
    it.more = MANUAL
    it.extra = {variable(name, SECRET): f"old-{name}-secret-that-is-long" for name in ("agents", "rooms", "standup")}
    return it


@pytest.mark.parametrize(
    ("account", "where"),
    [
        ("agents", "give the new address to agents that are sent from now on"),
        ("rooms", "set the new address as the callback of the recording notifications (mode 4)"),
        ("standup", "give the new bearer token to the apps that ask for catch-ups"),
    ],
)
async def test_a_new_secret_alone(manual: Tenant, account: str, where: str) -> None:
    old = manual.extra[variable(account, SECRET)]
    async with manual.desk() as desk:
        gate = gate_of(desk, manual.clock)
        await gate.open()
        rotation = await desk.webhooks.subscribing.rotate(account)
        given = revealed(rotation)
        token = given if account == "standup" else manual.token(given)
        assert account == "standup" or given == f"{manual.public_url}/hooks/{account}/{token}"
        assert where in rotation.steps[-1]
        assert token not in words(rotation)
        assert is_current(desk, token, account)
        [view] = [view for view in await desk.webhooks.addresses() if view.account == account]
        assert view.address == rotation.address
        for skipped, old_too in ((0, True), (HOUR_S + 1, False)):
            manual.clock.skip(skipped)
            await gate.reread()
            if account == "standup":
                assert [len(await gate.of_bearer(one)) for one in (old, token)] == [int(old_too), 1]
            else:
                assert [await opens(gate, one, account) for one in (old, token)] == [old_too, True]
    assert manual.emulator.faults.seen == []


async def test_one_that_signs_gets_its_first_secret(manual: Tenant) -> None:
    manual.extra = {}
    async with manual.desk() as desk:
        gate = gate_of(desk, manual.clock)
        await gate.open()
        assert await opens(gate, None, "agents")
        rotation = await desk.webhooks.subscribing.rotate("agents")
        await gate.reread()
        assert await opens(gate, manual.token(revealed(rotation)), "agents")
        assert await opens(gate, None, "agents")
        manual.clock.skip(HOUR_S + 1)
        await gate.reread()
        assert not await opens(gate, None, "agents")
        assert "the old one, which is taken" in rotation.steps[-1]
        first = await desk.webhooks.subscribing.rotate("rooms")
        assert first.steps[0].endswith("; it is taken from now on")
        assert "before" not in first.steps[2]


@pytest.mark.parametrize("cut", ["admit after", "store ", "store after", "rotate "])
async def test_killed_before_a_person_was_told(manual: Tenant, cut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody carries the new address anywhere, and the old one must go on."""
    manual.ring = Ring()
    async with manual.desk() as desk:
        await gate_of(desk, manual.clock).open()
        kill_at(desk, manual, cut, monkeypatch)
        with contextlib.suppress(Killed):
            await rotate_by_hand(desk, "rooms")
    monkeypatch.undo()
    manual.extra = {}  # so that what the keyring has is found
    async with manual.desk() as desk:
        gate = gate_of(desk, manual.clock)
        await gate.open()
        manual.clock.skip(HOUR_S + 1)
        await gate.reread()
        assert await opens(gate, "old-rooms-secret-that-is-long", "rooms")


@pytest.mark.parametrize("cut", ["admit ", "admit after", "store ", "store after", "rotate "])
async def test_killed_before_the_first_secret(manual: Tenant, cut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manual.ring, manual.extra = Ring(), {}
    async with manual.desk() as desk:
        await gate_of(desk, manual.clock).open()
        kill_at(desk, manual, cut, monkeypatch)
        with contextlib.suppress(Killed):
            await rotate_by_hand(desk, "agents")
    monkeypatch.undo()
    async with manual.desk() as desk:
        gate = gate_of(desk, manual.clock)
        await gate.open()
        manual.clock.skip(HOUR_S + 1)
        await gate.reread()
        assert await opens(gate, None, "agents")


async def rotate_by_hand(desk: Desk, account: str) -> None:
    [address] = [view for view in await desk.webhooks.addresses() if view.account == account]
    info = desk._connections.client(account).info
    old = await desk._connections.secret(account, SECRET)
    setting = Setting(address, info, old, None, "", desk._ledger.hooks.current(account))
    await Rotating(setting, None, desk._ledger.hooks, desk.secrets, desk.now).run()


async def test_a_ledger_that_fails_where_a_person_is_needed(manual: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    async with manual.desk() as desk:

        def full(*_: Any) -> None:
            raise LedgerError("the disk is full")

        await gate_of(desk, manual.clock).open()
        monkeypatch.setattr(desk._ledger.hooks, "rotate", full)
        rotation = await desk.webhooks.subscribing.rotate("rooms")
        assert rotation.address is None
        assert rotation.steps[-1] == "that failed: the disk is full; the old secret stays in use: rotate again"
        assert is_current(desk, "old-rooms-secret-that-is-long", "rooms")
        [view] = [view for view in await desk.webhooks.addresses() if view.account == "rooms"]
        assert view.address is not None
        assert view.address.reveal().endswith("/old-rooms-secret-that-is-long")
