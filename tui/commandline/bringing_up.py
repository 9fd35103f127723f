"""Opening the vault: a ledger of an older version is brought up; it is told how far that is, and Ctrl+C ends it."""

import signal
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui.commandline.output import Output

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.ledger.migrating import Migrating


class BringingUp:
    """What is told of a migration, on stderr: how far it is on a terminal, else once that it has begun."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._is_told = False
        self.is_asked_to_end = False

    def ask_to_end(self, *_: object) -> None:
        """At the next step; the ledger stays whole, and the next start goes on."""
        self.is_asked_to_end = True

    def tell(self, now: "Migrating") -> None:
        """It is so far. Raises KeyboardInterrupt when it was asked to end."""
        share = min(100 * now.done // max(now.total, 1), 100)
        if self.is_asked_to_end:
            self._out.note(f"interrupted at {share} %; nothing is lost, and the next start goes on from there")
            raise KeyboardInterrupt
        if not self._out.live and not self._is_told:
            self._out.note("the ledger is brought to this version; that can take minutes, and is done once")
        self._is_told = True
        self._out.progress(f"the ledger is brought to this version: {share} % ({now.words}); ctrl+c goes on next time")


def opened(open_with: "Callable[[Callable[[Migrating], None]], Desk]", out: Output | None = None) -> "Desk":
    """What `open_with` opens; it is given whom to tell of a migration. Raises KeyboardInterrupt when interrupted."""
    out = out or Output()
    telling = BringingUp(out)
    # SQLite swallows what a signal raises in the midst of it.
    listens = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, telling.ask_to_end) if listens else None
    try:
        desk = open_with(telling.tell)
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)
        out.progress("")
    if telling.is_asked_to_end:
        desk.close()
        raise KeyboardInterrupt
    return desk


def desk_of(environ: Mapping[str, str]) -> "Desk":
    """The configured desk. Raises ConfigError, LedgerError, KeyboardInterrupt."""
    from vault.desk import Desk

    return opened(lambda watch: Desk.open(environ, on_migration=watch))
