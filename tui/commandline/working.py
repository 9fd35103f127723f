"""`work`: the engine without a screen."""

import argparse
import asyncio
from typing import TYPE_CHECKING

from tui.commandline.arguments import Commands, command
from tui.commandline.output import Output
from tui.commandline.releasing import open_words
from tui.commandline.session import attempt, keeping_secrets, on_loop, supervise, with_desk
from tui.commandline.syncing import sync_all
from tui.commandline.takeover import OPTION, take_over
from vault.presence import Presence
from vault.views import DeliveryState, ReleaseState, TransferState

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.engine import Engine

LOOK_S = 0.5
"""How often a working engine is looked at for what a person should know."""
_ALL = 1_000_000
_NAMED = 1_000
"""Webhooks, newest first, that are named when they could not be processed."""
_EXAMPLES = """\
  reeldesk work            # until interrupted, as a service
  reeldesk work --drain    # sync once, process what webhooks brought, fetch what is queued, send what is due"""


def add(commands: Commands) -> None:
    """Add the command."""
    work = command(commands, "work", "run the engine alone: queue, sync, watch, webhooks", run, _EXAMPLES)
    work.add_argument("--drain", action="store_true", help="sync once, process what waits, end when the queue is empty")
    # A desk that is left starts this; what it is to know comes over stdin, so nobody types it.
    work.add_argument(OPTION, action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the engine until a signal ends it; with --drain, until the queue is empty."""
    if args.handed_over:
        return take_over(out)
    if args.drain:
        return on_loop(args.environ, lambda desk: _drain(desk, out))
    return with_desk(args.environ, lambda desk: supervise(_work(desk, out)))


async def _drain(desk: "Desk", out: Output) -> int:
    await sync_all(desk, list(desk.config.accounts), out)
    await attempt(out, "webhooks", _process_deliveries(desk, out))
    queued = [transfer.asset for transfer in desk.transfers(_ALL) if not transfer.state.ended]
    await desk.new_queue().run(drain=True)
    for identity in queued:
        transfer = desk.transfer(identity)
        if transfer and transfer.state is TransferState.FAILED:
            out.fail(str(identity), transfer.words)
    await attempt(out, "releases", _release(desk, out))
    return out.status


async def _release(desk: "Desk", out: Output) -> None:
    """Carry out the releases that are due, and bring home again what is not whole here. Raises VaultError.

    What is in its grace is left, and said: it is sent by a desk or by `work`, or with the next --drain.
    """
    before = desk.releasing.due()
    await desk.releasing.drain()
    await desk.new_queue().run(drain=True)
    for each in before:
        now = desk.releasing.release_of(each.asset)
        if now and now.state in (ReleaseState.REFUSED, ReleaseState.FAILED):
            out.fail(str(each.asset), f"not released: {now.words}")
        elif now and not now.state.ended:
            out.note(f"{each.asset}: {open_words(now)}")
    if desk.releasing.trouble:
        out.fail("releases", desk.releasing.trouble)


async def _process_deliveries(desk: "Desk", out: Output) -> None:
    """Process the webhooks that wait, whoever received them; what cannot be is named. Raises VaultError."""
    open_ones = (DeliveryState.WAITING, DeliveryState.WORKING)
    waiting = {each.id for each in desk.webhooks.deliveries(limit=_NAMED) if each.state in open_ones}
    presence = await asyncio.to_thread(Presence, desk.config.data / "workers")
    try:
        await desk.webhooks.new_worker(presence).drain()
    finally:
        await asyncio.to_thread(presence.close)
    for each in desk.webhooks.deliveries(limit=_NAMED):
        if each.id in waiting and each.state is not DeliveryState.DONE:
            out.fail(f"webhook {each.id} of {each.account}", f"{each.topic}: {each.outcome or each.state}")


async def _work(desk: "Desk", out: Output) -> int:
    from vault.engine import Engine

    engine, told = Engine(desk), dict[str, str]()
    running = asyncio.create_task(asyncio.to_thread(engine.run))
    try:
        with keeping_secrets(desk.secrets):
            while not running.done():
                _tell(engine, told, out)
                await asyncio.wait((running,), timeout=LOOK_S)
    finally:
        engine.stop()
        await running
    return out.status


def _tell(engine: "Engine", told: dict[str, str], out: Output) -> None:
    """Say once what goes wrong; it is tried again, so it decides nothing about the exit status."""
    now = {account.name: account.error for account in engine.desk.accounts()}
    snapshot = engine.snapshot()
    now |= {"engine": snapshot.trouble, "receiver": snapshot.receiver.words}
    for subject, words in now.items():
        if words and told.get(subject) != words:
            out.note(f"{subject}: {words}")
    told.update(now)
