"""The way to an account's server, looked at step by step: its name, a connection, TLS, its clock.

No credential is known here, and none is sent. What goes wrong is told in words, never raised.
"""

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from msgspec import Struct

from providers import certificate
from providers.address import Resolve, literal, look_up
from providers.base import AccountSettings, NotTrusted, ProviderError
from providers.http import Http
from providers.messages import Request
from providers.origin import Origin
from providers.steps import USUAL, Limits, Outcome, Step
from providers.tls import context_of, system_authorities

NAME, CONNECTION, TLS, CLOCK = "name", "connection", "TLS", "clock"
MOST_ADDRESSES = 8
SKEW_ALLOWED_S = 60.0
"""Signed links and certificates bear about so much."""
_READ_BYTES = 16_384
_TOO_OLD = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
"""OpenSSL's reasons; releases name what is no TLS differently."""
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def proxy_in_words(proxy: str) -> str:
    """A proxy's host and port, without a password. Raises NotTrusted for what is no address of one."""
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise NotTrusted("proxy is no address of an HTTP proxy (http://host:port)")
    return f"{host}:{port}" if port else host


def authorities_in_words(settings: AccountSettings) -> str:
    """Which certificate authorities judge the account's server."""
    if settings.ca_file:
        return f"the authorities in ca_file {settings.ca_file}"
    file, folder = system_authorities()
    return f"the system's authorities ({file or folder or 'none found'})"


class _Tried(Struct, frozen=True):
    """One address that was connected to, or why not."""

    address: str
    words: str
    answered: bool = False
    grave: bool = False
    """Worth a warning where another address answered: more than this machine having no way there."""


class Probe(Struct, frozen=True):
    """Looks at the way to `origin` as an account would go it. `resolve` gives a name's addresses."""

    settings: AccountSettings
    origin: Origin
    now: Callable[[], datetime]
    limits: Limits = USUAL
    resolve: Resolve = look_up

    async def way(self) -> AsyncIterator[Step]:
        """Name, connection, TLS; ends after the first that failed. Raises NotTrusted for an unusable proxy alone."""
        if self.settings.proxy:
            proxy = proxy_in_words(self.settings.proxy)
            for name, what in ((NAME, "looks the name up"), (CONNECTION, "connects"), (TLS, "leads to the service")):
                yield Step(name, Outcome.NOT_CHECKED, f"the proxy {proxy} {what}: the credential's step tries it")
            return
        step, addresses = await self.name()
        yield step
        if not addresses:
            return
        step, address = await self.connection(addresses)
        yield step
        if address is not None:
            yield await self.tls(address)

    async def name(self) -> tuple[Step, list[str]]:
        """The addresses that the name leads to."""
        host, began = self.origin.host, time.monotonic()
        address = literal(host)
        if address is not None:
            return Step(NAME, Outcome.PASSED, f"{host} is an address: there is no name to look up"), [address]
        try:
            async with asyncio.timeout(self.limits.name_s):
                found = await self.resolve(host, self.origin.port)
        except TimeoutError:
            words = (
                f"no name server told of {host} in {self.limits.name_s:g} s: is this machine connected, and are its "
                "name servers (/etc/resolv.conf) right?"
            )
            return Step(NAME, Outcome.FAILED, words), []
        except OSError as error:
            return Step(NAME, Outcome.FAILED, _unknown(host, error)), []
        if not found:
            return Step(NAME, Outcome.FAILED, f"{host} is known, but has no address"), []
        number = "1 address" if len(found) == 1 else f"{len(found)} addresses"
        shown = ", ".join(found[:MOST_ADDRESSES]) + (" and more" if len(found) > MOST_ADDRESSES else "")
        return Step(NAME, Outcome.PASSED, f"{host} has {number}: {shown} ({_ms(began)})"), found

    async def connection(self, addresses: list[str]) -> tuple[Step, str | None]:
        """Connects to all addresses at once; gives the first, in their order, that answered."""
        tried = await asyncio.gather(*(self._try(address) for address in addresses[:MOST_ADDRESSES]))
        words = f"port {self.origin.port}: " + "; ".join(f"{one.address} {one.words}" for one in tried)
        answered = next((one.address for one in tried if one.answered), None)
        if answered is None:
            advice = "is the port right (base_url), does the service run, does a firewall stand in between?"
            return Step(CONNECTION, Outcome.FAILED, f"{words}; {advice}"), None
        outcome = Outcome.WARNING if any(one.grave for one in tried) else Outcome.PASSED
        return Step(CONNECTION, outcome, words), answered

    async def _try(self, address: str) -> _Tried:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.limits.connection_s):
                _, writer = await asyncio.open_connection(address, self.origin.port)
        except TimeoutError:
            return _Tried(address, f"did not answer in {self.limits.connection_s:g} s", grave=True)
        except ConnectionRefusedError:
            return _Tried(address, "refuses connections", grave=True)
        except OSError as error:
            if error.errno in _NO_WAY:
                return _Tried(address, f"cannot be reached from here ({_reason(error)})")
            return _Tried(address, f"cannot be connected to ({_reason(error)})", grave=True)
        writer.transport.abort()
        return _Tried(address, f"answered in {_ms(began)}", answered=True)

    async def tls(self, address: str) -> Step:
        """One handshake with the server at an address; a second one, unverified, reads what was refused."""
        host, verify = self.origin.host, self.settings.verify
        if self.origin.scheme == "http":
            words = f"{self.origin} is not encrypted; that is accepted since {host} is this machine"
            return Step(TLS, Outcome.NOT_CHECKED, words)
        try:
            version, der = await self._handshake(address, verify=verify)
        except ssl.SSLCertVerificationError as error:
            found = await self._refused(address)
            now, authorities = self.now(), authorities_in_words(self.settings)
            why = certificate.why_refused(error, found, host, now, authorities)
            return Step(TLS, Outcome.FAILED, f"{certificate.described(found, now)}: refused, since {why}")
        except TimeoutError:
            words = (
                f"the connection stands, but nothing answered the TLS greeting in {self.limits.tls_s:g} s: "
                "is the port right (base_url), does a firewall stand in between?"
            )
            return Step(TLS, Outcome.FAILED, words)
        except OSError as error:  # SSLError among them
            return Step(TLS, Outcome.FAILED, _no_handshake(error))
        except NotTrusted as error:
            return Step(TLS, Outcome.FAILED, error.words)
        found = certificate.read(der)
        words = f"{version.replace('TLSv', 'TLS ')}; {certificate.described(found, self.now())}"
        if not verify:
            mark = f"; its SHA-256 is {found.fingerprint}" if found else ""
            return Step(
                TLS,
                Outcome.WARNING,
                f"not checked (verify = false): anyone in between can read along. {words}{mark}",
            )
        words += f"; trusted by {authorities_in_words(self.settings)}"
        if found and found.ends - self.now() < certificate.SOON:
            return Step(TLS, Outcome.WARNING, f"it ends soon, and must be renewed before. {words}")
        return Step(TLS, Outcome.PASSED, words)

    async def _refused(self, address: str) -> certificate.Certificate | None:
        try:
            _, der = await self._handshake(address, verify=False)
        except (OSError, NotTrusted):
            return None
        return certificate.read(der)

    async def _handshake(self, address: str, *, verify: bool) -> tuple[str, bytes | None]:
        """TLS version and certificate (DER). Raises OSError (SSLError, TimeoutError), NotTrusted for the ca_file."""
        async with asyncio.timeout(self.limits.tls_s):
            context = await asyncio.to_thread(context_of, self.settings, verify=verify)
            reader, writer = await asyncio.open_connection(address, self.origin.port)
            try:
                return await _shake(context, self.origin.host, reader, writer)
            finally:
                writer.transport.abort()

    async def clock(self) -> Step:
        """This machine's clock beside the service's Date, asked for by a HEAD of the origin's root."""
        http = Http(self.settings, (self.origin,), dict)  # knows no credential
        try:
            async with asyncio.timeout(self.limits.clock_s):
                asked = self.now()
                answer = await http.send(Request("HEAD", f"{self.origin}/"))
                answered = self.now()
        except TimeoutError:
            return Step(CLOCK, Outcome.NOT_CHECKED, f"no answer with a date came in {self.limits.clock_s:g} s")
        except ProviderError as error:
            return Step(CLOCK, Outcome.NOT_CHECKED, f"no answer with a date came: {error.words}")
        finally:
            await http.aclose()
        return compared(answer.headers, asked + (answered - asked) / 2)


