"""A bench over a server that answers as a test tells it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.vault.rawserver import Answer, RawServer, Reply
from tests.vault.transfers.bench import Bench, Make, connect


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
