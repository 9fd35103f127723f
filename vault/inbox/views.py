"""What the receiver tells whoever asks: frozen values, safe to hand to another thread."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from providers.models import DeliveryReport, Subscription
from providers.secret import Secret
from vault.views import Unannounced


class ReceiverState(StrEnum):
    """Whether webhooks can come in."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    ELSEWHERE = "elsewhere"
    """Another process on this ledger receives on the very same port."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReceiverView:
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


@dataclass(frozen=True, slots=True)
class AddressView:
    """Where a service is to call an account."""

    account: str
    label: str
    """The service's name as a person knows it."""
    guard: str
    """What protects it, in words."""
    shown: str
    """The address, its secret part masked."""
    address: Secret | None
    """The whole address to register (of catch-ups: the bearer token); None where its secret is not known here."""
    problem: str
    """What is wrong there, in words (nothing can come in; a secret is not used); "" when nothing is."""
    is_catchup: bool = False
    """Late joiners ask there for summaries; else webhooks come."""
    subscribes: bool = False
    """Whether webhooks can be registered at the service from here."""
    base: str = ""
    """What every address of this receiver begins with."""


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A webhook registered at a service. `ours`: it leads to this receiver (None: that cannot be told)."""

    account: str
    subscription: Subscription
    ours: bool | None
    words: str = ""
    """Where it leads to, in words."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What polling an account found that no webhook announced, and why that may be."""

    account: str
    assets: tuple[Unannounced, ...]
    """Newest first, at most a hundred."""
    reason: str
    """The likely reason, in words; "" when nothing was missed."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What came of rotating a secret: each step in words, in order.

    `address`: the new address (of catch-ups: the new bearer token); None when it failed and the old one stays in use.
    """

    steps: tuple[str, ...]
    address: Secret | None


@dataclass(frozen=True, slots=True)
class Reports:
    """The latest attempts of a service to deliver, newest first."""

    subscription: Subscription
    reports: tuple[DeliveryReport, ...]
    fetched_at: datetime
