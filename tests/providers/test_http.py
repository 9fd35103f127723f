import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from starlette.requests import Request as Incoming
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from providers.base import AccountSettings, BadAnswer, MissingSecret, NotTrusted, Unreachable
from providers.emulation import Emulator, Loopback
from providers.http import API_BODY_LIMIT, Http, _in_words
from providers.messages import Request, json_request
from providers.origin import Origin
from providers.secret import Secret

CREDENTIALS = {
    "Authorization": Secret("Bearer TOPSECRET"),
    "api-key": Secret("KEYSECRET"),
    "Guid": Secret("GUIDSECRET"),
}
PUBLIC = Origin("https", "api.example", 443)


class Server(Emulator):
    """Answers by its `answers`, and keeps the headers and bodies that came in."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[bytes] = []
        self.answers: dict[str, Callable[[], Response]] = {}

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", self._any, methods=["GET", "POST", "PUT", "DELETE"])]

    async def _any(self, request: Incoming) -> Response:
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.body())
        make = self.answers.get(request.url.path)
        return make() if make else Response("ok")

    @property
    def credentials(self) -> set[str]:
        """Names of the credential headers that ever came in."""
        names = {"authorization", "api-key", "guid", "cookie"}
        return {name for headers in self.headers for name in headers if name in names}


def settings(**more: Any) -> AccountSettings:
    return AccountSettings("acc", "x", {}, **{"timeout_s": 5.0, **more})


def origin(url: str) -> Origin:
    found = Origin.of(url)
    assert found is not None
    return found


class Pair:
    """The account's own server, a foreign one on another port, and an Http for the first."""

    def __init__(self, net: Loopback) -> None:
        self.own, self.foreign = Server(), Server()
        self.base, self.other = net.serve(self.own), net.serve(self.foreign)
        self.http = self.new()

    def new(self, own: str = "", **more: Any) -> Http:
        kept = {
            name: more.pop(name) for name in list(more) if name not in ("proxy", "timeout_s", "rate_per_s", "verify")
        }
        return Http(
            settings(**more), (origin(own or self.base),), lambda: CREDENTIALS, **{"keep_cookies": True, **kept}
        )


@pytest.fixture
async def pair(net: Loopback) -> AsyncIterator[Pair]:
    made = Pair(net)
    yield made
    await made.http.aclose()


async def read(http: Http, url: str) -> bytes:
    async with http.open(url, {}) as body:
        return b"".join([chunk async for chunk in body.chunks()])


# Credentials and origins.


async def test_the_own_origin_gets_the_credential(pair: Pair) -> None:
    await pair.http.send(Request("GET", f"{pair.base}/a"))
    assert await read(pair.http, f"{pair.base}/b") == b"ok"
    for headers in pair.own.headers:
        assert headers["authorization"] == "Bearer TOPSECRET"
        assert headers["api-key"] == "KEYSECRET"
        assert headers["guid"] == "GUIDSECRET"
        assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_and_none_carries_a_credential(pair: Pair, status: int) -> None:
    pair.own.answers["/r"] = lambda: Response(
        status_code=status, headers={"location": f"{pair.other}/x", "set-cookie": "sid=COOKIESECRET"}
    )
    for request in (Request("GET", f"{pair.base}/r"), json_request("POST", f"{pair.base}/r", {"a": 1})):
        answer = await pair.http.send(request)
        assert answer.status == status
    async with pair.http.open(f"{pair.base}/r", {}) as body:
        assert body.status == status
        location = body.headers["location"]
    assert pair.foreign.headers == []
    # What a client then does with it: fetch it, or call it.
    assert await read(pair.http, location) == b"ok"
    await pair.http.send(Request("GET", location))
    await pair.http.send(json_request("POST", location, {}))
    assert len(pair.foreign.headers) == 3
    assert pair.foreign.credentials == set()
    assert "SECRET" not in repr(pair.foreign.headers)


async def test_requests_at_once_do_not_mix_credentials(pair: Pair) -> None:
    pair.own.answers["/c"] = lambda: Response(headers={"set-cookie": "sid=COOKIESECRET"})
    await pair.http.send(Request("GET", f"{pair.base}/c"))
    await asyncio.gather(
        *(pair.http.send(Request("GET", f"{url}/c")) for url in [pair.base, pair.other] * 10),
        *(read(pair.http, f"{url}/d") for url in [pair.base, pair.other] * 10),
    )
    assert pair.foreign.credentials == set()
    assert len(pair.foreign.headers) == 20
    assert pair.own.credentials == {"authorization", "api-key", "guid", "cookie"}


