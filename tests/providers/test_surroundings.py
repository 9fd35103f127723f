"""What connections take from their surroundings: nothing. Proxy, certificates and TLS are the account's."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.address import Names
from providers.base import AccountSettings, NotTrusted, ProviderError, Unreachable
from providers.emulation import Loopback
from providers.http import Http
from providers.messages import Request
from providers.origin import Origin
from providers.transport import Transport
from tests.providers.test_address import Resolver
from tests.providers.test_http import CREDENTIALS, PUBLIC, Server, origin, read
from tests.vault.trap import Authority, Sent, trap
from vault.transfers.fetch import _next_hop

SECRETS = [secret.reveal() for secret in CREDENTIALS.values()]
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[Sent]]]:
    """A server that should never be asked."""
    with trap("127.0.0.1", 0, b"trapped") as (port, seen):
        yield f"http://127.0.0.1:{port}", seen


def http_to(base: str, **more: Any) -> Http:
    return Http(AccountSettings("acc", "x", {}, timeout_s=5.0, **more), (origin(base),), lambda: CREDENTIALS)


def hashed(authority: Authority, folder: Path) -> Path:
    """A folder of certificates as OpenSSL reads one."""
    (folder / "ca.pem").write_bytes(authority.ca_file.read_bytes())
    subprocess.run(["openssl", "rehash", str(folder)], check=True)
    return folder


# The environment


async def test_no_proxy_of_the_environment_is_used(
    net: Loopback, authority: Authority, elsewhere: tuple[str, list[Sent]], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, seen = elsewhere
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    tls: dict[str, Any] = {"ssl_certfile": str(authority.cert_file), "ssl_keyfile": str(authority.key_file)}
    for base, more in ((net.serve(Server()), {}), (net.serve(Server(), **tls), {"ca_file": str(authority.ca_file)})):
        http = http_to(base, **more)
        assert (await http.send(Request("GET", base))).content == b"ok"
        assert await read(http, base) == b"ok"
        await http.aclose()
    outside = http_to(str(PUBLIC))  # a name that nobody knows: with a proxy it would go there all the same
    with pytest.raises(Unreachable, match="is not known"):
        await outside.send(Request("GET", "https://nothing.invalid/"))
    await outside.aclose()
    assert seen == []


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_no_certificates_of_a_library_s_variables(
    net: Loopback, authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str, tmp_path: Path
) -> None:
    """OpenSSL itself reads the first two where it loads the system's own authorities."""
    place = hashed(authority, tmp_path) if name == "SSL_CERT_DIR" else authority.ca_file
    monkeypatch.setenv(name, str(place))
    server = Server()
    base = net.serve(server, ssl_certfile=str(authority.cert_file), ssl_keyfile=str(authority.key_file))
    http = http_to(base)
    with pytest.raises(NotTrusted, match="is not trusted"):
        await http.send(Request("GET", base))
    await http.aclose()
    assert server.headers == []


