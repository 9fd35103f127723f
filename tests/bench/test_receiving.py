"""R14, and the arithmetic of this part of the bench. Figures in seconds are the bench's; here are ratios."""

from pathlib import Path
from statistics import median

import pytest

from tests.bench import receiving
from tests.bench.machine import supported
from tests.bench.page import drawn, receiving_section, renewed
from tests.bench.receiving import Accepted, Received, bars, desk_table, rounds, section, table
from tests.bench.receiving_desk import Painted
from tests.bench.receiving_load import BODY_BYTES, body
from tests.bench.receiving_server import NAIVE, OURS, WITHOUT
from tests.bench.results import BenchError

AT_LEAST = 0.3
"""Of the same application without storage. Measured, also beside other work: 0.6 to 0.9."""


@pytest.mark.skipif(not supported(), reason="the bench reads /proc")
def test_storage_costs_no_more_than_two_thirds_and_what_was_accepted_is_in_the_ledger(tmp_path: Path) -> None:
    told: list[str] = []
    runs = rounds(tmp_path, 2, 3, told.append, variants=(OURS, WITHOUT), connections=(16,), share=0.15)
    received = Received("today", 2, tuple(runs), ())
    ratios = [a.per_s / b.per_s for a, b in zip(received.of(OURS, 16), received.of(WITHOUT, 16), strict=True)]
    assert median(ratios) >= AT_LEAST, told


def accepted(variant: str, number: int, wall_s: float, p99_ms: float = 20.0) -> Accepted:
    return Accepted(variant, 16, number, 1000, wall_s, 5.0, p99_ms, 99.0, 1.0, 0.1)


def received() -> Received:
    runs = [accepted(OURS, n, wall_s, 110.0 if n == 3 else 90.0) for n, wall_s in ((1, 1.0), (2, 2.0), (3, 4.0))]
    runs += [accepted(WITHOUT, n, 0.5) for n in (1, 2, 3)]
    painted = [Painted("idle", 1, 9.0, 20.0, 30.0, 150), Painted("500 deliveries/s", 1, 9.0, 60.0, 70.0, 150, 9, 499.0)]
    return Received("2026-11-23", 3, tuple(runs), tuple(painted))


def test_bars_are_medians_of_the_rounds() -> None:
    of_without, each, p99, paint, pace = bars(received())
    assert (of_without.figure, of_without.limit, of_without.met) == (4.0, 2.5, False)
    assert (each.figure, each.limit, each.met) == (2.0, 2.0, True)
    assert (p99.figure, p99.rounds.high, p99.met) == (90.0, 110.0, True)
    assert (paint.figure, paint.met) == (60.0, False)
    assert pace.met, "499 of 500 a second"


def test_tables_give_ratios_within_rounds_and_only_what_was_measured() -> None:
    _, rows = table(received(), 16)
    assert [row[0] for row in rows] == [OURS, WITHOUT]
    assert rows[0][1:4] == ("500", "250–1000", "0.25")
    assert NAIVE not in str(rows)
    assert desk_table(received())[1][1][-2:] == ("499", "0.0")


def test_a_section_is_renewed_alone() -> None:
    page = "# Benchmarks\n\n## Figures\n\nold\n\n## The machine\n\n- CPU: slow\n"
    once = renewed(page, section(received(), "", drawn))
    assert once.index("old") < once.index("## Receiving webhooks") < once.index("## The machine")
    again = renewed(once, section(received(), "It was warm.", drawn))
    assert again.count("## Receiving webhooks") == 1
    assert "It was warm." in receiving_section(again)
    assert again.replace(receiving_section(again) + "\n", "") == page
    assert renewed(again, receiving_section(again)) == again
    assert renewed("", section(received(), "", drawn)).startswith("## Receiving")
    assert "{" not in again


def test_it_is_read_as_it_was_saved(tmp_path: Path) -> None:
    receiving.save(received(), tmp_path / "a.json")
    assert receiving.load(tmp_path / "a.json") == received()
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(BenchError, match="nothing that was received"):
        receiving.load(tmp_path / "b.json")


def test_every_body_is_2_kib_and_another_one() -> None:
    made = [body(number, "http://127.0.0.1:9") for number in (0, 7, 123_456)]
    assert {len(one) for one in made} == {BODY_BYTES}
    assert len(set(made)) == 3
