from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.stage import RUNNING, StageEngine, stage


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "REELDESK_ASCII", "TMUX"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who works where, and how much room there is, stand in pictures."""
    monkeypatch.setattr("vault.desk.this_process", lambda: "anna@desk")
    monkeypatch.setattr("vault.ledger.this_process", lambda: "anna@desk")
    monkeypatch.setattr("vault.risk.free_bytes", lambda folder: 64_000_000_000)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StageEngine]:
    """A filled desk with two transfers under way, always in the same folder name's worth of characters."""
    with stage(tmp_path) as made:
        made.transfers_from_ledger(RUNNING)
        yield made


@pytest.fixture
def empty_engine(tmp_path: Path) -> Iterator[StageEngine]:
    """Nothing configured."""
    with stage(tmp_path, config="", filled=False) as made:
        yield made
