"""What the desk shows of transfers and how it steers them, those of other processes too."""

import os
import socket

import pytest
from msgspec.structs import replace

from providers.models import AssetId
from tests.tui.stage import NOW, StageEngine, app_on, claimed
from tests.tui.transfer_views import AUDIO, DOWN, SOON, VIDEO, WAITING, S, account, view
from tests.tui.walk import ready, screen_of, seen, settled, shows, until
from tui.desk_words import state_line
from tui.screens.transfers import TransfersScreen
from tui.widgets.bars import Bar
from tui.widgets.ink import text_of
from tui.widgets.lines import Lines
from tui.widgets.table import Table
from vault.engine import Snapshot
from vault.ledger.claiming import Beat, Hold
from vault.views import Query

SIZES = [(80, 24), (120, 36)]

# Mode 2 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_finished_one_shows_its_proof(engine: StageEngine, size: tuple[int, int]) -> None:
    async with app_on(engine).run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press("2")
        await shows(pilot, "3 done")
        await pilot.press("G")
        await shows(pilot, f"sha256 {'cd' * 32}")
        for words in (
            "state ● done, 1.4 GB (1420000000 bytes)",
            "container passed: 3 files in the zip, every CRC right",
        ):
            assert words in seen(pilot)
        await pilot.press("enter", "G")
        about = screen_of(pilot).query_one("#about", Lines)
        assert about.has_focus
        text = " ".join(about.text.split())
        for words in (
            "checksum not checked: the service states no checksum",
            "proven 2026-11-22 14:05 UTC from https://acme.example",
            "path /srv/reeldesk/",
        ):
            assert words in text
        await shows(pilot, "path /srv/reeldesk/")
        await pilot.press("escape")
        assert screen_of(pilot).query_one("#queue", Table).has_focus
        await pilot.press("escape")
        await shows(pilot, "All accounts")


