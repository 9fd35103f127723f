"""A secret is rotated: at the service, in the ledger, in the keyring."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from providers.emulation import Loopback
from providers.models import Subscription
from tests.vault.inbox.house import House, Receiving, Services
from tests.vault.inbox.tenant import (
    AVAILABLE,
    CLOSE,
    HOUR_S,
    MISSPELT,
    OLD,
    Tenant,
    gate_of,
    is_current,
    opens,
    revealed,
    tenant,
    words,
)
from tests.vault.test_secrets import Ring
from tests.vault.world import ACCOUNT, until
from vault.errors import VaultError
from vault.inbox.gate import SECRET
from vault.inbox.rotating import meant
from vault.secrets import variable


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> Tenant:
    return tenant(net, tmp_path)


@pytest.fixture(autouse=True)
def no_receiver_runs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing has to wait for one."""
    if "house" not in request.fixturenames:
        monkeypatch.setattr("vault.inbox.rotating.SEEN_S", 0.0)


# Rotated


async def test_rotating(it: Tenant) -> None:
    first, second = it.register(), it.register(CLOSE)
    other = it.emulator.subscribe(AVAILABLE, "https://elsewhere.example/hooks/advice/" + OLD)
    async with it.desk() as desk:
        gate = gate_of(desk, it.clock)
        await gate.open()
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        address = revealed(rotation)
        assert it.urls == [other.url, address, address]
        assert [one.topic for one in it.emulator.registered.values()] == [AVAILABLE, AVAILABLE, CLOSE]
        new = it.token(address)
        assert len(new) == 43
        assert address == it.old_address(new)
        await gate.reread()
        assert await opens(gate, OLD), "what is in flight still comes in"
        assert await opens(gate, new)
        it.clock.skip(HOUR_S + 1)
        await gate.reread()
        assert not await opens(gate, OLD)
        assert await opens(gate, new)
        [view] = await desk.webhooks.addresses()
        assert view.address == rotation.address
        assert view.problem == ""
    story = words(rotation)
    for said in (f"deleted {first}", f"deleted {second}", "in flight", "taken until", "in memory only", "switched off"):
        assert said in story
    assert variable(ACCOUNT, SECRET) in story
    assert new not in story + repr(rotation)
    assert OLD not in story + repr(rotation)


async def test_the_steps_are_in_order(it: Tenant) -> None:
    it.register()
    async with it.desk() as desk:
        await desk.webhooks.subscribing.rotate(ACCOUNT)
    called = [line.split()[0] for line in it.emulator.faults.seen if "subscriptions" in line]
    assert called == ["GET", "POST", "GET", "DELETE"]


async def test_rotating_with_nothing_registered(it: Tenant) -> None:
    it.emulator.subscribe(AVAILABLE, "https://elsewhere.example/")
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert is_current(desk, it.token(revealed(rotation)))
    assert "only the secret is renewed" in words(rotation)
    assert it.emulator.calls("POST") + it.emulator.calls("DELETE") == []


async def test_the_first_secret_of_all(it: Tenant) -> None:
    it.secret = ""
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert (await desk.webhooks.subscribing.register(ACCOUNT, AVAILABLE)).ours is True
    assert it.urls == [revealed(rotation)]
    assert "before" not in rotation.steps[2]


async def test_a_misspelt_one_is_replaced_by_what_was_meant(it: Tenant) -> None:
    wrong = it.emulator.subscribe(MISSPELT, it.old_address())
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
    assert [one.topic for one in it.emulator.registered.values()] == [AVAILABLE]
    assert it.urls == [revealed(rotation)]
    assert f"deleted {wrong.id} for {MISSPELT}" in words(rotation)


@pytest.mark.parametrize(
    ("topic", "warning", "expected"),
    [
        (MISSPELT, "misspelt", AVAILABLE),
        (MISSPELT, "", ""),
        (AVAILABLE, "no id", ""),
        ("communication.conferences.conference.open", "no id", ""),
        ("", "no id", ""),
    ],
)
def test_what_a_misspelt_topic_means(topic: str, warning: str, expected: str) -> None:
    assert meant(Subscription("1", topic, "https://h", warning), (AVAILABLE, CLOSE)) == expected


async def test_a_service_that_does_not_list_them(it: Tenant) -> None:
    it.register()
    it.emulator.refuse = lambda call: 404 if call.startswith("GET") else None
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert is_current(desk, it.token(revealed(rotation)))
    assert it.urls == [it.old_address(), revealed(rotation), revealed(rotation)]
    story = words(rotation)
    assert "the service's answer to registering is all there is" in story
    assert "delete it at the service" in story
    assert it.emulator.calls("DELETE") == []


async def test_registrations_without_ids(it: Tenant) -> None:
    it.register()
    it.emulator.answers_with_id = False
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
    assert it.urls == [revealed(rotation)]


