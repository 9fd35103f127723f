"""Making a bag beside its place, and putting it there only when it is whole and on disk. All calls block."""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from vault.errors import DiskFull, VaultError

_BLOCK = 1 << 20
_LOOK_S = 0.1
"""Between two looks whether the library is done, and whether it is to go on."""
_ROOM = 64 << 20
"""What is left free beside the packet, in bytes."""
_ABANDONED_S = 86_400.0
"""Of what nothing was written to for so long nobody makes a packet any more."""
_MAKING = re.compile(r"\.custody-.+\.making-[a-z0-9_]{8}", re.DOTALL)
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"


class Packing(Struct, frozen=True):
    """How far a packet is: what is being done, and how many bytes of how many are copied."""

    words: str
    done: int
    total: int


Progress = Callable[[Packing], None]
"""Told often; what it raises ends the making, and nothing is left behind."""


class Bag:
    """A folder on its way to be a bag. What is written into it becomes the payload."""

    def __init__(self, folder: Path, total: int, on_progress: Progress) -> None:
        self.folder = folder
        self.done = 0
        self._total = total
        self._tell = on_progress

    def write(self, name: str, text: str) -> None:
        """Write a text file."""
        path = self.folder / name
        with self._in_words(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(text.encode())

    def copy(self, source: Path, name: str) -> tuple[int, str]:
        """Copy a file; gives the size and the SHA-256 (hex) of what was copied. Raises VaultError."""
        path, digest, size = self.folder / name, hashlib.sha256(), 0
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise VaultError(f"{source} cannot be read: {error.strerror}") from None
        with open(descriptor, "rb", buffering=0) as file, self._in_words(path):
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise VaultError(f"{source} is no file")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("xb") as copy:
                while block := file.read(_BLOCK):
                    copy.write(block)
                    digest.update(block)
                    size += len(block)
                    self.done += len(block)
                    self._tell(Packing(f"copying {source.name}", self.done, self._total))
        return size, digest.hexdigest()

    def close(self, info: Mapping[str, str]) -> None:
        """Have the library make it a bag."""
        self._bagging({"info": dict(info)}, "making the manifests")

    def add_tag_file(self, name: str, content: bytes) -> None:
        """Add what belongs to the bag and not to its payload; `seal` after the last."""
        path = self.folder / name
        with self._in_words(path):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(content)

    def seal(self) -> None:
        """Have the library take the tag files into the tag manifest."""
        self._bagging({}, "making the tag manifest")

    def _bagging(self, wanted: Mapping[str, object], words: str) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "vault.custody.bagging"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl+C is for this process, which ends that one
        )
        errors = b""
        try:
            told: bytes | None = json.dumps({"folder": str(self.folder), **wanted}).encode()
            while True:
                self._tell(Packing(words, self.done, self._total))
                try:
                    _, errors = process.communicate(told, _LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    told = None
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        if process.returncode:
            raise _fault_of(errors, self.folder)

    @staticmethod
    @contextmanager
    def _in_words(path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise in_words(error, path) from None


@contextmanager
def bag(place: Path, total: int, on_progress: Progress, now: float) -> Iterator[Bag]:
    """A bag that is at `place` when the block ends well, and nowhere when it does not.

    `total`: bytes that will be copied; `now` in unix seconds. What a killed process left half made beside it a day ago
    or earlier is taken away. Raises VaultError: `place` is taken, the disk is full or cannot be written.
    """
    for folder in (place.parent, *place.parent.parents):
        if os.path.lexists(folder) and not folder.is_dir():
            raise VaultError(f"{folder} is no folder; a packet is a folder of its own, and needs one to be put into")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(place.parent, now)
        free = shutil.disk_usage(place.parent).free
    except OSError as error:
        raise in_words(error, place) from None
    if free < total + _ROOM:
        raise VaultError(f"{place.parent} has room for {free} bytes, the packet needs {total}: it does not fit")
    if os.path.lexists(place):
        raise VaultError(f"{place} is there already")
    try:
        making = Path(tempfile.mkdtemp(prefix=f".{place.name[:100]}.making-", dir=place.parent))
    except OSError as error:
        raise in_words(error, place) from None
    try:
        yield Bag(making, total, on_progress)
        on_progress(Packing("writing it to disk", total, total))
        _to_disk(making)
        os.rename(making, place)
        _sync(place.parent)
    except OSError as error:
        raise in_words(error, place) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _sweep(folder: Path, now: float) -> None:
    """Take away what nobody makes any more, of this user alone."""
    for path in folder.glob(".custody-*.making-*"):
        with suppress(OSError):
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or not _MAKING.fullmatch(path.name):
                continue
            newest = max(each.lstat().st_mtime for each in (path, *path.rglob("*")))
            if newest < now - _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)


def in_words(error: OSError, path: Path) -> VaultError:
    """A fault of the disk, for a person."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no space left for {path}: make room and export again; nothing of it is left behind")
    return VaultError(f"{path}: {error.strerror or error}")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(folder: Path) -> None:
    """Else a power cut could leave a bag under its final name whose files are empty."""
    for path, _, files in os.walk(folder):
        for name in files:
            _sync(Path(path) / name)
        _sync(Path(path))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fault_of(errors: bytes, folder: Path) -> VaultError:
    """What the library's process said last."""
    try:
        told = json.loads(errors.strip().splitlines()[-1])
        if told["errno"]:
            return in_words(OSError(told["errno"], told["words"]), folder)
        return VaultError(f"the bag could not be made: {told['words']}")
    except (ValueError, IndexError, KeyError, TypeError):
        return VaultError("the bag could not be made: the process that makes it broke off")
