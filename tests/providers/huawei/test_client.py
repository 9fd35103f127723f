"""The client against its emulator over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import trustme

from providers import base, registry
from providers.emulation import Blob, Loopback, mp4_blob
from providers.http import Http
from providers.huawei import INFO, wire
from providers.huawei.client import Huawei
from providers.huawei.emulated_calls import Call
from providers.huawei.emulator import HuaweiEmulator
from providers.huawei.session import Rhythm
from providers.messages import json_request
from providers.models import Asset, AssetId, AssetKind, Listing, RemoteState
from providers.origin import Origin
from providers.secret import Secret
from tests.providers.box import settings_for
from tests.providers.huawei.box import (
    AGENT,
    CONFERENCE,
    PASSWORD,
    PHONE,
    RECORD,
    box,
    collect,
    emulator,
    past_call,
)

QUICK = Rhythm(pause_s=0.02, retry_s=0.02, patience_s=0.3)
STILL = Rhythm(pause_s=30.0)
"""One poll, and none for the rest of the test."""


@pytest.fixture
def gateway(net: Loopback) -> HuaweiEmulator:
    made = emulator(poll_wait=0.1)
    net.serve(made)
    return made


def settings(gateway: HuaweiEmulator, **options: object) -> base.AccountSettings:
    given = {"base_url": gateway.base_url, "agent_id": AGENT, "phone": PHONE} | options
    return settings_for(INFO, "calls", **given)


@asynccontextmanager
async def client(
    gateway: HuaweiEmulator,
    rhythm: Rhythm = QUICK,
    *,
    secrets: dict[str, str] | None = None,
    account: base.AccountSettings | None = None,
) -> AsyncIterator[Huawei]:
    held = {"password": PASSWORD} if secrets is None else secrets
    made = Huawei(account or settings(gateway), lambda name: Secret(held[name]) if name in held else None, rhythm)
    try:
        yield made
    finally:
        await made.aclose()


async def download(provider: base.Provider, asset: Asset) -> bytes:
    source = await provider.locate(asset)
    async with provider.opener.open(source.url, source.headers) as body:
        content = b"".join([chunk async for chunk in body.chunks()])
        source.judge(base.Head(body.status, body.headers, content[:65536], complete=len(content) <= 65536))
    return content


async def until(happened: Callable[[], bool], what: str) -> None:
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.01)


def by_hand(tail: str = f"video.{RECORD}-0", meeting: str = CONFERENCE) -> AssetId:
    return AssetId.parse(f"calls/{meeting}/{tail}")


async def next_of(watching: AsyncIterator[Listing]) -> Listing:
    async with asyncio.timeout(5):
        return await anext(watching)


async def drain(watching: AsyncIterator[Listing]) -> None:
    async with asyncio.timeout(5):
        async for _ in watching:
            pass


async def test_the_box_learns_and_fetches(net: Loopback) -> None:
    made = box(net)
    provider = made.connect()
    listing = await made.learn(provider)
    assert [(asset.variant[-1], asset.state) for asset in listing.assets] == [
        ("0", RemoteState.PROCESSING),
        ("1", RemoteState.UNKNOWN),
        ("2", RemoteState.UNKNOWN),
    ]
    assert len(listing.changes) == 3
    for asset in listing.assets[:2]:
        assert await download(provider, asset) == made.content(asset)
    with pytest.raises(base.Refused, match=r"^108-003: invented"):
        await download(provider, listing.assets[2])
    await provider.aclose()


async def test_signing_in_never_takes_calls_and_aclose_signs_out(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    async with client(gateway) as provider:
        await collect(provider)
    (body,) = gateway.sign_ins
    assert (body["status"], body["autoanswer"], body["agenttype"], body["phonenum"]) == (3, False, 11, PHONE)
    assert not any("resetskill" in seen or "forcelogin" in seen for seen in gateway.faults.seen)
    assert gateway.log[-1] == "sign-out"
    assert gateway.seats[AGENT].online is None
    await provider.aclose()
    assert gateway.log.count("sign-out") == 1


async def test_events_are_kept_before_the_next_poll(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    async with client(gateway) as provider:
        provider.news = lambda listing: gateway.log.append("kept")
        listing = await collect(provider)
    log = gateway.log
    told = [n for n, line in enumerate(log) if line.startswith("event AgentMediaEvent_")]
    assert len(told) == 2
    assert [log[n + 1] for n in told] == ["kept", "kept"]
    assert [meeting.title for meeting in listing.meetings] == ["25002 → 22061"]


async def test_an_event_that_could_not_be_kept_is_handed_on_again(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    kept: list[Listing] = []

    def disk_full(listing: Listing) -> None:
        raise OSError("disk full")

    async with client(gateway) as provider:
        provider.news = disk_full
        with pytest.raises(OSError, match="disk full"):
            await collect(provider)
        polls = gateway.log.count("poll")
        provider.news = kept.append
        await collect(provider)
        assert gateway.log.count("poll") > polls
    assert [len(listing.assets) for listing in kept] == [3, 0]
    assert len(gateway.sign_ins) == 1


async def test_a_slow_download_is_not_cut_by_rotation_or_the_time_out(gateway: HuaweiEmulator) -> None:
    call = gateway.add_call(past_call())
    gateway.guid_interval, gateway.guid_timeout, gateway.maxtime = 0.2, 0.9, 0.9
    gateway.poll_wait = 0.05
    gateway.faults.bytes_per_s = 120_000
    # Idle in less than the download takes: what keeps the session is the open file alone.
    async with client(gateway, replace(QUICK, idle_s=1.0)) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        blob = call.files[RECORD, "0"]
        began = time.monotonic()
        assert await download(provider, asset) == blob.read(0, blob.size)
        assert time.monotonic() - began > 2
        assert gateway.polls_in_downloads > 5
        assert len(gateway.sign_ins) == 1
        gateway.faults.bytes_per_s = None
        assert await download(provider, asset) == blob.read(0, blob.size)
    assert len(gateway.sign_ins) == 1
    assert gateway.most_polls_at_once == 1
    assert "kicked" not in gateway.log
    assert gateway.log[-1] == "sign-out"


async def test_without_rotation_the_guid_of_the_sign_in_stays(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.authmode, gateway.guid_interval, gateway.guid_header = 1, 0.0, "Guid"
    async with client(gateway) as provider:
        await collect(provider)
        online = gateway.seats[AGENT].online
        assert online is not None
        assert online.rotations == 0
    assert gateway.log[-1] == "sign-out"


async def test_rotation_is_followed(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.guid_interval, gateway.overlap = 0.0, False  # every poll rotates; the Guid before is refused at once
    async with client(gateway) as provider:
        await collect(provider)
        online = gateway.seats[AGENT].online
        assert online is not None
        assert online.rotations >= 6
    assert len(gateway.sign_ins) == 1


async def test_two_at_once_sign_in_once(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.faults.latency_s = 0.05
    async with client(gateway) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        sources = await asyncio.gather(provider.locate(asset), provider.locate(asset), collect(provider))
    assert sources[0].advised_limit == 200 * 1024 * 1024
    assert len(gateway.sign_ins) == 1
    assert gateway.most_polls_at_once == 1


async def test_a_sign_in_cut_off_by_the_caller_is_still_signed_out(gateway: HuaweiEmulator) -> None:
    gateway.faults.latency_s = 0.2
    async with client(gateway) as provider:
        task = asyncio.create_task(provider.locate(provider.adopt(by_hand()).assets[0]))
        await until(lambda: bool(gateway.faults.seen), "the sign-in")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert gateway.log[0] == "sign-in"
    assert gateway.log[-1] == "sign-out"


async def test_a_cut_off_sign_in_that_fails_leaves_no_trace(gateway: HuaweiEmulator) -> None:
    gateway.faults.latency_s = 0.1
    async with client(gateway, secrets={"password": "wrong"}) as provider:
        task = asyncio.create_task(provider.locate(provider.adopt(by_hand()).assets[0]))
        await until(lambda: bool(gateway.faults.seen), "the sign-in")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert gateway.log == ["sign-in"]
    with pytest.raises(base.SessionLost, match="closed"):
        await provider.locate(provider.adopt(by_hand()).assets[0])


async def test_wrong_password_in_words(gateway: HuaweiEmulator) -> None:
    async with client(gateway, secrets={"password": "wrong"}) as provider:
        with pytest.raises(base.Unauthorized, match="number or password") as caught:
            await provider.check()
        assert "wrong" not in caught.value.words
        with pytest.raises(base.Unauthorized):
            await collect(provider)
    assert "sign-out" not in gateway.log


async def test_what_is_missing_is_named(gateway: HuaweiEmulator) -> None:
    async with client(gateway, secrets={}) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        for act in (provider.check(), provider.locate(asset), collect(provider), anext(provider.watch())):
            with pytest.raises(base.MissingSecret, match="secret set calls password"):
                await cast(asyncio.Future[object], act)
    async with client(gateway, account=settings(gateway, phone=" ")) as provider:
        with pytest.raises(base.ProviderError, match="phone"):
            await provider.check()
    assert gateway.faults.seen == []


async def test_an_agent_signed_in_elsewhere_is_not_thrown_out(gateway: HuaweiEmulator) -> None:
    async with client(gateway) as working:
        await collect(working)
        async with client(gateway) as second:
            with pytest.raises(base.Refused, match="signed in elsewhere") as caught:
                await collect(second)
            assert not caught.value.transient
        assert gateway.seats[AGENT].online is not None
        assert not any("forcelogin" in seen for seen in gateway.faults.seen)


async def test_an_agent_that_is_no_video_agent_signs_in_as_its_kind(gateway: HuaweiEmulator) -> None:
    gateway.add_agent(AGENT, PASSWORD, types=(4,))
    async with client(gateway) as provider:
        assert "signed in as busy and out again" in await provider.check()
    assert [body["agenttype"] for body in gateway.sign_ins] == [11, 4]
    gateway.add_agent(AGENT, PASSWORD, types=())
    async with client(gateway) as provider:
        with pytest.raises(base.Refused, match="100-012"):
            await provider.check()


async def test_check_says_what_works_and_takes_no_event(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    async with client(gateway) as provider:
        words = await provider.check()
        assert words == ("agent 1001 signed in as busy and out again; media TTF, the password is good for 9 days")
        assert gateway.log == ["sign-in", "sign-out"]
        assert (await collect(provider)).meetings
        assert await provider.check() == "agent 1001 is signed in"


async def test_watching_gives_what_happens_until_cancelled(gateway: HuaweiEmulator) -> None:
    async with client(gateway) as provider:
        kept: list[Listing] = []
        provider.news = kept.append
        async with aclosing(provider.watch()) as watching:
            first = asyncio.create_task(next_of(watching))
            await until(lambda: "poll" in gateway.log, "a poll")
            gateway.add_call(past_call())
            assert [asset.variant[-1] for asset in (await first).assets] == ["0", "1", "2"]
            assert (await next_of(watching)).changes[0].state is RemoteState.AVAILABLE
        assert len(kept) == 2
    assert len(gateway.sign_ins) == 1
    assert gateway.log[-1] == "sign-out"


async def test_a_forced_sign_in_elsewhere_ends_the_watching(net: Loopback, gateway: HuaweiEmulator) -> None:
    origin = Origin.of(gateway.base_url)
    assert origin is not None
    somebody = Http(settings(gateway), (origin,), dict, keep_cookies=True)
    body = {"password": PASSWORD, "phonenum": "1"}
    async with client(gateway) as provider:
        watching = asyncio.create_task(next_of(provider.watch()))
        await until(lambda: "poll" in gateway.log, "a poll")
        url = f"{gateway.base_url}/agentgateway/resource/onlineagent/{AGENT}/forcelogin"
        assert (await somebody.send(json_request("PUT", url, body))).json()["retcode"] == "0"
        with pytest.raises(base.SessionLost, match=r"000-003|100-006"):
            await watching
        with pytest.raises(wire.AlreadySignedIn):
            await collect(provider)
    await somebody.aclose()
    assert gateway.seats[AGENT].online is not None


async def test_an_agent_kicked_by_the_gateway_signs_in_again(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    async with client(gateway) as provider:
        watching = asyncio.create_task(drain(provider.watch()))
        await until(lambda: gateway.log.count("poll") > 4, "polls")
        gateway.now = lambda: time.time() + 500
        with pytest.raises(base.SessionLost, match="100-006"):
            await watching
        assert len(await download(provider, provider.adopt(by_hand()).assets[0])) == 300_000
    assert len(gateway.sign_ins) == 2


async def test_a_refused_download_is_asked_again_with_a_guid_that_holds(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.refuse_downloads = 1
    async with client(gateway) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        with pytest.raises(base.SessionLost, match="000-003"):
            await download(provider, asset)
        assert "status" not in gateway.log
        assert len(await download(provider, asset)) == 300_000
    # The Guid was asked for and held, so nothing was signed in anew.
    assert "status" in gateway.log
    assert len(gateway.sign_ins) == 1


async def test_a_lost_session_is_renewed_once_by_the_next_attempt(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    async with client(gateway, STILL) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        await provider.locate(asset)
        await until(lambda: len(gateway.log) > 2, "the first poll")
        gateway.kick(AGENT)
        with pytest.raises(base.SessionLost, match="100-006"):
            await download(provider, asset)
        assert len(await download(provider, asset)) == 300_000
    assert len(gateway.sign_ins) == 2


async def test_a_gateway_without_a_status_interface(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.refuse_downloads, gateway.status_known = 1, False
    async with client(gateway) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        with pytest.raises(base.SessionLost):
            await download(provider, asset)
        assert len(await download(provider, asset)) == 300_000
    assert len(gateway.sign_ins) == 1


async def test_polls_that_fail_for_a_while_are_borne(gateway: HuaweiEmulator) -> None:
    gateway.poll_failures = 2
    async with client(gateway) as provider:
        watching = asyncio.create_task(next_of(provider.watch()))
        await until(lambda: gateway.log.count("poll") > 1, "polls")
        gateway.add_call(past_call())
        assert (await watching).assets
        gateway.poll_failures = 1
        with pytest.raises(base.ServiceDown):
            await collect(provider)
    assert len(gateway.sign_ins) == 1


async def test_polls_that_fail_too_long_end_the_session(gateway: HuaweiEmulator) -> None:
    gateway.poll_failures = 10_000
    async with client(gateway) as provider:
        with pytest.raises(base.ServiceDown):
            await next_of(provider.watch())
    assert "sign-out" not in gateway.log


async def test_an_unused_seat_is_given_back(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    async with client(gateway, replace(QUICK, idle_s=0.05)) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        await download(provider, asset)
        await until(lambda: gateway.log[-1] == "sign-out", "the sign-out")
        await download(provider, asset)
        with pytest.raises(base.Unreachable):
            async with provider.opener.open("http://127.0.0.1:1/", {}):
                pass
        await until(lambda: gateway.log.count("sign-out") == 2, "the second sign-out")
    assert len(gateway.sign_ins) == 2


async def test_signing_in_and_out_alternate(gateway: HuaweiEmulator) -> None:
    gateway.poll_wait = 0.0
    async with client(gateway, Rhythm(pause_s=0.0, idle_s=0.0)) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        for _ in range(20):
            await provider.locate(asset)
    ups_and_downs = [line for line in gateway.log if line.startswith("sign-")]
    assert ups_and_downs == ["sign-in", "sign-out"] * (len(ups_and_downs) // 2)


async def test_a_seat_is_kept_for_somebody_who_comes_while_it_is_given_back(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.poll_wait = 0.3
    async with client(gateway, replace(QUICK, idle_s=0.0)) as provider:
        with provider._session.in_use():
            await collect(provider)
            polls = gateway.log.count("poll")
            await until(lambda: gateway.log.count("poll") > polls, "a poll that finds nothing")
            # The question holds the gate until after that poll, which then finds the seat unused and wants to sign out.
            gateway.faults.latency_s = 1.5
            asking = asyncio.create_task(provider.check())
            await until(lambda: gateway.faults.seen[-1].endswith("agentstatus"), "the question")
            gateway.faults.latency_s = 0.0
        await until(lambda: bool(provider._session._gate._waiters), "the sign-out that waits for the gate")
        learning = asyncio.create_task(collect(provider))
        assert await asking == "agent 1001 is signed in"
        assert await learning == Listing()
        assert gateway.log.count("sign-out") == 0
    assert len(gateway.sign_ins) == 1


async def test_a_pasted_guid_is_used_and_left_alone(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.lb_cookie = False
    async with client(gateway, STILL) as owner:
        await owner.locate(owner.adopt(by_hand()).assets[0])
        await until(lambda: len(gateway.log) > 2, "the first poll")
        online = gateway.seats[AGENT].online
        assert online is not None
        secrets = {"guid": f"JSESSIONID={online.guid}", "password": PASSWORD}
        before = gateway.log.count("poll")
        async with client(gateway, secrets=secrets) as provider:
            asset = provider.adopt(by_hand()).assets[0]
            assert await provider.check() == "agent 1001 is signed in (by the pasted Guid)"
            assert await collect(provider) == Listing()
            with pytest.raises(base.Unsupported, match="pasted Guid"):
                await next_of(provider.watch())
            assert len(await download(provider, asset)) == 300_000
            secrets["guid"] = "stale"
            with pytest.raises(base.SessionLost, match="000-003"):
                await download(provider, asset)
            with pytest.raises(base.Unauthorized, match="secret set calls guid"):
                await download(provider, asset)
            secrets["guid"] = online.guid
            assert len(await download(provider, asset)) == 300_000
        assert (gateway.log.count("poll"), len(gateway.sign_ins)) == (before, 1)
        assert gateway.seats[AGENT].online is online


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "media_type",
    ["application/json;charset=UTF-8", "application/octet-stream;charset=utf-8", "application/json;charset=GBK"],
)
async def test_a_failure_is_never_taken_for_a_file(gateway: HuaweiEmulator, status: int, media_type: str) -> None:
    gateway.add_call(past_call())
    gateway.video_flag, gateway.error_http_status, gateway.error_media_type = False, status, media_type
    gateway.message_key = "msg" if status == 400 else "message"
    async with client(gateway) as provider:
        with pytest.raises(base.Refused, match=r"^108-001: invented: the download of video files is not enabled$"):
            await download(provider, provider.adopt(by_hand()).assets[0])


async def test_pages_and_empty_files_are_refused(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call({(RECORD, "0"): Blob(0)}))
    async with client(gateway, STILL) as provider:
        asset = provider.adopt(by_hand()).assets[0]
        with pytest.raises(base.NotReady, match="empty file"):
            await download(provider, asset)
        gateway.faults.not_json = True
        with pytest.raises(base.BadAnswer, match="page"):
            await download(provider, asset)
        gateway.faults.not_json = False


async def test_a_wrong_base_url_is_named(gateway: HuaweiEmulator) -> None:
    gateway.faults.not_json = True
    async with client(gateway) as provider:
        with pytest.raises(base.BadAnswer, match="see base_url"):
            await provider.check()
    with pytest.raises(base.NotTrusted, match="base_url"):
        registry.connect(settings(gateway, base_url="gateway"), lambda name: None)


async def test_ids_given_by_hand_that_the_gateway_does_not_know(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.add_call(replace(past_call(ago_s=10.0), conference="running", number=2))
    async with client(gateway) as provider:
        first = provider.adopt(by_hand("video.0")).assets[0]
        assert len(await download(provider, first)) == 300_000
        for identity, code in (
            (by_hand(meeting="elsewhere"), "108-002"),
            (by_hand(f"video.{RECORD}-2"), "108-003"),
            (by_hand(meeting="running"), "108-004"),
        ):
            with pytest.raises(base.Refused, match=code):
                await download(provider, provider.adopt(identity).assets[0])
        with pytest.raises(base.NotFound):
            await provider.locate(Asset(CONFERENCE, AssetKind.VIDEO))


@pytest.mark.parametrize(
    ("shape", "path"), [("path", "Y:/1/0/20201202/503/1714442.mp4"), ("audio", "y:\\1\\0\\120\\1524488.V3")]
)
async def test_files_on_the_file_server(gateway: HuaweiEmulator, shape: str, path: str) -> None:
    files = {("", path): mp4_blob(5000)}
    call = Call(AGENT, "1", "2", time.time() - 90, 60.0, files, shape="audio" if shape == "audio" else "path")
    gateway.add_call(call)
    async with client(gateway, account=settings(gateway, download="videofiledownloadEx")) as provider:
        listing = await collect(provider)
        (asset,) = listing.assets
        assert asset.meeting_id == call.call_id
        assert await download(provider, asset) == files["", path].read(0, 5000)
        assert await download(provider, provider.adopt(asset.identity("calls")).assets[0])
        limit = (await provider.locate(asset)).advised_limit
        assert limit == (30 if shape == "audio" else 200) * 1024 * 1024


async def test_a_failed_recording_leaves_nothing_to_fetch(gateway: HuaweiEmulator) -> None:
    gateway.add_call(replace(past_call(), fails=True, gen_time=False))
    async with client(gateway) as provider:
        (asset,) = (await collect(provider)).assets
        assert asset.state is RemoteState.FAILED
        with pytest.raises(base.Refused, match="108-002"):
            await download(provider, asset)


async def test_events_wait_or_come_again(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    for replay, meetings in ((False, 1), (False, 0), (True, 1)):
        gateway.replay_events = replay
        async with client(gateway) as provider:
            assert len((await collect(provider)).meetings) == meetings


async def test_a_future_call_comes_when_it_is_due(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call(ago_s=-3600))
    gateway.authmode, gateway.maxtime = 1, 1e9
    async with client(gateway) as provider:
        assert await collect(provider) == Listing()
        async with aclosing(provider.watch()) as watching:
            gateway.now = lambda: time.time() + 3630
            assert (await next_of(watching)).meetings
            gateway.now = lambda: time.time() + 3690
            assert (await next_of(watching)).changes


async def test_aclose_ends_a_watch(gateway: HuaweiEmulator) -> None:
    async with client(gateway) as provider:
        watching = asyncio.create_task(drain(provider.watch()))
        await until(lambda: "poll" in gateway.log, "a poll")
    with pytest.raises(base.SessionLost, match="closed"):
        await watching
    assert gateway.log[-1] == "sign-out"


async def test_aclose_bears_a_gateway_that_is_gone_or_refuses(net: Loopback, gateway: HuaweiEmulator) -> None:
    other = emulator()
    net.serve(other)
    other.sign_out_refused = True
    async with client(other) as provider:
        await collect(provider)
    assert other.log[-1] != "sign-out"
    async with client(gateway) as provider:
        await collect(provider)
        gateway.faults.status = 503


async def test_tls_by_address_with_the_site_s_own_authority(net: Loopback, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    pem = str(tmp_path / "server.pem")
    secure = emulator()
    net.serve(secure, ssl_certfile=pem, ssl_keyfile=pem)
    trusting = replace(settings(secure), ca_file=str(tmp_path / "ca.pem"))
    async with client(secure, account=trusting) as provider:
        assert "signed in as busy" in await provider.check()
    async with client(secure) as provider:
        with pytest.raises(base.NotTrusted, match="ca_file"):
            await provider.check()
    async with client(secure, account=replace(settings(secure), verify=False)) as provider:
        assert "signed in as busy" in await provider.check()
