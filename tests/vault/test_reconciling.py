"""Service, ledger and disk side by side: every way in which they differ, and what mends it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from providers.emulation import Faults, zip_blob
from providers.models import AssetId, RemoteState
from tests.vault.faults.services import TEMASYS, make_service
from tests.vault.faults.stage import Stage
from tests.vault.world import World, archive, noise
from vault.desk import Desk
from vault.errors import Cancelled, VaultError
from vault.reconciling import ReconcileProgress, ReconcileRow, ReconcileView
from vault.side_by_side import Difference, Remedy
from vault.triage.states import Flag
from vault.views import LocalState

A, B, C = archive("a", "c1"), archive("b", "c2"), archive("c", "c3")
EQUAL, MISSING, GONE, DIFFERS = Difference.EQUAL, Difference.MISSING_HERE, Difference.GONE_THERE, Difference.DIFFERS


@dataclass
class House:
    """A tenant with three archives, of which A and B are held."""

    world: World
    desk: Desk

    async def look(self, *, deep: bool = False) -> ReconcileView:
        self.world.clock.skip(10)
        return await self.desk.reconciling.look(deep=deep)

    async def row(self, *, deep: bool = False) -> ReconcileRow:
        """The one row beside that of C, which was never fetched."""
        [row] = [row for row in (await self.look(deep=deep)).rows if row.asset != C]
        return row

    def path(self, identity: AssetId) -> Path:
        view = self.desk.asset(identity)
        assert view is not None
        return Path(view.path)

    def local(self, identity: AssetId) -> LocalState:
        view = self.desk.asset(identity)
        assert view is not None
        return view.local


@pytest.fixture
async def house(it: World) -> AsyncIterator[House]:
    for name, conference in (("a", "c1"), ("b", "c2")):  # these two are as large as each other
        it.emulator.add_archive(name, conference)
    it.emulator.add_archive("c", "c3", blob=zip_blob({"chat.json": noise(9_000)}))
    desk = it.desk()
    await desk.sync("advice")
    await desk.fetch_all([A, B])
    yield House(it, desk)
    await desk.aclose()
    desk.close()


async def test_equal_and_never_fetched(house: House) -> None:
    view = await house.look()
    assert dict(view.counts) == {EQUAL: 2, MISSING: 1}
    [row] = view.rows
    assert (row.difference, row.remedy, row.asset, row.account) == (MISSING, Remedy.FETCH, C, "advice")
    assert (row.there, row.here, row.path) == ("AVAILABLE", "nothing", "")
    assert row.ledger.startswith("absent, ")
    assert view.checked[0] == "advice: the service was asked, and lists 3 assets"
    assert view.checked[1] == "2 held files: size and time of change; --deep reads every byte"
    assert view.checked[2].startswith("2 files in ")
    assert await house.desk.reconciling.fix(row) == "queued"
    assert house.local(C) is LocalState.QUEUED
    [row] = (await house.look()).rows
    assert (row.remedy, row.words) == (Remedy.NONE, "it is queued already")


async def test_a_held_file_that_is_gone(house: House) -> None:
    house.path(A).unlink()
    row = await house.row()
    assert (row.difference, row.remedy, row.here) == (MISSING, Remedy.FETCH, "no file")
    assert row.words == "the file is gone; the service still has it"
    assert (await house.desk.reconciling.fix(row)).endswith("; queued")
    assert house.desk.trail(A)[-2].what == "lost"
    assert house.local(A) is LocalState.QUEUED


async def test_a_file_that_is_gone_here_and_there(house: House) -> None:
    house.path(A).unlink()
    house.world.emulator.archives["a"].status = "EXPIRED"
    row = await house.row()
    assert (row.difference, row.remedy) == (MISSING, Remedy.VERIFY)
    await house.desk.reconciling.fix(row)
    assert house.local(A) is LocalState.LOST
    row = await house.row()
    assert (row.difference, row.remedy, row.words) == (
        MISSING,
        Remedy.FORGET,
        "the file is lost, and the service has it no more",
    )
    assert house.desk.accounts()[0].faults == 1
    assert await house.desk.reconciling.fix(row) == "forget: 1 asset"
    assert dict((await house.look()).counts) == {EQUAL: 2, MISSING: 1}
    assert house.desk.accounts()[0].faults == 0


async def test_what_is_flagged_to_be_skipped_is_not_offered(house: House) -> None:
    house.desk.flagging.set([C], Flag.SKIP)
    [row] = (await house.look()).rows
    assert (row.difference, row.remedy, row.words) == (MISSING, Remedy.NONE, "it is flagged to be skipped")


@pytest.mark.parametrize(
    ("content", "deep", "words"),
    [
        (b"short", False, "the file has 5 bytes"),
        (None, True, "the bytes are not those that were proven"),
    ],
)
async def test_a_file_that_differs(house: House, content: bytes | None, deep: bool, words: str) -> None:
    path = house.path(A)
    whole, stat = path.read_bytes(), path.stat()
    path.write_bytes(content if content is not None else whole[:-1] + b"?")
    if deep:  # nothing but its bytes tells it
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert dict((await house.look()).counts) == {EQUAL: 2, MISSING: 1}
    row = await house.row(deep=deep)
    assert (row.difference, row.remedy) == (DIFFERS, Remedy.VERIFY)
    assert row.words.startswith(words)
    assert (await house.desk.reconciling.fix(row)).startswith("damaged: ")
    row = await house.row()
    assert (row.difference, row.remedy) == (DIFFERS, Remedy.FETCH)
    assert await house.desk.reconciling.fix(row) == "queued"
    await house.desk.fetch_all([A])
    assert house.local(A) is LocalState.HELD
    aside = await house.row()
    assert (aside.difference, aside.remedy) == (Difference.LEFT_OVER, Remedy.REMOVE)
    assert aside.path == f"{path}.damaged"
    await house.desk.reconciling.fix(aside)
    assert dict((await house.look()).counts) == {EQUAL: 2, MISSING: 1}


async def test_a_touched_file_is_read_again_and_is_equal_then(house: House) -> None:
    house.world.clock.skip(-1_000)
    await house.desk.verify(A)  # proven in the past, so that its time is later
    house.world.clock.skip(1_000)
    row = await house.row()
    assert row.words == "the file was changed after it was proven; verifying reads it"
    assert (await house.desk.reconciling.fix(row)).startswith("held: ")
    assert dict((await house.look()).counts) == {EQUAL: 2, MISSING: 1}


async def test_gone_there(house: House) -> None:
    del house.world.emulator.archives["a"]
    del house.world.emulator.archives["c"]
    view = await house.look()
    by_asset = {row.asset: row for row in view.rows}
    assert (by_asset[A].difference, by_asset[A].remedy) == (GONE, Remedy.NONE)
    assert by_asset[A].there == "not in its list any more (was AVAILABLE)"
    assert by_asset[A].words == "what is here is the only copy that is known"
    assert (by_asset[C].difference, by_asset[C].remedy) == (GONE, Remedy.FORGET)


@pytest.mark.parametrize("deep", [False, True])
async def test_another_checksum_there(house: House, deep: bool) -> None:
    house.world.emulator.archives["a"].stated_sha256 = "ab" * 32
    row = await house.row(deep=deep)
    assert (row.difference, row.remedy) == (DIFFERS, Remedy.VERIFY)
    assert row.words == "the service now states another checksum; verifying reads it"


async def test_a_service_that_cannot_be_asked_is_said(house: House) -> None:
    house.world.emulator.faults = Faults(status=500)
    view = await house.look()
    assert dict(view.counts) == {EQUAL: 2, MISSING: 1}
    assert view.checked[0].startswith("advice: the service could not be asked (")


async def test_what_is_in_the_making_is_nobodys(house: House) -> None:
    house.world.emulator.add_archive("d", "c4", "PACKING")
    assert dict((await house.look()).counts) == {EQUAL: 3, MISSING: 1}


# Files beside them


async def test_a_file_that_reeldesk_did_not_write(house: House) -> None:
    stray = house.path(A).parent / "notes.txt"
    stray.write_text("mine")
    row = await house.row()
    assert (row.difference, row.remedy, row.path, row.account) == (Difference.STRAY, Remedy.NONE, str(stray), "")
    with pytest.raises(VaultError, match="nothing here can be done"):
        await house.desk.reconciling.fix(row)


async def test_a_moved_file_is_adopted_where_it_lies(house: House) -> None:
    moved = house.path(A).parents[1] / "moved here.zip"
    house.path(A).rename(moved)
    [gone, stray] = [row for row in (await house.look()).rows if row.asset != C]
    assert (gone.difference, stray.difference, stray.remedy) == (MISSING, Difference.STRAY, Remedy.ADOPT)
    assert stray.asset == A
    assert "SHA-256 equals what was proven before" in await house.desk.reconciling.fix(stray)
    assert house.path(A) == moved
    assert house.desk.trail(A)[-1].what == "adopted"
    assert house.desk.custody.check_log().whole
    assert dict((await house.look()).counts) == {EQUAL: 2, MISSING: 1}
    assert (await house.desk.verify(A)).state is LocalState.HELD


async def test_of_two_as_large_each_gets_its_own(house: House) -> None:
    folder = house.path(A).parents[2]
    house.path(A).rename(folder / "1.zip")
    house.path(B).rename(folder / "2.zip")
    strays = [row for row in (await house.look()).rows if row.difference is Difference.STRAY]
    assert [(row.asset, Path(row.path).name) for row in strays] == [(A, "1.zip"), (B, "2.zip")]
    (folder / "1.zip").write_bytes(bytes((folder / "1.zip").stat().st_size))
    strays = [row for row in (await house.look()).rows if row.difference is Difference.STRAY]
    assert [(row.asset, row.remedy) for row in strays] == [(None, Remedy.NONE), (B, Remedy.ADOPT)]


async def test_a_copy_from_elsewhere_is_adopted_by_the_services_checksum(house: House) -> None:
    blob = house.world.emulator.archives["c"].blob
    copy = house.world.folder / "vault" / "copied.zip"
    copy.write_bytes(blob.read(0, blob.size))
    view = await house.look()
    stray = next(row for row in view.rows if row.difference is Difference.STRAY)
    assert stray.asset == C
    assert "equals the service's own checksum" in await house.desk.reconciling.fix(stray)
    assert house.local(C) is LocalState.HELD
    assert house.desk.custody.check_log().whole


async def test_what_only_looks_alike_is_not_adopted(house: House) -> None:
    path = house.path(A)
    size = path.stat().st_size
    path.unlink()
    (path.parent / "alike.zip").write_bytes(bytes(size))
    stray = next(row for row in (await house.look()).rows if row.difference is Difference.STRAY)
    with pytest.raises(VaultError, match=r"is not advice/c1/archive\.a: its SHA-256 is"):
        await house.desk.reconciling.fix(stray)
    path.with_name("alike.zip").unlink()
    with pytest.raises(VaultError, match="is not there any more"):
        await house.desk.reconciling.fix(stray)


async def test_a_held_file_is_adopted_by_none(house: House) -> None:
    path = house.path(A)
    copy = path.with_name("copy.zip")
    copy.write_bytes(path.read_bytes())
    with pytest.raises(VaultError, match="is held already"):
        house.desk.reconciling._adopting.adopt(A, copy)
    path.unlink()
    with pytest.raises(VaultError, match=r"is advice/c2/archive\.b's place"):
        house.desk.reconciling._adopting.adopt(A, house.path(B))


async def test_what_nothing_proves_is_not_adopted(house: House) -> None:
    adopt = house.desk.reconciling._adopting.adopt
    file = house.world.folder / "vault" / "some.zip"
    file.write_bytes(b"PK")
    with pytest.raises(VaultError, match="advice/c9/archive is not known here"):
        adopt(AssetId.parse("advice/c9/archive"), file)
    house.world.emulator.add_archive("d", "c4").stated_sha256 = ""
    await house.desk.sync("advice")
    with pytest.raises(VaultError, match="nobody states a SHA-256 of it"):
        adopt(archive("d", "c4"), file)
    house.world.emulator.archives["d"].stated_sha256 = hashlib.sha256(b"PK").hexdigest()
    await house.desk.sync("advice")
    with pytest.raises(VaultError, match="cannot be held as advice/c4/archive"):
        adopt(archive("d", "c4"), file)  # the bytes that the service states are no zip
    assert house.local(archive("d", "c4")) is LocalState.ABSENT


async def test_only_left_overs_are_removed(house: House) -> None:
    path = house.path(A)
    row = ReconcileRow(Difference.LEFT_OVER, Remedy.REMOVE, "", None, str(path), "", "", "", "")
    with pytest.raises(VaultError, match="is not reeldesk's own left-over"):
        await house.desk.reconciling.fix(row)
    assert path.exists()
    gone = replace(row, path=f"{path}.damaged")
    assert await house.desk.reconciling.fix(gone) == f"{path}.damaged is removed"  # by somebody else, meanwhile


async def test_parts_that_nobody_goes_on_with(house: House) -> None:
    left = house.path(A).with_name("old.zip.part")
    left.write_bytes(b"half")
    left.with_name("old.zip.part.json").write_text("{}")
    row = await house.row()
    assert (row.difference, row.remedy, row.path) == (Difference.LEFT_OVER, Remedy.REMOVE, str(left))
    assert await house.desk.reconciling.fix(row) == f"{left} is removed"
    assert [file.name for file in left.parent.iterdir()] == [house.path(A).name]


async def test_a_part_that_can_be_continued(house: House) -> None:
    house.world.emulator.faults = Faults(cut_after=900)
    with pytest.raises(VaultError):
        await house.desk.fetch_now(C)
    house.world.emulator.faults = Faults()
    rows = [row for row in (await house.look()).rows if row.asset == C]
    assert [(row.difference, row.remedy) for row in rows] == [
        (MISSING, Remedy.FETCH),
        (Difference.LEFT_OVER, Remedy.FETCH),
    ]


async def test_what_the_service_gave_was_wrong(house: House) -> None:
    house.world.emulator.archives["c"].stated_sha256 = "ab" * 32
    await house.desk.sync("advice")
    with pytest.raises(VaultError):
        await house.desk.fetch_now(C)
    rows = [row for row in (await house.look()).rows if row.asset == C]
    assert [(row.remedy, row.words) for row in rows] == [
        (Remedy.FETCH, "what came was proven wrong; fetching asks once more"),
        (Remedy.REMOVE, "its bytes were proven wrong; evidence until it is removed"),
    ]


async def test_a_link_is_not_followed(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.zip").write_bytes(b"x")
    (house.world.folder / "vault" / "link").symlink_to(outside)
    assert dict((await house.look()).counts) == {EQUAL: 2, MISSING: 1}


# The look itself


async def test_one_account_leaves_the_folder_alone(house: House) -> None:
    (house.world.folder / "vault" / "stray").write_text("x")
    view = await house.desk.reconciling.look(["advice"])
    assert Difference.STRAY not in view.counts


async def test_progress_and_an_end_on_request(house: House) -> None:
    told: list[ReconcileProgress] = []
    await house.desk.reconciling.look(deep=True, on_progress=told.append)
    words = [each.words for each in told]
    assert words[0] == "asking advice"
    assert f"reading {A}" in words
    assert words[-1] == "looking through the vault"
    with pytest.raises(Cancelled):
        await house.desk.reconciling.look(cancelled=lambda: True)
    task = asyncio.create_task(house.desk.reconciling.look())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_differs_in_very_many_places_is_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.reconciling.MOST_ROWS", 2)
    for number in range(5):
        house.world.emulator.add_archive(f"n{number}", f"d{number}")
    view = await house.look()
    assert view.counts[MISSING] == 6
    assert len(view.rows) == 2


async def test_a_service_without_a_list(tmp_path: Path) -> None:
    made = make_service(TEMASYS)
    async with Stage(made, "", tmp_path) as stage:
        await made.learn(stage.desk)
        view = await stage.desk.reconciling.look()
        assert view.checked[0] == "rooms: the service has no list to compare with; what it said last is"
        [row] = view.rows
        assert (row.difference, row.remedy) == (MISSING, Remedy.FETCH)
        known = stage.desk.asset(made.identity)
        assert known is not None
        assert known.state is RemoteState.AVAILABLE
