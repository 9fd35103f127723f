"""The real program in a real pseudo-terminal, by keyboard only: what a newcomer does, sizes, colours."""

import re
from pathlib import Path

from tests.e2e.terminal import MARKS, RESTORED, Terminal, choose, opened, read_down, surroundings

pytestmark = MARKS
OPENS_S = 20.0
TITLE = "Mortgage advice: Weber family"
KNOWN = (TITLE, "Roadmap workshop", "Candidate debrief", "physio-room-2", "Sprint planning")
"""From each service that answers at once; before these are known, rows still come in above the cursor."""


def test_a_newcomer_downloads_saves_and_reads_at_80x24(tmp_path: Path) -> None:
    environ = surroundings(tmp_path)
    with opened(environ, "demo") as desk:
        desk.wait_for("1 Desk", *KNOWN, within=OPENS_S)
        help_is_found(desk)
        an_archive_is_brought_home(desk)
        the_queue_says_what_was_proven(desk)
        notifications_are_edited(desk)
        the_town_hall_is_read(desk)
        it_is_told_to_be_a_demo(desk)
        the_terminal_is_left_alone(desk)
        desk.press("q")
        assert desk.ended() == 0
        assert desk.restored()
        assert not desk.left_behind()
        assert b"Traceback" not in desk.raw
    assert not list((tmp_path / "tmpdir").iterdir()), "the demo's folder is gone"
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()], "nothing of the user's is touched"


def help_is_found(desk: Terminal) -> None:
    assert "? Help" in desk.lines[-1]
    desk.press("?")
    desk.wait_for("Keys: desk", "Download: Queue every asset")
    read_down(desk, "Quit")
    desk.press("esc")
    desk.wait_gone("Keys: desk")


def an_archive_is_brought_home(desk: Terminal) -> None:
    choose(desk, TITLE)
    assert "○ available" in desk.cursor_line
    desk.press("d")
    desk.wait_for("queued 1 asset")
    desk.wait_until(lambda: "● held" in desk.line_with(TITLE), "the archive is held")
    assert desk.line_with(TITLE).split()[0] == "A"
    desk.press("k", "enter")  # the verb went on to the next line
    desk.wait_for(TITLE, "account advice (flexperto)", "● held archive")
    read_down(desk, "here held", "sha256", "Proof", "passed: ", "Custody")
    desk.press("esc")
    desk.wait_for("All accounts")


def the_queue_says_what_was_proven(desk: Terminal) -> None:
    desk.press("2")
    desk.wait_for("● done", TITLE.split(":")[0], "1 done", "sha256")
    desk.wait_for("bytes, as stated", "checksum")


def notifications_are_edited(desk: Terminal) -> None:
    into_the_emails(desk)
    desk.press(*",n@a")
    desk.wait_for("not saved yet", "archive@studio.example,n@a", "what is marked in the form must be put right")
    desk.press(*".example")
    desk.wait_for("archive@studio.example,n@a.example", "PUT /rest/recording/notifications")
    desk.press("ctrl+s")
    desk.wait_for("e-mails desk@studio.example, archive@studio.example, n@a.example", "saved")
    desk.wait_gone("not saved yet")
    desk.press("esc")
    desk.wait_until(lambda: not desk.typing_line, "the form has lost the focus")


def the_town_hall_is_read(desk: Terminal) -> None:
    desk.press("3")
    desk.wait_for("town-hall", "revenue is", "4 % above plan", "History")


def into_the_emails(desk: Terminal) -> None:
    desk.press("4")
    desk.wait_for("At the service now", "e-mails desk@studio.example, archive@studio.example")
    desk.press("enter")
    desk.wait_until(lambda: "Callback URL" in desk.typing_line, "the first field has the focus")
    desk.press("tab")
    desk.wait_until(lambda: "E-mails" in desk.typing_line, "the second field has the focus")


def it_is_told_to_be_a_demo(desk: Terminal) -> None:
    for mode, words in (("2", "1 done"), ("4", "At the service"), ("6", "● ok"), ("1", TITLE), ("3", "History")):
        desk.press(mode)
        desk.wait_for(words)
        assert "demo" in desk.lines[0]
        assert "nothing" in desk.lines[0]


