"""Starting and stopping: addresses, ports, certificates, proxies, and nothing of the process touched."""

import asyncio
import contextlib
import inspect
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from tests.vault.inbox.hostile import GET, HEAD, LATE_S, PATIENT, Tiny, certificate, client, local, port_of, served
from tests.vault.world import until
from vault.inbox.serving import USUAL, Limits, Listening, Serving

SLOW = GET.replace(b"/", b"/slow", 1)


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


# --- starting


async def test_it_serves_and_says_where() -> None:
    tiny = Tiny()
    async with served(tiny) as serving, client(serving) as one:
        assert serving.address == f"http://127.0.0.1:{port_of(serving)}"
        await one.send(GET)
        head = await asyncio.wait_for(one.reader.readuntil(b"\r\n\r\n"), LATE_S)
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        assert set(fields) == {b"date"}, "it does not say what serves"
        assert abs(parsedate_to_datetime(fields[b"date"].decode()).timestamp() - time.time()) < 60
        assert tiny.scopes[0]["client"][0] == "127.0.0.1"
        assert tiny.scopes[0]["scheme"] == "http"


async def test_a_second_start_changes_nothing() -> None:
    async with served(Tiny()) as serving, client(serving) as one:
        address = serving.address
        await serving.start()
        assert serving.address == address
        await one.send(GET)
        assert await one.status() == 204


async def test_a_host_name_and_ipv6_are_addresses() -> None:
    named = Serving(Tiny(), Listening("localhost", 0, None, None), PATIENT)
    await named.start()
    try:
        assert named.address.startswith("http://localhost:")
        async with client(named) as one:
            await one.send(GET)
            assert await one.status() == 204
    finally:
        await named.stop()
    assert Serving(Tiny(), Listening("::1", 8787, None, None)).address == "http://[::1]:8787"


async def test_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    tiny = Tiny()
    serving = Serving(tiny, Listening("::1", 0, None, None), PATIENT)
    await serving.start()
    reader, writer = await asyncio.open_connection("::1", port_of(serving))
    writer.write(GET)
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LATE_S)
    writer.close()
    await serving.stop()
    assert tiny.scopes[0]["client"][0] == "::1"


# --- TLS


async def test_https(tmp_path: Path) -> None:
    cert, key, trust = certificate(tmp_path)
    tiny = Tiny()
    serving = Serving(tiny, Listening("127.0.0.1", 0, cert, key), PATIENT)
    await serving.start()
    try:
        assert serving.address.startswith("https://127.0.0.1:")
        async with client(serving, trust) as one:
            await one.send(HEAD + b"content-length: 2000\r\n\r\n" + b"y" * 2000)
            assert await one.status() == 204
            assert one.writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        assert tiny.bodies == [b"y" * 2000]
        assert tiny.scopes[0]["scheme"] == "https"
        assert tiny.scopes[0]["client"][0] == "127.0.0.1"
    finally:
        await serving.stop()


async def test_https_may_listen_everywhere(tmp_path: Path) -> None:
    cert, key, trust = certificate(tmp_path)
    serving = Serving(Tiny(), Listening("0.0.0.0", 0, cert, key), PATIENT)
    await serving.start()
    async with client(serving, trust) as one:
        await one.send(GET)
        assert await one.status() == 204
    await serving.stop()


# --- proxies


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        ((), "203.0.113.9", "127.0.0.1"),
        (("10.0.0.1",), "203.0.113.9", "127.0.0.1"),
        (("127.0.0.1",), "203.0.113.9", "203.0.113.9"),
        (("127.0.0.0/8",), "203.0.113.9", "203.0.113.9"),
        (("127.0.0.1/8", "10.0.0.0/8"), "1.1.1.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        (("127.0.0.1",), "", "127.0.0.1"),
    ],
)
async def test_whose_forwarded_addresses_are_believed(trusted: tuple[str, ...], forwarded: str, seen: str) -> None:
    tiny = Tiny()
    async with served(tiny, proxies=trusted) as serving, client(serving) as one:
        await one.send(GET[:-2] + f"x-forwarded-for: {forwarded}\r\nx-forwarded-proto: https\r\n\r\n".encode())
        assert await one.status() == 204
    assert tiny.scopes[0]["client"][0] == seen
    assert tiny.scopes[0]["scheme"] == ("https" if "127.0.0." in "".join(trusted) else "http")


# --- stopping


async def test_what_was_asked_is_answered_before_it_stops() -> None:
    tiny = Tiny()
    async with served(tiny) as serving, client(serving) as one, client(serving) as late:
        await one.send(SLOW + GET)
        await late.send(HEAD + b"content-length: 4\r\n\r\nab")
        await until(lambda: tiny.running == 2)
        stopping = asyncio.create_task(serving.stop(LATE_S))
        waiting = asyncio.create_task(serving.wait())
        again = asyncio.create_task(serving.stop(LATE_S))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port_of(serving))
        assert not stopping.done()
        await late.send(b"cd")
        assert await late.status() == 204
        tiny.go.set()
        assert await one.status() == 204
        assert await one.rest() == b"", "the second request is not begun any more"
        await asyncio.wait_for(asyncio.gather(stopping, waiting, again), LATE_S)
    assert tiny.bodies == [b"", b"abcd"]


async def test_idle_connections_do_not_hold_it_up(tmp_path: Path) -> None:
    cert, key, trust = certificate(tmp_path)
    for tls in (None, (cert, key)):
        async with served(Tiny(), PATIENT, tls) as serving, contextlib.AsyncExitStack() as stack:
            silent = await stack.enter_async_context(client(serving))
            used = await stack.enter_async_context(client(serving, trust if tls else None))
            await used.send(GET)
            assert await used.status() == 204
            began = time.monotonic()
            await serving.stop(20.0)
            assert time.monotonic() - began < 15.0
            assert await silent.rest() == b""
            assert await used.rest() == b""


