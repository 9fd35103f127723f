"""Transfers give way to a key: never for long, and never for most of the time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vault.transfers.running import A, holds, slow, view
from tests.vault.transfers.test_throttle import Time
from tests.vault.world import World, until
from vault.desk import Desk
from vault.transfers.giving_way import EVERY_S, MOMENT_S, GivingWay


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.2)), min_size=1, max_size=40))
def test_three_quarters_of_the_time_are_the_transfers(steps: list[tuple[bool, float]]) -> None:
    """Keys and reads in any order: a read waits for the rest of the moment, and no longer."""
    time = Time()
    began, way = time.now, GivingWay(time.clock, time.sleep)
    for is_key, passes in steps:
        if is_key:
            way.ask()
            before = time.now
            asyncio.run(way.pay(65_536))
            assert time.now - before <= MOMENT_S + 1e-9
        time.now += passes
    moments = (time.now - began) / EVERY_S + 1
    assert sum(time.slept) <= moments * MOMENT_S + 1e-9


def test_a_key_is_given_way_to_at_once_and_nobody_waits_without_one() -> None:
    time = Time()
    way = GivingWay(time.clock, time.sleep)
    asyncio.run(way.pay(1))
    assert time.slept == []
    way.ask()
    asyncio.run(way.pay(1))
    assert time.slept == [pytest.approx(MOMENT_S)]
    asyncio.run(way.pay(1))
    assert len(time.slept) == 1


@pytest.mark.usefixtures("quick")
async def test_a_running_transfer_does(it: World, desk: Desk) -> None:
    await slow(it, desk, "a")
    desk.enqueue([A])
    queue, slept = desk.new_queue(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    way = queue.giving_way = GivingWay(sleep=sleep)
    way._until = float("inf")
    running = asyncio.create_task(queue.run(drain=True))
    await until(lambda: queue.up_to_date(view(desk)).received > 50_000)
    assert slept
    assert set(slept) == {float("inf")}
    await running
    holds(it, desk, A)
