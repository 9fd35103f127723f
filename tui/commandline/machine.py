"""What `doctor` looks at on this machine: versions, the terminal, places and their modes, disks. Nothing is changed."""

import os
import platform
import shutil
import sqlite3
import ssl
import stat
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from tui.commandline.finding import Finding, State
from tui.commandline.session import words
from tui.figures import count, size
from tui.last_frame import NAME as FRAME_NAME
from vault.config import Config, data_folder, default_path
from vault.errors import ConfigError
from vault.filesystem import network_kind
from vault.secrets import SEALED_NAME

LOW_SPACE = 5_000_000_000
"""Bytes; less free in the vault is worth a word."""
SMALLEST = (80, 24)
"""Columns and rows that the desk is made for."""
_DISTRIBUTIONS = ("textual", "httpx", "aiohttp", "keyring", "cryptography", "starlette", "uvicorn")


def version(distribution: str = "reeldesk") -> str:
    """The installed version of a distribution; of reeldesk itself also when it runs from a checkout."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[2] / "pyproject.toml"
        if distribution != "reeldesk" or not project.is_file():
            return "not installed"
        return f"{tomllib.loads(project.read_text('utf-8'))['project']['version']} (from a checkout)"


def versions() -> Iterator[Finding]:
    """Of reeldesk and what it stands on."""
    yield Finding("reeldesk", "ok", version())
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("Python", "ok", python, "reeldesk", f"Python {python}")
    others = ", ".join(f"{name} {version(name)}" for name in _DISTRIBUTIONS)
    openssl = ".".join(map(str, ssl.OPENSSL_VERSION_INFO[:3]))
    libraries = f"{others}, SQLite {sqlite3.sqlite_version}, OpenSSL {openssl}"
    yield Finding("libraries", "ok", libraries, "reeldesk", f"textual {version('textual')}")


# The terminal


def terminal(environ: Mapping[str, str]) -> Iterator[Finding]:
    """What a desk would find here. What nobody can ask a terminal is marked as assumed."""
    size_ = _size()
    name = environ.get("TERM", "")
    around = _around(environ)
    if size_ is None:
        yield Finding("terminal", "ok", f"none here, which a desk needs (TERM={name or 'not set'}){around}")
        return
    columns, rows = size_
    told = f"{name or 'TERM is not set'}, {columns}x{rows}{around}"
    state: State = "ok"
    if name in ("", "dumb", "unknown"):
        state, told = "warning", f"{told}: TERM names no terminal that a desk can be drawn on"
    elif columns < SMALLEST[0] or rows < SMALLEST[1]:
        state, told = "warning", f"{told}: the desk is made for {SMALLEST[0]}x{SMALLEST[1]} or more"
    yield Finding("terminal", state, told)
    yield Finding("colours", "ok", _colours(environ), "terminal")
    yield Finding("locale", "ok", _locale(environ), "terminal")
    yield Finding("mouse", "ok", "assumed: reported where the terminal does; not needed", "terminal", "")
    yield Finding("clipboard", "ok", _clipboard(environ), "terminal", "")


def _size() -> tuple[int, int] | None:
    """Columns and rows of the first stream that is a terminal."""
    for stream in (sys.stdout, sys.stderr, sys.stdin):
        try:
            if stream.isatty():
                found = os.get_terminal_size(stream.fileno())
                return found.columns, found.lines
        except (OSError, ValueError):
            continue
    return None


def _around(environ: Mapping[str, str]) -> str:
    """What the terminal is reached through."""
    ways = []
    if environ.get("TMUX"):
        ways.append("in tmux")
    if environ.get("STY"):
        ways.append("in screen")
    if environ.get("SSH_TTY") or environ.get("SSH_CONNECTION"):
        ways.append("over SSH")
    return "".join(f", {way}" for way in ways)


def _colours(environ: Mapping[str, str]) -> str:
    name, told = environ.get("TERM", "").lower(), environ.get("COLORTERM", "").strip().lower()
    if "NO_COLOR" in environ:
        return "no colours (NO_COLOR is set)"
    if told in ("truecolor", "24bit"):
        return f"truecolor (COLORTERM={told})"
    depth = name.rpartition("-")[2]
    if depth in ("256color", "16color"):
        return f"{depth.removesuffix('color')} colours (COLORTERM does not say truecolor)"
    return "no colours" if depth in ("", "dumb", "unknown") else "8 colours"


def _locale(environ: Mapping[str, str]) -> str:
    # As tui/label.py decides it, which brings Textual along.
    if environ.get("REELDESK_ASCII", "") not in ("", "0"):
        return "ASCII signs (REELDESK_ASCII is set)"
    named = next((environ[key] for key in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(key)), "")
    if not named or named in ("C", "POSIX"):
        return f"{named or 'no'} locale, UTF-8 is assumed"
    return "UTF-8" if "utf" in named.lower() else f"ASCII signs (the locale {named} is not UTF-8)"


def _clipboard(environ: Mapping[str, str]) -> str:
    through = "; tmux passes it on with `set -g set-clipboard on`" if environ.get("TMUX") else ""
    through = "; assumed: screen does not pass it on" if environ.get("STY") else through
    return f"assumed: by OSC 52, where the terminal allows it{through}"


# Places


def configuration(config: Config | None, broken: ConfigError | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The file, and whether others may change it."""
    path = default_path(environ)
    if broken:
        yield Finding("configuration", "problem", broken.words)
        return
    if not path.exists():
        yield Finding("configuration", "warning", f"{path}: there is no such file yet; `reeldesk demo` needs none")
        return
    known = count(len(config.accounts) if config else 0, "account")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o022:
        yield Finding("configuration", "problem", f"{path}: others may change it ({mode:04o}): chmod go-w {path}")
    else:
        yield Finding("configuration", "ok", f"{path} ({mode:04o}): {known}")


