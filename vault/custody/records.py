"""Services' records for somebody else's eyes: as received, without what would let that person act for us."""

import re

from providers.kept import laid_out
from providers.redaction import redact

_CALLBACK = re.compile(
    r'(?i)("[^"\n]*(?:callback|webhook|hook_url|notif\w*url|join_url)[^"\n]*"\s*:\s*)"(?:[^"\\\n]|\\.)*"'
)
"""Fields that name where a service calls back, or how to get into a meeting."""
_HOOK = re.compile(r"(/hooks/[^/\s\"?#]+/)[^/\s\"?#]+")
_USER = re.compile(r"(https?://)[^/\s\"@]+@")


def shareable(raw: str) -> str:
    """A record as the ledger keeps it (credentials and links' signatures are cut out there already).

    Laid out to be read; callback addresses, the secret part of our own receiver's, and every link's query go, too.
    """
    text = _CALLBACK.sub(r'\1"…"', laid_out(raw))
    text = _HOOK.sub(r"\1…", text)
    return redact(_USER.sub(r"\1…@", text))