async def test_cookies_go_back_to_the_very_origin_that_set_them(pair: Pair) -> None:
    pair.own.answers["/in"] = lambda: Response(headers={"set-cookie": "sid=one; Path=/; HttpOnly"})
    pair.own.answers["/out"] = lambda: Response(headers={"set-cookie": "sid=; Max-Age=0"})
    pair.own.answers["/aged"] = lambda: Response(headers={"set-cookie": "sid=x; Max-Age=0"})
    pair.own.answers["/odd"] = lambda: Response(headers={"set-cookie": "=nameless"})
    pair.own.answers["/latin"] = lambda: Response(headers={"set-cookie": "u=\xfc"})
    pair.foreign.answers["/in"] = lambda: Response(headers={"set-cookie": "tracker=1"})
    both = pair.new()
    own = Http(settings(), (origin(pair.base), origin(pair.other)), lambda: {}, keep_cookies=True)

    async def sent(http: Http, url: str) -> str | None:
        server = pair.own if url.startswith(pair.base) else pair.foreign
        await http.send(Request("GET", url))
        return server.headers[-1].get("cookie")

    assert await sent(both, f"{pair.base}/in") is None
    assert await sent(both, f"{pair.base}/odd") == "sid=one"
    assert await sent(both, f"{pair.base}/latin") == "sid=one"
    assert await sent(both, f"{pair.other}/in") is None
    assert await sent(both, f"{pair.other}/in") is None
    assert await sent(both, f"{pair.base}/out") == "sid=one"
    assert await sent(both, f"{pair.base}/in") is None
    assert await sent(both, f"{pair.base}/aged") == "sid=one"
    assert await sent(both, f"{pair.base}/x") is None
    # Two origins of one account, on one host: cookies do not cross ports.
    assert await sent(own, f"{pair.base}/in") is None
    assert await sent(own, f"{pair.other}/in") is None
    assert await sent(own, f"{pair.other}/x") == "tracker=1"
    assert await sent(own, f"{pair.base}/x") == "sid=one"
    await both.aclose()
    await own.aclose()


async def test_cookies_are_kept_only_where_asked_for(pair: Pair) -> None:
    pair.own.answers["/in"] = lambda: Response(headers={"set-cookie": "sid=one"})
    plain = pair.new(keep_cookies=False)
    for _ in range(2):
        await plain.send(Request("GET", f"{pair.base}/in"))
        await read(plain, f"{pair.base}/in")
    assert "cookie" not in pair.own.credentials
    await plain.aclose()


async def test_a_missing_secret_is_said_before_anything_is_sent(pair: Pair) -> None:
    def missing() -> Mapping[str, Secret]:
        raise MissingSecret("acc", "api_key")

    http = Http(settings(), (origin(pair.base),), missing)
    with pytest.raises(MissingSecret):
        await http.send(Request("GET", pair.base))
    with pytest.raises(MissingSecret):
        await read(http, pair.base)
    assert pair.own.headers == []
    await http.send(Request("GET", pair.other))
    await http.aclose()


def test_is_own_compares_origins() -> None:
    http = Http(settings(), (PUBLIC, Origin("https", "files.example", 8443)), lambda: {})
    own = ("https://api.example/x", "https://API.example.:443/", "https://files.example:8443/")
    other = (
        "http://api.example/",
        "https://api.example:444/",
        "https://files.example/",
        "https://api.example@evil/",
        "x",
    )
    assert all(http.is_own(url) for url in own)
    assert not any(http.is_own(url) for url in other)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/",
        "http://10.0.0.1/",
        "ftp://api.example/",
        "//x",
        "",
        "https://u@api.example/",
        "https://a b",
    ],
)
async def test_what_is_not_encrypted_or_no_web_address_is_refused(url: str) -> None:
    http = Http(settings(), (PUBLIC,), lambda: CREDENTIALS)
    with pytest.raises(NotTrusted):
        await http.send(Request("GET", url))
    with pytest.raises(NotTrusted):
        await read(http, url)
    await http.aclose()


