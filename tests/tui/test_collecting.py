"""How Python shares itself out while a desk is open."""

import ctypes
import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tui.collecting import collect_nothing, collect_rarely, take_short_turns


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    turn, thresholds = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(turn)
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_while_it_loads_and_little_afterwards() -> None:
    collect_nothing()
    assert not gc.isenabled()
    collect_rarely()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() > (700, 10, 10)


def test_turns_are_short() -> None:
    take_short_turns()
    assert sys.getswitchinterval() == pytest.approx(0.0005)


HEAPS = """
import ctypes, threading
from tui.collecting import share_heaps
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
if SHARED:
    share_heaps()
held, all_there = [], threading.Barrier(9)
def work():
    held.append(bytearray(100_000))  # too large for Python's own heap
    all_there.wait()
for _ in range(8):
    threading.Thread(target=work).start()
all_there.wait()
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="another C library")
def test_threads_share_heaps() -> None:
    def heaps(*, shared: bool) -> int:
        code = HEAPS.replace("SHARED", str(shared))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.count("<heap nr=")

    assert heaps(shared=True) == 2 < heaps(shared=False)
