"""The incomplete file on the disk: locked, private, never through a link, never over another file."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.vault.transfers.parts import KNOWN, NAME, names
from vault.errors import DiskFull, PartBusy, VaultError
from vault.transfers import held
from vault.transfers.part import Part, in_words, open_folder


def test_modes_are_private(part: Part) -> None:
    part.write([b"12345"])
    part.checkpoint(KNOWN)
    folder = part.path.parent
    for path in (folder / "file.zip.part", folder / "file.zip.part.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in (folder, folder.parent, folder.parent.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    part.publish()
    assert stat.S_IMODE(part.path.stat().st_mode) == 0o600
    assert names(part) == ["file.zip"]


def test_the_last_bytes(part: Part) -> None:
    assert part.tail(4) == b""
    part.write([b"12", b"3456"])
    assert (part.tail(4), part.tail(6), part.tail(99), part.tail(0)) == (b"3456", b"123456", b"123456", b"")


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "vault" / "advice").symlink_to(tmp_path / "outside")
    with pytest.raises(VaultError, match="symbolic link"):
        Part(tmp_path / "vault", NAME)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault" / "advice").write_text("in the way")
    with pytest.raises(VaultError, match="Not a directory"):
        Part(tmp_path / "vault", NAME)


def test_a_linked_part_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    folder = tmp_path / "vault" / NAME.parent
    folder.mkdir(parents=True)
    (folder / "file.zip.part").symlink_to(target)
    with pytest.raises(VaultError, match="symbolic link"):
        Part(tmp_path / "vault", NAME)
    assert target.read_text() == "precious"


def test_a_part_that_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "vault" / NAME.parent
    folder.mkdir(parents=True)
    os.mkfifo(folder / "file.zip.part")
    with pytest.raises(VaultError, match="not a file of this user"):
        Part(tmp_path / "vault", NAME)


def test_a_part_with_a_second_name_is_not_written_to(tmp_path: Path) -> None:
    """As it is left behind by a process that was killed in the middle of publishing."""
    folder = tmp_path / "vault" / NAME.parent
    folder.mkdir(parents=True)
    (folder / "file.zip").write_bytes(b"published")
    os.link(folder / "file.zip", folder / "file.zip.part")
    part = Part(tmp_path / "vault", NAME)
    part.start_over()
    part.write([b"other"])
    part.close()
    assert (folder / "file.zip").read_bytes() == b"published"
    assert (folder / "file.zip.part").read_bytes() == b"other"


def test_two_parts_in_one_process(tmp_path: Path, part: Part) -> None:
    with pytest.raises(PartBusy, match="being fetched by another process"):
        Part(tmp_path / "vault", NAME)


HOLD = """
import sys
from pathlib import Path, PurePosixPath
from vault.transfers.part import Part
part = Part(Path(sys.argv[1]), PurePosixPath(sys.argv[2]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_two_processes(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "vault"), str(NAME)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(PartBusy, match="being fetched by another process"):
            Part(tmp_path / "vault", NAME)
        other.kill()
    Part(tmp_path / "vault", NAME).close()


def test_the_lock_is_of_what_lies_there(tmp_path: Path, part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited for a part that was published meanwhile must not go on with the published file."""
    part.write([b"all of it"])
    lock = fcntl.flock

    def publish_first(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        part.publish()
        part.close()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", publish_first)
    next_one = Part(tmp_path / "vault", NAME)
    next_one.write([b"other"])
    next_one.close()
    assert part.path.read_bytes() == b"all of it"
    assert part.path.with_name("file.zip.part").read_bytes() == b"other"


def test_another_part_lies_there_by_now(tmp_path: Path, part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = fcntl.flock
    there = part.path.with_name("file.zip.part")

    def replace_first(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        part.close()
        there.unlink()
        there.write_bytes(b"")
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", replace_first)
    next_one = Part(tmp_path / "vault", NAME)
    next_one.write([b"other"])
    next_one.close()
    assert there.read_bytes() == b"other"


def test_publishing_never_replaces(part: Part) -> None:
    part.write([b"mine"])
    part.path.write_bytes(b"someone else's")
    with pytest.raises(VaultError, match="reeldesk did not write"):
        part.publish()
    assert part.path.read_bytes() == b"someone else's"
    assert part.path.with_name("file.zip.part").read_bytes() == b"mine"


def test_where_there_are_no_hard_links(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on exFAT and some shares."""

    def none(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    part.write([b"mine"])
    part.path.write_bytes(b"someone else's")
    with pytest.raises(VaultError, match="reeldesk did not write"):
        part.publish()
    assert part.path.read_bytes() == b"someone else's"
    held.set_aside(part.path.parents[2], NAME)
    part.publish()
    assert names(part) == ["file.zip", "file.zip.damaged"]
    assert part.path.read_bytes() == b"mine"


def test_removing(part: Part) -> None:
    part.write([b"mine"])
    part.checkpoint(KNOWN)
    part.remove()
    part.remove()
    assert names(part) == []


def test_after_closing_nothing_is_touched(part: Part) -> None:
    part.close()
    part.close()
    for call in (part.to_disk, part.publish, part.start_over, part.take_up, part.reader, part.remove, part.free_bytes):
        with pytest.raises(VaultError, match="given up"):
            call()
    with pytest.raises(VaultError, match="given up"):
        part.write([b"x"])


def test_faults_of_the_disk_come_in_words(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pwrite", broken)
    monkeypatch.setattr(os, "fsync", broken)
    monkeypatch.setattr(os, "link", broken)
    for call in (partial(part.write, [b"x"]), partial(part.checkpoint, KNOWN), part.to_disk, part.publish):
        with pytest.raises(VaultError, match="Input/output error"):
            call()


def test_macs_are_asked_for_more_than_fsync(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, command: asked.append(command))
    part.to_disk()
    assert asked == [51]


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, DiskFull, "no space left"),
        (errno.EDQUOT, DiskFull, "no space left"),
        (errno.EFBIG, DiskFull, "no space left"),
        (errno.EACCES, VaultError, "may not be written"),
        (errno.EPERM, VaultError, "may not be written"),
        (errno.EROFS, VaultError, "may not be written"),
        (errno.ELOOP, VaultError, "symbolic link"),
        (errno.EIO, VaultError, "Input/output error"),
    ],
)
def test_words_for_faults(number: int, kind: type[VaultError], words: str) -> None:
    found = in_words(OSError(number, os.strerror(number)), Path("/v/x"))
    assert type(found) is kind
    assert words in found.words


def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is brought to the disk from now on."""
    fsync, fdatasync, found = os.fsync, os.fdatasync, list[Path]()

    def record(call: Callable[[int], None], descriptor: int) -> None:
        found.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        call(descriptor)

    monkeypatch.setattr(os, "fsync", partial(record, fsync))
    monkeypatch.setattr(os, "fdatasync", partial(record, fdatasync))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which file a descriptor is")
def test_folders_that_were_made_are_on_the_disk_before_the_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, vault = synced(monkeypatch), tmp_path / "vault"
    vault.mkdir()
    part = Part(vault, NAME)
    assert found == [vault, vault / "advice"]  # where the new names stand
    part.write([b"mine"])
    part.to_disk()
    part.publish()
    assert found[2:] == [vault / "advice/day/file.zip.part", vault / "advice/day"]
    part.close()
    found.clear()
    Part(vault, NAME.with_name("second.zip")).close()
    assert found == []  # the folders were there


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which file a descriptor is")
def test_a_note_comes_after_the_bytes_that_it_speaks_of(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    part.write([b"123456"])
    found = synced(monkeypatch)
    part.checkpoint(KNOWN)
    assert [path.name for path in found] == ["file.zip.part", "file.zip.part.json.new"]
    assert names(part) == ["file.zip.part", "file.zip.part.json"]


def test_free_space(part: Part) -> None:
    assert part.free_bytes() > 0


def test_a_root_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("a file")
    with pytest.raises(VaultError):
        Part(tmp_path / "vault", NAME)
    with pytest.raises(OSError, match="No such file"):
        open_folder(tmp_path / "nowhere", (), create=False)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which descriptors are open")
@pytest.mark.parametrize("call", ["fstatvfs", "fstat", "stat"])
def test_a_disk_that_fails_while_it_is_opened_keeps_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Else its lock would keep everyone from this file until the process ends."""
    works, calls = getattr(os, call), list[object]()

    def fail(what: object, *args: object, **more: object) -> object:
        calls.append(what)
        # The first fstat asks whether it is the file that lies there; the stat is the note's.
        if call == "fstatvfs" or (call == "fstat" and len(calls) == 2) or what == f"{NAME.name}.part.json":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return works(what, *args, **more)

    before = set(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(VaultError, match="Input/output error"):
            Part(tmp_path, NAME)
    assert set(os.listdir("/proc/self/fd")) == before
    Part(tmp_path, NAME).close()
