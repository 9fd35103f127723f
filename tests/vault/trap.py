"""A second server that no credential belongs to, and services that send whoever asks to it. All of it on loopback."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from starlette.responses import Response

from providers.emulation import Emulator, Loopback

COOKIE = "trap-cookie-5f0d"
"""The value of the cookie that comes with every redirect."""
HARMLESS = {
    *("host", "user-agent", "accept", "accept-encoding", "connection", "content-type", "content-length"),
    *("range", "if-range"),
}
"""Headers that say nothing about who asks. Whatever else a service is sent, is taken for a credential."""


@dataclass(frozen=True)
class Sent:
    """A request as it came in."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @property
    def identifying(self) -> dict[str, str]:
        """The headers that are not harmless."""
        return {name: value for name, value in self.headers if name not in HARMLESS}

    @property
    def whole(self) -> str:
        """All of it, to be searched."""
        return f"{self.method} {self.target}\n{self.headers}\n{self.body.decode('latin-1')}"


class Authority:
    """A private authority, and a certificate of it for every way to spell this machine."""

    def __init__(self, folder: Path) -> None:
        made = trustme.CA()
        leaf = made.issue_cert("127.0.0.1", "127.0.0.2", "localhost")
        self.ca_file, self.cert_file, self.key_file = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
        made.cert_pem.write_to_path(self.ca_file)
        leaf.private_key_pem.write_to_path(self.key_file)
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(self.cert_file, append=True)

    def context(self, highest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """For a server; `highest`: one that offers nothing newer than that."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if highest is not None:
            with pytest.warns(DeprecationWarning, match="TLS"):
                context.minimum_version, context.maximum_version = highest, highest
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(self.cert_file, self.key_file)
        return context


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A refused handshake is told by the client."""


@contextmanager
def trap(host: str, port: int, content: bytes, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[Sent]]]:
    """Serve `content` to every request on host:port (0: any); gives the port, and what came in."""
    seen: list[Sent] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = tuple((name.lower(), value) for name, value in self.headers.items())
            seen.append(Sent(self.command, self.path, headers, self.rfile.read(length)))
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = _Listener((host, port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Away:
    """Where the services send whoever asks, with which status; what they were sent until now."""

    status: int = 302
    to: str = ""
    """An address without a path; "": nowhere, the service answers by itself."""
    sent: list[Sent] = field(default_factory=list)

    def secrets(self) -> set[str]:
        """Whatever the services were sent that could say who asks: header values, and each part of them."""
        values = {value for one in self.sent for value in one.identifying.values()}
        parts = {part for value in values for part in value.replace("=", " ").replace(";", " ").split()}
        return {part for part in values | parts if len(part) >= 6}


class Misleading(Loopback):
    """Serves emulators that redirect every request to another server while `away.to` says so, with a cookie."""

    def __init__(self, away: Away, **tls: str) -> None:
        super().__init__()
        self._away = away
        self._tls = tls

    def serve(self, emulator: Emulator, port: int = 0, **tls: str) -> str:
        """As always, but led astray."""
        emulator.app = self._astray(emulator.app)
        return super().serve(emulator, port, **(self._tls | tls))

    def _astray(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return
            path, _, query = scope["raw_path"].decode("latin-1").partition("?")
            query = scope["query_string"].decode("latin-1") or query
            target = f"{path}?{query}" if query else path
            headers = tuple((name.decode("latin-1").lower(), text.decode("latin-1")) for name, text in scope["headers"])
            self._away.sent.append(Sent(scope["method"], target, headers))
            if not self._away.to:
                await inner(scope, receive, send)
                return
            cookie = f"sid={COOKIE}; Path=/"
            answer = Response(
                status_code=self._away.status, headers={"location": self._away.to + path, "set-cookie": cookie}
            )
            await answer(scope, receive, send)

        return app
