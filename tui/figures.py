"""Figures in words a person reads: sizes, rates, spans, times. Without Textual, so that commands have them too."""

from datetime import UTC, datetime
from itertools import pairwise

UNKNOWN = "—"
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SPANS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def size(count: int | None) -> str:
    """Bytes in decimal units, three digits: `1.4 GB`; a dash when not known."""
    if count is None:
        return UNKNOWN
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{count} B"
    return f"{value:.1f} {_UNITS[unit]}" if value < 99.95 else f"{value:.0f} {_UNITS[unit]}"


def rate(per_second: float | None) -> str:
    """Bytes a second."""
    return UNKNOWN if per_second is None else f"{size(int(per_second))}/s"


def duration(seconds: float | None) -> str:
    """A span in its two largest units: `3d 4h`, `5m 20s`; a dash when not known."""
    if seconds is None:
        return UNKNOWN
    left = int(seconds)
    for (name, length), (small_name, small_length) in pairwise(_SPANS):
        if left >= length:
            big, rest = divmod(left, length)
            small = rest // small_length
            return f"{big}{name} {small}{small_name}" if small else f"{big}{name}"
    return f"{left}s"


def when(at: datetime | None) -> str:
    """A time in full, UTC; a dash when not known."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if at else UNKNOWN


def count(number: int, one: str, many: str = "") -> str:
    """`1 asset`, `2 assets`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
