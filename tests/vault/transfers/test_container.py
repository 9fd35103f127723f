"""What a file's own form says: complete, damaged, or not to be read."""

import io
import json
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.emulation import mp4_blob, zip_blob
from vault.proof import Outcome
from vault.transfers import box_form, container, zip_form
from vault.transfers.container import check_container

ZIP = zip_blob({"a.txt": b"first " * 300, "folder/b.bin": bytes(range(256)) * 9})
ZIP_BYTES = ZIP.read(0, ZIP.size)
MP4 = mp4_blob(5_000)
MP4_BYTES = MP4.read(0, MP4.size)


def outcome(extension: str, content: bytes) -> Outcome:
    return check_container(extension, io.BytesIO(content)).outcome


def stored(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.txt", content)
    return buffer.getvalue()


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_a_whole_zip_is_read_through() -> None:
    check = check_container("zip", io.BytesIO(ZIP_BYTES))
    assert (check.outcome, check.words) == (Outcome.PASSED, "zip complete: 2 members, all CRCs right")


def test_a_damaged_member() -> None:
    content = stored(b"x" * 5_000)
    at = content.index(b"x" * 100)
    damaged = content[: at + 50] + b"y" + content[at + 51 :]
    check = check_container("zip", io.BytesIO(damaged))
    assert (check.outcome, check.words) == (Outcome.FAILED, "damaged in the zip: a.txt (its CRC is wrong)")


@pytest.mark.parametrize("kept", [0, 4, 100, len(ZIP_BYTES) - 30, len(ZIP_BYTES) - 1])
def test_a_zip_that_is_cut(kept: int) -> None:
    assert outcome("zip", ZIP_BYTES[:kept]) is Outcome.FAILED


@pytest.mark.parametrize("content", [b"<html>Please sign in</html>", b"PK\x03\x04", b"\0" * 1000])
def test_what_is_no_zip(content: bytes) -> None:
    assert outcome("zip", content) is Outcome.FAILED


def test_an_empty_zip_proves_nothing() -> None:
    check = check_container("zip", io.BytesIO(b"PK\x05\x06" + b"\0" * 18))
    assert (check.outcome, check.words) == (Outcome.NOT_STATED, "the zip is empty: there is nothing in it to check")


def test_an_encrypted_zip_cannot_be_read() -> None:
    content = bytearray(stored(b"secret" * 10))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + at] |= 1
    check = check_container("zip", io.BytesIO(bytes(content)))
    assert check.outcome is Outcome.UNREADABLE
    assert "encrypted" in check.words


def test_a_compression_that_is_not_known() -> None:
    content = bytearray(stored(b"x" * 10))
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(signature) + at] = 99
    assert outcome("zip", bytes(content)) is Outcome.UNREADABLE


def test_a_zip_of_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_form, "MEMBER_LIMIT", 1)
    assert outcome("zip", ZIP_BYTES) is Outcome.UNREADABLE


@settings(deadline=None)
@given(st.integers(0, len(ZIP_BYTES) - 1), st.binary(min_size=1, max_size=8))
def test_a_spoilt_zip_never_raises(at: int, spoilt: bytes) -> None:
    content = ZIP_BYTES[:at] + spoilt + ZIP_BYTES[at + len(spoilt) :]
    assert outcome("zip", content) in Outcome


def test_a_whole_mp4() -> None:
    check = check_container("mp4", io.BytesIO(MP4_BYTES))
    assert (check.outcome, check.words) == (Outcome.PASSED, "MP4 complete: 3 boxes to the last byte")


@pytest.mark.parametrize("extension", ["mp4", "m4a", "mov"])
@pytest.mark.parametrize("kept", [1, 7, 30, 100, len(MP4_BYTES) - 1])
def test_an_mp4_that_is_cut(extension: str, kept: int) -> None:
    assert outcome(extension, MP4_BYTES[:kept]) is Outcome.FAILED


def test_mp4_boxes() -> None:
    ftyp, moov = box(b"ftyp", b"isom"), box(b"moov")
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 100) + b"m" * 100
    open_ended = struct.pack(">I4s", 0, b"mdat") + b"m" * 50
    assert outcome("mp4", ftyp + moov + large) is Outcome.PASSED
    assert outcome("mp4", ftyp + moov + large[:-1]) is Outcome.FAILED
    assert outcome("mp4", ftyp + large + moov) is Outcome.PASSED
    assert outcome("mp4", ftyp + moov + open_ended) is Outcome.PASSED
    assert outcome("mp4", ftyp + box(b"mdat")) is Outcome.FAILED
    assert outcome("mp4", moov + ftyp) is Outcome.FAILED
    assert outcome("mp4", b"") is Outcome.FAILED
    assert outcome("mp4", ftyp + moov + struct.pack(">I4s", 4, b"mdat")) is Outcome.FAILED
    assert outcome("mp4", ftyp + moov + box(b"\xff\xfe\xfd\xfc")) is Outcome.FAILED
    assert outcome("mp4", ftyp + moov + struct.pack(">I4sQ", 1, b"mdat", 8)) is Outcome.FAILED


def test_an_mp4_of_too_many_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_form, "BOX_LIMIT", 3)
    assert outcome("mp4", box(b"ftyp") + box(b"moov") + box(b"free") * 5) is Outcome.UNREADABLE