def compared(headers: Mapping[str, str], now: datetime) -> Step:
    """The clock's step from an answer's headers (lower-case names) and our time meanwhile, to about a second."""
    told = headers.get("date", "")
    try:
        date = parsedate_to_datetime(told)
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
        # A Date has whole seconds, cut off; and what comes from a cache is as old as its Age.
        ahead_s = (now - date - timedelta(seconds=0.5 + _age_s(headers))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        words = "the service's date cannot be read" if told else "the service tells no date"
        return Step(CLOCK, Outcome.NOT_CHECKED, words)
    off = f"this machine's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the service's"
    if abs(ahead_s) > SKEW_ALLOWED_S:
        words = f"{off}: signed links and certificates depend on it; set this machine's clock (NTP)"
        return Step(CLOCK, Outcome.WARNING, words)
    return Step(CLOCK, Outcome.PASSED, off if abs(ahead_s) >= 1.5 else "this machine's clock agrees with the service's")


def _age_s(headers: Mapping[str, str]) -> int:
    age = headers.get("age", "").strip()
    return int(age[:9]) if age.isascii() and age.isdigit() else 0


async def _shake(
    context: ssl.SSLContext, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[str, bytes | None]:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            writer.write(outgoing.read())
            received = await reader.read(_READ_BYTES)
            if received:
                incoming.write(received)
            else:
                incoming.write_eof()
        else:
            return tls.version() or "TLS", tls.getpeercert(binary_form=True)
        finally:
            writer.write(outgoing.read())  # its end, or what tells the server why we go


def _unknown(host: str, error: OSError) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return (
            f"no name server could tell of {host} ({_reason(error)}): is this machine connected, and are its name "
            "servers (/etc/resolv.conf) right?"
        )
    return f"the name {host} is not known (DNS: {_reason(error)}): is base_url spelt right?"


def _no_handshake(error: OSError) -> str:
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return (
            "the server broke the TLS handshake off: is the port right (base_url)? Or it speaks only a TLS older than "
            "1.2, or wants a client certificate; neither is supported"
        )
    if reason in _TOO_OLD:
        return "the server speaks only a TLS older than 1.2, which is not used; whoever runs it must update it"
    if reason in _NO_TLS:
        return "the server answers, but not with TLS: is the port right (base_url)?"
    if reason:
        return f"the TLS handshake failed: {reason.replace('_', ' ').lower()}"
    return f"the TLS handshake failed: {_reason(error)}"


def _ms(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
