"""What the five emulators share: serving ASGI on loopback, bodies as storage servers give them, faults to switch on.

Assumptions are each emulator's own and stand in its docstring. What is common here is plain HTTP: Range and If-Range
(RFC 9110), strong ETags, and an object store that, like S3, refuses a request carrying any other credential than its
own presigned query.
"""

import asyncio
import hashlib
import hmac
import io
import logging
import socket
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import uvicorn
from msgspec import Struct, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from providers import emulated_media

CHUNK = 64 * 1024
Clock = Callable[[], float]


class Faults(Struct):
    """What goes wrong, to be switched on by tests and the demo. All off: an honest service.

    Byte counts refer to one answer's body. `times` limits how many file answers a body fault spoils (None: all).
    """

    status: int | None = None
    """Every API call is answered with this HTTP status."""
    retry_after: str | None = None
    latency_s: float = 0.0
    """Before every answer."""
    not_json: bool = False
    """API calls are answered with an HTML page under status 200 (a login page of a proxy)."""
    cut_after: int | None = None
    """The connection breaks after so many bytes of a file."""
    corrupt: bool = False
    """One byte of the file is flipped."""
    bytes_per_s: int | None = None
    """Files arrive no faster."""
    ranges: bool = True
    """False: Range is ignored and the whole file sent."""
    send_length: bool = True
    """False: files come chunked, without a length."""
    times: int | None = None
    seen: list[str] = field(default_factory=list)
    """Method and path of every request that came in, for tests."""

    def spoils(self) -> bool:
        """Whether a body fault applies to this answer; counts it."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


class Blob(Struct, frozen=True):
    """Bytes that exist without being held in memory: `head`, then `filler` repeated, `size` in all."""

    size: int
    head: bytes = b""
    filler: bytes = b"\0"
    media_type: str = "application/octet-stream"

    @classmethod
    def of(cls, content: bytes, media_type: str) -> "Blob":
        """Bytes as they are."""
        return cls(len(content), content, b"\0", media_type)

    def read(self, start: int, length: int) -> bytes:
        """The bytes from `start`, at most `length`."""
        end = min(start + length, self.size)
        if start >= end:
            return b""
        part = self.head[start:end]
        rest = end - start - len(part)
        if rest <= 0:
            return part
        offset = (start + len(part) - len(self.head)) % len(self.filler)
        repeats = self.filler * (rest // len(self.filler) + 2)
        return part + repeats[offset : offset + rest]

    def sha256(self) -> str:
        """Lower-case hex of its SHA-256."""
        digest = hashlib.sha256()
        for start in range(0, self.size, 1 << 20):
            digest.update(self.read(start, 1 << 20))
        return digest.hexdigest()

    @property
    def etag(self) -> str:
        """A strong ETag."""
        seed = f"{self.size}".encode() + self.head[:4096] + self.filler[:64]
        return f'"{hashlib.sha256(seed).hexdigest()[:24]}"'


def zip_blob(members: dict[str, bytes]) -> Blob:
    """A zip with these members; the same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return Blob.of(buffer.getvalue(), "application/zip")


def mp4_blob(size: int, seed: int = 0, media_type: str = "video/mp4", *, bare: bool = False) -> Blob:
    """A file whose MP4 boxes are complete, `size` bytes in all (64 at least): ftyp, moov, mdat.

    Its moov describes a track of pictures (unless `media_type` is audio) and one of sound; it is empty when `bare`, or
    when there is no room.
    """
    ftyp = (24).to_bytes(4, "big") + b"ftypisom" + (512).to_bytes(4, "big") + b"isommp41"
    moov = emulated_media.box(b"moov")
    if not bare and size >= 4_096:
        moov = emulated_media.moov(60_000 + seed % 3_540_000, pictures=not media_type.startswith("audio"))
    mdat = (size - len(ftyp) - len(moov)).to_bytes(4, "big") + b"mdat"
    filler = hashlib.sha256(seed.to_bytes(8, "big")).digest() * 64 + bytes(range(251))
    return Blob(size, ftyp + moov + mdat, filler, media_type)


