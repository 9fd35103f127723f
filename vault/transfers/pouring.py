"""The body of an answer into a part: one task reads, one hashes and writes in a thread, a few blocks between them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from msgspec import Struct, field

from providers.base import Body, Head, ProviderError, Source, Unreachable
from vault.errors import VaultError
from vault.transfers.part import Part
from vault.transfers.ranges import Validator
from vault.transfers.throttle import Paid

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


class Moved(Exception):
    """The service's bytes are not the ones that are here: it is another file by now."""


class Meter(Struct):
    """How far a transfer is, in bytes, for whoever watches; written by the transfer alone."""

    received: int = 0
    total: int | None = None
    words: str = ""
    durable: int = 0
    """Bytes that a later attempt can continue after."""
    arrived: int = 0
    """Bytes that this attempt brought."""


class Flow(Struct, frozen=True):
    """How bytes may flow, for all transfers that share it.

    `stall_s`: fewer than 16 KiB in so many seconds of waiting are none; `disk`: its threads; `block_bytes`: how much is
    handed to them at once; `permits`: for blocks that are not written yet. The last two keep memory from growing with
    the number of transfers.
    """

    throttles: Sequence[Paid] = ()
    stall_s: float = 60.0
    disk: Executor | None = None
    block_bytes: Callable[[], int] = lambda: BLOCK_BYTES
    permits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUEUED_BLOCKS))

    def on_disk(self, function: Callable[..., T], *args: object) -> Awaitable[T]:
        """Call what blocks, off the loop. When the caller is cancelled the call goes on to its end."""
        return asyncio.get_running_loop().run_in_executor(self.disk, function, *args)


class Arrival(Struct, frozen=True):
    """What arrives: the rest of `source` after the part's bytes, the last of which (`overlap`) come once more.

    Or, `anew`, all of it: the part's bytes are dropped as soon as this is known to be the file, and not a page.
    """

    body: Body
    source: Source
    told: Validator
    overlap: bytes = b""
    anew: bool = False
    end: int | None = None
    """Where in the file it ends, if the answer says so."""


async def pour(arrival: Arrival, part: Part, meter: Meter, flow: Flow) -> list[bytes]:
    """Into the part, to the end; gives the last block, which is left to be written.

    Raises ProviderError, VaultError, Moved; what arrived by then is kept to resume.
    """
    pouring = _Pouring(arrival, part, meter, flow)
    ended = False
    try:
        async with asyncio.timeout(HUNG_S) as watchdog, asyncio.TaskGroup() as group:
            broke_off = await pouring.read(group, watchdog)
        if broke_off is not None:
            await pouring.write(await pouring.last_block(is_whole=False))
            raise broke_off
        last = await pouring.last_block(is_whole=True)
        ended = True
    except TimeoutError:
        raise Unreachable(f"nothing moved for {HUNG_S:g} s") from None
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    finally:
        pouring.release()
        # Whatever arrived is worth keeping, also when this is cancelled; a fault of the disk was already raised.
        if not ended and arrival.told.condition and part.size and not pouring.anew:
            await asyncio.shield(flow.on_disk(checkpoint_quietly, part, arrival.told))
            meter.durable = part.durable
        if not ended:
            meter.received = part.size
    return last


def checkpoint_quietly(part: Part, told: Validator) -> None:
    """Note how far it is, if the disk lets us: what stopped the transfer is reported already."""
    with contextlib.suppress(VaultError):
        part.checkpoint(told)


