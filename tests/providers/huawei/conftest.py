"""The gateway that most tests use."""

import pytest

from providers.emulation import Loopback
from providers.huawei.emulator import HuaweiEmulator
from tests.providers.huawei.box import emulator


@pytest.fixture
def gateway(net: Loopback) -> HuaweiEmulator:
    made = emulator(poll_wait=0.1)
    net.serve(made)
    return made
