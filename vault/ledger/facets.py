"""What a meeting is found by, as bits of one number: small enough for every index, few enough values for counters."""

import functools

from providers.models import AssetKind, RemoteState
from vault.views import Flag, LocalState

# The places are in the ledger: new ones go to the end.
STATES = {
    RemoteState.FAILED: 1 << 0,
    RemoteState.PROCESSING: 1 << 1,
    RemoteState.AVAILABLE: 1 << 2,
    RemoteState.ABANDONED: 1 << 3,
    RemoteState.EXPIRED: 1 << 4,
    RemoteState.UNKNOWN: 1 << 5,
}
LIVE = 1 << 7
"""Queued or being fetched: which of the two, its transfer says."""
LOCALS = {
    LocalState.ABSENT: 1 << 6,
    LocalState.QUEUED: LIVE,
    LocalState.FETCHING: LIVE,
    LocalState.HELD: 1 << 8,
    LocalState.DAMAGED: 1 << 9,
    LocalState.LOST: 1 << 10,
}
KINDS = {
    AssetKind.ARCHIVE: 1 << 11,
    AssetKind.VIDEO: 1 << 12,
    AssetKind.AUDIO: 1 << 13,
    AssetKind.TRANSCRIPT: 1 << 14,
    AssetKind.DASHBOARD: 1 << 15,
    AssetKind.CATCHUP: 1 << 16,
}
FAULTS = 1 << 17
RISK = 1 << 18
PEOPLE = 1 << 19
SIZE = 1 << 20
LINK = 1 << 21
SAID = 1 << 22
"""The text of a held transcript can be searched."""
FLAGS = {Flag.WANT: 1 << 23, Flag.SKIP: 1 << 24, Flag.FORGET: 1 << 25, Flag.HOLD: 1 << 26}
"""`assets.flags` has the same."""
LEFT = FLAGS[Flag.SKIP] | FLAGS[Flag.FORGET]
"""What is not to be fetched, and so is not at risk."""
RELEASING = 1 << 27
"""A release of it is open."""


@functools.lru_cache(4_096)
def rank_of(bits: int) -> int:
    """A number that orders by what there is: kinds, an archive first, then how much is held. No two bits share one."""
    rank = bits
    for place, bit in enumerate(KINDS.values()):
        rank |= 1 << (39 - place) if bits & bit else 0
    rank |= 1 << 33 if bits & LOCALS[LocalState.HELD] else 0
    return rank | (0 if bits & LOCALS[LocalState.ABSENT] else 1 << 32)
