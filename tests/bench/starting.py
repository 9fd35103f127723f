"""Starting: the time from the command to the desk's first paint, with the code for credentials and without it.

`python -m tests.bench --only starting` measures this alone and renews its section of the page.
"""

import json
import os
import pty
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from providers.models import Asset, AssetKind, Listing, Meeting, RemoteState
from tests.bench.machine import process_s
from tests.bench.report import BAR_HEAD, Bar, Row, aligned
from tests.bench.results import BenchError, Spread
from tests.bench.starting_program import FIRST_TITLE
from tests.e2e.terminal import surroundings
from vault.ledger import Ledger
from vault.passphrase import Passphrase
from vault.sealed_file import SealedKeyring
from vault.secrets import SEALED_NAME

GROUP = "starting"
TITLE = "Starting"
ROUNDS_EACH = 5
"""Starts of each variant in a round."""
MOST = 1.05
WITHOUT = "without the code for credentials"
ENVIRONMENT = "secrets in the environment"
SEALED = "a locked sealed file, keyring on"
VARIANTS = (ENVIRONMENT, SEALED, WITHOUT)
MEETINGS = 500
_NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
_PAINTED_S = 60.0
_CONFIG = """\
[vault]
path = "vault"

[accounts.advice]
provider = "flexperto"
base_url = "http://127.0.0.1:9"

[accounts.agents]
provider = "cronofy"
base_url = "http://127.0.0.1:9"

[accounts.rooms]
provider = "temasys"
base_url = "http://127.0.0.1:9"
username = "temasys"
"""
_SECRETS = {
    "REELDESK_SECRET_ADVICE_API_KEY": "a-key-of-some-length",
    "REELDESK_SECRET_AGENTS_API_KEY": "CRN_another0key0of0some0length",
    "REELDESK_SECRET_ROOMS_PASSWORD": "a-password",
}


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds until the list was seen, and CPU seconds of the program by then."""

    variant: str
    round: int
    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Started:
    """One run of this part of the bench."""

    day: str
    rounds: int
    starts: tuple[Start, ...]

    def of(self, variant: str) -> list[Start]:
        """The starts of a variant, in their order."""
        return [start for start in self.starts if start.variant == variant]


# Measuring


def prepare(folder: Path, *, sealed: bool) -> None:
    """A configuration, a ledger with meetings, and a sealed file where one is wanted."""
    (folder / "config.toml").write_text(_CONFIG)
    ledger = Ledger(folder / "data" / "ledger.db")
    began = [_NEWEST - timedelta(minutes=number) for number in range(MEETINGS)]
    titles = [FIRST_TITLE, *(f"Meeting {number}" for number in range(1, MEETINGS))]
    meetings = tuple(Meeting(f"m{n:04}", title, at) for n, (title, at) in enumerate(zip(titles, began, strict=True)))
    assets = tuple(
        Asset(meeting.id, AssetKind.ARCHIVE, variant=f"a{n}", state=RemoteState.AVAILABLE)
        for n, meeting in enumerate(meetings)
    )
    ledger.recorder.record("advice", "flexperto", Listing(meetings, assets), time.time(), authoritative=True)
    ledger.close()
    if sealed:
        made = SealedKeyring(folder / "data" / SEALED_NAME)
        made.create(Passphrase("correct horse battery"))
        for name, value in _SECRETS.items():
            account, field = name.removeprefix("REELDESK_SECRET_").lower().split("_", 1)
            made.set_password("reeldesk", f"{account}/{field}", value)


def environ_of(folder: Path, variant: str) -> dict[str, str]:
    """What the program is started with."""
    places = {"REELDESK_CONFIG": str(folder / "config.toml"), "REELDESK_DATA": str(folder / "data")}
    made = surroundings(folder, **places)
    if variant != SEALED:
        return made | _SECRETS
    del made["REELDESK_KEYRING"]  # there is no D-Bus: as over SSH
    return made


def command(variant: str, *more: str) -> list[str]:
    """The program."""
    kind = "without" if variant == WITHOUT else "whole"
    return [sys.executable, "-m", "tests.bench.starting_program", kind, *more]


def start(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[float, float]:
    """Start it in a pseudo-terminal, wait for the list, kill it; wall and CPU seconds. Raises BenchError."""
    seen = b""
    began = time.perf_counter()
    pid, descriptor = pty.fork()
    if pid == 0:
        try:
            os.chdir(Path(__file__).parents[2])
            os.execve(argv[0], list(argv), dict(environ))
        finally:
            os._exit(127)
    try:
        while FIRST_TITLE.encode() not in seen:
            left = began + _PAINTED_S - time.perf_counter()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise BenchError(f"nothing was painted in {_PAINTED_S:g} s: {seen[-2000:]!r}")
            try:
                seen += os.read(descriptor, 65_536)
            except OSError:
                raise BenchError(f"it ended before it painted: {seen[-2000:]!r}") from None
        took = time.perf_counter() - began
        return took, process_s(Path(f"/proc/{pid}/stat").read_text())
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(descriptor)


def measure(folder: Path | None, count: int, seed: int, day: str, tell: Callable[[str], None]) -> Started:
    """All of it: each variant several times a round, in shuffled order. Raises BenchError."""
    order, found = random.Random(seed), list[Start]()
    with tempfile.TemporaryDirectory(prefix="reeldesk-bench-", dir=folder) as name:
        places = {variant: Path(name) / str(n) for n, variant in enumerate(VARIANTS)}
        for variant, place in places.items():
            place.mkdir()
            prepare(place, sealed=variant == SEALED)
            start(command(variant), environ_of(place, variant))  # from the disk's cache, and its bytecode is made
        for number in range(1, count + 1):
            turns = list(VARIANTS) * ROUNDS_EACH
            order.shuffle(turns)
            found += [Start(each, number, *start(command(each), environ_of(places[each], each))) for each in turns]
            told = (f"{v} {1000 * median(s.wall_s for s in found if s.variant == v):.0f} ms" for v in VARIANTS)
            tell(f"round {number}/{count}  until now: {', '.join(told)}")
    return Started(day, count, tuple(found))


# Telling


def bars(started: Started) -> list[Bar]:
    """Ratios of the medians, and those of each round beside them."""
    found = []
    for variant in VARIANTS[:-1]:
        for words, figure in (("time", _wall), ("CPU seconds", _cpu)):
            ratio = median(map(figure, started.of(variant))) / median(map(figure, started.of(WITHOUT)))
            single = [_ratio(started, variant, number, figure) for number in range(1, started.rounds + 1)]
            title = f"to the first paint, {variant}: {words}, of the same without"
            found.append(Bar(title, ratio, MOST, Spread.of(single)))
    return found


def _wall(one: Start) -> float:
    return one.wall_s


def _cpu(one: Start) -> float:
    return one.cpu_s


def _ratio(started: Started, variant: str, number: int, figure: Callable[[Start], float]) -> float:
    middle = [median(figure(s) for s in started.of(which) if s.round == number) for which in (variant, WITHOUT)]
    return middle[0] / middle[1]


def table(started: Started) -> tuple[Row, list[Row]]:
    """Head and rows."""
    head = ("", "median ms", "min–max", "CPU ms", "min–max", "starts")
    rows: list[Row] = []
    for variant in VARIANTS:
        found = started.of(variant)
        wall, cpu = (Spread.of([1000 * figure(one) for one in found]) for figure in (_wall, _cpu))
        cells = [f"{s.median:.0f}|{s.low:.0f}–{s.high:.0f}" for s in (wall, cpu)]
        rows.append((variant, *"|".join(cells).split("|"), str(len(found))))
    return head, rows


def text(started: Started) -> str:
    """Everything for a terminal."""
    return f"{TITLE}\n{aligned(*table(started))}\n\n{aligned(BAR_HEAD, [bar.row() for bar in bars(started)])}"


def section(started: Started, notes: str, drawn: Callable[[Row, Sequence[Row]], str]) -> str:
    """The page's section. `drawn` makes a table of head and rows; `notes`: what a person has to say about it."""
    parts = [
        f"## {TITLE}",
        f"Measured on {started.day}; `make bench` renews it, and `python -m tests.bench --only {GROUP}` it alone.",
        drawn(BAR_HEAD, [bar.row() for bar in bars(started)]),
        notes.strip(),
        drawn(*table(started)),
        _METHOD.format(rounds=started.rounds, each=ROUNDS_EACH, meetings=MEETINGS, without=WITHOUT).strip(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_METHOD = """
- The real program in a pseudo-terminal of its own, from before the fork to the read in which the first title of the
  list is seen; then it is killed. {meetings} meetings are in the ledger; three accounts, whose services refuse
  connections, are asked from the start on. {rounds} rounds, in each of which every variant starts {each} times, in
  shuffled order, after one start each that is not counted.
- `{without}` is the same program in which stand-ins take the place of the modules that find, keep, unlock and test
  secrets, harden the process and offer to unlock: none of them is imported or run, and secrets come out of the
  environment as it is. Drawing them in mode 6 is in all variants. The keyring is on without a D-Bus, as over SSH.
- CPU seconds are user and system of the program until that paint, counted in ticks of 10 ms.
"""


# Saved


def save(started: Started, path: Path) -> None:
    """Write everything down as JSON."""
    path.write_text(json.dumps(asdict(started), indent=1) + "\n")


def load(path: Path) -> Started:
    """Read what `save` wrote. Raises BenchError."""
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        return Started(document["day"], document["rounds"], tuple(Start(**one) for one in document["starts"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} holds no starts: {error}") from None
