"""A small server of a thread's own: it answers 404 with any Date, with any certificate, or not at all."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.providers.probed import now


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ahead = timedelta()

    def _answer(self) -> None:
        self.send_response_only(404)
        self.send_header("Date", format_datetime(now() + self.ahead, usegmt=True))
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815 - the library's names

    def log_message(self, *args: Any) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        return (self.context.wrap_socket(connection, server_side=True) if self.context else connection), address

    def handle_error(self, *args: Any) -> None:
        """Who refuses the certificate goes without a word."""


@contextmanager
def answering(context: ssl.SSLContext | None = None, ahead: timedelta = timedelta()) -> Iterator[int]:
    """A server; its port. `ahead`: of its clock. Its certificate is in `context`; None: it speaks no TLS."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"ahead": ahead}))
    server.context = context
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def hanging() -> Iterator[int]:
    """A port where connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]
