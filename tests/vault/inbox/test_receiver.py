"""What the receiver answers, what it keeps, and what comes of it."""

import asyncio
import json

import pytest

from providers.cronofy.emulator import ACTIVATED, COMPLETE
from providers.cronofy.webhook import sign
from providers.emulation import Loopback
from providers.models import AssetKind, Delivery, RemoteState
from tests.vault.inbox.house import ADVICE, AGENTS, BEARER, ROOMS, TOKENS, House
from tests.vault.world import until
from vault.views import DeliveryState, LocalState, Query

NOT_FOUND = b'{"error":{"code":404,"message":"Not found"},"data":null}'


# Routes


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", "/hooks"),
        ("POST", "/hooks/"),
        ("GET", "/hooks/agents"),
        ("PUT", "/hooks/agents"),
        ("POST", "/hooks/agents/"),
        ("POST", "/hooks/agents/anything"),
        ("POST", "/hooks/nobody"),
        ("POST", "/hooks/nobody/" + "a" * 40),
        ("POST", "/hooks/advice"),
        ("POST", "/hooks/advice/"),
        ("POST", "/hooks/advice/" + "b" * 40),
        ("POST", "/hooks/rooms/" + TOKENS["advice"]),
        ("POST", "/hooks/advice/" + "a" * 40 + "/more"),
        ("POST", "/hooks/advice/" + "a" * 40 + "%00"),
        ("POST", "/hooks//" + "a" * 40),
        ("POST", "/hooks/%2e%2e/healthz"),
        ("POST", "/hooks/standup/" + TOKENS["standup"]),
        ("POST", "/healthz"),
        ("HEAD", "/healthz"),
        ("GET", "/healthz/"),
        ("GET", "/callcatchup/town-hall"),
        ("OPTIONS", "/hooks/agents"),
    ],
)
async def test_what_is_unknown_and_what_is_secret_get_the_same_answer(house: House, method: str, path: str) -> None:
    async with house.receiving() as it:
        said = await it.ask(method, path)
        assert said.status == 404
        assert said.body == (b"" if method == "HEAD" else NOT_FOUND)
        assert set(said.headers) <= {"content-type", "content-length", "cache-control", "date", "connection"}
        assert it.deliveries() == ()


@pytest.mark.parametrize(
    "start", ["POST /nowhere", "POST /hooks/agents", f"POST /hooks/rooms/{'b' * 40}", "GET /healthz"]
)
async def test_where_a_body_ends_is_never_left_open(house: House, start: str) -> None:
    """A proxy that counts otherwise would take the answer to what is hidden in the body for somebody else's."""
    hidden = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: h\r\n\r\n"
    head = f"{start} HTTP/1.1\r\nhost: h\r\ncontent-length: {len(hidden)}\r\ntransfer-encoding: chunked\r\n\r\n"
    async with house.receiving() as it:
        port = int(it.receiver.view().address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + hidden)
        said = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert said.startswith(b"HTTP/1.1 400 ")
        assert said.count(b"HTTP/1.1") == 1


async def test_health(house: House) -> None:
    async with house.receiving() as it:
        said = await it.ask("GET", "/healthz")
        assert (said.status, said.body) == (200, b'{"status":"ok"}')


# Cronofy


async def test_an_agent_is_announced(house: House) -> None:
    async with house.receiving() as it:
        one = house.services.agent()
        assert (await it.post(AGENTS, one)).status == 204
        [kept] = await it.processed()
        assert (kept.account, kept.topic, kept.state) == ("agents", COMPLETE, DeliveryState.DONE)
        assert (kept.outcome, kept.duplicates, kept.source) == ("4 new assets", 0, "127.0.0.1")
        assert kept.verified == "HMAC-SHA256 of the body, by the API key"
        assert {a.identity.kind for a in it.desk.assets(Query())} == {
            *(AssetKind.DASHBOARD, AssetKind.TRANSCRIPT, AssetKind.AUDIO, AssetKind.VIDEO)
        }
        assert (await it.post(AGENTS, one)).status == 200
        [kept] = it.deliveries()
        assert kept.duplicates == 1
        assert (it.receiver.view().accepted, it.receiver.view().repeated) == (1, 1)


async def test_who_does_not_sign_is_not_heard(house: House) -> None:
    async with house.receiving() as it:
        one = house.services.agent()
        for signature in (
            "",
            "x",
            "é",
            sign(one.body, "another-secret-of-some"),
            ",,,",
            sign(one.body + b" ", house.services.cronofy.api_key),
        ):
            headers = {"content-type": "application/json", "cronofy-hmac-sha256": signature}
            said = await it.ask("POST", AGENTS, headers, one.body)
            assert (said.status, json.loads(said.body)["error"]["code"]) == (401, 401)
        assert (await it.ask("POST", AGENTS, {}, one.body)).status == 401
        # The same content in another spelling is another body.
        assert (
            await it.ask("POST", AGENTS, dict(one.headers), json.dumps(json.loads(one.body), indent=1).encode())
        ).status == 401
        assert it.deliveries() == ()
        assert list(it.desk.assets(Query())) == []


