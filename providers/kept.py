"""How much is kept of a record to show it. Whoever sends one decides its size and depth; we decide ours."""

import json
import re
from collections.abc import Mapping

from msgspec import Struct

from providers.text import safe_block

MAX_DEPTH = 40
MAX_TEXT = 2_000
"""Of one text in it, in characters; a genuine one is an address at the longest."""
MAX_COST = 16_000
"""Of a webhook, in characters as it is shown, indentation included; a genuine one has one or two thousand."""
MAX_RECORD_COST = 100_000
"""Of a record that the service was asked for, which may name everybody who took part."""
MORE = "…"
_MAX_NAME = 200
_SECRET_WORDS = ("signature", "token", "secret", "credential", "passw", "pwd", "passcode", "x-amz-", "x-goog-")
_SECRET_NAMES = frozenset({"sig", "p", "tk", "key", "apikey", "api_key", "api-key", "download_url", "authorization"})
_LEAST_COST = 4
_COMPACT = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_ESCAPED = re.compile(r"\\.", re.DOTALL)


def is_secret_name(name: str) -> bool:
    """Whether the name of a field or of a query's part is one that secrets go by."""
    lower = name.lower()
    return lower in _SECRET_NAMES or any(word in lower for word in _SECRET_WORDS)


class _Purse(Struct):
    left: int

    def pay(self, depth: int, text: int) -> bool:
        self.left -= _LEAST_COST + 2 * depth + text
        return self.left >= 0


def pruned(value: object, cost: int = MAX_COST) -> object:
    """A JSON value of which no more is left than fits to be shown; "…" stands for what is left out.

    A text is cut at its end only, so what would be redacted in the whole is redacted in the rest as well. A field
    whose name is too long to be one keeps no value.
    """
    return _pruned(value, 0, _Purse(cost))


def compact(value: object) -> str:
    """A redacted value as the JSON text to keep, without blanks between its parts: `laid_out` makes it readable."""
    return safe_block(_COMPACT.encode(value))


def laid_out(text: str) -> str:
    """What is kept of a record as a person reads it: compact JSON an item a line, indented by two.

    Anything else stays as it is: JSON that is laid out already, a part of one, words. Strings stay to the letter.
    """
    tokens = _TOKEN.findall(text) if text.startswith(("{", "[")) else []
    if "".join(tokens) != text or not _is_json(text):
        return text
    parts: list[str] = []
    depth, before = 0, ""
    for sign in tokens:
        closes = sign in ("}", "]")
        depth -= closes
        if before == "," or (before in ("{", "[")) != closes:
            parts.append("\n" + depth * "  ")
        parts.append(": " if sign == ":" else sign)
        depth += sign in ("{", "[")
        before = sign
    return "".join(parts)


def _is_json(text: str) -> bool:
    # When it was kept, a line separator in a string became a line end, and an accent may have joined an escaped letter.
    try:
        json.loads(_ESCAPED.sub("_", text), strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _pruned(value: object, depth: int, purse: _Purse) -> object:
    if isinstance(value, str):
        text = value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + MORE
        return text if purse.pay(depth, len(text)) else MORE
    if isinstance(value, Mapping | list):
        if depth > MAX_DEPTH or not purse.pay(depth, 0):
            return MORE
        return _fields(value, depth, purse) if isinstance(value, Mapping) else _items(value, depth, purse)
    if isinstance(value, int) and not isinstance(value, bool):  # it may have thousands of digits
        return value if purse.pay(depth, value.bit_length() // 3) else MORE
    return value if purse.pay(depth, _LEAST_COST) else MORE


def _items(value: list[object], depth: int, purse: _Purse) -> list[object]:
    kept: list[object] = []
    for item in value:
        if purse.left <= 0:
            return [*kept, MORE]
        kept.append(_pruned(item, depth + 1, purse))
    return kept


def _fields(value: Mapping[object, object], depth: int, purse: _Purse) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, item in value.items():
        name = str(key)
        if purse.left <= 0:
            return kept | {MORE: MORE}
        purse.pay(0, min(len(name), _MAX_NAME))
        kept[name[:_MAX_NAME]] = _pruned(item, depth + 1, purse) if len(name) <= _MAX_NAME else MORE
    return kept
