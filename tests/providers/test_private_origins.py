"""`allow_private`: a payload may lead to exactly these origins in private networks, without a credential."""

from pathlib import Path
from typing import Any

import pytest

from providers.base import AccountSettings, NotTrusted
from providers.emulation import Loopback
from providers.http import Http
from providers.messages import Request
from tests.providers.test_http import CREDENTIALS, PUBLIC, Server, authority, origin, read, serve_tls  # noqa: F401


def http_of(own: str = str(PUBLIC), **more: Any) -> Http:
    settings = AccountSettings("acc", "x", {}, timeout_s=5.0, **more)
    return Http(settings, (origin(own),), lambda: CREDENTIALS, keep_cookies=True)


@pytest.fixture
def store(net: Loopback, authority: Path) -> tuple[Server, str, str]:  # noqa: F811
    server = Server()
    return server, serve_tls(net, server, authority), str(authority / "ca.pem")


async def test_a_named_origin_is_reached_without_a_credential(store: tuple[Server, str, str]) -> None:
    server, url, ca_file = store
    http = http_of(ca_file=ca_file, allow_private=(url,))
    assert await read(http, f"{url}/recording.mp4") == b"ok"
    assert (await http.send(Request("GET", f"{url}/again"))).content == b"ok"
    await http.aclose()
    assert len(server.headers) == 2
    assert server.credentials == set()


async def test_nothing_else_in_private_networks_is(store: tuple[Server, str, str], net: Loopback) -> None:
    server, url, ca_file = store
    other = Server()
    elsewhere = net.serve(other)
    port = origin(url).port
    spellings = (f"https://localhost:{port}", f"https://127.1:{port}", f"https://2130706433:{port}", elsewhere)
    http = http_of(ca_file=ca_file, allow_private=(url,))
    for address in (*spellings, "https://10.0.0.9/", f"https://[::1]:{port}/", f"https://127.0.0.1:{port + 1}/"):
        with pytest.raises(NotTrusted, match="is not a public address"):
            await read(http, address)
    await http.aclose()
    assert server.headers == other.headers == []


async def test_its_certificate_is_checked_whatever_verify_says(store: tuple[Server, str, str]) -> None:
    server, url, _ = store
    http = http_of(verify=False, allow_private=(url,))
    with pytest.raises(NotTrusted, match="is not trusted"):
        await read(http, url)
    await http.aclose()
    assert server.headers == []


async def test_the_own_origin_stays_the_own_one(store: tuple[Server, str, str]) -> None:
    server, url, ca_file = store
    http = http_of(url, ca_file=ca_file, allow_private=(url,))
    assert await read(http, url) == b"ok"
    await http.aclose()
    assert server.credentials == {"authorization", "api-key", "guid"}
