"""`listen`: receives webhooks, and processes them, without a screen. What it does is told in JSON lines on stderr."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from providers.text import safe_text
from tui.commandline.arguments import Commands, command, json_option
from tui.commandline.output import Output
from tui.commandline.service_log import ServiceLog, told_in
from tui.commandline.session import FAULTS, Usage, on_loop
from vault.errors import VaultError
from vault.presence import Presence

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.inbox.binding import Listening
    from vault.inbox.receiver import Receiver
    from vault.inbox.views import AddressView
    from vault.inbox.worker import Worker

LOOK_S = 0.5
"""How often it is looked for what a person should know."""
DUE_S = 3.0
"""So long, at the end, is processed what is due."""
AGAIN_S = 5.0
"""Until processing begins again after a fault of ours."""
_EXAMPLES = """\
  reeldesk listen                                   # as [receiver] says, else 127.0.0.1:8787
  reeldesk listen --host 0.0.0.0 --port 8443 --tls-cert cert.pem --tls-key key.pem
  reeldesk listen 2>> listen.jsonl"""


def add(commands: Commands) -> None:
    """Add the command."""
    listen = command(commands, "listen", "receive webhooks, without a screen", run, _EXAMPLES)
    listen.add_argument("--host", metavar="H", help="the address of this machine to listen on")
    listen.add_argument("--port", metavar="P", type=port, help="the port; 0: any free one")
    listen.add_argument("--tls-cert", metavar="F", type=Path, help="HTTPS: a file with the certificate and its chain")
    listen.add_argument("--tls-key", metavar="F", type=Path, help="its private key, readable by its owner alone")
    listen.add_argument(
        "--allow-plain", action="store_true", help="plain HTTP on other addresses than loopback, too: it can be read"
    )
    json_option(listen)


def port(text: str) -> int:
    """A port on the command line, for argparse."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: from 1 to 65535, or 0 for any free one")
    return int(text)


def run(args: argparse.Namespace, out: Output) -> int:
    """Receive and process until a signal ends it."""
    if (args.tls_cert is None) != (args.tls_key is None):
        raise Usage("--tls-cert and --tls-key belong together: name both, or none")
    return on_loop(args.environ, lambda desk: listen(desk, args, out))


