"""One run of one configuration, measured and checked; and the rounds of them."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import tools
from tests.bench.machine import ForeignLoad
from tests.bench.ours import Plan
from tests.bench.results import OURS, BenchError, Run, Ticks, Workload
from tests.bench.servers import Server
from tests.bench.workloads import AT_ONCE, WARM

LONGEST_S = 600.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process with its children took."""

    wall_s: float
    cpu_s: float
    foreign: float
    stdout: str


def run_process(command: Sequence[str], folder: Path, server: Server) -> Usage:
    """Run a command to its end, at most LONGEST_S. Raises BenchError when it fails."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    with (folder / "stdout").open("w+") as stdout, (folder / "stderr").open("w+") as stderr:
        load = ForeignLoad(server.processes)
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL, env=environ, cwd=_ROOT, process_group=0
        )
        watchdog = threading.Timer(LONGEST_S, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.daemon = True
        watchdog.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            ended = time.perf_counter()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            watchdog.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s, cpu_s = ended - began, usage.ru_utime + usage.ru_stime
        foreign = load.seconds(cpu_s) / wall_s
        if process.returncode != 0:
            stderr.seek(0)
            said = stderr.read().strip()[-2000:]
            raise BenchError(f"this ended with status {process.returncode}: {' '.join(command)[:300]}\n{said}")
        stdout.seek(0)
        return Usage(wall_s, cpu_s, foreign, stdout.read())


@dataclass(frozen=True, slots=True)
class Bench:
    """A server with its files, and a folder for what is fetched."""

    server: Server
    digests: Mapping[str, Mapping[str, str]]
    """By the workloads' folders: SHA-256 by name."""
    scratch: Path
    tell: Callable[[str], None]

    def rounds(self, workloads: Sequence[Workload], count: int, seed: int) -> list[Run]:
        """Every configuration of a workload in each round, in an order that differs from round to round."""
        order = random.Random(seed)
        runs = []
        for number in range(1, count + 1):
            for workload in workloads:
                names = [OURS, *tools.lines(workload, self._places(workload), {})]
                order.shuffle(names)
                for name in names:
                    run = self._run(workload, name, number)
                    self.tell(_line(run, count))
                    runs.append(run)
        return runs

    def _base(self, workload: Workload) -> str:
        return self.server.tls if workload.tls else self.server.plain

    def _places(self, workload: Workload) -> tools.Places:
        return tools.Places(
            base=f"{self._base(workload)}/{workload.folder}",
            folder=self.scratch / "out",
            ca_file=self.server.ca_file,
            urls=self.scratch / "urls",
            names=self.scratch / "names",
        )

    def _run(self, workload: Workload, configuration: str, number: int) -> Run:
        """Prepared, measured, checked and cleaned away; only the process itself is on the clock."""
        places = self._places(workload)
        places.folder.mkdir(parents=True)
        places.urls.write_text("".join(f"{places.base}/{name}\n" for name in workload.names))
        places.names.write_text("".join(f"{name}\n" for name in workload.names))
        try:
            os.sync()
            if configuration == OURS:
                run, files = self._ours(workload, number)
            else:
                run, files = self._tool(workload, configuration, number)
            self._check(workload, configuration, files)
        finally:
            shutil.rmtree(self.scratch)
            os.sync()
        return run

    def _tool(self, workload: Workload, configuration: str, number: int) -> tuple[Run, Mapping[str, Path]]:
        places = self._places(workload)
        line = tools.lines(workload, places, self.digests[workload.folder])[configuration]
        used = run_process(["sh", "-c", line], self.scratch, self.server)
        figures = (used.wall_s, used.cpu_s)
        run = Run(workload.key, configuration, number, *figures, *figures, used.foreign)
        return run, {name: places.folder / name for name in workload.names}

    def _ours(self, workload: Workload, number: int) -> tuple[Run, Mapping[str, Path]]:
        places, base = self._places(workload), self._base(workload)
        plan = Plan(
            folder=str(self.scratch),
            base=base,
            ca_file=str(places.ca_file) if workload.tls else "",
            warm=f"{base}/{WARM}",
            urls={name: f"{places.base}/{name}" for name in workload.names},
            workers=AT_ONCE,
            beside=tools.beside(workload, places) if workload.group == "ticks" else "",
        )
        path = self.scratch / "plan.json"
        path.write_text(json.dumps(asdict(plan)))
        used = run_process([sys.executable, "-m", "tests.bench.ours", str(path)], self.scratch, self.server)
        told: dict[str, Any] = json.loads(used.stdout)
        run = Run(
            workload.key,
            OURS,
            number,
            told["wall_s"],
            told["cpu_s"],
            used.wall_s,
            used.cpu_s,
            used.foreign,
            told["baseline_bytes"],
            told["peak_bytes"],
            {phase: Ticks(**ticks) for phase, ticks in told["ticks"].items()},
        )
        return run, {name: Path(where) for name, where in told["files"].items()}

    def _check(self, workload: Workload, configuration: str, files: Mapping[str, Path]) -> None:
        """A wrong file is no measurement."""
        for name, expected in self.digests[workload.folder].items():
            try:
                with files[name].open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except (OSError, KeyError):
                raise BenchError(f"{workload.title}, {configuration}: {name} did not arrive") from None
            if digest != expected:
                raise BenchError(f"{workload.title}, {configuration}: {name} arrived wrong")


def _line(run: Run, rounds: int) -> str:
    return (
        f"round {run.round}/{rounds}  {run.workload:11} {run.configuration:24} {run.wall_s:7.2f} s "
        f"{run.cpu_s:7.2f} CPU s  others {100 * run.foreign:3.0f} %"
    )
