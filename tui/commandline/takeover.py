"""What a desk that was left hands over to `work --drain --handed-over`: a process without a screen ends its queue."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from providers.base import ProviderError
from tui import hardening
from tui.commandline.output import Output
from tui.commandline.session import keeping_secrets, supervise
from tui.figures import count
from vault import handover
from vault.errors import VaultError
from vault.views import TransferState

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from providers.models import AssetId
    from vault.desk import Desk
    from vault.transfers.queue import Queue

OPTION = "--handed-over"
PROGRAM = (sys.executable, "-m", "tui", "work", "--drain", OPTION)
AGAIN_S = 5.0
"""Until the ledger is tried again (its disk is full, for one)."""
IDLE_S = 20.0
"""Between two looks for accounts without transfers: an agent's seat is not kept longer than it is used."""
_TOLD = 200
"""Faults that are named in the log, at most: it stays small."""
_ALL = 1_000_000


def hand_over(desk: "Desk", environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a process that goes on with the transfers of a desk opened with `environ`. Raises NotHandedOver."""
    starting = handover.starting_environment(environ, Path(__file__).parents[2])
    return handover.hand_over(handover.knowledge(desk, environ), PROGRAM, starting, desk.config.data)


def take_over(out: Output) -> int:
    """The other side: hear what is handed over, answer, wait until it is let go of, end the queue."""
    hardening.report_without_secrets()  # its stderr is the log, which a person may send on
    from vault.desk import Desk

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is there to outlive the line
    try:
        known = handover.receive(sys.stdin.buffer)
        os.environ.update(known.for_libraries)  # a keyring's library reads it
        desk = Desk.open(known.environ, config_path=known.config)
    except VaultError as fault:
        handover.answer(fault.words)
        raise
    try:
        handover.answer(handover.READY)
        return supervise(finish(desk, out))
    finally:
        desk.secrets.close()
        desk.close()


async def finish(desk: "Desk", out: Output, *, descriptor: int = 0, let_go_s: float = handover.LET_GO_S) -> int:
    """Wait for the end of the pipe `descriptor`, then fetch until the queue is empty, and sign out."""
    try:
        with keeping_secrets(desk.secrets), _locking_on_hang_up(desk):
            if not await handover.let_go(descriptor, let_go_s):
                _log(desk, out, "the desk has not ended; its transfers are taken as it lets go of them")
            return await _end_the_queue(desk, out)
    finally:
        await desk.aclose()


@contextlib.contextmanager
def _locking_on_hang_up(desk: "Desk") -> Iterator[None]:
    """SIGHUP does not end this process: it locks the sealed file, should it have been unlocked here."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, desk.secrets.lock)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


async def _end_the_queue(desk: "Desk", out: Output) -> int:
    undone = [v.asset for v in desk.transfers(_ALL) if not v.state.ended and v.state is not TransferState.PAUSED]
    _log(desk, out, f"took over {count(len(undone), 'transfer')}")
    queue, ended = desk.new_queue(), asyncio.Event()
    resting = asyncio.create_task(rest_idle_accounts(desk, queue, ended))
    try:
        await drain(queue, lambda words: _log(desk, out, words))
    finally:
        ended.set()
        await resting  # not cancelled: a sign-out that was begun is seen through
    _tell(desk, undone, out)
    return out.status


async def drain(queue: "Queue", log: Callable[[str], None], again_s: float = AGAIN_S) -> None:
    """Fetch until nothing is left, with a desk's patience; while the ledger cannot be written, try again."""
    from vault.transfers.retrying import PATIENCE_S

    end, told = asyncio.get_running_loop().time() + PATIENCE_S, 0
    while True:
        try:
            await queue.run(drain=True, patience_s=PATIENCE_S)
            return
        except VaultError as fault:
            if asyncio.get_running_loop().time() > end:
                raise
            told += 1
            if told <= _TOLD:
                log(fault.words)
        await asyncio.sleep(again_s)


async def rest_idle_accounts(desk: "Desk", queue: "Queue", ended: asyncio.Event, every_s: float = IDLE_S) -> None:
    """Until `ended`, sign accounts out that had no transfer at two looks."""
    before = queue.busy
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every_s):
                await ended.wait()
        busy = queue.busy
        for account in () if ended.is_set() else desk.config.accounts.keys() - busy - before:
            with contextlib.suppress(ProviderError):
                await desk.rest(account)
        before = busy


def _tell(desk: "Desk", undone: "list[AssetId]", out: Output) -> None:
    """How it ended, for whoever reads the log."""
    ended = [view for view in map(desk.transfer, undone) if view is not None]
    failed = [view for view in ended if view.state is TransferState.FAILED]
    for view in failed[:_TOLD]:
        out.fail(str(view.asset), view.words)
    done = sum(view.state is TransferState.DONE for view in ended)
    _log(desk, out, f"the queue is empty: {done} fetched, {len(failed)} failed")


def _log(desk: "Desk", out: Output, words: str) -> None:
    out.note(f"{desk.now().astimezone():%Y-%m-%d %H:%M:%S %z}: {words}")
