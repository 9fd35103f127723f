"""Bytes on their way: those that come again, limits, and how it is all kept."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Unreachable
from tests.vault.transfers.bench import CONTENT
from tests.vault.transfers.pieces import KNOWN, Told, poured, source
from vault.errors import DiskFull, VaultError
from vault.transfers import pouring
from vault.transfers.part import Part
from vault.transfers.pouring import Arrival, Flow, Meter, Moved, pour
from vault.transfers.ranges import Validator
from vault.transfers.throttle import Throttle

# The bytes that come again


@given(st.lists(st.integers(1, 6_000), min_size=1, max_size=12), st.integers(1, 4_096))
def test_however_they_are_cut_into_pieces(cuts: list[int], overlap: int) -> None:
    """Nothing is written twice, and nothing is left out."""
    here, content = 5_000, CONTENT[:20_000]
    rest, pieces = content[here - overlap :], []
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces.append(rest)

    class Memory:
        """A part that is bytes."""

        def __init__(self) -> None:
            self.content = content[:here]
            self.durable = 0

        @property
        def size(self) -> int:
            return len(self.content)

        def write(self, chunks: list[bytes]) -> None:
            self.content += b"".join(chunks)

    async def run() -> bytes:
        memory: Any = Memory()
        arrival = Arrival(Told([p for p in pieces if p]), source(), Validator(), content[here - overlap : here])
        memory.write(await pour(arrival, memory, Meter(), Flow()))
        written: bytes = memory.content
        return written

    assert asyncio.run(run()) == content


async def test_others_than_those_that_are_here(part: Part) -> None:
    part.write([CONTENT[:10_000]])
    body = Told([CONTENT[6_000:9_999], b"x", CONTENT[10_000:20_000]])
    with pytest.raises(Moved):
        await poured(part, body, CONTENT[6_000:10_000])
    assert part.size == 10_000


async def test_fewer_than_those_that_are_here(part: Part) -> None:
    part.write([CONTENT[:10_000]])
    with pytest.raises(Moved):
        await poured(part, Told([CONTENT[6_000:9_000]]), CONTENT[6_000:10_000])


# What is kept


async def test_what_arrived_is_noted_when_it_is_cancelled(part: Part) -> None:
    class Endless(Told):
        async def chunks(self) -> AsyncIterator[bytes]:
            yield CONTENT[:100_000]
            arrived.set()
            await asyncio.Event().wait()

    arrived = asyncio.Event()
    part.write([CONTENT[:10]])
    part_known = Arrival(Endless([]), source(), KNOWN)
    meter = Meter()
    task = asyncio.create_task(pour(part_known, part, meter, Flow()))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert part.saved() == KNOWN
    assert meter.durable == part.durable >= 10


async def test_progress_can_be_read_off(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pouring, "BLOCK_BYTES", 50_000)
    monkeypatch.setattr(pouring, "CHECKPOINT_BYTES", 100_000)
    pieces = [CONTENT[at : at + 50_000] for at in range(0, len(CONTENT), 50_000)]
    meter = Meter()
    await pour(Arrival(Told(pieces, 200), source(), KNOWN), part, meter, Flow())
    assert meter.received == len(CONTENT)
    assert 100_000 <= meter.durable <= len(CONTENT)


async def test_a_full_disk_is_told_before_a_broken_connection(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pouring, "BLOCK_BYTES", 70_000)

    def full(self: Part, chunks: list[bytes]) -> None:
        raise DiskFull("no space left")

    class Breaks(Told):
        async def chunks(self) -> AsyncIterator[bytes]:
            for _ in range(20):
                yield CONTENT[:70_000]
            raise Unreachable("broke off")

    monkeypatch.setattr(Part, "write", full)
    with pytest.raises(DiskFull):
        await poured(part, Breaks([], 200))


async def test_a_fault_of_the_disk_stops_the_reading(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a body without end."""
    monkeypatch.setattr(pouring, "BLOCK_BYTES", 70_000)

    def broken(self: Part, chunks: list[bytes]) -> None:
        raise VaultError("Input/output error")

    class Endless(Told):
        async def chunks(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0)
                yield CONTENT[:70_000]

    monkeypatch.setattr(Part, "write", broken)
    async with asyncio.timeout(5):
        with pytest.raises(VaultError, match="Input/output error"):
            await poured(part, Endless([], 200))


# Limits


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def throttle(self, bytes_per_s: int) -> Throttle:
        return Throttle(bytes_per_s, lambda: self.now, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


async def test_a_transfer_keeps_to_the_tighter_of_its_limits(part: Part) -> None:
    clock = Time()
    pieces = [CONTENT[at : at + 10_000] for at in range(0, len(CONTENT), 10_000)]
    throttles = [clock.throttle(100_000), clock.throttle(50_000)]
    assert await poured(part, Told(pieces, 200), flow=Flow(throttles)) == CONTENT
    assert clock.now == pytest.approx((len(CONTENT) - 10_000) / 50_000)


async def test_an_accounts_limit_is_its_own_and_the_vaults_is_everyones(tmp_path: Path) -> None:
    """Two accounts of 100 kB/s each under a vault of 1 MB/s, then under one of 100 kB/s."""
    took = []
    for shared in (1_000_000, 100_000):
        clock = [Time(), Time()] if shared == 1_000_000 else [Time()] * 2
        vault = [each.throttle(shared) for each in clock] if shared == 1_000_000 else [clock[0].throttle(shared)] * 2
        own = [each.throttle(100_000) for each in clock]
        parts = [Part(tmp_path, PurePosixPath(f"{shared}-{number}.bin")) for number in range(2)]
        pieces = [CONTENT[at : at + 10_000] for at in range(0, 100_000, 10_000)]
        async with asyncio.TaskGroup() as group:
            for each, limits in zip(parts, zip(vault, own, strict=True), strict=True):
                group.create_task(poured(each, Told(pieces, 200), flow=Flow(limits)))
        for each in parts:
            each.close()
        took.append(max(each.now for each in clock))
    assert took[0] == pytest.approx(0.9, abs=0.15)
    assert took[1] == pytest.approx(1.9, abs=0.15)
