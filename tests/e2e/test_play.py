"""`reeldesk demo --play triage` in a real terminal: it types by itself, pauses for a person, leaves them the desk."""

from pathlib import Path

from tests.e2e.terminal import MARKS, opened, surroundings

pytestmark = MARKS
WITHIN_S = 60.0


def test_it_plays_to_its_end_and_leaves_the_desk(tmp_path: Path) -> None:
    with opened(surroundings(tmp_path), "demo", "--play", "triage", "--pace", "0.02") as desk:
        desk.wait_for("Twenty archives, twenty keys.", within=WITHIN_S)
        desk.wait_for("The play has ended", within=WITHIN_S)
        assert "1 Desk" in desk.text
        desk.press("2")
        desk.wait_for("18 done")
        desk.press("q")
        assert desk.ended() == 0
        assert desk.restored()
        assert b"Traceback" not in desk.raw


def test_a_key_pauses_it_and_another_one_ends_it(tmp_path: Path) -> None:
    with opened(surroundings(tmp_path), "demo", "--play", "triage", "--pace", "0.4") as desk:
        desk.wait_for("At risk: advice", "]: the first account alone", within=WITHIN_S)
        desk.press("j")
        desk.wait_for("Paused. space goes on")
        desk.settle(1.5)
        desk.press("space")
        desk.wait_for("d downloads and goes on")
        desk.press("j")
        desk.wait_for("Paused. space goes on")
        desk.press("j")
        desk.wait_for("The play has ended: the desk is yours")
        desk.press("R")
        desk.wait_for("All accounts")
        desk.press("?")
        desk.wait_for("Keys: desk")


def test_a_play_that_is_none_and_a_pace_that_is_none_are_told(tmp_path: Path) -> None:
    for arguments, words in ((("--play", "chess"), "triage"), (("--pace", "61"), "between 0 and 60 seconds")):
        with opened(surroundings(tmp_path), "demo", *arguments) as desk:
            assert desk.ended() == 2
            assert words in desk.text
