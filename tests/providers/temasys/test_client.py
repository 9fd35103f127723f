"""A Temasys account against its emulator, over real HTTP."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import pytest
from msgspec.structs import replace

from providers.base import (
    AccountSettings,
    Gone,
    Head,
    MissingSecret,
    NotFound,
    NotTrusted,
    Provider,
    ProviderError,
    Refused,
    Unauthorized,
)
from providers.emulation import Blob, Loopback, ObjectStore, mp4_blob
from providers.http import Http
from providers.messages import Answer, Request, json_request
from providers.models import AssetId, AssetKind, NotificationChange, NotificationSettings, RemoteState
from providers.origin import Origin
from providers.secret import Secret
from providers.temasys import INFO, connect
from providers.temasys.emulator import TemasysEmulator
from tests.providers.box import settings_for

ARN = "arn:aws:s3:region::bucketname/objectpath"
SECRET = "iewmdfuasfwnwksd"
CHANGE = NotificationChange(
    True, "https://site.com/events/geheim", ("a@b.com", "b@c.com"), ARN, "AKIA1", Secret(SECRET)
)
PATH = "/rest/recording/notifications"


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
def emulator(net: Loopback, clock: Now) -> Iterator[TemasysEmulator]:
    service = TemasysEmulator(clock)
    net.serve(service)
    net.serve(service.store)
    yield service
    assert service.store.leaks == []


def settings(emulator: TemasysEmulator, **options: object) -> AccountSettings:
    chosen: dict[str, object] = {"base_url": emulator.base_url + "/", "username": "temasys", **options}
    return settings_for(INFO, "rooms", **chosen)


def client(emulator: TemasysEmulator, secrets: dict[str, str] | None = None, **options: object) -> "aclosing[Provider]":
    held = {"password": emulator.password} if secrets is None else secrets
    account = settings(emulator, **options)
    return aclosing(connect(account, lambda name: Secret(held[name]) if name in held else None))


async def saved(provider: Provider, emulator: TemasysEmulator) -> dict[str, object]:
    """Set everything there, and give what the emulator then holds."""
    await provider.save_notifications(CHANGE)
    return emulator.settings["temasys"]


# Signing in


async def test_it_signs_in_once_and_keeps_the_session(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        await asyncio.gather(*(provider.notifications() for _ in range(4)))
    assert emulator.faults.seen.count("POST /rest/login") == 1
    assert emulator.faults.seen.count(f"GET {PATH}") == 4


async def test_a_session_that_ran_out_is_renewed_once(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        await provider.check()
        emulator.end_sessions()
        await asyncio.gather(provider.check(), provider.check())
        assert emulator.faults.seen.count("POST /rest/login") == 2
        emulator.end_sessions()
        emulator.password = "changed"
        with pytest.raises(Unauthorized, match="user name and password"):
            await provider.check()


async def test_a_session_that_never_holds_is_told(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        await provider.check()
        emulator.auth, emulator.failure_content = "header", "object"
        with pytest.raises(Unauthorized, match="not authorized"):
            await provider.check()
    assert emulator.faults.seen.count("POST /rest/login") == 2


async def test_a_pasted_cookie(emulator: TemasysEmulator) -> None:
    async with client(emulator, {"cookie": emulator.session_cookie()}, auth="cookie") as provider:
        assert "the service answers" in await provider.check()
    async with client(emulator, {"cookie": "skylink_session=old"}, auth="cookie") as provider:
        with pytest.raises(Unauthorized):
            await provider.check()
    assert "POST /rest/login" not in emulator.faults.seen


async def test_a_header(emulator: TemasysEmulator) -> None:
    emulator.auth, emulator.header = "header", "X-Skylink"
    held = {"token": emulator.header_value}
    async with client(emulator, held, auth="header", header="X-Skylink") as provider:
        assert "the service answers" in await provider.check()
    async with client(emulator, held, auth="header") as provider:
        with pytest.raises(Unauthorized):
            await provider.check()


async def test_no_credential_at_all(emulator: TemasysEmulator) -> None:
    emulator.auth = "none"
    async with client(emulator, {}, auth="none") as provider:
        assert "the service answers" in await provider.check()


@pytest.mark.parametrize(("auth", "name"), [("login", "password"), ("cookie", "cookie"), ("header", "token")])
async def test_the_missing_secret_is_named(emulator: TemasysEmulator, auth: str, name: str) -> None:
    async with client(emulator, {}, auth=auth) as provider:
        with pytest.raises(MissingSecret) as raised:
            await provider.check()
    assert raised.value.name == name
    assert emulator.faults.seen == []


async def test_what_is_not_configured_is_told(emulator: TemasysEmulator) -> None:
    async with client(emulator, username="") as provider:
        with pytest.raises(Refused, match="no username"):
            await provider.check()
    async with client(emulator, login_path="/elsewhere") as provider:
        with pytest.raises(NotFound, match="set login_path"):
            await provider.check()
    with pytest.raises(Refused, match="base_url of account rooms"):
        connect(settings(emulator, base_url="temasys.example"), lambda name: None)


# Settings


@pytest.mark.parametrize("nothing", ["text", "missing", "empty"])
@pytest.mark.parametrize("status", [200, 404])
async def test_what_is_not_set_is_created_and_then_updated(
    emulator: TemasysEmulator, nothing: str, status: int
) -> None:
    emulator.nothing_set = nothing  # type: ignore[assignment]  # one of the literals
    emulator.failure_http_status = status
    async with client(emulator) as provider:
        assert await provider.notifications() == NotificationSettings(exists=False)
        assert "no recording notifications are set" in await provider.check()
        created = await provider.save_notifications(CHANGE)
        assert created == NotificationSettings(
            True, True, CHANGE.url, CHANGE.emails, ARN, "AKIA1", has_s3_secret=True, username="temasys"
        )
        updated = await provider.save_notifications(replace(CHANGE, notify=False, emails=("c@d.org",)))
        assert (updated.notify, updated.emails) == (False, ("c@d.org",))
        assert await provider.notifications() == updated
    writes = [seen for seen in emulator.faults.seen if seen.endswith(PATH) and not seen.startswith("GET")]
    assert writes == [f"POST {PATH}", f"PUT {PATH}"]


async def test_check_tells_where_it_calls_but_not_the_secret_path(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        await saved(provider, emulator)
        words = await provider.check()
        assert words == "the service answers; recording notifications of temasys are on, called back at site.com"
        await provider.save_notifications(NotificationChange(False, s3_arn=ARN, s3_access_key_id="AKIA1"))
        assert (await provider.check()).endswith("are off, no callback address is set")


@pytest.mark.parametrize("merge", [False, True])
async def test_saving_without_the_secret_keeps_it(emulator: TemasysEmulator, merge: bool) -> None:
    emulator.merge_put = merge
    async with client(emulator) as provider:
        await saved(provider, emulator)
        settings = await provider.save_notifications(replace(CHANGE, url="https://new.com", s3_secret_access_key=None))
    assert settings.url == "https://new.com"
    assert emulator.settings["temasys"]["s3SecretAccessKey"] == SECRET


async def test_a_masked_secret_is_never_written_back(emulator: TemasysEmulator) -> None:
    emulator.mask_secret = True
    async with client(emulator) as provider:
        before = dict(await saved(provider, emulator))
        with pytest.raises(Refused, match="type the secret access key again"):
            await provider.save_notifications(replace(CHANGE, s3_secret_access_key=None))
        assert emulator.settings["temasys"] == before
        await provider.save_notifications(replace(CHANGE, s3_secret_access_key=Secret("another")))
    assert emulator.settings["temasys"]["s3SecretAccessKey"] == "another"


async def test_what_is_emptied_is_empty_or_told(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        await saved(provider, emulator)
        emptied = await provider.save_notifications(NotificationChange(False))
        assert emptied == NotificationSettings(exists=True, username="temasys")
        await saved(provider, emulator)
        emulator.merge_put = True
        with pytest.raises(Refused, match=r"was saved, but the service kept the S3 settings"):
            await provider.save_notifications(NotificationChange(False))
    assert emulator.settings["temasys"]["url"] == ""


async def test_what_is_wrong_stops_before_it_is_sent(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        with pytest.raises(Refused, match="must begin with http"):
            await provider.save_notifications(NotificationChange(True, url="site.com"))
    assert f"POST {PATH}" not in emulator.faults.seen


@pytest.mark.parametrize(
    ("shape", "words"), [("text", "quota reached"), ("object", "quota reached"), ("missing", "no reason")]
)
async def test_a_refusal_is_told_in_the_services_words(emulator: TemasysEmulator, shape: str, words: str) -> None:
    emulator.failure_content = shape  # type: ignore[assignment]  # one of the literals
    emulator.refusal = f"quota reached, {SECRET}"
    async with client(emulator) as provider:
        with pytest.raises(Refused, match=words) as raised:
            await provider.save_notifications(CHANGE)
    assert SECRET not in str(raised.value)
    assert emulator.settings == {}


async def test_an_answer_that_says_only_that_it_worked_is_read_again(emulator: TemasysEmulator) -> None:
    emulator.bare_saves = True
    async with client(emulator) as provider:
        settings = await provider.save_notifications(CHANGE)
    assert settings.url == CHANGE.url
    assert emulator.faults.seen[-1] == f"GET {PATH}"


async def test_the_preview_sends_nothing(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        text = provider.preview_notifications(CHANGE, exists=True)
    assert text.startswith(f"PUT {PATH}\n")
    assert SECRET not in text
    assert emulator.faults.seen == []


# Recordings


async def test_a_recording_is_read_as_often_as_its_link_holds(emulator: TemasysEmulator, clock: Now) -> None:
    blob = mp4_blob(100_000, 7)
    async with client(emulator) as provider:
        announcement = provider.read_delivery(emulator.finish_recording("town-hall", blob=blob))
        [asset] = announcement.listing.assets
        for _ in range(2):
            status, content = await _read(provider, (await provider.locate(asset)).url)
            assert (status, content) == (200, blob.read(0, blob.size))
        clock.seconds += emulator.store.lifetime_s + 1
        source = await provider.locate(asset)
        status, content = await _read(provider, source.url)
        with pytest.raises(Gone, match="the link has run out"):
            source.judge(Head(status, {}, content, True))
    assert "POST /rest/login" not in emulator.faults.seen


async def _read(provider: Provider, url: str) -> tuple[int, bytes]:
    async with provider.opener.open(url, {}) as body:
        return body.status, b"".join([chunk async for chunk in body.chunks()])


async def test_a_link_back_to_the_service_brings_no_credential(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        await provider.check()
        recording = emulator.record("town-hall")
        forged = emulator.delivery(recording, retrievalUrl=emulator.base_url + PATH)
        [asset] = provider.read_delivery(forged).listing.assets
        source = await provider.locate(asset)
        _, content = await _read(provider, source.url)
        assert b"not authorized" in content
        with pytest.raises(ProviderError):
            source.judge(Head(200, {"content-type": "application/json"}, content, True))


async def test_where_links_may_lead(emulator: TemasysEmulator) -> None:
    recording = emulator.record("town-hall")
    elsewhere = emulator.delivery(recording, retrievalUrl="https://b.s3.amazonaws.com/x?X-Amz-Signature=geheim")
    for hosts, allowed in [((), False), (("*.amazonaws.com",), True)]:
        async with client(emulator, download_hosts=hosts) as provider:
            [asset] = provider.read_delivery(elsewhere).listing.assets
            if allowed:
                assert (await provider.locate(asset)).url.startswith("https://b.s3.amazonaws.com/x?")
                continue
            with pytest.raises(NotTrusted, match=r"b\.s3\.amazonaws\.com") as raised:
                await provider.locate(asset)
            assert "geheim" not in str(raised.value)


async def test_without_its_link_a_recording_is_out_of_reach(emulator: TemasysEmulator) -> None:
    async with client(emulator) as provider:
        [asset] = provider.read_delivery(emulator.finish_recording("town-hall")).listing.assets
        with pytest.raises(NotFound, match="came with its callback"):
            await provider.locate(replace(asset, sealed_link=None))
        broken = emulator.delivery(emulator.record("town-hall"), retrievalUrl="nowhere")
        [asset] = provider.read_delivery(broken).listing.assets
        assert asset.state is RemoteState.FAILED
        with pytest.raises(NotFound, match="no http"):
            await provider.locate(asset)
        with pytest.raises(NotFound, match="by callback only"):
            provider.adopt(AssetId("rooms", "mtg-9", AssetKind.VIDEO, "1"))


# The emulator's own promises


def test_callbacks_come_due_once_by_the_clock(clock: Now) -> None:
    emulator = TemasysEmulator(clock, ObjectStore(clock))
    emulator.delivery_milliseconds = True
    emulator.record("first", mixed_in_s=60)
    emulator.record("second", mixed_in_s=120, blob=Blob.of(b"x", "video/mp4"))
    assert emulator.due_deliveries() == []
    clock.seconds += 61
    [due] = emulator.due_deliveries()
    assert b'"unixTime": 1800000060000' in due.body
    assert emulator.due_deliveries() == []
    clock.seconds += 600
    assert len(emulator.due_deliveries()) == 1


async def test_callbacks_go_where_the_settings_say(emulator: TemasysEmulator) -> None:
    assert emulator.callback_url == ""
    async with client(emulator) as provider:
        await saved(provider, emulator)
        assert emulator.callback_url == CHANGE.url
        await provider.save_notifications(replace(CHANGE, notify=False))
    assert emulator.callback_url == ""


@pytest.mark.parametrize(
    ("method", "body", "words"),
    [
        ("POST", {"notify": True}, "exists already"),
        ("PUT", {"notify": "yes"}, "notify must be"),
        ("PUT", {"notify": 1, "email": ["a@b.com"]}, "must be strings"),
        ("PUT", {"notify": 1, "url": "site.com"}, "must begin with"),
        ("PUT", {"notify": 1, "s3Arn": ARN}, "required together"),
        ("PUT", {"notify": 1, "s3Settings": {}}, "unknown parameter"),
        ("PUT", [], "notify must be"),
    ],
)
async def test_the_emulator_refuses_what_the_page_does_not_allow(
    emulator: TemasysEmulator, method: str, body: object, words: str
) -> None:
    emulator.auth = "none"
    emulator.settings["temasys"] = {"notify": True}
    answer = await _send(emulator, json_request(method, emulator.base_url + PATH, body))
    assert (answer.status, answer.json()["status"]) == (200, 0)
    assert words in answer.json()["content"]


async def test_the_emulator_updates_only_what_exists(emulator: TemasysEmulator) -> None:
    emulator.auth, emulator.post_replaces = "none", True
    put, post = (json_request(method, emulator.base_url + PATH, {"notify": 0}) for method in ("PUT", "POST"))
    assert (await _send(emulator, put)).json() == {"status": 0, "content": "no existing notification to update"}
    for request in (post, post, put):
        assert (await _send(emulator, request)).json()["status"] == 1
    emulator.auth = "login"
    assert (await _send(emulator, put)).json()["status"] == -1
    assert (await _send(emulator, Request("POST", emulator.base_url + "/rest/login", {}, b"{"))).json()["status"] == -1


async def _send(emulator: TemasysEmulator, request: Request) -> Answer:
    origin = Origin.of(emulator.base_url)
    assert origin is not None
    http = Http(settings(emulator), (origin,), dict)
    async with aclosing(http):
        return await http.send(request)