async def test_a_finished_one_whose_file_is_gone_says_so(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("2")
        await shows(pilot, "3 done")
        await pilot.press("G")
        await shows(pilot, f"sha256 {'cd' * 32}")
        screen = screen_of(pilot)
        assert isinstance(screen, TransfersScreen)
        current = screen.table.current
        assert current is not None
        assert "here now" not in seen(pilot)
        await engine.desk.verify(current.asset)
        engine.set()
        await shows(pilot, "here now lost")


@pytest.mark.parametrize("size", SIZES)
async def test_now_puts_it_first(engine: StageEngine, size: tuple[int, int]) -> None:
    engine.transfers_from_ledger()
    async with app_on(engine).run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press("2")
        await shows(pilot, "4 queued")
        assert " n Now " in seen(pilot)
        *_, last = [each.asset for each in engine.desk.transfers() if each.state is S.QUEUED]
        await pilot.press("j", "j", "j", "n")
        screen = screen_of(pilot)
        await until(pilot, lambda: screen.said == "first in the queue")
        assert engine.desk.transfers()[0].asset == last
        table = screen.query_one("#queue", Table)
        await until(pilot, lambda: table.cursor == 0)
        assert getattr(table.current, "asset", None) == last


async def test_now_says_why_not(engine: StageEngine) -> None:
    async with app_on(engine, keymap={"transfer.retry": "T"}).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("2")
        await shows(pilot, "2 running")
        screen = screen_of(pilot)
        await pilot.press("n")
        assert screen.said == "it is running already"
        greyed = {text for text, ink in screen.query_one("#keys", Bar)._line if ink == "off"}
        assert "n" in greyed
        await pilot.press("G", "n")
        assert screen.said == "it has ended: done"
        await pilot.press("k", "k", "k", "n")
        assert screen.said == "it has ended: failed; T tries it again"
        await shows(pilot, "keys T tries it again")


async def test_what_another_process_runs_is_shown_and_steered(engine: StageEngine) -> None:
    other = f"{socket.gethostname()}:{os.getpid() + 1}"
    claims, claim = engine.desk._ledger.claims, claimed(engine.desk, VIDEO, f"{other}:token")
    beat = Beat(claim, 31_000_000, 310_000_000, 2_000_000.0)
    claims.beat([beat], NOW.timestamp())
    engine.transfers_from_ledger()
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await shows(pilot, "10 %  2.0 MB/s  2m 19s")
        await pilot.press("2")
        runner = f"process {os.getpid() + 1} on this machine"
        await shows(pilot, f"run by {runner}")
        assert "rate 2.0 MB/s, 2m 19s left" in seen(pilot)
        screen = screen_of(pilot)
        await pilot.press("p")
        await until(pilot, lambda: screen.said == f"pausing it: {runner} is asked to")
        assert claims.beat([beat], NOW.timestamp()) == {VIDEO: "pause"}
        claims.step_back(claim, "paused", NOW.timestamp())
        engine.transfers_from_ledger()
        await shows(pilot, "‖ paused")
        await pilot.press("p")
        await until(pilot, lambda: screen.said == "resumed")
        after = engine.desk.transfer(VIDEO)
        assert after is not None
        assert after.state is S.QUEUED


@pytest.mark.parametrize("mode", ["1", "2"])
async def test_what_does_not_change_is_not_drawn_again(
    engine: StageEngine, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine gives a new snapshot while anything is active; equal ones cost no byte."""
    states = [view(S.WAITING, **WAITING), view(S.RUNNING, asset=AUDIO)]
    engine.set(transfers=tuple(states))
    drawn: list[str] = []
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press(mode)
        await shows(pilot, "14:05:40")
        await settled(pilot)
        for kind in (Lines, Table, Bar):
            monkeypatch.setattr(kind, "refresh", lambda self, *_, **__: drawn.append(str(self)))
            monkeypatch.setattr(kind, "refresh_line", lambda self, y: drawn.append(f"{self} line {y}"), raising=False)
        screen = screen_of(pilot)
        for _ in range(3):
            screen.see(Snapshot(1, tuple(replace(each) for each in states), online=True), changed=False)
            await settled(pilot)
        assert drawn == []
        engine.set(transfers=(states[0], replace(states[1], received=150_000_000)))  # the desk looks by itself
        await until(pilot, lambda: drawn != [])
        monkeypatch.undo()


# The desk and the accounts --------------------------------------------------------------------------------------------


async def test_download_says_where_it_stands(engine: StageEngine) -> None:
    engine.desk.enqueue([AssetId.parse("agents/agents-001/transcript")])
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("j", "j", "j", "j")
        await until(pilot, lambda: screen.pane.view is not None and screen.pane.view.meeting == "agents-001")
        await pilot.press("d")
        assert screen.said == "its video is being fetched: 45 %, 8.4 MB/s; 2 shows it"


async def test_the_desk_s_line_says_which_accounts_wait(engine: StageEngine) -> None:
    waits = account(engine, held_until=SOON, held_words=DOWN)
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        table = (await ready(pilot)).table
        one = text_of(state_line(Query(account="advice"), "", [waits], table, Snapshot(), NOW))
        assert one.endswith(f"nothing is fetched until 14:05:40 UTC: {DOWN}")
        every = text_of(state_line(Query(), "", [waits], table, Snapshot(), NOW))
        assert every.endswith("  waiting: advice")


@pytest.mark.parametrize("size", SIZES)
async def test_a_break_of_an_account_is_shown_everywhere_until_it_is_over(
    engine: StageEngine, size: tuple[int, int]
) -> None:
    claims = engine.desk._ledger.claims
    claims.hold("agents", Hold(SOON.timestamp(), DOWN, 1))
    engine.transfers_from_ledger()
    async with app_on(engine).run_test(size=size) as pilot:
        await ready(pilot)
        await shows(pilot, f"{DOWN}, next try 14:05:40 UTC")
        await shows(pilot, "no answer: calls")
        await pilot.press("a", "a")
        await shows(pilot, "agents 1 of 24")
        await shows(pilot, "nothing is fetched until 14:05:40")
        await pilot.press("6")
        await shows(pilot, "◐ waiting")
        await pilot.press("j")
        await shows(pilot, f"waits nothing is fetched until 14:05:40 UTC: {DOWN}")
        await pilot.press("2")
        await shows(pilot, "→ queued")
        await shows(pilot, f"waits because {DOWN}")
        await pilot.press("j", "n")
        await until(pilot, lambda: screen_of(pilot).said == "first in the queue, and tried now")
        assert claims.holds() == {}
        engine.transfers_from_ledger()
        await until(pilot, lambda: "14:05:40" not in seen(pilot))
        await pilot.press("6")
        await until(pilot, lambda: "waiting" not in seen(pilot))


async def test_the_table_tells_when_the_moment_has_come(engine: StageEngine) -> None:
    clock = [NOW]
    engine.set(transfers=(view(S.WAITING, **WAITING), view(S.WAITING, asset=AUDIO, words=DOWN, again_at=NOW)))
    async with app_on(engine, now=lambda: clock[0]).run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("2")
        await shows(pilot, f"14:05:40 {DOWN}")
        await shows(pilot, f"in turn  {DOWN}")
        clock[0] = SOON
        await until(pilot, lambda: f"14:05:40 {DOWN}" not in seen(pilot))
