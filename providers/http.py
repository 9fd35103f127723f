"""The one place that builds HTTP clients: TLS, time-outs, and credentials bound to origins.

A credential goes to the account's own origins and nowhere else. httpx drops only `Authorization` when a redirect
leads elsewhere, and sends `api-key` or `Guid` along; so no client here follows redirects, and what is not the
account's own origin goes out through a second client that has never seen a credential or a cookie.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpcore
import httpx

from providers.base import AccountSettings, BadAnswer, NotTrusted, ProviderError, Unreachable
from providers.messages import Answer, Request
from providers.origin import Origin
from providers.secret import Secret

API_BODY_LIMIT = 64 * 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
USER_AGENT = "reeldesk"

Authorize = Callable[[], Mapping[str, Secret]]
"""Gives the credential headers at the moment of sending (a Guid may have rotated meanwhile)."""


Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Gives the addresses of a name, as literals, the best one first. Raises OSError."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address literal is a public one: not private, loopback, link-local, mapped or reserved."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:  # leads to the IPv4 address in its last 32 bits
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        elif ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _literal(host: str) -> str | None:
    """The address that a host is without any look-up, in whatever spelling (`2130706433`, `0x7f.1`); else None."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "it is no name") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects only to public addresses, and to the very address that was checked (no DNS rebinding)."""

    def __init__(
        self, inner: httpcore.AsyncNetworkBackend, loopback_allowed: bool, resolve: Resolve = _resolve
    ) -> None:
        self._inner = inner
        self._loopback_allowed = loopback_allowed
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):  # not wait_for: in 3.11 it can lose a cancellation
                found = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"looking up {host}") from None
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error.strerror or error}") from None
        for literal in found:
            loopback = self._loopback_allowed and ipaddress.ip_address(literal.partition("%")[0]).is_loopback
            if not (loopback or is_public(literal)):
                raise _PrivateAddress(f"{host} leads to {literal}, which is not a public address")
        # A name's second address stands in for a first that does not answer.
        for literal in found[:-1]:
            try:
                return await self._inner.connect_tcp(literal, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(found[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _PrivateAddress(httpcore.ConnectError):
    pass


@dataclass
class _Pace:
    """Spaces an account's API requests by `rate_per_s`."""

    rate_per_s: float | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _next: float = 0.0

    async def wait(self) -> None:
        if not self.rate_per_s:
            return
        now = self.clock()
        due = max(self._next, now)
        self._next = due + 1 / self.rate_per_s
        await self.sleep(due - now)


@dataclass
class _Cookies:
    """Cookies of the account's origins, each sent back to exactly the origin that set it (jars ignore ports)."""

    _held: dict[Origin, dict[str, str]] = field(default_factory=dict)

    def header(self, origin: Origin) -> dict[str, str]:
        held = self._held.get(origin)
        return {"Cookie": "; ".join(f"{k}={v}" for k, v in held.items())} if held else {}

    def keep(self, origin: Origin, headers: httpx.Headers) -> None:
        for line in headers.get_list("set-cookie"):
            pair, _, attributes = line.partition(";")
            name, _, value = pair.strip().partition("=")
            if not name or not pair.isascii():  # what is not ASCII could not be sent back
                continue
            held = self._held.setdefault(origin, {})
            if not value or "max-age=0" in attributes.lower().replace(" ", ""):
                held.pop(name, None)
            else:
                held[name] = value


class Http:
    """An account's HTTP: `send` for API calls, `open` for bodies that are files.

    `origins` are the account's own (first: its base). Clients are built on first use, off the event loop, since
    loading certificates takes tens of milliseconds. Use it from one event loop only. `body_limit`: of an API call's
    answer, in bytes; `clock` and `sleep` pace the requests to the account's own origins by its `rate_per_s`.
    """

    def __init__(
        self,
        settings: AccountSettings,
        origins: tuple[Origin, ...],
        authorize: Authorize,
        *,
        keep_cookies: bool = False,
        body_limit: int = API_BODY_LIMIT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._origins = frozenset(origins)
        self._loopback = origins[0].is_loopback
        self._authorize = authorize
        self._cookies = _Cookies() if keep_cookies else None
        self._pace = _Pace(settings.rate_per_s, clock, sleep)
        self._body_limit = body_limit
        self._building = asyncio.Lock()
        self._own: httpx.AsyncClient | None = None
        self._bare: httpx.AsyncClient | None = None

    def is_own(self, url: str) -> bool:
        """Whether an address is at one of the account's own origins."""
        origin = Origin.of(url)
        return origin is not None and origin in self._origins

    def _check_address(self, url: str) -> Origin:
        origin = Origin.of(url)
        if origin is None:
            raise NotTrusted("the service named an address that is no http(s) address")
        if origin.scheme == "http" and not origin.is_loopback:
            raise NotTrusted(f"{origin} is not encrypted: http:// is accepted for loopback addresses only")
        if self._settings.proxy and origin not in self._origins and not self._loopback:
            # The proxy looks names up and connects, so of the guard's rules only these can be kept here.
            literal = "127.0.0.1" if origin.host.endswith("localhost") else _literal(origin.host)
            if literal and not is_public(literal):
                raise NotTrusted(f"refused: {origin.host} is not a public address")
        return origin

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self._settings.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _build(self, own: bool) -> httpx.AsyncClient:
        # Only the account's own servers are judged by its ca_file and verify; anything else by the public authorities.
        context = self._tls() if own or self._loopback else ssl.create_default_context()
        transport = httpx.AsyncHTTPTransport(verify=context, proxy=self._settings.proxy, retries=0)
        if not own and not self._settings.proxy:
            pool = transport._pool
            assert isinstance(pool, httpcore.AsyncConnectionPool)
            pool._network_backend = _GuardedNetwork(pool._network_backend, self._loopback)
        timeout = httpx.Timeout(self._settings.timeout_s, connect=CONNECT_TIMEOUT_S, pool=None)
        client = httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False, follow_redirects=False)
        client.headers = httpx.Headers({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        return client

    async def _client(self, own: bool) -> httpx.AsyncClient:
        async with self._building:
            client = self._own if own else self._bare
            if client is None:
                try:
                    client = await asyncio.to_thread(self._build, own)
                except ssl.SSLError:
                    raise NotTrusted(f"ca_file {self._settings.ca_file} holds no certificate (PEM)") from None
                except OSError as error:
                    raise NotTrusted(f"ca_file {self._settings.ca_file}: {error.strerror or error}") from None
                except (ValueError, ImportError, httpx.InvalidURL):
                    # Its text could hold the proxy's password, so it is not repeated.
                    raise NotTrusted("proxy is no address of an HTTP proxy (http://host:port)") from None
                if own:
                    self._own = client
                else:
                    self._bare = client
            return client

    async def _request(self, request: Request) -> tuple[httpx.AsyncClient, httpx.Request, Origin]:
        origin = self._check_address(request.url)
        own = origin in self._origins
        client = await self._client(own)
        headers = dict(request.headers)
        if own:
            headers |= {name: secret.reveal() for name, secret in self._authorize().items()}
            if self._cookies:
                headers |= self._cookies.header(origin)
        client.cookies.clear()
        read = request.read_timeout_s or self._settings.timeout_s
        timeout = httpx.Timeout(read, connect=CONNECT_TIMEOUT_S, pool=None)
        try:
            built = client.build_request(
                request.method, request.url, headers=headers, content=request.content or None, timeout=timeout
            )
        except (httpx.InvalidURL, ValueError):
            raise NotTrusted("the service named an address that cannot be used") from None
        return client, built, origin

    async def send(self, request: Request) -> Answer:
        """Make an API call. Raises Unreachable, NotTrusted, BadAnswer (over `body_limit`, 64 MiB)."""
        await self._pace.wait()
        client, built, origin = await self._request(request)
        try:
            response = await client.send(built, stream=True)
            try:
                content = await _bounded(response, self._body_limit)
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpcore.ConnectError, OSError) as error:
            raise self._failure(error, origin) from None
        if self._cookies and origin in self._origins:
            self._cookies.keep(origin, response.headers)
        return Answer(response.status_code, _plain(response.headers), content)

    def _failure(self, error: Exception, origin: Origin) -> ProviderError:
        found = _in_words(error, origin)
        reached = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        if not self._settings.proxy or reached or isinstance(found, NotTrusted):
            return found
        return Unreachable(f"no connection to {origin} through the account's proxy")

    def open(self, url: str, headers: Mapping[str, str]) -> "_Opened":
        """GET an address whose body is a file. See `providers.base.Opener`."""
        return _Opened(self, Request("GET", url, headers))

    async def aclose(self) -> None:
        """Close the connections."""
        for client in (self._own, self._bare):
            if client is not None:
                await client.aclose()
        self._own = self._bare = None


class _Opened:
    """An answer whose body arrives as it is read."""

    status: int
    headers: Mapping[str, str]

    def __init__(self, http: Http, request: Request) -> None:
        self._http = http
        self._request = request
        self._response: httpx.Response | None = None
        self._origin: Origin | None = None

    async def __aenter__(self) -> "_Opened":
        if self._http.is_own(self._request.url):
            await self._http._pace.wait()
        client, built, origin = await self._http._request(self._request)
        self._origin = origin
        try:
            self._response = await client.send(built, stream=True)
        except (httpx.HTTPError, httpcore.ConnectError, OSError) as error:
            raise self._http._failure(error, origin) from None
        self.status = self._response.status_code
        self.headers = _plain(self._response.headers)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._response is not None
        await self._response.aclose()

    async def chunks(self) -> AsyncIterator[bytes]:
        assert self._response is not None
        assert self._origin is not None
        try:
            async for chunk in self._response.aiter_raw():
                yield chunk
        except (httpx.HTTPError, OSError) as error:
            raise _in_words(error, self._origin) from None


async def _bounded(response: httpx.Response, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > limit:
            raise BadAnswer(f"the service's answer is larger than {limit / (1 << 20):g} MiB")
        parts.append(chunk)
    return b"".join(parts)


def _plain(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _in_words(error: Exception, origin: Origin) -> ProviderError:
    """What a person can act on. httpx's own texts may hold the whole address, so they are not passed on."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for cause in causes:
        if isinstance(cause, _PrivateAddress):
            return NotTrusted(f"refused: {cause}")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotTrusted(f"the certificate of {origin} is not trusted: {cause.verify_message}; see ca_file")
        if isinstance(cause, socket.gaierror):
            return Unreachable(f"the name {origin.host} is not known (DNS): {cause.strerror}")
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(f"{origin} refuses connections")
    if isinstance(error, httpx.ConnectTimeout):
        return Unreachable(f"{origin} does not answer: no connection in {CONNECT_TIMEOUT_S:g} s")
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(f"{origin} stopped answering (time-out)")
    if isinstance(error, httpx.ConnectError):
        return Unreachable(f"no connection to {origin}: {causes[-1]}")
    if isinstance(error, httpx.RemoteProtocolError) and "location header" in str(error):
        return BadAnswer(f"{origin} redirects to an address that cannot be read")
    if isinstance(error, httpx.ProtocolError):
        return Unreachable(f"{origin} broke off the answer")
    return Unreachable(f"the connection to {origin} broke")