@given(st.binary(max_size=200))
def test_anything_as_mp4_or_zip_or_json(content: bytes) -> None:
    for extension in ("mp4", "zip", "json"):
        assert outcome(extension, content) in Outcome


def test_json() -> None:
    assert outcome("json", json.dumps({"a": ["ü"]}).encode()) is Outcome.PASSED
    assert outcome("json", b'{"a": [') is Outcome.FAILED
    assert outcome("json", b"[" * 200_000) is Outcome.FAILED
    assert outcome("json", b"\xff\xfe\xfd") is Outcome.FAILED


def test_json_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "JSON_LIMIT", 5)
    assert outcome("json", b"[1, 2, 3]") is Outcome.UNREADABLE


def test_other_forms_are_not_judged() -> None:
    check = check_container("txt", io.BytesIO(b"text"))
    assert (check.outcome, check.words) == (Outcome.NOT_STATED, "nothing is known about the form of .txt files")


# Within bounds, whoever made the file


def test_several_damaged_members_are_named_and_counted() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for number in range(6):
            archive.writestr(f"part\x1b[31m {number}", bytes([65 + number]) * 100)
    content = buffer.getvalue()
    for number in range(5):
        content = content.replace(bytes([65 + number]) * 100, b"!" * 100)
    check = check_container("zip", io.BytesIO(content))
    assert check.outcome is Outcome.FAILED
    assert check.words.count("its CRC is wrong") == 3
    assert check.words.endswith("and 2 more")
    assert "\x1b" not in check.words


def test_a_list_of_members_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_form, "DIRECTORY_LIMIT", 10)
    assert outcome("zip", ZIP_BYTES) is Outcome.UNREADABLE
    assert outcome("zip", zip64(ZIP_BYTES)) is Outcome.UNREADABLE
    monkeypatch.undo()
    assert outcome("zip", zip64(ZIP_BYTES)) is Outcome.PASSED


def zip64(content: bytes) -> bytes:
    """The same zip with the end record of a large one."""
    end = content.rindex(b"PK\x05\x06")
    count, size, start = struct.unpack("<HII", content[end + 10 : end + 20])
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    last = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content[:end] + record + locator + last


def test_members_that_claim_more_than_they_can_hold_are_not_unpacked() -> None:
    content = bytearray(stored(b"x" * 100))
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (1 << 30).to_bytes(4, "little")
    check = check_container("zip", io.BytesIO(bytes(content)))
    assert check.outcome is Outcome.UNREADABLE
    assert "claims to unpack to 1073741824 bytes" in check.words


def test_a_member_that_may_ask_for_gigabytes_of_memory_is_not_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.txt", b"x" * 100)
    check = check_container("zip", io.BytesIO(buffer.getvalue()))
    assert (check.outcome, check.words) == (
        Outcome.UNREADABLE,
        "the member a.txt is packed by a method that is not read here (14)",
    )


def test_json_of_too_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "JSON_NODES", 3)
    assert outcome("json", b"[[], {}]") is Outcome.PASSED
    assert outcome("json", b"[[], {}, []]") is Outcome.UNREADABLE


def test_where_a_json_text_breaks_off() -> None:
    check = check_container("json", io.BytesIO(b'{\n "a": [1, 2'))
    assert check.words == "the file is no complete JSON text: Expecting ',' delimiter in line 2, column 12"


@pytest.mark.parametrize("depth", [1, 5])
def test_an_inner_box_that_is_not_complete_is_named(depth: int) -> None:
    broken = struct.pack(">I4s", 99, b"stco")
    kinds = (b"stbl", b"minf", b"mdia", b"trak", b"moov")
    for kind in kinds[-depth:]:
        broken = box(kind, broken)
    check = check_container("mp4", io.BytesIO(box(b"ftyp") + broken))
    path = "/".join(kind.decode() for kind in reversed(kinds[-depth:]))
    assert check.outcome is Outcome.UNREADABLE
    assert check.words == f"the MP4 breaks off: the box {path}/stco at byte {8 + 8 * depth} is not complete"


def test_the_last_box_of_a_cut_mp4_is_named() -> None:
    check = check_container("mp4", io.BytesIO(MP4_BYTES[:-1]))
    assert check.outcome is Outcome.FAILED
    assert "the box mdat at byte " in check.words


# WAV


def wav(*chunks: tuple[bytes, bytes], length: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(kind + struct.pack("<I", len(content)) + content for kind, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body


FMT = (b"fmt ", struct.pack("<HHIIHH", 1, 1, 8_000, 8_000, 1, 8))


def test_wav() -> None:
    whole = wav(FMT, (b"data", bytes(800)))
    check = check_container("wav", io.BytesIO(whole))
    assert (check.outcome, check.words) == (Outcome.PASSED, "WAV complete: 2 chunks to the last byte")
    assert outcome("wav", whole[:-1]) is Outcome.FAILED
    assert outcome("wav", wav(FMT)) is Outcome.FAILED
    assert outcome("wav", b"<html>") is Outcome.FAILED
    assert outcome("wav", wav(FMT, (b"data", bytes(8)), length=0xFFFFFFFF)) is Outcome.UNREADABLE
    assert outcome("wav", b"RF64" + whole[4:]) is Outcome.NOT_STATED
    spoilt = whole[:40] + struct.pack("<I", 9_999) + whole[44:]
    assert outcome("wav", spoilt) is Outcome.FAILED
