"""When a transfer that failed is tried again, and when all of an account takes a break. Pure."""

from msgspec import Struct

from providers.base import ProviderError, RateLimited, ServiceDown, Unreachable
from vault.ledger.claiming import Hold

MAX_ATTEMPTS = 6
"""Without progress."""
BACKOFF_S = 2.0
BACKOFF_CAP_S = 60.0
PROGRESS_BYTES = 64 * 1024
"""What a transfer must have got further than ever before, for its attempts to count anew."""
HOLD_S = 30.0
HOLD_CAP_S = 600.0
FAILURES_BEFORE_HOLD = 3
SHORT_WAIT_S = 120.0
"""A command does not wait longer for a transfer's next attempt."""
PATIENCE_S = 6 * 3600.0
"""How long a working engine waits out what is wrong with a service as a whole, or a full disk, for one transfer."""


class Rhythm(Struct, frozen=True):
    """How often a queue looks and beats, and its shortest waits, all in seconds."""

    beat_s: float = 1.0
    backoff_s: float = BACKOFF_S
    hold_s: float = HOLD_S
    busy_s: float = 5.0
    """For another process to let go of a part."""
    settle_s: float = 10.0
    """After a release was sent whose end nobody saw, before the service is asked: the call may be on its way."""
    look_s: float = 2.0
    """Between two looks for releases that another process asked for."""


STEADY = Rhythm()


class Again(Struct, frozen=True):
    """The attempt is followed by another after `wait_s`; `attempts` count by now."""

    wait_s: float
    attempts: int


def is_account_wide(error: ProviderError) -> bool:
    """Whether an error tells of the service as a whole rather than of one file."""
    return isinstance(error, ServiceDown | RateLimited | Unreachable)


def after(
    error: ProviderError, attempts: int, *, progressed: bool, jitter: float, backoff_s: float = BACKOFF_S
) -> Again | None:
    """What follows a failed attempt of a transfer; None: it is over. `jitter` is between 0 and 1."""
    if not error.transient:
        return None
    counted = 1 if progressed else attempts
    if counted >= MAX_ATTEMPTS:
        return None
    wait = min(BACKOFF_CAP_S, backoff_s * 2 ** (counted - 1)) * (0.5 + jitter / 2)
    return Again(max(wait, error.retry_after_s or 0.0), counted)


def next_hold(
    words: str,
    before: Hold | None,
    now: float,
    *,
    at_least_s: float = 0.0,
    first_s: float = HOLD_S,
    cap_s: float = HOLD_CAP_S,
) -> Hold:
    """The break after a failure; each one after a failed try is twice as long. `at_least_s`: the service's wish."""
    level = 1 if before is None else before.level + (before.until <= now)
    wait = max(at_least_s, min(cap_s, first_s * 2 ** min(level - 1, 16)))
    return Hold(max(now + wait, before.until if before else 0.0), words, level)


class Trouble:
    """What went wrong of late at each account, in this process: whether it is time for a break."""

    def __init__(self) -> None:
        self._failures: dict[str, list[str]] = {}

    def failed(self, account: str, asset: str, error: ProviderError) -> bool:
        """Take in a failure of the account-wide kind; whether the account should take a break now."""
        if isinstance(error, ServiceDown | RateLimited) and error.retry_after_s:
            return True
        failures = self._failures.setdefault(account, [])
        failures.append(asset)
        return len(failures) >= FAILURES_BEFORE_HOLD and len(set(failures)) > 1

    def worked(self, account: str) -> None:
        """Something got through."""
        self._failures.pop(account, None)
