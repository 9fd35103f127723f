"""One file, proven: from a source that can be resolved again to a file under its final name.

Knows no screen, no database and no provider. The bytes are hashed while they arrive; redirects are followed here, by
hand, so that no credential goes along to another origin; what broke off is continued only when it is the same thing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
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
from vault.errors import DiskFull, WrongBytes
from vault.proof import Check, Outcome, Proof, check_checksum, check_length
from vault.transfers import ranges
from vault.transfers.container import check_container
from vault.transfers.part import Part
from vault.transfers.pouring import PREFIX_BYTES, Arrival, Flow, Meter, Moved, alive, pour
from vault.transfers.ranges import StartOver, Validator

MAX_REDIRECTS = 5
OVERLAP_BYTES = 4096
"""So many of the bytes that are here are asked for again when a transfer is continued, and compared."""
MAX_RESUMES = 20
"""Within one call, and only while each brings bytes; the queue gives further attempts later."""


@dataclass(frozen=True, slots=True)
class Work:
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
    proof = await transfer.prove(*await transfer.complete(known))
    if proof is None:  # the beginning was from an earlier transfer: perhaps that is what is wrong
        await work.flow.on_disk(part.start_over)
        proof = await transfer.prove(*await transfer.complete(None), final=True)
        assert proof is not None
    await work.flow.on_disk(_publish, work, part, proof)
    return proof


def _begin(part: Part) -> Validator | None:
    """What is here of an earlier attempt, ready to be continued; None: nothing that can be."""
    known = part.saved()
    return known if known is not None and part.take_up() else None


def _publish(work: Work, part: Part, proof: Proof) -> None:
    work.prepare(proof)
    part.publish()
    work.commit(proof)


class _Transfer:
    """One call of `fetch`: what it is about, and the steps it is made of."""

    def __init__(self, work: Work, part: Part, meter: Meter) -> None:
        self._work = work
        self._part = part
        self._meter = meter
        self._on_disk = work.flow.on_disk

    async def complete(self, known: Validator | None) -> tuple[Source, Validator]:
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

    async def _attempt(self, known: Validator | None) -> tuple[Source, Validator]:
        source = await self._work.resolve()
        if known is not None and source.resumable and self._part.size:
            done = await self._request(source, known)
            if done is not None:
                return source, done
            source = await self._work.resolve()
        if not self._part.is_blank:
            await self._on_disk(self._part.start_over)
        done = await self._request(source, None)
        if done is None:
            raise BadAnswer("the service answers with a part of the file where all of it was asked for")
        return source, done

    async def _request(self, source: Source, known: Validator | None) -> Validator | None:
        """One request, redirects followed. None: what is here cannot be continued, all of it must be asked for."""
        url, headers, overlap = source.url, dict(source.headers), b""
        if known is not None:
            overlap = await self._on_disk(self._part.tail, OVERLAP_BYTES)
            headers |= {"Range": f"bytes={self._part.size - len(overlap)}-", "If-Range": known.condition}
        for _ in range(MAX_REDIRECTS + 2):
            async with self._work.opener.open(url, headers) as body:
                location = body.headers.get("location", "")
                if body.status in REDIRECTS and location:
                    url = _next_hop(url, location)
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

    async def _receive(self, body: Body, source: Source, known: Validator | None, overlap: bytes) -> Validator | None:
        part, meter = self._part, self._meter
        asked = part.size - len(overlap) if known is not None else 0
        meaning = ranges.decide(body.status, body.headers, asked, known)
        if isinstance(meaning, StartOver):
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
        if meaning.start != asked:
            overlap = b""
            await self._on_disk(part.start_over)
        elif known is not None:
            told = told.or_else(known)
        meter.received, meter.total = part.size, told.total
        meter.words = _advice(source, told.total) or meter.words
        _check_space(part, told.total)
        try:
            await pour(Arrival(body, source, told, overlap), part, meter, self._work.flow)
        except Moved:
            return None
        return told

    async def prove(self, source: Source, known: Validator, *, final: bool = False) -> Proof | None:
        """Check what arrived. Raises when it is wrong; None where its beginning was from an earlier transfer."""
        part = self._part
        checks, sha256 = await self._on_disk(_checks, part, source, known, self._work.extension)
        failed = [check.words for check in checks if check.outcome is Outcome.FAILED]
        if failed:
            resumed = part.resumed
            await self._on_disk(part.spoil)
            if resumed and not final:
                return None
            if known.total is None:
                raise Unreachable(f"{'; '.join(failed)} (the service stated no length: perhaps it broke off)")
            raise WrongBytes("; ".join(failed))
        origin, advice = Origin.of(source.url), _advice(source, part.size)
        noted = (Check("advice", Outcome.NOT_STATED, advice),) if advice else ()
        return Proof(part.size, sha256, checks + noted, self._work.now(), str(origin))


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


def _checks(part: Part, source: Source, known: Validator, extension: str) -> tuple[tuple[Check, ...], str]:
    part.to_disk()
    sha256 = part.digest.hexdigest()
    with part.reader() as file:
        container = check_container(extension, file)
    return (check_length(part.size, known.total), check_checksum(sha256, source.checksum), container), sha256
