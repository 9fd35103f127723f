"""A zip, read through: every member against its CRC, within bounds that a hostile one cannot make us leave."""

import lzma
import os
import struct
import zipfile
import zlib
from typing import IO

from providers.text import safe_text
from vault.proof import Check, Outcome

NAME = "container"
MEMBER_LIMIT = 100_000
DIRECTORY_LIMIT = 16 << 20
"""Bytes of the list of members, which is read at once, and takes up to 15 times as much memory."""
EXPANSION = 1_100
"""A deflated member is at most 1,032 times its size; what claims more overlaps, or lies."""
UNPACKED_LIMIT = 1 << 40
_BLOCK = 1 << 20
_TAIL = 65_535 + 22
"""The end record, with the longest comment behind it."""
_NAMED = 3
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""LZMA is left out: a member says how much memory it wants, up to 4 GiB."""
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,
)


def check_zip(file: IO[bytes]) -> Check:
    """Read it through, and name what is damaged. What `file` itself raises as a VaultError passes."""
    if _directory_size(file) > DIRECTORY_LIMIT:
        return Check(NAME, Outcome.UNREADABLE, f"the zip's list of members is larger than {DIRECTORY_LIMIT >> 20} MiB")
    try:
        with zipfile.ZipFile(file) as archive:
            return _read_through(archive, file.seek(0, os.SEEK_END))
    except _FAULTS as error:
        # RuntimeError: an encrypted member, or (NotImplementedError) a compression that this Python does not know.
        outcome = Outcome.UNREADABLE if isinstance(error, RuntimeError) else Outcome.FAILED
        return Check(NAME, outcome, f"the zip cannot be read through: {_short(error)}")


def _read_through(archive: zipfile.ZipFile, size: int) -> Check:
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    if len(members) > MEMBER_LIMIT:
        return Check(NAME, Outcome.UNREADABLE, f"the zip claims {len(members)} members: too many to read")
    if unpacked > min(UNPACKED_LIMIT, EXPANSION * size):
        return Check(NAME, Outcome.UNREADABLE, f"the zip claims to unpack to {unpacked} bytes: too many to read")
    if not members:
        return Check(NAME, Outcome.NOT_STATED, "the zip is empty: there is nothing in it to check")
    damaged = []
    for member in members:
        if member.compress_type not in _METHODS:
            words = f"the member {_name(member)} is packed by a method that is not read here ({member.compress_type})"
            return Check(NAME, Outcome.UNREADABLE, words)
        if (problem := _problem(archive, member)) is not None:
            damaged.append(f"{_name(member)} ({problem})")
    if damaged:
        more = f" and {len(damaged) - _NAMED} more" if len(damaged) > _NAMED else ""
        words = f"damaged in the zip: {', '.join(damaged[:_NAMED])}{more}"
        return Check(NAME, Outcome.FAILED, words)
    return Check(NAME, Outcome.PASSED, f"zip complete: {len(members)} members, all CRCs right")


def _problem(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str | None:
    """Why a member is damaged; None when it is whole. Raises RuntimeError for one that cannot be read."""
    try:
        with archive.open(member) as content:
            while content.read(_BLOCK):
                pass
    except RuntimeError:
        raise
    except _FAULTS as error:
        return "its CRC is wrong" if "Bad CRC" in str(error) else _short(error)
    return None


def _directory_size(file: IO[bytes]) -> int:
    """The bytes of the list of members, as the end record claims them; 0 where there is none."""
    end = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, end - _TAIL - 76))  # and a zip64 record with its locator before it
    tail = file.read(end - start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0
    claimed = int.from_bytes(tail[at + 12 : at + 16], "little")
    if claimed != 0xFFFFFFFF:
        return claimed
    locator = tail[max(0, at - 20) : at]
    if locator[:4] != b"PK\x06\x07":
        return claimed
    file.seek(min(end, int.from_bytes(locator[8:16], "little")))
    record = file.read(56)
    return int.from_bytes(record[40:48], "little") if record[:4] == b"PK\x06\x06" else claimed


def _name(member: zipfile.ZipInfo) -> str:
    return safe_text(member.filename, 80) or "(no name)"


def _short(error: Exception) -> str:
    return safe_text(str(error).partition("\n")[0], 120) or type(error).__name__
