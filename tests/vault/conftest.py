"""What the vault's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.emulation import Loopback
from tests.vault.world import World, world


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> Iterator[World]:
    """A vault over flexperto's emulator."""
    made = world(net, tmp_path)
    made.write()
    yield made
