"""Sentences beside a word: on a terminal they are wrapped and stay beside it; elsewhere each is one line, for grep."""

import os
import sys
import textwrap

from providers.text import safe_text
from tui.commandline.output import Output

NARROWEST = 40
"""Columns; in fewer, sentences are left to the terminal."""
_MOST = 4000


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is; None when it is none, or one that does not tell."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
    except (OSError, ValueError):
        return None
    return columns if columns >= NARROWEST else None


def fail_once(out: Output, subject: str, words: str) -> None:
    """Name what failed on stderr; where stdout is on the same screen and told it already, count it only."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        out.failures += 1
    else:
        out.fail(subject, words)


def beside(lead: str, words: str, width: int | None) -> str:
    """The words, made harmless, beside `lead`, in lines of `width` columns at most; None: in one line."""
    text = lead + safe_text(words, _MOST)
    if width is None:
        return text.rstrip()
    # A column stays free: terminals differ in what they do at the last one.
    lines = textwrap.wrap(
        text,
        width - 1,
        subsequent_indent=" " * len(lead),
        drop_whitespace=True,
        break_on_hyphens=False,
        break_long_words=len(lead) < width // 2,
    )
    return "\n".join(lines)
