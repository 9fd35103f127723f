"""What the receiver tells whoever asks: frozen values, safe to hand to another thread."""

from datetime import datetime

from msgspec import Struct

from providers.models import DeliveryReport, Subscription
from providers.secret import Secret
from vault.inbox.receiver_view import ReceiverState as ReceiverState
from vault.inbox.receiver_view import ReceiverView as ReceiverView
from vault.views import Unannounced


class AddressView(Struct, frozen=True):
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


class SubscriptionView(Struct, frozen=True):
    """A webhook registered at a service. `ours`: it leads to this receiver (None: that cannot be told)."""

    account: str
    subscription: Subscription
    ours: bool | None
    words: str = ""
    """Where it leads to, in words."""


class Missed(Struct, frozen=True):
    """What polling an account found that no webhook announced, and why that may be."""

    account: str
    assets: tuple[Unannounced, ...]
    """Newest first, at most a hundred."""
    reason: str
    """The likely reason, in words; "" when nothing was missed."""


class Rotation(Struct, frozen=True):
    """What came of rotating a secret: each step in words, in order.

    `address`: the new address (of catch-ups: the new bearer token); None when it failed and the old one stays in use.
    """

    steps: tuple[str, ...]
    address: Secret | None


class Reports(Struct, frozen=True):
    """The latest attempts of a service to deliver, newest first."""

    subscription: Subscription
    reports: tuple[DeliveryReport, ...]
    fetched_at: datetime
