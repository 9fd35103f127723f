"""Addresses, ports, certificates and proxies that cannot be: each refused in words, with nothing left open."""

import asyncio
import errno
import os
import socket
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from msgspec import structs

from tests.vault.inbox.hostile import GET, LATE_S, PATIENT, Tiny, certificate, client, local, port_of, served
from vault.errors import VaultError
from vault.inbox.binding import bind_words, tls_context
from vault.inbox.serving import Listening, Serving


async def refused(listening: Listening) -> str:
    """Why it does not start; and nothing of it is left."""
    before = len(os.listdir("/proc/self/fd"))
    serving = Serving(Tiny(), listening, PATIENT)
    with pytest.raises(VaultError) as caught:
        await serving.start()
    await asyncio.wait_for(serving.wait(), LATE_S)
    await serving.stop()
    assert len(os.listdir("/proc/self/fd")) == before
    return caught.value.words


async def test_a_port_that_is_taken() -> None:
    async with served(Tiny()) as serving:
        port = port_of(serving)
        words = await refused(local(port))
        assert words == (
            f"cannot listen on 127.0.0.1:{port}: another program listens there; stop it, or choose another port"
        )
        async with client(serving) as one:
            await one.send(GET)
            assert await one.status() == 204


async def test_a_port_that_is_bound_but_not_listened_on() -> None:
    """Two may bind with SO_REUSEADDR; the second to listen is the one who is refused."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        serving = Serving(Tiny(), local(other.getsockname()[1]), PATIENT)
        await serving.start()
        with pytest.raises(OSError, match="in use"):
            other.listen()
        await serving.stop()


async def test_a_port_that_another_took_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound, but the other listened first; that moment cannot be brought about, so its error is."""

    async def create_server(*_: object, **__: object) -> None:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", create_server)
    assert "another program listens there" in await refused(local())


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("192.0.2.77", 8787, "cannot listen on 192.0.2.77:8787: this machine has no such address"),
        ("x" * 64, 8787, "there is no such address"),
        ("fe80::1%nosuch", 8787, "cannot listen on [fe80::1%nosuch]:8787: there is no such address"),
        ("", 8787, "no host is given"),
        ("127.0.0.1", 65536, "cannot listen on port 65536: ports go from 1 to 65535"),
        ("127.0.0.1", -1, "cannot listen on port -1"),
    ],
)
async def test_addresses_that_cannot_be(host: str, port: int, words: str) -> None:
    listening = Listening(host, port, None, None, allow_plain=True)
    assert words in await refused(listening)


def test_the_systems_refusals_in_words() -> None:
    low = Listening("127.0.0.1", 443, None, None)
    assert "this user may not use port 443; choose one above 1023" in bind_words(PermissionError(errno.EACCES, ""), low)
    assert bind_words(OSError(errno.ENOBUFS, "No buffer space available"), low) == (
        "cannot listen on 127.0.0.1:443: No buffer space available; choose another host or port"
    )
    assert "the system refuses" in bind_words(OSError(), low)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_plain_http_is_for_loopback(host: str) -> None:
    words = await refused(Listening(host, 0, None, None))
    assert "without encryption" in words
    assert "tls_cert" in words
    assert "allow_plain" in words


async def test_plain_http_elsewhere_when_told() -> None:
    serving = Serving(Tiny(), Listening("0.0.0.0", 0, None, None, allow_plain=True), PATIENT)
    await serving.start()
    try:
        assert serving.address.startswith("http://0.0.0.0:")
        async with client(serving) as one:
            await one.send(GET)
            assert await one.status() == 204
    finally:
        await serving.stop()


def test_tls_is_1_2_or_newer(tmp_path: Path) -> None:
    cert, key, _ = certificate(tmp_path)
    context = tls_context(Listening("127.0.0.1", 0, cert, key))
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert tls_context(local()) is None


async def test_tls_files_that_cannot_be_used(tmp_path: Path) -> None:
    cert, key, _ = certificate(tmp_path)
    other_cert, other_key, _ = certificate(tmp_path, "other")
    nothing = tmp_path / "nothing"
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no PEM")
    rubbish.chmod(0o600)
    open_key = tmp_path / "open.key"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o640)
    sealed = tmp_path / "sealed.key"
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    sealed.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"zqx"),
        )
    )
    sealed.chmod(0o600)

    async def words(cert: Path | None, key: Path | None) -> str:
        return await refused(Listening("127.0.0.1", 0, cert, key))

    assert await words(cert, None) == "HTTPS needs a certificate and its key: tls_cert is given, tls_key is not"
    assert await words(None, key) == "HTTPS needs a certificate and its key: tls_key is given, tls_cert is not"
    assert await words(nothing, key) == f"there is no file {nothing} (tls_cert)"
    assert await words(cert, nothing) == f"there is no file {nothing} (tls_key)"
    assert await words(tmp_path, key) == f"cannot read {tmp_path} (tls_cert): Is a directory"
    assert await words(cert, open_key) == f"others can read the key {open_key} (tls_key): chmod 600 {open_key}"
    assert await words(cert, other_key) == f"the certificate {cert} and the key {other_key} do not belong together"
    assert f"the key {sealed} (tls_key) is sealed with a passphrase" in await words(cert, sealed)
    assert f"{rubbish} and {key} are not a certificate and its key in PEM" in await words(rubbish, key)
    assert f"{cert} and {rubbish} are not a certificate and its key in PEM" in await words(cert, rubbish)
    assert await words(other_cert, other_key.with_name("one.key")) != ""


@pytest.mark.parametrize("name", ["*", "proxy.example", "10.0.0.0/33", ""])
async def test_a_proxy_is_an_address_or_a_network(name: str) -> None:
    words = await refused(structs.replace(local(), trusted_proxies=("127.0.0.1", name)))
    assert words == f"trusted_proxies: {name!r} is neither an address nor a network like 10.0.0.0/8"
