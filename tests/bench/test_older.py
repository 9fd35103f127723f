"""The bench of ledgers of an older version: its bars, its section, and one that is brought up for real."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import older
from tests.bench.older import LEAST, MOST, Broken, Moment, Older, Opening, bars, section, text
from tests.bench.older_ledgers import older_ledger_of
from tests.bench.older_opening import Watched
from tests.bench.page import drawn, renewed, section_of
from tests.bench.results import BenchError
from vault.ledger.migrating import Migrating
from vault.ledger.schema import MIGRATIONS

MEETINGS = 400


def brought(silent: float = 0.2, ended: float = 0.1, peak: int = 100) -> Older:
    """The smallest, and the largest with an interrupt."""
    phases = (("what meetings are found by", 60.0), ("counters", 40.0))
    most = Opening(MOST, True, 100.0, 90.0, 999, 0.01, 0.05, silent, "counters", phases, peak)
    first = replace(most, is_whole=False, wall_s=70.0, phases=phases[:1], ended_s=ended)
    last = replace(most, wall_s=35.0, phases=phases[1:])
    return Older("2026-11-23", (replace(most, meetings=LEAST, peak_bytes=100), most), (Broken(MOST, (first, last)),))


@pytest.mark.parametrize(
    ("figures", "met"),
    [
        (brought(peak=114), [True, True, True]),
        (brought(silent=1.01), [False, True, True]),
        (brought(ended=1.01), [True, False, True]),
        (brought(peak=116), [True, True, False]),
    ],
)
def test_bars(figures: Older, met: list[bool]) -> None:
    assert [bar.met for bar in bars(figures)] == met


def test_the_section_and_the_figures_are_kept(tmp_path: Path) -> None:
    page = renewed("# Benchmarks\n\n## The machine\n\n- CPU\n", section(brought(), "It was quiet.", drawn))
    shown = section_of(page, older.TITLE)
    assert "It was quiet." in shown
    assert "| … of one opening's |  | 1.05 |" in shown
    assert "| what meetings are found by | 60.0 | 0.10 |" in shown
    assert "… CPU µs a meeting" in text(brought())
    older.save(brought(), tmp_path / "figures.json")
    assert older.load(tmp_path / "figures.json") == brought()
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(BenchError, match="holds no ledgers"):
        older.load(tmp_path / "other.json")


def test_silences_are_those_between_two_times_that_it_was_told(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.0, 1.5, 4.5, 5.0])
    watched = Watched(lambda: next(times))
    tell = watched.by(lambda now: None)
    for words in ("filling", "filling", "an index"):
        tell(Migrating(words, 1, 2))
    figures = watched.figures()
    assert (figures["silent_worst_s"], figures["silent_in"], figures["silent_p50_s"]) == (3.0, "filling", 0.5)
    assert (figures["wall_s"], figures["told"]) == (5.0, 3)
    assert figures["phases"] == [("filling", 4.5), ("an index", 0.5)]
    assert capsys.readouterr().out == "filling\nan index\n"


def version(place: Path) -> int:
    with closing(sqlite3.connect(place / "data" / "ledger.db")) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def test_a_small_one_for_real(tmp_path: Path) -> None:
    with closing(sqlite3.connect(older_ledger_of(MEETINGS, tmp_path))) as connection:
        held = "SELECT count(*), count(proof), (SELECT count(*) FROM transfers) FROM assets WHERE kept != 'absent'"
        count, proofs, transfers = connection.execute(held).fetchone()
        assert 100 < count == proofs == transfers
        events = connection.execute("SELECT count(*), count(DISTINCT identity) FROM events").fetchone()
        assets = connection.execute("SELECT count(*) FROM assets").fetchone()[0]
        assert tuple(events) == (assets + count, assets)
    with older.older_folder(tmp_path, MEETINGS, tmp_path) as place:
        assert version(place) == 3
        one = older.bring_up(place, MEETINGS)
        assert version(place) == len(MIGRATIONS)
    assert one.is_whole
    assert one.phases[0][0] == "what meetings are found by"
    assert 0 < one.silent_p50_s <= one.silent_p99_s <= one.silent_worst_s <= one.wall_s
    assert one.peak_bytes > 10_000_000
    told = list[str]()
    with older.older_folder(tmp_path, MEETINGS, tmp_path) as place:
        broken = older.break_up(place, replace(one, phases=(("what meetings are found by", 0.0),)), told.append)
        assert version(place) == len(MIGRATIONS)
    # It may be over before the interrupt comes; then that changes nothing.
    assert len(broken.ended_s) == len(told) == len(broken.openings) - 1 <= 1
    assert all(0 < seconds < 60 for seconds in broken.ended_s)
    assert broken.openings[-1].is_whole


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.db").mkdir()
    with pytest.raises(BenchError, match="ended with 1"):
        older.bring_up(tmp_path, MEETINGS, Moment("counters", 0.0))
