"""One test a cell: what goes wrong, where, and how it must end.

`HYPOTHESIS_PROFILE=soak` plays all of them; otherwise every other one, as on a chessboard: each fault at each service.
"""

import os
from functools import partial
from pathlib import Path

import pytest

from tests.vault.faults.model import Fault
from tests.vault.faults.run import play
from tests.vault.faults.table import cells
from vault.transfers import pouring
from vault.transfers import queue as queues
from vault.transfers.pouring import Flow

ALL = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
PLACES = [(fault.name, service) for fault, service, _ in cells()]
CELLS = [
    pytest.param(*cell, id=f"{cell[0].name}-{cell[1]}-{cell[2]}")
    for number, cell in enumerate(cells())
    # A place has one cell or two; of two, the first at one place and the second at the next.
    if ALL
    or PLACES.count(PLACES[number]) == 1
    or (PLACES.index(PLACES[number]) == number) == (list(dict.fromkeys(PLACES)).index(PLACES[number]) % 2 == 0)
]


@pytest.mark.parametrize(("fault", "service", "mode"), CELLS)
async def test_a_cell(
    fault: Fault,
    service: str,
    mode: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(pouring, "BLOCK_S", 0.05)
    monkeypatch.setattr(queues, "Flow", partial(Flow, stall_s=fault.stall_s))
    outcome = await play(fault, service, mode, folder)
    assert outcome.end == fault.end(service, mode), outcome.words
    if not outcome.end.done:
        assert fault.told(service, mode) in outcome.words
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
