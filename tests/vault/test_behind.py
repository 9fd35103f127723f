"""What an engine does behind everything else."""

import asyncio

import pytest

from vault import behind
from vault.behind import Behind
from vault.errors import LedgerError


class Steps:
    """So many steps are left; the one at `fails_at` fails."""

    def __init__(self, left: int, fails_at: int = -1) -> None:
        self.left = left
        self.fails_at = fails_at
        self.busy = False
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def step(self) -> bool:
        if self.left == self.fails_at:
            self.fails_at = -1
            self._loop.call_soon_threadsafe(self.ended.set)
            raise LedgerError("the disk is full")
        self.left -= self.left > 0
        if not self.left:
            self._loop.call_soon_threadsafe(self.ended.set)
        return self.left > 0


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "AGAIN_S", 0.0)


async def test_all_steps_then_none_until_it_is_nudged() -> None:
    steps = Steps(3)
    works = Behind(steps.step, lambda: True)
    running = asyncio.create_task(works.run())
    await asyncio.wait_for(steps.ended.wait(), 10)
    steps.ended.clear()
    steps.left = 2
    works.nudge()
    await asyncio.wait_for(steps.ended.wait(), 10)
    assert steps.left == 0
    running.cancel()
    assert isinstance((await asyncio.gather(running, return_exceptions=True))[0], asyncio.CancelledError)


async def test_trouble_of_the_ledger_is_not_its_end() -> None:
    steps = Steps(3, fails_at=2)
    works = Behind(steps.step, lambda: False)
    running = asyncio.create_task(works.run())
    await asyncio.wait_for(steps.ended.wait(), 10)
    assert steps.left == 2
    steps.ended.clear()
    works.nudge()
    await asyncio.wait_for(steps.ended.wait(), 10)
    assert steps.left == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
