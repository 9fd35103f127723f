"""The tenant in a box behaves as documented, and its clock does what it says."""

import asyncio
import io
import json
import time
import zipfile
from collections.abc import Iterator

import httpx
import pytest

from providers.emulation import Loopback
from providers.flexperto.emulated import EXPIRATION_S, Person, archive_zip
from providers.flexperto.emulator import FlexpertoEmulator
from providers.flexperto.subscription import AVAILABLE_TOPIC, CLOSE_TOPIC
from providers.models import Delivery
from providers.sending import Attempts, Sender, Sent
from tests.providers.receiving import Receiver

KEY = {"api-key": "flexperto-key"}
ARCHIVES = "/communication/archives/archives"


class Clock:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator(clock: Clock, net: Loopback) -> FlexpertoEmulator:
    emulator = FlexpertoEmulator(now=clock)
    net.serve(emulator)
    return emulator


def call(emulator: FlexpertoEmulator, method: str, path: str, body: object = None) -> httpx.Response:
    return httpx.request(method, emulator.base_url + path, headers=KEY, json=body, trust_env=False)


def test_abandoning_by_either_path_and_expiring_three_days_later(emulator: FlexpertoEmulator, clock: Clock) -> None:
    for prefix in ("/api/v2", ""):
        emulator.add_archive("a", "c")
        path = f"{prefix}/communication/conferences/conferences/c/archive/abandon"
        assert call(emulator, "POST", path.replace("/c/", "/a/")).status_code == 404
        assert call(emulator, "POST", path).json()["status"] == "ABANDONED"
        assert call(emulator, "POST", path).status_code == 409
        clock.at += EXPIRATION_S - 1
        assert call(emulator, "GET", f"{prefix}{ARCHIVES}/a/download").status_code == 200
        clock.at += 1
        assert call(emulator, "GET", f"{prefix}{ARCHIVES}/a/download").status_code == 410
        assert call(emulator, "GET", f"{prefix}{ARCHIVES}/a").json()["status"] == "EXPIRED"
    assert call(emulator, "POST", f"{ARCHIVES}/c/abandon").status_code == 404
    assert [one.id for one in emulator.abandon_calls] == ["a", "c", "c", "a", "c", "c", "c"]


def test_a_plan_goes_by_the_clock(emulator: FlexpertoEmulator, clock: Clock) -> None:
    emulator.add_archive("a", status="PROCESSING")
    emulator.schedule("a", [(20, "AVAILABLE"), (10, "PACKING")])
    seen = []
    for _ in range(3):
        seen.append((emulator.archive("a").status, bool(emulator.deliveries_for("a"))))
        clock.at += 10
    assert seen == [("PROCESSING", False), ("PACKING", False), ("AVAILABLE", True)]
    assert emulator.archive("a").updated_at == clock.at - 10


def test_step_by_step(emulator: FlexpertoEmulator) -> None:
    emulator.add_archive("a", status="PROCESSING")
    steps = [emulator.advance("a") for _ in range(6)]
    assert steps == ["ARTIFACT_GATHERING_COMPLETE", "PACKING", "AVAILABLE", "ABANDONED", "EXPIRED", "EXPIRED"]
    emulator.set_status("a", "FAILED", "disk full")
    assert emulator.advance("a") == "FAILED"
    assert call(emulator, "GET", f"{ARCHIVES}/a").json()["error"] == "disk full"


def test_the_status_parameter(emulator: FlexpertoEmulator) -> None:
    emulator.add_archive("a")
    emulator.add_archive("b", status="FAILED")
    found = call(emulator, "GET", f"/api/v2{ARCHIVES}?status=AVAILABLE").json()
    assert [one["id"] for one in found] == ["a"]


def test_a_wrong_checksum_and_no_size(emulator: FlexpertoEmulator) -> None:
    emulator.add_archive("a", stated_sha256="0" * 64)
    emulator.with_size = False
    record = call(emulator, "GET", f"{ARCHIVES}/a").json()
    assert record["sha256CheckSum"] == "0" * 64
    assert "size" not in record


