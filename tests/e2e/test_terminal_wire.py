"""What goes over a slow line: nothing at rest, little for a key, little for what moves. Bytes are exact."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.served import Session, served
from tests.e2e.terminal import ELSEWHERE, MARKS, Terminal, configured, opened

pytestmark = MARKS
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
REST_S = 60.0 if SOAK else 3.0
MODE_REST_S = 1.2
"""In the other modes: two looks at the engine."""
FIRST_BYTES = 36_000
CURSOR_BYTES = 500
PANE_BYTES = 2_000
"""For the pane beside the list, which follows: its lines, its scrollbar, the keys."""
LINE_BYTES = 1_000
"""Scrolling by a line, where the list has the full width."""
LINE_BESIDE_BYTES = 3_500
PAGE_BYTES = 7_000
HELD_BYTES_S = 15_000
HELD_S = 8.0 if SOAK else 3.0
REPEAT_S = 1 / 30
"""A held key comes so often."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The emulators, in a process of their own."""
    with served(list(ELSEWHERE), tmp_path_factory.mktemp("served") / "demo") as one:
        yield one


@contextmanager
def at_rest(session: Session, folder: Path, columns: int, rows: int, *options: str, **more: str) -> Iterator[Terminal]:
    """A desk of which all is known and drawn."""
    with opened(configured(session, folder, still=True) | more, *options, columns=columns, rows=rows) as desk:
        desk.wait_for("Sprint planning", "Mortgage advice")
        desk.settle(1.0)
        yield desk


def cost(desk: Terminal, *keys: str) -> int:
    """The bytes that keys cost, with all that follows."""
    before = len(desk.raw)
    desk.press(*keys)
    desk.wait_until(lambda: len(desk.raw) > before, f"{keys} are drawn")
    desk.settle(0.25)
    return len(desk.raw) - before


def test_nothing_at_rest_in_any_mode_at_80x24(tmp_path: Path, session: Session) -> None:
    with at_rest(session, tmp_path, 80, 24) as desk:
        at_first = len(desk.raw)
        assert at_first <= FIRST_BYTES
        assert desk.written_in(MODE_REST_S) == 0
        for key in ("j", "down", "k"):
            assert cost(desk, key) <= CURSOR_BYTES, f"for {key}: the cursor, its place, the keys that can act"
        rest_in_every_mode(desk)
        steady(desk, at_first)


def test_little_for_a_key_over_the_full_width(tmp_path: Path, session: Session) -> None:
    with at_rest(session, tmp_path, 99, 40) as desk:
        for key in ("j", "down", "k"):
            assert cost(desk, key) <= CURSOR_BYTES, f"for {key}"
        to_the_last_line(desk)
        for _ in range(3):
            assert cost(desk, "j") <= LINE_BYTES
        assert cost(desk, "g") <= PAGE_BYTES
        assert cost(desk, "pagedown") <= PAGE_BYTES
        assert held(desk, "k", "j") <= HELD_BYTES_S


def test_little_for_a_key_beside_the_pane(tmp_path: Path, session: Session) -> None:
    with at_rest(session, tmp_path, 120, 40) as desk:
        at_first = len(desk.raw)
        assert at_first <= FIRST_BYTES
        assert desk.written_in(REST_S) == 0
        for key in ("j", "down", "k"):
            assert cost(desk, key) <= CURSOR_BYTES + PANE_BYTES, f"for {key}"
        to_the_last_line(desk)
        for _ in range(3):
            assert cost(desk, "j") <= LINE_BESIDE_BYTES, "the pane's following among it"
        assert cost(desk, "g") <= PAGE_BYTES
        assert cost(desk, "pagedown") <= PAGE_BYTES
        steady(desk, at_first)


