"""What was measured, as frozen values that can be saved and read again. Times in seconds, sizes in bytes."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

OURS = "reeldesk"


class BenchError(Exception):
    """Why there is no measurement; the text is for a person."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What every configuration of a table has to bring home: `files` of `size` bytes each."""

    key: str
    group: str
    """What `--only` calls it."""
    title: str
    folder: str
    """Below the server's root; two workloads may share one."""
    files: int
    size: int
    tls: bool
    linked: bool = False
    """Whether all files are one, under several names: where only their number and size matter."""

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names at the server, in order."""
        return tuple(f"{number:04}.mp4" for number in range(self.files))


@dataclass(frozen=True, slots=True)
class Ticks:
    """How late a clock of 10 ms ticked, in milliseconds, over `count` ticks."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    count: int

    @classmethod
    def of(cls, late_s: Sequence[float]) -> "Ticks":
        """From the delays in seconds."""
        ms = [1000 * late for late in late_s]
        return cls(percentile(ms, 0.5), percentile(ms, 0.99), max(ms), len(ms))


@dataclass(frozen=True, slots=True)
class Run:
    """One configuration, once. For a tool the transfer is its whole process."""

    workload: str
    configuration: str
    round: int
    wall_s: float
    """Of the transfer."""
    cpu_s: float
    """User and system, of the transfer."""
    process_wall_s: float
    process_cpu_s: float
    foreign: float
    """CPU that others used meanwhile, as a share of one core."""
    baseline_bytes: int = 0
    """Resident before the transfer; 0: not measured."""
    peak_bytes: int = 0
    """Most that was ever resident; 0: not measured."""
    ticks: Mapping[str, Ticks] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Results:
    """One run of the bench."""

    day: str
    mib: int
    rounds: int
    seed: int
    machine: Mapping[str, str]
    workloads: tuple[Workload, ...]
    runs: tuple[Run, ...]

    def of(self, workload: str, configuration: str) -> tuple[Run, ...]:
        """The runs of a configuration, in the order of the rounds."""
        chosen = [r for r in self.runs if r.workload == workload and r.configuration == configuration]
        return tuple(sorted(chosen, key=lambda run: run.round))

    def configurations(self, workload: str) -> tuple[str, ...]:
        """Those that were run, ours first, then by name."""
        names = {run.configuration for run in self.runs if run.workload == workload}
        return tuple(sorted(names, key=lambda name: (name != OURS, name)))


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several figures, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Of at least one figure."""
        return cls(median(figures), min(figures), max(figures))


def percentile(figures: Sequence[float], share: float) -> float:
    """The smallest figure that at least `share` (0 to 1) of them do not exceed."""
    ordered = sorted(figures)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def save(results: Results, path: Path) -> None:
    """Write everything down as JSON."""
    path.write_text(json.dumps(asdict(results), indent=1) + "\n")


def load(path: Path) -> Results:
    """Read what `save` wrote. Raises BenchError."""
    try:
        return _results(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} holds no results of this bench: {error}") from None


def _results(document: dict[str, Any]) -> Results:
    runs = tuple(
        Run(**{**run, "ticks": {phase: Ticks(**ticks) for phase, ticks in run["ticks"].items()}})
        for run in document["runs"]
    )
    workloads = tuple(Workload(**workload) for workload in document["workloads"])
    return Results(**{**document, "runs": runs, "workloads": workloads})
