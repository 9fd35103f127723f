"""The bench of syncs: its figures, its section, and one small sync for real."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import syncing
from tests.bench.page import drawn, renewed, section_of
from tests.bench.results import BenchError, Ticks
from tests.bench.syncing import FEWER, MANY, Sync, Synced, bars, section, text


def synced(ledger_s: float = 10.0, late: float = 1.5, peak: int = 100) -> Synced:
    """Two rounds."""
    apart = "beside the sync, in another process"
    ticks = {"idle": Ticks(0.1, 2.0, 3.0, 9), "beside the sync": Ticks(0.2, 2.0 * late, 9.0, 9)}
    ticks[apart] = Ticks(0.2, 1.7, 9.0, 9)
    one = Sync(MANY, 30.0, 25.0, ledger_s, 9.0, 40.0, 90.0, 1.0, 20.0, 50, peak, ticks)
    few = replace(one, records=FEWER, peak_bytes=100)
    return Synced("2026-11-23", 2, (few, one, few, one))


@pytest.mark.parametrize(
    ("figures", "met"),
    [
        (synced(), [True, True, True]),
        (synced(ledger_s=20.1), [False, True, True]),
        (synced(late=2.1), [True, False, True]),
        (synced(peak=111), [True, True, False]),
    ],
)
def test_bars(figures: Synced, met: list[bool]) -> None:
    assert [bar.met for bar in bars(figures)] == met


def test_the_section_and_the_figures_are_kept(tmp_path: Path) -> None:
    page = renewed("# Benchmarks\n\n## The machine\n\n- CPU\n", section(synced(), "It was quiet.", drawn))
    assert "It was quiet." in section_of(page, syncing.TITLE)
    assert "records a CPU second" in text(synced())
    assert "in another process" in text(synced())
    syncing.save(synced(), tmp_path / "figures.json")
    assert syncing.load(tmp_path / "figures.json") == synced()
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(BenchError, match="holds no syncs"):
        syncing.load(tmp_path / "other.json")


def test_a_small_one_for_real(tmp_path: Path) -> None:
    one = syncing.sync(tmp_path, 600, idle_s=0.2)
    assert one.records == 600
    assert 0 < one.ledger_s < one.wall_s
    assert one.peak_bytes > one.before_bytes > 10_000_000
    assert {phase: ticks.count > 0 for phase, ticks in one.ticks.items()}["beside the sync"]
    assert one.ticks["beside the sync, in another process"].count > 0
