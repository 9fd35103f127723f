"""How much is kept of a record to show it. Whoever sends one decides its size and depth; we decide ours."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

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


def is_secret_name(name: str) -> bool:
    """Whether the name of a field or of a query's part is one that secrets go by."""
    lower = name.lower()
    return lower in _SECRET_NAMES or any(word in lower for word in _SECRET_WORDS)


@dataclass(slots=True)
class _Purse:
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


def shown(value: object) -> str:
    """A redacted value as the JSON text to keep and show."""
    return safe_block(json.dumps(value, ensure_ascii=False, indent=2))


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
