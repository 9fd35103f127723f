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
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from vault.errors import DiskFull, PartBusy, VaultError
from vault.transfers.ranges import Validator

_READ_BLOCK = 1 << 20
_NOTE_ROOM = 16 * 1024
"""Bytes that a note and its folder entry take at most, by the blocks of common disks."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def in_words(error: OSError, path: Path) -> VaultError:
    """A fault of the disk, for a person."""
    if error.errno in _NO_SPACE:
        return DiskFull(f"no space left for {path}: make room; what is there is kept and resumed")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return VaultError(f"{path} may not be written: {error.strerror}")
    if error.errno == errno.ENOENT:
        return VaultError(f"the incomplete file of {path} is gone: it, or its folder, was moved or removed meanwhile")
    if error.errno == errno.ELOOP:
        return VaultError(f"{path} leads through a symbolic link; links in the vault are not followed")
    return VaultError(f"{path}: {error.strerror or error}")


def open_folder(root: Path, folders: Iterable[str], *, create: bool) -> int:
    """A descriptor of a folder below `root`, following no link below it. Raises OSError."""
    if create:
        _make(root)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in folders:
        try:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=descriptor)
                    os.fsync(descriptor)  # else a power cut could take a proven file with its folder
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(name, flags, dir_fd=descriptor)
        except NotADirectoryError as error:  # what the system says of a link, too
            if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
            raise error
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _make(root: Path) -> None:
    """A folder and those above it that are missing, each on disk. Raises OSError."""
    for folder in reversed([each for each in (root, *root.parents) if not each.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move(folder: int, source: str, target: str) -> None:
    """Rename within a folder, never replacing what lies there. Raises FileExistsError, OSError."""
    try:
        os.link(source, target, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(source, dir_fd=folder)
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    # exFAT and some shares have no hard links: looked at first, so that only a file of the same moment is replaced.
    try:
        os.stat(target, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(source, target, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


class Part:
    """The incomplete file, held under an exclusive lock by this object alone. Raises VaultError with words."""

    def __init__(self, root: Path, relative: PurePosixPath) -> None:
        self.path = root / relative
        self._name = relative.name
        self._part = f"{relative.name}.part"
        self._side = f"{relative.name}.part.json"
        self.digest = hashlib.sha256()
        self.size = 0
        """Bytes that are here and are in `digest`."""
        self.resumed = False
        """Whether the first of them are from an earlier transfer."""
        self.durable = 0
        """Bytes that are surely on disk, and noted, so that a later transfer can continue after them."""
        self._noted_digest = ""
        self._busy = threading.Lock()
        self._closed = False
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
        try:
            self.room = self.free_bytes()
            """Bytes that were free when it was opened."""
            self._blank = self._is_empty()
            """Whether nothing was there when it was opened, and nothing was written since."""
        except VaultError:
            self.close()
            raise

    def _is_empty(self) -> bool:
        with self._at_work():
            if os.fstat(self._descriptor).st_size:
                return False
            try:
                os.stat(self._side, dir_fd=self._folder, follow_symlinks=False)
            except FileNotFoundError:
                return True
            return False

    def _open_locked(self) -> int:
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self._part, flags, 0o600, dir_fd=self._folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_mine_alone(descriptor):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                raise PartBusy(f"{self.path} is being fetched by another process") from None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _is_mine_alone(self, descriptor: int) -> bool:
        """Whether what is locked is what lies there as NAME.part, and nowhere else."""
        mine = os.fstat(descriptor)
        if not stat.S_ISREG(mine.st_mode) or mine.st_uid != os.getuid():
            raise VaultError(f"{self.path}.part is not a file of this user; it is not touched")
        try:
            there = os.stat(self._part, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return False  # whoever had the lock before has just published it
        if not os.path.samestat(mine, there):
            return False
        if mine.st_nlink > 1:
            # Killed while it was published: these bytes have their final name, and are not to be written to.
            os.unlink(self._part, dir_fd=self._folder)
            return False
        return True

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        """One call at a time: a cancelled task leaves its thread at work, and whatever comes next waits for it."""
        with self._busy:
            if self._closed:
                raise VaultError(f"{self.path}: the transfer was given up")
            try:
                yield
            except OSError as error:
                raise in_words(error, self.path) from None

    def saved(self) -> Validator | None:
        """What was noted of a transfer that broke off, when its bytes are still here and can be continued."""
        with self._at_work():
            try:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(self._side, flags, dir_fd=self._folder)
            except OSError:
                return None
            try:
                note = json.loads(os.read(descriptor, 65_536))
                durable, digest = int(note["durable"]), str(note["sha256"])
                known = Validator(str(note["etag"]), str(note["last_modified"]), note["total"])
            except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
                return None
            finally:
                os.close(descriptor)
            if not known.condition or not 0 < durable <= os.fstat(self._descriptor).st_size:
                return None
            self.durable, self._noted_digest = durable, digest
            return known

    def take_up(self) -> bool:
        """Continue after `saved()`: drop what was not surely on disk, and hash what was.

        False when those are not the bytes that were noted (a bad disk, a power cut, another hand): start over.
        """
        with self._at_work():
            # When it broke off just now, it was hashed while it arrived.
            if self.size != self.durable and not self._hash_again(self.durable):
                return False
            self.resumed = True
            os.ftruncate(self._descriptor, self.size)
            return self.digest.hexdigest() == self._noted_digest

    def tail(self, most: int) -> bytes:
        """The last bytes that are here, at most so many."""
        with self._at_work():
            length = min(most, self.size)
            return os.pread(self._descriptor, length, self.size - length)

    def start_over(self) -> None:
        """Drop what is here."""
        with self._at_work():
            self._forget()
            self._rewind()
            self.resumed = False
            self.durable = 0
            os.ftruncate(self._descriptor, 0)

    def _rewind(self) -> None:
        self.digest = hashlib.sha256()
        self.size = 0

    @property
    def is_blank(self) -> bool:
        """Whether nothing is here that would have to be dropped."""
        return self._blank and self.size == 0

    def spoil(self) -> None:
        """What is here proved wrong: keep the bytes for whoever wants to look, but never continue from them."""
        with self._at_work():
            self._forget()

    def write(self, chunks: list[bytes]) -> None:
        """Append, and hash on the way."""
        with self._at_work():
            self._blank = False
            for chunk in chunks:
                view, at = memoryview(chunk), self.size
                try:
                    while view:
                        written = os.pwrite(self._descriptor, view, at)
                        view, at = view[written:], at + written
                except OSError:
                    # A full disk: the last bytes make room for the note of those before them.
                    kept = max(self.size, at - _NOTE_ROOM)
                    self.digest.update(chunk[: kept - self.size])
                    self.size = kept
                    os.ftruncate(self._descriptor, kept)
                    raise
                self.digest.update(chunk)
                self.size = at

    def checkpoint(self, known: Validator) -> None:
        """Bring what is here to the disk, and note it, so that a later transfer can continue from there."""
        with self._at_work():
            try:
                self._note(known)
            except OSError as error:
                if error.errno not in _NO_SPACE or self.size <= _NOTE_ROOM:
                    raise
                # A full disk: the last bytes make room for the note of those before them.
                os.ftruncate(self._descriptor, self.size - _NOTE_ROOM)
                self._hash_again(self.size - _NOTE_ROOM)
                self._note(known)

    def _note(self, known: Validator) -> None:
        digest = self.digest.hexdigest()
        note = {
            "durable": self.size,
            "sha256": digest,
            "etag": known.etag,
            "last_modified": known.last_modified,
            "total": known.total,
        }
        temporary = f"{self._side}.new"
        _to_disk(self._descriptor, fully=False)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(note).encode())
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, self._side, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self.durable, self._noted_digest = self.size, digest

    def _hash_again(self, length: int) -> bool:
        """Hash the first bytes that are on disk; False when there are fewer."""
        self._rewind()
        while self.size < length:
            block = os.pread(self._descriptor, min(_READ_BLOCK, length - self.size), self.size)
            if not block:
                return False
            self.digest.update(block)
            self.size += len(block)
        return True

    def _forget(self) -> None:
        for name in (self._side, f"{self._side}.new"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)

    def reader(self) -> BinaryIO:
        """The bytes that are here, for the container check; to be closed by the caller."""
        with self._at_work():
            return os.fdopen(os.dup(self._descriptor), "rb")

    def free_bytes(self) -> int:
        """Bytes that an ordinary user can still write on this file system."""
        with self._at_work():
            space = os.fstatvfs(self._folder)
            return space.f_bavail * space.f_frsize

    def to_disk(self) -> None:
        """Fsync the bytes. Before the proof is written down."""
        with self._at_work():
            _to_disk(self._descriptor, fully=True)

    def publish(self) -> None:
        """Give the file its final name, never replacing one that is there, and bring the folder to the disk."""
        with self._at_work():
            try:
                move(self._folder, self._part, self._name)
            except FileExistsError:
                words = f"a file that reeldesk did not write lies at {self.path}; move it, then retry"
                raise VaultError(words) from None
            self._forget()
            os.fsync(self._folder)

    def remove(self) -> None:
        """Remove an incomplete file that is not wanted any more."""
        with self._at_work():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part, dir_fd=self._folder)
            self._forget()

    @property
    def is_closed(self) -> bool:
        """Whether it was given up, or published and let go of."""
        return self._closed

    def close(self) -> None:
        """Give up the lock; what is here stays. Once more changes nothing."""
        with self._busy:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)
                os.close(self._folder)


def _to_disk(descriptor: int, *, fully: bool) -> None:
    """The bytes, and the length that is needed to read them; `fully`: also what else the folder tells of the file."""
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone leaves the bytes in the drive's cache
    if full is not None:
        fcntl.fcntl(descriptor, full)
    elif fully:
        os.fsync(descriptor)
    else:
        os.fdatasync(descriptor)