def test_the_zip_has_the_documented_folders() -> None:
    people = (Person("Edda", "e@x.example"),)
    blob = archive_zip("a", "Advice", people)
    content = blob.read(0, blob.size)
    assert archive_zip("a", "Advice", people).sha256() == blob.sha256() != archive_zip("b", "Advice", people).sha256()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {name.split("/")[0] for name in archive.namelist()} == {"whiteboard", "themis", "mithra"}
        assert json.loads(archive.read("themis/metadata.json"))["title"] == "Advice"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"topic": "t", "url": "https://desk.example/x"}, 201),
        ({"topic": "t", "url": "https://8.8.8.8/x"}, 201),
        ({"topic": "t", "url": "https://[::1]/x"}, 422),
        ({"topic": "t", "url": "https://desk.local/x"}, 422),
        ({"topic": "t", "url": "https:///x"}, 422),
        ({"topic": "t", "url": 5}, 422),
        ({"topic": "", "url": "https://desk.example/x"}, 422),
        ({"url": "https://desk.example/x"}, 422),
        ([], 422),
        (None, 400),
    ],
)
def test_registering(emulator: FlexpertoEmulator, body: object, status: int) -> None:
    path = "/communication/notificationssubscriptions/notificationssubscriptions/webhook"
    assert call(emulator, "POST", path, body).status_code == status


def test_topics_may_be_checked(emulator: FlexpertoEmulator) -> None:
    emulator.refuse_unknown_topics = True
    path = "/communication/subscriptions/subscriptions/webhook"
    misspelt = {"topic": "communciation.archives.archive.available", "url": "https://desk.example/x"}
    assert call(emulator, "POST", path, misspelt).status_code == 422
    topics = call(emulator, "GET", "/api/v2/spec").json()["topics"]
    assert call(emulator, "POST", path, misspelt | {"topic": topics[0]}).status_code == 201


def test_what_counts_as_delivered(emulator: FlexpertoEmulator) -> None:
    call(
        emulator,
        "POST",
        "/communication/subscriptions/subscriptions/webhook",
        {"topic": "t", "url": "https://d.example"},
    )
    (one,) = emulator.registered
    assert [emulator.report(one, status) for status in (199, 200, 302, 398, 399, 500)] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]


def test_duplicates_are_the_same_bytes(emulator: FlexpertoEmulator) -> None:
    emulator.add_archive("a")
    first, second = emulator.deliveries_for("a"), emulator.deliveries_for("a")
    assert first == second
    assert isinstance(first[0], Delivery)


def test_unknown_archives_have_no_file(emulator: FlexpertoEmulator) -> None:
    assert call(emulator, "GET", f"{ARCHIVES}/nobody/download").status_code == 404
    emulator.families = set()
    assert call(emulator, "GET", ARCHIVES).status_code == 404


# Webhooks over real HTTP (page, "Webhooks")

HOOK_PATH = "/communication/subscriptions/subscriptions"
MISSPELT = AVAILABLE_TOPIC.replace("communication", "communciation", 1)


@pytest.fixture
def receiver(net: Loopback, emulator: FlexpertoEmulator) -> Receiver:
    receiver = Receiver()
    net.serve(receiver)
    emulator.allow_private_targets = True
    return receiver


@pytest.fixture
def sender(net: Loopback, clock: Clock) -> Iterator[Sender]:
    sender = Sender(now=clock)
    yield sender
    net.call(sender.close)


def registered(emulator: FlexpertoEmulator, url: str, topic: str = AVAILABLE_TOPIC) -> str:
    answer = call(emulator, "POST", f"{HOOK_PATH}/webhook", {"topic": topic, "url": url, "audience": "*"})
    assert answer.status_code == 201
    return str(answer.json()["id"])


def deliver(net: Loopback, emulator: FlexpertoEmulator, sender: Sender) -> list[Sent]:
    sent: list[Sent] = net.call(lambda: emulator.deliver_due(sender))
    return sent


def reports(emulator: FlexpertoEmulator, subscription_id: str) -> list[tuple[int, int | None, str, str | None]]:
    answer = call(emulator, "GET", f"{HOOK_PATH}/{subscription_id}/reports")
    return [(one["attempt"], one["statusCode"], one["outcome"], one["error"]) for one in answer.json()]


