import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from providers import certificate
from providers.base import NotTrusted
from providers.http import Http
from providers.origin import Origin
from providers.probing import Probe
from providers.steps import MAX_WORDS, Outcome
from providers.tls import context_of
from tests.providers.probed import DAY, SHORT, now, self_made, server_context, serving, settings, tls_of


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Good Authority")


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def test_a_server_that_the_account_trusts(authority: trustme.CA, ca_file: str) -> None:
    ends = now() + timedelta(days=40, hours=1)
    issued = authority.issue_cert("127.0.0.1", "desk.example", common_name="desk.example", not_after=ends)
    step = await tls_of(server_context(issued), ca_file=ca_file)
    assert step.outcome is Outcome.PASSED
    assert step.words.startswith("TLS 1.3; certificate of CN=desk.example")
    assert "Good Authority" in step.words
    assert "for desk.example, 127.0.0.1, valid from 2000-01-01 until" in step.words
    assert "(40 days left)" in step.words
    assert step.words.endswith(f"trusted by the authorities in ca_file {ca_file}")


async def test_an_authority_that_nobody_knows_is_named(authority: trustme.CA, tmp_path: Path) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    step = await tls_of(context)
    assert step.outcome is Outcome.FAILED
    assert "the system's authorities (" in step.words
    assert "do not know OU=" in step.words
    assert "Good Authority" in step.words.partition("do not know")[2]
    assert "name the file as ca_file" in step.words
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    step = await tls_of(context, ca_file=str(other))
    assert f"the authorities in ca_file {other} do not know OU=" in step.words


async def test_an_expired_certificate(authority: trustme.CA, ca_file: str) -> None:
    issued = authority.issue_cert("127.0.0.1", not_before=now() - 9 * DAY, not_after=now() - 3.5 * DAY)
    step = await tls_of(server_context(issued), ca_file=ca_file)
    assert step.outcome is Outcome.FAILED
    assert "(ended 3 days ago): refused, since it has expired; whoever runs the service must renew it" in step.words
    assert f"this machine's clock says {now():%Y-%m-%d}" in step.words


async def test_a_certificate_that_is_not_valid_yet(authority: trustme.CA, ca_file: str) -> None:
    issued = authority.issue_cert("127.0.0.1", not_before=now() + DAY, not_after=now() + 9 * DAY)
    step = await tls_of(server_context(issued), ca_file=ca_file)
    assert step.outcome is Outcome.FAILED
    assert "it is not valid yet; this machine's clock says" in step.words


async def test_a_certificate_that_ends_soon_is_a_warning(authority: trustme.CA, ca_file: str) -> None:
    for days, outcome in ((13.9, Outcome.WARNING), (14.1, Outcome.PASSED)):
        issued = authority.issue_cert("127.0.0.1", not_after=now() + days * DAY)
        step = await tls_of(server_context(issued), ca_file=ca_file)
        assert (step.outcome, f"({int(days)} days left)" in step.words) == (outcome, True)
        assert step.words.startswith("it ends soon") is (outcome is Outcome.WARNING)


async def test_a_certificate_of_another_host_tells_the_names_it_has(authority: trustme.CA, ca_file: str) -> None:
    many = [f"host{number}.example" for number in range(9)]
    step = await tls_of(server_context(authority.issue_cert(*many)), ca_file=ca_file)
    assert step.outcome is Outcome.FAILED
    assert "it is not for 127.0.0.1 but for host0.example, host1.example" in step.words
    assert "host5.example and 3 more: is base_url right?" in step.words


