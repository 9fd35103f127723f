"""Flags: what an operator thinks of assets, with a note."""

from collections.abc import Callable, Sequence
from datetime import datetime

from providers.models import AssetId
from providers.text import safe_text
from vault.errors import VaultError
from vault.ledger import Ledger
from vault.ledger.flags import Flagged
from vault.rules import why_not_fetch
from vault.triage.states import Flag
from vault.triage.views import FlagView
from vault.views import AssetView

NOTE_MAX = 500


class Flagging:
    """The use case `flag`. Blocks briefly; may be called from any thread."""

    def __init__(self, ledger: Ledger, operator: str, queued: Callable[[], None], now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._operator = operator
        self._queued = queued
        self._now = now

    def of(self, identity: AssetId) -> tuple[FlagView, ...]:
        """An asset's flags, with who set each and why."""
        return self._ledger.flags.of(identity)

    def set(self, identities: Sequence[AssetId], flag: Flag, note: str = "") -> str:
        """Flag assets; what came of it, in words. Raises VaultError for an asset that is not known.

        What is wanted and can be fetched now is queued; what cannot be yet is, as soon as the service has it.
        """
        views = [self._known(identity) for identity in identities]
        ready = [view.identity for view in views if flag is Flag.WANT and not why_not_fetch(view)]
        text = safe_text(note, NOTE_MAX)
        flagged = self._ledger.flags.set(
            identities, flag, text, self._operator, self._now().timestamp(), queue=frozenset(ready)
        )
        self._queued()
        return _words(f"{flag}: {_count(len(flagged.changed), 'asset')}", flagged)

    def clear(self, identities: Sequence[AssetId], flag: Flag | None = None) -> str:
        """Take a flag off, or all; what came of it, in words. Raises VaultError for an asset that is not known."""
        for identity in identities:
            self._known(identity)
        cleared = self._ledger.flags.clear(identities, flag, self._operator, self._now().timestamp())
        what = str(flag) if flag else "every flag"
        return _words(f"{what} taken off {_count(len(cleared.changed), 'asset')}", cleared)

    def _known(self, identity: AssetId) -> AssetView:
        view = self._ledger.reader.asset(identity)
        if view is None:
            raise VaultError(f"{identity} is not known here; `reeldesk sync {identity.account}` asks the service")
        return view


def _words(done: str, flagged: Flagged) -> str:
    more = []
    if flagged.queued:
        more.append(f"{len(flagged.queued)} queued")
    if flagged.stopped:
        more.append(f"{_count(len(flagged.stopped), 'release')} stopped")
    return "; ".join([done, *more])


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
