"""What is driven in a terminal for the list: the desk over ledgers of every size, and what it stands beside."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.ledgers import copy_of
from tests.bench.listing_apps import FIRST
from tests.bench.results import BenchError
from tests.e2e.terminal import surroundings
from vault.ledger import Ledger
from vault.views import Query

SIZES = (1_000, 100_000, 1_000_000)
PEER_ROWS = 100_000
LOAD = 8
LOAD_BYTES = 2 << 30
_CHECKOUT = Path(__file__).parents[2]
_FAST = ("textual==8.2.8", "textual-fastdatatable==0.19.5")
_PATIENCE_S = 120.0
DOWN, UP, PAGE_DOWN, PAGE_UP = "\x1b[B", "\x1b[A", "\x1b[6~", "\x1b[5~"
CURSES_DOWN, CURSES_UP = "\x1bOB", "\x1bOA"
"""As terminfo has them for programs that switch the keypad on."""
HOME, END, CTRL_HOME, CTRL_END = "\x1b[H", "\x1b[F", "\x1b[1;5H", "\x1b[1;5F"
MINIMAL = "minimal Textual app"
LOADED = "8 downloads"
_CONFIG = """\
[vault]
path = "vault"
workers = 8
workers_per_account = 8

[accounts.advice]
provider = "flexperto"
base_url = "{base}"
poll_s = 0
auto_fetch = true
"""


def desk_name(size: int) -> str:
    """How the desk over so many meetings is called."""
    return f"reeldesk, {size:,} meetings"


@dataclass(frozen=True, slots=True)
class Driven:
    """A program: how it is started, what its first row begins with, and its keys by what they do (in turn)."""

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    first: str
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    folder: Path = _CHECKOUT


_TEXTUAL_KEYS = {
    "cursor move": ([DOWN] * 15 + [UP] * 15) * 3,
    "page": [PAGE_DOWN, PAGE_UP],
    "end": [CTRL_END, CTRL_HOME],
}


def desk(folder: Path, size: int, base: str = "http://127.0.0.1:9") -> Driven:
    """The desk over a copy of a ledger; its one account's service refuses connections where `base` is not one."""
    folder.mkdir(parents=True)
    copy = copy_of(size, folder / "data" / "ledger.db")
    ledger = Ledger(copy)
    [newest] = ledger.reader.page(Query(), 0, 1)
    ledger.close()
    (folder / "config.toml").write_text(_CONFIG.format(base=base))
    environ = surroundings(
        folder,
        REELDESK_CONFIG=str(folder / "config.toml"),
        REELDESK_DATA=str(folder / "data"),
        REELDESK_SECRET_ADVICE_API_KEY="flexperto-key",
    )
    keys = {
        "cursor move": (["j"] * 15 + ["k"] * 15) * 3,
        "page": [PAGE_DOWN] * 6 + [PAGE_UP] * 6,
        "end": [END, HOME],
        "sort": ["s"] * 6,
        "filter": [],
    }
    return Driven(desk_name(size), [sys.executable, "-m", "tui"], environ, newest.title[:12], keys)


def minimal(folder: Path) -> Driven:
    """A DataTable of 50 rows."""
    return _app(folder, MINIMAL, sys.executable, "minimal", 50)


def others(folder: Path, tell: "list[str]") -> Iterator[Driven]:
    """Lists of others; what is not there is named in `tell`."""
    yield _app(folder, f"DataTable, {PEER_ROWS:,} rows", sys.executable, "minimal", PEER_ROWS)
    fast = _fast_python(folder)
    if fast:
        for rows in (1_000, SIZES[-1]):
            yield _app(folder, f"textual-fastdatatable, {rows:,} rows", fast, "fastdatatable", rows)
    else:
        tell.append(f"textual-fastdatatable could not be installed ({' '.join(_FAST)})")
    listed = folder / "listed"
    listed.mkdir()
    for number in range(2_000):
        (listed / f"meeting {number:05} of 2000").touch()
    table = folder / "rows.csv"
    table.write_text("\n".join(["title,account", *(f"meeting {n} of {PEER_ROWS},a{n % 5}" for n in range(PEER_ROWS))]))
    moves = [CURSES_DOWN] * 15 + [CURSES_UP] * 15
    keys = {"cursor move": moves, "page": [PAGE_DOWN, PAGE_UP], "end": ["\x1bOF", "\x1bOH"]}
    known = {
        "mc": (["mc", "-d", str(listed)], "meeting 00000", f"mc, {2_000:,} files"),
        "htop": (["htop", "-d", "50"], "PID", "htop, every 5 s"),
        "vd": (["vd", str(table)], "meeting 0 of", f"visidata, {PEER_ROWS:,} rows"),
    }
    for program, (argv, first, name) in known.items():
        if shutil.which(program):
            own = keys | {"end": ["G", "gg"]} if program == "vd" else keys
            yield Driven(name, argv, surroundings(folder), first, own)
        else:
            tell.append(f"{program} is not installed")


def _app(folder: Path, name: str, python: str, kind: str, rows: int) -> Driven:
    line = [python, str(Path(__file__).with_name("listing_apps.py")), kind, str(rows)]
    return Driven(name, line, surroundings(folder), FIRST, _TEXTUAL_KEYS)


def _fast_python(folder: Path) -> str:
    """A Python that has textual-fastdatatable; "" where it cannot be had. It stays out of the project's environment."""
    place = folder / "fast"
    lines = ([sys.executable, "-m", "venv", str(place)], [str(place / "bin" / "pip"), "install", "-q", *_FAST])
    try:
        for line in lines:
            subprocess.run(line, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        return ""
    return str(place / "bin" / "python")


@contextlib.contextmanager
def big_archives() -> Iterator[str]:
    """A service with archives that take long to fetch; gives its address."""
    line = [sys.executable, "-m", "tests.bench.syncing_server", str(LOAD), "250", str(LOAD_BYTES)]
    server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_CHECKOUT)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.communicate()


def wait_for_parts(vault: Path) -> None:
    """Until all downloads are under way. Raises BenchError."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while sum(part.stat().st_size > 1 << 20 for part in vault.rglob("*.part")) < LOAD:
        if time.monotonic() > give_up_at:
            raise BenchError(f"not all {LOAD} downloads began in {_PATIENCE_S:g} s")
        time.sleep(0.2)


def room_for_load(folder: Path) -> bool:
    """Whether the disk has room for what is fetched."""
    return shutil.disk_usage(folder).free > (LOAD + 2) * LOAD_BYTES
