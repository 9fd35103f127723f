"""After a release: the copy here is read again a day before the service deletes its own for good.

A copy that is damaged or lost is fetched again while the service still has it: an archive that is abandoned can be
downloaded until it expires. assumption: flexperto's page says "marked for deletion", triggered three days after
abandoning; that its download is answered until then is not said in so many words.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from vault.errors import LedgerError, VaultError
from vault.keeping import Keeping
from vault.ledger import Ledger
from vault.ledger.receipts import Recheck
from vault.views import LocalState

_NAMED = 3


class Rechecking:
    """Looks after what is released and not yet deleted for good."""

    def __init__(
        self, ledger: Ledger, keeping: Keeping, queued: Callable[[], None], now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._keeping = keeping
        self._queued = queued
        self._now = now
        self.trouble = ""
        """What of it is not held whole here, in words; "" when all is."""

    async def look(self) -> None:
        """Read again what is due, queue what must be fetched again. Raises LedgerError."""
        while (recheck := await asyncio.to_thread(self._ledger.receipts.to_recheck, self._time())) is not None:
            await self._recheck(recheck)
        if await asyncio.to_thread(self._ledger.receipts.save, self._time()):
            self._queued()
        self.trouble = await asyncio.to_thread(self._words)

    async def _recheck(self, recheck: Recheck) -> None:
        good, words = False, ""
        try:
            found = await self._keeping.verify(recheck.identity)
            good, words = found.state is LocalState.HELD, found.words
        except LedgerError:
            raise
        except VaultError as error:  # the disk cannot be read now; it is tried again
            words = error.words
        await asyncio.to_thread(self._ledger.receipts.rechecked, recheck, words, self._time(), good=good)

    def _words(self) -> str:
        wrong = self._ledger.receipts.in_trouble()
        if not wrong:
            return ""
        named = ", ".join(str(each.asset) for each in wrong[:_NAMED]) + (", …" if len(wrong) > _NAMED else "")
        first = wrong[0].deadline
        until = f"the first of it on {first:%Y-%m-%d %H:%M} UTC" if first else "soon"
        return (
            f"released, and not held whole here any more: {named}; it is fetched again while the service still has "
            f"it, which deletes it for good, {until}"
        )

    def _time(self) -> float:
        return self._now().timestamp()