def own_der(folder: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert((folder / "own.pem").read_text().partition("-----BEGIN PRIVATE")[0])


async def test_a_self_signed_certificate(tmp_path: Path) -> None:
    context = self_made(tmp_path, "gateway")
    step = await tls_of(context)
    assert step.outcome is Outcome.FAILED
    found = certificate.read(own_der(tmp_path))
    assert found
    assert "it is self-signed, and the system's authorities" in step.words
    assert f"compare its fingerprint (SHA-256 {found.fingerprint})" in step.words
    assert (await tls_of(context, ca_file=str(tmp_path / "own.pem"))).outcome is Outcome.PASSED


async def test_what_is_not_checked_is_a_warning_that_says_whose_it_is(tmp_path: Path) -> None:
    step = await tls_of(self_made(tmp_path, "gateway"), verify=False)
    assert step.outcome is Outcome.WARNING
    assert step.words.startswith("not checked (verify = false): anyone in between can read along. TLS 1.3; certificate")
    assert "certificate of CN=gateway, issued by CN=gateway" in step.words
    assert "its SHA-256 is " in step.words


async def test_a_hostile_certificate_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    subject = "\x1b]0;owned\x07\x1b[2J\u202egood\r\n[@click=app.quit]"
    names: list[x509.GeneralName] = [x509.DNSName("\x1b[31mred\x07"), x509.DNSName("x" * 3000)]
    for verify in (True, False):
        step = await tls_of(self_made(tmp_path, subject, names), verify=verify)
        assert "owned" in step.words
        assert step.words.isprintable()
        assert "\u202e" not in step.words
        assert len(step.words) <= MAX_WORDS


async def test_a_server_with_an_old_tls_only(authority: trustme.CA, ca_file: str) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    # asyncio's own server says nothing when it refuses, so this one blocks in a thread.
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> str:
            taken, _ = listening.accept()
            with taken, pytest.raises(ssl.SSLError) as refused:
                context.wrap_socket(taken, server_side=True)
            return str(refused.value.reason)

        refusing = asyncio.create_task(asyncio.to_thread(serve))
        origin = Origin("https", "127.0.0.1", listening.getsockname()[1])
        step = await Probe(settings(ca_file=ca_file), origin, now, SHORT).tls("127.0.0.1")
        assert await refusing == "UNSUPPORTED_PROTOCOL"
    assert step.outcome is Outcome.FAILED
    assert "speaks only a TLS older than 1.2, which is not used" in step.words
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    step = await tls_of(context, ca_file=ca_file)
    assert (step.outcome, step.words[:8]) == (Outcome.PASSED, "TLS 1.2;")


@asynccontextmanager
async def raw(first: bytes | None) -> AsyncIterator[int]:
    """A server that says `first` to whatever comes and closes; with None it says nothing and closes at once."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if first is not None:
            await reader.read(1)
            writer.write(first)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_server_that_cuts_the_line_while_we_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> bytes:
            taken, _ = listening.accept()
            with taken:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return taken.recv(1)

        cutting = asyncio.create_task(asyncio.to_thread(serve))
        origin = Origin("https", "127.0.0.1", listening.getsockname()[1])
        step = await Probe(settings(), origin, now, SHORT).tls("127.0.0.1")
        assert await cutting == b"\x16"
    assert "broke the TLS handshake off" in step.words


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not with TLS: is the port right (base_url)?"),
        (b"\x00\x01\x02" * 40, "not with TLS"),
        (None, "broke the TLS handshake off"),
        (b"", "broke the TLS handshake off"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "the TLS handshake failed: sslv3 alert handshake failure"),
    ],
)
async def test_what_is_no_tls(first: bytes | None, words: str) -> None:
    async with raw(first) as port:
        step = await Probe(settings(), Origin("https", "127.0.0.1", port), now, SHORT).tls("127.0.0.1")
    assert step.outcome is Outcome.FAILED
    assert words in step.words


async def test_a_refused_certificate_that_cannot_be_had_again(authority: trustme.CA) -> None:
    """The first connection is refused by us, the second one closed by the server."""
    inner = server_context(authority.issue_cert("127.0.0.1"))
    taken = 0
    async with serving(inner) as said:

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            taken += 1
            if taken > 1:
                writer.transport.abort()
                return
            there, here = await asyncio.open_connection("127.0.0.1", said.origin.port)
            here.write(await reader.read(65_536))
            writer.write(await there.read(65_536))
            await reader.read(65_536)
            here.transport.abort()
            writer.transport.abort()

        front = await asyncio.start_server(once, "127.0.0.1", 0)
        origin = Origin("https", "127.0.0.1", front.sockets[0].getsockname()[1])
        step = await Probe(settings(), origin, now, SHORT).tls("127.0.0.1")
        front.close()
    assert (step.outcome, taken) == (Outcome.FAILED, 2)
    assert "a certificate that cannot be read: refused, since the system's authorities" in step.words
    assert "do not know its issuer" in step.words


def test_tls_is_judged_as_the_client_judges_it(ca_file: str) -> None:
    for account in (settings(ca_file=ca_file), settings(), settings(ca_file=ca_file, verify=False)):
        ours = context_of(account, verify=account.verify)
        theirs = Http(account, (Origin("https", "a.example", 443),), dict)._tls()
        for part in ("minimum_version", "maximum_version", "verify_mode", "check_hostname", "options", "verify_flags"):
            assert getattr(ours, part) == getattr(theirs, part), part
        assert ours.get_ca_certs() == theirs.get_ca_certs()
        assert ours.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate\n")
    with pytest.raises(NotTrusted, match=r"empty\.pem holds no certificate"):
        context_of(settings(ca_file=str(tmp_path / "empty.pem")), verify=True)
    with pytest.raises(NotTrusted, match="No such file"):
        context_of(settings(ca_file=str(tmp_path / "missing.pem")), verify=False)


async def test_a_ca_file_that_is_gone_meanwhile(tmp_path: Path) -> None:
    step = await tls_of(self_made(tmp_path, "gateway"), ca_file=str(tmp_path / "gone.pem"))
    assert step.outcome is Outcome.FAILED
    assert "gone.pem: No such file" in step.words


# Certificates by themselves

DER = ssl.PEM_cert_to_DER_cert(trustme.CA().issue_cert("a.example").cert_chain_pems[0].bytes().decode())


@given(st.binary(max_size=60) | st.none())
def test_what_is_no_certificate(der: bytes | None) -> None:
    assert certificate.read(der) is None
    assert certificate.described(None, now()) == "a certificate that cannot be read"


@given(st.lists(st.tuples(st.integers(0, len(DER) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_spoilt_certificate_is_read_or_not_but_never_raises(changes: list[tuple[int, int]]) -> None:
    der = bytearray(DER)
    for position, value in changes:
        der[position] = value
    words = certificate.described(certificate.read(bytes(der)), now())
    assert "certificate" in words


def test_a_certificate_without_names(tmp_path: Path) -> None:
    self_made(tmp_path, "", names=())
    found = certificate.read(own_der(tmp_path))
    assert found
    assert found.names == ()
    assert "for no name, valid from" in certificate.described(found, now())
    twice = own_der(tmp_path).replace(b"\x02\x01\x07", b"\x02\x01\x00", 1)  # a serial number that none may have
    assert certificate.described(certificate.read(twice), now()).startswith("certificate")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10, "one that it depends on has expired"),
        (9, "one that it depends on is not valid yet"),
        (18, "compare its fingerprint (SHA-256 "),
        (19, "do not know "),
        (62, "it is not for b.example but for a.example"),
        (66, "too weak (the reason)"),
        (23, "the reason"),
    ],
)
def test_every_reason_has_words(code: int, words: str) -> None:
    error = ssl.SSLCertVerificationError(1, "refused")
    error.verify_code, error.verify_message = code, "the reason"
    assert words in certificate.why_refused(error, certificate.read(DER), "b.example", now(), "the authorities")
    without = certificate.why_refused(error, None, "b.example", now(), "the authorities")
    assert without
    assert "None" not in without
