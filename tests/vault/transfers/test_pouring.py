"""Bytes on their way: servers that drip, stall or fall silent, disks that hang, limits, and how it is all kept."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Head, ServiceDown, Source, Unreachable
from tests.vault.rawserver import RawServer, Reply, Seen, ranged
from tests.vault.transfers.bench import CONTENT, Bench, Make, asked_after, connect
from tests.vault.world import noise, until
from vault.errors import DiskFull, VaultError
from vault.transfers import pouring
from vault.transfers.part import Part
from vault.transfers.pouring import Arrival, Flow, Meter, Moved, pour
from vault.transfers.ranges import Validator
from vault.transfers.throttle import Throttle

KNOWN = Validator('"one"', "", len(CONTENT))


class Told:
    """A body in exactly these pieces, after each of which so many seconds pass."""

    def __init__(self, pieces: list[bytes], status: int = 206, pause_s: float = 0.0) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {}
        self._pieces = pieces
        self._pause_s = pause_s

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
            yield piece


def source() -> Source:
    def judge(head: Head) -> None:
        assert head.prefix

    return Source("http://127.0.0.1/", judge)


@pytest.fixture
def part(tmp_path: Path) -> Any:
    made = Part(tmp_path, PurePosixPath("file.bin"))
    yield made
    made.close()


async def poured(part: Part, body: Told, overlap: bytes = b"", flow: Flow | None = None) -> bytes:
    """What is in the part in the end."""
    last = await pour(Arrival(body, source(), KNOWN, overlap), part, Meter(), flow or Flow())
    part.write(last)
    with part.reader() as file:
        file.seek(0)
        return file.read()


# Servers that are slow


async def test_a_server_that_drips_is_cut_off_and_asked_for_the_rest(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return replace(reply, drip_after=100_000) if number == 0 else reply

    it = bench(answer)
    it.flow = Flow(stall_s=0.3)
    began = time.monotonic()
    await it.proven()
    assert time.monotonic() - began < 3
    assert len(it.offsets) == 2
    assert asked_after(100_000) <= it.offsets[1] < asked_after(100_000) + 1_000
    assert "all but stopped" in it.meter.words


async def test_a_server_that_only_drips_brings_nothing_to_keep(bench: Make) -> None:
    it = bench(lambda seen, number: replace(ranged(CONTENT, seen), drip_after=0))
    it.flow = Flow(stall_s=0.2)
    await it.fails(Unreachable, r"all but stopped: \d+ bytes in 0 s")
    assert it.part.stat().st_size == 0
    assert len(it.offsets) == 1


async def test_one_that_drips_among_the_bytes_that_come_again(bench: Make) -> None:
    it = bench(
        lambda seen, number: replace(ranged(CONTENT, seen), drip_after=0) if number == 0 else ranged(CONTENT, seen)
    )
    await it.break_off(120_000)
    it.flow = Flow(stall_s=0.2)
    await it.fails(Unreachable, "all but stopped")
    await it.proven()
    assert it.offsets == [asked_after(120_000)] * 2


async def test_a_slow_server_is_not_a_dripping_one(bench: Make) -> None:
    """16 KiB in less than `stall_s`, again and again."""
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, bytes_per_s=250_000))
    it.flow = Flow(stall_s=0.4)
    await it.proven()
    assert it.offsets == [0]


async def test_an_error_that_drips_is_not_listened_to_for_ever(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(503, {}, b"x" * 60_000, drip_after=0))
    it.flow = Flow(stall_s=0.2)
    began = time.monotonic()
    with pytest.raises((ServiceDown, Unreachable)):
        await it.fetch()
    assert time.monotonic() - began < 3


@pytest.fixture
async def hasty(tmp_path: Path, server: RawServer) -> AsyncIterator[Make]:
    """A bench that waits 0.3 s for a byte."""
    http = connect(server, 0.3)

    def make(answer: Callable[[Seen, int], Any]) -> Bench:
        server.answer = answer
        return Bench(tmp_path, server, http)

    yield make
    await http.aclose()


async def test_a_server_that_never_answers(hasty: Make) -> None:
    it = hasty(lambda seen, number: replace(ranged(CONTENT, seen), late=asyncio.Event()))
    await it.fails(Unreachable, "stopped answering")
    assert it.part.stat().st_size == 0


async def test_a_server_that_falls_silent_is_asked_for_the_rest(hasty: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return replace(reply, cut=150_000, hold=asyncio.Event()) if number == 0 else reply

    it = hasty(answer)
    await it.proven()
    assert it.offsets == [0, asked_after(150_000)]
    assert "stopped answering (time-out)" in it.meter.words


async def test_time_in_which_nobody_asked_is_not_the_servers(part: Part) -> None:
    """A limit lets 16 KiB through in 0.48 s; the server was ready all the time."""
    throttle = Throttle(34_000)
    content = noise(32 * 1_024, 3)
    pieces = [content[at : at + 2_048] for at in range(0, len(content), 2_048)]
    began = time.monotonic()
    assert await poured(part, Told(pieces, 200), flow=Flow([throttle], stall_s=0.2)) == content
    assert time.monotonic() - began > 0.8


# What hangs


async def test_nothing_moves_for_too_long(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no other time-out sees; what had arrived is kept, and the rest asked for."""
    monkeypatch.setattr(pouring, "HUNG_S", 0.3)
    monkeypatch.setattr(pouring, "BLOCK_S", 0.0)

    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return replace(reply, cut=150_000, hold=asyncio.Event()) if number == 0 else reply

    it = bench(answer)
    await it.proven()
    assert it.offsets == [0, asked_after(150_000)]
    assert it.meter.words == "resumed at 150000 bytes: nothing moved for 0.3 s"


