"""What is told of a fault that nobody foresaw: a traceback that a person may send on."""

import logging
import re
import traceback

from providers.secret import Secret
from providers.text import safe_block

_SECRETS = (
    re.compile(
        r"(?i)((?:x-amz-[a-z-]+|signature|sig|token|key|secret|password|guid|apikey|api_key)\s*[=:]\s*)[^\s&'\",;)]+"
    ),
    re.compile(r"(?i)(bearer\s+)[^\s'\",]+"),
    re.compile(r"(?i)((?:api-key|authorization|cookie|set-cookie|guid)['\"]?\s*[:,=]\s*['\"]?)[^\s'\"]+"),
    re.compile(r"\b(CR[NA]_)[A-Za-z0-9_-]+"),
    re.compile(r"(https?://[^\s'\"?#]+\?)[^\s'\"]+"),
)


def redact(text: str) -> str:
    """The text without what looks like a credential or a presigned link's query."""
    for pattern in _SECRETS:
        text = pattern.sub(r"\1…", text)
    return text


def without_secrets(text: str) -> str:
    """The text without any credential that this process holds, whatever surrounds it; and without what looks like one.

    For reports of faults: it takes longer than `redact`.
    """
    from providers.echoes import Echoes  # a process that nothing breaks needs none of it

    known = Echoes((), Secret.living())
    return redact(known.cut(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass"))


def told(error: BaseException) -> str:
    """The plain traceback, no local variables, redacted and harmless to a terminal."""
    return safe_block(without_secrets("".join(traceback.format_exception(error)))).rstrip("\n")


class RedactedLog(logging.Formatter):
    """Log records (asyncio's, of tasks that failed unheard) with their tracebacks, redacted and harmless."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return safe_block(without_secrets(super().format(record)))
