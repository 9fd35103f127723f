"""Fixtures that every layer uses."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from providers.emulation import Loopback

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
# No deadline: a busy machine is no failure.
settings.register_profile("reeldesk", deadline=None, max_examples=1_000 if SOAK else 40)
settings.load_profile("reeldesk")


@pytest.fixture
def net() -> Iterator[Loopback]:
    """Emulators on loopback, stopped at the end of the test."""
    with Loopback() as loopback:
        yield loopback


def pytest_configure() -> None:
    """Whoever runs the tests may ignore signals (nohup does); programs that tests end by one must not."""
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


def pytest_collection_finish() -> None:
    """Look for rubbish less often, and never in what all tests have in common: that took a fifth of their time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
