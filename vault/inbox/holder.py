"""Which process on this ledger receives: a locked file that says so, gone with whoever is killed."""

import contextlib
import fcntl
import os
from pathlib import Path

from providers.text import safe_text
from vault.presence import this_process


class Holder:
    """The file of the process that receives. Its calls block, briefly, and never raise: it only informs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "receiver"
        self._descriptor: int | None = None

    def hold(self, address: str) -> None:
        """This process receives, on an address."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)  # another one receives as well, on another address
                return
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{this_process()} {address}".encode(), 0)
            self._descriptor = descriptor

    def other(self) -> str:
        """`host:pid on http://…` of another process that receives now; "" when none does."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return ""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            process, _, address = os.pread(descriptor, 300, 0).decode(errors="replace").partition(" ")
            return safe_text(f"{process} on {address}")
        else:
            return ""
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """This process receives no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
