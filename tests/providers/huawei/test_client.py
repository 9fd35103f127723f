"""The client against its emulator over HTTP."""

import asyncio
import time
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest
import trustme
from msgspec.structs import replace

from providers import base, registry
from providers.emulation import Blob, Loopback, mp4_blob
from providers.huawei.emulated_calls import Call
from providers.huawei.emulator import HuaweiEmulator
from providers.models import Asset, AssetKind, Listing, RemoteState
from tests.providers.huawei.box import (
    AGENT,
    CONFERENCE,
    PASSWORD,
    RECORD,
    box,
    collect,
    emulator,
    past_call,
)
from tests.providers.huawei.helpers import STILL, by_hand, client, download, next_of, settings, until


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


async def test_a_pasted_guid_is_used_and_left_alone(gateway: HuaweiEmulator) -> None:
    gateway.add_call(past_call())
    gateway.lb_cookie = False
    async with client(gateway, STILL) as owner:
        await owner.locate(owner.adopt(by_hand()).assets[0])

        def told() -> int:
            return sum(entry.startswith("event") for entry in gateway.log)

        await until(lambda: told() > 2 and gateway.log.count("poll") > told(), "the poll that finds nothing more")
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
            with pytest.raises(base.Unauthorized, match="paste the present one, or remove it") as refused:
                await download(provider, asset)
            assert refused.value.name == "guid"
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
