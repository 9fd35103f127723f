"""The Provider that every service's client is, what it declares of itself, and its errors."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol

from msgspec import Struct, field

from providers.declaring import Option as Option
from providers.declaring import ProviderInfo as ProviderInfo
from providers.declaring import SecretField as SecretField
from providers.declaring import with_defaults as with_defaults
from providers.discreet import Discreet
from providers.models import (
    Announcement,
    Asset,
    AssetId,
    Catchup,
    Checksum,
    Delivery,
    DeliveryReport,
    Listing,
    NotificationChange,
    NotificationSettings,
    Subscription,
)
from providers.secret import Secret


class ProviderError(Exception):
    """Something about a service failed; the text is for a person and names a next step where there is one.

    `transient`: trying again later can help. `retry_after_s`: the service's own wish, in seconds.
    """

    transient = False

    def __init__(self, words: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.retry_after_s = retry_after_s


class Unreachable(ProviderError):
    """The network, the name or the TLS connection failed."""

    transient = True


class ServiceDown(ProviderError):
    """The service answers that it cannot answer now (5xx, 408)."""

    transient = True


class RateLimited(ProviderError):
    """The service asks for fewer requests (429)."""

    transient = True


class NotReady(ProviderError):
    """The asset is still being made."""

    transient = True


class SessionLost(ProviderError):
    """The session or the link ran out; resolving the source again renews it."""

    transient = True


class NotTrusted(ProviderError):
    """The TLS certificate or the address is not one that this account may use."""


class Unauthorized(ProviderError):
    """The credential is not accepted. `name`: which of the account's secrets that is, where it is known."""

    def __init__(self, words: str, *, name: str = "") -> None:
        super().__init__(words)
        self.name = name


class Forbidden(ProviderError):
    """The credential is known but lacks the right."""


class NotFound(ProviderError):
    """The service does not know it."""


class Gone(ProviderError):
    """It was there and is deleted."""


class Refused(ProviderError):
    """The service refuses, in its own words."""


class BadAnswer(ProviderError):
    """The service's answer cannot be what it should be."""


class Unsupported(ProviderError):
    """This provider has no such thing."""


class MissingSecret(ProviderError):
    """The account's credential is not configured. `name` is the secret's name."""

    def __init__(self, account: str, name: str) -> None:
        variable = f"REELDESK_SECRET_{account}_{name}".upper().replace("-", "_")
        super().__init__(
            f"no {name} for account {account}: set it with `reeldesk secret set {account} {name}` or {variable}"
        )
        self.name = name


class NotAuthentic(ProviderError):
    """A webhook's signature or key does not match: it is not from the service."""


class Unreadable(ProviderError):
    """A genuine webhook whose content cannot be understood."""


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, given as seconds or as a date; None when absent, unreadable or past."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), 86_400))
    from email.utils import parsedate_to_datetime  # half of what this module takes to load

    try:
        wait = min((parsedate_to_datetime(value) - now).total_seconds(), 86_400.0)
    except (ValueError, TypeError, OverflowError):
        return None
    return wait if wait > 0 else None


def error_for_status(
    status: int, headers: Mapping[str, str], now: datetime, said: str = "", subject: str = "the request"
) -> ProviderError:
    """The error for an HTTP status that is none of success, with what the service `said` (already safe text)."""
    tail = f": {said}" if said else ""
    wait = retry_after_s(headers, now)
    if status == 401:
        return Unauthorized(f"the service does not accept the credential (HTTP 401){tail}")
    if status == 403:
        return Forbidden(f"the credential lacks the right for {subject} (HTTP 403){tail}")
    if status == 404:
        return NotFound(f"the service does not know {subject} (HTTP 404){tail}")
    if status == 410:
        return Gone(f"the service no longer has {subject} (HTTP 410){tail}")
    if status == 429:
        return RateLimited(f"the service asks for fewer requests (HTTP 429){tail}", retry_after_s=wait)
    if status in (408, 425) or status >= 500:
        return ServiceDown(f"the service answers HTTP {status}{tail}", retry_after_s=wait)
    return Refused(f"the service refuses {subject} (HTTP {status}){tail}")


