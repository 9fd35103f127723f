"""The bench's arithmetic and its words; nothing here measures anything."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import tools, workloads
from tests.bench.machine import busy_s, process_s
from tests.bench.page import markdown
from tests.bench.report import Bar, aligned, bars, text
from tests.bench.results import OURS, BenchError, Results, Run, Spread, Ticks, load, percentile, save
from vault.proof import Outcome
from vault.transfers.container import check_container


def run(workload: str, configuration: str, wall_s: float, *, number: int = 1, cpu_s: float = 1.0) -> Run:
    return Run(workload, configuration, number, wall_s, cpu_s, wall_s + 1, cpu_s + 1, 0.04, 40_000_000, 80_000_000)


def results(*runs: Run, groups: tuple[str, ...], mib: int = 1024) -> Results:
    return Results("2026-11-01", mib, 5, 3, {"CPU": "slow"}, workloads.workloads(mib, groups), runs)


def tls_results(ours_s: float = 2.0) -> Results:
    runs = [
        run("tls", "curl && openssl dgst", 2.0, cpu_s=2.0),
        run("tls", "curl && openssl dgst", 4.0, number=2, cpu_s=4.0),
        run("tls", "curl && openssl dgst", 3.0, number=3, cpu_s=3.0),
        *(run("tls", OURS, ours_s, number=number, cpu_s=3.9) for number in (1, 2, 3)),
    ]
    return results(*runs, groups=("tls",))


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0)])
def test_percentile_is_a_figure_that_was_measured(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_ticks_are_in_milliseconds() -> None:
    assert Ticks.of([0.001] * 99 + [0.5]) == Ticks(1.0, 1.0, 500.0, 100)


def test_spread() -> None:
    assert Spread.of([3.0, 1.0, 2.0, 9.0]) == Spread(2.5, 1.0, 9.0)


def test_a_bar_is_the_ratio_of_the_medians_with_the_ratios_of_the_rounds_beside_it() -> None:
    time, cpu = bars(tls_results())
    assert time.figure == pytest.approx(2 / 3)
    assert (time.limit, time.met) == (1.0, True)
    assert time.rounds == Spread(2 / 3, 0.5, 1.0)
    assert cpu.figure == pytest.approx(1.3)
    assert (cpu.limit, cpu.met) == (1.25, False)


def test_what_was_not_measured_has_no_bar() -> None:
    assert bars(results(run("tls", OURS, 2.0), groups=("tls",))) == []


def test_a_bar_is_judged_before_it_is_rounded() -> None:
    just_over = Bar("b", 1.0004, 1.0, Spread(1.0, 1.0, 1.0))
    assert just_over.row()[1] == "1.00"
    assert not just_over.met
    assert replace(just_over, figure=1.0).met


def test_memory_is_judged_by_the_worst_round_and_by_growth_with_size() -> None:
    figures = {("memory 64", 1): 70, ("memory 64", 2): 91, ("memory 512", 1): 80, ("memory 512", 2): 82}
    runs = [replace(run(key, OURS, 1.0, number=n), peak_bytes=mb * 10**6) for (key, n), mb in figures.items()]
    small, large, growth = bars(results(*runs, groups=("memory",)))
    assert (small.figure, small.met) == (91.0, False)
    assert (large.figure, large.met) == (82.0, True)
    assert growth.figure == pytest.approx(81 / 80.5)


def test_the_clock_is_judged_against_its_own_idle_run() -> None:
    def ticks(idle: float, loaded: float) -> dict[str, Ticks]:
        return {"idle": Ticks(0.1, idle, 9.0, 500), "beside reeldesk": Ticks(0.2, loaded, 9.0, 500)}

    runs = [
        replace(run("ticks", OURS, 1.0, number=n), ticks=t)
        for n, t in enumerate((ticks(1.0, 1.5), ticks(2.0, 5.0), ticks(1.0, 1.8)))
    ]
    (bar,) = bars(results(*runs, groups=("ticks",)))
    assert (bar.figure, bar.met) == (1.8, True)
    assert bar.rounds.high == 2.5


def test_tables_line_up() -> None:
    assert aligned(("", "s"), [("one", "10.00"), ("eleven", "9.00")]) == "            s\none     10.00\neleven   9.00"


def test_text_names_ours_first_its_whole_process_and_what_part_of_the_others_it_takes() -> None:
    lines = text(tls_results()).splitlines()
    assert lines[0] == "1024 MiB, TLS"
    assert lines[2].split()[:4] == ["reeldesk", "2.00", "2.00–2.00", "512"]
    assert lines[3].split()[:5] == ["…", "its", "whole", "process", "3.00"]
    assert "0.67 of it" in lines[4]
    assert lines[-2].endswith("met")
    assert lines[-1].endswith("missed")


def test_a_trial_is_called_one() -> None:
    assert "trial" not in text(tls_results())
    assert "trial" in text(replace(tls_results(), rounds=1))


def test_the_page_has_the_bars_the_notes_the_figures_and_the_machine() -> None:
    page = markdown(tls_results(), "It was cold.", 8)
    for words in (
        "| missed |",
        "It was cold.",
        "### 1024 MiB, TLS",
        "- CPU: slow",
        "`wget2 --no-config -q -O OUT URL`",
    ):
        assert words in page
    assert "{" not in page


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    ticked = replace(run("ticks", OURS, 1.0), ticks={"idle": Ticks(0.1, 1.0, 2.0, 10)})
    before = results(ticked, groups=("ticks", "small"))
    save(before, tmp_path / "figures.json")
    assert load(tmp_path / "figures.json") == before
    (tmp_path / "other.json").write_text('{"runs": []}')
    with pytest.raises(BenchError, match="no results"):
        load(tmp_path / "other.json")


def test_lines_carry_the_authority_only_with_tls_and_quote_what_needs_it() -> None:
    odd = Path("/tmp/a b")
    places = tools.Places("https://127.0.0.1:1/large", odd, Path("ca.pem"), odd / "urls", odd / "names")
    plain, secure, small = workloads.workloads(1, ("plain", "tls", "small"))
    assert tools.lines(secure, places, {"0000.mp4": "ab"})["aria2c --checksum"] == (
        "aria2c --no-conf -q --ca-certificate=ca.pem -x1 --checksum=sha-256=ab -d '/tmp/a b' -o 0000.mp4 "
        "https://127.0.0.1:1/large/0000.mp4"
    )
    assert not any("ca.pem" in line for line in tools.lines(plain, places, {}).values())
    assert "'[0000-0007].mp4'" in tools.lines(small, places, {})["curl -Z"]


def test_full_size_is_what_the_bars_are_about_and_trials_shrink_alike() -> None:
    full = {w.key: (w.files, w.size >> 10) for w in workloads.workloads(1024, workloads.GROUPS)}
    assert full == {
        "plain": (1, 1 << 20),
        "tls": (1, 1 << 20),
        "small": (1000, 64),
        "medium": (512, 1024),
        "memory 64": (8, 64 << 10),
        "memory 512": (8, 512 << 10),
        "ticks": (8, 256 << 10),
    }
    assert [w.files for w in workloads.workloads(64, ("small", "medium"))] == [62, 32]


def test_files_are_whole_and_differ(tmp_path: Path) -> None:
    digests = {workloads.make_file(tmp_path / name, 70_000) for name in ("a", "b")}
    assert len(digests) == 2
    content = (tmp_path / "a").read_bytes()
    assert len(content) == 70_000
    assert check_container("mp4", io.BytesIO(content)).outcome is Outcome.PASSED


def test_cpu_seconds_are_read_past_a_name_with_spaces_and_without_interrupts() -> None:
    assert busy_s("cpu  100 10 50 9999 999 500 500 40 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n") == pytest.approx(2.0)
    assert process_s(f"7 (a) b) S {' '.join(['0'] * 10)} 150 50 0 0") == pytest.approx(2.0)
