"""How often a source may ask: a token bucket for each, and one for all together. Pure: the clock is a parameter."""

import ipaddress
from collections import OrderedDict

from msgspec import Struct

MAX_SOURCES = 4096
"""So many are remembered; the one not seen for longest is forgotten first."""

FAILED_COST = 20.0
"""What a failed authentication costs, in requests."""

SLACK = 1e-9
"""Tokens are sums of fractions: what is missing by no more than this is there."""


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 one (every customer has a whole /64).

    Whatever is no address at all shares one bucket, "": made-up names would otherwise be as many buckets as wanted.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return f"{ipaddress.IPv6Address(int(ip) >> 64 << 64)}/64"
        ip = ip.ipv4_mapped
    return str(ip)


class _Bucket(Struct):
    tokens: float
    at: float

    def fill(self, now: float, per_s: float, burst: float) -> None:
        # A clock that went back fills nothing and is believed from here on: keeping the later time would lock a
        # source out for as long as the clock lags.
        self.tokens = min(burst, self.tokens + max(0.0, now - self.at) * per_s)
        self.at = now


class Rates:
    """Token buckets: `per_s` requests a second and source, `burst` at once; `everyone_per_s` for all together.

    All together may use up one second's worth at once (a source's `burst`, when that is more).
    """

    def __init__(self, per_s: float, burst: float, everyone_per_s: float) -> None:
        if per_s <= 0 or everyone_per_s <= 0 or burst < 1:
            raise ValueError("rates are above zero, and a burst is at least one request")
        self._per_s = per_s
        self._burst = burst
        self._everyone_per_s = everyone_per_s
        self._everyone_burst = max(everyone_per_s, burst)
        self._everyone: _Bucket | None = None
        self._sources: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        """How many sources are remembered."""
        return len(self._sources)

    def allow(self, source: str, now: float, cost: float = 1.0) -> float | None:
        """None, and `cost` is taken; or the seconds to wait (for Retry-After), and nothing is taken.

        `source` is an address; `now` is in seconds, monotonic. A cost above the burst counts as the burst.
        """
        own = self._bucket(source, now)
        everyone = self._everyone or _Bucket(self._everyone_burst, now)
        self._everyone = everyone
        everyone.fill(now, self._everyone_per_s, self._everyone_burst)
        own_cost, everyone_cost = min(cost, self._burst), min(cost, self._everyone_burst)
        wait = max((own_cost - own.tokens) / self._per_s, (everyone_cost - everyone.tokens) / self._everyone_per_s)
        if own.tokens + SLACK < own_cost or everyone.tokens + SLACK < everyone_cost:
            return wait
        own.tokens -= own_cost
        everyone.tokens -= everyone_cost
        return None

    def charge(self, source: str, now: float, cost: float = FAILED_COST) -> None:
        """Take `cost` from a source whatever it has left; it owes at most its burst.

        All together are not charged: otherwise one who guesses would lock out everybody else.
        """
        own = self._bucket(source, now)
        own.tokens = max(own.tokens - cost, -self._burst)

    def _bucket(self, source: str, now: float) -> _Bucket:
        key = source_of(source)
        bucket = self._sources.get(key)
        if bucket is None:
            bucket = self._sources[key] = _Bucket(self._burst, now)
            if len(self._sources) > MAX_SOURCES:
                self._sources.popitem(last=False)
        else:
            self._sources.move_to_end(key)
            bucket.fill(now, self._per_s, self._burst)
        return bucket
