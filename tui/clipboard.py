"""The terminal's clipboard, with honest words: nobody can know from here whether the terminal took it."""

import base64
import os
from collections.abc import Iterator, Mapping

from textual.app import App

MOST = 74_000
"""Bytes of text that terminals commonly take in one OSC 52: 100,000 as it is sent, in base64."""
_SCREEN_MOST = 700
"""Bytes of one string that GNU screen passes on (its limit is 768)."""


def send(app: App[None], text: str, what: str, environ: Mapping[str, str] | None = None) -> str:
    """Send text to the terminal's clipboard, and say what was done."""
    environ = os.environ if environ is None else environ
    if len(text.encode()) > MOST:
        return f"the {what} is too long for a terminal's clipboard"
    if environ.get("TERM") in ("linux", "dumb"):
        return f"this terminal has no clipboard: the {what} was not sent"
    app.copy_to_clipboard(text)
    if app._driver is not None:
        # Textual sends what a terminal reads; around it may be one that would keep that to itself.
        for sequence in wrapped(text, environ):
            app._driver.write(sequence)
    if environ.get("TMUX"):
        return f"{what} sent to the terminal's clipboard, if tmux (set-clipboard on) and it allow that"
    return f"{what} sent to the terminal's clipboard, if it allows that"


def wrapped(text: str, environ: Mapping[str, str]) -> Iterator[str]:
    """OSC 52 as tmux and screen pass it on to the terminal around them; nothing without them.

    tmux: https://github.com/tmux/tmux/wiki/FAQ (the passthrough sequence), where `allow-passthrough` is on. With
    `set-clipboard on` it takes the plain sequence, too: the same text twice does no harm.
    """
    sequence = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a"
    if environ.get("TMUX"):
        yield "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    elif environ.get("STY") or environ.get("TERM", "").startswith("screen"):
        for start in range(0, len(sequence), _SCREEN_MOST):
            yield "\x1bP" + sequence[start : start + _SCREEN_MOST] + "\x1b\\"
