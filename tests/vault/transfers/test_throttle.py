"""A limit on bytes a second, by a clock that only sleeping moves."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.transfers.throttle import Throttle


class Time:
    """The present in seconds; sleeping is what makes it pass."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_no_limit_waits_for_nothing() -> None:
    time = Time()
    throttle = Throttle(0, time.clock, time.sleep)
    for _ in range(3):
        await throttle.pay(1 << 30)
    assert time.slept == []
    assert not throttle
    assert Throttle(1)


async def test_what_came_before_is_waited_for() -> None:
    time = Time()
    throttle = Throttle(1_000, time.clock, time.sleep)
    await throttle.pay(500)
    assert time.slept == []
    await throttle.pay(2_000)
    await throttle.pay(1)
    assert time.slept == [0.5, 2.0]


async def test_idle_time_is_not_saved_up() -> None:
    time = Time()
    throttle = Throttle(1_000, time.clock, time.sleep)
    await throttle.pay(1_000)
    time.now += 60
    for _ in range(3):
        await throttle.pay(1_000)
    assert time.slept == [1.0, 1.0]


async def test_all_who_share_it_get_the_rate_together() -> None:
    """Three at once, on a clock that jumps to whoever is due next."""
    due: list[tuple[float, asyncio.Future[None]]] = []
    now = [0.0]

    async def sleep(seconds: float) -> None:
        waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due.append((now[0] + seconds, waits))
        await waits

    throttle = Throttle(1_000, lambda: now[0], sleep)
    got: list[str] = []

    async def transfer(name: str) -> None:
        for _ in range(4):
            await throttle.pay(100)
            got.append(name)

    tasks = [asyncio.create_task(transfer(name)) for name in "abc"]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        if due and not any(waits.done() for _, waits in due):
            due.sort(key=lambda each: each[0])
            now[0], waits = due.pop(0)
            waits.set_result(None)
    assert now[0] == pytest.approx(1.1)  # eleven of twelve blocks were paid for, the last one is still to be
    assert set(got[:6]) == set("abc")
    assert [got.count(name) for name in "abc"] == [4, 4, 4]


@given(st.integers(1, 10**9), st.lists(st.tuples(st.integers(0, 1 << 20), st.floats(0, 5)), min_size=1, max_size=30))
def test_never_faster_than_the_limit(bytes_per_s: int, blocks: list[tuple[int, float]]) -> None:
    """Whatever arrives when: what was paid for fits into the time that passed, but for the last block."""
    time = Time()

    async def run() -> None:
        throttle = Throttle(bytes_per_s, time.clock, time.sleep)
        began, before = time.now, 0
        for size, pause in blocks:
            await throttle.pay(size)
            assert before <= bytes_per_s * (time.now - began) * (1 + 1e-9) + 1e-3 * bytes_per_s
            before += size
            time.now += pause

    asyncio.run(run())
