"""Webhooks leave the emulators over real HTTP, letter by letter, and are tried again as it was said."""

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme

from providers.emulation import Loopback
from providers.models import Delivery
from providers.sending import Attempt, Attempts, Parcel, Sender, SendingEmulator, Sent, is_2xx
from tests.providers.receiving import Now, Receiver

QUICK = Attempts(timeout_s=5.0, times=3, first_pause_s=0.01)
HELLO = Delivery({"content-type": "application/json; charset=utf-8", "x-signed": "a,b="}, b'{"a": "\xc3\xa9"}\n')


@pytest.fixture
def receiver(net: Loopback) -> Receiver:
    receiver = Receiver()
    net.serve(receiver)
    return receiver


@pytest.fixture
def sender(net: Loopback) -> Iterator[Sender]:
    sender = Sender()
    yield sender
    net.call(sender.close)


def send(net: Loopback, sender: Sender, *parcels: Parcel) -> list[Sent]:
    found: list[Sent] = net.call(lambda: sender.send_all(parcels))
    return found


def test_bytes_headers_and_address_arrive_as_they_are(net: Loopback, sender: Sender, receiver: Receiver) -> None:
    (sent,) = send(net, sender, Parcel(f"{receiver.base_url}/a%2Fb/c?d=%7E", HELLO, QUICK))
    (got,) = receiver.got
    assert (sent.delivered, [one.status for one in sent.attempts]) == (True, [204])
    assert got.delivery.body == HELLO.body
    own = {
        "host": receiver.base_url.removeprefix("http://"),
        "content-length": str(len(HELLO.body)),
        "connection": "close",
    }
    assert {name: value.lower() for name, value in got.delivery.headers.items()} == {**HELLO.headers, **own}
    assert receiver.faults.seen == ["POST /a%2Fb/c?d=%7E"]


def test_the_pauses_grow(net: Loopback, receiver: Receiver) -> None:
    assert Attempts(1.0, 4, 0.1).pauses() == pytest.approx((0.1, 0.2, 0.4))
    assert Attempts(1.0).pauses() == ()
    assert Attempts(1.0, 3, 2.0, 1.0).pauses() == (2.0, 2.0)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    receiver.statuses["/x"] = [500, 404, 199 + 100]  # 299 is one of 2xx
    sender, noted = Sender(sleep=sleep), list[Attempt]()
    parcel = Parcel(f"{receiver.base_url}/x", HELLO, Attempts(5.0, 4, 0.5, 3.0), note=noted.append)
    (sent,) = send(net, sender, parcel)
    net.call(sender.close)
    assert slept == [0.5, 1.5]
    assert [(one.number, one.status, one.delivered) for one in sent.attempts] == [
        (1, 500, False),
        (2, 404, False),
        (3, 299, True),
    ]
    assert tuple(noted) == sent.attempts


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(net: Loopback, sender: Sender, receiver: Receiver, status: int) -> None:
    receiver.statuses["/x"] = [status]
    (sent,) = send(net, sender, Parcel(f"{receiver.base_url}/x", HELLO, Attempts(5.0)))
    assert [one.path for one in receiver.got] == ["/x"]
    assert (sent.attempts[0].status, sent.delivered) == (status, False)


def test_a_slow_receiver_holds_up_nobody_else(net: Loopback, sender: Sender, receiver: Receiver) -> None:
    receiver.delays_s["/slow"] = [30.0] * 8
    ended: list[str] = []
    slow = [
        Parcel(f"{receiver.base_url}/slow", HELLO, Attempts(0.4), note=lambda one: ended.append(one.words))
        for _ in range(8)
    ]
    quick = Parcel(f"{receiver.base_url}/quick", HELLO, Attempts(5.0), note=lambda one: ended.append("quick"))
    began = time.monotonic()
    *late, on_time = send(net, sender, *slow, quick)
    assert time.monotonic() - began >= 0.4
    assert ended == ["quick"] + ["no answer within 0.4 s"] * 8
    assert on_time.delivered
    assert not any(one.delivered for one in late)


def test_what_goes_wrong_is_said(net: Loopback, sender: Sender, receiver: Receiver) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        refusing = f"http://127.0.0.1:{free.getsockname()[1]}/"
    servers = [net.call(partial(_raw_server, answer)) for answer in (b"", b"SSH-2.0-x\r\n")]
    odd = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/" for server in servers]
    wanted = {
        refusing: "the receiver refuses connections",
        odd[0]: "the connection was closed without an answer",
        odd[1]: "the answer is no HTTP",
        receiver.base_url.replace("http", "https"): "TLS: no secure connection came about",
        "ftp://127.0.0.1/x": "this is no http(s) address",
        "nonsense": "this is no http(s) address",
        "": "this is no http(s) address",
        "https://hooks.studio.example/x": "not sent: emulators send to this machine only",
        "http://192.0.2.1/x": "not sent: emulators send to this machine only",
    }
    sent = send(net, sender, *(Parcel(url, HELLO, Attempts(5.0)) for url in wanted))
    for server in servers:
        net.call(server.close)
    assert {one.parcel.url: one.attempts[0].words for one in sent} == wanted
    assert not any(one.delivered or one.attempts[0].status for one in sent)