async def test_a_disk_that_hangs(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transfer ends as soon as the disk is back, and can be continued."""
    monkeypatch.setattr(pouring, "HUNG_S", 0.1)
    monkeypatch.setattr(pouring, "BLOCK_BYTES", 70_000)
    back, ending = threading.Event(), threading.Event()
    write, checkpoint = Part.write, Part.checkpoint

    def hangs(self: Part, chunks: list[bytes]) -> None:
        with self._at_work():
            back.wait(10)
        write(self, chunks)

    def ends(self: Part, known: Validator) -> None:
        ending.set()
        checkpoint(self, known)

    part.write([CONTENT[:10]])
    monkeypatch.setattr(Part, "write", hangs)
    monkeypatch.setattr(Part, "checkpoint", ends)
    pieces = [CONTENT[at : at + 70_000] for at in range(10, len(CONTENT), 70_000)]
    task = asyncio.create_task(poured(part, Told(pieces, 200)))
    await until(ending.is_set)
    assert not task.done()
    back.set()
    with pytest.raises(Unreachable, match="nothing moved"):
        await task
    assert part.saved() == KNOWN


class Inline(Executor):
    """Does what it is given at once, on the event loop itself, which stands still meanwhile."""

    def __init__(self, still_s: float) -> None:
        self._still_s = still_s

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        time.sleep(self._still_s)
        try:
            done.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # handed on, as executors do
            done.set_exception(error)
        return done


async def test_the_process_stood_still(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped by Ctrl-Z, or a machine that was put to sleep, while a block was on its way to the disk."""
    monkeypatch.setattr(pouring, "HUNG_S", 0.1)
    monkeypatch.setattr(pouring, "BLOCK_BYTES", 70_000)
    pieces = [CONTENT[at : at + 70_000] for at in range(0, len(CONTENT), 70_000)]
    flow = Flow(disk=Inline(0.15))
    (result,) = await asyncio.gather(poured(part, Told(pieces, 200), flow=flow), return_exceptions=True)
    assert result == CONTENT or isinstance(result, Unreachable)


async def test_a_limit_is_no_hang(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pouring, "HUNG_S", 0.1)
    pieces = [CONTENT[:30_000], CONTENT[30_000:60_000], CONTENT[60_000:90_000]]
    assert await poured(part, Told(pieces), flow=Flow([Throttle(100_000)])) == CONTENT[:90_000]


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
