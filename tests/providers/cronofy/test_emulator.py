"""Cronofy's webhooks leave the emulator over real HTTP, signed, for those who subscribed."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from providers.base import NotAuthentic
from providers.cronofy.emulator import ACTIVATED, API_KEY, COMPLETE, FAILED, CronofyEmulator
from providers.cronofy.webhook import HEADER, verify
from providers.emulation import Loopback, ObjectStore
from providers.secret import Secret
from providers.sending import Attempts, Sender, Sent
from tests.providers.receiving import Got, Now, Receiver

NEXT_SECRET = "CRN_the_next_client_secret"


@pytest.fixture
def clock() -> Now:
    return Now()


@pytest.fixture
def receiver(net: Loopback) -> Receiver:
    receiver = Receiver()
    net.serve(receiver)
    return receiver


@pytest.fixture
def emulator(net: Loopback, clock: Now, receiver: Receiver) -> CronofyEmulator:
    emulator = CronofyEmulator(ObjectStore(clock), now=clock)
    net.serve(emulator)
    emulator.webhook_url = f"{receiver.base_url}/application"
    return emulator


@pytest.fixture
def sender(net: Loopback) -> Iterator[Sender]:
    sender = Sender()
    yield sender
    net.call(sender.close)


def deliver(net: Loopback, emulator: CronofyEmulator, sender: Sender) -> list[Sent]:
    sent: list[Sent] = net.call(lambda: emulator.deliver_due(sender))
    return sent


def interaction(got: Got) -> str:
    found = json.loads(got.delivery.body)["notification"]["interactions"][0]["type"]
    assert isinstance(found, str)
    return found


def order(emulator: CronofyEmulator, *subscriptions: Any, **more: Any) -> None:
    body = {"join_url": "https://zoom.example/1", "subscriptions": list(subscriptions), **more}
    url, headers = f"{emulator.base_url}/v1/meeting_agents", {"authorization": f"Bearer {API_KEY}"}
    assert httpx.post(url, json=body, headers=headers, trust_env=False).status_code == 200


def webhook(uri: str, *types: str) -> dict[str, Any]:
    return {"type": "webhook", "uri": uri, "interactions": [{"type": name} for name in types]}


def test_webhooks_verify(
    net: Loopback, emulator: CronofyEmulator, clock: Now, sender: Sender, receiver: Receiver
) -> None:
    emulator.other_secrets = (NEXT_SECRET,)
    emulator.add_agent("Kundentermin: Müller & Söhne", completes_after_s=14)
    emulator.add_agent("Board", fails_after_s=14)
    deliver(net, emulator, sender)
    clock.at += 14
    deliver(net, emulator, sender)
    assert sorted(map(interaction, receiver.got)) == sorted([ACTIVATED, ACTIVATED, COMPLETE, FAILED])
    for got in receiver.got:
        body, header = got.delivery.body, got.delivery.headers[HEADER]
        for secret in (API_KEY, NEXT_SECRET):
            verify(body, header, (Secret(secret),))
            with pytest.raises(NotAuthentic):
                verify(body + b" ", header, (Secret(secret),))
    assert deliver(net, emulator, sender) == []


def test_who_is_told_of_what(
    net: Loopback, emulator: CronofyEmulator, clock: Now, sender: Sender, receiver: Receiver
) -> None:
    here = receiver.base_url
    order(
        emulator,
        webhook(f"{here}/all", ACTIVATED, COMPLETE, FAILED),
        webhook(f"{here}/ends", COMPLETE, FAILED),
        {"type": "webhook", "uri": f"{here}/nothing"},
        {"type": "webhook", "uri": 5, "interactions": "all"},
        {"type": "mail", "uri": f"{here}/mail", "interactions": [{"type": COMPLETE}]},
        "nonsense",
    )
    deliver(net, emulator, sender)
    clock.at += 60
    deliver(net, emulator, sender)
    assert [(one.path, interaction(one)) for one in receiver.got][:1] == [("/all", ACTIVATED)]
    assert sorted((one.path, interaction(one)) for one in receiver.got[1:]) == [("/all", COMPLETE), ("/ends", COMPLETE)]


def test_the_applications_address(net: Loopback, emulator: CronofyEmulator, sender: Sender, receiver: Receiver) -> None:
    order(emulator)
    emulator.add_agent("With an event")
    assert [one.delivered for one in deliver(net, emulator, sender)] == [True, True]
    emulator.notify_all = False
    order(emulator)
    emulator.add_agent("With an event")
    deliver(net, emulator, sender)
    assert [one.path for one in receiver.got] == ["/application"] * 3
    emulator.webhook_url = ""
    emulator.add_agent("With an event")
    assert deliver(net, emulator, sender) == []


def test_it_is_tried_again_until_it_is_2xx(
    net: Loopback, emulator: CronofyEmulator, sender: Sender, receiver: Receiver
) -> None:
    assert (emulator.attempts.timeout_s, emulator.attempts.times) == (7.0, 3)
    emulator.attempts = Attempts(7.0, 3, 0.01)
    receiver.statuses["/application"] = [302, 500, 204]
    emulator.add_agent("a")
    (sent,) = deliver(net, emulator, sender)
    assert [one.status for one in sent.attempts] == [302, 500, 204]
    assert len(set(receiver.bodies())) == 1


def test_duplicates_are_the_same_bytes(
    net: Loopback, emulator: CronofyEmulator, sender: Sender, receiver: Receiver
) -> None:
    emulator.copies = 3
    emulator.add_agent("a")
    deliver(net, emulator, sender)
    assert len({(one.delivery.body, one.delivery.headers[HEADER]) for one in receiver.got}) == 1
    assert len(receiver.got) == 3