async def _raw_server(answer: bytes) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def test_beyond_loopback_when_told(net: Loopback) -> None:
    sender = Sender(beyond_loopback=True)
    (sent,) = send(net, sender, Parcel(f"http://{'a' * 64}.example/", HELLO, Attempts(20.0)))  # no name can be so long
    net.call(sender.close)
    assert sent.attempts[0].words == "the receiver cannot be reached"


def test_a_hindrance_is_asked_for_each_time(net: Loopback, sender: Sender, receiver: Receiver) -> None:
    words = ["cut", "cut", ""]
    parcel = Parcel(f"{receiver.base_url}/x", HELLO, QUICK, hindrance=lambda: words.pop(0))
    (sent,) = send(net, sender, parcel)
    assert [one.words for one in sent.attempts] == ["cut", "cut", ""]
    assert (sent.delivered, len(receiver.got)) == (True, 1)


def test_an_unknown_certificate(net: Loopback, sender: Sender, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    receiver = Receiver()
    pem = str(tmp_path / "cert.pem")
    parcel = Parcel(net.serve(receiver, ssl_certfile=pem, ssl_keyfile=pem) + "/x", HELLO, Attempts(5.0))
    (refused,) = send(net, sender, parcel)
    assert refused.attempts[0].words == "TLS: the receiver's certificate is not trusted"
    assert receiver.got == []
    trusting = Sender(ca_file=str(tmp_path / "ca.pem"))
    (sent,) = send(net, trusting, parcel)
    net.call(trusting.close)
    assert sent.delivered
    assert receiver.bodies() == [HELLO.body]


def test_the_moment_of_an_attempt_goes_by_the_clock(net: Loopback, receiver: Receiver) -> None:
    clock = Now()
    sender = Sender(now=clock)
    (sent,) = send(net, sender, Parcel(receiver.base_url, HELLO, QUICK))
    net.call(sender.close)
    assert sent.attempts[0].at == clock.at


class Numbers(SendingEmulator):
    """Ten things that happened."""

    target = ""

    def routes(self) -> list:  # type: ignore[type-arg]  # it has none
        return []

    def due_parcels(self) -> list[Parcel]:
        return [Parcel(self.target, Delivery({}, b"%d" % number), QUICK) for number in range(10)]


@pytest.fixture
def numbers(receiver: Receiver) -> Numbers:
    emulator = Numbers()
    emulator.target = f"{receiver.base_url}/n"
    return emulator


def arrived(net: Loopback, receiver: Receiver, numbers: Numbers, at_once: int | None = 1) -> list[int]:
    sender = Sender(at_once=at_once)
    receiver.got.clear()
    sent: list[Sent] = net.call(lambda: numbers.deliver_due(sender))
    net.call(sender.close)
    assert all(one.delivered for one in sent)
    found = [int(body) for body in receiver.bodies("/n")]
    assert sorted(int(one.parcel.delivery.body) for one in sent) == sorted(found)
    return found


def test_the_order_of_arrival(net: Loopback, receiver: Receiver, numbers: Numbers) -> None:
    in_order = list(range(10))
    assert arrived(net, receiver, numbers) == in_order
    numbers.newest_first = True
    assert arrived(net, receiver, numbers) == in_order[::-1]
    numbers.newest_first = False
    numbers.shuffle = random.Random(4)
    first, second = arrived(net, receiver, numbers), arrived(net, receiver, numbers)
    numbers.shuffle = random.Random(4)
    assert arrived(net, receiver, numbers) == first
    assert sorted(first) == in_order
    assert len({tuple(first), tuple(second), tuple(in_order)}) == 3


def test_duplicates_and_silence(net: Loopback, receiver: Receiver, numbers: Numbers) -> None:
    numbers.copies = 3
    assert sorted(arrived(net, receiver, numbers, None)) == sorted([*range(10)] * 3)
    numbers.deliver = False
    assert arrived(net, receiver, numbers) == []


@pytest.mark.parametrize(("status", "counts"), [(199, False), (200, True), (299, True), (300, False), (404, False)])
def test_what_most_take_for_delivered(status: int, counts: bool) -> None:
    assert is_2xx(status) is counts
