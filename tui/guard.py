"""The last line before the terminal: nothing that a terminal would act on is drawn, and a crash tells no secret."""

import re
import termios
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Callable
from functools import partial
from types import ModuleType

from rich.segment import Segment
from rich.text import Text
from textual.color import Color
from textual.filter import LineFilter

from providers.redaction import told

_ACTS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class ControlGuard(LineFilter):
    """Replaces what a terminal would act on in every drawn line, whatever widget drew it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with control characters and bidi overrides replaced, each by one cell."""
        if not any(_ACTS.search(segment.text) for segment in segments if not segment.control):
            return segments
        return [
            segment if segment.control else Segment(_ACTS.sub("\ufffd", segment.text), segment.style)
            for segment in segments
        ]


_BOXES = dict.fromkeys(range(9472, 9600), "+") | dict.fromkeys((0x2500, 0x2501, 0x2550), "-")
_BOXES |= dict.fromkeys((0x2502, 0x2503, 0x2551), "|") | dict.fromkeys(range(0x2580, 0x25A0), "#")
_SIGNS = {"…": ".", "—": "-", "–": "-", "·": "-", "“": '"', "”": '"', "•": "*", "−": "-", "▲": "^", "▼": "v"}
_TO_ASCII = _BOXES | {ord(sign): plain for sign, plain in _SIGNS.items()}


class AsciiSigns(LineFilter):
    """Draws the chrome of every widget (frames, scrollbars, dots) with ASCII, cell by cell; titles stay as they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with frames and signs replaced."""
        return [
            segment if segment.control else Segment(segment.text.translate(_TO_ASCII), segment.style)
            for segment in segments
        ]


def terminal_is_gone(descriptor: int = 0) -> bool:
    """Whether the terminal behind a descriptor was closed. Textual would then read its end for ever, at full speed."""
    try:
        termios.tcgetattr(descriptor)
    except termios.error:
        return True
    return False


def crash_report(error: BaseException | None) -> Text:
    """What is printed after a crash: the plain traceback, no local variables, redacted and harmless."""
    return Text(told(error) if error else "reeldesk stopped for an unknown reason")


def _lenient(decoder_for: "Callable[[str], type[IncrementalDecoder]]") -> Callable[[str], object]:
    def make(encoding: str) -> object:
        return partial(decoder_for(encoding), errors="replace")

    return make


def tolerate_old_mouse(driver: ModuleType) -> None:
    """Let a Textual driver module read X10 mouse bytes, which are not UTF-8, without dying (Textual issue 6668).

    They appear after a terminal was re-attached (tmux, ssh); the undecodable bytes become replacement characters.
    """
    if getattr(driver, "getincrementaldecoder", None) is getincrementaldecoder:
        driver.getincrementaldecoder = _lenient(getincrementaldecoder)  # type: ignore[attr-defined]  # the module's own import, replaced
