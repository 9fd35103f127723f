"""Servers that drip, stall or fall silent, and disks that hang."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.base import ServiceDown, Unreachable
from tests.vault.rawserver import RawServer, Reply, Seen, ranged
from tests.vault.transfers.bench import CONTENT, Bench, Make, asked_after, connect
from tests.vault.transfers.pieces import KNOWN, Told, poured
from tests.vault.world import noise, until
from vault.transfers import pouring
from vault.transfers.part import Part
from vault.transfers.pouring import Flow
from vault.transfers.ranges import Validator
from vault.transfers.throttle import Throttle

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
