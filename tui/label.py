"""Text for the screen: remote text as Content, never as markup; and figures in words a person reads."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from textual.content import Content

from providers.models import AssetKind, RemoteState
from providers.text import safe_block, safe_text
from tui.figures import UNKNOWN, count, duration, rate, size, when
from vault.views import LocalState, TransferState

__all__ = [  # the figures of the commands belong to the screens' words, too
    "ASCII", "UNICODE", "UNKNOWN", "Glyphs", "ago", "bar", "clock", "count", "cut", "cut_words", "duration",
    "glyphs_for", "label", "plain", "rate", "safe_block", "size", "slack", "slack_ink", "when", "when_short",
]  # fmt: skip


class Glyphs(Struct, frozen=True):
    """The signs of the screen: one set for every terminal font, one for terminals that know ASCII only."""

    remote: Mapping[RemoteState, str]
    local: Mapping[LocalState, str]
    transfer: Mapping[TransferState, str]
    mark: str
    cursor: str
    ok: str
    bad: str
    idle: str
    syncing: str
    none: str
    cut: str
    more: str
    """The end of words that went on."""
    bar: str
    """From an eighth to full."""
    bar_empty: str
    dot: str
    rule: str
    up: str
    """From the first to the last."""
    down: str


UNICODE = Glyphs(
    remote={
        RemoteState.PROCESSING: "◐",
        RemoteState.AVAILABLE: "○",
        RemoteState.FAILED: "✗",
        RemoteState.ABANDONED: "◌",
        RemoteState.EXPIRED: "×",
        RemoteState.UNKNOWN: "?",
    },
    local={
        LocalState.ABSENT: " ",
        LocalState.QUEUED: "→",
        LocalState.FETCHING: "↓",
        LocalState.HELD: "●",
        LocalState.DAMAGED: "!",
        LocalState.LOST: "∅",
    },
    transfer={
        TransferState.QUEUED: "→",
        TransferState.RUNNING: "↓",
        TransferState.WAITING: "◐",
        TransferState.PAUSED: "‖",
        TransferState.FAILED: "✗",
        TransferState.CANCELLED: "×",
        TransferState.DONE: "●",
    },
    mark="▌",
    cursor="▸",
    ok="●",
    bad="✗",
    idle="○",
    syncing="◐",
    none=UNKNOWN,
    cut="…",
    more="…",
    bar="▏▎▍▌▋▊▉█",
    bar_empty="─",
    dot="·",
    rule="─",
    up="▲",
    down="▼",
)

ASCII = Glyphs(
    remote={
        RemoteState.PROCESSING: "~",
        RemoteState.AVAILABLE: "o",
        RemoteState.FAILED: "x",
        RemoteState.ABANDONED: "-",
        RemoteState.EXPIRED: "#",
        RemoteState.UNKNOWN: "?",
    },
    local={
        LocalState.ABSENT: " ",
        LocalState.QUEUED: ">",
        LocalState.FETCHING: "v",
        LocalState.HELD: "*",
        LocalState.DAMAGED: "!",
        LocalState.LOST: "0",
    },
    transfer={
        TransferState.QUEUED: ">",
        TransferState.RUNNING: "v",
        TransferState.WAITING: "~",
        TransferState.PAUSED: "=",
        TransferState.FAILED: "x",
        TransferState.CANCELLED: "#",
        TransferState.DONE: "*",
    },
    mark="#",
    cursor=">",
    ok="*",
    bad="x",
    idle="o",
    syncing="~",
    none="-",
    cut=".",
    more="...",
    bar="=",
    bar_empty="-",
    dot="-",
    rule="-",
    up="^",
    down="v",
)

STAGE_LETTERS: Mapping[AssetKind, str] = {
    AssetKind.ARCHIVE: "a",
    AssetKind.VIDEO: "v",
    AssetKind.AUDIO: "s",
    AssetKind.TRANSCRIPT: "t",
    AssetKind.DASHBOARD: "d",
    AssetKind.CATCHUP: "c",
}


def glyphs_for(environ: Mapping[str, str]) -> Glyphs:
    """The set that this terminal can show: ASCII when REELDESK_ASCII is set or the locale is not UTF-8."""
    if environ.get("REELDESK_ASCII", "") not in ("", "0"):
        return ASCII
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "UTF-8"
    return UNICODE if "utf" in locale.lower() or locale in ("C", "POSIX") else ASCII


def label(text: str) -> Content:
    """Remote text for a widget: harmless, and never read as markup."""
    return Content(safe_block(text))


def plain(text: str) -> str:
    """Remote text as one harmless line, for widgets that draw their own lines."""
    return safe_text(text, 5000)


def cut(text: str, width: int, end: str = "…") -> str:
    """The text cut to `width` cells with `end` where something is missing; not padded."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + end if width > 1 else end[:width]


def cut_words(text: str, width: int, end: str = "…") -> str:
    """The text in at most `width` cells: where it is longer, `end` stands after the last word that is whole.

    A word of more than a fourth of the width is cut within.
    """
    if cell_len(text) <= width:
        return text
    room = width - cell_len(end)
    if room <= 0:
        return set_cell_size(end, max(width, 0)).rstrip()
    kept = set_cell_size(text, room)
    if not text[len(kept) :].startswith(" "):
        whole = kept.rpartition(" ")[0]
        kept = whole if cell_len(whole) >= room - width // 4 else kept
    return kept.rstrip(" ;,:") + end


def slack(deadline: datetime | None, now: datetime) -> str:
    """The time left until the service deletes it, never finer than minutes; a dash when no deadline is known."""
    if deadline is None:
        return UNKNOWN
    left = deadline - now
    if left <= timedelta(0):
        return "passed"
    return "<1m" if left < timedelta(minutes=1) else duration(left.total_seconds() // 60 * 60)


def slack_ink(deadline: datetime | None, now: datetime) -> str:
    """How a slack is drawn: bad under a day, warn under three."""
    if deadline is None:
        return "dim"
    left = deadline - now
    return "bad" if left < timedelta(days=1) else "warn" if left < timedelta(days=3) else ""


def when_short(at: datetime | None, now: datetime | None = None) -> str:
    """A time for a column, UTC: month, day and minute; of another year than `now`'s the day alone."""
    if at is None:
        return UNKNOWN
    return at.strftime("%Y-%m-%d" if now is not None and at.year != now.year else "%m-%d %H:%M")


def clock(at: datetime | None) -> str:
    """The time of day in UTC, to the second."""
    return at.strftime("%H:%M:%S") if at else UNKNOWN


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in coarse steps so that a line seldom changes."""
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    return "just now" if seconds < 60 else f"{duration(seconds // 60 * 60)} ago"


def bar(done: int, total: int | None, width: int, glyphs: Glyphs) -> str:
    """A bar in eighths of a cell (whole cells in ASCII); all empty when the total is not known."""
    if not total or width <= 0:
        return glyphs.bar_empty * max(width, 0)
    steps = len(glyphs.bar)
    filled = min(max(done, 0) * width * steps // total, width * steps)
    whole, part = divmod(filled, steps)
    text = glyphs.bar[-1] * whole + (glyphs.bar[part - 1] if part else "")
    return text + glyphs.bar_empty * (width - len(text))
