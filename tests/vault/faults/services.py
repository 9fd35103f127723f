"""The five services as the matrix needs them: an emulator with one recording, and how a desk comes to know of it."""

import io
import json
import time
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from providers.cronofy.emulator import API_KEY, COMPLETE, FILES, CronofyEmulator, object_key
from providers.emulation import Blob, Emulator, ObjectStore
from providers.flexperto.emulator import FlexpertoEmulator
from providers.huawei.emulated_calls import Call, StoredFile
from providers.huawei.emulator import HuaweiEmulator
from providers.models import AssetId, AssetKind
from providers.proconf.emulator import ProconfEmulator
from providers.temasys.emulator import TemasysEmulator
from tests.vault.faults.model import SIZE
from tests.vault.world import noise
from vault.desk import Desk

FLEXPERTO, CRONOFY, HUAWEI, TEMASYS, PROCONF = "flexperto", "cronofy", "huawei", "temasys", "proconf"
SERVICES = (FLEXPERTO, CRONOFY, HUAWEI, TEMASYS, PROCONF)
LABELS = {FLEXPERTO: "flexperto", CRONOFY: "Cronofy", HUAWEI: "Huawei", TEMASYS: "Temasys", PROCONF: "ProCONF"}
PASSWORD = "Kennwort-7!"


@dataclass
class Service:
    """One account. `learn` makes its recording known; `put` changes the recording's bytes at the service."""

    name: str
    emulator: Emulator
    identity: AssetId
    options: str
    secrets: dict[str, str]
    learn: Callable[[Desk], Awaitable[object]]
    is_file: Callable[[str], bool]
    """Whether a path is one that files come from."""
    put: Callable[[bytes], None]
    make: Callable[[int], bytes]
    """A recording's bytes, by a seed; always as many."""
    store: ObjectStore | None = None
    """Where files lie on an origin of its own, which gets no credential."""
    path: str = ""
    """What follows the origin in `base_url`."""

    @property
    def account(self) -> str:
        """The account's name."""
        return self.identity.account

    def hidden(self) -> list[str]:
        """What may go to the account's own origin alone."""
        return [secret for secret in self.secrets.values() if len(secret) > 5]


def a_zip(seed: int) -> bytes:
    """A zip as large as its content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo("video.bin", (2026, 1, 1, 0, 0, 0)), noise(SIZE, seed))
    return buffer.getvalue()


def an_mp4(seed: int) -> bytes:
    """An MP4 whose boxes are complete, with noise in it."""
    boxes = ((b"ftyp", b"isom\0\0\2\0isommp41"), (b"moov", b""), (b"mdat", noise(SIZE, seed)))
    return b"".join((8 + len(body)).to_bytes(4, "big") + kind + body for kind, body in boxes)


def make_service(name: str) -> Service:
    """The emulator with one recording in it; its addresses are not served yet."""
    makers = {FLEXPERTO: _flexperto, CRONOFY: _cronofy, HUAWEI: _huawei, TEMASYS: _temasys, PROCONF: _proconf}
    return makers[name]()


def _flexperto() -> Service:
    emulator = FlexpertoEmulator()
    emulator.add_archive("one", "talk", blob=Blob.of(a_zip(1), "application/zip"))

    def put(content: bytes) -> None:
        emulator.archives["one"].blob = Blob.of(content, "application/zip")
        emulator.archives["one"]._sha256 = ""

    return Service(
        FLEXPERTO,
        emulator,
        AssetId("advice", "talk", AssetKind.ARCHIVE, "one"),
        "paths = 'current'",
        {"api_key": emulator.api_key},
        lambda desk: desk.sync("advice"),
        lambda path: path.endswith("/download"),
        put,
        a_zip,
    )


def _cronofy() -> Service:
    store = ObjectStore()
    emulator = CronofyEmulator(store)
    sub = emulator.add_agent("Advisory board")
    pair = FILES[2]

    async def learn(desk: Desk) -> None:
        emulator.complete(sub, video=Blob.of(an_mp4(1), "video/mp4"), without=("audio", "transcript"))
        await desk.take_in("agents", emulator.deliveries(sub, COMPLETE)[0])

    def put(content: bytes) -> None:
        blob = emulator.agents[sub].files[pair] = Blob.of(content, "video/mp4")
        store.put(object_key(sub, *pair), blob)

    return Service(
        CRONOFY,
        emulator,
        AssetId("agents", sub, AssetKind.VIDEO),
        "",
        {"api_key": API_KEY},
        learn,
        lambda path: not path.startswith("/v1/"),
        put,
        an_mp4,
        store,
    )


def _huawei() -> Service:
    emulator = HuaweiEmulator()
    emulator.poll_wait = 0.2
    emulator.faults.ranges = True
    emulator.add_agent("1001", PASSWORD)
    key = ("0a08082d-df1e-4c06-9a97-c7c6f7a4724e", "0")
    conference = "7a008307-34ad-435b-bccd-222be5ac5385"
    files = {key: Blob.of(an_mp4(1), "video/mp4")}
    emulator.add_call(Call("1001", "25002", "22061", time.time() - 600, 60.0, files, conference=conference))
    identity = AssetId("calls", conference, AssetKind.VIDEO, "-".join(key))

    def put(content: bytes) -> None:
        emulator.files[(conference, *key)] = StoredFile(Blob.of(content, "video/mp4"))

    return Service(
        HUAWEI,
        emulator,
        identity,
        "agent_id = '1001'\nphone = '40038'",
        {"password": PASSWORD},
        lambda desk: desk.adopt(identity),
        lambda path: "/recordfile/" in path,
        put,
        an_mp4,
    )


def _temasys() -> Service:
    emulator = TemasysEmulator()
    recording = emulator.record("town-hall", blob=Blob.of(an_mp4(1), "video/mp4"))
    meeting = recording.meeting_id
    identity = AssetId("rooms", meeting, AssetKind.VIDEO, str(int(recording.mixed_at)))
    return Service(
        TEMASYS,
        emulator,
        identity,
        f"username = '{emulator.username}'\nauto_fetch = false",
        {"password": emulator.password, "api_key": emulator.app_key},
        lambda desk: desk.take_in("rooms", emulator.delivery(recording)),
        lambda path: not path.startswith("/rest/"),
        lambda content: emulator.store.put(recording.key, Blob.of(content, "video/mp4")),
        an_mp4,
        emulator.store,
    )


def _proconf() -> Service:
    emulator = ProconfEmulator()
    emulator.token = "catch-up-token"

    def make(seed: int) -> bytes:
        return json.dumps({"error": None, "data": noise(SIZE // 2, seed).hex()}).encode()

    def put(content: bytes) -> None:
        emulator.body_of = lambda room: content  # type: ignore[method-assign]  # also bytes that no summary gives

    emulator.script("town-hall", [])
    put(make(1))
    return Service(
        PROCONF,
        emulator,
        AssetId("standup", "town-hall", AssetKind.CATCHUP),
        "auth = 'bearer'\nrooms = ['town-hall']",
        {"token": emulator.token},
        lambda desk: desk.sync("standup"),
        lambda path: "/call-catchup/" in path,
        put,
        make,
        path="/api",
    )
