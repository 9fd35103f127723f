"""The filter below the list, by keys only: the language, completion, saved views, days, ranges of marks."""

import sqlite3
import threading
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.tui.stage import NOW, StageEngine, app_on, meetings
from tests.tui.walk import ready, seen, shows, until
from tui.narrowing import Completing, Narrowing, completing, hint, narrowing_of
from tui.screens.desk import DeskScreen
from tui.screens.views import ViewsScreen
from tui.widgets.ink import text_of
from vault.ledger.finding import Finder
from vault.query import Known, parse
from vault.views import Query, SavedView

KNOWN = Known(("advice", "agents", "rooms"), ("cronofy", "flexperto"))


def put_in(text: str, *steps: int) -> str:
    """What tab makes of a text."""
    going = completing(text, len(text), KNOWN)
    for by in steps:
        assert going is not None
        going = going.step(by)
    return going.value if going is not None else text


def test_completions_follow_each_other() -> None:
    assert put_in("sta", 1) == "state:"
    assert put_in("-account:ag", 1) == "-account:agents "
    assert put_in("account:", 1) == "account:advice"
    assert put_in("account:", 1, 1) == "account:agents"
    assert put_in("account:", 1, 1, 1, 1) == "account:advice"
    assert put_in("account:", -1) == "account:rooms"
    assert completing('"board mee', 10, KNOWN) is None


@given(st.text(alphabet="stae:-, \"'bf2026東́", max_size=30), st.integers(20, 120))
def test_the_hint_is_one_line_whatever_is_typed(text: str, width: int) -> None:
    problems = parse(text, now=NOW).problems
    for cursor in {0, len(text)}:
        line = hint(text, cursor, problems, completing(text, cursor, KNOWN), width)
        assert cell_len(text_of(line)) <= width


def test_a_problem_elsewhere_is_told_and_one_that_is_being_typed_waits() -> None:
    text = "state:nonsense weekly"
    problems = parse(text, now=NOW).problems
    assert "state is not nonsense" in text_of(hint(text, len(text), problems, None, 100))
    half = "state:"
    line = hint(half, len(half), parse(half, now=NOW).problems, completing(half, len(half), KNOWN), 100)
    assert text_of(line).startswith(" tab processing available")


def test_a_view_writes_out_what_keys_chose() -> None:
    narrowing = Narrowing(Query(account="advice", at_risk=True, sort="deadline", descending=False), " weekly ")
    view = narrowing.view("urgent")
    assert view == SavedView("urgent", "account:advice is:risk weekly", "deadline", False)
    again = narrowing_of(view).parsed(NOW).query
    assert (again.sort, again.descending, again.words) == ("deadline", False, ("weekly",))
    assert {facet.field for facet in again.facets} == {"account", "is"}
    assert narrowing_of(SavedView("old", "", sort="an order of the future")).base.sort == "start"


def rows_of(engine: StageEngine, text: str) -> int:
    return engine.desk.count(parse(text, now=NOW).query)


async def typed(pilot: Any, text: str) -> DeskScreen:
    screen: DeskScreen = await ready(pilot)
    await pilot.press("slash", *text)
    await until(pilot, lambda: screen.filter.text == text)
    return screen


@pytest.mark.parametrize(
    "text",
    ["state:failed", "-state:failed", "account:agents held", "kind:archive before:2026-11-20", "is:risk -weekly"],
)
async def test_the_language_narrows_as_one_types(engine: StageEngine, text: str) -> None:
    wanted = rows_of(engine, text)
    assert 0 <= wanted < 60
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await typed(pilot, text)
        await until(pilot, lambda: screen.table.total == wanted and screen.table.count.exact)
        assert f"with “{text}”"[:30] in seen(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: screen.table.total == 60)
        assert not screen.filter.display