@effort(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.text(st.sampled_from("https:/@[]#?.%;,&=x1a\\"), max_size=30), st.sampled_from(["", "https://api.example"]))
def test_both_readers_of_an_address_agree_or_it_is_refused(text: str, start: str) -> None:
    async def judge() -> None:
        http = Http(settings(), (PUBLIC,), lambda: CREDENTIALS)
        try:
            _, built, found = await http._request(Request("GET", start + text))
        except NotTrusted:
            return
        finally:
            await http.aclose()
        host = built.url.raw_host.decode("ascii").removesuffix(".")
        port = built.url.port or {"http": 80, "https": 443}[built.url.scheme]
        assert (built.url.scheme, host, port) == (found.scheme, found.host, found.port)
        assert (found == PUBLIC) == ("authorization" in built.headers)

    asyncio.run(judge())


async def test_names_in_other_scripts_and_ipv6_are_addresses_too() -> None:
    http = Http(settings(), (PUBLIC,), lambda: CREDENTIALS)
    for url in ("https://xn--bcher-kva.example/", "https://[2606:4700::1111]:8443/x", "https://FILES.example./"):
        _, built, found = await http._request(Request("GET", url))
        assert built.url.raw_host.decode().removesuffix(".") == found.host
        assert "authorization" not in built.headers
    await http.aclose()


# What does not lead to the public internet.


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:9/", "https://localhost:9/", "http://127.0.0.1:9/", "https://0x7f.1/"]
)
async def test_a_public_account_is_not_led_to_this_machine(url: str) -> None:
    http = Http(settings(), (PUBLIC,), lambda: CREDENTIALS)
    with pytest.raises(NotTrusted, match="not a public address"):
        await read(http, url)
    await http.aclose()


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://10.0.0.1/", "https://2130706433/", "https://x.localhost/", "https://[fd00::1]/"],
)
async def test_behind_a_proxy_literals_are_still_refused(pair: Pair, url: str) -> None:
    http = Http(settings(proxy=pair.other), (PUBLIC,), lambda: CREDENTIALS)
    with pytest.raises(NotTrusted, match="not a public address"):
        await http.send(Request("GET", url))
    assert pair.foreign.faults.seen == []
    with pytest.raises(Unreachable, match=r"no connection to https://files\.example through"):
        await http.send(Request("GET", "https://files.example/"))
    await http.aclose()
    assert len(pair.foreign.faults.seen) == 1
    assert pair.foreign.credentials == set()


async def test_a_proxy_is_used(pair: Pair) -> None:
    http = pair.new("http://127.0.0.1:9", proxy=pair.other)
    await http.send(Request("GET", "http://127.0.0.1:9/through"))
    assert pair.foreign.faults.seen == ["GET http://127.0.0.1:9/through"]
    await http.aclose()


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "http://nothing.invalid:3128", "http://u:PROXYSECRET@[bad"])
async def test_a_proxy_that_does_not_answer_is_blamed(proxy: str) -> None:
    http = Http(settings(proxy=proxy), (PUBLIC,), lambda: {})
    with pytest.raises(Unreachable) as sent:
        await http.send(Request("GET", "https://api.example/"))
    with pytest.raises(Unreachable) as opened:
        await read(http, "https://api.example/")
    assert sent.value.words == "no connection to https://api.example through the account's proxy"
    assert opened.value.words == sent.value.words
    await http.aclose()


@pytest.mark.parametrize("proxy", ["nonsense", "socks5://127.0.0.1:1", "ftp://user:PROXYSECRET@x"])
async def test_an_unusable_proxy_is_said_without_its_password(proxy: str) -> None:
    http = Http(settings(proxy=proxy), (PUBLIC,), lambda: {})
    with pytest.raises(NotTrusted, match="proxy is no address") as caught:
        await http.send(Request("GET", "https://api.example/"))
    assert "PROXYSECRET" not in caught.value.words


# Failures, in words.


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/", "http://127.0.0.1:1 refuses connections"),
        ("http://localhost:1/", "http://localhost:1 refuses connections"),
        ("https://nothing.invalid/", "the name nothing.invalid is not known (DNS)"),
        (f"https://{'a' * 70}.example/", "is not known (DNS)"),
    ],
)
@pytest.mark.parametrize("foreign", [False, True])
async def test_unreachable_in_words(url: str, words: str, foreign: bool) -> None:
    base = "http://127.0.0.1:2" if foreign else url
    http = Http(settings(), (origin(base),), lambda: {})
    with pytest.raises(Unreachable) as sent:
        await http.send(Request("GET", url))
    with pytest.raises(Unreachable) as opened:
        await read(http, url)
    assert words in sent.value.words
    assert sent.value.words == opened.value.words
    await http.aclose()


