"""How Python shares itself out, so that a key finds it free: no long collections, short turns of each thread."""

import contextlib
import gc
import sys

_FEW, _SOME, _ALL = 10_000, 20, 100
_TURN_S = 0.0005
_M_ARENA_MAX = -8
_ARENAS = 2


def collect_nothing() -> None:
    """While modules are loaded nothing becomes garbage: looking for it took 40 to 60 ms of 800 (CPU, median of 7)."""
    gc.disable()


def collect_rarely() -> None:
    """Begin to collect: what is there now is never looked at again, and full collections are rare.

    A full collection holds all threads: the slowest of a hundred keys waited 80 ms before, 40 ms after (measured on a
    desk at rest, on a shared machine of 2 cores).
    """
    gc.freeze()
    gc.set_threshold(_FEW, _SOME, _ALL)
    gc.enable()


def take_short_turns() -> None:
    """A thread that computes gives way after half a millisecond, not after five.

    A clock beside a sync of 250 records a page ticked 16 to 20 ms late (p99), and 5 ms with short turns; idle, it was
    3 ms late (measured on a shared machine of 2 cores).
    """
    sys.setswitchinterval(_TURN_S)


def share_heaps() -> None:
    """Threads have two heaps between them, where glibc would give sixteen of them one each: 2 MB less for a desk.

    See mallopt(3). Python's own small objects lie elsewhere, and one thread at a time makes them.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError):  # another C library has no such thing
        import ctypes

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