def the_terminal_is_left_alone(desk: Terminal) -> None:
    for each in RESTORED:
        assert each not in desk.raw, "what was switched on stays on until the end"
    assert desk.raw.count(b"\x1b[?1049h") == 1
    used = colours(bytes(desk.raw))
    assert [one for one in used if "38;5;" in one]
    assert not [one for one in used if "38;2;" in one], "no more colours than the terminal says it has"


def test_keys_in_one_burst(tmp_path: Path) -> None:
    """As a fast typist's keys arrive over a slow line."""
    with opened(surroundings(tmp_path), "demo") as desk:
        desk.wait_for(*KNOWN)
        choose(desk, "Candidate debrief")
        desk.press_at_once("j", "d")
        desk.wait_until(lambda: "queued 1 asset" in desk.text or "dashboard" in desk.text, "an answer to d")
        assert "queued 1 asset" in desk.text, "the key is for the row that was moved to"
        desk.wait_until(lambda: "● held" in desk.line_with("physio-room-2"), "the room's video is held")

        desk.press_at_once("/", "q", "3")
        desk.wait_for("with “q3”", "Board meeting Q3")
        desk.press("esc")
        desk.wait_gone("with “q3”")

        desk.press_at_once("q", "3")
        assert desk.ended() == 0
        assert b"Traceback" not in desk.raw


def test_sizes(tmp_path: Path) -> None:
    with opened(surroundings(tmp_path), "demo", columns=40, rows=10) as desk:
        desk.wait_for("60 x 20", within=OPENS_S)
        desk.resize(80, 24)
        desk.wait_for("All accounts", *KNOWN, "q Quit")
        desk.wait_gone("60 x 20")
        choose(desk, "Sprint planning")
        for columns, rows in ((120, 36), (80, 24), (140, 50), (80, 20)):
            the_row_stays_at(desk, columns, rows)
        desk.resize(40, 10)
        desk.wait_for("60 x 20")
        the_row_stays_at(desk, 80, 24)
        desk.press("q")
        assert desk.ended() == 0
        assert desk.restored()


def the_row_stays_at(desk: Terminal, columns: int, rows: int) -> None:
    desk.resize(columns, rows)
    desk.wait_until(lambda: "q Quit" in desk.lines[rows - 1], f"drawn at {columns} x {rows}")
    desk.wait_until(lambda: "Sprint planning" in desk.cursor_line, "the cursor is on its row")
    pane = "account agents" if columns >= 100 else ""
    desk.wait_until(lambda: pane in desk.text, "the pane unfolds where it is wide")


def colours(raw: bytes) -> set[str]:
    """The sequences that set a colour."""
    found = set()
    for parameters in re.findall(rb"\x1b\[([0-9;:]*)m", raw):
        numbers = [int(part or 0) for part in re.split(rb"[;:]", parameters)]
        if any(30 <= n <= 38 or 40 <= n <= 48 or 90 <= n <= 97 or 100 <= n <= 107 for n in numbers):
            found.add(parameters.decode())
    return found


def test_without_colours_all_states_are_read(tmp_path: Path) -> None:
    with opened(surroundings(tmp_path, NO_COLOR="1", COLORTERM="truecolor"), "demo", columns=120, rows=36) as desk:
        desk.wait_for("Mortgage advice", "○ available", "◐ processing", "● ok")
        desk.press("f")
        desk.wait_for("✗ failed", "Credit card disp")
        for mode, words in (
            ("2", "Nothing was ever queued"),
            ("3", "revenue"),
            ("4", "At the service now"),
            ("6", "● ok"),
        ):
            desk.press(mode)
            desk.wait_for(words)
        desk.press("?")
        desk.wait_for("Keys: accounts")
        desk.press("esc")
        desk.wait_gone("Keys: accounts")
        desk.press("q")
        assert desk.ended() == 0
        assert colours(bytes(desk.raw)) == set()


def test_all_colours_and_only_ascii_signs_where_asked_for(tmp_path: Path) -> None:
    with opened(surroundings(tmp_path, COLORTERM="truecolor", REELDESK_ASCII="1"), "demo") as desk:
        desk.wait_for("o available", "~ processing")
        desk.press("4")
        desk.wait_for("At the service now")
        assert desk.text.isascii()
        desk.press("1", "?")
        desk.wait_for("Keys: desk")
        assert desk.line_with("Keys: desk").isascii()
        used = colours(bytes(desk.raw))
        assert [one for one in used if "38;2;" in one]
        assert not [one for one in used if "38;5;" in one]
