"""What is driven in a terminal for the list: the desk over ledgers of every size, and what it stands beside."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench import machine
from tests.bench.keyed import PATIENCE_S
from tests.bench.ledgers import copy_of
from tests.bench.listing_apps import FIRST
from tests.e2e.terminal import surroundings
from vault.ledger import Ledger
from vault.views import Query

SIZES = (1_000, 100_000, 1_000_000)
PEER_ROWS = 100_000
_MILLION_NEEDS = 3_000_000_000
_MILLION_PATIENCE_S = 900.0
_CHECKOUT = Path(__file__).parents[2]
_FAST = ("textual==8.2.8", "textual-fastdatatable==0.19.5")
DOWN, UP, PAGE_DOWN, PAGE_UP = "\x1b[B", "\x1b[A", "\x1b[6~", "\x1b[5~"
CURSES_DOWN, CURSES_UP = "\x1bOB", "\x1bOA"
"""As terminfo has them for programs that switch the keypad on."""
HOME, END, CTRL_HOME, CTRL_END = "\x1b[H", "\x1b[F", "\x1b[1;5H", "\x1b[1;5F"
MINIMAL = "minimal Textual app"
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
    rests: bool = True
    """Whether it is watched at rest, too."""
    patience_s: float = PATIENCE_S
    """For its first paint; a key's answer is waited for in proportion."""


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
    return Driven(desk_name(size), _installed(), environ, newest.title[:12], keys)


def read_through(driven: Driven) -> None:
    """Have the disk's cache hold a desk's ledger: a machine may have emptied it since it was copied."""
    ledger = Path(driven.environ.get("REELDESK_DATA", driven.folder)) / "ledger.db"
    if ledger.exists():
        with ledger.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def _installed() -> list[str]:
    """The desk as whoever installed it starts it; else by its module, which takes Python 7 ms more to find."""
    script = Path(sys.executable).with_name("reeldesk")
    return [sys.executable, str(script)] if script.exists() else [sys.executable, "-m", "tui"]


def minimal(folder: Path) -> Driven:
    """A DataTable of 50 rows."""
    return _app(folder, MINIMAL, sys.executable, "minimal", 50)


def others(folder: Path, tell: "list[str]") -> Iterator[Driven]:
    """Lists of others; what is not there is named in `tell`."""
    yield _app(folder, f"DataTable, {PEER_ROWS:,} rows", sys.executable, "minimal", PEER_ROWS)
    yield from million(folder, tell, machine.free_bytes())
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


def million(folder: Path, tell: list[str], free_bytes: int) -> Iterator[Driven]:
    """DataTable with a million rows, where there is memory for it: its first paint, its memory, its cursor's moves."""
    rows = SIZES[-1]
    if free_bytes < _MILLION_NEEDS:
        tell.append(f"DataTable with {rows:,} rows: less than {_MILLION_NEEDS // 10**9} GB of memory is free")
        return
    whole = _app(folder, f"DataTable, {rows:,} rows", sys.executable, "minimal", rows)
    moves = {"cursor move": _TEXTUAL_KEYS["cursor move"]}
    yield replace(whole, keys=moves, rests=False, patience_s=_MILLION_PATIENCE_S)


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
