from collections import Counter

import pytest

from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import ready, seen
from tui.commands import BY_ID, COMMANDS, EVERYWHERE, OVER, bindings, keys_of, on, spoken
from tui.keymaps import keymap_problems
from tui.modes import MODES, screen_of
from tui.screens.help import HelpScreen
from tui.screens.log import LogScreen
from tui.screens.palette import PaletteScreen
from tui.screens.reconcile import ReconcileScreen
from tui.screens.risk import RiskScreen
from tui.widgets.lines import Lines
from tui.widgets.table import Table

DESIGNED = {  # the keys of the design, by what they do
    "move.down": "j", "move.up": "k", "move.top": "g", "move.bottom": "G", "move.half-down": "ctrl+d",
    "move.half-up": "ctrl+u", "move.open": "enter", "list.mark": "space", "asset.fetch": "d", "asset.verify": "v",
    "asset.release": "A", "transfer.cancel": "x", "transfer.pause": "p", "sync": "r", "list.filter": "/",
    "back": "escape", "list.sort": "s", "list.faults": "f", "list.risk": "R", "asset.link": "o", "asset.copy": "y",
    "undo": "u", "repeat": ".", "help": "question_mark", "palette": "ctrl+p", "quit": "q", "mode.desk": "1",
    "mode.transfers": "2", "flag.want": "W", "flag.skip": "X", "flag.forget": "F", "flag.hold": "H",
    "list.mark-all": "asterisk", "list.compare": "c", "asset.packet": "E",
    "mode.rooms": "3", "mode.notifications": "4", "mode.webhooks": "5", "mode.accounts": "6",
}  # fmt: skip


def test_ids_are_unique_and_every_command_has_words_and_help() -> None:
    assert len(BY_ID) == len(COMMANDS)
    for command in COMMANDS:
        assert command.words, command.id
        assert command.help.endswith("."), command.id
        assert command.screens, command.id


def test_the_keys_are_those_of_the_design() -> None:
    for name, key in DESIGNED.items():
        assert key in BY_ID[name].keys.split(","), name


@pytest.mark.parametrize("place", sorted(EVERYWHERE | OVER))
def test_no_key_means_two_things_on_a_screen(place: str) -> None:
    keys = Counter(key for command in on(place) for key in command.keys.split(",") if key)
    assert [key for key, number in keys.items() if number > 1] == []
    assert keymap_problems({}) == ()


def test_letters_and_digits_are_never_taken_from_an_input() -> None:
    for command in COMMANDS:
        if command.priority:
            assert all(key.startswith("ctrl+") for key in command.keys.split(",")), command.id


@pytest.mark.parametrize(
    "screen", [*map(screen_of, MODES), RiskScreen, ReconcileScreen, LogScreen], ids=lambda screen: screen.MODE
)
def test_every_command_of_a_screen_has_a_method(screen: type) -> None:
    for command in on(screen.MODE):  # type: ignore[attr-defined]  # a ModeScreen
        assert callable(getattr(screen, command.method, None)), command.id


def test_lists_have_the_moves() -> None:
    ids = {command.id for command in on("list")}
    for widget in (Table, Lines):
        assert {binding.id for binding in widget.BINDINGS} == ids


def test_bindings_carry_the_ids_for_a_keymap() -> None:
    assert {binding.id for binding in bindings("desk")} == {command.id for command in on("desk")}


def test_a_keymap_that_clashes_or_names_nothing_is_told() -> None:
    assert keymap_problems({"asset.fetch": "Z"}) == ()
    assert "no command is called 'asset.fetsch'" in keymap_problems({"asset.fetsch": "Z"})
    problems = keymap_problems({"asset.fetch": "v"})
    assert [problem.partition(",")[0] for problem in problems] == ["on desk", "on risk"]
    assert all("asset.fetch and asset.verify" in problem for problem in problems)


def test_keys_are_spoken_as_they_are_typed() -> None:
    assert spoken("ctrl+d") == "^d"
    assert spoken("question_mark") == "?"
    assert spoken("j,down") == "j down"


async def test_a_person_s_own_key_acts_and_is_shown(engine: StageEngine) -> None:
    async with app_on(engine, keymap={"list.faults": "Z"}).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        await pilot.press("Z")
        assert screen.query_now.faults
        await pilot.press("f")
        assert screen.query_now.faults
        assert " Z Faults" in seen(pilot)


async def test_a_keymap_with_a_clash_is_not_used_and_says_so(engine: StageEngine) -> None:
    async with app_on(engine, keymap={"asset.fetch": "v"}).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        assert "keymap not used" in screen.said
        assert keys_of(BY_ID["asset.fetch"], dict(pilot.app._keymap)) == "d"


async def test_help_and_palette_hold_every_command(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        for mode in MODES:
            helping = HelpScreen(mode, {})
            pilot.app.push_screen(helping)
            await pilot.pause()
            text = " ".join(helping.query_one("#text", Lines).text.split())
            for command in (*on(mode), *on("list")):
                assert f"{command.words}: {command.help}" in text, command.id
            await pilot.press("escape")
            offered = {command.id for command, _ in PaletteScreen(on(mode), lambda name: "", {}).matches("")}
            assert offered == {command.id for command in on(mode)} - {"palette", "back"}
