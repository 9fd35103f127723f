"""What the figures say: bars that are met or missed, and tables as plain text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.results import OURS, Results, Run, Spread, Workload
from tests.bench.workloads import FULL_MIB, ROUNDS

MEMORY_BAR = 90_000_000
SAME_MEMORY = 1.1
"""What counts as independent of the file's size: our own reading, the bar names no figure."""

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise: `figure` at most `limit`."""

    words: str
    figure: float
    limit: float
    rounds: Spread
    """The same figure of each round by itself."""
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether it is kept, by the figure as it is, not as it is rounded."""
        return self.figure <= self.limit

    def row(self) -> Row:
        """For a table."""
        spread = f"{self.rounds.low:.2f}–{self.rounds.high:.2f}"
        verdict = "met" if self.met else "missed"
        return (self.words, f"{self.figure:.2f}{self.unit}", f"{self.limit:.2f}{self.unit}", spread, verdict)


BAR_HEAD: Row = ("bar", "measured", "at most", "single rounds", "")


def bars(results: Results) -> list[Bar]:
    """Those whose workloads were measured."""
    found = [
        _ratio(results, "tls", "curl && openssl dgst", 1.0, _wall, "time"),
        _ratio(results, "tls", "curl && sha256sum", 0.45, _wall, "time"),
        _ratio(results, "plain", "curl && sha256sum", 0.6, _wall, "time"),
        _ratio(results, "tls", "curl && openssl dgst", 1.25, _cpu, "CPU seconds"),
        _ratio(results, "plain", "curl && openssl dgst", 1.25, _cpu, "CPU seconds"),
        _ratio(results, "small", "aria2c -j8", 1.0, _wall, "time"),
        *_memory_bars(results),
        _tick_bar(results),
    ]
    return [bar for bar in found if bar is not None]


def _wall(run: Run) -> float:
    return run.wall_s


def _cpu(run: Run) -> float:
    return run.cpu_s


def _ratio(
    results: Results, key: str, tool: str, limit: float, figure: Callable[[Run], float], what: str
) -> Bar | None:
    """Of the medians; the rounds' own ratios beside it."""
    ours, theirs = results.of(key, OURS), results.of(key, tool)
    if not ours or not theirs:
        return None
    title = next(w.title for w in results.workloads if w.key == key)
    medians = [Spread.of([figure(run) for run in runs]).median for runs in (ours, theirs)]
    single = [figure(mine) / figure(other) for mine, other in zip(ours, theirs, strict=True)]
    return Bar(f"{title}: {what}, of `{tool}`", medians[0] / medians[1], limit, Spread.of(single))


def _memory_bars(results: Results) -> list[Bar]:
    chosen = sorted((w for w in results.workloads if w.group == "memory"), key=lambda workload: workload.size)
    found, peaks = [], []
    for workload in chosen:
        spread = Spread.of([run.peak_bytes / 1e6 for run in results.of(workload.key, OURS)])
        peaks.append(spread.median)
        words = f"{workload.title}: peak memory, worst round"
        found.append(Bar(words, spread.high, MEMORY_BAR / 1e6, spread, " MB"))
    if len(peaks) == 2:
        pairs = zip(*(results.of(workload.key, OURS) for workload in chosen), strict=True)
        single = Spread.of([large.peak_bytes / small.peak_bytes for small, large in pairs])
        times = chosen[1].size / chosen[0].size
        found.append(Bar(f"peak memory with files {times:g} times as large", peaks[1] / peaks[0], SAME_MEMORY, single))
    return found


def _tick_bar(results: Results) -> Bar | None:
    runs = results.of("ticks", OURS)
    if not runs:
        return None
    single = Spread.of([run.ticks["beside reeldesk"].p99_ms / run.ticks["idle"].p99_ms for run in runs])
    return Bar("clock beside 8 transfers over TLS: p99 delay, of the idle one", single.median, 2.0, single)


def table(results: Results, workload: Workload) -> tuple[Row, list[Row]]:
    """Head and rows of a workload."""
    if workload.group == "memory":
        return _memory_table(results, workload)
    if workload.group == "ticks":
        return _tick_table(results, workload)
    return _speed_table(results, workload)


