"""Fetches whatever is queued, in a process that can be killed: one child for each order that comes on stdin.

An order is a line of JSON: `environ` for the desk, `ahead_s` of its clock, and `die_at`: the number of the disk
operation at which it kills itself (0: never). Printed for each: the child's process id, then its exit code.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import providers.flexperto.client  # noqa: F401  # loaded once here, for all children
from vault.desk import Desk
from vault.ledger.database import Database
from vault.transfers import fetch
from vault.views import LocalState, Query

OPERATIONS = ("open", "mkdir", "pwrite", "ftruncate", "fsync", "link", "unlink", "replace")


def count_down(operations: int) -> None:
    """Make this process kill itself at the disk operation (or the ledger's transaction) with this number."""
    left = [operations]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))
    Database.write = counted(Database.write)  # type: ignore[method-assign]  # for this process alone


async def work(environ: dict[str, str], ahead_s: float, die_at: int) -> None:
    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead_s)

    desk = Desk.open(environ, now=now)
    if die_at:
        count_down(die_at)
    desk.enqueue([asset.identity for asset in desk.assets(Query(local=LocalState.ABSENT))])
    await desk.new_queue().run(drain=True)
    await desk.aclose()
    desk.close()


def main() -> None:
    # Quick rhythms, so that a moment of the tests is long for it.
    fetch.BLOCK_S = fetch.CHECKPOINT_S = 0.02
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(work(order["environ"], order["ahead_s"], order["die_at"]))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    sqlite3.connect(":memory:").close()
    main()
