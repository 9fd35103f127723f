"""Where the receiver listens: its address, its socket and its certificate; whatever is wrong with them, in words."""

import asyncio
import errno
import ipaddress
import socket
import ssl
from pathlib import Path

from msgspec import Struct

from vault.errors import VaultError


class Listening(Struct, frozen=True):
    """Where and how to listen.

    `port` 0: any free one. `trusted_proxies`: addresses or networks whose X-Forwarded-For is believed. `allow_plain`:
    plain HTTP on other addresses than loopback, too. A host name is listened on at its first IPv4 address.
    """

    host: str
    port: int
    tls_cert: Path | None
    tls_key: Path | None
    trusted_proxies: tuple[str, ...] = ()
    allow_plain: bool = False

    @property
    def encrypted(self) -> bool:
        """Whether HTTPS is wanted."""
        return self.tls_cert is not None or self.tls_key is not None

    def at(self, port: int) -> str:
        """Host and port as addresses are written."""
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"

    @property
    def where(self) -> str:
        """Host and port as configured."""
        return self.at(self.port)


async def bind(listening: Listening) -> socket.socket:
    """A socket bound to where `listening` says; it does not listen yet. Raises VaultError."""
    if not 0 <= listening.port <= 65535:
        raise VaultError(f"cannot listen on port {listening.port}: ports go from 1 to 65535")
    family, address = await _address(listening)
    plain_everywhere = not listening.encrypted and not listening.allow_plain
    if plain_everywhere and not ipaddress.ip_address(address[0]).is_loopback:
        raise VaultError(
            f"will not listen on {listening.where} without encryption: tokens and links could be read on the way; "
            "give tls_cert and tls_key, or listen on 127.0.0.1 behind a reverse proxy, or say allow_plain"
        )
    # asyncio switches Nagle off only where the protocol is named; else each answer on a kept connection waits 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Started again on the same port at once, although old connections still linger in TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise VaultError(bind_words(error, listening)) from None
    return sock


async def _address(listening: Listening) -> tuple[int, tuple[str, int]]:
    if not listening.host:
        raise VaultError('cannot listen: no host is given; host = "127.0.0.1" is this machine alone')
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(listening.host, listening.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise VaultError(
            f"cannot listen on {listening.where}: there is no such address; 127.0.0.1 is this machine alone"
        ) from None
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, address  # type: ignore[return-value]  # addresses of other families do not come with a host


def bind_words(error: OSError, listening: Listening) -> str:
    """Why nothing listens there, and what to do."""
    where = listening.where
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: another program listens there; stop it, or choose another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen on {where}: this machine has no such address; 127.0.0.1 is this machine alone"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"cannot listen on {where}: this user may not use port {listening.port}; choose one above 1023 and put a "
            "reverse proxy in front"
        )
    return f"cannot listen on {where}: {error.strerror or 'the system refuses'}; choose another host or port"


def tls_context(listening: Listening) -> ssl.SSLContext | None:
    """TLS 1.2 or newer from the files that `listening` names; None for plain HTTP. Raises VaultError."""
    if not listening.encrypted:
        return None
    cert, key = listening.tls_cert, listening.tls_key
    if cert is None or key is None:
        missing, given = ("tls_cert", "tls_key") if cert is None else ("tls_key", "tls_cert")
        raise VaultError(f"HTTPS needs a certificate and its key: {given} is given, {missing} is not")
    for path, name in ((cert, "tls_cert"), (key, "tls_key")):
        _readable(path, name)
    if key.stat().st_mode & 0o077:
        raise VaultError(f"others can read the key {key} (tls_key): chmod 600 {key}")
    asked: list[bool] = []

    def no_passphrase() -> str:
        # Without this, OpenSSL itself would ask for it on the terminal.
        asked.append(True)
        return ""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(cert, key, no_passphrase)
    except ssl.SSLError as error:
        if asked:
            words = f"the key {key} (tls_key) is sealed with a passphrase: give one without"
        elif error.reason == "KEY_VALUES_MISMATCH":
            words = f"the certificate {cert} and the key {key} do not belong together"
        else:
            words = f"{cert} and {key} are not a certificate and its key in PEM: {error.reason or 'unreadable'}"
        raise VaultError(words) from None
    except OSError as error:
        raise VaultError(f"cannot read {cert} and {key}: {error.strerror}") from None
    return context


def _readable(path: Path, name: str) -> None:
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise VaultError(f"there is no file {path} ({name})") from None
    except OSError as error:
        raise VaultError(f"cannot read {path} ({name}): {error.strerror}") from None


def proxies(listening: Listening) -> list[str]:
    """The trusted proxies, each an address or a network. Raises VaultError for anything else."""
    found = []
    for one in listening.trusted_proxies:
        try:
            network = ipaddress.ip_network(one.strip(), strict=False)
        except ValueError:
            raise VaultError(f"trusted_proxies: {one!r} is neither an address nor a network like 10.0.0.0/8") from None
        found.append(str(network))
    return found
