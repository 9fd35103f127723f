"""What the receiver's tests share."""

from pathlib import Path

import pytest

from providers.emulation import Loopback
from tests.vault.inbox.house import House, Services


@pytest.fixture
def house(net: Loopback, tmp_path: Path) -> House:
    """A desk that can receive, over its services."""
    return House(tmp_path, Services.serve(net))
