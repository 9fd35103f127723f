"""SHA-256 where a desk's first paint needs none yet: OpenSSL's is loaded with the first, 5 ms and 3 MB later."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import _Hash


@cache
def _sha256() -> "Callable[[bytes], _Hash]":
    import hashlib

    return hashlib.sha256


def sha256(content: bytes) -> "_Hash":
    """Its SHA-256."""
    return _sha256()(content)


def is_same(one: bytes, other: bytes) -> bool:
    """Whether they are equal, told in a time that does not depend on where they differ."""
    import hmac

    return hmac.compare_digest(one, other)
