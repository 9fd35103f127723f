"""A queue that runs, and what is to be seen of its transfers."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from providers.models import AssetId
from tests.vault.test_killed import stored_zip
from tests.vault.world import World, archive
from vault.desk import Desk
from vault.ledger.claiming import Claim, Terms
from vault.transfers.queue import Queue
from vault.views import LocalState, TransferView

A, B, C = archive("a"), archive("b"), archive("c")


@asynccontextmanager
async def working(queue: Queue, **how: Any) -> AsyncIterator[Queue]:
    """A queue that runs meanwhile, and is stopped."""
    task = asyncio.create_task(queue.run(**how))
    try:
        yield queue
    finally:
        task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError), end


async def learn(it: World, desk: Desk, *names: str, size: int = 100_000) -> None:
    for number, name in enumerate(names):
        it.emulator.add_archive(name, blob=stored_zip(size, number))
    await desk.sync("advice")


async def slow(it: World, desk: Desk, *names: str) -> None:
    await learn(it, desk, *names, size=400_000)
    it.emulator.faults.bytes_per_s = 300_000


def view(desk: Desk, identity: AssetId = A) -> TransferView:
    found = desk.transfer(identity)
    assert found is not None
    return found


def holds(it: World, desk: Desk, identity: AssetId = A) -> None:
    asset = desk.asset(identity)
    assert asset is not None
    assert asset.local is LocalState.HELD, view(desk, identity)
    content = Path(asset.path).read_bytes()
    assert hashlib.sha256(content).hexdigest() == asset.sha256 == it.emulator.archives[identity.variant].blob.sha256()


def claimed(it: World, desk: Desk) -> Claim:
    (claim,) = desk._ledger.claims.take(Terms("host:1:other", 9), it.clock().timestamp(), 1)
    return claim