class _Pouring:
    """One body on its way. Reading waits for the network; writing and hashing go on beside it, a few blocks behind."""

    def __init__(self, arrival: Arrival, part: Part, meter: Meter, flow: Flow) -> None:
        self._arrival = arrival
        self._part = part
        self._meter = meter
        self._flow = flow
        self.anew = arrival.anew
        """Whether bytes are still here that are to be dropped."""
        self._judged = (part.size > 0 and not arrival.anew) or arrival.body.status != 200
        self._block: list[bytes] = []
        self._size = 0
        self._since = time.monotonic()
        self._blocks: asyncio.Queue[list[bytes] | None] | None = None
        self._permits = 0
        self._noted_size, self._noted_at = part.size, self._since

    async def read(self, group: asyncio.TaskGroup, watchdog: asyncio.Timeout) -> ProviderError | None:
        """To the end; a connection that broke is given back, so that what arrived before is written."""
        chunks = alive(self._arrival.body.chunks(), self._flow.stall_s)
        broke_off: ProviderError | None = None
        try:
            if self._arrival.overlap:
                await self._compare(chunks)
            async for chunk in chunks:
                await self._pay(len(chunk), watchdog)
                self._take(chunk)
                if self._judged and (
                    self._size >= self._flow.block_bytes() or time.monotonic() - self._since >= BLOCK_S
                ):
                    await self._hand_on(group, watchdog)
        except Unreachable as error:
            broke_off = error
        if not self._judged:
            if broke_off is not None:
                self._block.clear()
            else:
                self._judge(complete=self._size <= PREFIX_BYTES)
        if self._blocks is not None:
            await self._blocks.put(None)
        return broke_off or self._is_short()

    def _is_short(self) -> ProviderError | None:
        """An answer may say where it ends, and not how long it is. Raises Moved when it goes on beyond."""
        end = self._arrival.end
        if end is None or self._meter.received == end:
            return None
        if self._meter.received > end:
            raise Moved
        return Unreachable(f"the service broke off the answer: {end - self._meter.received} bytes are missing")

    async def last_block(self, *, is_whole: bool) -> list[bytes]:
        """What was collected last."""
        if self.anew and (self._block or is_whole):
            await self._drop()
        return self._take_block()

    async def _drop(self) -> None:
        await self._flow.on_disk(self._part.start_over)
        self.anew = False

    def _take_block(self) -> list[bytes]:
        block, self._block = self._block, []
        self._size, self._since = 0, time.monotonic()
        return block

    async def write(self, block: list[bytes]) -> None:
        """Hash and write."""
        if block:
            await self._flow.on_disk(self._part.write, block)

    def release(self) -> None:
        """Give back the permits of blocks that were not written."""
        for _ in range(self._permits):
            self._flow.permits.release()
        self._permits = 0

    def _take(self, chunk: bytes) -> None:
        self._block.append(chunk)
        self._size += len(chunk)
        self._meter.received += len(chunk)
        self._meter.arrived += len(chunk)
        if not self._judged and self._size >= PREFIX_BYTES:
            self._judge(complete=False)

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
                    self._take(chunk[same:])
                return
        raise Moved

    async def _hand_on(self, group: asyncio.TaskGroup, watchdog: asyncio.Timeout) -> None:
        await self._flow.permits.acquire()
        self._permits += 1
        if self._blocks is None:
            if self.anew:
                await self._drop()
            self._blocks = asyncio.Queue(QUEUED_BLOCKS)
            group.create_task(self._keep_writing(self._blocks, watchdog))
        await self._blocks.put(self._take_block())

    async def _pay(self, size: int, watchdog: asyncio.Timeout) -> None:
        if self._flow.throttles and not watchdog.expired():
            watchdog.reschedule(None)  # this wait is as long as it has to be
            for throttle in self._flow.throttles:
                await throttle.pay(size)
        _moves(watchdog)

    async def _keep_writing(self, blocks: "asyncio.Queue[list[bytes] | None]", watchdog: asyncio.Timeout) -> None:
        part, told = self._part, self._arrival.told
        while (block := await blocks.get()) is not None:
            await self.write(block)
            self._permits -= 1
            self._flow.permits.release()
            _moves(watchdog)
            now = time.monotonic()
            due = part.size - self._noted_size >= CHECKPOINT_BYTES or now - self._noted_at >= CHECKPOINT_S
            if due and told.condition:
                await self._flow.on_disk(part.checkpoint, told)
                self._meter.durable = part.durable
                self._noted_size, self._noted_at = part.size, now


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


def _moves(watchdog: asyncio.Timeout) -> None:
    if not watchdog.expired():
        watchdog.reschedule(asyncio.get_running_loop().time() + HUNG_S)


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that a person should read: one of the disk before one of the network."""
    nested = (_first(f) if isinstance(f, BaseExceptionGroup) else f for f in failures.exceptions)
    flat = list(nested)
    return next((f for f in flat if isinstance(f, VaultError)), flat[0])
