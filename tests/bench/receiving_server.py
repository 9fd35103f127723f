"""The receiver in a process of its own, and beside it the same application with another way of keeping.

python -m tests.bench.receiving_server VARIANT FOLDER   receives until its standard input ends.

It prints its port, and at the end what it used, as JSON. Only the writer differs between the variants: routes,
deadlines, signatures, reading and redacting are the same code.
"""

import asyncio
import json
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from providers.cronofy.emulator import API_KEY
from tests.bench.ours import memory
from vault.desk import Desk
from vault.inbox import receiver as receiving
from vault.inbox.receiver import Receiver
from vault.ledger.deliveries import Kept, Receipt
from vault.presence import Presence

ACCOUNT = "agents"
PATH = f"/hooks/{ACCOUNT}"
BASE = "http://127.0.0.1:9"
"""Where the recordings are said to be; nobody asks there."""
OURS = "reeldesk"
PROCESSING = "… and processes them"
WITHOUT = "the same without storage"
NAIVE = "an insert a request"
VARIANTS = (OURS, PROCESSING, WITHOUT, NAIVE)
CONFIG = """\
[vault]
path = "vault"
[receiver]
on = {on}
port = {port}
rate_per_s = 1000000
[accounts.{account}]
provider = "cronofy"
base_url = "{base}"
poll_s = 0
"""

Keep = Callable[[Sequence[Receipt]], tuple[Kept, ...]]


class Unkept:
    """Keeps nothing, and says at once that it did."""

    def __init__(self, keep: Keep) -> None:
        self._count = 0

    async def keep(self, receipt: Receipt) -> Kept:
        self._count += 1
        return Kept(self._count, is_new=True, fence=1)

    def close(self) -> None:
        """Nothing is held."""


class OneByOne:
    """What one writes first: a thread of the pool and a transaction for each request."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    async def keep(self, receipt: Receipt) -> Kept:
        return (await asyncio.to_thread(self._keep, [receipt]))[0]

    def close(self) -> None:
        """Nothing waits."""


def environ(folder: Path, *, on: bool = False, port: int = 8787) -> dict[str, str]:
    """Write a configuration over one account whose webhooks are signed; gives the variables that name it."""
    text = CONFIG.format(on=str(on).lower(), port=port, account=ACCOUNT, base=BASE)
    (folder / "config.toml").write_text(text)
    return {
        "REELDESK_CONFIG": str(folder / "config.toml"),
        "REELDESK_DATA": str(folder / "data"),
        "REELDESK_SECRET_AGENTS_API_KEY": API_KEY,
        "REELDESK_KEYRING": "off",
    }


def writer_of(variant: str) -> type | None:
    """What stands in for the writer; None: nothing does."""
    return {WITHOUT: Unkept, NAIVE: OneByOne}.get(variant)


async def serve(variant: str, desk: Desk) -> Mapping[str, float]:
    """Receive on a free port until standard input ends."""
    other = writer_of(variant)
    if other is not None:
        setattr(receiving, "Writer", other)  # noqa: B010  # the same application, with nothing else exchanged
    listening = replace(desk.webhooks.listening(), port=0)
    presence = Presence(desk.config.data / "workers")
    worker = desk.webhooks.new_worker(presence)
    receiver = desk.webhooks.new_receiver(listening, kept=worker.nudge)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    working = loop.create_task(worker.run()) if variant == PROCESSING else None
    running = loop.create_task(receiver.run(lambda: told(receiver)))

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await asyncio.wait((loop.create_task(ended.wait()), running), return_when=asyncio.FIRST_COMPLETED)
    receiver.stop()
    await running
    if working is not None:
        working.cancel()
        await asyncio.wait((working,))
    presence.close()
    await desk.aclose()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": used.ru_utime + used.ru_stime, "peak_bytes": memory("VmHWM")}


def told(receiver: Receiver) -> None:
    """Say where it listens."""
    print(receiver.view().address.rpartition(":")[2], flush=True)


def main() -> None:
    """Serve."""
    variant, folder = sys.argv[1], Path(sys.argv[2])
    os.umask(0o077)
    desk = Desk.open(environ(folder))
    try:
        print(json.dumps(asyncio.run(serve(variant, desk))))
    finally:
        desk.close()


if __name__ == "__main__":
    main()
