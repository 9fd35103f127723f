"""The description of an MP4 whose pictures and sound are noise: enough for whoever asks for its duration and tracks.

The layout is ISO/IEC 14496-12's; all numbers are big-endian.
"""

import struct

TIMESCALE = 1_000
"""Units a second."""
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def box(kind: bytes, *content: bytes) -> bytes:
    """A box around its content."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, *content: bytes, version_and_flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version_and_flags), *content)


def moov(duration_ms: int, *, pictures: bool = True) -> bytes:
    """The box `moov`: a track of pictures (H.264, 1280x720) if wanted, and one of sound (AAC, 48 kHz, stereo)."""
    tracks = [_track(1, duration_ms, b"vide")] if pictures else []
    tracks.append(_track(2, duration_ms, b"soun"))
    head = struct.pack(">4I", 0, 0, TIMESCALE, duration_ms)
    rest = struct.pack(">IH10x", 0x10000, 0x100) + _MATRIX + bytes(24) + struct.pack(">I", 3)
    return box(b"moov", _full(b"mvhd", head, rest), *tracks)


def _track(number: int, duration_ms: int, handler: bytes) -> bytes:
    is_video = handler == b"vide"
    width, height, volume = (1280 << 16, 720 << 16, 0) if is_video else (0, 0, 0x100)
    head = struct.pack(">5I8x4H", 0, 0, number, 0, duration_ms, 0, 0, volume, 0)
    tkhd = _full(b"tkhd", head, _MATRIX, struct.pack(">2I", width, height), version_and_flags=7)
    mdhd = _full(b"mdhd", struct.pack(">4I2H", 0, 0, TIMESCALE, duration_ms, 0x55C4, 0))
    hdlr = _full(b"hdlr", struct.pack(">I4s12x", 0, handler), b"emulated\0")
    media = _full(b"vmhd", bytes(8), version_and_flags=1) if is_video else _full(b"smhd", bytes(4))
    dinf = box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", version_and_flags=1)))
    minf = box(b"minf", media, dinf, _samples(duration_ms, is_video=is_video))
    return box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, minf))


def _samples(duration_ms: int, *, is_video: bool) -> bytes:
    """One sample that lasts all the time."""
    if is_video:
        avc = box(b"avcC", bytes((1, 66, 0, 31, 0xFF, 0xE0, 0)))
        shape = struct.pack(">6xH16x2H2I4xH32xHh", 1, 1280, 720, 72 << 16, 72 << 16, 1, 24, -1)
        entry = box(b"avc1", shape, avc)
    else:
        entry = box(b"mp4a", struct.pack(">6xH8x2H4xI", 1, 2, 16, 48_000 << 16))
    return box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), entry),
        _full(b"stts", struct.pack(">3I", 1, 1, duration_ms)),
        _full(b"stsc", struct.pack(">4I", 1, 1, 1, 1)),
        _full(b"stsz", struct.pack(">2I", 64, 1)),
        _full(b"stco", struct.pack(">2I", 1, 4_000)),
    )
