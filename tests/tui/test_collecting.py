"""How Python shares itself out while a desk is open."""

import gc
import sys
from collections.abc import Iterator

import pytest

from tui.collecting import collect_nothing, collect_rarely, take_short_turns


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    turn, thresholds = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(turn)
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_while_it_loads_and_little_afterwards() -> None:
    collect_nothing()
    assert not gc.isenabled()
    collect_rarely()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() > (700, 10, 10)


def test_turns_are_short() -> None:
    take_short_turns()
    assert sys.getswitchinterval() == pytest.approx(0.0005)
