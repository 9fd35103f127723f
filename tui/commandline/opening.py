"""Opening the desk, and `work`: the same engine without a screen."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from providers.models import AssetId
from tui.commandline.arguments import Commands, command
from tui.commandline.output import Output
from tui.commandline.session import Usage, supervise
from vault.views import TransferState, TransferView

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.engine import Engine

LOOK_S = 0.5
"""How often `work --drain` looks whether the queue is empty."""
_BUSY = (TransferState.QUEUED, TransferState.RUNNING, TransferState.WAITING)
_WORK = """\
  reeldesk work            # until interrupted, as a service
  reeldesk work --drain    # until the queue is empty"""


def add(commands: Commands) -> None:
    """Add the command."""
    work = command(commands, "work", "run the engine alone: queue, sync, watch", run_work, _WORK)
    work.add_argument("--drain", action="store_true", help="end when the queue is empty")


def run_desk(args: argparse.Namespace, out: Output) -> int:
    """Open the desk over what is configured."""
    return open_desk(os.environ)


def open_desk(environ: Mapping[str, str], banner: str = "") -> int:
    """Open the desk and give its exit status; `banner` is shown as long as it is open."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("the desk needs a terminal; `reeldesk list` and the other commands do not (`reeldesk --help`)")
    for name in ("TEXTUAL", "TEXTUAL_LOG"):  # its log has every key that is pressed, in a password field too
        os.environ.pop(name, None)
    from tui.app import DeskApp
    from vault.desk import Desk
    from vault.engine import Engine

    desk = Desk.open(environ)
    try:
        app = DeskApp(Engine(desk), banner=banner)
        app.run()
        return app.return_code or 0
    finally:
        desk.close()


def run_work(args: argparse.Namespace, out: Output) -> int:
    """Run the engine until a signal ends it; with --drain, until nothing is left to do."""
    from vault.desk import Desk
    from vault.engine import Engine

    desk = Desk.open(os.environ)
    try:
        return supervise(_work(Engine(desk), args.drain, out))
    finally:
        desk.close()


async def _work(engine: "Engine", drain: bool, out: Output) -> int:
    failed_before = _failed(engine.desk)
    running = asyncio.create_task(asyncio.to_thread(engine.run))
    try:
        while not running.done() and not (drain and _is_idle(engine)):
            await asyncio.wait((running,), timeout=LOOK_S)
    finally:
        engine.stop()
        await running
    for identity, transfer in _failed(engine.desk).items():
        if failed_before.get(identity) != transfer:
            out.fail(str(identity), transfer.words)
    return out.status


def _is_idle(engine: "Engine") -> bool:
    return not engine.snapshot().syncing and not any(each.state in _BUSY for each in engine.desk.transfers())


def _failed(desk: "Desk") -> dict[AssetId, TransferView]:
    return {each.asset: each for each in desk.transfers() if each.state is TransferState.FAILED}
