import asyncio
import socket
import ssl
import threading
import time

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from providers.address import Names, check, is_public, literal, look_up
from providers.base import AccountSettings, NotTrusted, Unreachable
from providers.emulation import Emulator, Loopback
from providers.http import Http
from providers.messages import Request as Sent
from providers.origin import Origin
from providers.transport import Transport

# The ten spellings of security.md C1, and more of their kind.
SPELLINGS = [
    "127.0.0.1",
    "::ffff:127.0.0.1",
    "2130706433",
    "0x7f.1",
    "0",
    "100.64.0.1",
    "fd00::1",
    "169.254.169.254",
    "localhost",
    "10.0.0.1",
    "::1",
    "::",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fec0::1",
    "fe80::1",
    "ff02::1",
    "224.0.0.1",
    "255.255.255.255",
    "192.168.1.1",
    "017700000001",
]


class Resolver:
    """Gives its answers one after another; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def names(*answers: list[str], guarded: bool = True, loopback: bool = False, within_s: float = 5.0) -> Names:
    return Names(guarded=guarded, loopback_allowed=loopback, within_s=within_s, resolve=Resolver(*answers))


class Echo(Emulator):
    """Tells what it was asked for, byte by byte."""

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", self._any)]

    async def _any(self, request: Request) -> Response:
        return Response(request.scope["raw_path"] + b"?" + request.scope["query_string"])


@pytest.mark.parametrize("host", SPELLINGS)
async def test_private_addresses_are_refused_in_every_spelling(host: str) -> None:
    url = f"https://[{host}]/" if ":" in host else f"https://{host}/"
    http = Http(AccountSettings("acc", "x", {}, timeout_s=5.0), (Origin("https", "api.example", 443),), lambda: {})
    with pytest.raises(NotTrusted, match="is not a public address"):
        await http.send(Sent("GET", url))
    await http.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "::1", "localhost"])
def test_an_account_on_loopback_may_be_led_to_loopback(host: str) -> None:
    address = literal(host) or "127.0.0.1"
    check(host, [address], loopback_allowed=True)
    with pytest.raises(NotTrusted, match=r"refused: x leads to 10\.0\.0\.1, which is not a public address"):
        check("x", [address, "10.0.0.1"], loopback_allowed=True)
    with pytest.raises(NotTrusted, match="is not a public address"):
        check(host, [address], loopback_allowed=False)


def test_public_addresses() -> None:
    assert all(is_public(text) for text in ("8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8"))
    assert not any(is_public(text) for text in ("api.example", "", "::ffff:8.8.8.8", "198.18.0.1", "240.0.0.1"))


async def test_one_private_address_among_several_is_enough_to_refuse() -> None:
    with pytest.raises(NotTrusted, match="leads to 10"):
        await names(["93.184.215.14", "10.0.0.1"]).resolve("x.example", 443)
    found = await names(["93.184.215.14", "2606:4700::1111"]).resolve("x.example", 443)
    assert [each["host"] for each in found] == ["93.184.215.14", "2606:4700::1111"]


async def test_the_accounts_own_servers_may_lie_anywhere() -> None:
    found = await names(["10.0.0.1"], guarded=False).resolve("gateway.example", 443)
    assert [(each["host"], each["port"]) for each in found] == [("10.0.0.1", 443)]


async def test_a_resolver_that_never_answers_is_a_time_out() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    slow = Names(guarded=True, loopback_allowed=False, within_s=0.01, resolve=never)
    transport = Transport(ssl.create_default_context(), slow, None)
    with pytest.raises(httpx.ConnectTimeout):
        await transport.handle_async_request(httpx.Request("GET", "http://x.example/"))
    await transport.aclose()


async def test_a_rebinding_name_leads_only_where_it_was_checked(net: Loopback) -> None:
    """The name leads to a live server for the first look-up, and somewhere else for the second."""
    port = Origin.of(net.serve(Echo())).port  # type: ignore[union-attr]  # it is one
    rebinding = names(["127.0.0.1"], ["127.0.0.1", "10.0.0.1"], loopback=True)
    transport = Transport(ssl.create_default_context(), rebinding, None)
    answer = await transport.handle_async_request(httpx.Request("GET", f"http://rebind.example:{port}/x"))
    assert (answer.status_code, await answer.aread()) == (200, b"/x?")
    await transport.aclose()  # else the connection would be used again, without a look-up
    with pytest.raises(NotTrusted, match="leads to 10"):
        await transport.handle_async_request(httpx.Request("GET", f"http://rebind.example:{port}/x"))
    await transport.aclose()


async def test_a_second_address_stands_in_for_a_dead_first(net: Loopback) -> None:
    port = Origin.of(net.serve(Echo())).port  # type: ignore[union-attr]  # it is one
    transport = Transport(ssl.create_default_context(), names(["127.9.9.9", "127.0.0.1"], loopback=True), None)
    answer = await transport.handle_async_request(httpx.Request("GET", f"http://two.example:{port}/x"))
    assert await answer.aread() == b"/x?"
    await transport.aclose()


async def test_names_that_are_none_are_not_found() -> None:
    with pytest.raises(OSError, match="no name"):
        await look_up("a" * 70 + ".example", 443)


def test_a_resolver_that_hangs_delays_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: goes_on.wait(30) and [])

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await look_up("slow.example", 443)

    begun = time.monotonic()
    asyncio.run(ask())
    try:
        assert time.monotonic() - begun < 10
    finally:
        goes_on.set()


async def test_a_signed_address_is_sent_letter_by_letter(net: Loopback) -> None:
    """Signatures are made over the address as it stands."""
    base = net.serve(Echo())
    http = Http(AccountSettings("acc", "x", {}, timeout_s=5.0), (Origin.of(base),), lambda: {})  # type: ignore[arg-type]  # it is one
    path = "/a%2Db/%2e/c%20d?X-Sig=%2F%3A%2b=+~%7E&k=a%2Fb%3d%3D"
    answer = await http.send(Sent("GET", base + path))
    assert answer.content.decode() == path
    await http.aclose()


async def test_what_speaks_no_http_is_unreachable() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    http = Http(AccountSettings("acc", "x", {}, timeout_s=5.0), (Origin.of(base),), lambda: {})  # type: ignore[arg-type]  # it is one
    with pytest.raises(Unreachable, match="no HTTP"):
        await http.send(Sent("GET", base))
    await http.aclose()
    server.close()
