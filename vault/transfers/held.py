"""Files under their final names: reading them again, and setting damaged ones aside. All calls block."""

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from msgspec import Struct

from providers.models import Checksum
from vault.errors import Cancelled, VaultError
from vault.proof import Check, Outcome, Proof, check_checksum
from vault.transfers.container import check_container
from vault.transfers.media import check_media
from vault.transfers.part import in_words, move, open_folder

_READ_BLOCK = 1 << 20
_LARGE = 64 << 20
"""Bytes from which on a file that was read again does not stay in memory in the place of what others need."""


class Reading(Struct, frozen=True):
    """What a held file is now: its size in bytes, its SHA-256 (hex), the check of its container."""

    size: int
    sha256: str
    container: Check
    media: Check | None = None
    """Duration and tracks, where they were asked for and the form has any."""


class Watch:
    """Who watches a reading: told how many bytes of how many are done in which step, and asked whether to go on.

    Steps are "reading" (every byte, for its SHA-256), "container" (once more, by its form) and "media".
    """

    def __init__(
        self,
        told: Callable[[str, int, int], None] = lambda step, done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._told = told
        self._cancelled = cancelled
        self._step = ""
        self._done = 0
        self._total = 0

    def begin(self, step: str, done: int, total: int) -> None:
        """A step begins with so many bytes done of so many in all."""
        self._step, self._done, self._total = step, done, total
        self.go_on(0)

    def go_on(self, read: int) -> None:
        """So many more bytes were read. Raises Cancelled."""
        if self._cancelled():
            raise Cancelled("stopped; what was known of the file stays as it was")
        self._done += read
        self._told(self._step, min(self._done, self._total), self._total)


class _Watched(io.BufferedReader):
    """A file that tells how much of it was read."""

    def __init__(self, raw: io.FileIO, watch: Watch) -> None:
        super().__init__(raw)
        self._watch = watch

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self._watch.go_on(len(block))
        return block


def read_again(
    root: Path, relative: PurePosixPath, extension: str, watch: Watch | None = None, *, media: bool = False
) -> Reading | None:
    """Read a file from its first byte to its last, and then by its form; None when it is not there.

    `media`: ask for duration and tracks, too. Raises VaultError; Cancelled when `watch` does not want it any more.
    """
    path = root / relative
    try:
        folder = open_folder(root, relative.parent.parts, create=False)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(relative.name, flags, dir_fd=folder)
        finally:
            os.close(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise in_words(error, path) from None
    there = os.fstat(descriptor)
    if not stat.S_ISREG(there.st_mode):
        os.close(descriptor)
        raise VaultError(f"{path} is no file; move it, then retry")
    watch = watch or Watch()
    with _Watched(io.FileIO(descriptor), watch) as file:
        try:
            return _read(file, extension, watch, there.st_size, media=media)
        except OSError as error:
            raise in_words(error, path) from None
        finally:
            _let_go(descriptor, there.st_size)


def _read(file: _Watched, extension: str, watch: Watch, expected: int, *, media: bool) -> Reading:
    digest, size = hashlib.sha256(), 0
    total = expected * 2 if extension == "zip" else expected
    watch.begin("reading", 0, total)
    while block := file.read(_READ_BLOCK):
        digest.update(block)
        size += len(block)
    watch.begin("container", expected, total)
    container = check_container(extension, file)
    watch.begin("media", total, total)
    played = check_media(extension, file, lambda: watch.go_on(0)) if media else None
    return Reading(size, digest.hexdigest(), container, played)


def _let_go(descriptor: int, size: int) -> None:
    """The system need not keep in memory what was only read to be checked."""
    advise = getattr(os, "posix_fadvise", None)  # macOS has none
    if advise is not None and size >= _LARGE:
        with contextlib.suppress(OSError):
            advise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def checks_of(reading: Reading, proof: Proof, stated: Checksum | None) -> tuple[Check, ...]:
    """Compare what a file is now with what was proven of it, and with the service's checksum."""
    if (reading.size, reading.sha256) == (proof.size, proof.sha256):
        same = Check("bytes", Outcome.PASSED, f"{reading.size} bytes, SHA-256 as proven on {proof.proven_at:%Y-%m-%d}")
    elif reading.size != proof.size:
        same = Check("bytes", Outcome.FAILED, f"the file has {reading.size} bytes, {proof.size} were proven")
    else:
        words = f"the bytes changed: SHA-256 {reading.sha256[:12]}…, {proof.sha256[:12]}… was proven"
        same = Check("bytes", Outcome.FAILED, words)
    checks = (same, check_checksum(reading.sha256, stated), reading.container)
    return checks if reading.media is None else (*checks, reading.media)


def set_aside(root: Path, relative: PurePosixPath) -> None:
    """Rename a damaged file to NAME.damaged (-2 ...): the evidence stays, the name is free. Raises VaultError."""
    try:
        folder = open_folder(root, relative.parent.parts, create=False)
        try:
            for number in range(1, 1000):
                aside = f"{relative.name}.damaged" + (f"-{number}" if number > 1 else "")
                try:
                    move(folder, relative.name, aside)
                except FileExistsError:
                    continue
                os.fsync(folder)
                return
        finally:
            os.close(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise in_words(error, root / relative) from None
