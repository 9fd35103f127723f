"""What is fetched, and the files that the server gives."""

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from providers.emulation import mp4_blob
from tests.bench.results import Workload

GROUPS = ("plain", "tls", "small", "medium", "memory", "ticks")
AT_ONCE = 8
FULL_MIB = 1024
ROUNDS = 5
WARM = "warm.mp4"
"""A small file at the server's root: what a desk has fetched before."""
_BLOCK = 1 << 20


def workloads(mib: int, groups: Collection[str]) -> tuple[Workload, ...]:
    """Those of the chosen groups; `mib` is the size of the large file, and all others shrink with it."""
    share = min(1.0, mib / FULL_MIB)
    small, medium = max(AT_ONCE, round(1000 * share)), max(AT_ONCE, round(512 * share))
    low, high, ticked = (max(1, round(size * share)) for size in (64, 512, 256))
    every = (
        Workload("plain", "plain", f"{mib} MiB, plain HTTP", "large", 1, mib << 20, tls=False),
        Workload("tls", "tls", f"{mib} MiB, TLS", "large", 1, mib << 20, tls=True),
        Workload("small", "small", f"{small} x 64 KiB, {AT_ONCE} at once", "small", small, 1 << 16, tls=False),
        Workload("medium", "medium", f"{medium} x 1 MiB, {AT_ONCE} at once", "medium", medium, 1 << 20, tls=False),
        *(
            Workload(
                f"memory {size}",
                "memory",
                f"{AT_ONCE} x {size} MiB at once, TLS",
                f"memory{size}",
                AT_ONCE,
                size << 20,
                tls=True,
                linked=True,
            )
            for size in (low, high)
        ),
        Workload(
            "ticks",
            "ticks",
            f"{AT_ONCE} x {ticked} MiB at once, TLS, beside a clock of 10 ms",
            "ticks",
            AT_ONCE,
            ticked << 20,
            tls=True,
            linked=True,
        ),
    )
    return tuple(workload for workload in every if workload.group in groups)


def make_file(path: Path, size: int) -> str:
    """A file of random bytes whose MP4 boxes are complete; gives its SHA-256 as hex."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        left, block = size, mp4_blob(size).head
        while left > 0:
            file.write(block)
            digest.update(block)
            left -= len(block)
            block = os.urandom(min(left, _BLOCK))
    return digest.hexdigest()


def make_sources(root: Path, workload: Workload) -> Mapping[str, str]:
    """The files of a workload below the server's root; gives each one's SHA-256 by name."""
    folder = root / workload.folder
    folder.mkdir()
    if not workload.linked:
        return {name: make_file(folder / name, workload.size) for name in workload.names}
    first, *others = workload.names
    digest = make_file(folder / first, workload.size)
    for name in others:
        os.link(folder / first, folder / name)
    return dict.fromkeys(workload.names, digest)