def places(config: Config | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Data folder, ledger, sealed file, last frame, vault; who may read them, and what they lie on."""
    data = data_folder(environ)
    ledger = config.ledger_path if config else data / "ledger.db"
    yield _private("data folder", data)
    yield _private("ledger", ledger, "data folder", f"{ledger.name} ")
    if os.path.lexists(data / SEALED_NAME):
        yield _private("sealed file", data / SEALED_NAME, "data folder", f"{SEALED_NAME} ")
    if os.path.lexists(data / FRAME_NAME):
        yield _private("last frame", data / FRAME_NAME, "data folder", f"{FRAME_NAME} ")
    if config:
        yield from _vault(config.vault_path)
    yield from _file_systems(data, config.vault_path if config else None)


def _private(subject: str, path: Path, line: str = "", short: str = "") -> Finding:
    """A place that nobody else may read. `short`: what the screen calls it in another one's line."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        said = f"{path}: not there yet; it is made when needed"
        return Finding(subject, "ok", said, line, f"{short}not there yet" if short else None)
    except OSError as fault:
        return Finding(subject, "problem", words(fault), line)
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISLNK(found.st_mode) and mode & 0o077:
        said = f"{path}: others may read it ({mode:04o}): chmod go-rwx {path}"
        return Finding(subject, "problem", said, line)
    if stat.S_ISLNK(found.st_mode) and short:
        return Finding(subject, "problem", f"{path} is a symbolic link; it is not used", line)
    if stat.S_ISLNK(found.st_mode):
        return _private(subject, path.resolve(), line, short)
    return Finding(subject, "ok", f"{path} ({mode:04o})", line, f"{short}({mode:04o})" if short else None)


def _vault(path: Path) -> Iterator[Finding]:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        yield Finding("vault", "problem", f"{there} is a file, not a folder")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("vault", "problem", f"{path} cannot be written: {there} is not yours")
    elif there != path:
        yield Finding("vault", "ok", f"{path}: not there yet; it is made when needed")
    else:
        yield Finding("vault", "ok", f"{path}", brief=f"{path} ({stat.S_IMODE(path.stat().st_mode):04o})")
    free = shutil.disk_usage(there).free
    state: State = "ok" if free >= LOW_SPACE else "warning"
    yield Finding("disk", state, f"{size(free)} free for {path}", "vault", f"{size(free)} free")


def _file_systems(data: Path, vault: Path | None) -> Iterator[Finding]:
    """SQLite's faster journal needs memory that processes share, which a network cannot give."""
    kind = network_kind(data)
    if kind:
        slow = (
            "the ledger is slower there, and only processes of one machine may use it; let REELDESK_DATA name a folder"
        )
        yield Finding(
            "data folder file system", "warning", f"{data} lies on {kind}: {slow} of this machine", "data folder"
        )
    else:
        yield Finding("data folder file system", "ok", f"{data}: no network file system", "data folder", "")
    if vault is not None:
        kind = network_kind(vault)
        on = f"{vault}: {f'a network file system ({kind})' if kind else 'no network file system'}"
        yield Finding("vault file system", "ok", on, "vault", f"on {kind}" if kind else "")