def file_response(request: Request, blob: Blob, faults: Faults, headers: dict[str, str] | None = None) -> Response:
    """Serve a file: whole, or the range that was asked for when If-Range allows it, spoilt as `faults` say."""
    head = {"content-type": blob.media_type, "etag": blob.etag, **(headers or {})}
    start, end, status = 0, blob.size, 200
    if faults.ranges:
        head["accept-ranges"] = "bytes"
        wanted = request.headers.get("range", "")
        condition = request.headers.get("if-range", blob.etag)
        if wanted.startswith("bytes=") and condition == blob.etag:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first or 0)
            end = min(int(last) + 1, blob.size) if last else blob.size
            if start >= blob.size:
                return Response(status_code=416, headers={"content-range": f"bytes */{blob.size}"})
            status = 206
            head["content-range"] = f"bytes {start}-{end - 1}/{blob.size}"
    if faults.send_length:
        head["content-length"] = str(end - start)
    spoilt = (faults.cut_after is not None or faults.corrupt) and faults.spoils()
    return StreamingResponse(_body(blob, start, end, faults, spoilt), status, head)


async def _body(blob: Blob, start: int, end: int, faults: Faults, spoilt: bool) -> AsyncIterator[bytes]:
    began, sent, position = time.monotonic(), 0, start
    while position < end:
        step = min(CHUNK, end - position)
        if faults.bytes_per_s:
            step = min(step, max(1, faults.bytes_per_s // 10))
        if spoilt and faults.cut_after is not None:
            step = min(step, faults.cut_after - sent)
            if step <= 0:
                raise ConnectionAbortedError("cut on purpose")
        chunk = blob.read(position, step)
        if spoilt and faults.corrupt and position <= blob.size // 2 < position + len(chunk):
            at = blob.size // 2 - position
            chunk = chunk[:at] + bytes([chunk[at] ^ 0xFF]) + chunk[at + 1 :]
        yield chunk
        position += len(chunk)
        sent += len(chunk)
        if faults.bytes_per_s:
            await asyncio.sleep(max(0.0, sent / faults.bytes_per_s - (time.monotonic() - began)))


class Emulator:
    """A service in a box: an ASGI application, its faults, and what it was told.

    A subclass gives `routes()`; every request passes `spoil` first. `now` is its clock (unix seconds).
    """

    def __init__(self, now: Clock = time.time) -> None:
        self.faults = Faults()
        self.now = now
        self.base_url = ""
        """Where it is served; set by whoever serves it."""
        self.app: ASGIApp = self._guarded(Starlette(routes=self.routes()))

    def routes(self) -> list[Route]:
        """The service's routes."""
        raise NotImplementedError

    def _guarded(self, inner: ASGIApp) -> ASGIApp:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                query = scope["query_string"].decode("latin-1")
                path = scope["raw_path"].decode("latin-1").partition("?")[0]
                self.faults.seen.append(f"{scope['method']} {path}{'?' + query if query else ''}")
                if self.faults.latency_s:
                    await asyncio.sleep(self.faults.latency_s)
                spoilt = self.spoil()
                if spoilt is not None:
                    await spoilt(scope, receive, send)
                    return
            await inner(scope, receive, send)

        return app

    def spoil(self) -> Response | None:
        """The answer to give instead of the right one, if a fault says so."""
        if self.faults.status is not None:
            headers = {"retry-after": self.faults.retry_after} if self.faults.retry_after else None
            return JSONResponse({"message": "switched off on purpose"}, self.faults.status, headers)
        if self.faults.not_json:
            return Response("<html><body>Please sign in</body></html>", media_type="text/html")
        return None


class ObjectStore(Emulator):
    """Storage with presigned links on an origin of its own.

    assumption: like S3, a link that ran out answers 403 with XML, and a request that carries another credential
    (Authorization, Cookie, api-key, Guid) is refused with 400; so a client that leaks one is found out.
    """

    def __init__(self, now: Clock = time.time, lifetime_s: float = 600.0) -> None:
        super().__init__(now)
        self.lifetime_s = lifetime_s
        self.leaks: list[str] = []
        """Names of credential headers that came in."""
        self._blobs: dict[str, Blob] = {}
        self._key = b"presign"
        self.object_faults: dict[str, Faults] = {}
        """Faults of single objects, by key; others use `faults`."""

    def routes(self) -> list[Route]:
        """Every path is an object."""
        return [Route("/{key:path}", self._get, methods=["GET"])]

    def put(self, key: str, blob: Blob) -> None:
        """Keep an object."""
        self._blobs[key] = blob

    def presign(self, key: str) -> str:
        """A link to an object that runs out after `lifetime_s`."""
        expires = str(int(self.now() + self.lifetime_s))
        query = urlencode({"X-Amz-Expires": expires, "X-Amz-Signature": self._sign(key, expires)})
        return f"{self.base_url}/{key}?{query}"

    def _sign(self, key: str, expires: str) -> str:
        return hmac.new(self._key, f"{key}\n{expires}".encode(), hashlib.sha256).hexdigest()

    def _error(self, status: int, code: str) -> Response:
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
        return Response(body, status, media_type="application/xml")

    async def _get(self, request: Request) -> Response:
        for name in ("authorization", "cookie", "api-key", "guid", "x-api-key"):
            if name in request.headers:
                self.leaks.append(name)
                return self._error(400, "InvalidArgument")
        key = request.path_params["key"]
        expires = request.query_params.get("X-Amz-Expires", "")
        signature = request.query_params.get("X-Amz-Signature", "")
        if not hmac.compare_digest(signature, self._sign(key, expires)):
            return self._error(403, "SignatureDoesNotMatch")
        if float(expires) < self.now():
            return self._error(403, "AccessDenied")
        if key not in self._blobs:
            return self._error(404, "NoSuchKey")
        return file_response(request, self._blobs[key], self.object_faults.get(key, self.faults))


class Loopback:
    """Serves emulators on 127.0.0.1, each on a port of its own, from one thread with its own event loop."""

    def __init__(self) -> None:
        for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):
            logger = logging.getLogger(name)
            logger.propagate = False
            if not logger.handlers:
                logger.addHandler(logging.NullHandler())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="emulators", daemon=True)
        self._servers: list[tuple[uvicorn.Server, asyncio.Future[None]]] = []

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def __enter__(self) -> "Loopback":
        self._thread.start()
        return self

    def serve(self, emulator: Emulator, port: int = 0, **tls: str) -> str:
        """Serve an emulator and give its address. `tls`: uvicorn's `ssl_certfile` and `ssl_keyfile`."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(128)
        emulator.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{sock.getsockname()[1]}"
        config = uvicorn.Config(
            emulator.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
            **tls,  # type: ignore[arg-type]  # uvicorn types each of its options by itself
        )
        server = uvicorn.Server(config)
        # `_serve` and not `serve`: the latter takes over the process's signal handlers.
        future = asyncio.run_coroutine_threadsafe(server._serve(sockets=[sock]), self._loop)
        self._servers.append((server, asyncio.wrap_future(future, loop=self._loop)))
        return emulator.base_url

    def call(self, function: Callable[[], Any]) -> Any:
        """Run something on the emulators' loop and give its result (awaited if it is a coroutine)."""

        async def on_loop() -> Any:
            result = function()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result(30)

    def close(self) -> None:
        """Stop all servers; connections that are still open are cut."""

        async def stop() -> None:
            for server, _ in self._servers:
                server.should_exit = True
                server.force_exit = True
            await asyncio.gather(*(done for _, done in self._servers), return_exceptions=True)
            # Answers that a client no longer waits for (`latency_s`) would outlive the loop.
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
