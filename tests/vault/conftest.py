"""What the vault's tests share."""

from pathlib import Path

import pytest

from providers.emulation import Loopback
from tests.vault.world import World, world


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> World:
    """A vault over flexperto's emulator."""
    made = world(net, tmp_path)
    made.write()
    return made
