"""Signing in and out, polling and the Guid, against the emulator over HTTP."""

import asyncio
import time

import pytest
from msgspec.structs import replace

from providers import base
from providers.emulation import Loopback
from providers.http import Http
from providers.huawei import wire
from providers.huawei.emulator import HuaweiEmulator
from providers.huawei.session import Rhythm
from providers.messages import json_request
from providers.models import Listing
from providers.origin import Origin
from tests.providers.huawei.box import (
    AGENT,
    PASSWORD,
    PHONE,
    RECORD,
    collect,
    emulator,
    past_call,
)
from tests.providers.huawei.helpers import QUICK, STILL, by_hand, client, download, drain, next_of, settings, until


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
        assert "sign-out" not in gateway.log
    assert len(gateway.sign_ins) == 1
    assert gateway.most_polls_at_once == 1
    assert "kicked" not in gateway.log
    assert gateway.log.count("sign-out") == 1


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
