"""One test a cell: what goes wrong, where, and how it must end."""

from functools import partial
from pathlib import Path

import pytest

from tests.vault.faults.model import Fault
from tests.vault.faults.run import play
from tests.vault.faults.table import cells
from vault.transfers import pouring
from vault.transfers import queue as queues
from vault.transfers.pouring import Flow

CELLS = [pytest.param(*cell, id=f"{cell[0].name}-{cell[1]}-{cell[2]}") for cell in cells()]


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
