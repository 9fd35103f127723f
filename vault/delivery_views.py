"""Webhooks that were received, and what came without one: frozen values, times in UTC."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class DeliveryState(StrEnum):
    """How far a webhook is on its way into the ledger."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    """Genuine, but not understood: kept as it came."""


class DeliveryView(Struct, frozen=True):
    """A webhook that was received."""

    id: int
    account: str
    topic: str
    verified: str
    """How it is known to be genuine, in words."""
    state: DeliveryState
    outcome: str
    """What came of it, or what it waits for, in words."""
    received_at: datetime
    duplicates: int
    """How often it came again."""
    source: str
    """The address it came from; "" for one that was saved."""
    tries: int
    again_at: datetime | None
    """When it is tried again, where it waits for that."""
    is_kept: bool
    """Whether it can be processed again."""


class Unannounced(Struct, frozen=True):
    """An asset that became available without any webhook having said so."""

    identity: str
    title: str
    found_at: datetime
    """When polling found it."""
