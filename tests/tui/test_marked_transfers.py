"""Mode 2: marks and what is done with them, its orders, going to a day; by keys, over a real ledger."""

from datetime import timedelta
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from providers.models import Asset, AssetId, AssetKind, Listing, Meeting, RemoteState
from tests.tui.sealed_stage import burst
from tests.tui.stage import NOW, StageEngine, app_on, claimed
from tests.tui.transfer_views import AUDIO, VIDEO, S
from tests.tui.walk import ready, screen_of, seen, settled, shows, until
from tui.screens.transfers import TransfersScreen
from tui.widgets.bars import Bar
from tui.widgets.windows import KEPT, SIZE
from vault.views import TRANSFER_SORTS, Sort, TransferState, TransferView

LATER_VIDEO, LATER_AUDIO, FAILED = (
    AssetId.parse(f"agents/agents-{name}") for name in ("005/video", "005/audio", "004/video")
)


async def opened(pilot: Pilot[None], engine: StageEngine) -> TransfersScreen:
    """The queue as the ledger has it: four queued, one failed, three done."""
    engine.transfers_from_ledger()
    await ready(pilot)
    await pilot.press("2")
    await until(pilot, lambda: isinstance(screen_of(pilot), TransfersScreen))
    screen = cast(TransfersScreen, screen_of(pilot))
    await until(pilot, lambda: screen.table.current is not None, "the queue")
    await settled(pilot)
    return screen


def state(engine: StageEngine, identity: AssetId) -> TransferState:
    view = engine.desk.transfer(identity)
    assert view is not None
    return view.state


async def go_to(pilot: Pilot[None], screen: TransfersScreen, identity: AssetId) -> None:
    place = engine_of(screen).desk.lists.transfers.position(identity, sort=screen.sorting.now)
    assert place is not None
    screen.table.move_to(place)
    await until(pilot, lambda: screen.table.current_key == identity)


def engine_of(screen: TransfersScreen) -> StageEngine:
    return cast(StageEngine, screen.context.engine)


# Marks ----------------------------------------------------------------------------------------------------------------


