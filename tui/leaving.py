"""Leaving the desk while transfers are not done: which ones count, what was chosen, and handing them over."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING

from tui.figures import count
from vault.errors import NotHandedOver, VaultError
from vault.presence import this_process
from vault.views import TransferState, TransferView

if TYPE_CHECKING:
    from vault.desk import Desk
    from vault.engine import Engine
    from vault.triage.views import ReleaseView

HandOver = Callable[["Desk"], "subprocess.Popen[bytes]"]
"""Starts a process that goes on with the desk's transfers. Raises NotHandedOver."""
NOT_IN_A_DEMO = "the demo's services end with it"
_HANDED_OVER = "handed over: a process without a screen fetches on; the next desk shows it"
AT_LAST_S = 30.0
"""So long may a desk take to hand over, stop its transfers and sign out after a signal."""
LOOK_S = 0.5
"""So long is the ledger asked what is queued, before somebody leaves."""
_BEGINS = (TransferState.QUEUED, TransferState.WAITING)


class Answer(StrEnum):
    """What becomes of transfers that are not done."""

    STAY = "stay"
    STOP = "stop"
    HAND_OVER = "hand_over"


class Leaving:
    """How a desk is left. `hand_over`: None where that is impossible."""

    def __init__(self, engine: "Engine", hand_over: HandOver | None) -> None:
        self._engine = engine
        self._hand_over = hand_over
        self._once = threading.Lock()
        self._at_last: threading.Timer | None = None
        self._process: subprocess.Popen[bytes] | None = None
        """Kept until the desk has ended: the end of its stdin tells it so."""

    def end(self) -> None:
        """The desk ends, however: first nobody waits for a store of secrets any more, then the engine stops."""
        self._engine.desk.secrets.close()
        self._engine.stop()

    def end_at_last(self, code: int, after_s: float = AT_LAST_S) -> None:
        """Asked to end by a signal: end in any case, with `code`, even when the desk does nothing any more."""
        if self._at_last is None:
            self._at_last = threading.Timer(after_s, os._exit, (code,))
            self._at_last.daemon = True
            self._at_last.start()

    def ended(self) -> None:
        """The desk did end."""
        if self._at_last is not None:
            self._at_last.cancel()

    @property
    def why_not(self) -> str:
        """Why transfers cannot be handed over, in words; "" when they can."""
        return "" if self._hand_over else NOT_IN_A_DEMO

    async def releases(self) -> str:
        """What becomes of open releases once the desk has ended, in words; "" when there are none."""
        if self._hand_over is None:
            return ""  # the services end with the desk
        desk, open_ones = self._engine.desk, tuple["ReleaseView", ...]()
        with suppress(VaultError, TimeoutError):
            open_ones = await asyncio.wait_for(asyncio.to_thread(lambda: desk.releasing.due()), LOOK_S)
        if not open_ones:
            return ""
        first = min(view.due_at for view in open_ones).astimezone(UTC)
        many = count(len(open_ones), "release")
        return (
            f"{many} still open: a desk or `reeldesk work` that runs then sends it, not before {first:%Y-%m-%d %H:%M} "
            "UTC; `reeldesk undo` stops what waits"
        )

    async def look(self) -> Sequence[TransferView]:
        """The transfers of this moment: what was queued a key ago is not in the engine's snapshot yet."""
        with suppress(VaultError, TimeoutError):
            return (await asyncio.wait_for(asyncio.to_thread(self._engine.fresh), LOOK_S)).transfers
        return self._engine.snapshot().transfers

    def undone(self, transfers: Sequence[TransferView] | None = None) -> tuple[TransferView, ...]:
        """Transfers that end, or do not begin, with this desk. What another process runs goes on by itself.

        Of `transfers`, or of the engine's snapshot.
        """
        return tuple(
            view
            for view in (self._engine.snapshot().transfers if transfers is None else transfers)
            if view.state in _BEGINS or (view.state is TransferState.RUNNING and view.owner == this_process())
        )

    def answer(self, transfers: Sequence[TransferView] | None = None) -> Answer | None:
        """What is done without asking; None: a person is asked. `transfers` as for `undone`."""
        chosen = self._engine.desk.config.on_leave
        if chosen == Answer.STOP or not self.undone(transfers):
            return Answer.STOP
        return Answer.HAND_OVER if chosen == Answer.HAND_OVER and self._hand_over else None

    def title(self, transfers: Sequence[TransferView] | None = None) -> str:
        """What is not done, as a question. `transfers` as for `undone`."""
        undone = self.undone(transfers)
        running = sum(view.state is TransferState.RUNNING for view in undone)
        waiting = len(undone) - running
        first = count(running, "transfer") + " running" if running else count(waiting, "transfer") + " waiting"
        return f"{first}, {waiting} waiting. Leave the desk?" if running and waiting else f"{first}. Leave the desk?"

    @property
    def handing_over(self) -> bool:
        """Whether it is under way."""
        return self._once.locked()

    def hand_over(self) -> str:
        """Hand them over, once, and say so. Blocks for seconds at most. Raises NotHandedOver."""
        with self._once:
            try:
                if self._process is None and self._hand_over is not None:
                    self._process = self._hand_over(self._engine.desk)
            except NotHandedOver as error:
                raise NotHandedOver(f"not handed over, so the desk stays: {error.words}") from None
        return _HANDED_OVER

    def line_lost(self) -> None:
        """Hand over where that was chosen. Nobody can be asked or told: else what runs stops cleanly.

        Blocks for seconds at most, the desk's loop too: a terminal that is gone is better not drawn on.
        """
        if self.answer() is Answer.HAND_OVER:
            with suppress(NotHandedOver):
                self.hand_over()
