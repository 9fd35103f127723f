"""Reading a held file again: progress, an end on request, the oldest proof first, and any byte that differs."""

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.emulation import Blob, mp4_blob, zip_blob
from providers.models import RemoteState
from tests.vault.faults.services import SERVICES, make_service
from tests.vault.faults.stage import Stage
from tests.vault.ledger.filling import NOW, at
from tests.vault.world import World, archive, noise, until
from vault.desk import Desk
from vault.errors import Cancelled, VaultError
from vault.keeping import VerifyProgress
from vault.ledger.claiming import Terms
from vault.proof import Outcome, Proof
from vault.transfers import held, media
from vault.transfers.container import check_container
from vault.views import LocalState

A, B, C = archive("a", "c1"), archive("b", "c2"), archive("c", "c3")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


async def fetched(it: World, desk: Desk, *names: str) -> None:
    for number, name in enumerate(names, 1):
        it.emulator.add_archive(name, f"c{number}")
        await desk.sync("advice")
        await desk.fetch_now(archive(name, f"c{number}"))
        it.clock.skip(60)


def path_of(desk: Desk, identity: object = A) -> Path:
    asset = desk.asset(identity)  # type: ignore[arg-type]  # an AssetId
    assert asset is not None
    return Path(asset.path)


# Progress, and an end on request


async def test_progress_grows_to_all_of_it(it: World, desk: Desk) -> None:
    await fetched(it, desk, "a")
    told: list[VerifyProgress] = []
    threads: set[int] = set()

    def show(progress: VerifyProgress) -> None:
        threads.add(threading.get_ident())
        told.append(progress)

    found = await desk.verify(A, show)
    assert found.state is LocalState.HELD
    assert [each.done for each in told] == sorted(each.done for each in told)
    size = path_of(desk).stat().st_size
    assert (told[0].done, told[0].step, told[0].total) == (0, "reading", 2 * size)
    assert (told[-1].done, told[-1].step) == (2 * size, "media")
    assert {each.step for each in told} == {"reading", "container", "media"}
    assert {each.identity for each in told} == {A}
    assert threading.get_ident() not in threads


async def test_whoever_asked_may_end_it_at_any_step(it: World, desk: Desk) -> None:
    await fetched(it, desk, "a")
    asked = 0

    def count() -> bool:
        nonlocal asked
        asked += 1
        return False

    await desk.verify(A, cancelled=count)
    assert asked > 3  # before each step, and with every block
    trail = desk.trail(A)
    for last in range(asked):
        left = [False] * last + [True]
        with pytest.raises(Cancelled):
            await desk.verify(A, cancelled=lambda left=left: left.pop(0))  # type: ignore[misc]  # bound at once
    asset = desk.asset(A)
    assert asset is not None
    assert asset.local is LocalState.HELD
    assert desk.trail(A) == trail  # nothing was written down


async def test_a_cancelled_task_stops_the_thread(it: World, desk: Desk) -> None:
    await fetched(it, desk, "a")
    begun, ended, may_go_on = threading.Event(), threading.Event(), threading.Event()

    def show(progress: VerifyProgress) -> None:
        begun.set()
        may_go_on.wait(10)
        ended.set()

    task = asyncio.create_task(desk.verify(A, show))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_go_on.set()
    assert await asyncio.to_thread(ended.wait, 10)
    await asyncio.get_running_loop().shutdown_default_executor()  # the thread has ended
    assert [event.what for event in desk.trail(A)].count("verified") == 0


# Which


async def test_the_oldest_proof_comes_first_and_what_is_bad_before_it(it: World, desk: Desk) -> None:
    await fetched(it, desk, "a", "b", "c")
    order = desk.keeping.oldest_first
    assert [view.identity for view in order()] == [A, B, C]
    await desk.verify(A)
    it.clock.skip(60)
    assert [view.identity for view in order()] == [B, C, A]
    path_of(desk, B).write_bytes(b"spoilt")
    assert (await desk.verify(B)).state is LocalState.DAMAGED
    assert [view.identity for view in order()] == [B, C, A]
    middle = next(view for view in order() if view.identity == C).proof
    assert middle is not None
    assert [view.identity for view in order("advice", middle.proven_at)] == [B]
    assert list(order("other")) == []


async def test_what_is_being_fetched_is_left_alone(it: World, desk: Desk) -> None:
    await fetched(it, desk, "a")
    path_of(desk).unlink()
    assert (await desk.verify(A)).state is LocalState.LOST
    assert desk.enqueue([A])
    claims = desk._ledger.claims
    assert claims.take(Terms("me", 9), it.clock().timestamp(), 1)
    with pytest.raises(VaultError, match="is being fetched right now"):
        await desk.verify(A)


