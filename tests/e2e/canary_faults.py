"""Faults of ours that nobody foresaw: put in by name, each has a secret in its local variables and in its text."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from providers.secret import Secret


class Unforeseen(Exception):
    """What nobody catches."""


def break_down(secret: Secret, where: str) -> NoReturn:
    """Raise with the secret in local variables, in the text, and in the text of the cause."""
    text = secret.reveal()
    held = {"api-key": text, "Authorization": f"Bearer {text}"}
    try:
        raise KeyError(text)
    except KeyError as cause:
        raise Unforeseen(f"{where} failed: {held} while sending {text}", text) from cause


def put_in(fault: str) -> None:
    """Put a fault in: `WHERE FILE`, FILE holds the secret."""
    where, _, path = fault.partition(" ")
    FAULTS[where](Secret(Path(path).read_text("utf-8")))


def _in_a_command(secret: Secret) -> None:
    from vault.desk import Desk

    def accounts(self: Any) -> NoReturn:
        break_down(secret, "a command")

    Desk.accounts = accounts  # type: ignore[method-assign]  # the fault


def _in_a_thread(secret: Secret) -> None:
    from vault.desk import Desk

    before = Desk.accounts

    def accounts(self: Desk) -> Any:
        thread = threading.Thread(target=break_down, args=(secret, "a thread"), name="faulty")
        thread.start()
        thread.join()
        return before(self)

    Desk.accounts = accounts  # type: ignore[method-assign]  # the fault


def _in_a_task(secret: Secret) -> None:
    """In a task that nobody waits for, and in a callback of the loop."""
    from vault.desk import Desk

    before = Desk.sync

    async def broken() -> None:
        break_down(secret, "a task")

    async def sync(self: Desk, account: str) -> Any:
        asyncio.get_running_loop().call_soon(break_down, secret, "a callback")
        task: asyncio.Task[None] | None = asyncio.create_task(broken())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
        return await before(self, account)

    Desk.sync = sync  # type: ignore[method-assign]  # the fault


FAULTS: dict[str, Callable[[Secret], None]] = {"command": _in_a_command, "thread": _in_a_thread, "task": _in_a_task}