def test_whoever_subscribed_is_told(
    net: Loopback, emulator: FlexpertoEmulator, clock: Clock, sender: Sender, receiver: Receiver
) -> None:
    emulator.add_archive("there-before")
    for archive_id in ("planned", "advanced", "set", "failed"):
        emulator.add_archive(archive_id, f"conf-{archive_id}", status="PACKING")
    emulator.set_status("set", "AVAILABLE")
    clock.at += 1
    first = registered(emulator, f"{receiver.base_url}/first")
    registered(emulator, f"{receiver.base_url}/second")
    misspelt = registered(emulator, f"{receiver.base_url}/misspelt", MISSPELT)
    registered(emulator, f"{receiver.base_url}/close", CLOSE_TOPIC)
    assert deliver(net, emulator, sender) == [], "they subscribed after it happened"
    emulator.set_status("set", "PACKING")
    emulator.set_status("set", "AVAILABLE")
    emulator.set_status("failed", "FAILED", "disk full")
    emulator.advance("advanced")
    emulator.schedule("planned", [(5, "AVAILABLE"), (6, "ABANDONED")])
    assert len(deliver(net, emulator, sender)) == 4
    emulator.set_status("set", "AVAILABLE")
    assert deliver(net, emulator, sender) == [], "it was available already"
    clock.at += 10
    assert [one.delivered for one in deliver(net, emulator, sender)] == [True, True]
    assert sorted((one.path, one.delivery.body) for one in receiver.got) == [
        (path, emulator.deliveries_for(archive_id)[0].body)
        for path in ("/first", "/second")
        for archive_id in ("advanced", "planned", "set")
    ]
    assert reports(emulator, first) == [(1, 204, "delivered", None)] * 3
    assert reports(emulator, misspelt) == []


def test_four_attempts_with_growing_pauses(
    net: Loopback, emulator: FlexpertoEmulator, clock: Clock, sender: Sender, receiver: Receiver
) -> None:
    assert emulator.attempts == Attempts(timeout_s=3.0, times=4, first_pause_s=0.1, factor=2.0)
    receiver.statuses["/never"] = [500, 399, 404, 199 + 300, 204]
    receiver.statuses["/late"] = [503, 503, 503, 204]
    never, late = (registered(emulator, f"{receiver.base_url}/{path}") for path in ("never", "late"))
    emulator.add_archive("a", status="PACKING")
    emulator.advance("a")
    assert [one.delivered for one in deliver(net, emulator, sender)] == [False, True]
    for path in ("/never", "/late"):
        pauses = receiver.pauses(path)
        assert len(pauses) == 3
        assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=True)), pauses
        assert len(set(receiver.bodies(path))) == 1
    assert reports(emulator, never) == [
        (number, status, "not delivered", None) for number, status in ((4, 499), (3, 404), (2, 399), (1, 500))
    ]
    assert reports(emulator, late)[0] == (4, 204, "delivered", None)
    assert deliver(net, emulator, sender) == []


@pytest.mark.parametrize(("status", "attempts"), [(200, 1), (301, 1), (302, 1), (398, 1), (399, 4), (400, 4)])
def test_which_answers_count(
    net: Loopback, emulator: FlexpertoEmulator, sender: Sender, receiver: Receiver, status: int, attempts: int
) -> None:
    emulator.attempts = Attempts(3.0, 4, 0.01)
    receiver.statuses["/x"] = [status] * 4
    one = registered(emulator, f"{receiver.base_url}/x")
    emulator.add_archive("a", status="PACKING")
    emulator.advance("a")
    (sent,) = deliver(net, emulator, sender)
    assert sent.delivered is (attempts == 1)
    assert [got.path for got in receiver.got] == ["/x"] * attempts, "redirects are not followed"
    assert len(reports(emulator, one)) == attempts


def test_three_seconds_to_answer(
    net: Loopback, emulator: FlexpertoEmulator, sender: Sender, receiver: Receiver
) -> None:
    receiver.delays_s = {"/slow": [60.0], "/in-time": [1.5]}
    slow, in_time, quick = (
        registered(emulator, f"{receiver.base_url}/{name}") for name in ("slow", "in-time", "quick")
    )
    emulator.add_archive("a", status="PACKING")
    emulator.advance("a")
    began = time.monotonic()
    assert all(one.delivered for one in deliver(net, emulator, sender))
    assert time.monotonic() - began >= 3.1
    assert reports(emulator, slow) == [
        (2, 204, "delivered", None),
        (1, None, "not delivered", "no answer within 3 s"),
    ]
    assert reports(emulator, in_time) == reports(emulator, quick) == [(1, 204, "delivered", None)]
    assert [one.path for one in receiver.got][-1] == "/slow", "nobody waited for it"


