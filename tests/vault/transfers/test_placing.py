"""What lies already where a file is to lie."""

import os
from pathlib import Path

import pytest

from tests.vault.transfers.running import A, B, claimed, holds, learn, view
from tests.vault.world import World
from vault.desk import Desk
from vault.ledger.claiming import STALE_AFTER_S
from vault.views import AssetView, LocalState

pytestmark = pytest.mark.usefixtures("quick")


async def test_a_file_that_someone_else_put_there(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    desk.enqueue([A])
    claim_path = desk.new_queue()._placing._destination(claimed(it, desk))
    path = it.folder / "vault" / claim_path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"precious")
    it.clock.skip(STALE_AFTER_S + 1)
    await desk.new_queue().run(drain=True)
    assert (view(desk).state, view(desk).attempts) == ("failed", 2)
    assert "reeldesk did not write" in view(desk).words
    assert path.read_bytes() == b"precious"


def spoil(asset: AssetView, content: bytes) -> None:
    Path(asset.path).write_bytes(content)


async def test_a_damaged_file_is_set_aside(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    for number in range(3):
        await desk.fetch_now(A)
        asset = desk.asset(A)
        assert asset is not None
        spoil(asset, b"damaged %d" % number)
        assert (await desk.verify(A)).state is LocalState.DAMAGED
    await desk.fetch_now(A)
    holds(it, desk)
    assert [name.rpartition(".zip")[2] for name in it.files()] == ["", ".damaged", ".damaged-2", ".damaged-3"]


async def test_a_file_that_came_back(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    asset = await desk.fetch_now(A)
    moved = it.folder / "elsewhere"
    os.rename(asset.path, moved)
    assert (await desk.verify(A)).state is LocalState.LOST
    os.rename(moved, asset.path)
    await desk.fetch_now(A)
    holds(it, desk)
    assert len(it.downloads()) == 1


async def test_two_assets_that_would_share_a_path(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    desk._ledger.transfers.enqueue([A, B], it.clock().timestamp())  # by nobody: their places are fixed when taken up
    queue, claims = desk.new_queue(), desk._ledger.claims
    first, second = claimed(it, desk), claimed(it, desk)
    root = it.folder / "vault"
    wanted = queue._placing._destination(second)
    assert claims.fix_path(second, str(root / "elsewhere.zip"))
    assert claims.fix_path(first, str(root / wanted))
    told_apart = queue._placing._destination(second)
    assert told_apart != wanted
    assert told_apart.parent == wanted.parent
    assert told_apart.suffix == ".zip"
    assert not claims.fix_path(first, str(root / told_apart))


async def test_the_vault_moved(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    asset = await desk.fetch_now(A)
    os.unlink(asset.path)
    await desk.verify(A)
    it.write()
    text = (it.folder / "config.toml").read_text().replace('path = "vault"', 'path = "moved"')
    (it.folder / "config.toml").write_text(text)
    other = Desk.open(it.environ, now=it.clock)
    asset = await other.fetch_now(A)
    assert Path(asset.path).is_relative_to(it.folder / "moved")
    await other.aclose()
    other.close()
