"""Going to a day: the question that every list with moments asks, and what is said when one is there."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from tui import label
from tui.screens.base import ModeScreen
from tui.screens.prompt import PromptScreen
from vault.query import parse

NOTE = "2026-11-01, 2026-11, 2026, today, yesterday, 7d (days ago), 6m, 2y; enter goes there, esc goes back"


def ask_for_day(screen: ModeScreen, go: Callable[[datetime, datetime], Awaitable[None]]) -> None:
    """Ask over a screen, and go: from when on, and until when (UTC)."""
    now = screen.context.now()

    def problem(text: str) -> str:
        return "; ".join(each.words for each in parse(f"on:{text}", now=now).problems)

    def answered(text: str | None) -> None:
        if text:
            since, until = span(text, now)
            # Keys wait, since they are for the row that is gone to.
            screen.attempt(lambda: go(since, until), "time", exclusive=True, opens=True)

    screen.app.push_screen(PromptScreen("Go to which day?", NOTE, problem), answered)


def span(text: str, now: datetime) -> tuple[datetime, datetime]:
    """What a day, a month, a year in the language of the filter stands for (UTC)."""
    day = parse(f"on:{text}", now=now).query
    assert day.since is not None
    assert day.until is not None
    return day.since, day.until


def there_words(at: datetime | None, since: datetime, until: datetime, verb: str, sorted_by: str) -> str:
    """Which moment one came to. `verb`: what the row did then; `sorted_by`: the order that this took, if another."""
    there = at is not None and since <= at < until
    said = ("" if there else f"nothing then; the nearest {verb} ") + label.when(at)
    return said + (f", sorted by {sorted_by}" if sorted_by else "")
