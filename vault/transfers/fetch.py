"""One file, proven: from a source that can be resolved again to a file under its final name.

Knows no screen, no database and no provider. The bytes are hashed while they arrive; redirects are followed here, by
hand, so that no credential goes along to another origin; what broke off is continued only when it is the same thing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

from providers.base import (
    BadAnswer,
    Body,
    Head,
    Opener,
    ProviderError,
    Refused,
    Source,
    Unreachable,
    error_for_status,
)
from providers.messages import REDIRECTS
from providers.origin import Origin
from vault.errors import VaultError, WrongBytes
from vault.proof import Check, Outcome, Proof, check_checksum, check_length
from vault.transfers import ranges
from vault.transfers.container import check_container
from vault.transfers.part import Part
from vault.transfers.ranges import Complete, StartOver, Validator

MAX_REDIRECTS = 5
PREFIX_BYTES = 64 * 1024
BLOCK_BYTES = 1 << 20
BLOCK_S = 1.0
QUEUED_BLOCKS = 4
CHECKPOINT_BYTES = 32 << 20
CHECKPOINT_S = 5.0
MAX_RESUMES = 20
"""Within one call, and only while each brings bytes; the queue gives further attempts later."""


@dataclass
class Meter:
    """How far a transfer is, in bytes, for whoever watches; written by the transfer alone."""

    received: int = 0
    total: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """What a transfer needs. `resolve` is called anew for every request; `prepare` writes the proof down."""

    resolve: Callable[[], Awaitable[Source]]
    opener: Opener
    extension: str
    prepare: Callable[[Proof], Awaitable[None]]
    now: Callable[[], datetime]


async def fetch(work: Work, part: Part, meter: Meter) -> Proof:
    """Fetch into `part` and publish it. Raises ProviderError or VaultError; what arrived by then is kept to resume.

    When it returns, the file is under its final name and on disk, and `prepare` was given its proof before.
    """
    known = await asyncio.to_thread(part.saved)
    if known is not None:
        await asyncio.to_thread(part.take_up)
    source, known = await _complete(work, part, meter, known)
    proof = await _prove(work, part, source, known)
    if proof is None:  # the beginning was from an earlier transfer: perhaps that is what is wrong
        await asyncio.to_thread(part.start_over)
        source, known = await _complete(work, part, meter, None)
        proof = await _prove(work, part, source, known, final=True)
        assert proof is not None
    await work.prepare(proof)
    await asyncio.to_thread(part.publish)
    return proof


async def _complete(work: Work, part: Part, meter: Meter, known: Validator | None) -> tuple[Source, Validator]:
    """Request until the last byte is here."""
    resumes = 0
    while True:
        before = part.size
        try:
            return await _attempt(work, part, meter, known)
        except ProviderError as error:
            known = await asyncio.to_thread(part.saved)
            resumes += 1
            if not error.transient or known is None or part.size <= before or resumes > MAX_RESUMES:
                raise
            meter.words = f"resumed at {part.size} bytes: {error.words}"
            await asyncio.to_thread(part.take_up)


async def _attempt(work: Work, part: Part, meter: Meter, known: Validator | None) -> tuple[Source, Validator]:
    source = await work.resolve()
    if known is not None and source.resumable and part.size:
        done = await _request(work, source, part, meter, known)
        if done is not None:
            return source, done
        source = await work.resolve()
    await asyncio.to_thread(part.start_over)
    done = await _request(work, source, part, meter, None)
    if done is None:
        raise BadAnswer("the service answers with a part of the file where all of it was asked for")
    return source, done


async def _request(work: Work, source: Source, part: Part, meter: Meter, known: Validator | None) -> Validator | None:
    """One request, redirects followed. None: what is here cannot be continued, the whole file must be asked for."""
    url, headers = source.url, dict(source.headers)
    if known is not None:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": known.condition}
    for _ in range(MAX_REDIRECTS + 2):
        async with work.opener.open(url, headers) as body:
            location = body.headers.get("location", "")
            if body.status in REDIRECTS and location:
                url = _next_hop(url, location)
            elif known is None:
                return await _receive(body, source, part, meter, None, work.now())
            elif "If-Range" in headers and ranges.is_unmoved(body.status, body.headers, known):
                # Some caches drop Range when there is If-Range; what a 206 then says of itself is compared anyway.
                del headers["If-Range"]
            elif "If-Range" not in headers and not ranges.is_same(body.status, body.headers, known):
                return None
            else:
                return await _receive(body, source, part, meter, known, work.now())
    raise Refused(f"the service redirects more than {MAX_REDIRECTS} times")


def _next_hop(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    origin, before = Origin.of(target), Origin.of(url)
    if origin is None:
        raise Refused("the service redirects to an address that is none")
    if before is not None and before.scheme == "https" and origin.scheme != "https":
        raise Refused("the service redirects from https to an address without encryption")
    return target


async def _receive(
    body: Body, source: Source, part: Part, meter: Meter, known: Validator | None, now: datetime
) -> Validator | None:
    offset = part.size if known is not None else 0
    meaning = ranges.decide(body.status, body.headers, offset, known)
    if isinstance(meaning, Complete) and known is not None:
        return known
    if isinstance(meaning, StartOver):
        return None
    encoding = body.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise BadAnswer(f"the service sends the file in another coding ({encoding[:20]}) although none was asked for")
    if meaning is None:
        await _judge_error(body, source, now)
    assert isinstance(meaning, ranges.Body)
    told = Validator.of(body.status, body.headers)
    if meaning.start == 0 and part.size:
        await asyncio.to_thread(part.start_over)
    elif meaning.start and known is not None:
        told = told.or_else(known)
    meter.received, meter.total = part.size, told.total
    meter.words = _advice(source, told.total) or meter.words
    _check_space(part, told.total)
    await _pour(body, source, part, meter, told)
    return told


def _advice(source: Source, size: int | None) -> str:
    """What the service advises against in a file of this size, in words; "" when nothing."""
    limit = source.advised_limit
    if limit is None or size is None or size <= limit:
        return ""
    return f"{size} bytes: the service advises against fetching more than {limit} in one file"


async def _judge_error(body: Body, source: Source, now: datetime) -> None:
    """Raise what an answer other than 200, 206 and 416 means: in the provider's words, else by its status."""
    prefix = bytearray()
    complete = True
    async for chunk in body.chunks():
        prefix += chunk
        if len(prefix) > PREFIX_BYTES:
            complete = False
            break
    source.judge(Head(body.status, body.headers, bytes(prefix[:PREFIX_BYTES]), complete))
    raise error_for_status(body.status, body.headers, now, subject="the file")