async def test_a_server_that_stops_answering_is_a_time_out(pair: Pair) -> None:
    pair.own.faults.latency_s = 30
    with pytest.raises(Unreachable, match="stopped answering"):
        await pair.http.send(Request("GET", pair.base, read_timeout_s=0.1))
    hasty = pair.new(timeout_s=0.1)
    with pytest.raises(Unreachable, match="stopped answering"):
        await read(hasty, pair.base)
    await hasty.aclose()


async def test_a_connection_that_never_comes_is_said() -> None:
    words = _in_words(httpx.ConnectTimeout("x"), PUBLIC)
    assert (type(words), words.words) == (Unreachable, "https://api.example does not answer: no connection in 10 s")
    assert _in_words(httpx.ReadError("secret detail"), PUBLIC).words == "the connection to https://api.example broke"


def dripping(parts: int, length: int | None) -> Callable[[], Response]:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(parts):
            yield b"x" * 1000
        if length is not None:
            raise ConnectionAbortedError("cut on purpose")

    headers = {} if length is None else {"content-length": str(length)}
    return lambda: StreamingResponse(body(), headers=headers)


async def test_a_body_that_is_cut_is_unreachable(pair: Pair) -> None:
    pair.own.answers["/cut"] = dripping(3, 10_000)
    with pytest.raises(Unreachable, match="broke"):
        await pair.http.send(Request("GET", f"{pair.base}/cut"))
    received = bytearray()

    async def read_on() -> None:
        async with pair.http.open(f"{pair.base}/cut", {}) as body:
            async for chunk in body.chunks():
                received.extend(chunk)

    with pytest.raises(Unreachable, match="broke"):
        await read_on()
    assert len(received) == 3000
    assert await read(pair.http, f"{pair.base}/whole") == b"ok"


async def test_a_body_over_the_limit_is_a_bad_answer(pair: Pair) -> None:
    pair.own.answers["/large"] = dripping(3, None)
    small = pair.new(body_limit=2999)
    with pytest.raises(BadAnswer, match="larger than"):
        await small.send(Request("GET", f"{pair.base}/large"))
    assert len(await read(small, f"{pair.base}/large")) == 3000
    await small.aclose()
    exact = pair.new(body_limit=3000)
    assert len((await exact.send(Request("GET", f"{pair.base}/large"))).content) == 3000
    await exact.aclose()
    assert API_BODY_LIMIT == 64 * 1024 * 1024


async def test_an_unreadable_redirect_is_a_bad_answer(pair: Pair) -> None:
    pair.own.answers["/r"] = lambda: Response(status_code=302, headers={"location": "https://x:port/x?sig=SECRET"})
    with pytest.raises(BadAnswer, match="redirects to an address that cannot be read") as caught:
        await pair.http.send(Request("GET", f"{pair.base}/r"))
    assert "SECRET" not in caught.value.words


async def test_methods_bodies_and_headers_are_sent_as_given(pair: Pair) -> None:
    await pair.http.send(json_request("DELETE", f"{pair.base}/x", {"ü": 1}))
    assert pair.own.faults.seen[-1] == "DELETE /x"
    assert pair.own.bodies[-1] == '{"ü": 1}'.encode()
    assert pair.own.headers[-1]["content-type"] == "application/json; charset=utf-8"
    await pair.http.send(Request("POST", f"{pair.base}/y", {"X-Odd": "1"}))
    assert (pair.own.headers[-1]["x-odd"], pair.own.headers[-1]["content-length"]) == ("1", "0")
    with pytest.raises(NotTrusted, match="cannot be used"):
        await pair.http.send(Request("GET", f"{pair.base}/{'x' * 70_000}"))


# TLS.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a private authority's ca.pem, and server.pem and server.key that it signed for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    leaf = ca.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(folder / "server.key")
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(folder / "server.pem", append=True)
    return folder


