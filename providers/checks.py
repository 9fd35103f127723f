"""What values of options must be like, for `providers.declaring.Option`. Each gives words; "" for one that fits."""

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from providers.origin import Origin

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, 5.6.2)."""
_FRAMING = frozenset(
    ("host", "connection", "content-length", "content-type", "transfer-encoding", "te", "trailer", "upgrade", "expect")
)
"""What a request's own making decides."""
_PATH = re.compile(r"[!-~]+")


def more_than_zero(value: float) -> str:
    """For numbers."""
    return "" if value > 0 else "must be more than 0"


def between(least: int, most: int) -> Callable[[float], str]:
    """For numbers."""
    return lambda value: "" if least <= value <= most else f"must be between {least} and {most}"


def digits(text: str) -> str:
    """A number that is a name."""
    text = text.strip()
    return "" if text.isascii() and text.isdigit() else "must be a number such as 1001"


def header_name(text: str) -> str:
    """The name of a header that a credential can go into."""
    if not _TOKEN.fullmatch(text):
        return "must be a header's name, such as Authorization"
    return "" if text.lower() not in _FRAMING else f"must not be {text}: that header belongs to the request itself"


def path(text: str) -> str:
    """A path under the account's address."""
    if _PATH.fullmatch(text) and "://" not in text and not text.startswith("//"):
        return ""
    return "must be a path, such as /rest/login"


def bare_address(text: str) -> str:
    """An address without a query and a fragment."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "must be an address"
    return "must end before the ? or #" if parts.query or parts.fragment else ""


def exact_host(text: str) -> str:
    """`host` or `host:port`, as it is compared: lower case or not, without a scheme, a path or a star."""
    origin = Origin.of(f"https://{text}")
    fits = origin is not None and "*" not in text and text.lower() in (origin.netloc, f"{origin.netloc}:443")
    return "" if fits else f"must name exact hosts, such as files.example or files.example:8443: {text!r} is none"


def host_pattern(text: str) -> str:
    """`host`, `host:port` or `*.suffix`."""
    host = text.strip().removeprefix("*.")
    return "" if host and not exact_host(host) else f"must name hosts: host, host:port or *.suffix; {text!r} is none"


def exact_origin(text: str) -> str:
    """`https://host` or `https://host:port`, and nothing behind it."""
    origin = Origin.of(text)
    if origin is None or text.lower().rstrip("/") not in (str(origin), f"{origin}:443"):
        return f"must name origins, such as https://10.0.0.9:9000, without a path: {text!r} is none"
    return "" if origin.scheme == "https" else f"must begin with https://: {text!r} does not"


def network(text: str) -> str:
    """An address or a network."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "must be addresses or networks (10.0.0.0/8)"
    return ""
