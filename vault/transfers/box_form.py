"""Files made of boxes that say how long they are: MP4 and its kin (ISO/IEC 14496-12), and RIFF (WAV)."""

import os
from typing import IO

from msgspec import Struct

from vault.proof import Check, Outcome

NAME = "container"
BOX_LIMIT = 100_000
"""Boxes in all, at whatever depth."""
_DEPTH = 8
_OF_BOXES = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf", b"mfra"}
)
"""What holds nothing but boxes."""


class _Broken(Exception):
    """A box is not what it should be; the text says which, and where. `inner`: it lies within another one."""

    def __init__(self, words: str, *, inner: bool) -> None:
        super().__init__(words)
        self.inner = inner


class _TooMany(Exception):
    """There are more boxes than are read."""


class _Box(Struct, frozen=True):
    kind: bytes
    body: int
    """Where its content begins."""
    end: int


def check_boxes(file: IO[bytes]) -> Check:
    """That every box of an MP4 is complete, down to the tables of its tracks, and names the one that is not."""
    walk = _Walk(file)
    try:
        kinds = walk.through(0, file.seek(0, os.SEEK_END), "")
    except _Broken as broken:
        # What is odd within a box may still play: it is told, and nothing is refused for it.
        outcome = Outcome.UNREADABLE if broken.inner else Outcome.FAILED
        return Check(NAME, outcome, f"the MP4 breaks off: {broken}")
    except _TooMany:
        return Check(NAME, Outcome.UNREADABLE, f"the MP4 has more than {BOX_LIMIT} boxes: not read on")
    if not kinds or kinds[0] != b"ftyp" or b"moov" not in kinds:
        return Check(NAME, Outcome.FAILED, "this is no MP4: the boxes ftyp and moov are missing")
    return Check(NAME, Outcome.PASSED, f"MP4 complete: {len(kinds)} boxes to the last byte")


class _Walk:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = BOX_LIMIT

    def through(self, position: int, end: int, path: str) -> list[bytes]:
        """The kinds of the boxes from a position to an end, each of them whole."""
        kinds: list[bytes] = []
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise _TooMany
            box = self._box(position, end, path)
            kinds.append(box.kind)
            if box.kind in _OF_BOXES and path.count("/") < _DEPTH:
                self.through(box.body, box.end, f"{path}{box.kind.decode()}/")
            position = box.end
        return kinds

    def _box(self, position: int, end: int, path: str) -> _Box:
        self._file.seek(position)
        head = self._file.read(min(16, end - position))
        size, kind, least = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, least = int.from_bytes(head[8:16], "big"), 16
        elif size == 0 and not path:
            size = end - position
        if len(head) >= least and least <= size <= end - position and kind.isascii():
            return _Box(kind, position + least, position + size)
        name = kind.decode("ascii", "replace") if len(kind) == 4 and kind.isalnum() else ""
        what = f"the box {path}{name}" if name or path else "a box"
        raise _Broken(f"{what} at byte {position} is not complete", inner=bool(path))


def check_riff(file: IO[bytes]) -> Check:
    """That a WAV's chunks are complete, and its sound is there."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] in (b"RF64", b"BW64"):
        return Check(NAME, Outcome.NOT_STATED, "a WAV of more than 4 GiB: its chunks were not read")
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return Check(NAME, Outcome.FAILED, "this is no WAV: it does not begin with RIFF and WAVE")
    length = int.from_bytes(head[4:8], "little")
    if length in (0, 0xFFFFFFFF):  # written while it was recorded, and never completed
        return Check(NAME, Outcome.UNREADABLE, "the WAV does not state its length")
    stated = 8 + length
    if stated > end:
        return Check(NAME, Outcome.FAILED, f"the WAV breaks off: it states {stated} bytes and has {end}")
    position, kinds = 12, list[bytes]()
    while position + 8 <= stated and len(kinds) < BOX_LIMIT:
        file.seek(position)
        kind, size = file.read(4), int.from_bytes(file.read(4), "little")
        kinds.append(kind)
        if position + 8 + size > end:
            return Check(NAME, Outcome.FAILED, f"the WAV breaks off: a chunk at byte {position} is not complete")
        position += 8 + size + size % 2
    if b"fmt " not in kinds or b"data" not in kinds:
        return Check(NAME, Outcome.FAILED, "the WAV has no sound: the chunks fmt and data are missing")
    return Check(NAME, Outcome.PASSED, f"WAV complete: {len(kinds)} chunks to the last byte")
