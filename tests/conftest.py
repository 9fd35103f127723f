"""Fixtures that every layer uses."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from providers.emulation import Loopback

settings.register_profile("reeldesk", deadline=None)  # a busy machine is no failure
settings.load_profile("reeldesk")


@pytest.fixture
def net() -> Iterator[Loopback]:
    """Emulators on loopback, stopped at the end of the test."""
    with Loopback() as loopback:
        yield loopback