async def listen(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    """Say where each account is to be called, then receive. Raises Usage, VaultError when it cannot listen."""
    if not await desk.webhooks.addresses():
        raise Usage(f"no account in {desk.config.path} receives anything; `reeldesk demo` shows what one can do")
    log = ServiceLog(desk.now)
    try:
        with told_in(log):
            serving = asyncio.create_task(
                _serve(desk, _listening(desk, args), log, lambda: _say_where(desk, args.json, out))
            )
            try:
                await asyncio.wait((serving,))
            finally:
                fault = await _ended(serving)
                if fault is not None and not isinstance(fault, FAULTS):
                    log.unforeseen(fault)
            if isinstance(fault, FAULTS):
                raise fault
    finally:
        await asyncio.to_thread(log.close)
    return 1  # by itself it ends for a fault only


def _listening(desk: "Desk", args: argparse.Namespace) -> "Listening":
    """As configured, but for what was said on the command line."""
    listening = desk.webhooks.listening()
    host = listening.host if args.host is None else args.host
    number = listening.port if args.port is None else args.port
    plain = listening.allow_plain or args.allow_plain
    listening = replace(listening, host=host, port=number, allow_plain=plain)
    if args.tls_cert is None:
        return listening
    return replace(listening, tls_cert=args.tls_cert.absolute(), tls_key=args.tls_key.absolute())


async def _serve(
    desk: "Desk", listening: "Listening", log: ServiceLog, say_where: Callable[[], Coroutine[None, None, None]]
) -> None:
    webhooks = desk.webhooks
    presence = await asyncio.to_thread(Presence, desk.config.data / "workers")
    worker = webhooks.new_worker(presence)
    receiver = webhooks.new_receiver(listening, kept=worker.nudge, tell=log.request, broke=log.unforeseen)
    tasks: list[asyncio.Task[None]] = []
    try:
        listens = asyncio.Event()
        tasks.append(asyncio.create_task(receiver.run(listens.set)))
        await _either(tasks[0], listens)
        webhooks.listens_on = receiver.view().address
        await say_where()
        log.say("listening", address=receiver.view().address)
        _tell_who_fetches(desk, log)
        tasks.append(asyncio.create_task(_process(worker, log)))
        await _watch(receiver, worker, tasks[0], log)
    finally:
        if webhooks.listens_on:
            log.say("stopping")
        for task in tasks:  # first the one that brings more; what is under way is answered
            await _ended(task)
        if webhooks.listens_on:
            await _process_due(worker, log)
            log.say("stopped")
        webhooks.listens_on = ""
        await asyncio.to_thread(presence.close)


async def _either(receiving: "asyncio.Task[None]", listens: asyncio.Event) -> None:
    """Until it listens. Raises VaultError when it cannot."""
    listening = asyncio.create_task(listens.wait())
    try:
        await asyncio.wait((receiving, listening), return_when=asyncio.FIRST_COMPLETED)
    finally:
        listening.cancel()
    if receiving.done():
        await receiving


async def _ended(task: "asyncio.Task[None]") -> BaseException | None:
    """Cancel a task, wait for its end, and give the fault that it ended with."""
    task.cancel()
    await asyncio.wait((task,))
    return None if task.cancelled() else task.exception()


async def _say_where(desk: "Desk", as_json: bool, out: Output) -> None:
    for view in await desk.webhooks.addresses():
        if as_json:
            out.record(
                {
                    "account": view.account,
                    "service": view.label,
                    "address": view.shown,
                    "guard": view.guard,
                    "problem": view.problem,
                    "catchup": view.is_catchup,
                }
            )
        else:
            out.line(safe_text(in_words(view), 2000))
    out.flush()


def in_words(view: "AddressView") -> str:
    """An account's address and what guards it, or why nothing can come in there."""
    what = view.problem or f"{view.shown} ({view.guard})"
    return f"{view.account} ({view.label}): {what}"


def _tell_who_fetches(desk: "Desk", log: ServiceLog) -> None:
    fetching = [name for name, account in desk.config.accounts.items() if account.auto_fetch]
    if fetching:
        names = ", ".join(fetching)
        log.say("note", words=f"what is announced for {names} is queued; `reeldesk work` or an open desk fetches it")


async def _watch(receiver: "Receiver", worker: "Worker", receiving: "asyncio.Task[None]", log: ServiceLog) -> None:
    """Tell of trouble, and that it is over, as it comes; until receiving ends, which it does not by itself."""
    told = {"receiving": "", "processing": ""}
    while not receiving.done():
        for subject, words in (("receiving", receiver.view().words), ("processing", worker.trouble)):
            if words != told[subject]:
                log.say("trouble" if words else "trouble over", subject=subject, words=words or told[subject])
            told[subject] = words
        await asyncio.wait((receiving,), timeout=LOOK_S)
    await receiving


async def _process(worker: "Worker", log: ServiceLog) -> None:
    """Process, and begin again after a fault of ours: what comes in is kept in any case."""
    while True:
        running = asyncio.create_task(worker.run())
        try:
            await asyncio.wait((running,))
        finally:
            fault = await _ended(running)
            if fault is not None:
                log.unforeseen(fault)
        await asyncio.sleep(AGAIN_S)


async def _process_due(worker: "Worker", log: ServiceLog) -> None:
    """What is due, for a short while; the rest waits in the ledger for whoever runs next."""
    draining = asyncio.create_task(worker.drain())
    await asyncio.wait((draining,), timeout=DUE_S)
    if not draining.done():
        log.say("note", words="not everything that waits was processed; whoever runs next does it")
    fault = await _ended(draining)
    if isinstance(fault, VaultError):
        log.say("trouble", subject="processing", words=fault.words)
    elif fault is not None:
        log.unforeseen(fault)
