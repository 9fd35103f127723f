"""Widgets x hostile texts in a real terminal: nothing that a terminal acts on comes out (R10)."""

import re
import sys
from pathlib import Path

import pytest

from tests.e2e.hostile import PAYLOADS
from tests.e2e.terminal import MARKS, from_checkout, opened, surroundings
from tests.e2e.test_terminal_hostile import NEEDLES, acting
from tests.e2e.widgets import marker

pytestmark = MARKS
SHOWS = (sys.executable, "-P", "-c", from_checkout("from tests.e2e.widgets import main", "main()"))
_MARK = re.compile(rb"payload-(\d\d)-on")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Every byte of one run, in a window in which all of the widgets are seen."""
    folder: Path = tmp_path_factory.mktemp("widgets")
    with opened(surroundings(folder), command=SHOWS, columns=100, rows=60) as shown:
        assert shown.ended() == 0, shown.text
        return bytes(shown.raw)


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_nothing_of_a_hostile_text_acts(written: bytes, number: int) -> None:
    starts = {int(found[1]): found.start() for found in _MARK.finditer(written)}
    assert number in starts, f"{marker(number)} was never painted"
    begin = starts[number]
    end = min((at for at in starts.values() if at > begin), default=len(written))
    if end == len(written):  # what gives the terminal back is not the widgets'
        end = written.rindex(b"\x1b[?1049l") if b"\x1b[?1049l" in written else end
    shown = written[begin:end]
    assert [needle for needle in NEEDLES if needle in shown] == []
    assert acting(shown) == set()


def test_the_texts_are_really_shown(written: bytes) -> None:
    """What is harmless in them is there, many times over."""
    for words in (b"clipboard", b"window title", b"clear and move", b"a device control string", b"@click=app.quit"):
        assert written.count(words) >= 6, words
