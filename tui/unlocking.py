"""What needs the sealed file is done, and done again once it was unlocked or made; nothing waits for it meanwhile."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tui.context import Context
from tui.screens.menu import MenuScreen
from tui.screens.unlock import Purpose, UnlockScreen
from tui.secret_words import locked_out
from vault.passphrase import NoSealedFile, SealedLocked

if TYPE_CHECKING:
    from textual.app import App

    from tui.screens.base import ModeScreen

T = TypeVar("T")
_MAKE, _KEEP = "in a sealed file: you choose its passphrase", "in memory, until the desk is left"


class Asking(Protocol):
    """A screen that can ask."""

    context: Context

    @property
    def app(self) -> "App[Any]":
        """Where modals are pushed."""


async def unlocked(
    screen: Asking, act: Callable[[], Awaitable[T]], *, keep: Callable[[], Awaitable[T]] | None = None
) -> T | None:
    """What `act` gives; where it needs the sealed file, a person is asked to unlock or make it, and it is done again.

    `keep`: what is done instead where there is no store and "in memory for this run" is chosen; None: not offered. To
    be awaited in a worker. None when the person gave up; raises what `act` raises otherwise.
    """
    while True:
        try:
            return await act()
        except NoSealedFile as fault:
            chosen = await screen.app.push_screen_wait(_choice(fault.words, keep is not None))
            if chosen == _KEEP and keep is not None:
                return await keep()
            purpose = Purpose.CREATE if chosen == _MAKE else None
        except SealedLocked:
            purpose = Purpose.UNLOCK
        if purpose is None or not await screen.app.push_screen_wait(UnlockScreen(screen.context, purpose)):
            return None


def _choice(why: str, for_run: bool) -> MenuScreen:
    entries = [("s", "sealed", _MAKE)] + ([("m", "memory", _KEEP)] if for_run else [])
    return MenuScreen("Where is it to be kept?", entries, f"{why}. A letter or enter chooses, esc keeps it nowhere")


def lock_or_unlock(screen: "ModeScreen") -> None:
    """Lock the sealed file when it is unlocked; else ask for its passphrase, a new one where there is no file yet.

    The modal is there at once: what is typed after the key is for it.
    """
    modal = UnlockScreen(screen.context, Purpose.EITHER)

    def answered(opened: bool | None) -> None:
        if modal.was_unlocked:
            screen.attempt(lambda: _lock(screen), "lock")
        elif opened and modal.purpose is Purpose.CREATE:
            screen.say("the sealed file is made, and unlocked", "good")
        elif opened:
            screen.say("the sealed file is unlocked: what waited for it goes on", "good")
        else:
            screen.say("nothing was changed at the sealed file", "warn")
        screen.look()

    screen.app.push_screen(modal, answered)


async def _lock(screen: "ModeScreen") -> None:
    await screen.context.ask(lambda desk: desk.managing.lock())
    waiting = await screen.context.read(locked_out, screen.context.desk)
    said = f": {', '.join(waiting)} must wait until it is unlocked" if waiting else ""
    screen.say(f"the sealed file is locked{said}", "")
    screen.look()
