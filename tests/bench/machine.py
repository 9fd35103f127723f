"""The machine: what it is, and how much of it others use while something is measured. Linux only (/proc)."""

import os
import platform
import re
import resource
import shutil
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from tests.bench import servers
from tests.bench.results import BenchError

TOOLS = ("curl", "sha256sum", "openssl", "wget2", "aria2c", "rclone")
INSTALL = "apt-get install nginx-light wget2 aria2 rclone"
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_LIBRARIES = ("httpx", "httpx-aiohttp", "httpcore", "aiohttp", "anyio")


def free_bytes() -> int:
    """Memory that programs can have without swapping."""
    return 1024 * int(_field("/proc/meminfo", r"MemAvailable:\s*(\d+)") or 0)


def missing() -> list[str]:
    """What the bench needs and this machine does not have."""
    absent = [name for name in TOOLS if shutil.which(name) is None]
    return absent if servers.program() else ["nginx", *absent]


def busy_s(stat: str) -> float:
    """CPU seconds of all cores since the machine began, from the text of /proc/stat.

    Interrupts are left out: on loopback they are the transfer itself. Time that the hypervisor took is in: it is
    missing here, whoever has it.
    """
    user, nice, system, _idle, _iowait, _irq, _softirq, steal = (int(word) for word in stat.split()[1:9])
    return (user + nice + system + steal) * _TICK_S


def process_s(stat: str) -> float:
    """CPU seconds of a process, from the text of its /proc/PID/stat."""
    words = stat.rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) * _TICK_S


class ForeignLoad:
    """CPU seconds that neither this process nor the given ones used, between its making and `seconds`."""

    def __init__(self, processes: Iterable[int]) -> None:
        self._processes = tuple(processes)
        self._own = self._used()
        self._busy = busy_s(Path("/proc/stat").read_text())

    def seconds(self, children_s: float) -> float:
        """`children_s`: what ended children of this process used meanwhile."""
        busy = busy_s(Path("/proc/stat").read_text()) - self._busy
        return max(0.0, busy - (self._used() - self._own) - children_s)

    def _used(self) -> float:
        mine = resource.getrusage(resource.RUSAGE_SELF)
        try:
            theirs = sum(process_s(Path(f"/proc/{pid}/stat").read_text()) for pid in self._processes)
        except OSError:
            raise BenchError("the server ended") from None
        return mine.ru_utime + mine.ru_stime + theirs


def description(folder: Path) -> Mapping[str, str]:
    """The machine and the programs, without its name or places. `folder`: on the disk that is written to."""
    cpu = _field("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.machine()
    flags = (_field("/proc/cpuinfo", r"flags\s*:\s*(.+)") or "").split()
    extensions = ", ".join(name for flag, name in (("sha_ni", "SHA-NI"), ("aes", "AES-NI")) if flag in flags)
    memory = int(_field("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0) / (1 << 20)
    system = _field("/etc/os-release", r'PRETTY_NAME="?([^"\n]+)') or "Linux"
    kernel = _found(r"[\d.]+\d", platform.release())  # what follows may name the place
    hypervisor = "virtual machine" if "hypervisor" in flags else "no hypervisor seen"
    return {
        "CPU": f"{cpu}{f' ({extensions})' if extensions else ''}, {len(os.sched_getaffinity(0))} cores; {hypervisor}",
        "Memory": f"{memory:.0f} GiB",
        "System": f"{system}, kernel {kernel}",
        "Disk": _disk(folder),
        "Python": f"{platform.python_version()}, {ssl.OPENSSL_VERSION}, SQLite {sqlite3.sqlite_version}",
        "Libraries": ", ".join(filter(None, map(_library, _LIBRARIES))),
        "Server": _first_line([servers.program() or "nginx", "-v"]).removeprefix("nginx version: "),
        "Tools": "; ".join(_version(name) for name in TOOLS),
    }


def _field(path: str, pattern: str) -> str | None:
    found = re.search(pattern, Path(path).read_text()) if Path(path).exists() else None
    return found.group(1).strip() if found else None


def _found(pattern: str, words: str) -> str:
    found = re.search(pattern, words)
    return found.group(0) if found else "of unknown version"


def _disk(folder: Path) -> str:
    """File system and kind of device: of the mount that is the longest beginning of the folder's path."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    around = [m for m in mounts if folder.resolve().is_relative_to(m[1])]
    device, _, kind, *_ = max(around, key=lambda mount: len(mount[1]))
    name = re.sub(r"(?<=\d)p\d+$|(?<=[a-z])\d+$", "", Path(device).name)
    if name.startswith(("vd", "xvd")):
        return f"{kind} on a virtual disk (what is beneath it is not known)"
    try:
        rotates = Path(f"/sys/block/{name}/queue/rotational").read_text().strip() == "1"
    except OSError:
        return f"{kind}, not on a disk of its own"
    return f"{kind} on a {'rotating disk' if rotates else 'solid state disk'}"


def _library(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return ""


def _version(tool: str) -> str:
    words = _first_line([tool, "version" if tool in ("rclone", "openssl") else "--version"])
    return f"{tool} {_found(r'[0-9]+[.][0-9][0-9a-zA-Z.-]*', words)}"


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    return (done.stdout or done.stderr).partition("\n")[0].strip()


def supported() -> bool:
    """Whether this is a system whose figures can be read."""
    return sys.platform == "linux"
