"""Fetching one file from a raw server, as often as a test wants."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from providers.base import AccountSettings, BadAnswer, Head, ProviderError, Source
from providers.http import Http
from providers.models import Checksum
from providers.origin import Origin
from providers.secret import Secret
from tests.vault.rawserver import Answer, RawServer, Reply, Seen, ranged
from tests.vault.world import noise, until
from vault.proof import Proof
from vault.transfers.fetch import OVERLAP_BYTES, Work, fetch
from vault.transfers.part import Part
from vault.transfers.pouring import Flow, Meter

CONTENT = noise(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = PurePosixPath("advice/a file.bin")


def asked_after(size: int) -> int:
    """The first byte that is asked for when so many are here: the last of them come once more."""
    return size - OVERLAP_BYTES


HERE = 120_000
ASKED = asked_after(HERE)
"""The first byte that is asked for when `HERE` bytes are here."""


def accept(head: Head) -> None:
    """A judge that takes everything but a web page."""
    if "text/html" in head.headers.get("content-type", "") or head.prefix.lstrip().startswith(b"<html"):
        raise BadAnswer("a web page instead of the file")


class Bench:
    """Fetches one file from a raw server into a folder, as often as a test wants."""

    def __init__(self, root: Path, server: RawServer, http: Http) -> None:
        self.root = root
        self.server = server
        self.http = http
        self.checksum: Checksum | None = None
        self.resumable = True
        self.advised_limit: int | None = None
        self.extension = "bin"
        self.judge: Callable[[Head], None] = accept
        self.meter = Meter()
        self.prepared: list[Proof] = []
        self.resolved = 0
        self.committed: list[Proof] = []
        self.at_prepare: Callable[[], None] = lambda: None
        self.flow = Flow()

    @property
    def final(self) -> Path:
        return self.root / NAME

    @property
    def part(self) -> Path:
        return self.root / f"{NAME}.part"

    @property
    def side(self) -> Path:
        return self.root / f"{NAME}.part.json"

    async def resolve(self) -> Source:
        self.resolved += 1
        return Source(
            f"{self.server.url}/file",
            self.judge,
            {"X-Harmless": "yes"},
            None,
            self.checksum,
            self.resumable,
            self.advised_limit,
        )

    def prepare(self, proof: Proof) -> None:
        assert not self.final.exists()
        self.at_prepare()
        self.prepared.append(proof)

    def commit(self, proof: Proof) -> None:
        assert self.final.exists()
        assert self.prepared[-1] == proof
        self.committed.append(proof)

    async def fetch(self) -> Proof:
        part = await asyncio.to_thread(Part, self.root, NAME)
        work = Work(
            self.resolve,
            self.http,
            self.extension,
            self.prepare,
            self.commit,
            lambda: datetime.now(UTC),
            self.flow,
        )
        try:
            async with asyncio.timeout(20):  # nothing here takes so long; a server may drip for ever
                return await fetch(work, part, self.meter)
        finally:
            await asyncio.to_thread(part.close)

    async def proven(self, content: bytes = CONTENT) -> Proof:
        """Fetch, and see that the very bytes are there, proven, and nothing else is."""
        proof = await self.fetch()
        assert self.final.read_bytes() == content
        assert (proof.size, proof.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert self.prepared[-1] == self.committed[-1] == proof
        assert [path.name for path in self.final.parent.iterdir()] == [NAME.name]
        assert self.final.stat().st_mode & 0o777 == 0o600
        return proof

    async def fails(self, kind: type[Exception], words: str) -> None:
        """Fetch, see it fail with these words, and nothing under the final name."""
        with pytest.raises(kind, match=words):
            await self.fetch()
        assert not self.final.exists()
        assert not self.committed

    async def break_off(self, at: int, etag: str = '"one"', content: bytes = CONTENT) -> None:
        """Leave a part behind of so many bytes, as a connection that broke leaves it."""
        answer, arrived = self.server.answer, asyncio.Event()

        def breaks(seen: Seen, number: int) -> Reply:
            if seen.offset:
                return Reply(503)
            return Reply(200, {"ETag": etag}, content[:at], length=len(content), cut=at, hold=arrived)

        self.server.answer = breaks
        failing = asyncio.create_task(self.fails(ProviderError, "503"))
        await until(lambda: self.meter.received == at or failing.done())
        arrived.set()
        await failing
        self.server.answer = answer
        self.server.seen.clear()
        self.resolved = 0
        assert self.part.stat().st_size == at

    @property
    def offsets(self) -> list[int]:
        """From which byte each request wanted the file."""
        return [seen.offset for seen in self.server.seen]


Make = Callable[[Answer], Bench]


def connect(server: RawServer, timeout_s: float) -> Http:
    """A client with credentials for that server alone."""
    origin = Origin.of(server.url)
    assert origin is not None
    settings = AccountSettings("advice", "flexperto", {}, timeout_s=timeout_s)
    secrets = {"Authorization": Secret("Bearer hidden"), "api-key": Secret("hidden"), "Guid": Secret("hidden")}
    return Http(settings, (origin,), lambda: secrets)


def ranged_always(seen: Seen, number: int) -> Reply:
    """An honest server."""
    return ranged(CONTENT, seen)