def test_a_held_key_over_ssh_scrolls_within_its_budget(tmp_path: Path, session: Session) -> None:
    with at_rest(session, tmp_path, 120, 40, SSH_TTY="/dev/pts/9") as desk:
        assert b"\x1b[?1003h" not in desk.raw, "mouse moves are not asked for"
        assert b"\x1b[?1000h" in desk.raw, "clicks are"
        assert held(desk, "pagedown", "g") <= HELD_BYTES_S * 1.4, "pages, as fast as a key repeats"
        assert held(desk, "j", "k") <= HELD_BYTES_S
        desk.press("5")
        assert desk.wait_for("Deliveries") < 2.0, "what was held back does not hold up what comes next"


def test_no_mouse_is_asked_for_where_none_is_wanted(tmp_path: Path, session: Session) -> None:
    with at_rest(session, tmp_path, 80, 24, "--no-mouse") as desk:
        assert not re.search(rb"\x1b\[\?100[0-3]h", desk.raw)


@pytest.mark.parametrize("term", ["screen-256color", "linux"])
def test_every_terminal_shows_the_same(tmp_path: Path, session: Session, term: str) -> None:
    with at_rest(session, tmp_path, 100, 30, TERM=term) as desk:
        for key in ("pagedown", "j"):
            cost(desk, key)
        for key, words in (("5", "Deliveries"), ("1", "All accounts"), ("?", "Keys: desk")):
            desk.press(key)
            desk.wait_for(words)
        desk.press("esc")
        desk.wait_gone("Keys: desk")
        desk.settle(0.5)
        first = list(desk.lines)
        desk.resize(101, 30)
        desk.settle(0.5)
        desk.resize(100, 30)
        desk.settle(0.5)
        assert [line.rstrip() for line in desk.lines] == [line.rstrip() for line in first], "drawn anew, it is the same"


def to_the_last_line(desk: Terminal) -> None:
    """Until the next line scrolls."""
    desk.press("g")
    desk.settle(0.25)
    top = desk.lines[4]
    while desk.lines[4] == top:
        before = len(desk.raw)
        desk.press("j")
        desk.wait_until(lambda before=before: len(desk.raw) > before, "the cursor moves")  # type: ignore[misc]  # bound early on purpose
        desk.written_in(0.1)
    desk.settle(0.25)


def held(desk: Terminal, *keys: str) -> float:
    """Bytes a second while keys are held, by turns of half a second."""
    began, before = time.monotonic(), len(desk.raw)
    while (passed := time.monotonic() - began) < HELD_S:
        desk.press(keys[int(passed / 0.5) % len(keys)])
        desk.written_in(REPEAT_S)
    rate = (len(desk.raw) - before) / (time.monotonic() - began)
    desk.settle(0.25)
    return rate


def rest_in_every_mode(desk: Terminal) -> None:
    shown = {"2": "Nothing was ever", "3": "revenue", "5": "Deliveries", "6": "Credentials", "4": "At the service"}
    for mode, words in shown.items():
        desk.press(mode)
        desk.wait_for(words)
        desk.written_in(0.6)
        assert desk.written_in(MODE_REST_S) == 0, f"in mode {mode}"
    desk.press("enter")
    desk.wait_until(lambda: "Callback URL" in desk.typing_line, "the first field has the focus")
    desk.written_in(0.3)
    assert desk.written_in(MODE_REST_S) == 0, "an input's cursor does not blink"


def steady(desk: Terminal, at_first: int) -> None:
    """Nothing was switched on the terminal while it was open, and nothing blinks."""
    raw = bytes(desk.raw)
    meanwhile = raw[at_first:]
    assert not re.search(rb"\x1b\[\?[0-9]+[hl]", meanwhile), "the terminal's modes are left alone"
    styles = re.sub(rb"[345]8;[25];[0-9;]*", b"", meanwhile)
    assert not re.search(rb"\x1b\[(?:[0-9;]*;)?[56](?:;[0-9;]*)?m", styles), "nothing blinks"
    assert raw.count(b"\x1b[?1003h") <= 2, "the mouse is asked for at the start (twice by Textual)"
