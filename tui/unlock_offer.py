"""At the desk's start the passphrase is asked for once, when accounts wait for it; and the file is locked when idle."""

import os
from typing import TYPE_CHECKING

from textual import events

from tui.beside import beside
from tui.context import FAULTS, Context
from tui.first_paint import TellsFirstPaint
from tui.screens.base import ModeScreen
from vault.secrets import SEALED_NAME

if TYPE_CHECKING:
    from vault.desk import Desk

QUIET_S = 0.5
"""Nobody reads what opened, and answers it, in less; what comes sooner was typed for the desk."""
IDLE_LOOK_S = 60.0


class OffersUnlocking(TellsFirstPaint):
    """The desk opens first, whatever is locked; then the passphrase is asked for over it, once.

    Not when somebody is at work already: keys on their way must not fall into a field, nor a passphrase into the desk.
    """

    context: Context
    keys_seen: int = 0

    async def on_event(self, event: events.Event) -> None:
        """Notice that somebody is at work."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self.keys_seen += 1
        await super().on_event(event)

    def on_key(self, event: events.Key) -> None:
        """A key that came in one burst with the one that opened the question."""
        overhear = getattr(self.screen, "overhear", None)  # its class is loaded when somebody is asked
        if overhear is not None:
            overhear(event)

    def on_mount(self) -> None:
        """From now on it is locked when idle."""
        self.set_interval(IDLE_LOOK_S, self._lock_if_idle)

    def first_painted(self) -> None:
        """Ask, if there is anything to ask for."""
        super().first_painted()
        beside(self, self._offer, "offer")

    def _lock_if_idle(self) -> None:
        self.context.desk.secrets.lock_if_idle()

    async def _offer(self) -> None:
        try:
            names = await self.context.read(_waiting, self.context.desk)
        except FAULTS:
            return  # the accounts tell of it
        if names:
            self.call_after_refresh(self._ask, names)

    def _ask(self, names: tuple[str, ...]) -> None:
        if self.keys_seen or not isinstance(self.screen, ModeScreen):
            self._later(names)
            return
        from tui.screens.unlock import UnlockScreen

        def answered(opened: bool | None) -> None:
            if opened:
                self._words(f"unlocked; asking {', '.join(names)}", "info")
            else:
                self._later(names)

        self.push_screen(UnlockScreen(self.context, waiting=names, quiet_s=QUIET_S), answered)

    def _later(self, names: tuple[str, ...]) -> None:
        self._words(f"6, then L, unlocks the sealed file; without a secret until then: {', '.join(names)}", "warn")

    def _words(self, said: str, ink: str) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ModeScreen):
                screen.say(said, ink)


def _waiting(desk: "Desk") -> tuple[str, ...]:
    """The accounts that wait for the passphrase. Without a file nothing at all is looked up for this."""
    if not os.path.lexists(desk.config.data / SEALED_NAME):
        return ()
    from tui.secret_words import locked_out

    return locked_out(desk)
