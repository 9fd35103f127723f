"""What goes over a slow line: nothing at rest, little for a key."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.served import Session, served
from tests.e2e.terminal import ELSEWHERE, MARKS, Terminal, configured, opened

pytestmark = MARKS
REST_S = 5.0
MODE_REST_S = 1.2
"""In the other modes: two looks at the engine."""
KEY_BYTES = 2_000
PANE_BYTES = 6_000
"""For the pane beside the list: 5.6 kB where every line, its scrollbar and the keys change, drawn once."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The emulators, in a process of their own."""
    with served(list(ELSEWHERE), tmp_path_factory.mktemp("served") / "demo") as one:
        yield one


def test_nothing_at_rest_and_little_for_a_key_at_80x24(tmp_path: Path, session: Session) -> None:
    with opened(configured(session, tmp_path, still=True)) as desk:
        at_first = come_to_rest(desk)
        assert desk.written_in(REST_S) == 0
        move_for_at_most(desk, KEY_BYTES)
        rest_in_every_mode(desk)
        steady(desk, at_first)


def test_nothing_at_rest_and_little_for_a_key_beside_the_pane(tmp_path: Path, session: Session) -> None:
    with opened(configured(session, tmp_path, still=True), columns=120, rows=36) as desk:
        at_first = come_to_rest(desk)
        assert desk.written_in(MODE_REST_S) == 0
        move_for_at_most(desk, KEY_BYTES + PANE_BYTES)
        steady(desk, at_first)


def come_to_rest(desk: Terminal) -> int:
    """Wait until all is known and drawn; how many bytes that took."""
    desk.wait_for("Sprint planning", "Mortgage advice")
    desk.settle(1.0)
    return len(desk.raw)


def move_for_at_most(desk: Terminal, budget: int) -> None:
    for key in ("j", "j", "down", "k", "up"):
        before = len(desk.raw)
        desk.press(key)
        desk.wait_until(lambda before=before: len(desk.raw) > before, "the cursor moves")  # type: ignore[misc]  # bound early on purpose
        desk.settle(0.3)
        assert len(desk.raw) - before <= budget, f"for {key}"


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
