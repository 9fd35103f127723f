"""Transfers give way to a key: never for long, and never for most of the time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vault.transfers.running import A, holds, slow, view
from tests.vault.transfers.test_throttle import Time
from tests.vault.world import World, until
from vault.desk import Desk
from vault.transfers.giving_way import LOOKS_S, MOST_S, RESTS, GivingWay


@given(st.lists(st.tuples(st.sampled_from(["key", "frame", "nothing"]), st.floats(0, 0.2)), min_size=1, max_size=40))
def test_two_thirds_of_the_time_are_the_transfers(steps: list[tuple[str, float]]) -> None:
    """Keys, frames and reads in any order: a read waits for the rest of the moment, and no longer."""
    time = Time()
    began, way = time.now, GivingWay(time.clock, time.sleep)
    for what, passes in steps:
        if what == "key":
            way.ask()
            before = time.now
            asyncio.run(way.pay(65_536))
            assert time.now - before <= MOST_S + 1e-9
        elif what == "frame":
            way.answered()
        time.now += passes
    assert sum(time.slept) <= (time.now - began) / (1 + RESTS) + MOST_S + 1e-9


def test_a_key_is_given_way_to_at_once_and_nobody_waits_without_one() -> None:
    time = Time()
    way = GivingWay(time.clock, time.sleep)
    asyncio.run(way.pay(1))
    assert time.slept == []
    way.ask()
    asyncio.run(way.pay(1))
    assert sum(time.slept) == pytest.approx(MOST_S)
    assert max(time.slept) <= LOOKS_S, "it may be drawn sooner"
    asyncio.run(way.pay(1))
    assert sum(time.slept) == pytest.approx(MOST_S)


def test_what_is_drawn_ends_the_moment_and_the_next_key_has_one_soon() -> None:
    time = Time()
    way = GivingWay(time.clock, time.sleep)
    way.ask()
    time.now += 0.006
    way.answered()
    asyncio.run(way.pay(1))
    assert time.slept == []
    time.now += RESTS * 0.006 - 0.001
    way.ask()
    asyncio.run(way.pay(1))
    assert time.slept == []
    time.now += 0.002
    way.ask()
    asyncio.run(way.pay(1))
    assert sum(time.slept) == pytest.approx(MOST_S)
    slept = len(time.slept)
    way.answered()  # too late: it changes nothing
    way.ask()
    asyncio.run(way.pay(1))
    assert len(time.slept) == slept


@pytest.mark.usefixtures("quick")
async def test_a_running_transfer_does(it: World, desk: Desk) -> None:
    await slow(it, desk, "a")
    desk.enqueue([A])
    queue, slept = desk.new_queue(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            way._until = 0.0

    way = queue.giving_way = GivingWay(sleep=sleep)
    way._until = float("inf")
    running = asyncio.create_task(queue.run(drain=True))
    await until(lambda: queue.up_to_date(view(desk)).received > 50_000)
    assert slept == [LOOKS_S] * 3
    await running
    holds(it, desk, A)
