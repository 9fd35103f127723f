"""What is held is read again."""

from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

import pytest

from providers.models import AssetId
from tests.vault.world import World, archive
from vault.desk import Desk
from vault.errors import VaultError
from vault.proof import Outcome
from vault.transfers import held
from vault.views import LocalState

A, B = archive("a", "c1"), archive("b", "c1")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


async def learn(it: World, desk: Desk, *names: str, **more: object) -> None:
    for name in names:
        it.emulator.add_archive(name, "c1", **more)  # type: ignore[arg-type]  # tests give what fits
    await desk.sync("advice")


def path_of(desk: Desk, identity: AssetId = A) -> Path:
    asset = desk.asset(identity)
    assert asset is not None
    return Path(asset.path)


def what(desk: Desk) -> list[str]:
    return [event.what for event in desk.trail(A)]


# Verifying


async def test_held(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    it.clock.skip(3_600)
    found = await desk.verify(A)
    assert found.state is LocalState.HELD
    assert found.proof is not None
    assert [(check.name, check.outcome) for check in found.proof.checks] == [
        ("bytes", Outcome.PASSED),
        ("checksum", Outcome.PASSED),
        ("container", Outcome.PASSED),
    ]
    asset = desk.asset(A)
    assert asset is not None
    assert asset.proof == found.proof
    assert what(desk) == ["seen", "queued", "fetched", "verified"]


async def test_never_proven(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    with pytest.raises(VaultError, match="no file of it was ever proven"):
        await desk.verify(A)
    with pytest.raises(VaultError, match="is not known here; `reeldesk sync advice`"):
        await desk.verify(B)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content[:-1], "the file has"),
        (lambda content: content + b"x", "the file has"),
        (lambda content: content[:50] + b"?" + content[51:], "the bytes changed"),
        (lambda content: b"", "the file has 0 bytes"),
    ],
)
async def test_damaged(it: World, desk: Desk, spoil: "object", words: str) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    path = path_of(desk)
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]  # one of the functions above
    found = await desk.verify(A)
    assert (found.state, found.proof) == (LocalState.DAMAGED, None)
    assert words in found.words
    asset = desk.asset(A)
    assert asset is not None
    assert asset.local is LocalState.DAMAGED
    assert asset.proof is not None  # what was proven once stays known
    assert what(desk)[-1] == "damaged"


async def test_lost(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    path = path_of(desk)
    content = path.read_bytes()
    path.unlink()
    assert (await desk.verify(A)).state is LocalState.LOST
    path.parent.rmdir()
    assert (await desk.verify(A)).state is LocalState.LOST
    path.parent.mkdir()
    path.write_bytes(content)
    assert (await desk.verify(A)).state is LocalState.HELD
    assert what(desk)[-3:] == ["lost", "lost", "verified"]


async def test_what_lies_there_is_no_file(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    path = path_of(desk)
    path.unlink()
    path.mkdir()
    with pytest.raises(VaultError, match="is no file"):
        await desk.verify(A)
    path.rmdir()
    path.symlink_to("/etc/hostname")
    with pytest.raises(VaultError, match="symbolic link"):
        await desk.verify(A)
    path.unlink()
    folder = path.parent
    outside = folder.rename(it.folder / "outside")
    folder.symlink_to(outside)
    with pytest.raises(VaultError, match="symbolic link"):
        await desk.verify(A)


async def test_the_service_states_another_checksum_by_now(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    it.emulator.archives["a"].stated_sha256 = "cd" * 32
    await desk.sync("advice")
    found = await desk.verify(A)
    assert found.state is LocalState.DAMAGED
    assert "not what the service states" in found.words


async def test_a_file_outside_the_vault_of_today(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    text = (it.folder / "config.toml").read_text().replace('path = "vault"', 'path = "moved"')
    (it.folder / "config.toml").write_text(text)
    other = Desk.open(it.environ, now=it.clock)
    assert (await other.verify(A)).state is LocalState.HELD
    other.close()


async def test_a_disk_that_cannot_be_read(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)

    def broken(extension: str, file: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(held, "check_container", broken)
    with pytest.raises(VaultError, match="Input/output error"):
        await desk.verify(A)
    asset = desk.asset(A)
    assert asset is not None
    assert asset.local is LocalState.HELD


def test_setting_aside_what_is_gone(tmp_path: Path) -> None:
    held.set_aside(tmp_path, PurePosixPath("none/file.zip"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(VaultError, match="Not a directory"):
        held.set_aside(tmp_path, PurePosixPath("file/file.zip"))
