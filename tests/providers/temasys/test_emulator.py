"""Callbacks leave the emulator over real HTTP, for the address in the settings."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest

from providers.emulation import Loopback, ObjectStore
from providers.sending import Attempts, Sender, Sent
from providers.temasys.emulator import TemasysEmulator
from tests.providers.receiving import Now, Receiver


@pytest.fixture
def clock() -> Now:
    return Now()


@pytest.fixture
def receiver(net: Loopback) -> Receiver:
    receiver = Receiver()
    net.serve(receiver)
    return receiver


@pytest.fixture
def emulator(net: Loopback, clock: Now, receiver: Receiver) -> TemasysEmulator:
    emulator = TemasysEmulator(clock, ObjectStore(clock))
    net.serve(emulator.store)
    emulator.settings[emulator.username] = {"notify": True, "url": f"{receiver.base_url}/rooms"}
    return emulator


@pytest.fixture
def sender(net: Loopback) -> Iterator[Sender]:
    sender = Sender()
    yield sender
    net.call(sender.close)


def test_a_callback_goes_out_when_the_recording_is_mixed(
    net: Loopback, emulator: TemasysEmulator, clock: Now, sender: Sender, receiver: Receiver
) -> None:
    def deliver() -> list[Sent]:
        sent: list[Sent] = net.call(lambda: emulator.deliver_due(sender))
        return sent

    emulator.record("later", mixed_in_s=60)
    emulator.record("sooner", mixed_in_s=30)
    assert deliver() == []
    clock.at += 60
    emulator.newest_first = True
    assert [json.loads(one.parcel.delivery.body)["roomId"] for one in deliver()] == ["later", "sooner"]
    assert deliver() == []
    emulator.copies, emulator.delivery_encoding = 2, "form"
    emulator.record("town-hall")
    assert [one.delivered for one in deliver()] == [True, True]
    first, second = receiver.got[2:]
    assert first.delivery.body == second.delivery.body
    assert first.delivery.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(first.delivery.body.decode())["roomId"] == ["town-hall"]


def test_it_is_tried_once(net: Loopback, emulator: TemasysEmulator, sender: Sender, receiver: Receiver) -> None:
    assert emulator.attempts == Attempts(timeout_s=10.0, times=1)
    receiver.statuses["/rooms"] = [302, 500, 204]
    emulator.record("a")
    (sent,) = net.call(lambda: emulator.deliver_due(sender))
    assert ([one.status for one in sent.attempts], sent.delivered) == ([302], False)
    emulator.attempts = Attempts(5.0, 2, 0.01)
    emulator.record("b")
    (sent,) = net.call(lambda: emulator.deliver_due(sender))
    assert ([one.status for one in sent.attempts], sent.delivered) == ([500, 204], True)


@pytest.mark.parametrize("settings", [None, {"notify": False, "url": "http://127.0.0.1:1/"}, {"notify": True}])
def test_without_an_address_nobody_is_told(
    net: Loopback, emulator: TemasysEmulator, sender: Sender, receiver: Receiver, settings: dict[str, object] | None
) -> None:
    emulator.settings = {} if settings is None else {emulator.username: settings}
    emulator.record("a")
    assert net.call(lambda: emulator.deliver_due(sender)) == []
    emulator.settings[emulator.username] = {"notify": True, "url": receiver.base_url}
    assert net.call(lambda: emulator.deliver_due(sender)) == []
    assert receiver.got == []
