"""Every rule of trying again, on values alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import (
    BadAnswer,
    Forbidden,
    Gone,
    NotFound,
    NotReady,
    NotTrusted,
    ProviderError,
    RateLimited,
    Refused,
    ServiceDown,
    SessionLost,
    Unauthorized,
    Unreachable,
    Unsupported,
)
from vault.ledger.claiming import Hold
from vault.transfers.retrying import (
    BACKOFF_CAP_S,
    FAILURES_BEFORE_HOLD,
    HOLD_CAP_S,
    HOLD_S,
    MAX_ATTEMPTS,
    Again,
    Trouble,
    after,
    is_account_wide,
    next_hold,
)

TRANSIENT = (Unreachable, ServiceDown, RateLimited, NotReady, SessionLost)
PERMANENT = (Unauthorized, Forbidden, NotFound, Gone, Refused, BadAnswer, NotTrusted, Unsupported)
DOWN = ServiceDown("the service answers HTTP 503")
NOW = 1_800_000_000.0


# One transfer


@pytest.mark.parametrize("kind", PERMANENT)
def test_what_cannot_pass_is_not_tried_again(kind: type[ProviderError]) -> None:
    assert after(kind("no"), 1, progressed=True, jitter=0.5) is None


@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_can_pass_is_tried_again(kind: type[ProviderError]) -> None:
    assert after(kind("later"), 1, progressed=False, jitter=1.0) == Again(2.0, 1)


@pytest.mark.parametrize(("attempts", "longest"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32)])
@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_waits_double_and_are_spread(attempts: int, longest: int, jitter: float, share: float) -> None:
    assert after(DOWN, attempts, progressed=False, jitter=jitter) == Again(longest * share, attempts)


def test_it_is_over_after_so_many_attempts() -> None:
    assert after(DOWN, MAX_ATTEMPTS - 1, progressed=False, jitter=0.0) is not None
    for attempts in (MAX_ATTEMPTS, MAX_ATTEMPTS + 1):
        assert after(DOWN, attempts, progressed=False, jitter=0.0) is None


@pytest.mark.parametrize("attempts", [1, 5, MAX_ATTEMPTS, 99])
def test_progress_lets_the_attempts_count_anew(attempts: int) -> None:
    assert after(DOWN, attempts, progressed=True, jitter=1.0) == Again(2.0, 1)


@pytest.mark.parametrize(("wish", "wait"), [(None, 2.0), (0.0, 2.0), (1.0, 2.0), (2.5, 2.5), (3_600.0, 3_600.0)])
def test_the_services_wish_is_the_least(wish: float | None, wait: float) -> None:
    error = RateLimited("HTTP 429", retry_after_s=wish)
    assert after(error, 1, progressed=False, jitter=1.0) == Again(wait, 1)


@given(st.integers(1, MAX_ATTEMPTS - 1), st.floats(0, 1), st.floats(0.001, 1_000))
def test_no_wait_is_longer_than_the_cap(attempts: int, jitter: float, backoff_s: float) -> None:
    again = after(DOWN, attempts, progressed=False, jitter=jitter, backoff_s=backoff_s)
    assert again is not None
    assert 0 < again.wait_s <= BACKOFF_CAP_S


# An account


@pytest.mark.parametrize("kind", [Unreachable, ServiceDown, RateLimited])
def test_what_tells_of_the_service_as_a_whole(kind: type[ProviderError]) -> None:
    assert is_account_wide(kind("x"))


@pytest.mark.parametrize("kind", [NotReady, SessionLost, *PERMANENT])
def test_what_tells_of_one_file(kind: type[ProviderError]) -> None:
    assert not is_account_wide(kind("x"))


@pytest.mark.parametrize("kind", [ServiceDown, RateLimited])
def test_a_service_that_says_when_is_obeyed_at_once(kind: type[ServiceDown | RateLimited]) -> None:
    assert Trouble().failed("advice", "a", kind("x", retry_after_s=5.0))


@pytest.mark.parametrize("wish", [None, 0.0])
def test_three_failures_of_two_assets(wish: float | None) -> None:
    error = ServiceDown("x", retry_after_s=wish)
    trouble = Trouble()
    assert [trouble.failed("advice", asset, error) for asset in ("a", "b", "a")] == [False, False, True]
    assert trouble.failed("advice", "a", error)


def test_one_file_that_fails_again_and_again_holds_nobody_else() -> None:
    trouble = Trouble()
    assert not any(trouble.failed("advice", "a", DOWN) for _ in range(FAILURES_BEFORE_HOLD * 3))
    assert trouble.failed("advice", "b", DOWN)


def test_a_success_between_them_counts_anew() -> None:
    trouble = Trouble()
    assert not trouble.failed("advice", "a", DOWN)
    assert not trouble.failed("advice", "b", DOWN)
    trouble.worked("advice")
    trouble.worked("never failed")
    assert not trouble.failed("advice", "c", DOWN)
    assert not trouble.failed("advice", "a", DOWN)
    assert trouble.failed("advice", "a", DOWN)


def test_accounts_are_counted_apart() -> None:
    trouble = Trouble()
    for account in ("advice", "rooms"):
        assert not trouble.failed(account, "a", DOWN)
        assert not trouble.failed(account, "b", DOWN)
    trouble.worked("rooms")
    assert trouble.failed("advice", "c", DOWN)
    assert not trouble.failed("rooms", "c", DOWN)


# Breaks


def test_the_first_break() -> None:
    assert next_hold("503", None, NOW) == Hold(NOW + HOLD_S, "503", 1)


def test_each_break_after_a_failed_try_is_twice_as_long() -> None:
    hold, now, lengths = None, NOW, []
    for _ in range(8):
        hold = next_hold("503", hold, now)
        lengths.append(hold.until - now)
        now = hold.until
    assert lengths == [30, 60, 120, 240, 480, HOLD_CAP_S, HOLD_CAP_S, HOLD_CAP_S]


def test_what_fails_during_a_break_makes_it_no_longer_the_next_time() -> None:
    """Those that were on their way when it began."""
    first = next_hold("503", None, NOW)
    second = next_hold("504", first, NOW + 10)
    assert second == Hold(NOW + 10 + HOLD_S, "504", 1)
    assert next_hold("504", second, second.until).level == 2


def test_the_services_wish_is_the_least_of_a_break() -> None:
    assert next_hold("429", None, NOW, at_least_s=3_600).until == NOW + 3_600
    assert next_hold("429", None, NOW, at_least_s=1).until == NOW + HOLD_S


def test_a_break_is_never_cut_short_by_another_failure() -> None:
    long = Hold(NOW + 3_600, "429", 1)
    assert next_hold("503", long, NOW + 5).until == NOW + 3_600


def test_a_disk_is_looked_at_every_so_often() -> None:
    """First and longest break are the same: it does not grow."""
    hold, now = None, NOW
    for _ in range(5):
        hold = next_hold("no space", hold, now, first_s=30, cap_s=30)
        assert hold.until == now + 30
        now = hold.until


def test_a_level_without_end_is_no_number_without_end() -> None:
    assert next_hold("503", Hold(NOW, "503", 10_000), NOW).until == NOW + HOLD_CAP_S
