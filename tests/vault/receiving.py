"""Receives webhooks, in a process that can be killed: one child for each order that comes on stdin.

An order is a line of JSON: `environ` for the desk, and `die_at`: the number of the moment at which it kills itself (0:
never), counted as in `tests.vault.fetcher`. Printed for each order: the child's process id, then its exit code.
"""

import faulthandler
import json
import os
import sys
from datetime import UTC, datetime

import cryptography.fernet  # noqa: F401  # loaded once here, for all children
import uvicorn  # noqa: F401

import providers.cronofy.client
import providers.flexperto.client
import providers.temasys.client  # noqa: F401
import vault.inbox.receiver  # noqa: F401
from tests.vault.fetcher import count_down
from tests.vault.world import QUICK
from vault.desk import Desk
from vault.engine import Engine


def receive(environ: dict[str, str], die_at: int) -> None:
    """A working engine with its receiver, until it is killed."""
    desk = Desk.open(environ, now=lambda: datetime.now(UTC), rhythm=QUICK)
    if die_at:
        count_down(die_at)
    Engine(desk, sync_at_start=False).run()


def main() -> None:
    """Serve orders."""
    faulthandler.enable()  # a child that crashes says where
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                receive(order["environ"], order["die_at"])
            finally:
                os._exit(1)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
