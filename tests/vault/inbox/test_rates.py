"""Token buckets: what they let through, what they forget, and clocks that go back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.inbox.rates import FAILED_COST, MAX_SOURCES, Rates, source_of

GAPS = st.lists(st.tuples(st.floats(-5, 5), st.sampled_from(["192.0.2.1", "192.0.2.2"])), min_size=1, max_size=200)
TINY = 1e-6


def allowed(rates: Rates, source: str, now: float, tries: int) -> int:
    return sum(rates.allow(source, now) is None for _ in range(tries))


def test_a_burst_then_the_rate() -> None:
    rates = Rates(per_s=10, burst=20, everyone_per_s=1000)
    assert allowed(rates, "192.0.2.1", 0.0, 100) == 20
    assert allowed(rates, "192.0.2.1", 1.0, 100) == 10
    assert allowed(rates, "192.0.2.2", 1.0, 100) == 20
    assert allowed(rates, "192.0.2.1", 100.0, 100) == 20, "no more is saved up than a burst"


def test_all_together_have_a_limit_of_their_own() -> None:
    rates = Rates(per_s=10, burst=10, everyone_per_s=25)
    assert [allowed(rates, f"192.0.2.{n}", 0.0, 10) for n in range(4)] == [10, 10, 5, 0]
    wait = rates.allow("192.0.2.9", 0.0)
    assert wait == pytest.approx(1 / 25)
    assert allowed(rates, "192.0.2.3", 1.0, 10) == 10, "what was refused was not charged"


def test_a_refused_one_knows_how_long_to_wait() -> None:
    rates = Rates(per_s=2, burst=4, everyone_per_s=1000)
    assert allowed(rates, "192.0.2.1", 5.0, 4) == 4
    assert rates.allow("192.0.2.1", 5.0) == pytest.approx(0.5)
    assert rates.allow("192.0.2.1", 5.0, cost=3) == pytest.approx(1.5)
    assert rates.allow("192.0.2.1", 5.49) is not None
    assert rates.allow("192.0.2.1", 5.5) is None


def test_a_cost_above_the_burst_counts_as_the_burst() -> None:
    rates = Rates(per_s=1, burst=5, everyone_per_s=1000)
    assert rates.allow("192.0.2.1", 0.0, cost=50) is None
    assert rates.allow("192.0.2.1", 0.0, cost=50) == pytest.approx(5.0)


def test_failed_ones_cost_more_and_only_their_source() -> None:
    rates = Rates(per_s=10, burst=40, everyone_per_s=60)
    assert rates.allow("192.0.2.1", 0.0) is None
    rates.charge("192.0.2.1", 0.0)
    assert allowed(rates, "192.0.2.1", 0.0, 100) == 40 - 1 - int(FAILED_COST)
    for _ in range(1000):
        rates.charge("192.0.2.1", 0.0)
    assert rates.allow("192.0.2.1", 0.0) == pytest.approx(4.1), "owes a burst at most"
    assert allowed(rates, "192.0.2.2", 0.0, 100) == 40
    assert rates.allow("192.0.2.1", 4.2) is None


@given(GAPS, st.floats(0.1, 50), st.floats(1, 30), st.floats(0.1, 100))
def test_never_more_than_the_burst_and_the_rate(
    steps: list[tuple[float, str]], per_s: float, burst: float, everyone_per_s: float
) -> None:
    """In any window, with time counted as far as the clock went forward: steps back are refunded to nobody."""
    rates = Rates(per_s, burst, everyone_per_s)
    now, forward = 1000.0, 0.0
    passed: list[tuple[float, str]] = []
    for step, source in steps:
        now += step
        forward += max(0.0, step)
        passed += [(forward, source)] * allowed(rates, source, now, 3)
    for first in range(len(passed)):
        window = passed[first:]
        for last, (at, _) in enumerate(window, 1):
            time = at - window[0][0]
            assert last <= max(everyone_per_s, burst) + everyone_per_s * time + TINY
        own = [at for at, source in window if source == window[0][1]]
        for last, at in enumerate(own, 1):
            assert last <= burst + per_s * (at - own[0]) + TINY


@given(GAPS, st.floats(0.1, 50), st.floats(1, 30))
def test_who_waits_as_told_is_let_in(steps: list[tuple[float, str]], per_s: float, burst: float) -> None:
    rates = Rates(per_s, burst, 100)
    now = 0.0
    for step, source in steps:
        now += step
        wait = rates.allow(source, now)
        assert wait is None or wait > 0
    wait = rates.allow("192.0.2.1", now)
    if wait is not None:
        assert rates.allow("192.0.2.1", now + wait + TINY) is None


def test_a_clock_that_went_back_locks_nobody_out() -> None:
    rates = Rates(per_s=10, burst=10, everyone_per_s=1000)
    assert allowed(rates, "192.0.2.1", 1_000_000.0, 20) == 10
    assert allowed(rates, "192.0.2.1", 0.0, 20) == 0
    assert allowed(rates, "192.0.2.1", 1.0, 20) == 10


def test_memory_has_a_bound_and_the_least_recently_seen_goes_first() -> None:
    rates = Rates(per_s=1, burst=1, everyone_per_s=1e6)
    assert rates.allow("198.51.100.1", 0.0) is None
    for number in range(MAX_SOURCES * 2):
        rates.allow(f"10.0.{number // 256}.{number % 256}", 0.0)
        rates.charge(f"10.1.{number // 256}.{number % 256}", 0.0)
        if number == MAX_SOURCES // 4:
            assert rates.allow("198.51.100.1", 0.0) is not None, "still remembered"
    assert len(rates) == MAX_SOURCES
    assert rates.allow("198.51.100.1", 0.0) is None, "forgotten"


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%lo", "fe80::/64"),
        ("::1", "::/64"),
        ("unknown", ""),
        ("", ""),
        ("192.0.2.1 ", ""),
        ("x" * 10_000, ""),
    ],
)
def test_what_counts_as_one_source(address: str, source: str) -> None:
    assert source_of(address) == source


@given(st.text())
def test_any_text_is_some_source(address: str) -> None:
    assert len(source_of(address)) <= 43


def test_ipv6_sources_count_by_their_network() -> None:
    rates = Rates(per_s=1, burst=3, everyone_per_s=1000)
    assert sum(rates.allow(f"2001:db8::{n:x}", 0.0) is None for n in range(50)) == 3
    assert len(rates) == 1


@pytest.mark.parametrize(("per_s", "burst", "everyone"), [(0, 1, 1), (1, 0.5, 1), (1, 1, 0), (-1, 1, 1)])
def test_rates_that_make_no_sense(per_s: float, burst: float, everyone: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Rates(per_s, burst, everyone)