@pytest.mark.parametrize("body", [b"", b"content-length: 9\r\n"])
async def test_what_hangs_is_cut_when_the_time_is_up(body: bytes) -> None:
    tiny = Tiny()
    async with served(tiny) as serving, client(serving) as one:
        await one.send(HEAD.replace(b"/hooks/a/", b"/stalled?") + body + b"\r\n")
        await until(lambda: tiny.running == 1)
        began = time.monotonic()
        await serving.stop(0.3)
        assert 0.3 - 0.05 <= time.monotonic() - began < LATE_S
        assert await one.rest() == b""
        assert tiny.running == 0
    assert len(asyncio.all_tasks()) == 1


async def test_a_stop_that_is_cancelled_leaves_nothing_open() -> None:
    tiny = Tiny()
    async with served(tiny) as serving, client(serving) as one:
        await one.send(SLOW)
        await until(lambda: tiny.running == 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(serving.stop(LATE_S), 0.05)
        assert await one.rest() == b""
        await asyncio.wait_for(serving.wait(), LATE_S)
        await until(lambda: tiny.running == 0)


async def test_it_starts_again_on_the_same_port() -> None:
    async with served(Tiny()) as first:
        port = port_of(first)
    serving = Serving(Tiny(), local(port), PATIENT)
    for _ in range(3):
        await serving.start()
        async with client(serving) as one:
            await one.send(GET)
            assert await one.status() == 204
            await serving.stop()
            assert await one.rest() == b"", "closed by the server, whose side then lingers in TIME_WAIT"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_start_during_a_stop_waits_for_it() -> None:
    tiny = Tiny()
    async with served(tiny) as serving, client(serving) as one:
        await one.send(SLOW)
        await until(lambda: tiny.running == 1)
        stopping = asyncio.create_task(serving.stop(LATE_S))
        await asyncio.sleep(0)
        starting = asyncio.create_task(serving.start())
        await asyncio.wait([starting], timeout=0.3)
        assert not starting.done()
        tiny.go.set()
        assert await one.status() == 204
        await asyncio.wait_for(asyncio.gather(stopping, starting), LATE_S)
        async with client(serving) as other:
            await other.send(GET)
            assert await other.status() == 204
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port_of(serving))


# --- the process it runs in


async def test_signals_and_loggers_stay_as_they_were() -> None:
    def state() -> list[object]:
        loggers = [logging.getLogger(name) for name in ("", "asyncio", "uvicorn", "uvicorn.error", "uvicorn.asgi")]
        handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        return [*handlers, *((one.level, list(one.handlers), one.propagate) for one in loggers)]

    before = state()
    async with served(Tiny()) as serving, client(serving) as one:
        assert state() == before
        await one.send(GET)
        assert await one.status() == 204
    assert state() == before


OUTSIDE = """
import asyncio, logging, sys
from tests.vault.inbox.hostile import GET, HEAD, SHORT, Tiny, client, served
from vault.inbox.heads import read_body

class Records(logging.Handler):
    def emit(self, record):
        found.append(record.getMessage())

found = []
if sys.argv[1] == "everything":
    logging.getLogger().setLevel(0)
    logging.getLogger().addHandler(Records(1))

async def main():
    async with served(Tiny(), SHORT) as serving:
        for bytes_ in (
            GET,
            b"rubbish\\r\\n\\r\\n",
            HEAD,
            HEAD + b"x: " + b"y" * 30000,
            HEAD.replace(b"/hooks/a/", b"/fails?") + b"\\r\\n",
            HEAD + b"transfer-encoding: chunked\\r\\n\\r\\nzz\\r\\n",
            HEAD + b"upgrade: websocket\\r\\nconnection: upgrade\\r\\n\\r\\n",
            HEAD + b"content-length: 9999999\\r\\n\\r\\n",
            HEAD + b"content-length: 9\\r\\n\\r\\n",
        ):
            async with client(serving) as one:
                await one.send(bytes_)
                await one.rest()
            async with client(serving) as one:
                await one.send(bytes_)
                one.reset()

asyncio.run(main())
assert not [words for words in found if not words.startswith("Using selector")], found
"""


@pytest.mark.parametrize("logged", ["nothing", "everything"])
def test_nothing_is_printed_or_logged(logged: str) -> None:
    """In a process without pytest's handlers, where Python's last resort would print warnings."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "WEB_CONCURRENCY": "none"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", OUTSIDE, logged], env=environment, capture_output=True, timeout=60
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_uvicorn_still_has_what_is_used_of_it() -> None:
    """Those are not promised by uvicorn's documentation; the other tests hold what they do."""
    assert list(inspect.signature(H11Protocol).parameters) == ["config", "server_state", "app_state", "_loop"]
    assert callable(H11Protocol.on_response_complete)
    assert list(inspect.signature(H11Protocol.send_400_response).parameters) == ["self", "msg"]
    source = inspect.getsource(H11Protocol)
    for name in ("app", "logger", "access_log", "client", "transport", "conn", "cycle", "timeout_keep_alive_task"):
        assert f"self.{name}" in source, name
    source = inspect.getsource(RequestResponseCycle)
    for name in ("response_complete", "more_body", "keep_alive"):
        assert f"self.{name}" in source, name
    assert {"tasks", "default_headers", "connections"} <= set(vars(ServerState()))


def test_the_usual_limits() -> None:
    assert Limits(5.0, 10.0, 5.0, 64, 16 * 1024) == USUAL
