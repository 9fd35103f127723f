"""Fixtures that every layer uses."""

from collections.abc import Iterator

import pytest

from providers.emulation import Loopback


@pytest.fixture
def net() -> Iterator[Loopback]:
    """Emulators on loopback, stopped at the end of the test."""
    with Loopback() as loopback:
        yield loopback