def serve_tls(net: Loopback, server: Server, folder: Path) -> str:
    return net.serve(server, ssl_certfile=str(folder / "server.pem"), ssl_keyfile=str(folder / "server.key"))


async def test_tls_is_trusted_by_the_accounts_ca_file_alone(net: Loopback, authority: Path) -> None:
    server = Server()
    base = serve_tls(net, server, authority)
    strict = Http(settings(), (origin(base),), lambda: CREDENTIALS)
    with pytest.raises(NotTrusted, match=r"certificate of https://127.0.0.1:\d+ is not trusted: .*see ca_file"):
        await strict.send(Request("GET", base))
    assert server.headers == []
    for more in ({"ca_file": str(authority / "ca.pem")}, {"verify": False}):
        http = Http(settings(**more), (origin(base),), lambda: CREDENTIALS)
        assert (await http.send(Request("GET", base))).content == b"ok"
        assert await read(http, base) == b"ok"
        await http.aclose()
    await strict.aclose()


async def test_a_certificate_for_another_name_is_not_trusted(net: Loopback, authority: Path) -> None:
    base = serve_tls(net, Server(), authority).replace("127.0.0.1", "localhost")
    http = Http(settings(ca_file=str(authority / "ca.pem")), (origin(base),), lambda: {})
    with pytest.raises(NotTrusted, match="not trusted"):
        await http.send(Request("GET", base))
    await http.aclose()


async def test_foreign_servers_are_judged_by_the_public_authorities(authority: Path) -> None:
    for more in ({"ca_file": str(authority / "ca.pem")}, {"verify": False}):
        http = Http(settings(**more), (PUBLIC,), lambda: {})
        own, foreign = http._build(True), http._build(False)
        own_tls, foreign_tls = (way.transport._context for way in (own, foreign))
        assert foreign_tls.verify_mode is ssl.CERT_REQUIRED
        assert foreign_tls.check_hostname
        assert foreign_tls.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert own_tls.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert own_tls.verify_mode is (ssl.CERT_REQUIRED if "ca_file" in more else ssl.CERT_NONE)
        subjects = repr(foreign_tls.get_ca_certs())
        assert "trustme" not in subjects
        for way in (own, foreign):
            await way.client.aclose()


async def test_a_server_without_tls_is_said(pair: Pair) -> None:
    url = pair.base.replace("http://", "https://")
    http = Http(settings(), (origin(url),), lambda: CREDENTIALS)
    with pytest.raises(Unreachable, match="no connection to https://127"):
        await http.send(Request("GET", url))
    assert pair.own.headers == []
    await http.aclose()


async def test_a_bad_ca_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing here")
    cases = {
        "missing.pem": "missing.pem: No such file or directory",
        "": f"{tmp_path}: Is a directory",
        "empty.pem": "empty.pem holds no certificate",
    }
    for name, words in cases.items():
        http = Http(settings(ca_file=str(tmp_path / name)), (PUBLIC,), lambda: {})
        with pytest.raises(NotTrusted) as caught:
            await http.send(Request("GET", "https://api.example/"))
        assert words in caught.value.words
        await http.aclose()


# Pace.


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.time = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))
        self.time += seconds


async def test_requests_to_the_own_origin_are_paced(pair: Pair) -> None:
    clock = Clock()
    http = pair.new(rate_per_s=4, clock=clock, sleep=clock.sleep)
    for _ in range(3):
        await http.send(Request("GET", pair.base))
    await read(http, pair.base)
    assert clock.waits == [0, 0.25, 0.25, 0.25]
    await read(http, pair.other)
    assert len(clock.waits) == 4
    clock.time += 60
    await http.send(Request("GET", pair.base))
    assert clock.waits[-1] == 0
    await http.aclose()


async def test_without_a_rate_nothing_waits(pair: Pair) -> None:
    clock = Clock()
    http = pair.new(clock=clock, sleep=clock.sleep)
    for _ in range(3):
        await http.send(Request("GET", pair.base))
    assert clock.waits == []
    await http.aclose()


async def test_closing_twice_is_fine_and_leaving_unopened_too(pair: Pair) -> None:
    await read(pair.http, pair.other)
    await pair.http.aclose()
    await pair.http.aclose()
    assert await read(pair.http, pair.base) == b"ok"
    with pytest.raises(NotTrusted):
        async with pair.http.open("nonsense", {}):
            pass
