"""The bench of starts: its figures, its section, and that its two programs are what they say."""

from pathlib import Path

import pytest

from tests.bench import starting
from tests.bench.page import drawn, renewed, section_of
from tests.bench.results import BenchError
from tests.bench.starting import ENVIRONMENT, MOST, SEALED, WITHOUT, Start, Started, bars, section, text
from tests.bench.starting_program import ABSENT
from tests.e2e.terminal import MARKS


def started(slower: float = 1.02) -> Started:
    """Two rounds in which the whole program takes so much longer."""
    starts = [
        Start(variant, number, 0.5 * number * (1 if variant == WITHOUT else slower), 0.4)
        for number in (1, 2)
        for variant in starting.VARIANTS
    ]
    return Started("2026-11-23", 2, tuple(starts))


@pytest.mark.parametrize(("slower", "met"), [(1.0, True), (1.049, True), (1.06, False)])
def test_the_bar_is_a_ratio_of_medians(slower: float, met: bool) -> None:
    found = bars(started(slower))
    assert [bar.limit for bar in found] == [MOST] * 4
    assert [bar.figure for bar in found] == pytest.approx([slower, 1.0] * 2)
    assert [bar.met for bar in found] == [met, True] * 2
    assert (found[0].rounds.low, found[0].rounds.high) == pytest.approx((slower, slower))


def test_the_section_is_renewed_alone() -> None:
    page = "# Benchmarks\n\n## Receiving webhooks\n\nfigures\n\n## The machine\n\n- CPU\n"
    once = renewed(page, section(started(), "", drawn))
    again = renewed(once, section(started(), "It was quiet.", drawn))
    assert "It was quiet." in section_of(again, starting.TITLE)
    assert section_of(again, "Receiving webhooks") == section_of(page, "Receiving webhooks")
    assert again.replace(section_of(again, starting.TITLE) + "\n", "") == page
    assert ENVIRONMENT in text(started())


def test_figures_are_kept(tmp_path: Path) -> None:
    starting.save(started(), tmp_path / "figures.json")
    assert starting.load(tmp_path / "figures.json") == started()
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(BenchError, match="holds no starts"):
        starting.load(tmp_path / "other.json")


class TestPrograms:
    """Both are started for real, once."""

    pytestmark = MARKS

    @pytest.mark.parametrize("variant", [SEALED, WITHOUT])
    def test_it_paints_with_what_it_says(self, tmp_path: Path, variant: str) -> None:
        starting.prepare(tmp_path, sealed=variant == SEALED)
        note = tmp_path / "modules"
        wall_s, cpu_s = starting.start(starting.command(variant, str(note)), starting.environ_of(tmp_path, variant))
        assert 0 < cpu_s < 10 * wall_s
        loaded = set(note.read_text().splitlines())
        assert {"tui.app", "vault.desk", "textual"} <= loaded
        stood_in = {name for name in ABSENT if name in loaded}
        assert (stood_in == set(ABSENT)) is (variant == WITHOUT)
        assert ("resource" in loaded) is (variant != WITHOUT)  # what hardening brings along

    def test_one_that_ends_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(BenchError, match="ended before it painted"):
            starting.start(["/bin/true"], starting.environ_of(tmp_path, ENVIRONMENT))
