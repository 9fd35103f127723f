"""The tenant in a box behaves as documented, and its clock does what it says."""

import io
import json
import zipfile

import httpx
import pytest

from providers.emulation import Loopback
from providers.flexperto.emulated import EXPIRATION_S, Person, archive_zip
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import Delivery

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
