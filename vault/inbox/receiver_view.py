"""How the receiver stands: frozen values, safe to hand to another thread."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field


class ReceiverState(StrEnum):
    """Whether webhooks can come in."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    ELSEWHERE = "elsewhere"
    """Another process on this ledger receives on the very same port."""
    FAILED = "failed"


class ReceiverView(Struct, frozen=True):
    """The receiver, and what came since it was switched on."""

    state: ReceiverState = ReceiverState.OFF
    words: str = ""
    """Why it failed, or what is wrong while it is on (the disk, the ledger)."""
    address: str = ""
    """What it listens on: `http://127.0.0.1:8787`."""
    accepted: int = 0
    """Deliveries on disk, repetitions not counted."""
    repeated: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    """Why requests were turned away, in words, and how often."""
    catchups: int = 0
    """Answers to late joiners."""
    waiting: int = 0
    """Deliveries in the ledger that are not processed yet, whoever received them."""
