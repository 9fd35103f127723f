"""What every screen is given: the engine, the clock, the signs; and how to call the vault without waiting for it."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from msgspec import Struct

from providers.base import ProviderError
from tui.label import Glyphs
from vault.errors import ConfigError, LedgerError, VaultError

if TYPE_CHECKING:
    from vault.desk import Desk
    from vault.engine import Engine

T = TypeVar("T")
P = ParamSpec("P")

FAULTS = (ProviderError, VaultError, LedgerError, ConfigError, OSError, sqlite3.Error, ValueError)
"""What a call into the vault may raise; each one's text is words for a person."""


class Context(Struct, frozen=True):
    """The engine, the clock (UTC), the signs, and the banner of a demo ("" for none)."""

    engine: "Engine"
    now: Callable[[], datetime]
    glyphs: Glyphs
    banner: str = ""

    @property
    def desk(self) -> "Desk":
        """The vault's door."""
        return self.engine.desk

    async def ask(self, call: "Callable[[Desk], Coroutine[Any, Any, T]]") -> T:
        """A use case on the engine's loop; awaited here, never waited for."""
        # `do` waits for an engine that is only starting, so it is called in a thread.
        return await asyncio.wrap_future(await asyncio.to_thread(self.engine.do, call))

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A read of the ledger in a thread.

        A part of the desk is loaded when it is first used: `lambda: desk.risk.look()` has that happen there, too.
        """
        return await asyncio.to_thread(function, *args, **kwargs)


def words_of(error: BaseException) -> str:
    """An error in words; its kind where it has none."""
    return str(error) or f"{type(error).__name__}, without words"
