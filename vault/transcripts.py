"""The text of held transcripts, for the search. What was said is sought, never shown from here."""

import json
import os
import re
import stat
from collections.abc import Iterator

from providers.text import safe_block

MAX_BYTES = 4 << 20
"""A longer file is not read."""
MAX_TEXT = 100_000
"""Characters; what follows is not searched."""
_CUE = re.compile(r"^(?:WEBVTT.*|NOTE.*|\d+|(?:\d+:)?\d+:\d+[.,]\d+ --> .*)$", re.MULTILINE)
_NAMES = frozenset({"text", "summary", "name", "title"})
"""What holds words for a person, in Cronofy's transcripts (https://docs.cronofy.com/developers/api/)."""
_DEEPEST = 40


def text_of(path: str, extension: str) -> str:
    """What is said in a transcript's file; "" when it is gone, too long, or of a form that is not known. Blocks."""
    content = _content(path)
    if extension == "json":
        try:
            told = json.loads(content)
        except (ValueError, RecursionError):
            return ""
        text = "\n".join(_texts(told))
    elif extension in ("txt", "vtt", "srt", "md"):
        text = _CUE.sub("", content.decode("utf-8", "replace"))
    else:
        return ""
    return safe_block(text[:MAX_TEXT])


def _content(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            return b""
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _texts(told: object, depth: int = 0) -> Iterator[str]:
    """The words of a transcript, in its order."""
    if depth > _DEEPEST:
        return
    if isinstance(told, list):
        for each in told:
            yield from _texts(each, depth + 1)
    elif isinstance(told, dict):
        for name, value in told.items():
            if isinstance(value, str):
                if name in _NAMES:
                    yield value
            else:
                yield from _texts(value, depth + 1)
