"""Disks that are full, or may not be written."""

import asyncio
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from providers.models import AssetId
from tests.vault.test_killed import stored_zip
from tests.vault.world import World, archive, noise, until
from vault.desk import Desk
from vault.errors import DiskFull, VaultError
from vault.transfers.part import Part
from vault.transfers.ranges import Validator
from vault.views import LocalState, Query, TransferView

A, B = archive("a"), archive("b")


async def fetch(it: World, desk: Desk) -> None:
    await desk.sync("advice")
    try:
        await desk.fetch_now(A)
    finally:
        await desk.aclose()


def free(path: Path) -> int:
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize


@pytest.fixture
def small_disk(it: World) -> Iterator[Path]:
    """A disk of one MiB under the vault's folder."""
    folder = it.folder / "vault"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_no_room_is_told_before(it: World, small_disk: Path) -> None:
    it.emulator.add_archive("a", blob=stored_zip(3_000_000, 1))
    desk = it.desk()
    with pytest.raises(VaultError, match=r"no space for archive-a.zip: \d+ bytes are missing"):
        asyncio.run(fetch(it, desk))
    assert [path for path in it.files() if path.endswith(".zip")] == []
    desk.close()


def test_a_full_disk(it: World, small_disk: Path) -> None:
    it.emulator.add_archive("a", blob=stored_zip(3_000_000, 1))
    it.emulator.faults.send_length = False  # so that it cannot be known before
    desk = it.desk()
    with pytest.raises(VaultError, match=r"no space left for .*: make room; what is there is kept and resumed"):
        asyncio.run(fetch(it, desk))
    assert [path for path in it.files() if path.endswith(".zip")] == []
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    desk.retry(A)
    asyncio.run(fetch(it, desk))
    [asset] = desk.assets(Query())
    assert asset.local is LocalState.HELD
    desk.close()


def test_what_is_there_when_the_disk_runs_full_is_continued(small_disk: Path) -> None:
    """The note of how far it is needs room, too."""
    known = Validator('"one"', "", 3_000_000)
    part = Part(small_disk, PurePosixPath("file.bin"))
    with pytest.raises(DiskFull):
        part.write([noise(100_000, number) for number in range(30)])
    part.checkpoint(known)
    part.close()
    again = Part(small_disk, PurePosixPath("file.bin"))
    assert again.saved() == known
    assert again.take_up()
    assert again.size >= 900_000
    again.close()


async def fill_and_make_room(it: World, desk: Desk, small_disk: Path) -> None:
    await desk.sync("advice")
    desk.enqueue([A, B])
    working = asyncio.create_task(desk.new_queue().run(patience_s=3_600))
    await until(lambda: all(waits_for_room(state_of(desk, one)) for one in (A, B)))
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)  # noqa: ASYNC221  # quick
    await until(lambda: state_of(desk, A).state == state_of(desk, B).state == "done")
    await until(lambda: not desk._ledger.claims.holds())
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await desk.aclose()


def waits_for_room(transfer: TransferView) -> bool:
    return transfer.state in ("waiting", "queued") and "no space left" in transfer.words and bool(transfer.again_at)


def state_of(desk: Desk, identity: AssetId) -> TransferView:
    found = desk.transfer(identity)
    assert found is not None
    return found


def test_a_full_disk_is_waited_out(it: World, small_disk: Path) -> None:
    """By all that is queued; nobody has to ask for it again."""
    for number, one in enumerate((A, B)):
        it.emulator.add_archive(one.variant, blob=stored_zip(3_000_000, number))
    it.emulator.faults.send_length = False
    desk = it.desk()
    asyncio.run(fill_and_make_room(it, desk, small_disk))
    for one in (A, B):
        asset = desk.asset(one)
        assert asset is not None
        assert Path(asset.path).stat().st_size == it.emulator.archives[one.variant].blob.size
    desk.close()


LIMITED = """
import asyncio, json, resource, signal, sys
from vault.desk import Desk
from vault.errors import DiskFull, VaultError
from tests.vault.world import archive
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

async def main(desk):
    await desk.sync("advice")
    # Now, so that the ledger's own files are made already.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    try:
        await desk.fetch_now(archive("a"))
    except VaultError as error:
        print(error.words)
    await desk.aclose()

desk = Desk.open(json.loads(sys.argv[1]))
asyncio.run(main(desk))
desk.close()
"""


def test_a_file_that_may_not_grow(it: World) -> None:
    it.emulator.add_archive("a", blob=stored_zip(3_000_000, 1))
    it.write()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, json.dumps(it.environ)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.stderr == ""
    assert "no space left for" in done.stdout
    assert [path for path in it.files() if path.endswith(".zip")] == []
    desk = it.desk()
    desk.retry(A)
    asyncio.run(fetch(it, desk))
    [asset] = desk.assets(Query())
    assert asset.local is LocalState.HELD
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] != 1_000_000
    desk.close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(it: World) -> None:
    it.emulator.add_archive("a")
    (it.folder / "vault").mkdir(mode=0o500)
    desk = it.desk()
    with pytest.raises(VaultError, match="may not be written"):
        asyncio.run(fetch(it, desk))
    desk.close()


def test_a_disk_that_may_not_be_written(it: World, small_disk: Path) -> None:
    it.emulator.add_archive("a")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    desk = it.desk()
    with pytest.raises(VaultError, match="may not be written"):
        asyncio.run(fetch(it, desk))
    desk.close()


def test_a_vault_that_is_no_folder(it: World) -> None:
    it.emulator.add_archive("a")
    (it.folder / "vault").write_text("a file")
    desk = it.desk()
    with pytest.raises(VaultError, match="vault"):
        asyncio.run(fetch(it, desk))
    desk.close()


def test_space_is_counted(tmp_path: Path) -> None:
    part = Part(tmp_path, PurePosixPath("x"))
    assert abs(part.free_bytes() - free(tmp_path)) < 1 << 30
    part.close()
