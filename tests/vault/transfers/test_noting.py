"""What is noted of an incomplete file, and what of it is continued later."""

import errno
import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from tests.vault.transfers.parts import KNOWN, NAME, names, side
from tests.vault.world import noise
from vault.transfers.part import Part
from vault.transfers.ranges import Validator


def test_a_part_is_continued(tmp_path: Path, part: Part) -> None:
    part.write([b"1234", b"56"])
    part.checkpoint(KNOWN)
    digest = part.digest.hexdigest()
    part.write([b"789"])
    part.close()
    again = Part(tmp_path / "vault", NAME)
    assert again.saved() == KNOWN
    assert again.take_up()
    assert (again.size, again.digest.hexdigest(), again.resumed) == (6, digest, True)
    again.write([b"xyz"])
    with again.reader() as file:
        file.seek(0)
        assert file.read() == b"123456xyz"
    again.close()


def test_a_part_that_broke_off_just_now_is_not_read_again(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    part.write([b"123456"])
    part.checkpoint(KNOWN)
    assert part.saved() == KNOWN
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *args: pytest.fail("it was read"))
    assert part.take_up()
    monkeypatch.setattr(os, "pread", pread)
    part.write([b"7"])
    assert (part.size, part.resumed) == (7, True)
    assert part.digest.hexdigest() == hashlib.sha256(b"1234567").hexdigest()


def test_what_was_written_after_the_note_is_dropped(part: Part) -> None:
    part.write([b"123456"])
    part.checkpoint(KNOWN)
    part.write([b"789"])
    assert part.saved() == KNOWN
    assert part.take_up()
    assert (part.size, part.durable) == (6, 6)
    assert part.path.with_name("file.zip.part").read_bytes() == b"123456"
    assert part.digest.hexdigest() == hashlib.sha256(b"123456").hexdigest()


def test_a_part_that_became_shorter(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is read: by another hand that keeps to no lock."""
    part.write([b"123456"])
    part.checkpoint(KNOWN)
    part.write([b"7"])
    assert part.saved() == KNOWN
    monkeypatch.setattr(os, "pread", lambda *args: b"")
    assert not part.take_up()


@pytest.mark.parametrize("at", [0, 3, 5])
def test_a_beginning_that_is_not_what_was_noted(tmp_path: Path, part: Part, at: int) -> None:
    part.write([b"123456"])
    part.checkpoint(KNOWN)
    part.close()
    with part.path.with_name("file.zip.part").open("r+b") as file:
        file.seek(at)
        file.write(b"x")
    again = Part(tmp_path / "vault", NAME)
    assert again.saved() == KNOWN
    assert not again.take_up()
    again.start_over()
    assert (again.size, again.resumed, again.saved(), names(again)) == (0, False, None, ["file.zip.part"])
    again.close()


def test_what_is_blank(tmp_path: Path, part: Part) -> None:
    """Of a blank one nothing has to be dropped; one that only has a note is none."""
    assert part.is_blank
    part.write([b"123456"])
    assert not part.is_blank
    part.checkpoint(KNOWN)
    part.close()
    again = Part(tmp_path / "vault", NAME)
    assert not again.is_blank
    again.close()
    part.path.with_name("file.zip.part").write_bytes(b"")
    only_a_note = Part(tmp_path / "vault", NAME)
    assert not only_a_note.is_blank
    assert only_a_note.saved() is None
    only_a_note.start_over()
    only_a_note.close()
    assert names(part) == ["file.zip.part"]
    empty = Part(tmp_path / "vault", NAME)
    assert empty.is_blank
    empty.close()


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"garbage",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b"[" * 60_000,
        b'{"durable": "many", "sha256": "ab", "etag": "a", "last_modified": "", "total": 1}',
        b'{"durable": Infinity, "sha256": "ab", "etag": "a", "last_modified": "", "total": 1}',
        b'{"durable": 0, "sha256": "ab", "etag": "a", "last_modified": "", "total": 1}',
        b'{"durable": -5, "sha256": "ab", "etag": "a", "last_modified": "", "total": 1}',
        b'{"durable": 7, "sha256": "ab", "etag": "a", "last_modified": "", "total": 1}',
        b'{"durable": 5, "sha256": "ab", "etag": "", "last_modified": "", "total": 1}',
        b'{"durable": 5, "etag": "a", "last_modified": "", "total": 1}',
        b'{"durable": null, "sha256": "ab", "etag": "a", "last_modified": "", "total": 1}',
    ],
)
def test_a_note_that_is_none(part: Part, note: bytes) -> None:
    part.write([b"123456"])
    side(part).write_bytes(note)
    assert part.saved() is None


def test_a_note_that_is_no_file(part: Part) -> None:
    part.write([b"123456"])
    assert part.saved() is None
    side(part).mkdir()
    assert part.saved() is None
    side(part).rmdir()
    side(part).symlink_to("/etc/hostname")
    assert part.saved() is None
    side(part).unlink()
    os.mkfifo(side(part))
    assert part.saved() is None


def test_starting_over_forgets(part: Part) -> None:
    part.write([b"123456"])
    part.checkpoint(KNOWN)
    part.start_over()
    assert (part.size, part.saved(), names(part)) == (0, None, ["file.zip.part"])
    part.write([b"ab"])
    assert part.path.with_name("file.zip.part").read_bytes() == b"ab"


def test_spoilt_bytes_stay_but_are_not_continued(part: Part) -> None:
    part.write([b"123456"])
    part.checkpoint(KNOWN)
    part.spoil()
    assert part.saved() is None
    assert part.path.with_name("file.zip.part").read_bytes() == b"123456"


def test_the_note_says_what_is_surely_here(part: Part) -> None:
    part.write([b"123456"])
    part.checkpoint(Validator('"one"', "then", None))
    assert json.loads(side(part).read_text()) == {
        "durable": 6,
        "sha256": hashlib.sha256(b"123456").hexdigest(),
        "etag": '"one"',
        "last_modified": "then",
        "total": None,
    }


def fails_once(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """A call of `os` fails once with this error number, and works then."""
    works = getattr(os, name)

    def fail(*args: object, **more: object) -> object:
        monkeypatch.setattr(os, name, works)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, fail)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the bytes are brought to the disk by another call")
def test_a_full_disk_does_not_make_a_continued_part_a_new_one(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last bytes make room for the note; those that are left are still from an earlier transfer."""
    content = noise(60_000)
    part.write([content[:20_000]])
    part.checkpoint(KNOWN)
    assert part.saved() == KNOWN
    assert part.take_up()
    part.write([content[20_000:]])
    fails_once(monkeypatch, "fdatasync", errno.ENOSPC)
    part.checkpoint(KNOWN)
    kept = part.size
    assert 20_000 < kept < 60_000
    assert (part.resumed, part.durable) == (True, kept)
    assert part.digest.hexdigest() == hashlib.sha256(content[:kept]).hexdigest()
    assert json.loads(side(part).read_text())["durable"] == kept
    part.start_over()
    assert not part.resumed
