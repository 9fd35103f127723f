"""Who is at work on a ledger: a locked file for each, so that a process that was killed is known to be gone at once."""

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from vault.errors import VaultError


def this_process() -> str:
    """`host:pid`, as `TransferView.owner` names whoever runs a transfer."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Presence:
    """One worker's name, `host:pid:token`, for as long as it is not closed. Its calls block, briefly."""

    def __init__(self, folder: Path) -> None:
        self.name = f"{this_process()}:{os.urandom(4).hex()}"
        self._folder = folder
        self._path = folder / self.name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = [each.name for each in folder.iterdir()]
            self._descriptor = self._hold()
        except OSError as error:
            raise VaultError(f"{folder} cannot be written: {error.strerror}") from None
        self.gone(frozenset(names))  # and so swept, what killed ones left

    def _hold(self) -> int:
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            is_mine = False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_mine = self._path.exists()  # else another one swept it before it was locked
            finally:
                if not is_mine:
                    os.close(descriptor)
            if is_mine:
                return descriptor

    def gone(self, owners: frozenset[str]) -> frozenset[str]:
        """Which of them are surely not at work any more. Of another machine's nothing is known."""
        host = f"{socket.gethostname()}:"
        return frozenset(owner for owner in owners if owner.startswith(host) and self._is_gone(owner))

    def _is_gone(self, owner: str) -> bool:
        if owner == self.name or "/" in owner:
            return False
        try:
            descriptor = os.open(self._folder / owner, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False  # it lives, or flock says nothing here
        else:
            with contextlib.suppress(OSError):
                os.unlink(self._folder / owner)
            return True
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        os.close(self._descriptor)