async def test_two_may_read_it_at_once(it: World, desk: Desk) -> None:
    await fetched(it, desk, "a")
    both = await asyncio.gather(desk.verify(A), desk.verify(A))
    assert [found.state for found in both] == [LocalState.HELD] * 2


@pytest.mark.parametrize("again", [False, True])
async def test_what_was_read_of_a_file_that_came_anew_is_not_written_down(it: World, desk: Desk, again: bool) -> None:
    await fetched(it, desk, "a")
    path_of(desk).write_bytes(b"spoilt")
    read, may_go_on = threading.Event(), threading.Event()

    def show(progress: VerifyProgress) -> None:
        if progress.step == "media":
            read.set()
            may_go_on.wait(10)

    task = asyncio.create_task(desk.verify(A, show))
    assert await asyncio.to_thread(read.wait, 10)
    if again:
        await desk.verify(A)
        await desk.fetch_now(A)
    may_go_on.set()
    if again:
        with pytest.raises(VaultError, match="was fetched anew meanwhile"):
            await task
    else:
        assert (await task).state is LocalState.DAMAGED
    asset = desk.asset(A)
    assert asset is not None
    assert asset.local is (LocalState.HELD if again else LocalState.DAMAGED)


# Damaged or gone, and fetched again, at every service that can


def spoil(path: Path, how: str) -> bytes:
    """Change its last byte, or remove it; gives what it was."""
    whole = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    return whole


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("how", ["changed", "gone"])
async def test_it_is_loud_and_can_be_fetched_again(service: str, how: str, tmp_path: Path) -> None:
    made = make_service(service)
    async with Stage(made, "", tmp_path) as stage:
        desk, identity = stage.desk, made.identity
        await made.learn(desk)
        path = (await desk.fetch_now(identity)).path
        # Huawei's events of the call follow: the first of them says that the recording is still being made.
        await until(lambda: (asset := desk.asset(identity)) and asset.state is RemoteState.AVAILABLE)
        whole = spoil(Path(path), how)
        found = await desk.verify(identity)
        assert found.state is (LocalState.LOST if how == "gone" else LocalState.DAMAGED)
        assert desk.accounts()[0].faults == 1
        of_files = [event.what for event in desk.trail(identity) if event.what != "state"]
        assert of_files[-1] == found.state, "whatever the service says meanwhile"
        again = await desk.fetch_now(identity)
        assert (again.local, again.path) == (LocalState.HELD, path)
        there = {file.name: file.read_bytes() for file in Path(path).parent.iterdir()}
        assert there.pop(Path(path).name) == whole
        assert [*there] == ([f"{Path(path).name}.damaged"] if how == "changed" else [])
        assert desk.accounts()[0].faults == 0
        assert (await desk.verify(identity)).state is LocalState.HELD


# Any byte

ZIP = zip_blob({"themis/video.mp4": noise(3_000), "chat.json": b'{"a": [1, 2]}' * 40})
FORMS = {
    "zip": ZIP.read(0, ZIP.size),
    "mp4": mp4_blob(5_000).read(0, 5_000),
    "json": json.dumps({"transcript": [{"text": "Grüß Gott", "start": 2.5}] * 30}).encode(),
}


def proven(content: bytes) -> Proof:
    blob = Blob.of(content, "x/y")
    return Proof(len(content), blob.sha256(), (), at(NOW), "https://host")


@pytest.mark.parametrize("extension", FORMS)
def test_every_flipped_byte_is_found(extension: str, tmp_path: Path) -> None:
    content, file = FORMS[extension], tmp_path / f"it.{extension}"
    proof = proven(content)

    @given(st.integers(0, len(content) - 1), st.integers(1, 255))
    def flip(place: int, bits: int) -> None:
        spoilt = bytearray(content)
        spoilt[place] ^= bits
        file.write_bytes(spoilt)
        reading = held.read_again(tmp_path, PurePosixPath(file.name), extension)
        assert reading is not None
        checks = held.checks_of(reading, proof, None)
        assert checks[0].outcome is Outcome.FAILED
        assert checks[0].words.startswith("the bytes changed: SHA-256 ")

    file.write_bytes(content)
    whole = held.read_again(tmp_path, PurePosixPath(file.name), extension)
    assert whole is not None
    assert [check.outcome for check in held.checks_of(whole, proof, None)][::2] == [Outcome.PASSED, Outcome.PASSED]
    flip()