async def test_cancel_is_for_all_that_is_marked(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("asterisk")
        await shows(pilot, "8 marked")
        assert sum(line.startswith("+") for line in seen(pilot).split("\n")) >= 8
        before = engine.desk.change_number()
        await pilot.press("x")
        words = "cancelled 4 transfers; parts already fetched stay for a later try; 4 not: it has ended: done"
        await until(pilot, lambda: screen.said == f"{words} (and 1 other reason)")
        assert engine.desk.change_number() == before + 1, "one transaction for all of them"
        assert [state(engine, each) for each in (VIDEO, AUDIO, LATER_VIDEO, LATER_AUDIO)] == [S.CANCELLED] * 4
        assert not screen.table.marks, "marks go with the verb that they were for"
        engine.transfers_from_ledger()
        await shows(pilot, "1 failed, 4 cancelled, 3 done  by state")


async def test_the_key_that_pauses_what_is_marked_lets_it_go_on(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("space", "space", "p")
        await until(pilot, lambda: screen.said == "paused 2 transfers")
        assert [state(engine, each) for each in (VIDEO, AUDIO, LATER_VIDEO)] == [S.PAUSED, S.PAUSED, S.QUEUED]
        assert screen.table.marks == {VIDEO, AUDIO}, "they stay: the same key takes it back"
        await go_to(pilot, screen, LATER_VIDEO)
        await pilot.press("space", "p")
        await until(pilot, lambda: screen.said == "paused 1 transfer; 2 not: it is paused already")
        await pilot.press("p")
        await until(pilot, lambda: screen.said == "resumed 3 transfers")
        assert {state(engine, each) for each in (VIDEO, AUDIO, LATER_VIDEO)} == {S.QUEUED}


async def test_retry_and_now_are_for_what_is_marked_and_say_why_not_for_the_rest(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await go_to(pilot, screen, FAILED)
        await pilot.press("space", "space", "t")
        await until(pilot, lambda: screen.said == "queued 1 transfer again; 1 not: it is done: nothing to try again")
        assert state(engine, FAILED) is S.QUEUED
        await until(pilot, lambda: screen.table.total == 8 and not screen.table.marks)
        await settled(pilot)
        for each in (LATER_VIDEO, FAILED):
            await go_to(pilot, screen, each)
            await pilot.press("space")
        await pilot.press("n")
        await until(pilot, lambda: screen.said == "put 2 transfers first in the queue")
        line = [view.asset for view in engine.desk.transfers() if view.state is S.QUEUED]
        assert line == [FAILED, LATER_VIDEO, VIDEO, AUDIO, LATER_AUDIO], "in the order in which they were in line"
        assert not screen.table.marks


async def test_a_verb_that_is_for_none_of_them_says_so(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("G", "space", "x")
        await until(pilot, lambda: screen.said == "nothing cancelled: it has ended: done")
        await pilot.press("space", "p")
        await until(pilot, lambda: screen.said == "nothing paused: it has ended: done")


async def test_what_another_process_runs_is_told_to_stop_with_the_rest(engine: StageEngine) -> None:
    claimed(engine.desk, VIDEO)
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("space", "space", "n")
        await until(pilot, lambda: screen.said == "put 1 transfer first in the queue; 1 not: it is running already")
        await pilot.press("g", "space", "p")
        await until(pilot, lambda: screen.said == "paused 1 transfer")
        assert state(engine, VIDEO) is S.RUNNING, "its owner is asked to"


async def test_later_and_sooner_are_for_the_current_one_alone(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("space")
        await go_to(pilot, screen, LATER_VIDEO)
        await pilot.press("J")
        await until(pilot, lambda: screen.said == "moved down in the queue")
        line = [view.asset for view in engine.desk.transfers() if view.state is S.QUEUED]
        assert line == [VIDEO, AUDIO, LATER_AUDIO, LATER_VIDEO]
        assert screen.table.marks == {VIDEO}


async def test_the_ids_of_what_is_marked_are_copied(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("space", "space", "y")
        assert screen.said.startswith("list of 2 asset ids sent")
        assert pilot.app.clipboard == f"{AUDIO}\n{VIDEO}"
        assert screen.table.marks == {VIDEO, AUDIO}
        await pilot.press("U", "y")
        assert pilot.app.clipboard == str(LATER_VIDEO)


async def test_escape_takes_marks_away_before_it_leaves(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("space", "enter", "escape")
        assert screen.table.has_focus
        assert screen.table.marks == {VIDEO}
        await pilot.press("escape")
        assert not screen.table.marks
        assert screen_of(pilot) is screen
        await shows(pilot, "1 failed, 3 done  by state")
        await pilot.press("escape")
        await shows(pilot, "All accounts")


async def test_keys_are_greyed_by_what_they_are_for(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, engine)

        def greyed() -> set[str]:
            return {text for text, ink in screen.query_one("#keys", Bar)._line if ink == "off"}

        await pilot.press("G")
        assert {"x", "p", "t", "n"} <= greyed()
        assert "space" not in greyed()
        await pilot.press("space")
        assert not {"x", "p", "t", "n"} & greyed(), "marked ones are looked at when the key is pressed"
        await pilot.press("U")
        assert {"x", "p", "t", "n"} <= greyed()
        assert screen.why_not("list.unmark") == "nothing is marked"
        assert screen.why_not("list.mark-range") == "no range begins yet: space marks where it does"


def many(engine: StageEngine, number: int) -> None:
    """So many more that were queued, an hour apart."""
    listing = Listing()
    for n in range(number):
        meeting = Meeting(f"m-{n:04d}", f"Zoo meeting {n:04d}")
        listing += Listing((meeting,), (Asset(meeting.id, AssetKind.AUDIO, state=RemoteState.AVAILABLE),))
    ledger = engine.desk._ledger
    ledger.recorder.record("rooms", "temasys", listing, NOW.timestamp(), authoritative=True)
    with ledger._database.write() as connection:
        connection.execute(
            """INSERT INTO transfers (asset_id, account, state, position, queued_at, ended_at)
            SELECT id, account, 'cancelled', 0, ?1, ?1 - 3600 * (id + 1) FROM assets WHERE identity LIKE 'rooms/m-%'""",
            (NOW.timestamp(),),
        )


async def test_a_range_goes_over_pages_and_a_verb_over_all_of_it(engine: StageEngine) -> None:
    many(engine, 600)
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        table = screen.table
        await go_to(pilot, screen, FAILED)
        first = table.cursor
        await pilot.press("space", "G")
        await until(pilot, lambda: table.cursor == table.total - 1 and table.current is not None)
        await pilot.press("M")
        await until(pilot, lambda: len(table.marks) == table.total - first)
        assert screen.said == f"marked {table.total - first - 1} more; esc takes the marks away"
        before = engine.desk.change_number()
        await pilot.press("t")
        await until(pilot, lambda: screen.said.startswith("queued 601 transfers again; 3 not: it is done"))
        assert engine.desk.change_number() == before + 1
        tally = engine.desk.lists.transfers.tally()
        assert tally == {S.QUEUED: 605, S.DONE: 3}


# Orders ---------------------------------------------------------------------------------------------------------------


def listed(engine: StageEngine, sort: Sort) -> list[AssetId]:
    return [view.asset for view in engine.desk.lists.transfers.page(0, 99, sort=sort)]


async def test_each_order_in_turn_keeps_the_cursor_on_its_row(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await shows(pilot, "State ▲")
        await go_to(pilot, screen, FAILED)
        for name in (*TRANSFER_SORTS[1:], TRANSFER_SORTS[0]):
            await pilot.press("s")
            assert screen.said == f"sorted by {name}"
            now = screen.sorting.now
            assert now == Sort(name, name in ("size", "tries", "changed"))
            rows = listed(engine, now)
            await until(pilot, lambda rows=rows: screen.table.cursor == rows.index(FAILED))  # type: ignore[misc]
            assert screen.table.current_key == FAILED
            shown = {"title": "Meeting ▲", "kind": "Asset ▲", "size": "Progress ▼", "tries": "Tr▼", "state": "State ▲"}
            await shows(pilot, shown.get(name, "by changed down"))
            await pilot.press("S")
            backwards = Sort(name, not now.descending)
            assert screen.sorting.now == backwards
            rows = listed(engine, backwards)
            await until(pilot, lambda rows=rows: screen.table.cursor == rows.index(FAILED))  # type: ignore[misc]
            assert screen.table.current_key == FAILED
            await pilot.press("S")


async def test_a_click_on_a_title_sorts_by_it_and_a_click_on_it_again_turns_that_round(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, engine)
        header = next(line for line in seen(pilot).split("\n") if line.startswith(" State"))
        for words, sort in (("Meeting", "title"), ("Asset", "kind"), ("Progress", "size"), ("Try", "tries")):
            for _ in range(2):
                before = screen.sorting.now
                await pilot.click("#queue", offset=(header.index(words), 0))
                assert screen.sorting.now.by == sort
                assert screen.sorting.now != before
        await pilot.click("#queue", offset=(header.index("Rate"), 0))
        assert screen.sorting.now.by == "tries", "what changes by the second has no order"


async def test_what_comes_in_above_moves_no_cursor_in_another_order(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("s")
        await until(pilot, lambda: screen.table.current_key == listed(engine, Sort("title"))[0])
        await go_to(pilot, screen, LATER_AUDIO)
        place = screen.table.cursor
        other = AssetId.parse("agents/agents-001/transcript")
        assert engine.desk.enqueue([other])
        title = engine.desk.transfer(other)
        assert title is not None
        engine.set()
        await until(pilot, lambda: screen.table.total == 9)
        assert screen.table.current_key == LATER_AUDIO
        assert screen.table.cursor == listed(engine, Sort("title")).index(LATER_AUDIO) >= place


# Going to a day -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("descending", [True, False])
async def test_a_day_is_gone_to_whatever_the_order_was(engine: StageEngine, descending: bool) -> None:
    many(engine, 200)
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, engine)
        table = screen.table
        if not descending:
            await pilot.press("s", "s", "s", "s", "s", "S")
            assert screen.sorting.now == Sort("changed")
        await pilot.press("at", *"2026-11-15", "enter")
        by_time = Sort("changed", descending)
        views = engine.desk.lists.transfers.page(0, 999, sort=by_time)
        wanted = next(view for view in views if view.changed_at and f"{view.changed_at:%F}" == "2026-11-15")
        await until(pilot, lambda: table.current_key == wanted.asset)
        moved = ", sorted by changed" if descending else ""
        assert screen.said == f"{wanted.changed_at:%F %H:%M} UTC{moved}"
        assert screen.sorting.now == by_time
        await settled(pilot)
        assert wanted.asset.meeting in seen(pilot)
        assert table.held <= KEPT * SIZE
        await pilot.press("at", *"2024", "enter")
        last = views[-1] if descending else views[0]
        await until(pilot, lambda: table.current_key == last.asset)
        assert screen.said == f"nothing then; the nearest changed {last.changed_at:%F %H:%M} UTC"


@pytest.mark.parametrize("by_time", [False, True])
async def test_a_key_behind_a_day_is_for_the_row_that_is_gone_to(engine: StageEngine, by_time: bool) -> None:
    """Also where the order stays, so that the same rows are read once more."""
    many(engine, 200)
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        if by_time:
            await pilot.press("S", "s", "s", "s", "s", "s")
            await settled(pilot)
        burst(pilot.app, "at", *"2026-11-14", "enter", "space", "at", *"2026-11-11", "enter", "space")
        await until(pilot, lambda: len(screen.table.marks) == 2)
        views = engine.desk.lists.transfers.page(0, 999, sort=Sort("changed", descending=True))
        days = [next(v for v in views if v.changed_at and v.changed_at.day == day) for day in (14, 11)]
        assert screen.table.marks == {view.asset for view in days}


async def test_a_day_that_is_none_is_told_and_escape_goes_nowhere(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        await pilot.press("at", *"noday", "enter")
        await shows(pilot, "Go to which day?")
        await pilot.press("escape")
        assert screen.sorting.now == Sort("state")


async def test_nothing_is_sorted_or_gone_to_where_nothing_was_queued(empty_engine: StageEngine) -> None:
    async with app_on(empty_engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await shows(pilot, "Nothing was ever queued.")
        screen = screen_of(pilot)
        for key in ("s", "S", "at"):
            await pilot.press(key)
            assert screen.said == "nothing is listed"
        for key in ("asterisk", "space"):
            await pilot.press(key)
            assert screen.said == "there is nothing to mark"


async def test_a_long_history_is_held_by_the_page_in_every_order(engine: StageEngine) -> None:
    """Five thousand that ended: pages of them alone are read, whichever the order and wherever the cursor goes."""
    number = 5_000
    with engine.desk._ledger._database.write() as connection:
        lines = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        connection.execute(
            f"""{lines} INSERT INTO assets (id, meeting_id, identity, account, kind, variant, state, provider_state,
                error, extension, locator, link, warning, details, raw, first_seen, last_seen)
            SELECT 100000 + i, 1, 'advice/m' || i || '/video', 'advice', 'video', '', 'available', '', '',
                'mp4', '{{}}', '', '', '{{}}', '', 0, 0 FROM n""",
            (number,),
        )
        connection.execute(
            f"""{lines} INSERT INTO transfers (asset_id, account, state, position, attempts, total, queued_at, ended_at)
            SELECT 100000 + i, 'advice', 'done', i, i % 5, nullif(i % 7, 0), ?, ? - i FROM n""",
            (number, NOW.timestamp(), NOW.timestamp()),
        )
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, engine)
        table = screen.table
        assert table.total == number + 8
        for _ in TRANSFER_SORTS:
            await pilot.press("s")
            for key in ("G", "g"):
                end = table.total - 1 if key == "G" else 0
                await pilot.press(key)
                await until(pilot, lambda end=end: table.cursor == end and table.current is not None)  # type: ignore[misc]
                row: TransferView | Any = table.current
                sort = screen.sorting.now
                await until(
                    pilot,
                    lambda row=row, sort=sort, end=end: (  # type: ignore[misc]
                        engine.desk.lists.transfers.position(row.asset, sort=sort) == end
                    ),
                )
            assert table.held <= KEPT * SIZE
        began = NOW - timedelta(seconds=number // 2)
        await pilot.press("at", *f"{began:%F}", "enter")
        await until(pilot, lambda: screen.said.endswith("sorted by changed"))
        assert table.held <= KEPT * SIZE
