"""Undoing what an operator did last: queueing, flags, a release in its grace.

An operator is a user on a machine (user@host): each undoes what was done as that user, in whatever process.
"""

from collections.abc import Callable
from datetime import datetime

from vault.errors import VaultError
from vault.ledger import Ledger
from vault.ledger.undoing import Undone
from vault.triage.views import DeedView


class Undoing:
    """The use case `undo`. Blocks briefly; may be called from any thread."""

    def __init__(self, ledger: Ledger, operator: str, queued: Callable[[], None], now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._operator = operator
        self._queued = queued
        self._now = now

    def last(self) -> DeedView | None:
        """What `undo` would undo; None when there is nothing."""
        return self._ledger.deeds.last(self._operator, self._now().timestamp())

    def undo(self, deed: int | None = None) -> str:
        """Undo the latest deed, or the one with that number (`DeedView.id`); what came of it, in words.

        Raises VaultError when there is nothing to undo, or nothing of it can be undone any more.
        """
        undone = self._ledger.undoing.undo(self._operator, self._now().timestamp(), deed)
        if undone is None and deed is not None:
            raise VaultError("that was undone already, or longer ago than 24 hours")
        if undone is None:
            raise VaultError(f"there is nothing to undo of what {self._operator} did in the last 24 hours")
        self._queued()
        words = "; ".join([undone.words, *_words(undone)])
        if not undone.unqueued + undone.flags + undone.stopped:
            raise VaultError(f"not undone: {words}")
        return f"undone: {words}"


def _words(undone: Undone) -> list[str]:
    said = (
        (undone.unqueued, "{} out of the queue"),
        (undone.still_here, "{} had ended already: what was fetched stays"),
        (undone.flags, "flags of {} as before"),
        (undone.flags_left, "{} flagged anew since: left"),
        (undone.stopped, "{} not released"),
        (undone.sent, "{} cannot be stopped any more: sent, or over"),
    )
    return [words.format(number) for number, words in said if number]