class SecretSource(Protocol):
    """Where a client reads an account's secrets, at the moment it needs them."""

    def __call__(self, name: str) -> Secret | None:
        """The secret, or None where none is configured."""
        ...


class AccountSettings(Struct, frozen=True):
    """An account as configured, validated by its provider's declaration: every declared option is present."""

    name: str
    provider: str
    options: Mapping[str, Any]
    ca_file: str | None = None
    verify: bool = True
    proxy: str | None = None
    timeout_s: float = 30.0
    rate_per_s: float | None = None
    allow_private: tuple[str, ...] = ()
    """Exact origins in private networks to which addresses in payloads and redirects may lead (never a credential)."""


class Head(Discreet, frozen=True):
    """The beginning of an answer that should be a file: for `Source.judge`. Header names are lower-case."""

    UNSHOWN: ClassVar = ("prefix",)

    status: int
    headers: Mapping[str, str]
    prefix: bytes
    """The first bytes, up to 64 KiB."""
    complete: bool
    """Whether `prefix` is the whole body."""


class Source(Discreet, frozen=True):
    """Where an asset's bytes are right now. It is resolved anew for every attempt and never stored."""

    UNSHOWN: ClassVar = ("url",)

    url: str
    judge: Callable[[Head], None]
    """Raises the ProviderError that the answer means when it is not the file."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Harmless headers (no credential: those are added for the account's own origins only)."""
    size: int | None = None
    """What the service stated elsewhere: a hint; the transfer's own length outranks it."""
    checksum: Checksum | None = None
    resumable: bool = True
    advised_limit: int | None = None
    """The service advises against fetching more bytes than this in one file; a warning, not a stop."""


class ReleaseSteps:
    """Told by `Provider.release` of the two moments that matter; what it raises ends the release. This one is deaf."""

    async def sending(self) -> None:
        """The call that deletes goes out now: nothing stands against it as far as the service's record tells."""

    async def answered(self, words: str) -> None:
        """The service took the call; `words`: what was called, and how it was answered."""


UNWATCHED = ReleaseSteps()


