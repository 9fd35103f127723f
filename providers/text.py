"""Remote text becomes harmless here, once, at the provider's edge.

A terminal acts on control characters, whoever wrote them: a meeting's title could clear the screen, set the window's
title or write to the clipboard. And bidi overrides make a text read as what it is not.
"""

import re
import unicodedata
from functools import cache

MAX_LINE = 300
MAX_BLOCK = 200_000
MAX_COMBINING = 3
_MAX_RUN = 30
"""Marks in a row that are sorted (UAX 15, Stream-Safe Text): sorting them takes the square of their number."""

_NEWLINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_RUNS_OF_SPACE = re.compile(r"\s+")
# Format characters that join scripts and emoji legitimately; every other Cf (bidi, tags, zero width) is replaced.
_HARMLESS_FORMAT = frozenset("\u200c\u200d")

# Letters, digits and signs that are assigned, are no marks and compose with nothing before them: NFC leaves each as it
# is, and a text may be taken apart before it.
_PLAIN = (
    r" -~\u00a1-\u00ac\u00ae-\u02ff\u0400-\u0482\u048a-\u052f\u1e00-\u1eff\u2010-\u2027\u3041-\u3096\u30a1-\u30fa"
    r"\u4e00-\u9fff\uac00-\ud7a3"
)


# Compiled with the first text: of so many letters each takes 1.5 ms, and a desk's first paint needs not all three.


@cache
def _plain_line() -> re.Pattern[str]:
    """What most text consists of, so that most of it need not be looked at letter by letter."""
    return re.compile(f"[{_PLAIN}]*")


@cache
def _plain_block() -> re.Pattern[str]:
    return re.compile(f"[{_PLAIN}\\n]*")


@cache
def _strange() -> re.Pattern[str]:
    return re.compile(f"[^{_PLAIN}\\n]+")


def _stream_safe(text: str) -> str:
    """The text without what follows 30 marks in a row; of those only the first few are shown anyway."""
    if text.isascii():
        return text
    out: list[str] = []
    run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run <= _MAX_RUN:
            out.append(char)
    return "".join(out)


def _harmless(text: str) -> str:
    """What is strange is looked at with the letter before it, which it may compose with; the rest stays as it is."""
    parts: list[str] = []
    done = 0
    for strange in _strange().finditer(text):
        start, end = strange.span()
        if start > done and text[start - 1] != "\n":
            start -= 1
        parts += (text[done:start], _looked_at(text[start:end]))
        done = end
    return "".join([*parts, text[done:]])


def _looked_at(text: str) -> str:
    """NFC before counting marks, since composing changes their number, and after, since dropped ones do."""
    out: list[str] = []
    combining = 0
    for char in unicodedata.normalize("NFC", _stream_safe(text)):
        category = unicodedata.category(char)
        if char == "\ufe0f":  # the emoji variation selector makes widths disagree between terminals
            continue
        if category in ("Mn", "Me"):
            combining += 1
            if combining > MAX_COMBINING:
                continue
        elif char not in _HARMLESS_FORMAT:  # a joiner has no width of its own: marks go on piling up over it
            combining = 0
        if category == "Cc":
            code = ord(char)
            out.append(chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd")
        elif category in ("Cs", "Co", "Cn") or (category == "Cf" and char not in _HARMLESS_FORMAT):
            out.append("\ufffd")
        else:
            out.append(char)
    return unicodedata.normalize("NFC", "".join(out))


def _cut(text: str, limit: int, more: bool) -> str:
    """At most `limit` characters; an ellipsis ends what is not the whole."""
    return text[: limit - 1] + "…" if more or len(text) > limit else text


def safe_text(value: object, limit: int = MAX_LINE) -> str:
    """One harmless line from whatever a service sent: no control characters, at most `limit` characters.

    None becomes "", numbers and booleans their text. Line ends and tabs become spaces.
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    if len(text) <= limit and _plain_line().fullmatch(text) and "  " not in text:
        return text.strip()
    line = _harmless(_RUNS_OF_SPACE.sub(" ", text[: limit * 4]))
    # Once more, since what stood between two spaces may be gone.
    return _cut(_RUNS_OF_SPACE.sub(" ", line).strip(), limit, len(text) > limit * 4)


def safe_block(value: object, limit: int = MAX_BLOCK) -> str:
    """The same for a text of several lines: line ends stay, tabs become spaces."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    if len(text) <= limit and _plain_block().fullmatch(text):
        return text
    block = _harmless(_NEWLINES.sub("\n", text[:limit]).expandtabs(4))
    return _cut(block, limit, len(text) > limit)
