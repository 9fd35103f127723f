"""What lies in the vault's folder: its files, and what is to become of those that are no recording's. Calls block."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from msgspec import Struct

from vault.errors import VaultError
from vault.transfers.part import Part, in_words, open_folder

_PART = re.compile(r"(.+)\.part(\.json(\.new)?)?")
_ASIDE = re.compile(r"(.+)\.damaged(-\d+)?")
TOUCHED_S = 2.0
"""File systems and clocks tell moments so far apart."""


class Lying(Struct, frozen=True):
    """A file in the vault, without its bytes. `relative` to the vault's folder; `changed_at` in unix seconds."""

    relative: PurePosixPath
    size: int
    changed_at: float

    @property
    def part_of(self) -> PurePosixPath | None:
        """Whose incomplete file, or note of one, this is by its name."""
        return self._base(_PART)

    @property
    def aside_of(self) -> PurePosixPath | None:
        """What this was set aside from, as damaged, by its name."""
        return self._base(_ASIDE)

    def _base(self, pattern: re.Pattern[str]) -> PurePosixPath | None:
        found = pattern.fullmatch(self.relative.name)
        return self.relative.with_name(found[1]) if found else None


def files(root: Path, go_on: Callable[[], None] = lambda: None) -> Iterator[Lying]:
    """Every file below the vault's folder, following no link; what cannot be looked into is left out.

    `go_on` is called with every folder, and may raise to end it.
    """
    folders = [PurePosixPath()]
    while folders:
        here = folders.pop()
        go_on()
        try:
            entries = sorted(os.scandir(root / here), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            try:
                there = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # it went meanwhile
            if stat.S_ISDIR(there.st_mode):
                folders.append(here / entry.name)
            elif stat.S_ISREG(there.st_mode):
                yield Lying(here / entry.name, there.st_size, there.st_mtime)


def look_at(path: str) -> Lying | None:
    """A file's size and when it was changed; None when no file is there."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except (OSError, ValueError):
        return None
    return Lying(PurePosixPath(path), there.st_size, there.st_mtime) if stat.S_ISREG(there.st_mode) else None


def is_touched(file: Lying, proven_at: datetime) -> bool:
    """Whether it was written to after it was proven, as far as its own time tells."""
    return file.changed_at > proven_at.timestamp() + TOUCHED_S


def remove_left_over(root: Path, relative: PurePosixPath) -> None:
    """Remove an incomplete file with its notes, or what was set aside. Raises VaultError; PartBusy for one at work."""
    file = Lying(relative, 0, 0.0)
    if (base := file.part_of) is not None:
        part = Part(root, base)  # under its lock
        try:
            part.remove()
        finally:
            part.close()
        return
    if file.aside_of is None:
        raise VaultError(f"{root / relative} is not reeldesk's own left-over; it is not touched")
    try:
        folder = open_folder(root, relative.parent.parts, create=False)
        try:
            os.unlink(relative.name, dir_fd=folder)
        finally:
            os.close(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise in_words(error, root / relative) from None
