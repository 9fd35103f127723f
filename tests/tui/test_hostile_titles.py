"""Titles made to break a terminal, a markup reader or a table: a sample in `make test`, 1,000 in a soak."""

import os
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from providers.models import Asset, AssetKind, Listing, Meeting, RemoteState
from providers.text import safe_text
from tests.e2e.hostile import PAYLOADS
from tests.tui.stage import HOSTILE, NOW, StageEngine, app_on, stage
from tests.tui.test_guard import ACTING, MARKUP
from tests.tui.walk import ready, seen, settled

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
TITLES = 1_000 if SOAK else 60
SEED = int(os.environ.get("REELDESK_SEED", "5"))
PIECES = (
    *HOSTILE, *PAYLOADS, *MARKUP, *sorted(ACTING),
    "[", "]", "[/", "[[", "\\", "[@click=", "$", "{", "}", "%s", "\u200d", "\ufe0f", "\u202e", "\U000e0041", "\u0301",
    "👩‍👩‍👧‍👦", "東京", "ﷺ", "\U0001f1e9\U0001f1ea", "\ufffe", "\x00", "a", " ", "é", "\uffff", "\u0600", "\u2028",
)  # fmt: skip


def title(chance: random.Random) -> str:
    """Pieces of what is hostile, whole or cut, in a row; now and then characters of any kind."""
    made = ""
    for _ in range(chance.randint(1, 5)):
        if chance.random() < 0.2:
            code = chance.randrange(0x11_0000)
            made += chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd"
        else:
            piece = chance.choice(PIECES)[:400]
            cut = chance.randint(0, len(piece))
            made += chance.choice((piece, piece[cut:], piece[:cut]))
    return made


def listing() -> Listing:
    """A meeting for each title: one half as a provider hands them on, the other raw, as if it had forgotten to."""
    chance = random.Random(SEED)
    meetings, assets = [], []
    for number in range(TITLES):
        raw = title(chance)
        shown = safe_text(raw) if number % 2 else raw
        meetings.append(
            Meeting(f"m{number:04}", shown, NOW - timedelta(minutes=number), people=(shown,), details={shown: shown})
        )
        assets.append(Asset(f"m{number:04}", AssetKind.ARCHIVE, error=shown, state=RemoteState.FAILED))
    return Listing(tuple(meetings), tuple(assets))


@pytest.fixture
def hostile_engine(tmp_path: Path) -> Iterator[StageEngine]:
    with stage(tmp_path, filled=False) as made:
        made.desk._ledger.recorder.record("advice", "flexperto", listing(), NOW.timestamp(), authoritative=True)
        yield made


async def test_no_title_crashes_the_desk_or_acts(hostile_engine: StageEngine) -> None:
    """Every title is drawn once in the list, and many with their pane, their faults, and a search for them."""
    async with app_on(hostile_engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        assert screen.table.total == TITLES
        shown, place = "", 0
        while place < TITLES:
            screen.table.move_to(place)
            await settled(pilot)
            shown += seen(pilot)
            place += 20
        assert not set(shown.replace("\n", "")) & ACTING
        for wanted in ("[/nope]", "東京"):
            await pilot.press("slash", *wanted, "enter")
            await settled(pilot)
            assert not set(seen(pilot).replace("\n", "")) & ACTING
            await pilot.press("escape")
            await settled(pilot)
        assert pilot.app.is_running
