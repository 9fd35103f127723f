"""The one place that builds HTTP clients: TLS, time-outs, and credentials bound to origins.

A credential goes to the account's own origins and nowhere else. httpx drops only `Authorization` when a redirect
leads elsewhere, and sends `api-key` or `Guid` along; so no client here follows redirects, and what is not the
account's own origin goes out through a second client that has never seen a credential or a cookie.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from msgspec import Struct, field

from providers import address, tls
from providers.base import AccountSettings, BadAnswer, NotTrusted, ProviderError, Unreachable
from providers.echoes import Echoes
from providers.lean_httpx import httpx
from providers.messages import Answer, Request
from providers.origin import Origin
from providers.redaction import redact
from providers.secret import Secret
from providers.transport import Transport

API_BODY_LIMIT = 64 * 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
USER_AGENT = "reeldesk"
_SIGNED = 16
"""Characters from which on a value in a foreign address's query may be a signature."""


def _redacted(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), ()
    return True


# httpx tells every address, with the query that is a presigned link's secret, to whoever listens at INFO.
logging.getLogger("httpx").addFilter(_redacted)

Authorize = Callable[[], Mapping[str, Secret]]
"""Gives the credential headers at the moment of sending (a Guid may have rotated meanwhile)."""


class _Pace(Struct):
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


class _Cookies(Struct):
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


