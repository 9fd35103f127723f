"""Slow, greedy and hostile clients against real sockets (security.md R12); real time, with short limits."""

import asyncio
import contextlib
import logging
import os
import random
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from tests.vault.inbox.hostile import (
    BODY_LIMIT,
    GET,
    HEAD,
    LATE_S,
    PATIENT,
    SHORT,
    Client,
    Tiny,
    certificate,
    client,
    is_cut,
    living,
    misbehave,
    port_of,
    served,
    timers_of,
)
from tests.vault.world import until
from vault.inbox.clients import LEFTOVER

EARLY_S = 0.05
"""Timers of the other side may have begun a little before ours."""


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is printed, nothing of a request reaches a logger, and no callback of the loop fails."""
    caplog.set_level(0)
    yield
    assert capfd.readouterr() == ("", "")
    records = caplog.get_records("call")
    assert [record for record in records if record.name != "asyncio" or record.levelno > logging.DEBUG] == []
    assert [record for record in records if "TOKEN" in record.getMessage()] == []


async def closed_after(one: Client, least_s: float) -> bytes:
    """What came until the other side closed; not before `least_s` seconds after connecting."""
    got = await one.rest()
    assert least_s - EARLY_S <= one.age() <= LATE_S
    return got


async def test_an_idle_connection_is_closed() -> None:
    async with served(Tiny(), SHORT) as serving, client(serving) as one:
        assert await closed_after(one, SHORT.headers_s) == b""


async def test_dripped_headers_are_cut() -> None:
    async with served(Tiny(), SHORT) as serving, client(serving) as one:
        drip = asyncio.create_task(one.drip(HEAD * 50))
        assert await closed_after(one, SHORT.headers_s) == b""
        await drip
        assert one.age() < LATE_S


@pytest.mark.parametrize("dripped", [False, True])
async def test_a_body_that_does_not_come_in_time(dripped: bool) -> None:
    tiny = Tiny(body_s=0.4)
    async with served(tiny, SHORT) as serving, client(serving) as one:
        await one.send(HEAD + b"content-length: 1000\r\n\r\nabc")
        drip = asyncio.create_task(one.drip(b"x" * 900 if dripped else b""))
        assert await one.status() == 408
        # Answered without its body: the rest is read past for as long as an idle connection would be kept.
        await closed_after(one, tiny.body_s + SHORT.keep_alive_s)
        await drip
    assert tiny.bodies == []


async def test_a_request_that_is_not_answered_in_time_is_cut() -> None:
    tiny = Tiny()
    async with served(tiny, SHORT) as serving, client(serving) as one:
        await one.send(HEAD.replace(b"/hooks/a/", b"/stalled?") + b"content-length: 9\r\n\r\n")
        assert await closed_after(one, SHORT.request_s) == b""
        assert tiny.running == 1
        tiny.go.set()
        await until(lambda: tiny.running == 0)


async def test_a_kept_alive_connection_is_closed_when_idle() -> None:
    async with served(Tiny(), SHORT) as serving, client(serving) as one:
        await one.send(GET)
        assert await one.status() == 204
        assert await closed_after(one, SHORT.keep_alive_s) == b""


async def test_the_second_request_has_deadlines_too() -> None:
    async with (
        served(Tiny(), structs.replace(SHORT, keep_alive_s=30.0, request_s=30.0)) as serving,
        client(serving) as one,
    ):
        await one.send(GET)
        assert await one.status() == 204
        started = one.age()
        drip = asyncio.create_task(one.drip(HEAD * 50))
        assert await one.rest() == b""
        assert SHORT.headers_s - EARLY_S <= one.age() - started <= LATE_S
        await drip


async def test_a_head_behind_another_request_has_a_deadline() -> None:
    async with (
        served(Tiny(), structs.replace(SHORT, keep_alive_s=30.0, request_s=30.0)) as serving,
        client(serving) as one,
    ):
        await one.send(GET + HEAD)
        assert await one.status() == 204
        assert await closed_after(one, SHORT.headers_s) == b""


async def test_a_connection_in_use_is_kept() -> None:
    tiny = Tiny()
    limits = structs.replace(SHORT, headers_s=1.2, request_s=1.2, keep_alive_s=1.2)
    async with served(tiny, limits) as serving, client(serving) as one:
        while one.age() < 3.0:
            await one.send(HEAD + b"content-length: 2\r\n\r\nhi")
            assert await one.status() == 204
            await asyncio.sleep(0.1)
    assert set(tiny.bodies) == {b"hi"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (HEAD + b"content-length: 99999999\r\n\r\n", 413),
        (HEAD + b"content-length: %d\r\n\r\n" % BODY_LIMIT + b"x" * BODY_LIMIT, 204),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n" + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 17 + b"0\r\n\r\n", 413),
        (HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", 400),
        (HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 400),
        (HEAD + b"content-length: -3\r\n\r\nabc", 400),
        (HEAD + b"transfer-encoding: gzip\r\n\r\nabc", 400),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\nabc", 400),
        (HEAD + b"x: " + b"y" * 20 * 1024 + b"\r\n\r\n", 431),
        (HEAD.replace(b"/hooks", b"/" + b"y" * 17_000) + b"\r\n", 431),
        (HEAD + b"x: y\r\n" * 4000 + b"\r\n", 431),
        (HEAD + b"x: " + b"y" * 20 * 1024, 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nhost: here\r\n\r\n", 400),
        (HEAD + b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\r\n", 204),
        (HEAD.replace(b"/hooks/a/", b"/fails?") + b"\r\n", 500),
        (HEAD + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n", 100),
    ],
)
async def test_what_is_refused(request_: bytes, status: int) -> None:
    async with served(Tiny()) as serving, client(serving) as one:
        await one.send(request_)
        assert await one.status() == status
        async with client(serving) as honest:
            await honest.send(GET)
            assert await honest.status() == 204


async def test_an_answer_given_early_is_not_followed_by_another() -> None:
    """A chunk that is none, after the 413 was sent: there is nothing left to answer with."""
    async with served(Tiny()) as serving, client(serving) as one:
        await one.send(HEAD + b"transfer-encoding: chunked\r\n\r\n" + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 17)
        assert await one.status() == 413
        await one.send(b"no chunk\r\n")
        assert await one.rest() == b""


async def test_not_much_is_read_past() -> None:
    async with served(Tiny(), PATIENT) as serving, client(serving) as one:
        await one.send(HEAD + b"content-length: 9999999999\r\n\r\n")
        assert await one.status() == 413
        sent = 0
        while sent < 64 * LEFTOVER and not one.writer.is_closing() and not one.reader.at_eof():
            await one.send(b"x" * 65536)
            sent += 65536
        assert LEFTOVER <= sent < 64 * LEFTOVER
        assert one.age() < 30


async def test_pipelined_requests_are_answered_in_order() -> None:
    tiny = Tiny()
    async with served(tiny) as serving, client(serving) as one:
        await one.send(b"".join(HEAD + b"content-length: 2\r\n\r\n%02d" % number for number in range(40)))
        assert [await one.status() for _ in range(40)] == [204] * 40
    assert tiny.bodies == [b"%02d" % number for number in range(40)]


@pytest.mark.parametrize("requests", [1, 5])
async def test_who_reads_no_answers_is_cut(requests: int) -> None:
    """What was written for him piles up; neither that nor an answer waiting behind it is kept for ever."""
    tiny = Tiny()
    async with served(tiny, SHORT) as serving, client(serving) as one:
        one.transport.pause_reading()
        await one.send(GET.replace(b"/", b"/big", 1) * requests)
        await until(lambda: len(tiny.scopes) == min(requests, 2))
        await until(lambda: not living(), LATE_S)
        assert tiny.running == 0
        assert one.age() >= SHORT.keep_alive_s - EARLY_S


async def test_an_honest_request_among_a_hundred_idle_connections() -> None:
    limits = PATIENT
    async with served(Tiny(), limits) as serving, contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(client(serving)) for _ in range(100)]
        async with client(serving) as honest:
            await honest.send(GET)
            assert await honest.status() == 204
        gone = await until(lambda: [one for one in idle if one.reader.at_eof()])
        assert len(gone) >= 100 - limits.connections
        assert gone == idle[: len(gone)], "those who had waited longest made way"
        assert idle[-1].age() < 30


async def test_who_was_just_answered_makes_way_last() -> None:
    limits = structs.replace(PATIENT, connections=2)
    async with (
        served(Tiny(), limits) as serving,
        client(serving) as first,
        client(serving) as second,
    ):
        await first.send(GET)
        assert await first.status() == 204
        async with client(serving) as third:
            assert await second.rest() == b""
            for one in (first, third):
                await one.send(GET)
                assert await one.status() == 204


async def test_stalled_bodies_make_way_too() -> None:
    limits = PATIENT
    tiny = Tiny()
    async with served(tiny, limits) as serving, contextlib.AsyncExitStack() as stack:
        for _ in range(limits.connections):
            one = await stack.enter_async_context(client(serving))
            await one.send(HEAD.replace(b"/hooks/a/", b"/stalled?") + b"content-length: 9\r\n\r\nabc")
        await until(lambda: tiny.running == limits.connections)
        async with client(serving) as honest:
            await honest.send(GET)
            assert await honest.status() == 204
        tiny.go.set()


async def test_a_new_one_is_refused_when_all_are_at_work() -> None:
    tiny = Tiny()
    async with (
        served(tiny, structs.replace(PATIENT, connections=2)) as serving,
        client(serving) as first,
        client(serving) as second,
    ):
        await first.send(GET.replace(b"/", b"/slow", 1))
        await second.send(GET.replace(b"/", b"/slow", 1))
        await until(lambda: tiny.running == 2)
        async with client(serving) as third:
            await third.send(GET)
            assert await third.rest() == b""
        tiny.go.set()
        assert (await first.status(), await second.status()) == (204, 204)
        async with client(serving) as fourth:
            await fourth.send(GET)
            assert await fourth.status() == 204


async def test_a_handshake_that_is_never_finished(tmp_path: Path) -> None:
    cert, key, trust = certificate(tmp_path)
    async with served(Tiny(), SHORT, (cert, key)) as serving:
        async with client(serving) as idle:
            assert await closed_after(idle, SHORT.headers_s) == b""
        async with client(serving) as begun:
            await begun.send(b"\x16\x03\x01\x02\x00\x01\x00")
            await closed_after(begun, SHORT.headers_s)
    async with served(Tiny(), structs.replace(SHORT, headers_s=2.0), (cert, key)) as serving:
        async with client(serving) as plain:
            await plain.send(GET)
            await plain.rest()
            assert plain.age() < LATE_S
        async with client(serving, trust) as silent:
            assert await closed_after(silent, 2.0) == b""
        async with client(serving, trust) as honest:
            await honest.send(GET)
            assert await honest.status() == 204
            assert await closed_after(honest, SHORT.keep_alive_s) == b""


async def test_an_honest_request_among_unfinished_handshakes(tmp_path: Path) -> None:
    cert, key, trust = certificate(tmp_path)
    limits = PATIENT
    async with served(Tiny(), limits, (cert, key)) as serving, contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            await stack.enter_async_context(client(serving))
        async with client(serving, trust) as honest:
            await honest.send(GET)
            assert await honest.status() == 204
            assert honest.age() < 30


async def test_handshakes_that_made_way_are_given_up(tmp_path: Path) -> None:
    """Many at once: most have to go before their handshake was even begun."""
    cert, key, trust = certificate(tmp_path)
    limits = structs.replace(PATIENT, connections=1)
    async with served(Tiny(), limits, (cert, key)) as serving, contextlib.AsyncExitStack() as stack:
        crowd = [socket.create_connection(("127.0.0.1", port_of(serving))) for _ in range(50)]
        for one in crowd:
            stack.callback(one.close)
        await until(lambda: sum(map(is_cut, crowd)) == 49, LATE_S)
        await until(lambda: (len(living()), len(asyncio.all_tasks()), len(timers_of("SSL"))) == (1, 2, 1), LATE_S)
        async with client(serving, trust) as honest:
            await honest.send(GET)
            assert await honest.status() == 204


async def test_a_request_that_comes_with_the_end_of_the_handshake(tmp_path: Path) -> None:
    """TLS 1.3 lets a client send both at once; the request must not be lost while the handshake is wound up."""
    cert, key, trust = certificate(tmp_path)
    async with served(Tiny(), tls=(cert, key)) as serving, client(serving) as one:
        come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trust.wrap_bio(come, go, server_hostname="127.0.0.1")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await one.send(go.read())
                come.write(await asyncio.wait_for(one.reader.read(65536), LATE_S))
        tls.write(GET)
        await one.send(go.read())
        answer = b""
        while not answer:
            come.write(await asyncio.wait_for(one.reader.read(65536), LATE_S))
            with contextlib.suppress(ssl.SSLWantReadError):
                answer = tls.read()
        assert answer.startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize(("encrypted", "count"), [(False, 2000), (True, 400)])
async def test_hostile_connections_leave_nothing_behind(tmp_path: Path, encrypted: bool, count: int) -> None:
    cert, key, trust = certificate(tmp_path)
    how = random.Random(4)
    tiny = Tiny()
    before = {asyncio.current_task()}, len(os.listdir("/proc/self/fd"))
    # Nothing may wait for the end of a time that nobody is there for any more.
    limits = PATIENT
    async with served(tiny, limits, (cert, key) if encrypted else None) as serving:
        fds = len(os.listdir("/proc/self/fd"))

        async def some(number: int) -> None:
            for turn in range(number):
                with contextlib.suppress(OSError, EOFError):
                    # Every third talks plainly to a TLS port.
                    async with client(serving, trust if encrypted and turn % 3 else None) as one:
                        await misbehave(one, how)

        began = time.monotonic()
        await asyncio.gather(*(some(count // 40) for _ in range(40)))
        async with client(serving, trust if encrypted else None) as honest:
            await honest.send(GET)
            assert await honest.status() == 204
        await until(lambda: not living() and tiny.running == 0, LATE_S)
        assert len(asyncio.all_tasks()) == 1
        await until(lambda: len(os.listdir("/proc/self/fd")) == fds)
        assert timers_of("Connection") + timers_of("H11") + timers_of("SSL") == []
        assert time.monotonic() - began < 60
        assert port_of(serving) > 0
    assert ({asyncio.current_task()}, len(os.listdir("/proc/self/fd"))) == before
    assert asyncio.all_tasks() == before[0]