async def test_both_secrets_are_taken_during_a_rotation(house: House) -> None:
    house.secrets["REELDESK_SECRET_AGENTS_OTHER_API_KEY"] = "CRN_the0other0secret0of0ours"
    async with house.receiving() as it:
        house.services.cronofy.other_secrets = ("CRN_nobody0knows0this0one",)
        assert (await it.post(AGENTS, house.services.agent(1))).status == 204
        body = house.services.agent(2).body
        headers = {"cronofy-hmac-sha256": sign(body, "CRN_the0other0secret0of0ours")}
        assert (await it.ask("POST", AGENTS, headers, body)).status == 204


async def test_without_a_key_a_service_is_asked_to_come_again(house: House) -> None:
    house.secrets["REELDESK_SECRET_AGENTS_API_KEY"] = ""
    async with house.receiving() as it:
        said = await it.post(AGENTS, house.services.agent())
        assert said.status == 503
        assert int(said.headers["retry-after"]) > 0


async def test_a_signing_account_may_have_a_secret_address_too(house: House) -> None:
    house.secrets["REELDESK_SECRET_AGENTS_HOOK_SECRET"] = "x" * 32
    async with house.receiving() as it:
        assert (await it.post(AGENTS, house.services.agent())).status == 404
        assert (await it.post(f"{AGENTS}/{'x' * 32}", house.services.agent())).status == 204


async def test_states_never_go_backwards(house: House) -> None:
    async with house.receiving() as it:
        cronofy = house.services.cronofy
        done = house.services.agent()
        sub = json.loads(done.body)["meeting_agent"]["sub"]
        assert (await it.post(AGENTS, done)).status == 204
        await it.processed()
        before = sorted(str(asset.record()) for asset in it.desk.assets(Query()))
        assert (await it.post(AGENTS, cronofy.deliveries(sub, ACTIVATED)[0])).status == 204
        await it.processed()
        assert sorted(str(asset.record()) for asset in it.desk.assets(Query())) == before


async def test_a_foreign_resource_is_suspicious_and_never_gets_the_key(net: Loopback, house: House) -> None:
    house.options["agents"] = "auto_fetch = true"
    async with house.receiving() as it:
        house.services.cronofy.resource_base = "https://api.cronofy.com.evil.example"
        assert (await it.post(AGENTS, house.services.agent())).status == 204
        [kept] = await it.processed()
        assert "suspicious: " in kept.outcome
        assert house.services.cronofy.faults.seen == []


async def test_what_is_genuine_and_not_understood_is_kept(house: House) -> None:
    async with house.receiving() as it:
        for body in (b"no json", b"[1]", b"\xff\xfe", b"{}" + b" " * 100_000):
            headers = {"cronofy-hmac-sha256": sign(body, house.services.cronofy.api_key)}
            assert (await it.ask("POST", AGENTS, headers, body)).status == 204
            assert (await it.ask("POST", AGENTS, headers, body)).status == 200
        kept = it.deliveries()
        assert {(each.state, each.duplicates) for each in kept} == {(DeliveryState.UNREADABLE, 1)}
        assert len(kept) == 4
        unknown = json.dumps({"notification": {"interactions": [{"type": "meeting_agent_danced"}]}}).encode()
        headers = {"cronofy-hmac-sha256": sign(unknown, house.services.cronofy.api_key)}
        assert (await it.ask("POST", AGENTS, headers, unknown)).status == 204
        newest = (await it.processed())[0]
        assert (newest.topic, newest.state) == ("meeting_agent_danced", DeliveryState.DONE)


# flexperto


async def test_an_archive_is_confirmed_by_asking(house: House) -> None:
    house.options["advice"] = "auto_fetch = true"
    async with house.receiving() as it:
        one = house.services.archive("a")
        assert (await it.post(ADVICE, one)).status == 204
        misspelt = Delivery(one.headers, one.body.replace(b"communication.", b"communciation."))
        assert (await it.post(ADVICE, misspelt)).status == 200
        [kept] = await it.processed()
        assert (kept.state, kept.duplicates) == (DeliveryState.DONE, 1)
        assert "confirmed by the service" in kept.outcome
        [view] = it.desk.assets(Query())
        assert (view.state, view.local) == (RemoteState.AVAILABLE, LocalState.QUEUED)
        asked = house.services.flexperto.faults.seen
        assert all(line.startswith("GET ") for line in asked)


async def test_a_forged_archive_brings_nothing(house: House) -> None:
    async with house.receiving() as it:
        one = house.services.archive("a")
        forged = Delivery(one.headers, one.body.replace(b'"a"', b'"b"'))
        assert (await it.post(ADVICE, forged)).status == 204
        [kept] = await until(lambda: [d for d in it.deliveries() if d.tries and d.outcome])
        assert "does not know archive b" in kept.outcome
        assert list(it.desk.assets(Query())) == []


