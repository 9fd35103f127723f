"""One file, proven: from a source that can be resolved again to a file under its final name.

Knows no screen, no database and no provider. The bytes are hashed while they arrive; redirects are followed here, by
hand, so that no credential goes along to another origin; what broke off is continued only when it is the same thing.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import urljoin

from msgspec import Struct, field

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
from vault.errors import DiskFull, VaultError, WrongBytes
from vault.proof import Check, Outcome, Proof, check_checksum, check_length
from vault.transfers import ranges
from vault.transfers.container import check_container
from vault.transfers.part import Part
from vault.transfers.pouring import (
    PREFIX_BYTES,
    Arrival,
    Flow,
    Meter,
    Moved,
    alive,
    checkpoint_quietly,
    pour,
)
from vault.transfers.ranges import StartOver, Validator

MAX_REDIRECTS = 5
OVERLAP_BYTES = 4096
"""So many of the bytes that are here are asked for again when a transfer is continued, and compared."""
NOTED_BYTES = 4 << 20
"""A file of this size is noted before it is proven, so that it is not fetched again when that breaks off."""
MAX_RESUMES = 20
"""Within one call, and only while each brings bytes; the queue gives further attempts later."""


class Work(Struct, frozen=True):
    """What a transfer needs. `resolve` is called anew for every request.

    `prepare` writes the proof down before the file gets its final name, `commit` that it got it. Both may block: they
    are called in a thread of `flow`.
    """

    resolve: Callable[[], Awaitable[Source]]
    opener: Opener
    extension: str
    prepare: Callable[[Proof], None]
    commit: Callable[[Proof], None]
    now: Callable[[], datetime]
    flow: Flow = field(default_factory=Flow)


async def fetch(work: Work, part: Part, meter: Meter) -> Proof:
    """Fetch into `part` and publish it. Raises ProviderError or VaultError; what arrived by then is kept to resume.

    When it returns, the file is under its final name and on disk, and its proof was given to `prepare` before and to
    `commit` after that.
    """
    transfer = _Transfer(work, part, meter)
    known = None if part.is_blank else await work.flow.on_disk(_begin, part)
    try:
        return await work.flow.on_disk(_conclude, work, part, await transfer.complete(known))
    except WrongBytes:
        if not part.resumed:
            raise
    # Its beginning was from an earlier transfer: perhaps that is what is wrong.
    await work.flow.on_disk(part.start_over)
    return await work.flow.on_disk(_conclude, work, part, await transfer.complete(None))


class _Whole(Struct, frozen=True):
    """All that was asked for is here; `last` is not written yet."""

    source: Source
    told: Validator
    last: list[bytes]


def _begin(part: Part) -> Validator | None:
    """What is here of an earlier attempt, ready to be continued; None: nothing that can be."""
    known = part.saved()
    return known if known is not None and part.take_up() else None


def _conclude(work: Work, part: Part, whole: _Whole) -> Proof:
    """Check what arrived, and publish it. Raises WrongBytes, Unreachable (no length stated), VaultError."""
    resumable = bool(whole.told.condition)
    try:
        part.write(whole.last)
        if resumable and part.size >= NOTED_BYTES:
            part.checkpoint(whole.told)  # to check its container may take minutes
        else:
            part.to_disk()
        proof = _prove(work, part, whole)
        work.prepare(proof)
        part.publish()
    except WrongBytes:
        raise
    except VaultError:
        if resumable:
            checkpoint_quietly(part, whole.told)
        raise
    work.commit(proof)
    return proof


def _prove(work: Work, part: Part, whole: _Whole) -> Proof:
    source, total = whole.source, whole.told.total
    sha256 = part.digest.hexdigest()
    with part.reader() as file:
        container = check_container(work.extension, file)
    checks = (check_length(part.size, total), check_checksum(sha256, source.checksum), container)
    failed = "; ".join(check.words for check in checks if check.outcome is Outcome.FAILED)
    if failed:
        part.spoil()
        if total is None and not part.resumed:
            raise Unreachable(f"{failed} (the service stated no length: perhaps it broke off)")
        raise WrongBytes(failed)
    advice = _advice(source, part.size)
    noted = (Check("advice", Outcome.NOT_STATED, advice),) if advice else ()
    return Proof(part.size, sha256, checks + noted, work.now(), str(Origin.of(source.url)))


class _Transfer:
    """One call of `fetch`: what it is about, and the steps it is made of."""

    def __init__(self, work: Work, part: Part, meter: Meter) -> None:
        self._work = work
        self._part = part
        self._meter = meter
        self._on_disk = work.flow.on_disk

    async def complete(self, known: Validator | None) -> _Whole:
        """Request until the last byte is here."""
        part, resumes = self._part, 0
        while True:
            before = part.size
            try:
                return await self._attempt(known)
            except ProviderError as error:
                known = await self._on_disk(_begin, part)
                resumes += 1
                if not error.transient or known is None or part.size <= before or resumes > MAX_RESUMES:
                    raise
                self._meter.words = f"resumed at {part.size} bytes: {error.words}"

    async def _attempt(self, known: Validator | None) -> _Whole:
        source = await self._work.resolve()
        if known is not None and source.resumable and self._part.size:
            done = await self._request(source, known)
            if done is not None:
                return done
            source = await self._work.resolve()
        done = await self._request(source, None)
        if done is None:
            raise BadAnswer("the service answers with a range of the file where all of it was asked for")
        return done

    async def _request(self, source: Source, known: Validator | None) -> _Whole | None:
        """One request, redirects followed. None: what is here cannot be continued, all of it must be asked for."""
        url, headers, overlap = source.url, dict(source.headers), b""
        if known is not None:
            overlap = await self._on_disk(self._part.tail, OVERLAP_BYTES)
            headers |= {"Range": f"bytes={self._part.size - len(overlap)}-", "If-Range": known.condition}
        hops = 0
        while hops <= MAX_REDIRECTS:
            async with self._work.opener.open(url, headers) as body:
                location = body.headers.get("location", "")
                if body.status in REDIRECTS and location:
                    url, hops = _next_hop(url, location), hops + 1
                elif known is None:
                    return await self._receive(body, source, None, b"")
                elif "If-Range" in headers and ranges.is_unmoved(body.status, body.headers, known):
                    # Some caches drop Range when there is If-Range; what a 206 then says of itself is compared anyway.
                    del headers["If-Range"]
                elif "If-Range" not in headers and not ranges.is_same(body.status, body.headers, known):
                    return None
                else:
                    return await self._receive(body, source, known, overlap)
        raise Refused(f"the service redirects more than {MAX_REDIRECTS} times")

    async def _receive(self, body: Body, source: Source, known: Validator | None, overlap: bytes) -> _Whole | None:
        part, meter = self._part, self._meter
        asked = part.size - len(overlap) if known is not None else 0
        meaning = ranges.decide(body.status, body.headers, asked, known)
        if isinstance(meaning, StartOver):
            if body.status == 416 and known is None:
                raise BadAnswer("the service answers HTTP 416 (no such range) to a request for all of the file")
            return None
        encoding = body.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise BadAnswer(
                f"the service sends the file in another coding ({encoding[:20]}) although none was asked for"
            )
        if meaning is None:
            await _judge_error(body, source, self._work)
        assert meaning is not None
        told = Validator.of(body.status, body.headers)
        continued = known is not None and meaning.start == asked
        if continued and known is not None:
            told = told.or_else(known)
        anew = not continued and not part.is_blank
        meter.received, meter.total = part.size if continued else 0, told.total
        meter.words = _advice(source, told.total) or meter.words
        if (told.total or 0) - part.size > part.room // 2:  # else there is more than enough: no trip to a thread
            await self._on_disk(_check_space, part, told.total)
        try:
            arrival = Arrival(body, source, told, overlap if continued else b"", anew, meaning.end)
            last = await pour(arrival, part, meter, self._work.flow)
        except Moved:
            return None
        return _Whole(source, told, last)


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


def _advice(source: Source, size: int | None) -> str:
    """What the service advises against in a file of this size, in words; "" when nothing."""
    limit = source.advised_limit
    if limit is None or size is None or size <= limit:
        return ""
    return f"{size} bytes: the service advises against fetching more than {limit} in one file"


async def _judge_error(body: Body, source: Source, work: Work) -> None:
    """Raise what an answer other than 200, 206 and 416 means: in the provider's words, else by its status."""
    prefix = bytearray()
    complete = True
    try:
        async for chunk in alive(body.chunks(), work.flow.stall_s):
            prefix += chunk
            if len(prefix) > PREFIX_BYTES:
                complete = False
                break
    except Unreachable:
        complete = False
    source.judge(Head(body.status, body.headers, bytes(prefix[:PREFIX_BYTES]), complete))
    raise error_for_status(body.status, body.headers, work.now(), subject="the file")


def _check_space(part: Part, total: int | None) -> None:
    missing = (total or 0) - part.size - part.free_bytes()
    if missing > 0:
        raise DiskFull(f"no space for {part.path.name}: {missing} bytes are missing on its disk")
