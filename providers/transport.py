"""httpx over aiohttp's connections: httpx's own transport takes a whole core for what these do in a third of it.

Why not httpx-aiohttp: it hands the address to aiohttp as text, which is then spelled anew (`%2F` becomes `/`), so that
a signed link is not the one that was signed; and it reports refused connections, unknown names and certificates as
time-outs.
"""

import functools
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from yarl import URL

from providers.address import Names
from providers.lean_aiohttp import ResponseHandler, aiohttp
from providers.lean_httpx import httpx

CHUNK_BYTES = 1 << 20
"""At most so much of a body is handed on at once, and twice as much kept until it is taken: large chunks are quick."""
LEAST_CHUNK_BYTES = 128 * 1024
"""With several bodies at once each has its share of one large chunk, down to this: memory is not endless."""
MOST_CONNECTIONS = 100
KEPT_ALIVE_S = 15.0

_FAULTS: tuple[tuple[type[BaseException], type[httpx.TransportError]], ...] = (
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientResponseError, httpx.UnsupportedProtocol),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (TimeoutError, httpx.ConnectTimeout),
    (OSError, httpx.ReadError),
)
"""aiohttp's faults by httpx's names; the first that fits."""


@contextmanager
def _by_httpx_names() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        kind = next(httpx_kind for fault, httpx_kind in _FAULTS if isinstance(error, fault))
        if kind is httpx.ConnectError and isinstance(error.__cause__, TimeoutError):
            kind = httpx.ConnectTimeout
        raise kind(str(error)) from error
    except ValueError as error:  # a header of the answer that cannot be one
        raise httpx.UnsupportedProtocol(str(error)) from error


class _Handler(ResponseHandler):
    """Tells a connection that broke from one that was closed: only the latter ends a body without a length.

    Through a private attribute, and held by a test: aiohttp takes either for the end.
    """

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is over."""
        payload = self._payload
        if exc is not None and payload is not None and not payload.is_eof():
            payload.set_exception(aiohttp.ClientPayloadError("the connection broke"))
        super().connection_lost(exc)


class _Connector(aiohttp.TCPConnector):
    def __init__(self, context: ssl.SSLContext, names: Names) -> None:
        super().__init__(
            ssl=context,
            resolver=names,
            use_dns_cache=False,
            limit=MOST_CONNECTIONS,
            keepalive_timeout=KEPT_ALIVE_S,
        )
        self._factory = functools.partial(_Handler, loop=self._loop)  # type: ignore[assignment]  # partial is invariant


class _Stream(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, chunk_bytes: int, on_close: Callable[[], None]) -> None:
        self._response = response
        self._chunk_bytes = chunk_bytes
        self._on_close = on_close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        with _by_httpx_names():
            try:
                # Never larger than one chunk, and never waited for until it is full.
                while chunk := await content.read(self._chunk_bytes):
                    yield chunk
            except (aiohttp.ClientError, OSError):
                # aiohttp raises before it hands out what arrived until then. Private, and held by a test.
                if rest := content._read_nowait(-1):
                    yield rest
                raise

    async def aclose(self) -> None:
        self._on_close()
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class Transport(httpx.AsyncBaseTransport):
    """Sends httpx's requests. `names` tells where names lead; `proxy`: an HTTP proxy for all of them.

    Redirects are not followed, cookies not kept, the environment is not read, bodies are not decoded. Use it from one
    event loop only. Raises httpx.TransportError, and what `names` raises.
    """

    def __init__(self, context: ssl.SSLContext, names: Names, proxy: httpx.URL | None) -> None:
        self._context = context
        self._names = names
        self._proxy = URL(str(proxy)) if proxy else None
        self._session: aiohttp.ClientSession | None = None
        self._bodies = 0
        """That are asked for or open."""

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(self._context, self._names),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request whose body is bytes, and give the answer as soon as its headers are here."""
        limits = request.extensions.get("timeout", {})
        self._bodies += 1
        chunk_bytes = max(LEAST_CHUNK_BYTES, CHUNK_BYTES // self._bodies)
        answered = False
        try:
            with _by_httpx_names():
                response = await self._opened().request(
                    request.method,
                    URL(str(request.url), encoded=True),
                    headers=request.headers,
                    data=request.content or None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, sock_connect=limits.get("connect"), sock_read=limits.get("read")
                    ),
                    proxy=self._proxy,
                    read_bufsize=chunk_bytes,
                )
            answered = True
        finally:
            if not answered:
                self._closed()
        stream = _Stream(response, chunk_bytes, self._closed)
        return httpx.Response(response.status, headers=response.raw_headers, stream=stream)

    def _closed(self) -> None:
        self._bodies -= 1

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
