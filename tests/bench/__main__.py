"""`make bench`: what reeldesk's complete path costs beside public tools, in one run on one machine.

python -m tests.bench [--rounds 5] [--only plain,tls,small,medium,memory,ticks,receiving,
    starting,list,syncing,older] [--mib 1024]
    [--write docs/benchmarks.md [--notes FILE]] [--save FILE | --load FILE] [--folder FOLDER] [--seed 3]
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, cast

from tests.bench import listing, machine, older, receiving, results, starting, syncing
from tests.bench.page import drawn, markdown, renewed, section_of
from tests.bench.report import Row, text
from tests.bench.results import BenchError, Results
from tests.bench.running import Bench
from tests.bench.servers import Server, nginx
from tests.bench.workloads import AT_ONCE, FULL_MIB, ROUNDS, WARM, make_file, make_sources, workloads
from tests.bench.workloads import GROUPS as FETCHING


class Part(Protocol):
    """What has figures, a section and a file of its own: a module. Its figures are whatever `measure` gives."""

    GROUP: str
    TITLE: str

    def measure(self, folder: Path | None, count: int, seed: int, day: str, tell: Callable[[str], None]) -> Any:
        """Measure it. Raises BenchError."""

    def text(self, figures: Any) -> str:
        """For a terminal."""

    def section(self, figures: Any, notes: str, drawn: Callable[[Row, Sequence[Row]], str]) -> str:
        """For the page."""

    def save(self, figures: Any, path: Path) -> None:
        """Keep them."""

    def load(self, path: Path) -> Any:
        """Read what `save` wrote. Raises BenchError."""


PARTS = cast("tuple[Part, ...]", (receiving, starting, listing, syncing, older))
APART = tuple(part.GROUP for part in PARTS)
GROUPS = (*FETCHING, *APART)


def arguments() -> argparse.Namespace:
    """What is to be measured, and where it goes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default=",".join(GROUPS), help=f"of {','.join(GROUPS)}")
    parser.add_argument("--mib", type=int, default=FULL_MIB, help="size of the large file; all else shrinks with it")
    parser.add_argument("--seed", type=int, default=3, help="of the order within each round")
    parser.add_argument("--folder", type=Path, help="where to work: on the disk that is meant (default: temporary)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the Markdown page")
    parser.add_argument("--notes", type=Path, help="Markdown that goes on the page: what the figures say")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep all figures as JSON")
    parser.add_argument("--load", type=Path, metavar="FILE", help="measure nothing: take what was saved")
    args = parser.parse_args()
    args.only = args.only.split(",")
    if unknown := set(args.only) - set(GROUPS):
        parser.error(f"--only knows {', '.join(GROUPS)}; not {', '.join(sorted(unknown))}")
    if args.rounds < 1 or args.mib < 1:
        parser.error("--rounds and --mib must be at least 1")
    return args


def tell(words: str) -> None:
    """Progress, beside the tables."""
    print(words, file=sys.stderr, flush=True)


def measure(args: argparse.Namespace) -> Results:
    """Start the server, run all rounds, stop it. Raises BenchError."""
    chosen = workloads(args.mib, args.only)
    with tempfile.TemporaryDirectory(prefix="reeldesk-bench-", dir=args.folder) as name, nginx(Path(name)) as server:
        folder = Path(name)
        described = machine.description(folder)
        tell("making the files")
        digests = make_all_sources(server, chosen)
        began = time.monotonic()
        runs = Bench(server, digests, folder / "scratch", tell).rounds(chosen, args.rounds, args.seed)
        tell(f"{len(runs)} runs in {time.monotonic() - began:.0f} s")
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    return Results(day, args.mib, args.rounds, args.seed, described, chosen, tuple(runs))


def make_all_sources(server: Server, chosen: tuple[results.Workload, ...]) -> dict[str, Mapping[str, str]]:
    """The server's files; SHA-256 by folder and name."""
    make_file(server.files / WARM, 1024)
    digests: dict[str, Mapping[str, str]] = {}
    for workload in chosen:
        if workload.folder not in digests:
            digests[workload.folder] = make_sources(server.files, workload)
    return digests


def stop(_signal: int, _frame: FrameType | None) -> None:
    """End as if interrupted, so that the server and the files go, too."""
    raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, or was saved once: of fetching (None: not this time), and of each part by its group."""

    fetched: Results | None
    parts: Mapping[str, Any]

    @classmethod
    def now(cls, args: argparse.Namespace) -> "Measured":
        """Measure what is asked for, and save each part as soon as it is there. Raises BenchError."""
        found = cls(measure(args) if set(args.only) - set(APART) else None, {})
        how = (args.folder, args.rounds, args.seed, f"{datetime.now(UTC):%Y-%m-%d}", tell)
        for part in PARTS:
            if part.GROUP in args.only:
                found = cls(found.fetched, {**found.parts, part.GROUP: part.measure(*how)})
                if args.save is not None:
                    found.save(args.save)
        return found

    @classmethod
    def saved(cls, path: Path) -> "Measured":
        """What `save` wrote. Raises BenchError."""
        places = {part: _beside(path, part.GROUP) for part in PARTS}
        parts = {part.GROUP: part.load(place) for part, place in places.items() if place.exists()}
        return cls(results.load(path) if path.exists() or not parts else None, parts)

    def save(self, path: Path) -> None:
        """Keep all figures, those of each part in a file beside."""
        if self.fetched is not None:
            results.save(self.fetched, path)
        for part in self._parts():
            part.save(self.parts[part.GROUP], _beside(path, part.GROUP))

    def tables(self) -> str:
        """For a terminal."""
        fetched = [text(self.fetched)] if self.fetched is not None else []
        return "\n\n".join([*fetched, *(part.text(self.parts[part.GROUP]) for part in self._parts())])

    def page(self, before: str, notes: str) -> str:
        """The page with what was measured in it; what was not stays as it is on the page `before`.

        `notes` belong to the first of it: to the fetching, else to the first part.
        """
        page = before
        if self.fetched is not None:
            page, notes = markdown(self.fetched, notes, AT_ONCE), ""
            for part in PARTS:
                page = renewed(page, section_of(before, part.TITLE))
        for part in self._parts():
            page, notes = renewed(page, part.section(self.parts[part.GROUP], notes, drawn)), ""
        return page

    def _parts(self) -> list[Part]:
        return [part for part in PARTS if part.GROUP in self.parts]


def _beside(path: Path, group: str) -> Path:
    return path.with_suffix(f".{group}.json")


def main() -> int:
    """Measure, print, write. The status: 0, also where bars are missed; 1 when a run failed; 2 without the tools."""
    args = arguments()
    signal.signal(signal.SIGTERM, stop)
    if args.load is None and not machine.supported():
        tell("the bench reads /proc, so it needs Linux")
        return 2
    fetches = args.load is None and set(args.only) - set(APART)
    if fetches and (missing := machine.missing()):
        tell(f"not installed: {', '.join(missing)}; on Debian or Ubuntu: {machine.INSTALL}")
        return 2
    try:
        found = Measured.now(args) if args.load is None else Measured.saved(args.load)
    except BenchError as error:
        tell(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    print(found.tables())
    if args.save is not None and args.load is None:
        found.save(args.save)
    if args.write is not None:
        args.write.parent.mkdir(parents=True, exist_ok=True)
        before = args.write.read_text() if args.write.exists() else ""
        notes = args.notes.read_text() if args.notes is not None else ""
        args.write.write_text(found.page(before, notes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
