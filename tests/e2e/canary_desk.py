"""`python -m tests.e2e.canary_desk OUT [FAULT FILE]`: the desk with everything logged and pictured, or a fault in it.

OUT.log has every record of every library's log, OUT.messages every message that Textual's hook for them sees (without
the keys and what is pasted, which the terminal sends), OUT-N.svg what Textual's screenshot shows, twice a second.
"""

import runpy
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual import events
from textual._context import message_hook
from textual.message import Message

from providers.secret import Secret
from tests.e2e.canary_faults import break_down
from tests.e2e.canary_runner import log_everything
from tui import app
from tui.screens.desk import DeskScreen
from vault.desk import Desk

KEY = "f"
"""It breaks the desk, where a fault was asked for."""


def watch(out: str) -> None:
    """Write down what can be."""
    log_everything(f"{out}.log")
    messages = Path(f"{out}.messages").open("w", encoding="utf-8")  # noqa: SIM115  # until the process ends

    def hear(message: Message) -> None:
        if not isinstance(message, events.Key | events.Paste):
            messages.write(f"{message!r} {list(getattr(message, '__rich_repr__', list)() or ())}\n")
            messages.flush()

    message_hook.set(hear)
    poll, seen = app.DeskApp._poll, list[str]()

    def pictured(self: app.DeskApp) -> None:
        poll(self)
        picture = self.export_screenshot()
        if picture not in seen[-1:]:
            seen.append(picture)
            Path(f"{out}-{len(seen):03d}.svg").write_text(picture, "utf-8")

    app.DeskApp._poll = pictured  # type: ignore[method-assign]  # to look, twice a second


def _in_a_handler(secret: Secret) -> None:
    DeskScreen.do_list_faults = lambda self: break_down(secret, "a handler")  # type: ignore[method-assign]


def _in_a_worker(secret: Secret) -> None:
    async def broken() -> None:
        break_down(secret, "a worker")

    DeskScreen.do_list_faults = lambda self: self.run_worker(broken())  # type: ignore[method-assign,assignment]


def _in_a_thread(secret: Secret) -> None:
    def start(self: DeskScreen) -> None:
        self.run_worker(lambda: break_down(secret, "a thread"), thread=True)

    DeskScreen.do_list_faults = start  # type: ignore[method-assign]


def _in_a_bare_thread(secret: Secret) -> None:
    def start(self: DeskScreen) -> None:
        threading.Thread(target=break_down, args=(secret, "a bare thread")).start()

    DeskScreen.do_list_faults = start  # type: ignore[method-assign]


def _on_the_engines_loop(secret: Secret) -> None:
    async def sync(self: Desk, account: str) -> Any:
        break_down(secret, "the engine")

    def start(self: DeskScreen) -> None:
        self.run_worker(self.context.ask(lambda desk: desk.sync("advice")))

    Desk.sync = sync  # type: ignore[method-assign]
    DeskScreen.do_list_faults = start  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[Secret], None]] = {
    "handler": _in_a_handler,
    "worker": _in_a_worker,
    "thread": _in_a_thread,
    "bare": _in_a_bare_thread,
    "engine": _on_the_engines_loop,
}


def main() -> None:
    """Open the desk as `python -m tui` does."""
    out, *fault = sys.argv[1:]
    if fault:
        FAULTS[fault[0]](Secret(Path(fault[1]).read_text("utf-8")))
    else:
        watch(out)
    sys.argv = ["reeldesk"]
    runpy.run_module("tui", run_name="__main__")


if __name__ == "__main__":
    main()
