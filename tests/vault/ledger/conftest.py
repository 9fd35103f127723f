"""A ledger on a temporary disk, and quick ways to put things into it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vault.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "data" / "ledger.db")
    yield made
    made.close()
