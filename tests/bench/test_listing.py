"""The bench of the list: its figures, its section, and that a key's time is that of its rows."""

from pathlib import Path

import pytest

from tests.bench import listing, listing_programs
from tests.bench.keyed import Program
from tests.bench.listing import OURS, Key, Listed, Session, bars, section, text
from tests.bench.listing_load import BESIDE, IN_THE_DOCK, IN_THE_LIST, watch_many
from tests.bench.listing_programs import DOWN, MINIMAL, PAGE_DOWN, desk_name, minimal
from tests.bench.page import drawn, renewed, section_of
from tests.bench.results import BenchError
from tests.e2e.terminal import MARKS

SHOWN = ((IN_THE_DOCK, 1.0), (IN_THE_LIST, 1.0))


def listed(slower: float = 1.0) -> Listed:
    """Two rounds in which ours is so many times as slow as the minimal app."""
    sessions, keys = list[Session](), list[Key]()
    for number in (1, 2):
        for name, times in ((MINIMAL, 1.0), (OURS, slower), (desk_name(1_000), slower), (BESIDE, slower), *SHOWN):
            earlier = 0.04 if name == OURS else 0.0
            sessions.append(Session(name, number, 0.5 * times, 9_000, int(40e6 * times), 0.001, 0.0, earlier))
            for what in ("cursor move", "page", "end", "sort", "filter"):
                keys += [Key(name, number, what, 0.005 * times * (1 + share / 99), 400, 900) for share in range(9)]
    return Listed("2026-11-23", 2, tuple(sessions), tuple(keys), ("mc is not installed",))


def test_bars_are_ratios_within_the_run() -> None:
    same = {bar.words: bar for bar in bars(listed())}
    assert len(same) == 23
    assert all(bar.met for bar in same.values())
    shown = same["stored last frame with 1,000,000 meetings, of the minimal app's first paint"]
    assert shown.figure == pytest.approx(0.08)
    assert same[f"bytes a second with {IN_THE_LIST}"].limit == 4_000
    slow = {bar.words: bar.met for bar in bars(listed(1.6))}
    missed = {words.partition(":")[0] for words, met in slow.items() if not met}
    assert missed == {"first paint with 1,000,000 meetings, of the minimal app's", "cursor move", "page", "end"}
    assert slow["memory with 1,000,000 meetings, of the minimal app's"]


def test_the_section_and_the_figures_are_kept(tmp_path: Path) -> None:
    page = renewed("# Benchmarks\n\n## The machine\n\n- CPU\n", section(listed(), "It was quiet.", drawn))
    assert "It was quiet." in section_of(page, listing.TITLE)
    assert "Not measured: mc is not installed." in page
    assert OURS in text(listed())
    listing.save(listed(), tmp_path / "figures.json")
    assert listing.load(tmp_path / "figures.json") == listed()
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(BenchError, match="holds no lists"):
        listing.load(tmp_path / "other.json")


def test_a_million_rows_of_a_datatable_need_memory(tmp_path: Path) -> None:
    missing = list[str]()
    [million] = listing_programs.million(tmp_path, missing, free_bytes=3_000_000_000)
    assert (million.name, million.argv[-1]) == ("DataTable, 1,000,000 rows", "1000000")
    assert million.patience_s > 177, "the issue's own figure"
    assert set(million.keys) == {"cursor move"}
    assert not missing
    assert not list(listing_programs.million(tmp_path, missing, free_bytes=2_999_999_999))
    assert missing == ["DataTable with 1,000,000 rows: less than 3 GB of memory is free"]


class TestForReal:
    """A terminal, a program, and keys."""

    pytestmark = MARKS

    def test_a_key_is_timed_until_its_rows_are_drawn(self, tmp_path: Path) -> None:
        driven = minimal(tmp_path)
        program = Program(driven.argv, driven.environ, driven.first, driven.folder)
        program.settle(0.5)
        moved = program.press(DOWN)
        assert moved is not None
        assert 0 < moved.seconds < 10
        assert 100 < moved.to_rows <= moved.bytes < 3_000
        paged = program.press(PAGE_DOWN)
        assert paged is not None
        assert paged.to_rows > moved.to_rows
        assert "meeting 49 of 50" in program.display
        assert program.watch(0.2) == 0
        assert program.memory() > 10_000_000
        assert program.cpu_s() > 0
        assert program.press("x") is None
        program.close()

    def test_an_earlier_frame_is_timed_apart(self, tmp_path: Path) -> None:
        mark = "printf 'As it was on Monday\\n'"
        shows = f"{mark}; printf 'first\\n'; sleep 0.1; {mark}; sleep 0.1; printf 'first\\n'"
        environ = {"PATH": "/bin:/usr/bin", "TERM": "dumb"}
        program = Program(["sh", "-c", f"{shows}; read -r answer"], environ, "first", tmp_path)
        assert 0.1 <= program.earlier_paint_s <= program.first_paint_s - 0.05
        program.close()
        program = Program(["sh", "-c", "printf first; read -r answer"], environ, "first", tmp_path)
        assert program.earlier_paint_s == 0
        program.close()

    def test_downloads_are_watched_while_they_live(self, tmp_path: Path) -> None:
        dock, queue = watch_many(tmp_path, 1.0, count=2, meetings=20, before_s=1.0)
        assert (dock.name, queue.name) == (IN_THE_DOCK, IN_THE_LIST)
        assert 0 < dock.bytes_s < 4_000
        assert 0 < queue.bytes_s < 4_000

    def test_nothing_is_waited_for_longer_than_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(BenchError, match="painted no"):
            Program(["sleep", "60"], {"PATH": "/bin:/usr/bin"}, "first", tmp_path, 0.2)

    def test_what_paints_nothing_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(BenchError, match="painted no"):
            Program(["true"], {"PATH": "/bin:/usr/bin", "TERM": "dumb"}, "first", tmp_path)
