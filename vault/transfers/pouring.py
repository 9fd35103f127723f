"""The body of an answer into a part: one task reads, one hashes and writes in a thread, a few blocks between them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from providers.base import Body, Head, ProviderError, Source, Unreachable
from vault.errors import VaultError
from vault.transfers.part import Part
from vault.transfers.ranges import Validator
from vault.transfers.throttle import Throttle

T = TypeVar("T")

PREFIX_BYTES = 64 * 1024
BLOCK_BYTES = 1 << 20
BLOCK_S = 1.0
QUEUED_BLOCKS = 4
CHECKPOINT_BYTES = 64 << 20
CHECKPOINT_S = 5.0
DRIP_BYTES = 16 * 1024
HUNG_S = 300.0
"""When neither the network nor the disk moved for so long, something hangs that no other time-out sees."""

_Blocks = asyncio.Queue[list[bytes] | None]


class Moved(Exception):
    """The service's bytes are not the ones that are here: it is another file by now."""


@dataclass
class Meter:
    """How far a transfer is, in bytes, for whoever watches; written by the transfer alone."""

    received: int = 0
    total: int | None = None
    words: str = ""
    durable: int = 0
    """Bytes that a later attempt can continue after."""
    arrived: int = 0
    """Bytes that this attempt brought."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How bytes may flow. `stall_s`: fewer than 16 KiB in so many seconds of waiting are none; `disk`: its threads."""

    throttles: Sequence[Throttle] = ()
    stall_s: float = 60.0
    disk: Executor | None = None

    def on_disk(self, function: Callable[..., T], *args: object) -> Awaitable[T]:
        """Call what blocks, off the loop. When the caller is cancelled the call goes on to its end."""
        return asyncio.get_running_loop().run_in_executor(self.disk, function, *args)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What arrives: the rest of `source` after the part's bytes, the last of which (`overlap`) come once more."""

    body: Body
    source: Source
    told: Validator
    overlap: bytes = b""


async def pour(arrival: Arrival, part: Part, meter: Meter, flow: Flow) -> None:
    """Into the part, to the end. Raises ProviderError, VaultError, Moved; what arrived by then is kept to resume."""
    blocks: _Blocks = asyncio.Queue(QUEUED_BLOCKS)
    reader = _Reader(arrival, blocks, meter, flow, fresh=part.size == 0)
    broke_off: ProviderError | None = None
    ended = False
    try:
        async with asyncio.timeout(HUNG_S) as watchdog, asyncio.TaskGroup() as group:
            group.create_task(_write(blocks, part, arrival.told, meter, flow, watchdog))
            broke_off = await reader.read(watchdog)
        ended = broke_off is None
    except TimeoutError:
        raise Unreachable(f"nothing moved for {HUNG_S:g} s") from None
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    finally:
        # Whatever arrived is worth keeping, also when this is cancelled; a fault of the disk was already raised.
        if not ended and arrival.told.condition and part.size:
            await asyncio.shield(flow.on_disk(_checkpoint_quietly, part, arrival.told))
            meter.durable = part.durable
    if broke_off is not None:
        raise broke_off


def _checkpoint_quietly(part: Part, told: Validator) -> None:
    try:
        part.checkpoint(told)
    except VaultError:
        return  # the part is then fetched anew; what stopped the transfer is reported already