class _Way(Struct, frozen=True):
    """How requests go out: API calls by the client, bodies that are files over the transport itself.

    Of a small file's time the client would take a third, for redirects and cookies that it must not follow or keep.
    """

    client: httpx.AsyncClient
    transport: Transport


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
        self._named = frozenset(filter(None, map(Origin.of, settings.allow_private))) - self._origins
        """Origins that the account's owner let payloads lead to, wherever they lie. They get no credential."""
        self._loopback = origins[0].is_loopback
        self._authorize = authorize
        self._cookies = _Cookies() if keep_cookies else None
        self._pace = _Pace(settings.rate_per_s, clock, sleep)
        self._body_limit = body_limit
        self._building = asyncio.Lock()
        self._ways: dict[tuple[bool, bool], _Way] = {}
        """By whether an origin is the account's own, and whether it is one that it names."""

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
        if origin not in self._origins | self._named:
            # The guard sees names alone; and a proxy looks names up and connects by itself.
            literal = "127.0.0.1" if origin.host.endswith("localhost") else address.literal(origin.host)
            if literal:
                address.check(origin.host, [literal], loopback_allowed=self._loopback)
        return origin

    def _tls(self, *, always: bool = False) -> ssl.SSLContext:
        return tls.context_of(self._settings, verify=self._settings.verify or always)

    def _build(self, own: bool, named: bool = False) -> _Way:
        # Only the account's own servers are judged by its ca_file and verify, and those that it names in private
        # networks by ca_file, since no public authority knows them; anything else by the public authorities.
        context = self._tls(always=named) if own or named or self._loopback else tls.context()
        proxy = _proxy_address(self._settings.proxy) if self._settings.proxy else None
        # The account's own servers may lie anywhere; a proxy is the account's own, and does the rest by itself.
        names = address.Names(
            guarded=not (own or named or proxy), loopback_allowed=self._loopback, within_s=CONNECT_TIMEOUT_S
        )
        transport = Transport(context, names, proxy)
        timeout = httpx.Timeout(self._settings.timeout_s, connect=CONNECT_TIMEOUT_S, pool=None)
        client = httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False, follow_redirects=False)
        client.headers = httpx.Headers({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        return _Way(client, transport)

    async def _way(self, origin: Origin) -> _Way:
        own, named = origin in self._origins, origin in self._named
        way = self._ways.get((own, named))
        if way is not None:
            return way
        async with self._building:
            if (own, named) not in self._ways:
                self._ways[own, named] = await asyncio.to_thread(self._build, own, named)
            return self._ways[own, named]

    async def _request(self, request: Request) -> tuple[_Way, httpx.Request, Origin]:
        origin = self._check_address(request.url)
        own = origin in self._origins
        way = await self._way(origin)
        headers = dict(request.headers)
        if own:
            headers |= {name: secret.reveal() for name, secret in self._authorize().items()}
            if self._cookies:
                headers |= self._cookies.header(origin)
        way.client.cookies.clear()
        read = request.read_timeout_s or self._settings.timeout_s
        timeout = httpx.Timeout(read, connect=CONNECT_TIMEOUT_S, pool=None)
        try:
            built = way.client.build_request(
                request.method, request.url, headers=headers, content=request.content or None, timeout=timeout
            )
        except (httpx.InvalidURL, ValueError):
            raise NotTrusted("the service named an address that cannot be used") from None
        return way, built, origin

    def _echoes(self, request: Request, built: httpx.Request, origin: Origin) -> Echoes:
        """What the answer may not repeat: the credential; of a presigned link, which is one itself, its query."""
        held = [secret.reveal() for secret in request.secrets]
        if origin not in self._origins:
            return Echoes((), [*held, *(value for _, value in built.url.params.multi_items() if len(value) >= _SIGNED)])
        sent = [(name, built.headers[name]) for name in (*self._authorize(), "cookie") if name in built.headers]
        return Echoes(sent, held)

    async def send(self, request: Request) -> Answer:
        """Make an API call. Raises Unreachable, NotTrusted, BadAnswer (over `body_limit`, 64 MiB)."""
        await self._pace.wait()
        way, built, origin = await self._request(request)
        try:
            response = await way.client.send(built, stream=True)
            try:
                content = await _bounded(response, self._body_limit)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise self._failure(error, origin) from None
        if self._cookies and origin in self._origins:
            self._cookies.keep(origin, response.headers)
        echoes = self._echoes(request, built, origin)
        return Answer(response.status_code, echoes.cut_headers(_plain(response.headers)), echoes.cut(content))

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
        while self._ways:
            await self._ways.popitem()[1].client.aclose()


class _Opened:
    """An answer whose body arrives as it is read."""

    status: int
    headers: Mapping[str, str]

    def __init__(self, http: Http, request: Request) -> None:
        self._http = http
        self._request = request
        self._response: httpx.Response | None = None
        self._origin: Origin | None = None
        self._echoes = Echoes(())

    async def __aenter__(self) -> "_Opened":
        if self._http.is_own(self._request.url):
            await self._http._pace.wait()
        way, built, origin = await self._http._request(self._request)
        self._origin = origin
        try:
            self._response = await way.transport.handle_async_request(built)
        except httpx.HTTPError as error:
            raise self._http._failure(error, origin) from None
        self._echoes = self._http._echoes(self._request, built, origin)
        self.status = self._response.status_code
        self.headers = self._echoes.cut_headers(_plain(self._response.headers))
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._response is not None
        await self._response.aclose()

    async def chunks(self) -> AsyncIterator[bytes]:
        assert self._response is not None
        assert self._origin is not None
        try:
            async for chunk in self._echoes.cut_chunks(self._response.aiter_raw(), self.status, self.headers):
                yield chunk
        except httpx.HTTPError as error:
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


def _proxy_address(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        # The text could hold the proxy's password, so it is not repeated.
        raise NotTrusted("proxy is no address of an HTTP proxy (http://host:port)")
    return url


def _plain(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _in_words(error: Exception, origin: Origin) -> ProviderError:
    """What a person can act on. httpx's own texts may hold the whole address, so they are not passed on."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for cause in reversed(causes):  # the innermost knows best
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
        return Unreachable(f"no connection to {origin}: {_reason(causes[-1])}")
    if isinstance(error, httpx.RemoteProtocolError) and "location header" in str(error):
        return BadAnswer(f"{origin} redirects to an address that cannot be read")
    if isinstance(error, httpx.UnsupportedProtocol):
        return Unreachable(f"{origin} answers something that is no HTTP")
    if isinstance(error, httpx.ProtocolError):
        return Unreachable(f"{origin} broke off the answer")
    return Unreachable(f"the connection to {origin} broke")


def _reason(error: BaseException) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
