"""Files that this account alone may read: read with suspicion, and replaced in one step."""

import contextlib
import os
import stat
from pathlib import Path

from vault.errors import VaultError

MOST = 64 * 1024
"""Bytes of a file that has one secret."""


def read_private(path: Path, what: str, *, most: int = MOST, follow: bool = True) -> tuple[bytes, os.stat_result]:
    """A regular file's bytes and what it is like, if it is ours and nobody else may read it. `what` names it in words.

    It is looked at after it was opened, so nobody exchanges it in between. Without `follow`, a symbolic link is refused
    and so is a file of root. Raises FileNotFoundError, and VaultError for all that is wrong with it.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        if not follow and path.is_symlink():
            raise VaultError(f"{what} is a symbolic link; it is not used") from None
        raise _unreadable(what, error) from None
    try:
        found = os.fstat(descriptor)
        _check(found, what, path, owners=(os.geteuid(), 0) if follow else (os.geteuid(),))
        content = b""
        while len(content) <= most and (block := os.read(descriptor, most + 1 - len(content))):
            content += block
    except OSError as error:
        raise _unreadable(what, error) from None
    finally:
        os.close(descriptor)
    if len(content) > most:
        raise VaultError(f"{what} is larger than {most} bytes; it is not used")
    return content, found


def _check(found: os.stat_result, what: str, path: Path, owners: tuple[int, ...]) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise VaultError(f"{what} cannot be read: Is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise VaultError(f"{what} is not a regular file; it is not used")
    if found.st_uid not in owners:
        raise VaultError(f"{what} belongs to somebody else; it is not used")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise VaultError(f"{what} can be read by others: chmod 600 {path}")


def _unreadable(what: str, error: OSError | ValueError) -> VaultError:
    reason = error.strerror if isinstance(error, OSError) else "its name is no path"
    return VaultError(f"{what} cannot be read: {reason}")


def replace_private(path: Path, content: bytes) -> None:
    """Put a file (0600) in place of another, or where there is none; the old one is there until the new one is whole.

    What a killed process left half written is removed, so only one process may do this at a time. Raises OSError.
    """
    for left in path.parent.glob(f".{path.name}.*.new"):
        with contextlib.suppress(FileNotFoundError):
            left.unlink()
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(descriptor, 0o600)  # whatever the umask took away
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