def _speed_table(results: Results, workload: Workload) -> tuple[Row, list[Row]]:
    pace = "files/s" if workload.files > 1 else "MiB/s"
    amount = workload.files if workload.files > 1 else workload.size / (1 << 20)
    head = ("", "median s", "min–max", pace, "reeldesk takes", "CPU s", "min–max", "others' CPU")
    ours = Spread.of([run.wall_s for run in results.of(workload.key, OURS)]).median
    rows: list[Row] = []
    for name in results.configurations(workload.key):
        runs = results.of(workload.key, name)
        wall, cpu = Spread.of([run.wall_s for run in runs]), Spread.of([run.cpu_s for run in runs])
        part = "" if name == OURS else f"{ours / wall.median:.2f} of it"
        rows.append((name, *_spread(wall), f"{amount / wall.median:.0f}", part, *_spread(cpu), _foreign(runs)))
        if name == OURS:
            rows.append(_whole_process(runs, amount))
    return head, rows


def _whole_process(runs: Sequence[Run], amount: float) -> Row:
    """The same runs with what is off the clock: the interpreter, imports, the ledger, callbacks, one small file."""
    wall, cpu = Spread.of([run.process_wall_s for run in runs]), Spread.of([run.process_cpu_s for run in runs])
    return ("… its whole process", *_spread(wall), f"{amount / wall.median:.0f}", "", *_spread(cpu), "")


def _memory_table(results: Results, workload: Workload) -> tuple[Row, list[Row]]:
    head = ("", "before, MB", "min–max", "peak, MB", "min–max", "median s", "min–max", "others' CPU")
    runs = results.of(workload.key, OURS)
    before, peak = (
        Spread.of([figure / 1e6 for figure in figures])
        for figures in ([run.baseline_bytes for run in runs], [run.peak_bytes for run in runs])
    )
    wall = Spread.of([run.wall_s for run in runs])
    return head, [(OURS, *_spread(before, 1), *_spread(peak, 1), *_spread(wall), _foreign(runs))]


def _tick_table(results: Results, workload: Workload) -> tuple[Row, list[Row]]:
    head = ("", "p50 ms", "min–max", "p99 ms", "min–max", "latest ms", "min–max", "ticks")
    runs = results.of(workload.key, OURS)
    rows = []
    for phase in runs[0].ticks:
        ticks = [run.ticks[phase] for run in runs]
        spreads = [Spread.of(figures) for figures in zip(*((t.p50_ms, t.p99_ms, t.max_ms) for t in ticks), strict=True)]
        cells = [cell for spread in spreads for cell in _spread(spread)]
        rows.append((phase, *cells, str(sum(t.count for t in ticks))))
    return head, rows


def _spread(spread: Spread, digits: int = 2) -> tuple[str, str]:
    return f"{spread.median:.{digits}f}", f"{spread.low:.{digits}f}–{spread.high:.{digits}f}"


def _foreign(runs: Sequence[Run]) -> str:
    spread = Spread.of([100 * run.foreign for run in runs])
    return f"{spread.median:.0f} % ({spread.low:.0f}–{spread.high:.0f})"


def remark(results: Results, workload: Workload) -> str:
    """What reeldesk's process held in memory, where the table has no place for it."""
    runs = results.of(workload.key, OURS)
    if workload.group == "memory" or not runs:
        return ""
    before = Spread.of([run.baseline_bytes / 1e6 for run in runs]).median
    most = max(run.peak_bytes / 1e6 for run in runs)
    return f"Resident in reeldesk's process: {before:.0f} MB before (median), {most:.0f} MB at most."


def aligned(head: Row, rows: Sequence[Row]) -> str:
    """A table as plain text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def text(results: Results) -> str:
    """Everything for a terminal."""
    parts = []
    for workload in results.workloads:
        parts += [f"{workload.title}\n{aligned(*table(results, workload))}", remark(results, workload)]
    found = bars(results)
    if found:
        parts += [aligned(BAR_HEAD, [bar.row() for bar in found]), caution(results)]
    return "\n\n".join(part for part in parts if part)


def caution(results: Results) -> str:
    """That the bars are set for the full sizes, where others were measured."""
    full = results.mib >= FULL_MIB and results.rounds >= ROUNDS
    return "" if full else f"The bars are set for {FULL_MIB} MiB and {ROUNDS} rounds: this was a trial."
