"""aiohttp as the desk loads it."""

import ssl
import subprocess
import sys
import threading

import pytest

from providers import lean_aiohttp

LOOKED_AT = """
import ssl
from providers.lean_aiohttp import aiohttp
from aiohttp import connector
own = connector._SSL_CONTEXT_VERIFIED
print(len(own.get_ca_certs()), own.cert_store_stats()["x509_ca"], own.verify_mode.name, own.check_hostname)
print(ssl.create_default_context.__module__)
"""


def test_its_own_context_trusts_nobody_and_still_asks_for_a_certificate() -> None:
    done = subprocess.run([sys.executable, "-c", LOOKED_AT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["0 0 CERT_REQUIRED True", "ssl"]


def test_other_threads_have_their_own_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    class Told(ssl.SSLContext):
        pass

    monkeypatch.setattr(ssl, "create_default_context", lambda: Told(ssl.PROTOCOL_TLS_CLIENT))
    with lean_aiohttp._trusting_nobody():
        kinds = [type(ssl.create_default_context())]
        other = threading.Thread(target=lambda: kinds.append(type(ssl.create_default_context())))
        other.start()
        other.join()
    kinds.append(type(ssl.create_default_context()))
    assert kinds == [ssl.SSLContext, Told, Told]
