"""Walkthroughs of mode 1 over a real ledger, by keys only."""

import pytest

from providers.models import AssetId
from tests.tui.stage import NOW, StageEngine, app_on, meetings
from tests.tui.walk import ready, seen, settled, shows, until
from tui.screens.menu import MenuScreen
from tui.screens.raw import RawScreen
from tui.widgets.bars import StatusBar
from vault.views import LocalState

SIZES = [(80, 24), (120, 36)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_list_says_it_all_and_the_pane_follows(engine: StageEngine, size: tuple[int, int]) -> None:
    async with app_on(engine, banner="demo").run_test(size=size) as pilot:
        screen = await ready(pilot)
        text = seen(pilot)
        for words in ("All accounts", "1 of 60", "● held", "◐ processing", "✗ failed", "1d 10h", "demo", "q Quit"):
            assert words in text
        await pilot.press("j", "j")
        await until(pilot, lambda: screen.pane.view is not None and screen.pane.view.meeting == "advice-000")
        await pilot.press("enter")
        for words in ("people Ana Petrović, 王小明", "listed by the service", "passed: 1420000000 bytes, as stated"):
            assert words in " ".join(screen.pane.text.split())
        assert screen.focused is not None
        assert screen.focused.id == "pane"
        await pilot.press("escape")
        assert screen.focused.id == "meetings"


async def test_downloading_queues_says_why_not_and_can_be_undone(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        await pilot.press("j", "d")
        await until(pilot, lambda: "queued 1 asset; 3 not" in screen.said)
        audio = AssetId.parse("agents/agents-000/audio")
        view = engine.desk.asset(audio)
        assert view is not None
        assert view.local is LocalState.QUEUED
        await pilot.press("u")
        await until(pilot, lambda: "undone: " in screen.said)
        view = engine.desk.asset(audio)
        assert view is not None
        assert view.local is LocalState.ABSENT
        await until(pilot, lambda: screen.pane.view is not None and screen.pane.view.meeting == "advice-000")
        await pilot.press("d")
        assert "it is held already" in screen.said


async def test_marks_are_taken_together_and_repeat_repeats(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        await pilot.press("space", "space")
        await shows(pilot, "2 marked")
        await pilot.press("d")
        await until(pilot, lambda: "queued 2 assets" in screen.said)
        await pilot.press("escape")
        assert not screen.table.marks
        await pilot.press("g", "3")
        await pilot.press("1", "j", "j", "j", ".")
        await until(pilot, lambda: "queued" in screen.said)
        await pilot.press("space", "u")
        await until(pilot, lambda: "took back a mark" in screen.said)
        assert not screen.table.marks


async def test_filtering_as_one_types(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("slash", *"weekly")
        await until(pilot, lambda: 0 < screen.table.total < 60)
        assert "with “weekly”" in seen(pilot)
        await pilot.press("q", "1")  # letters and digits are the input's
        await shows(pilot, "Nothing fits this.")
        await pilot.press("escape")
        await until(pilot, lambda: screen.table.total == 60)
        assert screen.focused is screen.table


async def test_faults_and_sorting(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        await pilot.press("f")
        await until(pilot, lambda: 0 < screen.table.total < 60)
        row = screen.table.current
        assert row is not None
        await pilot.press("f", "s")
        assert screen.query_now.sort == "title"
        await pilot.press("S")
        assert screen.query_now.descending


async def test_accounts_are_selected_and_folded(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: screen.table.total == 18)
        assert " advice" in seen(pilot)
        await pilot.press("left_square_bracket", "left_square_bracket")
        await shows(pilot, "Nothing is known of standup yet.")
        await pilot.press("left_square_bracket")
        await shows(pilot, "is the VPN up?")
        await pilot.resize_terminal(120, 36)
        await shows(pilot, "✗ error")


async def test_one_asset_from_the_pane(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        await pilot.press("j")
        await until(pilot, lambda: screen.pane.view is not None and screen.pane.view.meeting == "agents-000")
        await pilot.press("enter", "j")
        await until(pilot, lambda: screen.pane.asset is not None and screen.pane.asset.identity.kind == "audio")
        await pilot.press("d")
        await until(pilot, lambda: screen.said == "queued 1 asset")
        await pilot.press("j", "j")
        await until(pilot, lambda: screen.pane.asset is not None and screen.pane.asset.identity.kind == "dashboard")
        await pilot.press("d")
        assert "a dashboard is a link for a browser" in screen.said


async def test_links_and_copies_go_to_the_terminal_with_honest_words(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("o")
        assert "the service gave no link" in screen.said
        await pilot.press("j", "o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RawScreen))
        await shows(pilot, "https://app.example.com/dashboards/0")
        assert pilot.app.clipboard == "https://app.example.com/dashboards/0"
        await pilot.press("escape")
        assert "if it allows that" in screen.said
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen))
        await pilot.press("i")
        await until(pilot, lambda: pilot.app.clipboard == "agents/agents-000/video")


async def test_the_raw_record_is_one_key_away(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("w")
        await shows(pilot, '"apiKey": "…"')
        await pilot.press("w")
        await until(pilot, lambda: not isinstance(pilot.app.screen, RawScreen))


async def test_cancelling_and_pausing_ask_the_queue(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("x")
        assert "no transfer of it is under way" in screen.said
        await pilot.press("j", "j", "j", "j")
        await until(pilot, lambda: screen.pane.view is not None and screen.pane.view.meeting == "agents-001")
        await pilot.press("p")
        await until(pilot, lambda: screen.said == "paused 2 transfers")
        engine.transfers_from_ledger()
        await pilot.press("p")
        await until(pilot, lambda: screen.said == "resumed 2 transfers")
        engine.transfers_from_ledger()
        await pilot.press("x")
        await until(pilot, lambda: screen.said.startswith("cancelled 2 transfers"))


async def test_a_refresh_keeps_the_cursor_on_its_meeting(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press(*"jjjjj")
        row = screen.table.current
        assert row is not None
        before = row.key
        engine.desk._ledger.recorder.record(
            "calls", "huawei", meetings("calls", 9), NOW.timestamp(), authoritative=True
        )
        engine.set()
        await until(pilot, lambda: screen.table.total == 69)
        row = screen.table.current
        assert row is not None
        assert row.key == before


async def test_nothing_configured_says_what_to_do(empty_engine: StageEngine) -> None:
    async with app_on(empty_engine).run_test(size=(80, 24)) as pilot:
        await shows(pilot, "No account is configured yet.")
        text = seen(pilot)
        assert "config.toml" in "".join(text.split())
        assert "reeldesk demo" in text
        for key in "dvAxpoywur.":
            await pilot.press(key)
            screen = pilot.app.screen
            assert getattr(screen, "said", ""), key
        for mode, words in (("3", "No account summarises calls"), ("4", "No account has recording notifications")):
            await pilot.press(mode)
            await shows(pilot, words)
        await pilot.press("2")
        await shows(pilot, "Nothing was ever queued")


async def test_every_key_that_cannot_act_is_grey_and_says_why(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        greyed = {run[0] for run in screen.query_one("#keys")._line if run[1] == "off"}  # type: ignore[attr-defined]
        assert "v" in greyed
        assert "d" not in greyed
        for command in ("repeat", "list.unmark"):
            screen.action_perform(command)
            assert screen.said
            assert screen.why_not(command) == screen.said


async def test_too_small_a_terminal_says_so(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(50, 15)) as pilot:
        await shows(pilot, "reeldesk needs at least 60 x 20")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "needs at least" not in seen(pilot))


@pytest.mark.parametrize(
    ("environ", "fits", "end"),
    [({}, "its configuration stays", "…"), ({"REELDESK_ASCII": "1"}, "its configuration", "...")],
)
async def test_a_status_line_that_goes_on_says_so(
    engine: StageEngine, environ: dict[str, str], fits: str, end: str
) -> None:
    said = "the account cannot be changed: Read-only file system; its configuration stays exactly as it was"
    async with app_on(engine, environ=environ).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        screen.say(said, "bad")
        await pilot.pause()
        line = seen(pilot).splitlines()[-2]
        assert line == f" the account cannot be changed: Read-only file system; {fits}{end}"
        assert screen.said == said
        screen.query_one("#status", StatusBar).tail("12 B/s sent")
        await pilot.pause()
        line = seen(pilot).splitlines()[-2]
        assert line.startswith(f" the account cannot be changed: Read-only file system; its{end} ")
        assert line.endswith(" 12 B/s sent")
        screen.say(said[:54])
        await pilot.pause()
        assert end not in seen(pilot).splitlines()[-2]


async def test_the_palette_finds_and_does(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("ctrl+p", *"faults")
        await shows(pilot, "Show only where something is wrong.")
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_now.faults)
        await settled(pilot)  # what cannot be done is told of the line that is there then
        await pilot.press("ctrl+p", *"verify")
        await shows(pilot, "no file of it was ever proven here")
        await pilot.press("enter")
        await until(pilot, lambda: "no file of it was ever proven here" in screen.said)
        await pilot.press("ctrl+p", *"zzzz")
        await shows(pilot, "nothing is called that")
        await pilot.press("down", "up", "enter", "escape")
        assert screen.query_now.faults


async def test_themes_go_round(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        names = []
        for _ in range(4):
            screen.action_perform("theme")
            await pilot.pause()
            names.append(pilot.app.theme)
        assert names == ["reeldesk-light", "ansi-dark", "ansi-light", "reeldesk-dark"]


async def test_no_color_stays_without(engine: StageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        screen.action_perform("theme")
        assert "NO_COLOR is set" in screen.said
        assert pilot.app.theme == "ansi-dark"


async def test_an_engine_that_stops_by_itself_is_told(engine: StageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(engine, "run", fails)
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        await until(pilot, lambda: "the disk is full" in screen.said or bool(screen.said))
        assert "the engine stopped" in screen.said


async def test_a_minute_moves_the_slack(engine: StageEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        app._minute()
        await pilot.press("2")
        await shows(pilot, "2 queued")
        app._minute()
        await pilot.click("#modes", offset=(2, 0))
        await shows(pilot, "All accounts")
        await pilot.pause(1.2)  # two polls without a change


async def test_enter_in_the_accounts_goes_to_their_meetings(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        screen.query_one("#accounts").focus()
        await pilot.press("j")
        await until(pilot, lambda: screen.table.total == 18)
        await pilot.press("enter")
        await until(pilot, lambda: screen.focused is not None and screen.focused.id == "meetings")
