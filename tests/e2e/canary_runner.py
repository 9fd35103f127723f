"""`python -m tests.e2e.canary_runner`: runs many commands, each in a process of its own, with everything logged.

It reads a list of Step from stdin and starts each by a fork, since importing the program takes longer than most of
them. What each writes goes to the files OUT.stdout, OUT.stderr and OUT.log; the last is what somebody sees who switches
on every log of every library, without a formatter of ours. At the end it prints the exit statuses, one a line.
"""

import json
import logging
import os
import runpy
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.e2e import canary_faults

NAMES = ("", "asyncio", "aiohttp", "httpx", "httpcore", "keyring", "textual", "uvicorn", "uvicorn.error", "markdown_it")
"""Loggers that are switched on; the root is the first."""
LIMIT_S = 60


@dataclass(frozen=True)
class Step:
    """A command: its arguments, what comes on its stdin, where its output goes, and the fault to be put into it."""

    argv: tuple[str, ...]
    out: str
    stdin: str = ""
    fault: str = ""


def plan(steps: list[Step]) -> bytes:
    """The steps, for stdin: never in arguments."""
    return json.dumps([asdict(step) for step in steps]).encode()


def log_everything(path: str) -> None:
    """Every record of every logger goes to a file, as libraries made it."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(threadName)s %(message)s %(args)r"))
    logging.getLogger().addHandler(handler)
    for name in NAMES:
        logging.getLogger(name).setLevel(logging.DEBUG)


def _run(step: Step) -> None:
    """In the new process: never returns."""
    status = 70
    try:
        for number, suffix in ((1, "stdout"), (2, "stderr")):
            opened = os.open(f"{step.out}.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(opened, number)
        reading, writing = os.pipe()
        os.write(writing, step.stdin.encode())
        os.close(writing)
        os.dup2(reading, 0)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        if step.fault:
            canary_faults.put_in(step.fault)
        else:
            log_everything(f"{step.out}.log")
        signal.alarm(LIMIT_S)
        sys.argv = ["reeldesk", *step.argv]
        runpy.run_module("tui", run_name="__main__", alter_sys=False)
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        kind, fault, trace = sys.exc_info()
        if kind is not None and fault is not None:  # as Python itself would end: by the hook, whoever set it
            sys.excepthook(kind, fault, trace)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Run the steps, one after the other."""
    steps = [Step(**each) for each in json.load(sys.stdin)]
    for each in ("httpx", "aiohttp", "cryptography.hazmat.primitives.ciphers.aead", "keyring", "vault.desk"):
        __import__(each)
    for step in steps:
        began = time.monotonic()
        pid = os.fork()
        if not pid:
            _run(step)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(status, f"{time.monotonic() - began:.2f} s", Path(step.out).name, *step.argv, flush=True)


if __name__ == "__main__":
    main()