async def test_what_cannot_be_understood_is_said_and_the_rest_filters(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await typed(pilot, "state:nonsense account:advice")
        await until(pilot, lambda: screen.table.total == 18)
        assert screen.filter.said.startswith("! state is not nonsense; it is one of")
        await pilot.press("enter")
        await until(pilot, lambda: screen.focused is screen.table)
        assert "! state is not nonsense" in seen(pilot)


async def test_tab_completes_at_80x24(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("slash")
        await shows(pilot, 'state: local: account: flag: before: after: size: kind: is: -not "a phrase"')
        await pilot.press("s", "t")
        await shows(pilot, " tab state:")
        await pilot.press("tab")
        await shows(pilot, " tab processing available failed abandoned expired unknown")
        await pilot.press("tab", "tab", "tab")
        await until(pilot, lambda: screen.table.total == rows_of(engine, "state:failed"))
        assert screen.filter.text == "state:failed"
        await pilot.press("shift+tab")
        await until(pilot, lambda: screen.table.total == rows_of(engine, "state:available"))
        await pilot.press("space", *"acc", "tab", *"roo", "tab", *"q")
        assert screen.filter.text == "state:available account:rooms q"


async def test_keys_behind_enter_in_one_burst_are_the_list_s(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await typed(pilot, "account:advice")
        await until(pilot, lambda: screen.table.total == 18)
        app = pilot.app
        for key in ("enter", "G"):
            app.simulate_key(key)
        await until(pilot, lambda: screen.table.cursor == 17)
        assert screen.filter.text == "account:advice"


async def test_the_cursor_stays_on_its_row_through_filters_and_sorts(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        for _ in range(24):
            await pilot.press("j")
        row = screen.table.current
        assert row is not None
        await pilot.press("slash", *f"account:{row.account}", "enter")
        await until(pilot, lambda: screen.table.total < 60)
        assert screen.table.current == row
        for _ in range(6):
            before = screen.base.sort
            await pilot.press("s")
            await until(pilot, lambda before=before: screen.base.sort != before and screen.table.current == row)  # type: ignore[misc]
            await pilot.press("S")
        await pilot.press("escape")
        await until(pilot, lambda: screen.table.total == 60)
        assert screen.table.current == row
        await pilot.press("slash", *"-account:", *row.account)
        await until(pilot, lambda: screen.table.total < 60)
        assert screen.table.cursor == 0, "where it is not among them the cursor goes to the top"


async def test_a_result_of_zero_says_what_was_searched(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await typed(pilot, "nowhere-to-be-found")
        for words in ("Nothing fits this.", "Searched 60 of 60 meetings", "Not searched:", "esc shows all again."):
            await shows(pilot, words)


async def test_a_view_is_kept_picked_and_forgotten(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await typed(pilot, "state:failed")
        await pilot.press("enter", "s", "V")
        await shows(pilot, "None is kept yet")
        await pilot.press("n")
        await shows(pilot, "A name for this view")
        await pilot.press("ctrl+u", *"broken ones", "enter")
        await until(pilot, lambda: "kept as broken ones" in screen.said)
        assert engine.desk.search.views() == (SavedView("broken ones", "state:failed", "title", False),)
        await pilot.press("escape", "s")
        await until(pilot, lambda: screen.table.total == 60)
        await pilot.press("V")
        await shows(pilot, "state:failed, by title up")
        await pilot.press("1")
        await until(pilot, lambda: screen.table.total == rows_of(engine, "state:failed"))
        assert (screen.filter.text, screen.base.sort) == ("state:failed", "title")
        await pilot.press("V")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewsScreen))
        await shows(pilot, "broken ones")
        await pilot.press("x")
        await until(pilot, lambda: "forgot the view broken ones" in screen.said)
        assert engine.desk.search.views() == ()


async def test_a_day_is_gone_to(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        day = (NOW - timedelta(days=3)).date()
        await pilot.press("t")
        await shows(pilot, "Go to which day?")
        await pilot.press(*"soon", "enter")
        await shows(pilot, "soon is no day")
        await pilot.press("ctrl+u", *str(day), "enter")
        await until(pilot, lambda: screen.table.cursor > 0)
        row = screen.table.current
        assert row is not None
        assert row.started_at is not None
        assert row.started_at.date() == day
        above = engine.desk.page(screen.query_now, screen.table.cursor - 1, 1)[0]
        assert above.started_at is not None
        assert above.started_at.date() > day, "it is the first of that day in the list's order"
        await pilot.press("s", "at", *"1999", "enter")
        await until(pilot, lambda: "nothing then; the nearest began" in screen.said)
        assert "sorted by start" in screen.said
        assert screen.table.cursor == 59


async def test_a_range_is_marked_and_taken_back(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("M")
        assert "space marks where it does" in screen.said
        await pilot.press("j", "space", "G", "M")
        await until(pilot, lambda: len(screen.table.marks) == 59)
        await shows(pilot, "59 marked")
        await pilot.press("u")
        await until(pilot, lambda: len(screen.table.marks) == 1)


async def test_rows_that_come_in_are_listed_and_the_cursor_keeps_its_row(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        await pilot.press("j", "j", "j")
        row = screen.table.current
        listing = meetings("newcomer", 40)
        engine.desk._ledger.recorder.record("newcomer", "temasys", listing, NOW.timestamp(), authoritative=True)
        engine.set()
        pilot.app._poll()  # type: ignore[attr-defined]  # the desk's
        await until(pilot, lambda: screen.table.total == 100)
        assert screen.table.current == row


def test_going_through_completions_ends_where_it_began() -> None:
    going = completing("state:", 6, KNOWN)
    assert isinstance(going, Completing)
    there = going
    for _ in range(len(going.found.choices)):
        there = there.step(1)
    assert there.step(1) == going.step(1)


async def test_the_next_letter_ends_a_search_that_takes_long(
    engine: StageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, begun, ended = Finder.page, threading.Event(), list[str]()

    def page(finder: Finder, *args: Any, **near: Any) -> list[int]:
        if finder._filter.words == ("w",):
            begun.set()
            numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000000)"
            try:
                finder._connection.execute(f"{numbers} SELECT max(i) FROM n").fetchone()
                ended.append("by itself")
            except sqlite3.OperationalError as error:
                ended.append(str(error))
                raise
        return find(finder, *args, **near)

    monkeypatch.setattr(Finder, "page", page)
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await typed(pilot, "w")
        await until(pilot, begun.is_set)
        await pilot.press("e")
        await until(pilot, lambda: screen.table.total == rows_of(engine, "we"))
        await until(pilot, lambda: ended == ["interrupted"])
        assert screen.said == ""
