"""Makes one cell happen and says how it ended."""

import asyncio
import contextlib
import hashlib
import inspect
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.vault.faults.model import Deed, End, Fault
from tests.vault.faults.services import make_service
from tests.vault.faults.stage import Stage
from tests.vault.rawserver import Reply, Seen
from tests.vault.world import until
from vault.ledger.claiming import LONGEST_WAIT_S
from vault.transfers.queue import Queue
from vault.transfers.retrying import PATIENCE_S
from vault.views import LocalState, TransferState

LONG_S = 4.0
"""A wait of more than this is not one between two quick attempts: what waits so long has come to rest."""
WITHIN_S = 20.0
GIVEN_AWAY = ("X-Amz", "Signature", "Traceback", "Error(", "Exception", " object at 0x", "\n")
"""What is never among the words."""


@dataclass(frozen=True)
class Outcome:
    """How a cell ended, and the words that the person read while the fault lasted."""

    end: End
    words: str


async def play(fault: Fault, service: str, mode: str, folder: Path) -> Outcome:
    """Run one cell on a fresh desk. Raises AssertionError when a promise is broken on the way."""
    async with Stage(make_service(service), mode, folder, fault, timeout_s=fault.timeout_s) as stage:
        await stage.service.learn(stage.desk)
        stage.arm()
        await _do(fault.begin, stage)
        assert stage.desk.enqueue([stage.service.identity])
        async with _working(stage):
            if fault.amid is not None:
                await asyncio.wait_for(stage.half.reached.wait(), WITHIN_S)
                await _do(fault.amid, stage)
                stage.half.go.set()
        words = stage.view().words
        if stage.view().state is TransferState.DONE:
            check(fault, stage, held=True)
            end = _how(stage.served, stage)
        else:
            check(fault, stage, held=False)
            check_words(stage, words)
            end = await _go_on(fault, stage)
        assert stage.leaks() == [], "a credential went to another origin"
        return Outcome(end, words)


@contextlib.asynccontextmanager
async def _working(stage: Stage) -> AsyncIterator[None]:
    """A queue works, as a desk's does, until nothing more happens by itself."""
    queue = stage.desk.new_queue()
    stage.desk.queued = queue.nudge
    running = asyncio.create_task(queue.run(patience_s=PATIENCE_S))
    try:
        yield
        await until(lambda: running.done() or _at_rest(stage, queue), WITHIN_S)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def _at_rest(stage: Stage, queue: Queue) -> bool:
    view = stage.view()
    if view.state.ended:
        return True
    if view.state is TransferState.RUNNING or view.again_at is None:
        return False
    wait_s = (view.again_at - stage.clock()).total_seconds()
    if wait_s <= 0 or wait_s > LONGEST_WAIT_S:
        queue.nudge()  # else it looks once a beat
    return LONG_S < wait_s <= LONGEST_WAIT_S


async def _do(deed: Deed | None, stage: Stage) -> None:
    if deed is not None:
        doing = deed(stage)
        if inspect.isawaitable(doing):
            await doing


async def _go_on(fault: Fault, stage: Stage) -> End:
    """The fault is over: what failed is tried again by hand, what waits goes on by itself when its time has come."""
    before = stage.view()
    wait_s = 0.0 if before.again_at is None else (before.again_at - stage.clock()).total_seconds()
    stage.disarm()
    await _do(fault.over, stage)
    served = len(stage.served)
    failed = before.state is TransferState.FAILED
    if failed:
        stage.desk.retry(stage.service.identity)
    else:
        stage.clock.skip(wait_s)
    async with _working(stage):
        pass
    if stage.view().state is not TransferState.DONE:
        check(fault, stage, held=False)
        return End.FAILED_FOR_GOOD
    check(fault, stage, held=True)
    kept = _how(stage.served[served:], stage) is End.RESUMED
    if failed:
        return End.FAILED_KEPT if kept else End.FAILED_ANEW
    return End.WAITS_KEPT if kept else End.WAITS_ANEW


def _how(served: list[tuple[Seen, Reply]], stage: Stage) -> End:
    """By the requests that were made: what was asked last, and what had come before."""
    answers = [(seen, reply) for seen, reply in served if not 300 <= reply.status < 400]
    if answers:
        seen, reply = answers[-1]
        if seen.offset and (reply.status == 206 or "content-range" in {name.lower() for name in reply.headers}):
            return End.RESUMED
    if any(_brought(reply, stage) for _, reply in answers[:-1]):
        return End.RESTARTED
    return End.AGAIN if len(answers) > 1 or stage.view().attempts > 1 else End.FIRST


def _brought(reply: Reply, stage: Stage) -> bool:
    """Whether an answer brought bytes of a file."""
    sent = reply.body if reply.cut is None else reply.body[: reply.cut]
    sent = b"" if reply.late is not None else sent
    return reply.status in (200, 206) and any(sent[:32] in whole for whole in (stage.content, stage.other) if sent)


def check(fault: Fault, stage: Stage, *, held: bool) -> None:
    """What must be so in every cell, at every end."""
    asset = stage.desk.asset(stage.service.identity)
    assert asset is not None
    if not held:
        foreign = [stage.foreign] if stage.foreign else []
        assert asset.local is not LocalState.HELD
        assert stage.finals() == foreign, "a file lies under a final name although nothing was proven"
        return
    assert asset.local is LocalState.HELD
    assert stage.finals() == [Path(asset.path)]
    content = Path(asset.path).read_bytes()
    wanted = stage.content if fault.brings is None else fault.brings(stage)
    assert content == wanted, f"wrong bytes under a final name: {len(content)}, {len(wanted)} were right"
    assert asset.sha256 == hashlib.sha256(content).hexdigest()
    assert asset.proof is not None
    assert (asset.proof.size, asset.proof.sha256) == (len(content), asset.sha256)
    assert stage.parts() == [], "an incomplete file was left beside the whole one"


def check_words(stage: Stage, words: str) -> None:
    """A person can act on them, and they give nothing away."""
    assert words.strip(), "nothing was said"
    assert re.search(r"\?\S", words) is None, "the part of an address behind the question mark may be a secret"
    found = [piece for piece in (*GIVEN_AWAY, *stage.service.hidden()) if piece in words]
    assert not found, f"{found} in {words!r}"
