"""A ProCONF account against its emulator, over real HTTP."""

import json
from contextlib import aclosing

import pytest

from providers.base import (
    AccountSettings,
    BadAnswer,
    Head,
    MissingSecret,
    NotFound,
    NotReady,
    Provider,
    Refused,
    ServiceDown,
    Unauthorized,
    Unreachable,
)
from providers.emulation import Loopback
from providers.http import Http
from providers.messages import Answer, Request
from providers.models import Asset, AssetId, AssetKind, Catchup, Listing, RemoteState
from providers.origin import Origin
from providers.proconf import INFO, connect
from providers.proconf.emulator import ProconfEmulator
from providers.secret import Secret
from tests.providers.box import settings_for

TOKEN = "catch-up-token"
ENDPOINTS = {"admin": "/api", "app": "", "app-query": "/"}


class Now:
    """A clock that is set."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Now:
    return Now()


@pytest.fixture
def emulator(net: Loopback, clock: Now) -> ProconfEmulator:
    service = ProconfEmulator(clock)
    net.serve(service)
    service.script("town-hall", [(0, "Ada opened."), (60, "Ben spoke.")])
    return service


def settings(emulator: ProconfEmulator, **options: object) -> AccountSettings:
    return settings_for(INFO, "standup", **{"base_url": f"{emulator.base_url}/api", **options})


def client(emulator: ProconfEmulator, token: str | None = None, **options: object) -> "aclosing[Provider]":
    account = settings(emulator, **options)
    return aclosing(connect(account, lambda name: Secret(token) if token and name == "token" else None))


async def listed(provider: Provider) -> Listing:
    listing = Listing()
    async for page in provider.listing():
        listing += page
    return listing


def states(listing: Listing) -> dict[str, RemoteState]:
    return {asset.meeting_id: asset.state for asset in listing.assets}


async def get(emulator: ProconfEmulator, path: str, method: str = "GET") -> Answer:
    origin = Origin.of(emulator.base_url)
    assert origin is not None
    async with aclosing(Http(settings(emulator), (origin,), dict)) as http:
        return await http.send(Request(method, emulator.base_url + path))


# Catch-ups


@pytest.mark.parametrize(("endpoint", "base"), ENDPOINTS.items())
@pytest.mark.parametrize("room", ["town-hall", "größer / öfter?#%2e%2e", "a+b&roomName=c", "x" * 128])
async def test_every_spelling_asks_for_the_room(emulator: ProconfEmulator, endpoint: str, base: str, room: str) -> None:
    emulator.script(room, [(0, f"This is {room}.")])
    async with client(emulator, endpoint=endpoint, base_url=emulator.base_url + base) as provider:
        assert (await provider.catchup(room)).text == f"This is {room}."
        assert (await provider.check()).startswith("the service answers; no rooms")


async def test_the_text_grows_with_the_call(emulator: ProconfEmulator, clock: Now) -> None:
    async with client(emulator) as provider:
        assert (await provider.catchup("town-hall")).text == "Ada opened."
        clock.seconds += 60
        assert (await provider.catchup("town-hall")).text == "Ada opened.\nBen spoke."


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("string", "Ada opened."),
        ("null", ""),
        ("object", '{\n  "summary": "Ada opened.",\n  "lines": 1\n}'),
        ("array", '[\n  "Ada opened."\n]'),
        ("double", "Ada opened."),
    ],
)
async def test_every_shape_is_shown(emulator: ProconfEmulator, shape: str, text: str) -> None:
    emulator.shape = shape  # type: ignore[assignment]  # one of the literals
    async with client(emulator) as provider:
        assert (await provider.catchup("town-hall")).text == text


async def test_a_bad_name_is_refused_before_anything_is_sent(emulator: ProconfEmulator) -> None:
    async with client(emulator) as provider:
        for room in ("", "..", "a/./b", "x" * 129):
            with pytest.raises(Refused):
                await provider.catchup(room)
            with pytest.raises(Refused):
                await provider.locate(Asset(room, AssetKind.CATCHUP))
    assert emulator.faults.seen == []


# Credentials


async def test_bearer_header_and_none(emulator: ProconfEmulator) -> None:
    emulator.token = TOKEN
    async with client(emulator, TOKEN, auth="bearer") as provider:
        assert (await provider.catchup("town-hall")).text
    for auth, token in (("none", None), ("bearer", "wrong"), ("header", TOKEN)):
        async with client(emulator, token, auth=auth) as provider:
            with pytest.raises(Unauthorized, match="Unauthorized") as raised:
                await provider.check()
            assert TOKEN not in str(raised.value)
    emulator.header, emulator.scheme = "X-Token", ""
    async with client(emulator, TOKEN, auth="header", header="X-Token") as provider:
        assert (await provider.catchup("town-hall")).text
    with pytest.raises(MissingSecret, match="REELDESK_SECRET_STANDUP_TOKEN"):
        async with client(emulator, auth="bearer") as provider:
            await provider.check()


def test_an_address_that_is_none_is_told(emulator: ProconfEmulator) -> None:
    with pytest.raises(Refused, match="base_url of account standup"):
        connect(settings(emulator, base_url="admin.example.com"), lambda name: None)


# The list


async def test_each_room_is_listed_with_its_catchup(emulator: ProconfEmulator) -> None:
    async with client(emulator, rooms=("town-hall", "quiet")) as provider:
        listing = await listed(provider)
        assert await provider.check() == "the service answers; 2 rooms to look at"
    assert states(listing) == {"town-hall": RemoteState.AVAILABLE, "quiet": RemoteState.PROCESSING}
    assert [(c.room, c.text) for c in listing.catchups] == [("town-hall", "Ada opened."), ("quiet", "")]
    assert [meeting.id for meeting in listing.meetings] == ["town-hall", "quiet"]


async def test_no_rooms_no_list(emulator: ProconfEmulator) -> None:
    async with client(emulator) as provider:
        assert await listed(provider) == Listing()


@pytest.mark.parametrize("under_200", [False, True])
async def test_a_failing_room_does_not_stop_the_others(emulator: ProconfEmulator, under_200: bool) -> None:
    emulator.errors_under_200 = under_200
    emulator.failing_rooms = {"broken": 500, "odd": 400, "gone": 404}
    rooms = ("..", "broken", "odd", "gone", "town-hall")
    async with client(emulator, rooms=rooms) as provider:
        pages = [page async for page in provider.listing()]
    assert pages[0].catchups == (Catchup("town-hall", "Ada opened.", pages[0].catchups[0].raw),)
    listing = sum(pages, Listing())
    assert states(listing) == {
        "town-hall": RemoteState.AVAILABLE,
        "..": RemoteState.FAILED,
        "broken": RemoteState.UNKNOWN,
        "odd": RemoteState.FAILED,
        "gone": RemoteState.UNKNOWN,
    }
    words = {asset.meeting_id: asset.error for asset in listing.assets}
    assert "Internal server error" in words["broken"]
    assert "Room name required" in words["odd"]
    assert "the catch-up of gone" in words["gone"]
    assert words["town-hall"] == ""


@pytest.mark.parametrize("unknown", ["null", "empty", "not-found"])
async def test_rooms_without_a_call_are_no_fault_of_the_account(emulator: ProconfEmulator, unknown: str) -> None:
    emulator.unknown_room = unknown  # type: ignore[assignment]  # one of the literals
    async with client(emulator, rooms=("quiet", "empty")) as provider:
        listing = await listed(provider)
    expected = RemoteState.UNKNOWN if unknown == "not-found" else RemoteState.PROCESSING
    assert states(listing) == {"quiet": expected, "empty": expected}


async def test_a_fault_of_the_account_is_raised(emulator: ProconfEmulator) -> None:
    rooms = ("town-hall", "quiet")
    emulator.failing_rooms = dict.fromkeys(rooms, 500)
    async with client(emulator, rooms=rooms) as provider:
        with pytest.raises(ServiceDown, match="Internal server error"):
            await listed(provider)
        emulator.failing_rooms = {"quiet": 401}
        with pytest.raises(Unauthorized):
            await listed(provider)
        emulator.faults.not_json = True
        with pytest.raises(BadAnswer):
            await listed(provider)


async def test_a_service_that_is_not_there_is_asked_twice(net: Loopback) -> None:
    gone = ProconfEmulator()
    net.serve(gone)
    net.serve(alive := ProconfEmulator())
    gone.faults.latency_s = 5.0
    account = settings(gone, rooms=("a", "b", "c", "d"))
    slow = AccountSettings(account.name, account.provider, account.options, timeout_s=0.1)
    async with aclosing(connect(slow, lambda name: None)) as provider:
        with pytest.raises(Unreachable):
            await listed(provider)
    assert len(gone.faults.seen) == 2
    assert alive.faults.seen == []


# Files


async def test_the_file_is_the_answer_as_it_came(emulator: ProconfEmulator, clock: Now) -> None:
    async with client(emulator) as provider:
        [asset] = provider.adopt(AssetId("standup", "town-hall", AssetKind.CATCHUP)).assets
        source = await provider.locate(asset)
        assert not source.resumable
        async with provider.opener.open(source.url, source.headers) as body:
            content = b"".join([chunk async for chunk in body.chunks()])
            source.judge(Head(body.status, body.headers, content, True))
    assert content == emulator.body_of("town-hall")
    assert json.loads(content) == {"error": None, "data": "Ada opened."}


async def test_a_file_that_is_none_is_told(emulator: ProconfEmulator) -> None:
    async with client(emulator) as provider:
        [asset] = provider.adopt(AssetId("standup", "quiet", AssetKind.CATCHUP)).assets
        assert asset.state is RemoteState.UNKNOWN
        source = await provider.locate(asset)
        async with provider.opener.open(source.url, source.headers) as body:
            content = b"".join([chunk async for chunk in body.chunks()])
    with pytest.raises(NotReady, match="quiet"):
        source.judge(Head(200, {}, content, True))


async def test_what_cannot_be_adopted(emulator: ProconfEmulator) -> None:
    async with client(emulator) as provider:
        for kind, variant in ((AssetKind.VIDEO, ""), (AssetKind.CATCHUP, "1")):
            with pytest.raises(NotFound, match="a catchup and nothing else"):
                provider.adopt(AssetId("standup", "town-hall", kind, variant))
        with pytest.raises(Refused):
            provider.adopt(AssetId("standup", "..", AssetKind.CATCHUP))


# The emulator's own promises


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        ("POST", "/api/call-catchup/town-hall", 404, "Not found"),
        ("DELETE", "/callCatchUp", 404, "Not found"),
        ("GET", "/api/elsewhere", 404, "Not found"),
        ("GET", "/api/call-catchup/", 404, "Not found"),
        ("GET", "/callCatchUp", 400, "Room name required in query param."),
        ("GET", "/callCatchUp?roomName=", 400, "Room name required in query param."),
        ("GET", "/callCatchUp/broken", 500, "Internal server error"),
    ],
)
async def test_the_emulators_errors_are_the_pages(
    emulator: ProconfEmulator, method: str, path: str, code: int, message: str
) -> None:
    emulator.failing_rooms = {"broken": 500}
    answer = await get(emulator, path, method)
    assert answer.status == code
    assert answer.json() == {"data": None, "error": {"code": code, "message": message}}


async def test_the_emulator_wants_its_token(emulator: ProconfEmulator) -> None:
    emulator.token = TOKEN
    for path in ("/callCatchUp/town-hall", "/api/call-catchup/town-hall", "/callCatchUp?roomName=a", "/meetings"):
        answer = await get(emulator, path)
        assert answer.json() == {"data": None, "error": {"code": 401, "message": "Unauthorized"}}
