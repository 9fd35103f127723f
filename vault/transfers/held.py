"""Files under their final names: reading them again, and setting damaged ones aside. All calls block."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from providers.models import Checksum
from vault.errors import VaultError
from vault.proof import Check, Outcome, Proof, check_checksum
from vault.transfers.container import check_container
from vault.transfers.part import in_words, move, open_folder

_READ_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Reading:
    """What a held file is now: its size in bytes, its SHA-256 (hex), the check of its container."""

    size: int
    sha256: str
    container: Check


def read_again(root: Path, relative: PurePosixPath, extension: str) -> Reading | None:
    """Read a file from its first byte to its last; None when it is not there. Raises VaultError."""
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
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise VaultError(f"{path} is no file; move it, then retry")
    digest, size = hashlib.sha256(), 0
    with os.fdopen(descriptor, "rb") as file:
        try:
            while block := file.read(_READ_BLOCK):
                digest.update(block)
                size += len(block)
            return Reading(size, digest.hexdigest(), check_container(extension, file))
        except OSError as error:
            raise in_words(error, path) from None


def checks_of(reading: Reading, proof: Proof, stated: Checksum | None) -> tuple[Check, ...]:
    """Compare what a file is now with what was proven of it, and with the service's checksum."""
    if (reading.size, reading.sha256) == (proof.size, proof.sha256):
        same = Check("bytes", Outcome.PASSED, f"{reading.size} bytes, SHA-256 as proven on {proof.proven_at:%Y-%m-%d}")
    elif reading.size != proof.size:
        same = Check("bytes", Outcome.FAILED, f"the file has {reading.size} bytes, {proof.size} were proven")
    else:
        words = f"the bytes changed: SHA-256 {reading.sha256[:12]}…, {proof.sha256[:12]}… was proven"
        same = Check("bytes", Outcome.FAILED, words)
    return (same, check_checksum(reading.sha256, stated), reading.container)


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