def _check_space(part: Part, total: int | None) -> None:
    missing = (total or 0) - part.size - part.free_bytes()
    if missing > 0:
        raise VaultError(f"no space for {part.path.name}: {missing} bytes are missing on its disk")


async def _pour(body: Body, source: Source, part: Part, meter: Meter, told: Validator) -> None:
    """The body into the part: one task reads, one hashes and writes in a thread, a few blocks between them."""
    blocks: asyncio.Queue[list[bytes] | None] = asyncio.Queue(QUEUED_BLOCKS)
    broke_off = None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_write(blocks, part, told))
            broke_off = await _read(body, source, blocks, meter, fresh=part.size == 0)
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    finally:
        # Whatever arrived is worth keeping, also when this is cancelled; a fault of the disk was already raised.
        if told.condition and part.size:
            await asyncio.shield(asyncio.to_thread(_checkpoint_quietly, part, told))
    if broke_off is not None:
        raise broke_off


def _checkpoint_quietly(part: Part, told: Validator) -> None:
    try:
        part.checkpoint(told)
    except VaultError:
        return  # the part is then fetched anew; what stopped the transfer is reported already


async def _read(
    body: Body, source: Source, blocks: "asyncio.Queue[list[bytes] | None]", meter: Meter, *, fresh: bool
) -> ProviderError | None:
    """Hand the body on in blocks; what broke off is given back, so that what arrived before is written."""
    block: list[bytes] = []
    size, since = 0, time.monotonic()
    judged = not fresh or body.status != 200
    try:
        async for chunk in body.chunks():
            block.append(chunk)
            size += len(chunk)
            meter.received += len(chunk)
            if not judged and size >= PREFIX_BYTES:
                source.judge(Head(body.status, body.headers, b"".join(block)[:PREFIX_BYTES], complete=False))
                judged = True
            if judged and (size >= BLOCK_BYTES or time.monotonic() - since >= BLOCK_S):
                await blocks.put(block)
                block, size, since = [], 0, time.monotonic()
    except Unreachable as error:
        await blocks.put(block if judged else [])
        await blocks.put(None)
        return error
    if not judged:
        whole = b"".join(block)
        source.judge(Head(body.status, body.headers, whole[:PREFIX_BYTES], complete=len(whole) <= PREFIX_BYTES))
    await blocks.put(block)
    await blocks.put(None)
    return None


async def _write(blocks: "asyncio.Queue[list[bytes] | None]", part: Part, told: Validator) -> None:
    noted_size, noted_at = part.size, time.monotonic()
    while (block := await blocks.get()) is not None:
        await asyncio.to_thread(part.write, block)
        due = part.size - noted_size >= CHECKPOINT_BYTES or time.monotonic() - noted_at >= CHECKPOINT_S
        if due and told.condition:
            await asyncio.to_thread(part.checkpoint, told)
            noted_size, noted_at = part.size, time.monotonic()


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that a person should read: one of the disk before one of the network."""
    nested = (_first(f) if isinstance(f, BaseExceptionGroup) else f for f in failures.exceptions)
    flat = list(nested)
    return next((f for f in flat if isinstance(f, VaultError)), flat[0])


async def _prove(work: Work, part: Part, source: Source, known: Validator, *, final: bool = False) -> Proof | None:
    """Check what arrived. None: it is wrong and part of it was from an earlier transfer. Raises when it is wrong."""
    await asyncio.to_thread(part.to_disk)
    sha256 = part.digest.hexdigest()
    checks = (
        check_length(part.size, known.total),
        check_checksum(sha256, source.checksum),
        await asyncio.to_thread(_check_container, work.extension, part),
    )
    failed = [check.words for check in checks if check.outcome is Outcome.FAILED]
    if failed:
        resumed = part.resumed
        await asyncio.to_thread(part.spoil)
        if resumed and not final:
            return None
        if known.total is None:
            raise Unreachable(f"{'; '.join(failed)} (the service stated no length: perhaps it broke off)")
        raise WrongBytes("; ".join(failed))
    origin, advice = Origin.of(source.url), _advice(source, part.size)
    noted = (Check("advice", Outcome.NOT_STATED, advice),) if advice else ()
    return Proof(part.size, sha256, checks + noted, work.now(), str(origin))


def _check_container(extension: str, part: Part) -> Check:
    with part.reader() as file:
        return check_container(extension, file)
