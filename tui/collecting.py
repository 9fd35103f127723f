"""The garbage collector, kept from walking again and again through everything that was loaded."""

import gc

_FEW, _SOME, _ALL = 10_000, 20, 100


def collect_rarely() -> None:
    """What is there now is never looked at again, and full collections become rare.

    A full collection holds all threads: the slowest of a hundred keys waited 80 ms before, 40 ms after (measured on a
    desk at rest, on a shared machine of 2 cores).
    """
    gc.freeze()
    gc.set_threshold(_FEW, _SOME, _ALL)