async def test_no_keys_of_a_connection_are_written_down(
    net: Loopback, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    tls: dict[str, Any] = {"ssl_certfile": str(authority.cert_file), "ssl_keyfile": str(authority.key_file)}
    base = net.serve(Server(), **tls)
    http = http_to(base, ca_file=str(authority.ca_file))
    assert (await http.send(Request("GET", base))).content == b"ok"
    await http.aclose()
    assert not (tmp_path / "keys").exists()


async def test_no_password_of_a_netrc(net: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login me password NETRCSECRET\ndefault login a password b\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    own, foreign = Server(), Server()
    base, other = net.serve(own), net.serve(foreign)
    http = Http(AccountSettings("acc", "x", {}, timeout_s=5.0), (origin(base),), dict)
    for url in (base, other):
        await http.send(Request("GET", url))
        await read(http, url)
    await http.aclose()
    assert len(own.headers) == len(foreign.headers) == 2
    assert own.credentials == foreign.credentials == set()


# The account's own proxy


async def test_the_account_s_proxy_carries_all_of_it_and_is_told_no_credential_by_us(
    elsewhere: tuple[str, list[Sent]], authority: Authority
) -> None:
    """A CONNECT names the host alone; what is inside, TLS hides from the proxy."""
    proxy, seen = elsewhere
    http = http_to(str(PUBLIC), proxy=proxy, ca_file=str(authority.ca_file))
    with pytest.raises(ProviderError):  # this one opens no tunnel
        await http.send(Request("GET", f"{PUBLIC}/calls"))
    await http.aclose()
    assert [(sent.method, sent.target) for sent in seen] == [("CONNECT", "api.example:443")]
    assert not [secret for secret in SECRETS if secret in seen[0].whole]


async def test_another_account_s_proxy_is_nobody_else_s(net: Loopback, elsewhere: tuple[str, list[Sent]]) -> None:
    proxy, seen = elsewhere
    base = net.serve(Server())
    with_proxy, without = http_to("http://127.0.0.1:9", proxy=proxy), http_to(base)
    assert (await without.send(Request("GET", base))).content == b"ok"
    assert (await with_proxy.send(Request("GET", "http://127.0.0.1:9/x"))).content == b"trapped"
    assert (await without.send(Request("GET", base))).content == b"ok"
    await with_proxy.aclose()
    await without.aclose()
    assert [sent.target for sent in seen] == ["http://127.0.0.1:9/x"]


# TLS


@pytest.mark.parametrize("offered", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("verify", [True, False])
async def test_a_server_that_offers_nothing_newer_than_tls_1_1_is_refused(
    authority: Authority, offered: ssl.TLSVersion, verify: bool
) -> None:
    with trap("127.0.0.1", 0, b"old", authority.context(offered)) as (port, seen):
        http = http_to(f"https://127.0.0.1:{port}", ca_file=str(authority.ca_file), verify=verify)
        with pytest.raises(Unreachable, match=r"(?i)tls|ssl|protocol|connection"):
            await http.send(Request("GET", f"https://127.0.0.1:{port}/"))
        with pytest.raises(Unreachable):
            await read(http, f"https://127.0.0.1:{port}/")
        await http.aclose()
        assert seen == []


@pytest.mark.parametrize("offered", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_1_2_and_newer_are_taken(authority: Authority, offered: ssl.TLSVersion) -> None:
    context = authority.context()
    context.minimum_version = context.maximum_version = offered
    with trap("127.0.0.1", 0, b"new", context) as (port, seen):
        http = http_to(f"https://127.0.0.1:{port}", ca_file=str(authority.ca_file))
        assert await read(http, f"https://127.0.0.1:{port}/") == b"new"
        await http.aclose()
        assert len(seen) == 1


async def test_a_ca_file_is_the_account_s_alone(net: Loopback, authority: Authority, tmp_path: Path) -> None:
    tls: dict[str, Any] = {"ssl_certfile": str(authority.cert_file), "ssl_keyfile": str(authority.key_file)}
    base = net.serve(Server(), **tls)
    other = Authority(tmp_path)
    for ca_file, trusted in ((str(authority.ca_file), True), (str(other.ca_file), False), (None, False)):
        http = http_to(base, ca_file=ca_file)
        if trusted:
            assert (await http.send(Request("GET", base))).content == b"ok"
        else:
            with pytest.raises(NotTrusted, match="is not trusted"):
                await http.send(Request("GET", base))
        await http.aclose()


# Guarded connections, across a redirect too (R9)


PRIVATE = (
    "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0", "100.64.0.1", "[fd00::1]", "169.254.169.254",
    "localhost", "10.0.0.1",
)  # fmt: skip
"""The ten spellings of the security facts, as they stand in an address."""


async def followed(http: Http, url: str) -> bytes:
    """As transfers follow redirects: by hand, each hop looked at anew."""
    for _ in range(5):
        async with http.open(url, {}) as body:
            if "location" not in body.headers:
                return b"".join([chunk async for chunk in body.chunks()])
            url = _next_hop(url, body.headers["location"])
    raise AssertionError("it redirects for ever")


@pytest.mark.parametrize("host", PRIVATE)
async def test_a_redirect_into_a_private_network_is_refused(host: str, elsewhere: tuple[str, list[Sent]]) -> None:
    """Of a public account. The server that it would lead to is there."""
    base, seen = elsewhere
    port = origin(base).port
    public = http_to(str(PUBLIC))
    for scheme in ("https", "http"):
        with pytest.raises(NotTrusted, match=r"is not a public address|is not encrypted"):
            await followed(public, _next_hop(f"{scheme}://files.example/x", f"//{host}:{port}/y"))
    await public.aclose()
    assert seen == []


async def test_a_name_that_is_public_at_first_and_private_then(net: Loopback) -> None:
    """DNS rebinding: the second answer is refused, and no connection is made to it."""
    server = Server()
    port = origin(net.serve(server)).port
    resolver = Resolver(["93.184.215.14"], ["127.0.0.1"])
    names = Names(guarded=True, loopback_allowed=False, within_s=5.0, resolve=resolver)
    [first] = await names.resolve("rebind.example", port)
    assert first["host"] == "93.184.215.14"  # this one would be connected to, and no other
    transport = Transport(ssl.create_default_context(), names, None)
    with pytest.raises(NotTrusted, match=r"rebind\.example leads to 127\.0\.0\.1, which is not a public address"):
        await transport.handle_async_request(httpx.Request("GET", f"http://rebind.example:{port}/"))
    await transport.aclose()
    assert server.headers == []
    assert resolver.asked == 2


async def test_a_redirect_is_followed_to_the_very_origin_that_the_account_allows(
    net: Loopback, authority: Authority
) -> None:
    tls: dict[str, Any] = {"ssl_certfile": str(authority.cert_file), "ssl_keyfile": str(authority.key_file)}
    allowed, other = Server(), Server()
    url, beside = net.serve(allowed, **tls), net.serve(other, **tls)
    http = http_to(str(PUBLIC), ca_file=str(authority.ca_file), allow_private=(url,))
    assert await followed(http, _next_hop("https://files.example/x", f"{url}/recording.mp4")) == b"ok"
    for wrong in (beside, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "127.0.0.2")):
        with pytest.raises(NotTrusted, match="is not a public address"):
            await followed(http, _next_hop(f"{url}/x", f"{wrong}/y"))
    await http.aclose()
    assert allowed.credentials == set()
    assert other.headers == []


def test_origins_that_are_allowed_are_compared_exactly() -> None:
    http = http_to(str(PUBLIC), allow_private=("https://10.0.0.5:8043",))
    assert http._check_address("https://10.0.0.5:8043/x") == Origin("https", "10.0.0.5", 8043)
    for url in ("https://10.0.0.5/x", "https://10.0.0.5:8044/x", "https://10.0.0.50:8043/x", "https://0x0a.5:8043/x"):
        with pytest.raises(NotTrusted, match="is not a public address"):
            http._check_address(url)
