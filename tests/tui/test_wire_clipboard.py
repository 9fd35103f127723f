"""Copies through what lies between the desk and the terminal; and words that promise nothing."""

import base64
import re

from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import ready
from tui.clipboard import MOST, send, wrapped

TMUX = {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color"}
SCREEN = {"STY": "1.pts-0", "TERM": "screen-256color"}


def test_tmux_passes_it_on() -> None:
    (sequence,) = wrapped("a link", TMUX)
    inside = re.fullmatch(r"\x1bPtmux;(.*)\x1b\\", sequence, re.DOTALL)
    assert inside is not None
    assert inside[1].replace("\x1b\x1b", "\x1b") == f"\x1b]52;c;{base64.b64encode(b'a link').decode()}\a"


def test_screen_passes_it_on_in_pieces_that_it_takes() -> None:
    text = "x" * 5_000
    pieces = list(wrapped(text, SCREEN))
    assert max(map(len, pieces)) <= 768
    joined = "".join(piece.removeprefix("\x1bP").removesuffix("\x1b\\") for piece in pieces)
    assert joined == f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a"


def test_nothing_is_wrapped_without_them() -> None:
    assert not list(wrapped("a link", {"TERM": "xterm-256color"}))


async def test_words_promise_nothing(engine: StageEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        said = send(app, "text", "link", {"TERM": "xterm-256color"})
        assert said == "link sent to the terminal's clipboard, if it allows that"
        assert app.clipboard == "text"
        assert "set-clipboard" in send(app, "text", "link", TMUX)
        assert send(app, "x" * (MOST + 1), "link", TMUX) == "the link is too long for a terminal's clipboard"
        assert send(app, "other", "link", {"TERM": "linux"}) == "this terminal has no clipboard: the link was not sent"
        assert app.clipboard == "text"
