"""aiohttp without the certificates that it reads for itself as it is loaded: 29 ms of CPU and 2 MB.

Nothing here connects by them: each session is given its account's own (providers/tls.py). aiohttp's then trusts nobody,
so that a session that were given none would be refused.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["ResponseHandler", "aiohttp"]


@contextmanager
def _trusting_nobody() -> Iterator[None]:
    """On this thread a default context has no certificates; other threads have theirs meanwhile."""
    here, full = threading.get_ident(), ssl.create_default_context

    def create_default_context(*purpose: Any, **given: Any) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if threading.get_ident() == here else full(*purpose, **given)

    ssl.create_default_context = create_default_context
    try:
        yield
    finally:
        ssl.create_default_context = full


with _trusting_nobody():
    import aiohttp
    from aiohttp.client_proto import ResponseHandler
