"""Whether a file is whole by its own form: a zip's members and their CRCs, an MP4's boxes, a JSON text."""

import json
import lzma
import os
import struct
import zipfile
import zlib
from typing import BinaryIO

from vault.proof import Check, Outcome

NAME = "container"
JSON_LIMIT = 64 * 1024 * 1024
MEMBER_LIMIT = 100_000
UNPACKED_LIMIT = 1 << 40
BOX_LIMIT = 100_000
_ZIP_FAULTS = (
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


def check_container(extension: str, file: BinaryIO) -> Check:
    """Read the file through and say what was found. `file` is positioned anywhere; it is not closed."""
    file.seek(0)
    if extension == "zip":
        return _zip(file)
    if extension in ("mp4", "m4a", "mov"):
        return _mp4(file)
    if extension == "json":
        return _json(file)
    return Check(NAME, Outcome.NOT_STATED, f"nothing is known about the form of .{extension} files")


def _zip(file: BinaryIO) -> Check:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MEMBER_LIMIT or sum(m.file_size for m in members) > UNPACKED_LIMIT:
                return Check(NAME, Outcome.UNREADABLE, f"the zip claims {len(members)} members: too many to read")
            damaged = archive.testzip()
    except _ZIP_FAULTS as error:
        # RuntimeError: an encrypted member, or (NotImplementedError) a compression that this Python does not know.
        outcome = Outcome.UNREADABLE if isinstance(error, RuntimeError) else Outcome.FAILED
        return Check(NAME, outcome, f"the zip cannot be read through: {_short(error)}")
    if not members:
        return Check(NAME, Outcome.NOT_STATED, "the zip is empty: there is nothing in it to check")
    if damaged is not None:
        return Check(NAME, Outcome.FAILED, "the zip has a damaged member")
    return Check(NAME, Outcome.PASSED, f"zip complete: {len(members)} members, all CRCs right")


def _mp4(file: BinaryIO) -> Check:
    end = file.seek(0, os.SEEK_END)
    position, kinds = 0, []
    while position < end:
        file.seek(position)
        head = file.read(16)
        size, kind, least = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, least = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = end - position
        if len(head) < least or size < least or position + size > end or not kind.isascii():
            return Check(NAME, Outcome.FAILED, f"the MP4 breaks off: a box at byte {position} is not complete")
        kinds.append(kind)
        if len(kinds) > BOX_LIMIT:
            return Check(NAME, Outcome.UNREADABLE, f"the MP4 has more than {BOX_LIMIT} boxes: not read on")
        position += size
    if not kinds or kinds[0] != b"ftyp" or b"moov" not in kinds:
        return Check(NAME, Outcome.FAILED, "this is no MP4: the boxes ftyp and moov are missing")
    return Check(NAME, Outcome.PASSED, f"MP4 complete: {len(kinds)} boxes to the last byte")


def _json(file: BinaryIO) -> Check:
    content = file.read(JSON_LIMIT + 1)
    if len(content) > JSON_LIMIT:
        return Check(NAME, Outcome.UNREADABLE, f"the JSON text is larger than {JSON_LIMIT >> 20} MiB: not read")
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return Check(NAME, Outcome.FAILED, "the file is no complete JSON text")
    return Check(NAME, Outcome.PASSED, "JSON text complete")


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:120] or type(error).__name__
