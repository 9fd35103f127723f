"""A bench over a server that answers as a test tells it; a part on the disk; a desk whose queue a test runs."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.vault.rawserver import Answer, RawServer, Reply
from tests.vault.transfers.bench import Bench, Make, connect
from tests.vault.transfers.parts import NAME
from tests.vault.world import World
from vault.desk import Desk
from vault.transfers import pouring
from vault.transfers.part import Part


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """It listens; what it answers is for the test to say."""
    async with RawServer(lambda seen, number: Reply(500)) as listening:
        yield listening


@pytest.fixture
async def bench(tmp_path: Path, server: RawServer) -> AsyncIterator[Make]:
    """Makes a bench of an answer."""
    http = connect(server, 2.0)

    def make(answer: Answer) -> Bench:
        server.answer = answer
        return Bench(tmp_path, server, http)

    yield make
    await http.aclose()


@pytest.fixture
def part(tmp_path: Path) -> Iterator[Part]:
    """A part on the disk, under an ordinary umask."""
    old = os.umask(0o022)
    made = Part(tmp_path / "vault", NAME)
    yield made
    made.close()
    os.umask(old)


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    """A desk over flexperto's emulator; a test runs its queue."""
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks go to the disk often, so that what was received moves while a test looks."""
    monkeypatch.setattr(pouring, "BLOCK_S", 0.05)
