"""A packet can be checked by whoever gets it, without reeldesk, and nothing can be changed in it unnoticed."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import bagit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.vault.world import World, archive
from vault.custody import packing
from vault.custody.keeper import Packet
from vault.custody.packing import Packing
from vault.custody.validating import problems_of
from vault.desk import Desk
from vault.errors import DiskFull, VaultError
from vault.ledger.checking import Head

A, B, OTHER = archive("a", "c1"), archive("b", "c1"), archive("z", "c9")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    opened = it.desk()
    it.emulator.add_archive("a", "c1", title="50 % Beratung: „Straße“ 会議")
    it.emulator.add_archive("b", "c1")
    it.emulator.add_archive("z", "c9")
    await opened.sync("advice")
    await opened.fetch_now(A)
    await opened.fetch_now(B)
    yield opened
    await opened.aclose()
    opened.close()


def path_of(desk: Desk) -> Path:
    view = desk.asset(A)
    assert view is not None
    return Path(view.path)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_whoever_gets_it_can_check_it(desk: Desk, tmp_path: Path) -> None:
    packet = desk.custody.packet([A], tmp_path / "out")
    place = packet.path
    bag = bagit.Bag(str(place))
    assert bag.validate()
    assert bag.version_info == (1, 0)
    assert bag.algorithms == ["sha256"]
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        checked = run(place, "sha256sum", "--strict", "-c", manifest)
        assert (checked.returncode, checked.stderr) == (0, "")
    chain = run(tmp_path, "sh", str(place / "data/trail/check.sh"))
    assert chain.returncode == 0, chain.stdout
    assert chain.stdout.strip().endswith(packet.head.replace(":", " "))
    [recording] = (place / "data/recordings").iterdir()
    assert recording.read_bytes() == path_of(desk).read_bytes()
    assert "%" not in recording.name
    assert files_of(place) == {
        *("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "data/README.txt"),
        *(f"data/recordings/{recording.name}", "data/records/01-asset.json", "data/records/01-ledger.json"),
        *(f"data/trail/{name}" for name in ("01-events.jsonl", "links.txt", "head.txt", "check.sh")),
        *(["data/records/01-meeting.json"] if (place / "data/records/01-meeting.json").exists() else []),
    }
    assert packet.files == sum(name.startswith("data/") for name in files_of(place))
    assert packet.tag_manifest == hashlib.sha256((place / "tagmanifest-sha256.txt").read_bytes()).hexdigest()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "out").rglob("*") if path.is_dir())


def test_the_page_says_what_is_in_it_and_what_it_does_not_prove(desk: Desk, tmp_path: Path) -> None:
    packet = desk.custody.packet([A, B], tmp_path)
    page = (packet.path / "data/README.txt").read_text("utf-8")
    view = desk.asset(A)
    assert view is not None
    for words in (
        "Self-attested",
        "50 % Beratung: „Straße“ 会議",
        str(A),
        str(B),
        view.sha256,
        "WHAT IT DOES NOT PROVE",
    ):
        assert words in page
    assert packet.head.partition(":")[2] in page
    for event in desk.trail(A)[:-1]:
        assert f"{event.what}: {event.words}" in page
    assert "the log does not" not in page
    assert "Whoever doubts the packet uses programs of their own: sha256sum and bagit.py" in " ".join(page.split())
    assert max(map(len, page.splitlines())) < 400


def test_the_trail_is_the_logs(desk: Desk, tmp_path: Path) -> None:
    packet = desk.custody.packet([A], tmp_path)
    trail = [json.loads(line) for line in (packet.path / "data/trail/01-events.jsonl").read_text("utf-8").splitlines()]
    events = desk.trail(A)
    assert [event["what"] for event in trail] == ["seen", "queued", "fetched"]
    assert [event.what for event in events] == ["seen", "queued", "fetched", "exported"]
    assert events[-1].facts["tagmanifest"] == packet.tag_manifest
    number, _, link = packet.head.partition(":")
    assert desk.custody.check_log(Head(int(number), link)).whole


async def test_a_release_and_its_receipt_are_in_it(desk: Desk, it: World, tmp_path: Path) -> None:
    await desk.release(A)
    packet = await asyncio.to_thread(desk.custody.packet, [A, B], tmp_path)
    events = [json.loads(line) for line in (packet.path / "data/trail/01-events.jsonl").read_text("utf-8").splitlines()]
    assert {"release asked", "release sent", "release answered", "release confirmed"} <= {
        each["what"] for each in events
    }
    for number in ("01", "02"):  # both go with their conference
        [receipt] = json.loads((packet.path / f"data/records/{number}-receipts.json").read_text("utf-8"))
        assert receipt["sha256"] in (packet.path / "manifest-sha256.txt").read_text("utf-8")
    assert it.emulator.api_key not in (packet.path / "data/README.txt").read_text("utf-8")
    assert desk.custody.check_log().whole
    assert run(packet.path, "sh", "data/trail/check.sh").returncode == 0
    assert desk.custody.check_packet(packet.path) == ()


def test_a_long_log_gives_the_links_at_each_event_alone(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.custody.keeper.MOST_LINKS", 3)
    packet = desk.custody.packet([A, B], tmp_path)
    links = (packet.path / "data/trail/links.txt").read_text().splitlines()
    assert sum(" - " in line for line in links) > 1
    assert run(packet.path, "sh", "data/trail/check.sh").returncode == 0
    assert "The log is long" in (packet.path / "data/README.txt").read_text("utf-8")


def test_what_the_service_said_is_in_it_and_no_secret(desk: Desk, it: World, tmp_path: Path) -> None:
    packet = desk.custody.packet([A], tmp_path)
    record = (packet.path / "data/records/01-asset.json").read_text("utf-8")
    assert "50 % Beratung" in record
    everything = b"".join(path.read_bytes() for path in packet.path.rglob("*") if path.is_file())
    assert it.emulator.api_key.encode() not in everything


async def test_what_was_never_held_or_is_not_what_was_proven_makes_no_packet(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(VaultError, match="never held"):
        desk.custody.packet([OTHER], out)
    with pytest.raises(VaultError, match="not known"):
        desk.custody.packet([archive("nobody", "c1")], out)
    with pytest.raises(VaultError, match="needs an asset"):
        desk.custody.packet([], out)
    path = path_of(desk)
    flip(path)
    with pytest.raises(VaultError, match="not what was proven"):
        desk.custody.packet([B, A], out)
    await asyncio.to_thread(path.unlink)
    with pytest.raises(VaultError, match="cannot be read"):
        desk.custody.packet([A], out)
    assert list(out.iterdir()) == []
    await desk.verify(A)
    packet = desk.custody.packet([A], out)
    assert "none: it is lost here" in (packet.path / "data/README.txt").read_text("utf-8")
    assert not (packet.path / "data/recordings").exists()
    assert bagit.Bag(str(packet.path)).validate()


@pytest.mark.parametrize("at", ["copying", "making the manifests", "writing"])
def test_one_that_is_cancelled_leaves_nothing(desk: Desk, tmp_path: Path, at: str) -> None:
    class Enough(Exception):
        pass

    def stop(now: Packing) -> None:
        if now.words.startswith(at):
            assert [each.name.startswith(".custody-") for each in out.iterdir()] == [True]
            raise Enough

    out = tmp_path / "out"
    with pytest.raises(Enough):
        desk.custody.packet([A], out, stop)
    assert list(out.iterdir()) == []
    assert [event.what for event in desk.trail(A)] == ["seen", "queued", "fetched"]


def test_progress_is_told_in_bytes(desk: Desk, tmp_path: Path) -> None:
    told: list[Packing] = []
    desk.custody.packet([A, B], tmp_path, told.append)
    sizes = [view.size for view in map(desk.asset, (A, B)) if view]
    assert {now.total for now in told} == {sum(size or 0 for size in sizes)}
    assert [now.done for now in told] == sorted(now.done for now in told)
    assert told[-1].done == told[-1].total


def test_what_a_killed_process_left_is_taken_away_by_the_next_after_a_day(
    desk: Desk, it: World, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    made = [out / f".custody-advice-c1-2026.making-{name}" for name in ("abcd1234", "0_fresh0", "_link_00", "UPPER")]
    for path in (made[0], made[1], made[3]):
        (path / "data/recordings").mkdir(parents=True)
        (path / "data/recordings/half").write_bytes(b"half")
    made[2].symlink_to(tmp_path)
    desk.custody.packet([A], out)
    assert all(path.exists() for path in made), "somebody may be making them"
    it.clock.skip(86_400 + 60)
    later = it.clock().timestamp()
    os.utime(made[1] / "data/recordings/half", (later, later))  # something is still written to this one
    desk.custody.packet([A], out)
    assert [path.exists() for path in made] == [False, True, True, True]


def test_a_full_disk_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    """A real one, of 1 MiB."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount")
    try:
        with pytest.raises(VaultError, match="does not fit"):
            desk.custody.packet([A], small)
        (small / "filler").write_bytes(bytes((1 << 20) - 16 * 1024))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(packing, "_ROOM", 0)
            patch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(1 << 40, 0, 1 << 40))
            with pytest.raises(DiskFull, match="no space left"):
                desk.custody.packet([A, B], small)
        assert [each.name for each in small.iterdir()] == ["filler"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_one_that_is_there_stays(desk: Desk, it: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.custody.keeper._name", lambda views, at: "same")
    desk.custody.packet([A], tmp_path)
    before = (tmp_path / "same/tagmanifest-sha256.txt").read_bytes()
    with pytest.raises(VaultError, match="is there already"):
        desk.custody.packet([A], tmp_path)
    assert (tmp_path / "same/tagmanifest-sha256.txt").read_bytes() == before


def test_the_working_folder_stays_while_it_is_made(desk: Desk, tmp_path: Path) -> None:
    """All threads of a desk share it, and the library changes it."""
    before = os.getcwd()
    seen: set[str] = set()
    desk.custody.packet([A], tmp_path, lambda now: seen.add(os.getcwd()))
    assert seen == {before}


def test_a_library_that_breaks_off_is_told_in_words(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(VaultError, match="broke off"):
        desk.custody.packet([A], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
async def packed(desk: Desk, tmp_path: Path) -> Packet:
    return desk.custody.packet([A], tmp_path / "out")


def problem_with(place: Path) -> str:
    """What the library's validator says."""
    try:
        bagit.Bag(str(place)).validate()
    except (bagit.BagError, ValueError) as error:
        return str(error) or "invalid"
    return ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_byte_of_the_tag_manifest_is_found_by_our_own_check(packed: Packet, data: st.DataObject) -> None:
    """No manifest covers it, and the library skips a line that it cannot read."""
    path = packed.path / "tagmanifest-sha256.txt"
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[data.draw(st.integers(0, len(content) - 1), label="byte")] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    path.write_bytes(flipped)
    try:
        assert problems_of(packed.path)
    finally:
        path.write_bytes(content)
    assert problems_of(packed.path) == ()


def test_what_is_wrong_with_a_packet_is_named(packed: Packet, tmp_path: Path) -> None:
    [recording] = (packed.path / "data/recordings").iterdir()
    flip(recording)
    (packed.path / "more.txt").write_text("x")
    found = problems_of(packed.path)
    assert any(recording.name in words for words in found)
    assert "more.txt is in no manifest" in found
    (packed.path / "more.txt").unlink()
    flip(recording)
    assert problems_of(packed.path) == ()
    (packed.path / "data/records/99-slipped in.json").write_text("{}")
    (packed.path / "data/elsewhere").symlink_to(tmp_path)
    found = problems_of(packed.path)
    for name in ("data/records/99-slipped in.json", "data/elsewhere"):
        assert f"{name} is not in manifest-sha256.txt: it was put there later" in found
    with pytest.raises(VaultError, match="is no packet"):
        problems_of(tmp_path)


def test_a_forged_trail_is_found_though_its_manifests_fit(packed: Packet) -> None:
    trail = packed.path / "data/trail/01-events.jsonl"
    trail.write_bytes(trail.read_bytes().replace(b"fetched from", b"copied from"))
    bagit.Bag(str(packed.path)).save(manifests=True)
    assert problem_with(packed.path) == ""
    assert run(packed.path, "sh", "data/trail/check.sh").returncode == 1
    [words] = problems_of(packed.path)
    assert "an event is not in the chain" in words
    links = packed.path / "data/trail/links.txt"
    links.write_text(links.read_text().replace("0", "1", 3))
    assert any("the chain is broken at event" in words or "is no link" in words for words in problems_of(packed.path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_byte_is_found_by_the_validator(packed: Packet, data: st.DataObject) -> None:
    names = sorted(files_of(packed.path) - {"tagmanifest-sha256.txt"})
    path = packed.path / data.draw(st.sampled_from(names), label="file")
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1), label="byte")
    flipped = bytearray(content)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    path.write_bytes(flipped)
    try:
        assert problem_with(packed.path)
    finally:
        path.write_bytes(content)