async def test_what_a_service_cannot_confirm_now_waits(house: House) -> None:
    async with house.receiving() as it:
        one = house.services.archive("a")
        house.services.flexperto.faults.status = 503
        assert (await it.post(ADVICE, one)).status == 204
        [kept] = await until(lambda: [d for d in it.deliveries() if d.again_at])
        assert (kept.state, kept.outcome[:31]) == (DeliveryState.WAITING, "the service answers HTTP 503: s")
        house.services.flexperto.faults.status = None
        house.clock.skip(700)
        await until(lambda: it.deliveries()[0].state is DeliveryState.DONE)
        assert [a.state for a in it.desk.assets(Query())] == [RemoteState.AVAILABLE]


async def test_a_service_that_is_down_does_not_keep_the_others_waiting(house: House) -> None:
    async with house.receiving() as it:
        house.services.flexperto.faults.latency_s = 3.0
        for number in range(20):
            assert (await it.post(ADVICE, house.services.archive(f"a{number}"))).status == 204
        assert (await it.post(AGENTS, house.services.agent())).status == 204
        await until(lambda: any(d.account == "agents" and d.state is DeliveryState.DONE for d in it.deliveries()), 2.5)


# Temasys


async def test_a_recording_enters_the_list_and_is_queued(house: House) -> None:
    async with house.receiving() as it:
        one = house.services.recording()
        assert (await it.post(ROOMS, one)).status == 204
        [kept] = await it.processed()
        assert kept.verified == "not signed; the app key matches"
        [view] = it.desk.assets(Query())
        assert (view.local, view.state) == (LocalState.QUEUED, RemoteState.AVAILABLE)
        held = await it.desk.fetch_now(view.identity)
        assert held.local is LocalState.HELD
    link = json.loads(one.body)["retrievalUrl"]
    for path in (house.folder / "data").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert link.encode() not in content
            assert link.partition("Signature=")[2].encode() not in content
            assert house.services.temasys.app_key.encode() not in content


async def test_a_callback_that_comes_again_brings_its_newer_link(house: House) -> None:
    house.options["rooms"] = "auto_fetch = false"
    async with house.receiving() as it:
        temasys = house.services.temasys
        one = house.services.recording()
        recording = temasys.recordings[-1]
        assert (await it.post(ROOMS, one)).status == 204
        await it.processed()
        temasys.store._key = b"the first link is worth nothing now"
        newer = temasys.delivery(recording)
        assert (await it.post(ROOMS, newer)).status == 200
        [kept] = await it.processed()
        assert kept.duplicates == 1
        [view] = it.desk.assets(Query())
        assert (await it.desk.fetch_now(view.identity)).local is LocalState.HELD


async def test_another_app_key_is_nobodys(house: House) -> None:
    async with house.receiving() as it:
        house.services.recording()
        recording = house.services.temasys.recordings[-1]
        said = await it.post(ROOMS, house.services.temasys.delivery(recording, apiKey="another"))
        assert said.status == 401
        assert it.deliveries() == ()


# ProCONF


async def test_a_late_joiner_gets_the_catch_up(house: House) -> None:
    async with house.receiving() as it:
        for path in ("/callCatchUp/town-hall", "/callCatchUp?roomName=town-hall", "/callCatchUp/town%2Dhall"):
            said = await it.ask("GET", path, BEARER)
            assert (said.status, json.loads(said.body)) == (200, {"error": None, "data": "The call began."})
            assert said.headers["content-type"] == "application/json"
        assert it.desk.catchup_history("standup", "town-hall")[0].text == "The call began."
        assert it.receiver.view().catchups == 3


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "body"),
    [
        ("GET", "/callCatchUp/town-hall", {}, 401, b'{"data":null,"error":{"code":401,"message":"Unauthorized"}}'),
        (
            "GET",
            "/callCatchUp/town-hall",
            {"authorization": "Bearer x"},
            401,
            b'{"data":null,"error":{"code":401,"message":"Unauthorized"}}',
        ),
        (
            "GET",
            "/callCatchUp",
            BEARER,
            400,
            b'{"data":null,"error":{"code":400,"message":"Room name required in query param."}}',
        ),
        ("POST", "/callCatchUp/town-hall", BEARER, 404, NOT_FOUND),
        ("GET", "/callCatchUp/town-hall/more", BEARER, 404, NOT_FOUND),
    ],
)
async def test_the_answers_of_the_page(
    house: House, method: str, path: str, headers: dict[str, str], status: int, body: bytes
) -> None:
    async with house.receiving() as it:
        said = await it.ask(method, path, headers)
        assert (said.status, said.body) == (status, body)


@pytest.mark.parametrize("room", ["%2e%2e", ".", "..%2fmeetings", "%00", "%20"])
async def test_a_room_leads_nowhere_else(house: House, room: str) -> None:
    async with house.receiving() as it:
        said = await it.ask("GET", f"/callCatchUp?roomName={room}", BEARER)
        assert said.status == 400
        assert house.services.proconf.faults.seen == []


async def test_a_service_that_fails_is_a_500(house: House) -> None:
    async with house.receiving() as it:
        house.services.proconf.faults.status = 503
        said = await it.ask("GET", "/callCatchUp/town-hall", BEARER)
        assert (said.status, said.body) == (
            500,
            b'{"error":{"code":500,"message":"Internal server error"},"data":null}',
        )