@pytest.mark.parametrize("extension", FORMS)
def test_every_cut_is_found(extension: str, tmp_path: Path) -> None:
    content, file = FORMS[extension], tmp_path / f"it.{extension}"
    for kept in range(0, len(content), 97):
        file.write_bytes(content[:kept])
        reading = held.read_again(tmp_path, PurePosixPath(file.name), extension)
        assert reading is not None
        same, _, container = held.checks_of(reading, proven(content), None)
        assert same.words == f"the file has {kept} bytes, {len(content)} were proven"
        assert container.outcome is Outcome.FAILED


# Duration and tracks


def played(folder: Path, content: bytes, extension: str = "mp4") -> tuple[Outcome, str]:
    file = folder / f"it.{extension}"
    file.write_bytes(content)
    with file.open("rb") as opened:
        check = media.check_media(extension, opened)
    assert check is not None
    return check.outcome, check.words


def test_duration_and_tracks_of_an_mp4(tmp_path: Path) -> None:
    video = mp4_blob(5_000, 125_000)
    assert played(tmp_path, video.read(0, 5_000)) == (
        Outcome.PASSED,
        "plays 0:03:05; tracks: 1 audio (mp4a), 1 video (AVC)",
    )
    sound = mp4_blob(5_000, 0, "audio/mp4")
    assert played(tmp_path, sound.read(0, 5_000), "m4a") == (
        Outcome.PASSED,
        "plays 0:01:00; tracks: 1 audio (mp4a)",
    )


def test_a_file_in_which_nothing_plays(tmp_path: Path) -> None:
    bare = mp4_blob(5_000, bare=True)
    for content in (bare.read(0, 5_000), b"", noise(9_000)):
        outcome, words = played(tmp_path, content)
        assert outcome is Outcome.UNREADABLE
        assert "nothing would play" in words


def test_forms_that_do_not_play_are_not_asked_about(tmp_path: Path) -> None:
    with (tmp_path / "x").open("w+b") as file:
        assert media.check_media("zip", file) is None


@pytest.mark.parametrize(
    ("child", "outcome", "words"),
    [
        ("import time; time.sleep(60)", Outcome.UNREADABLE, "could not be read within 0.2 s"),
        ("import os; os.abort()", Outcome.UNREADABLE, "MediaInfo gave up on the file"),
        ("import sys; sys.exit(3)", Outcome.NOT_STATED, "MediaInfo is not installed here"),
        ("print('x' * 3_000_000)", Outcome.UNREADABLE, "MediaInfo gave up on the file"),
        ("print('[' * 100_000)", Outcome.UNREADABLE, "answer is no answer"),
        ("print('{}')", Outcome.UNREADABLE, "answer is no answer"),
    ],
)
def test_a_child_that_hangs_crashes_or_talks_without_end(
    child: str, outcome: Outcome, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "child.py"
    program.write_text(child)
    monkeypatch.setattr(media, "_CHILD", program)
    monkeypatch.setattr(media, "LONGEST_S", 0.2 if "sleep" in child else 30.0)
    found = played(tmp_path, b"any")
    assert found[0] is outcome
    assert words in found[1]


def test_a_child_is_bounded_and_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "child.py"
    source = Path(media.__file__).with_name("media_child.py").read_text()
    asked = """
    import os, json
    told = [str([resource.getrlimit(kind)[0] for kind, _ in limits]), "".join(os.environ), os.getcwd()]
    print(json.dumps({"media": {"track": [{"@type": "Audio", "Format": each} for each in told]}}))
    return 0
    try:
        from pymediainfo"""
    program.write_text(source.replace("\n    try:\n        from pymediainfo", asked, 1))
    monkeypatch.setattr(media, "_CHILD", program)
    monkeypatch.setenv("REELDESK_SECRET_X", "CANARY")
    outcome, words = played(tmp_path, b"any")
    assert outcome is Outcome.PASSED
    assert "([1073741824, 20, 0])" in words
    assert "1 audio (/)" in words
    assert "REELDESK" not in words


@given(st.binary(max_size=300))
def test_no_file_ends_it(content: bytes) -> None:
    for extension in ("wav", "m4a", "zip", "json"):
        assert check_container(extension, io.BytesIO(content)).outcome in Outcome


def test_a_hostile_mp4_is_read_in_bounds(tmp_path: Path) -> None:
    whole = bytearray(mp4_blob(5_000).read(0, 5_000))
    for place in range(32, 1_200, 173):
        spoilt = bytearray(whole)
        spoilt[place : place + 4] = b"\xff\xff\xff\xff"
        outcome, _ = played(tmp_path, bytes(spoilt))
        assert outcome is not Outcome.FAILED
