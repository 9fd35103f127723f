"""How much is kept of a record to show it. Whoever sends one decides its size and depth; we decide ours."""

import functools
import json
import re
from collections.abc import Callable, Mapping

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


@functools.lru_cache(1024)
def is_secret_field(name: str) -> bool:
    """The same of a record's field: their names are short and the same in every record."""
    return is_secret_name(name)


class Redaction(Struct, frozen=True):
    """What a service's records may not be kept with.

    `hidden` gives what stands in place of a field (name, value), None where the field stays; `cleaned` a text without
    what is secret in it.
    """

    hidden: Callable[[str, object], str | None]
    cleaned: Callable[[str], str]


NOTHING = Redaction(lambda _, __: None, str)
"""For records that hold no secrets."""


def pruned(value: object, redaction: Redaction = NOTHING, cost: int = MAX_COST) -> object:
    """A JSON value, redacted, of which no more is left than fits to be shown; "…" stands for what is left out.

    A text is cut at its end only, so what would be redacted in the whole is redacted in the rest as well. A field
    whose name is too long to be one keeps no value.
    """
    return _Pruning(redaction, cost).value(value, 0)


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


class _Pruning:
    """One walk through a record: what it costs, and what is redacted in it."""

    __slots__ = ("_cleaned", "_hidden", "_left")

    def __init__(self, redaction: Redaction, cost: int) -> None:
        self._hidden, self._cleaned, self._left = redaction.hidden, redaction.cleaned, cost

    def _pays(self, depth: int, text: int) -> bool:
        self._left -= _LEAST_COST + 2 * depth + text
        return self._left >= 0

    def value(self, value: object, depth: int) -> object:
        """What is kept of it."""
        if depth > MAX_DEPTH:
            return MORE
        if isinstance(value, str):
            text = value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + MORE
            return self._cleaned(text) if self._pays(depth, len(text)) else MORE
        if isinstance(value, dict):
            return self._fields(value, depth + 1) if self._pays(depth, 0) else MORE
        if isinstance(value, list):
            return self._items(value, depth + 1) if self._pays(depth, 0) else MORE
        # A number may have thousands of digits.
        text_cost = value.bit_length() // 3 if isinstance(value, int) and value.__class__ is not bool else _LEAST_COST
        return value if self._pays(depth, text_cost) else MORE

    def _items(self, value: list[object], depth: int) -> list[object]:
        kept: list[object] = []
        for item in value:
            if self._left <= 0:
                return [*kept, MORE]
            kept.append(self.value(item, depth))
        return kept

    def _fields(self, value: Mapping[object, object], depth: int) -> dict[str, object]:
        kept: dict[str, object] = {}
        for key, item in value.items():
            name = str(key)
            if self._left <= 0:
                return kept | {MORE: MORE}
            if len(name) > _MAX_NAME:
                self._left -= _LEAST_COST + _MAX_NAME
                kept[name[:_MAX_NAME]] = MORE
                continue
            self._left -= _LEAST_COST + len(name)
            if (instead := self._hidden(name, item)) is None:
                kept[name] = self.value(item, depth)
            else:
                kept[name] = instead if self._pays(depth, len(instead)) else MORE
        return kept
