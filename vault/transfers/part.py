"""A file on its way in: `NAME.part` beside its final place, locked, and published only when it is proven.

Everything goes through the folder's descriptor and follows no link. All calls block; they belong in a thread.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from vault.errors import VaultError
from vault.transfers.ranges import Validator

_READ_BLOCK = 1 << 20
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def in_words(error: OSError, path: Path) -> VaultError:
    """A fault of the disk, for a person."""
    if error.errno in _NO_SPACE:
        return VaultError(f"no space left for {path}; make room, then retry: what is there is kept and resumed")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return VaultError(f"{path} may not be written: {error.strerror}")
    if error.errno == errno.ELOOP:
        return VaultError(f"{path} leads through a symbolic link; links in the vault are not followed")
    return VaultError(f"{path}: {error.strerror or error}")


def open_folder(root: Path, folders: Iterable[str], *, create: bool) -> int:
    """A descriptor of a folder below `root`, following no link below it. Raises OSError."""
    if create:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in folders:
        try:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=descriptor)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(name, flags, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


class Part:
    """The incomplete file, held under an exclusive lock by this object alone. Raises VaultError with words."""

    def __init__(self, root: Path, relative: PurePosixPath) -> None:
        self.path = root / relative
        self._name = relative.name
        self._part = f"{relative.name}.part"
        self._side = f"{relative.name}.part.json"
        try:
            self._folder = open_folder(root, relative.parent.parts, create=True)
        except OSError as error:
            raise in_words(error, self.path.parent) from None
        try:
            self._descriptor = self._open_locked()
        except OSError as error:
            os.close(self._folder)
            raise in_words(error, self.path.with_name(self._part)) from None
        except VaultError:
            os.close(self._folder)
            raise
        self.digest = hashlib.sha256()
        self.size = 0
        """Bytes that are here and are in `digest`."""
        self.resumed = False
        """Whether the first of them are from an earlier transfer."""
        self._durable = 0
        # A cancelled task leaves its thread writing: whatever comes next waits for it.
        self._busy = threading.Lock()

    def _open_locked(self) -> int:
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._part, flags, 0o600, dir_fd=self._folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine = os.fstat(descriptor)
                if not stat.S_ISREG(mine.st_mode) or mine.st_uid != os.getuid():
                    raise VaultError(f"{self.path}.part is not a file of this user; it is not touched")
                there = os.stat(self._part, dir_fd=self._folder, follow_symlinks=False)
            except BlockingIOError:
                os.close(descriptor)
                raise VaultError(f"{self.path} is being fetched by another process") from None
            except FileNotFoundError:
                os.close(descriptor)
                continue  # whoever had the lock before has just published it
            except BaseException:
                os.close(descriptor)
                raise
            if there.st_ino == mine.st_ino and there.st_dev == mine.st_dev:
                return descriptor
            os.close(descriptor)

    def saved(self) -> Validator | None:
        """What was noted of a transfer that broke off, when its bytes are still here and can be continued."""
        try:
            descriptor = os.open(self._side, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            try:
                note = json.loads(file.read(65_536))
                durable = int(note["durable"])
                known = Validator(str(note["etag"]), str(note["last_modified"]), note["total"])
            except (ValueError, KeyError, TypeError):
                return None
        if not known.condition or not 0 < durable <= os.fstat(self._descriptor).st_size:
            return None
        self._durable = durable
        return known

    def take_up(self) -> None:
        """Continue after `saved()`: drop what was not surely on disk, and hash what was."""
        with self._busy:
            self._take_up()

    def _take_up(self) -> None:
        if self.size == self._durable:  # it broke off just now, and was hashed while it arrived
            self.resumed = True
            return
        self._rewind(self._durable)
        while self.size < self._durable:
            block = os.pread(self._descriptor, _READ_BLOCK, self.size)
            if not block:
                raise VaultError(f"{self.path}.part became shorter while it was read")
            self.digest.update(block)
            self.size += len(block)
        self.resumed = True
        os.lseek(self._descriptor, self.size, os.SEEK_SET)

    def start_over(self) -> None:
        """Drop what is here."""
        with self._busy:
            self._rewind(0)
            self._forget()

    def _rewind(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self.digest = hashlib.sha256()
        self.size = 0
        self.resumed = False

    def spoil(self) -> None:
        """What is here proved wrong: keep the bytes for whoever wants to look, but never continue from them."""
        self._forget()

    def write(self, chunks: list[bytes]) -> None:
        """Append, and hash on the way."""
        with self._busy:
            try:
                for chunk in chunks:
                    self._append(chunk)
            except OSError as error:
                raise in_words(error, self.path) from None

    def _append(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.digest.update(chunk)
        self.size += len(chunk)

    def checkpoint(self, known: Validator) -> None:
        """Bring what is here to the disk, and note it, so that a later transfer can continue from there."""
        with self._busy:
            self._checkpoint(known)

    def _checkpoint(self, known: Validator) -> None:
        note = {
            "durable": self.size,
            "etag": known.etag,
            "last_modified": known.last_modified,
            "total": known.total,
        }
        temporary = f"{self._side}.new"
        try:
            _to_disk(self._descriptor)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o600, dir_fd=self._folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(note).encode())
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, self._side, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError as error:
            raise in_words(error, self.path) from None

    def _forget(self) -> None:
        for name in (self._side, f"{self._side}.new"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)

    def reader(self) -> BinaryIO:
        """The bytes that are here, for the container check; to be closed by the caller."""
        return os.fdopen(os.dup(self._descriptor), "rb")

    def free_bytes(self) -> int:
        """Bytes that an ordinary user can still write on this file system."""
        space = os.fstatvfs(self._folder)
        return space.f_bavail * space.f_frsize

    def to_disk(self) -> None:
        """Fsync the bytes. Before the proof is written down."""
        try:
            _to_disk(self._descriptor)
        except OSError as error:
            raise in_words(error, self.path) from None

    def publish(self) -> None:
        """Give the file its final name, never replacing one that is there, and bring the folder to the disk."""
        try:
            os.link(self._part, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
            os.unlink(self._part, dir_fd=self._folder)
            self._forget()
            os.fsync(self._folder)
        except FileExistsError:
            raise VaultError(f"a file that reeldesk did not write lies at {self.path}; move it, then retry") from None
        except OSError as error:
            raise in_words(error, self.path) from None

    def remove(self) -> None:
        """Remove an incomplete file that is not wanted any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._part, dir_fd=self._folder)
        self._forget()

    def close(self) -> None:
        """Give up the lock; what is here stays."""
        with self._busy:
            os.close(self._descriptor)
            os.close(self._folder)


def _to_disk(descriptor: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone leaves the bytes in the drive's cache
    if full is not None:
        fcntl.fcntl(descriptor, full)
    else:
        os.fsync(descriptor)
