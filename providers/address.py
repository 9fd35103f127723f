"""Which addresses may be connected to: what came in a payload or a redirect may not lead into a private network."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from providers.base import NotTrusted

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Gives the addresses of a name, as literals, the best one first. Raises OSError."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address literal is a public one: not private, loopback, link-local, mapped or reserved."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:  # leads to the IPv4 address in its last 32 bits
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        elif ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def literal(host: str) -> str | None:
    """The address that a host is without any look-up, in whatever spelling (`2130706433`, `0x7f.1`); else None."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def check(host: str, addresses: list[str], *, loopback_allowed: bool) -> None:
    """Refuse a host of which any address is not public. Raises NotTrusted."""
    for address in addresses:
        loopback = loopback_allowed and ipaddress.ip_address(address.partition("%")[0]).is_loopback
        if not (loopback or is_public(address)):
            leads = "" if address == host else f" leads to {address}, which"
            raise NotTrusted(f"refused: {host}{leads} is not a public address")


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, by the system's resolver on a daemon thread. Raises OSError.

    An event loop's own threads are waited for when it ends, and a resolver that hangs would delay that.
    """
    told: Future[list[str]] = Future()
    told.set_running_or_notify_cancel()  # from here on nobody can cancel it, and the thread can always tell

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:
            told.set_exception(socket.gaierror(socket.EAI_NONAME, "it is no name"))
        except OSError as error:
            told.set_exception(error)
        else:
            told.set_result(list(dict.fromkeys(str(address[0]) for *_, address in found)))

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    return await asyncio.wrap_future(told)


class Names(AbstractResolver):
    """Where names lead, told within `within_s`. `guarded`: only when all of a name's addresses may be connected to.

    They are then the ones connected to, so that a name that leads elsewhere a moment later (DNS rebinding) changes
    nothing. It sees names alone: a host that is an address already is to be checked before.
    """

    def __init__(self, *, guarded: bool, loopback_allowed: bool, within_s: float, resolve: Resolve = look_up) -> None:
        self._guarded = guarded
        self._loopback_allowed = loopback_allowed
        self._within_s = within_s
        self._resolve = resolve

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[ResolveResult]:
        """The addresses. Raises NotTrusted, OSError (TimeoutError among them)."""
        async with asyncio.timeout(self._within_s):  # not wait_for: in 3.11 it can lose a cancellation
            found = await self._resolve(host, port)
        if self._guarded:
            check(host, found, loopback_allowed=self._loopback_allowed)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is kept open."""
