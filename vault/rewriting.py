"""Changing a file that people edit, too: one at a time, whole or not at all, and never over what somebody just wrote.

Its calls block.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vault.errors import ConfigError, VaultError

WAIT_S = 5.0
"""As long as another process is waited for that is changing the file."""
_POLL_S = 0.02
_NEW_MODE = 0o600


def rewrite(path: Path, edit: Callable[[str], str], *, wait_s: float = WAIT_S) -> None:
    """Give a file the text that `edit` makes of its present one ("" for a file that is not there: it is made).

    The new text is complete on disk before it takes the file's name, with the file's mode and owner; a link is written
    through to what it leads to. Raises what `edit` raises; ConfigError for a file that cannot be read, or that
    somebody else changed meanwhile; VaultError where it cannot be written. The file is then as it was.
    """
    target = Path(os.path.realpath(path))
    with _words(path):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(target, wait_s):
            before = _content(target)
            text = _decoded(path, before)
            after = edit(text)
            if after != text or before is None:
                _replace(path, target, before, after.encode())


@contextlib.contextmanager
def _words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise VaultError(f"{path} cannot be changed: {error.strerror or error}; it is as it was") from None


def _content(target: Path) -> bytes | None:
    try:
        return target.read_bytes()
    except FileNotFoundError:
        return None


def _decoded(path: Path, content: bytes | None) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: cannot be read: it is not UTF-8 text") from None


@contextlib.contextmanager
def _locked(target: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock file beside the target; it is taken away again, so that no folder of dotfiles collects it."""
    lock = target.with_name(f".{target.name}.lock")
    end = time.monotonic() + wait_s
    while (descriptor := _try_lock(lock)) is None:
        if time.monotonic() > end:
            raise VaultError(f"another process is changing {target}; nothing was written, try again")
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(lock)
        os.close(descriptor)


def _try_lock(lock: Path) -> int | None:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, there = os.fstat(descriptor), os.stat(lock)
        if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
            return descriptor
    except (BlockingIOError, FileNotFoundError):  # held by another one; or taken away before it was locked
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _replace(path: Path, target: Path, before: bytes | None, after: bytes) -> None:
    new = target.with_name(f".{target.name}.new")
    with contextlib.suppress(FileNotFoundError):  # of one that was killed
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _NEW_MODE)
    try:
        with open(descriptor, "wb") as file:
            if before is not None:
                _like(file.fileno(), target.stat())
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        if _content(target) != before:
            raise ConfigError(f"{path}: somebody else changed it meanwhile; nothing was written, try again")
        os.replace(new, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    _folder_to_disk(target.parent)


def _like(descriptor: int, old: os.stat_result) -> None:
    """The file's owner and mode. Raises PermissionError for another user's file: its owner could not read it then."""
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _folder_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
