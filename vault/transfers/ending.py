"""One attempt at a transfer, and what follows when it failed: another one, a break, or the end."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct, field

from providers.base import ProviderError
from vault.errors import DiskFull, PartBusy, VaultError, WrongBytes
from vault.ledger import Ledger
from vault.ledger.claiming import EVERYTHING, Claim, Hold
from vault.passphrase import SealedLocked
from vault.transfers import retrying
from vault.transfers.pouring import Meter
from vault.transfers.retrying import Rhythm


class Running(Struct):
    """An attempt that is under way in this process."""

    claim: Claim
    meter: Meter = field(default_factory=Meter)
    task: "asyncio.Task[None] | None" = None
    wish: str = ""
    is_done: bool = False
    is_over: bool = False
    rate: float | None = None
    _samples: list[tuple[float, int]] = field(default_factory=list)

    def sample(self, now: float) -> None:
        """Take the rate over the last few seconds."""
        self._samples = [s for s in self._samples if now - s[0] <= 5.0]
        self._samples.append((now, self.meter.received))
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        self.rate = max(0.0, (after - before) / (last - first)) if last - first >= 0.5 else self.rate

    def outlived(self, scope: str, hold: Hold) -> bool:
        """Whether this shows that a break is over: it began after it, and gets bytes; for a full disk, on the disk."""
        if self.claim.taken_at < hold.until:
            return False
        if scope == EVERYTHING:
            return self.is_done or self.reached > 0
        return scope == self.claim.identity.account

    @property
    def reached(self) -> int:
        """Bytes, when a later attempt can continue further than any before; else 0."""
        return self.meter.durable if self.meter.durable >= self.claim.furthest + retrying.PROGRESS_BYTES else 0


class Endings:
    """Writes down how attempts of one queue end. Its calls block."""

    def __init__(
        self, ledger: Ledger, now: Callable[[], datetime], jitter: Callable[[], float], rhythm: Rhythm
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._jitter = jitter
        self._rhythm = rhythm
        self.trouble = retrying.Trouble()
        self._patience_s = 0.0
        self._began_at = 0.0

    def begin(self, patience_s: float) -> None:
        """A queue begins to run, with so much patience for what is wrong with a service as a whole, or a full disk."""
        self._patience_s = patience_s
        self._began_at = self._now().timestamp()

    def failed(self, running: Running, error: ProviderError | VaultError) -> None:
        """An attempt failed. Raises Overtaken, LedgerError."""
        if isinstance(error, ProviderError):
            self._provider_failed(running, error)
        elif isinstance(error, DiskFull):
            self._disk_is_full(running, error)
        elif isinstance(error, SealedLocked) and self._patience_s:
            self._is_locked(running, error)
        elif isinstance(error, PartBusy):
            again_at = self._now().timestamp() + self._rhythm.busy_s
            self._fail(running, error.words, again_at, running.claim.attempts - 1)
        else:
            self._fail(running, error.words, None, running.claim.attempts)
            if isinstance(error, WrongBytes):
                self._ledger.claims.mark_wrong(running.claim)

    def _fail(self, running: Running, words: str, again_at: float | None, attempts: int) -> None:
        now = self._now().timestamp()
        claims = self._ledger.claims
        running.is_over = again_at is None
        claims.fail(running.claim, words, now, again_at, attempts=max(attempts, 0), reached=running.reached)

    def _provider_failed(self, running: Running, error: ProviderError) -> None:
        claim, now = running.claim, self._now().timestamp()
        account = claim.identity.account
        if self._is_waited_out(running, now) and retrying.is_account_wide(error):
            held = self._ledger.claims.holds().get(account)
            if held is not None or self.trouble.failed(account, str(claim.identity), error):
                least = error.retry_after_s or 0.0
                hold = retrying.next_hold(error.words, held, now, at_least_s=least, first_s=self._rhythm.hold_s)
                self._ledger.claims.hold(account, hold)
                # It is the service that fails, not this file: the attempt does not count.
                self._fail(running, error.words, hold.until, claim.attempts - 1)
                return
        progressed = running.reached > 0
        again = retrying.after(
            error, claim.attempts, progressed=progressed, jitter=self._jitter(), backoff_s=self._rhythm.backoff_s
        )
        if again is None:
            self._fail(running, error.words, None, claim.attempts)
        elif not self._patience_s and again.wait_s > retrying.SHORT_WAIT_S:
            # Somebody waits for this command; a desk or `work` will find it, and wait.
            moment = self._now() + timedelta(seconds=again.wait_s)
            self._fail(running, f"{error.words}; it asks to wait until {moment:%d %b %H:%M} UTC", None, claim.attempts)
        else:
            self._fail(running, error.words, now + again.wait_s, again.attempts)

    def _disk_is_full(self, running: Running, error: DiskFull) -> None:
        claim, now = running.claim, self._now().timestamp()
        if not self._is_waited_out(running, now):
            self._fail(running, error.words, None, claim.attempts)
            return
        held = self._ledger.claims.holds().get(EVERYTHING)
        hold = retrying.next_hold(error.words, held, now, first_s=self._rhythm.hold_s, cap_s=self._rhythm.hold_s)
        self._ledger.claims.hold(EVERYTHING, hold)
        self._fail(running, error.words, hold.until, claim.attempts - 1)

    def _is_locked(self, running: Running, error: SealedLocked) -> None:
        """Nothing of the account is tried until somebody unlocked the sealed file, or for a while."""
        account, now = running.claim.identity.account, self._now().timestamp()
        held = self._ledger.claims.holds().get(account)
        hold = retrying.next_hold(error.words, held, now, first_s=self._rhythm.hold_s)
        self._ledger.claims.hold(account, hold)
        self._fail(running, error.words, hold.until, running.claim.attempts - 1)

    def _is_waited_out(self, running: Running, now: float) -> bool:
        # A night in which nobody tried says nothing against the service.
        since = now if running.reached else max(running.claim.progress_at, self._began_at)
        return now - since < self._patience_s
