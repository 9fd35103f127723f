"""Origins: scheme, host and port, compared exactly. A credential belongs to one and goes to no other."""

import functools
import ipaddress
import re
from urllib.parse import urlsplit

from msgspec import Struct

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ODD = re.compile(r"""[^\x21-\x7e]|[\\"<>^`{|}]""")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_REST_OF_LITERAL = re.compile(r"\[[0-9A-Fa-f:.]+\](:[0-9]*)?")


def _is_plain(netloc: str, host: str) -> bool:
    """Whether the part between `//` and `/` is only a name or address and a port, read alike by every parser."""
    if netloc.startswith("["):
        try:
            return bool(_REST_OF_LITERAL.fullmatch(netloc)) and ipaddress.ip_address(host).version == 6
        except ValueError:
            return False
    return "@" not in netloc and bool(_NAME.fullmatch(host))


@functools.lru_cache(1024)
def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Origin(Struct, frozen=True):
    """Where an address leads: `https://host:port`. Host lower-case without a trailing dot."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin | None":
        """The origin of an address; None when it is no plain http(s) address (user names, odd characters)."""
        if _ODD.search(url):
            return None
        try:
            parts = urlsplit(url)
            port, host = parts.port, (parts.hostname or "").lower().removesuffix(".")
        except ValueError:
            return None
        scheme = parts.scheme.lower()
        if scheme not in _DEFAULT_PORTS or port == 0 or not _is_plain(parts.netloc, host):
            return None
        return cls(scheme, host, port or _DEFAULT_PORTS[scheme])

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine, by a literal address or as `localhost`."""
        return _is_loopback(self.host)

    @property
    def netloc(self) -> str:
        """`host` or `host:port` when the port is not the scheme's own; IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def matches(self, pattern: str) -> bool:
        """Whether it fits `host`, `host:port` or `*.suffix` (which does not match the suffix itself)."""
        pattern = pattern.strip().lower().removesuffix(".")
        if pattern.startswith("*."):
            return self.host.endswith(pattern[1:]) and len(self.host) > len(pattern) - 1
        host = f"[{self.host}]" if ":" in self.host else self.host
        return pattern in (self.host, host, f"{host}:{self.port}")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"