class Provider(ABC):
    """One account at one service. Everything that touches the network is async and raises ProviderError.

    A client offers what its `info.capabilities` say; the rest raises Unsupported.
    """

    info: ProviderInfo

    def __init__(self, settings: AccountSettings) -> None:
        self.settings = settings
        self.news: Callable[[Listing], None] = lambda listing: None
        """Called with what arrives on its own (events polled to keep a session alive), before more is taken."""

    @property
    def account(self) -> str:
        """The account's name."""
        return self.settings.name

    @property
    @abstractmethod
    def opener(self) -> "Opener":
        """What opens this account's sources for the fetch code."""

    @abstractmethod
    async def check(self) -> str:
        """Make the cheapest honest call and say in words what works. Raises ProviderError otherwise."""

    @abstractmethod
    async def aclose(self) -> None:
        """Sign out where signed in, and close connections. Never raises for a fault of the network."""

    def listing(self) -> AsyncIterator[Listing]:
        """What the service has, page by page (Capability.LIST), or has waiting for us (WATCH)."""
        raise self._unsupported("list of its recordings")

    def watch(self) -> AsyncIterator[Listing]:
        """What happens at the service, as it happens, until cancelled (Capability.WATCH)."""
        raise self._unsupported("events to watch")

    def adopt(self, identity: AssetId) -> Listing:
        """The meeting and asset for ids that a person gave by hand. Raises NotFound where ids must be announced."""
        raise NotFound(f"{identity} is not known here; `reeldesk sync {self.account}` asks the service")

    async def look_up(self, hint: str) -> Listing:
        """Ask the service about one thing that a webhook named (`Announcement.confirm`)."""
        raise self._unsupported("way to ask for one recording")

    async def locate(self, asset: Asset) -> Source:
        """Where the asset's bytes are now; called anew for every attempt (Capability.FETCH)."""
        raise self._unsupported("files to fetch")

    async def release(self, asset: Asset, steps: ReleaseSteps = UNWATCHED) -> Listing:
        """Let the service delete the asset and read the record again (Capability.RELEASE).

        What was released already is only read: `steps` then hears of nothing.
        """
        raise self._unsupported("way to let it delete recordings")

    async def record_of(self, asset: Asset) -> Listing:
        """The asset's record as the service has it now (Capability.RELEASE)."""
        raise self._unsupported("way to let it delete recordings")

    def read_delivery(self, delivery: Delivery, *, trusted: bool = False) -> Announcement:
        """Verify and read a webhook (WEBHOOK). Raises NotAuthentic, Unreadable, MissingSecret."""
        # `trusted`: it was verified as it came in, and keys may have changed since: it is only read (Unreadable).
        raise self._unsupported("webhooks")

    async def notifications(self) -> NotificationSettings:
        """The recording notifications as set at the service (Capability.NOTIFICATIONS)."""
        raise self._unsupported("recording notifications")

    async def save_notifications(self, change: NotificationChange) -> NotificationSettings:
        """Create or update them, and give what the service now says."""
        raise self._unsupported("recording notifications")

    def preview_notifications(self, change: NotificationChange, *, exists: bool) -> str:
        """What `save_notifications` would send, as text to show: method, path and body, secrets masked."""
        raise self._unsupported("recording notifications")

    async def catchup(self, room: str) -> Catchup:
        """The summary of the call running in a room (Capability.CATCHUP)."""
        raise self._unsupported("catch-ups")

    async def dispatch_agent(self, join_url: str, *, attendee: str = "", callback_url: str = "") -> Listing:
        """Send an agent to a meeting now (Capability.AGENTS). What came into being is in the listing."""
        raise self._unsupported("agents")

    async def schedule_agent(
        self, join_url: str, key: str, join_at: datetime, *, attendee: str = "", callback_url: str = ""
    ) -> None:
        """Have an agent join later; `key` is ours and names it for `cancel_agent`. Its state comes by webhook."""
        raise self._unsupported("agents")

    async def cancel_agent(self, key: str) -> None:
        """Cancel a scheduled agent. The service accepts this also for one that has begun to join, which stays."""
        raise self._unsupported("agents")

    async def subscribe(self, topic: str, url: str) -> Subscription:
        """Register a webhook (Capability.SUBSCRIPTIONS)."""
        raise self._unsupported("webhook subscriptions")

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """The webhooks registered there."""
        raise self._unsupported("webhook subscriptions")

    async def unsubscribe(self, subscription_id: str) -> None:
        """Delete a registered webhook."""
        raise self._unsupported("webhook subscriptions")

    async def delivery_reports(self, subscription_id: str) -> tuple[DeliveryReport, ...]:
        """The latest delivery attempts of a subscription, newest first."""
        raise self._unsupported("delivery reports")

    def _unsupported(self, what: str) -> Unsupported:
        return Unsupported(f"{self.info.label} has no {what}")

    def _require(self, secret: Secret | None, name: str) -> Secret:
        if secret is None:
            raise MissingSecret(self.account, name)
        return secret


class Body(Protocol):
    """An opened answer whose body arrives as it is read. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """The body's raw bytes. Raises Unreachable when the connection breaks or the body is cut short."""
        ...


class OpenBody(Protocol):
    """An async context manager around a Body."""

    async def __aenter__(self) -> Body: ...

    async def __aexit__(self, *exc: object) -> None: ...


class Opener(Protocol):
    """Opens one address; the account's credential goes only to the account's own origins; no redirect is followed."""

    def open(self, url: str, headers: Mapping[str, str]) -> OpenBody:
        """GET `url`. Raises ProviderError on entering: Unreachable, NotTrusted."""
        ...