class _Reader:
    """Hands a body on in blocks."""

    def __init__(self, arrival: Arrival, blocks: _Blocks, meter: Meter, flow: Flow, *, fresh: bool) -> None:
        self._arrival = arrival
        self._blocks = blocks
        self._meter = meter
        self._flow = flow
        self._judged = not fresh or arrival.body.status != 200
        self._block: list[bytes] = []
        self._size = 0
        self._since = time.monotonic()

    async def read(self, watchdog: asyncio.Timeout) -> ProviderError | None:
        """To the end; a connection that broke is given back, so that what arrived before is written."""
        chunks = alive(self._arrival.body.chunks(), self._flow.stall_s)
        broke_off: ProviderError | None = None
        try:
            if self._arrival.overlap:
                await self._compare(chunks)
            async for chunk in chunks:
                await self._take(chunk)
                await self._pay(len(chunk), watchdog)
        except Unreachable as error:
            broke_off = error
        if not self._judged:
            if broke_off is not None:
                self._block.clear()
            else:
                self._judge(complete=self._size <= PREFIX_BYTES)
        await self._blocks.put(self._block)
        await self._blocks.put(None)
        return broke_off

    async def _take(self, chunk: bytes) -> None:
        self._block.append(chunk)
        self._size += len(chunk)
        self._meter.received += len(chunk)
        self._meter.arrived += len(chunk)
        if not self._judged and self._size >= PREFIX_BYTES:
            self._judge(complete=False)
        if self._judged and (self._size >= BLOCK_BYTES or time.monotonic() - self._since >= BLOCK_S):
            await self._blocks.put(self._block)
            self._block, self._size, self._since = [], 0, time.monotonic()

    async def _pay(self, size: int, watchdog: asyncio.Timeout) -> None:
        if self._flow.throttles and not watchdog.expired():
            watchdog.reschedule(None)  # this wait is as long as it has to be
            for throttle in self._flow.throttles:
                await throttle.pay(size)
        _moves(watchdog)

    def _judge(self, *, complete: bool) -> None:
        """Raises what the answer means when it is not the file."""
        body, prefix = self._arrival.body, b"".join(self._block)[:PREFIX_BYTES]
        self._arrival.source.judge(Head(body.status, body.headers, prefix, complete))
        self._judged = True

    async def _compare(self, chunks: AsyncIterator[bytes]) -> None:
        """Take the bytes that are here already off the beginning. Raises Moved."""
        left = memoryview(self._arrival.overlap)
        async for chunk in chunks:
            same = min(len(left), len(chunk))
            if chunk[:same] != left[:same]:
                raise Moved
            left = left[same:]
            if not left:
                if chunk[same:]:
                    await self._take(chunk[same:])
                return
        raise Moved


async def alive(chunks: AsyncIterator[bytes], stall_s: float) -> AsyncIterator[bytes]:
    """The chunks, as long as they come faster than they drip. Time in which nobody asked for one does not count."""
    waited, arrived = 0.0, 0
    while True:
        asked = time.monotonic()
        chunk = await anext(chunks, None)
        if chunk is None:
            return
        waited += time.monotonic() - asked
        arrived += len(chunk)
        if arrived >= DRIP_BYTES:
            waited, arrived = 0.0, 0
        elif waited >= stall_s:
            raise Unreachable(f"the service all but stopped: {arrived} bytes in {waited:.0f} s")
        yield chunk


async def _write(
    blocks: _Blocks, part: Part, told: Validator, meter: Meter, flow: Flow, watchdog: asyncio.Timeout
) -> None:
    noted_size, noted_at = part.size, time.monotonic()
    while (block := await blocks.get()) is not None:
        if block:
            await flow.on_disk(part.write, block)
            _moves(watchdog)
        due = part.size - noted_size >= CHECKPOINT_BYTES or time.monotonic() - noted_at >= CHECKPOINT_S
        if due and told.condition:
            await flow.on_disk(part.checkpoint, told)
            meter.durable = part.durable
            noted_size, noted_at = part.size, time.monotonic()


def _moves(watchdog: asyncio.Timeout) -> None:
    if not watchdog.expired():
        watchdog.reschedule(asyncio.get_running_loop().time() + HUNG_S)


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that a person should read: one of the disk before one of the network."""
    nested = (_first(f) if isinstance(f, BaseExceptionGroup) else f for f in failures.exceptions)
    flat = list(nested)
    return next((f for f in flat if isinstance(f, VaultError)), flat[0])