def test_the_latest_fifty_attempts_are_reported(
    net: Loopback, emulator: FlexpertoEmulator, sender: Sender, receiver: Receiver
) -> None:
    emulator.attempts = Attempts(3.0, 4, 0.01)
    receiver.statuses["/x"] = [500] * 20 + [204] * 60
    one = registered(emulator, f"{receiver.base_url}/x")
    for number in range(60):
        emulator.add_archive(f"a{number}", status="PACKING")
        emulator.advance(f"a{number}")
    assert all(sent.delivered for sent in deliver(net, emulator, sender))
    assert len(receiver.got) == 80
    found = reports(emulator, one)
    assert (len(found), found[0][2]) == (50, "delivered")
    ids = [report["id"] for report in call(emulator, "GET", f"{HOOK_PATH}/{one}/reports").json()]
    assert ids == [f"report-{number}" for number in range(81, 31, -1)]


def test_what_is_in_flight_is_sent_again_after_deletion(
    net: Loopback, emulator: FlexpertoEmulator, sender: Sender, receiver: Receiver
) -> None:
    one = registered(emulator, f"{receiver.base_url}/x")
    for archive_id in ("in-flight", "later"):
        emulator.add_archive(archive_id, status="PACKING")
    emulator.advance("in-flight")
    receiver.statuses["/x"] = [500] * 4

    async def delete_after_the_first() -> list[Sent]:
        delivering = asyncio.create_task(emulator.deliver_due(sender))
        await receiver.first.wait()
        del emulator.registered[one]
        emulator.advance("later")
        return await delivering

    (sent,) = net.call(delete_after_the_first)
    assert [attempt.number for attempt in sent.attempts] == [1, 2, 3, 4]
    assert len(receiver.bodies("/x")) == 4, "the first, and three more"
    assert deliver(net, emulator, sender) == [], "nobody subscribes any more"
    assert call(emulator, "GET", f"{HOOK_PATH}/{one}/reports").status_code == 404


def test_duplicates_arrive_as_the_same_bytes(
    net: Loopback, emulator: FlexpertoEmulator, sender: Sender, receiver: Receiver
) -> None:
    registered(emulator, f"{receiver.base_url}/x")
    emulator.copies = 3
    emulator.add_archive("a", status="PACKING", title="Özdemir").meta = {"note": "é"}
    emulator.add_archive("b", status="PACKING").copies = 1
    emulator.advance("a")
    emulator.advance("b")
    assert len(deliver(net, emulator, sender)) == 4
    bodies = receiver.bodies("/x")
    assert sorted(bodies.count(body) for body in set(bodies)) == [1, 3]
    assert {one.delivery.headers["content-type"] for one in receiver.got} == {"application/json"}


def test_targets_that_are_not_delivered_to(
    net: Loopback, emulator: FlexpertoEmulator, clock: Clock, sender: Sender, receiver: Receiver
) -> None:
    emulator.attempts = Attempts(3.0, 4, 0.01)
    one = registered(emulator, f"{receiver.base_url}/x")
    emulator.allow_private_targets = False
    emulator.add_archive("a", status="PACKING")
    emulator.advance("a")
    deliver(net, emulator, sender)
    refused = [
        (number, None, "not delivered", "the url must be https and its address public") for number in (4, 3, 2, 1)
    ]
    assert reports(emulator, one) == refused
    emulator.allow_private_targets = True
    emulator.outages.append((clock.at, clock.at + 10))
    emulator.add_archive("b", status="PACKING")
    emulator.advance("b")
    deliver(net, emulator, sender)
    cut = [(number, None, "not delivered", "could not connect to the receiver") for number in (4, 3, 2, 1)]
    assert reports(emulator, one) == cut + refused
    assert receiver.got == []
    clock.at += 10
    emulator.add_archive("c", status="PACKING")
    emulator.advance("c")
    assert deliver(net, emulator, sender)[0].delivered


def test_a_tenant_may_be_silent(net: Loopback, emulator: FlexpertoEmulator, sender: Sender, receiver: Receiver) -> None:
    registered(emulator, f"{receiver.base_url}/x")
    emulator.add_archive("a", status="PACKING")
    emulator.advance("a")
    emulator.deliver = False
    assert deliver(net, emulator, sender) == []
    emulator.deliver = True
    assert deliver(net, emulator, sender) == []
    assert receiver.got == []
