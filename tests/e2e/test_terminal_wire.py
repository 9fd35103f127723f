"""What goes over a slow line: nothing at rest, little for a key."""

import re
from pathlib import Path

import pytest

from tests.e2e.served import served
from tests.e2e.terminal import ELSEWHERE, MARKS, configured, opened

pytestmark = MARKS
REST_S = 5.0
ELSEWHERE_REST_S = 1.5
"""In the other modes: three looks at the engine."""
KEY_BYTES = 2_000
PANE_BYTES = 6_000
"""For the metadata pane beside the list, measured at 5.6 kB where every line, its scrollbar and the keys change: once."""


@pytest.mark.parametrize(("columns", "rows", "budget"), [(80, 24, KEY_BYTES), (120, 36, KEY_BYTES + PANE_BYTES)])
def test_nothing_at_rest_and_little_for_a_key(tmp_path: Path, columns: int, rows: int, budget: int) -> None:
    with (
        served(list(ELSEWHERE), tmp_path / "demo") as session,
        opened(configured(session, tmp_path, still=True), columns=columns, rows=rows) as desk,
    ):
        desk.wait_for("Sprint planning", "Mortgage advice")
        desk.settle(1.0)
        at_first = len(desk.raw)
        assert desk.written_in(REST_S) == 0

        for key in ("j", "j", "down", "k", "up"):
            before = len(desk.raw)
            desk.press(key)
            desk.wait_until(lambda before=before: len(desk.raw) > before, "the cursor moves")  # type: ignore[misc]  # bound early on purpose
            desk.settle(0.3)
            assert len(desk.raw) - before <= budget, f"for {key}"

        for mode, words in (("2", "Nothing was ever"), ("3", "revenue"), ("4", "At the service"), ("6", "Credentials")):
            desk.press(mode)
            desk.wait_for(words)
            desk.written_in(0.6)
            assert desk.written_in(ELSEWHERE_REST_S) == 0, f"in mode {mode}"
        later = bytes(desk.raw[at_first:])
        assert not re.search(rb"\x1b\[\?(?:100[0-9]|101[0-9]|12|25)[hl]", later), "the terminal's modes are left alone"
        assert not re.search(rb"\x1b\[(?:[0-9;]*;)?[56](?:;[0-9;]*)?m", re.sub(rb"[345]8;[25];[0-9;]*", b"", later))
        assert bytes(desk.raw).count(b"\x1b[?1003h") <= 2, "the mouse is asked for once (twice by Textual)"
        desk.press("q")
        assert desk.ended() == 0