async def test_a_secret_in_the_keyring(it: Tenant) -> None:
    it.secret, it.ring = "", Ring()
    it.ring.kept["reeldesk", f"{ACCOUNT}/{SECRET}"] = OLD
    it.register()
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
    assert "kept in the keyring Ring" in words(rotation)
    assert "environment" not in words(rotation)
    async with it.desk() as desk:
        [view] = await desk.webhooks.addresses()
        assert view.address == rotation.address
        [one] = await desk.webhooks.subscribing.subscriptions(ACCOUNT)
        assert one.ours is True


async def test_an_environment_that_hides_the_keyring(it: Tenant) -> None:
    it.ring = Ring()
    it.register()
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert f"the environment variable {variable(ACCOUNT, SECRET)} is read before the keyring" in words(rotation)
        assert (await desk.webhooks.addresses())[0].address == rotation.address
    async with it.desk() as desk:
        gate = gate_of(desk, it.clock)
        await gate.open()
        assert is_current(desk, it.token(revealed(rotation))), "the old one in the environment replaces nothing"
        [view] = await desk.webhooks.addresses()
        assert view.address is None
        assert "was replaced by one that is not known here" in view.problem


async def test_rotations_of_one_account_wait_for_each_other(it: Tenant) -> None:
    it.register()
    async with it.desk() as desk:
        rotations = await asyncio.gather(*(desk.webhooks.subscribing.rotate(ACCOUNT) for _ in range(3)))
        assert it.urls == [revealed(rotations[2])]
        assert is_current(desk, it.token(it.urls[0]))


async def test_a_screen_that_is_left_does_not_leave_it_half_done(it: Tenant) -> None:
    it.register()
    async with it.desk() as desk:
        it.emulator.faults.latency_s = 0.1
        asked = asyncio.create_task(desk.webhooks.subscribing.rotate(ACCOUNT))
        await until(lambda: it.emulator.calls("POST"))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await until(lambda: it.emulator.calls("DELETE") and len(it.urls) == 1 and it.urls != [it.old_address()])
        [view] = await desk.webhooks.addresses()
        assert view.address is not None
        assert view.address.reveal() == it.urls[0]


async def test_what_may_be_ours_is_told_the_new_address_and_never_deleted(it: Tenant) -> None:
    """Its address is masked where ours would begin, and our secret is not known: it could be another account's."""
    it.public_url += "/a-path-that-is-masked"
    identity = it.register()
    it.secret = ""
    async with it.desk() as desk:
        [view] = await desk.webhooks.subscribing.subscriptions(ACCOUNT)
        assert (view.ours, view.words) == (None, "where it leads cannot be told")
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
    assert it.urls == [it.old_address(), revealed(rotation)]
    assert f"{identity} for {AVAILABLE} may have the old address" in words(rotation)


async def test_a_long_path_in_front_of_it(it: Tenant) -> None:
    it.public_url += "/a-path-that-is-masked"
    it.register()
    it.register(token="another-secret-that-is-long-enough")
    async with it.desk() as desk:
        rotation = await desk.webhooks.subscribing.rotate(ACCOUNT)
    assert it.urls == [it.old_address("another-secret-that-is-long-enough"), revealed(rotation)]


async def test_rotating_what_no_service_can_call_changes_nothing(it: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    it.register()
    monkeypatch.setattr("vault.inbox.subscribing.Subscribing._service", lambda *_: "https://advice.example")
    it.public_url = "https://127.0.0.1:8787"
    it.register()
    async with it.desk() as desk:
        with pytest.raises(VaultError, match="set public_url"):
            await desk.webhooks.subscribing.rotate(ACCOUNT)
        assert desk._ledger.hooks.standing(0) == {}
    assert it.emulator.calls("POST") == []


# Over a receiver that runs


@pytest.fixture
def house(net: Loopback, tmp_path: Path) -> House:
    return House(tmp_path, Services.serve(net))


async def test_rotating_while_deliveries_come_in_refuses_none(house: House) -> None:
    """Each is tried once only, at whatever is registered at that moment."""
    flexperto = house.services.flexperto
    flexperto.allow_private_targets = True
    statuses: list[int] = []
    rotating = True

    async def deliver(receiving: Receiving) -> None:
        while rotating:
            delivery = house.services.archive(f"a{len(statuses)}")
            urls = [one.url for one in list(flexperto.registered.values())]
            statuses.extend([(await receiving.post(urlsplit(url).path, delivery)).status for url in urls])

    async with house.receiving(process=False) as receiving:
        webhooks = receiving.desk.webhooks
        webhooks.listens_on = receiving.receiver.view().address
        await webhooks.subscribing.register(ACCOUNT, AVAILABLE)
        delivering = asyncio.ensure_future(deliver(receiving))
        rotations = [await webhooks.subscribing.rotate(ACCOUNT) for _ in range(4)]
        rotating = False
        await delivering
        assert [one.url for one in flexperto.registered.values()] == [revealed(rotations[-1])]
    assert len(statuses) > 20
    assert set(statuses) <= {200, 204}
