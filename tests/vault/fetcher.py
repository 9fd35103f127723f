"""Fetches whatever is queued, in a process that can be killed: one child for each order that comes on stdin.

An order is a line of JSON: `environ` for the desk, `die_at`: the number of the moment at which it kills itself
(0: never), and whether it is to `release` what is due before. Moments are counted over all threads: before and after
each operation on the disk, and before, inside and after each transaction of the ledger. Printed for each order: the
child's process id, then its exit code.
"""

import asyncio
import faulthandler
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import providers.flexperto.client  # noqa: F401  # loaded once here, for all children
from tests.vault.world import QUICK
from vault.desk import Desk
from vault.ledger.database import Database
from vault.transfers import pouring
from vault.views import LocalState, Query

OPERATIONS = (
    "open",
    "mkdir",
    "pwrite",
    "ftruncate",
    "fsync",
    "fdatasync",
    "link",
    "unlink",
    "rename",
    "replace",
)


def count_down(die_at: int) -> None:
    """Make this process kill itself at the moment with this number."""
    moments = itertools.count(1)

    def tick() -> None:
        if next(moments) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            tick()
            result = function(*args, **kwargs)
            tick()
            return result

        return call

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))
    write = Database.write

    @contextmanager
    def counted_write(*args: Any, **kwargs: Any) -> Iterator[Any]:
        tick()
        with write(*args, **kwargs) as connection:
            yield connection
            tick()
        tick()

    Database.write = counted_write  # type: ignore[method-assign]  # for this process alone


async def work(environ: dict[str, str], die_at: int, *, release: bool) -> None:
    desk = Desk.open(environ, now=lambda: datetime.now(UTC), rhythm=QUICK)
    if die_at:
        count_down(die_at)
    if release:
        await desk.releasing.drain()
    desk.enqueue([asset.identity for asset in desk.assets(Query(local=LocalState.ABSENT))])
    await desk.new_queue().run(drain=True)
    await desk.aclose()
    desk.close()


def main() -> None:
    faulthandler.enable()  # a child that crashes, or is aborted since it hangs, says where
    # Quick rhythms, so that a moment of the tests is long for it.
    pouring.BLOCK_S = pouring.CHECKPOINT_S = 0.02
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(work(order["environ"], order["die_at"], release=order.get("release", False)))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
