"""Servers on loopback to look at: with whatever certificate and date."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from providers.base import AccountSettings
from providers.origin import Origin
from providers.probing import Probe
from providers.steps import Limits, Outcome, Step

DAY = timedelta(days=1)
SHORT = Limits(name_s=0.3)
HERE = ip_address("127.0.0.1")


def now() -> datetime:
    return datetime.now(UTC)


def settings(**more: Any) -> AccountSettings:
    return AccountSettings("acc", "flexperto", {}, **{"timeout_s": 5.0, **more})


class Said:
    """What came in at a server, and the date that it tells."""

    def __init__(self) -> None:
        self.origin = Origin("https", "127.0.0.1", 1)
        self.requests: list[bytes] = []
        self.date: str | None = None


@asynccontextmanager
async def serving(context: ssl.SSLContext | None, date: datetime | str | None = None) -> AsyncIterator[Said]:
    """A server on loopback that answers every request with an empty page."""
    said = Said()
    line = format_datetime(date, usegmt=True) if isinstance(date, datetime) else date

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said.requests.append(await reader.readuntil(b"\r\n\r\n"))
            head = f"Date: {line}\r\n" if line else ""
            writer.write(f"HTTP/1.1 404 Nothing\r\n{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.transport.abort() if not said.requests else writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    scheme = "https" if context else "http"
    said.origin = Origin(scheme, "127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield said
    finally:
        server.close()


def server_context(issued: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


def self_made(folder: Path, subject: str, names: Sequence[x509.GeneralName] | None = None) -> ssl.SSLContext:
    """A server with a certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else [])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now() - DAY, now() + 90 * DAY)
    listed = [x509.IPAddress(HERE)] if names is None else names
    if listed:
        builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)
    made = builder.sign(key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "own.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    return context


async def way(probe: Probe) -> list[Step]:
    return [step async for step in probe.way()]


async def tls_of(context: ssl.SSLContext | None, limits: Limits = Limits(), **more: Any) -> Step:  # noqa: B008 - frozen
    """The TLS step with a server, after a name and a connection that are right."""
    async with serving(context) as said:
        origin = replace(said.origin, scheme="https")
        steps = await way(Probe(settings(**more), origin, now, limits))
    assert [step.name for step in steps] == ["name", "connection", "TLS"]
    assert [step.outcome for step in steps[:2]] == [Outcome.PASSED, Outcome.PASSED]
    assert said.requests == []
    return steps[2]
