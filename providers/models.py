"""The words everyone shares: meetings, assets, their states, and what a service is able to do.

Every text in these values has passed `providers.text.safe_text` or `safe_block` on its way in.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from urllib.parse import quote, unquote

from msgspec import Struct, field

from providers.digests import is_same, sha256
from providers.discreet import Discreet
from providers.origin import Origin
from providers.secret import Secret


class AssetKind(StrEnum):
    """What kind of thing of a meeting can be had."""

    ARCHIVE = "archive"
    VIDEO = "video"
    AUDIO = "audio"
    TRANSCRIPT = "transcript"
    DASHBOARD = "dashboard"
    CATCHUP = "catchup"

    @property
    def fetchable(self) -> bool:
        """Whether there are bytes to fetch: a dashboard is a link for a browser, never fetched."""
        return self is not AssetKind.DASHBOARD


class RemoteState(StrEnum):
    """What the service says of an asset, in our words. Its own word is kept beside it."""

    PROCESSING = "processing"
    AVAILABLE = "available"
    FAILED = "failed"
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def downloadable(self) -> bool:
        """Whether the service still gives the bytes (flexperto keeps them for a while after abandoning)."""
        return self in (RemoteState.AVAILABLE, RemoteState.ABANDONED)


class Capability(StrEnum):
    """What an account can do. Screens ask this, never a provider's name."""

    LIST = "list"
    """The service lists what it has."""
    FETCH = "fetch"
    """It has assets with bytes to fetch."""
    RELEASE = "release"
    """It can be told to delete what we hold."""
    NOTIFICATIONS = "notifications"
    """It has recording notifications to edit."""
    CATCHUP = "catchup"
    """It summarises running calls."""
    AGENTS = "agents"
    """Agents can be sent to meetings, scheduled and cancelled."""
    WEBHOOK = "webhook"
    """It announces things to us."""
    WATCH = "watch"
    """It is signed in to, and its events are polled."""
    SUBSCRIPTIONS = "subscriptions"
    """Webhooks can be registered there, and their delivery reports read."""


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*", re.ASCII)


def _encoded(text: str) -> str:
    # Most ids have nothing to encode, and a sync writes a hundred thousand of them.
    return text if _PLAIN.fullmatch(text) else quote(text, safe="")


class AssetId(Struct, frozen=True, order=True):
    """The identity of an asset: `ACCOUNT/MEETING/KIND[.VARIANT]`, remote ids percent-encoded. It never changes."""

    account: str
    meeting: str
    kind: AssetKind
    variant: str = ""

    def __str__(self) -> str:
        tail = f".{_encoded(self.variant)}" if self.variant else ""
        return f"{self.account}/{_encoded(self.meeting)}/{self.kind}{tail}"

    @classmethod
    def parse(cls, text: str) -> "AssetId":
        """Read an identity as commands print it. Raises ValueError with words for a person."""
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            raise ValueError(f"{text!r} is no asset: expected ACCOUNT/MEETING/KIND[.VARIANT]")
        account, meeting, tail = parts
        kind, _, variant = tail.partition(".")
        try:
            return cls(account, unquote(meeting), AssetKind(kind), unquote(variant))
        except ValueError:
            kinds = ", ".join(AssetKind)
            raise ValueError(f"{text!r} is no asset: {kind!r} is none of {kinds}") from None


class Checksum(Struct, frozen=True):
    """A checksum that a service states.

    `value` is lower-case hex of a SHA-256, or "" when the service's text could not be read as one;
    `stated` is the service's own text, for showing.
    """

    value: str
    stated: str

    @property
    def readable(self) -> bool:
        """Whether anything can be compared with it."""
        return bool(self.value)


class Meeting(Struct, frozen=True):
    """A conference, call, agent or room at an account. Times are aware and in UTC."""

    id: str
    title: str
    """"" where the service tells none: the ledger keeps the one it knows, or shows the id."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    people: tuple[str, ...] = ()
    state: RemoteState = RemoteState.UNKNOWN
    """Of the meeting itself, where the service tells one; its assets' states outrank it."""
    provider_state: str = ""
    """The service's own word for that."""
    origin: str = ""
    """Where we know it from, in words: "listed by the service", "webhook meeting_agent_complete" ..."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Further fields to show, label to text."""
    raw: str = ""
    """The record as received, JSON text, credentials and presigned links redacted."""


class Asset(Struct, frozen=True):
    """One thing of a meeting that can be had. Sizes in bytes; times aware and in UTC."""

    meeting_id: str
    kind: AssetKind
    variant: str = ""
    state: RemoteState = RemoteState.UNKNOWN
    provider_state: str = ""
    error: str = ""
    """What the service says went wrong (flexperto FAILED)."""
    size: int | None = None
    checksum: Checksum | None = None
    deadline: datetime | None = None
    extension: str = "bin"
    """Of the file it becomes, without the dot."""
    locator: Mapping[str, str] = field(default_factory=dict)
    """What the client needs to find it again: ids and API addresses; never a credential or a presigned link."""
    sealed_link: Secret | None = None
    """A link that is itself a secret (Temasys retrievalUrl): kept sealed, never in clear."""
    link: str = ""
    """A link for a person's browser (dashboard)."""
    warning: str = ""
    """What a person should know before fetching it."""
    details: Mapping[str, str] = field(default_factory=dict)
    raw: str = ""

    def identity(self, account: str) -> AssetId:
        """Its identity under an account."""
        return AssetId(account, self.meeting_id, self.kind, self.variant)


class StateChange(Struct, frozen=True):
    """An event that names assets only by a part of their locator (Huawei's StopRecordDone: by task)."""

    locator: Mapping[str, str]
    state: RemoteState
    provider_state: str = ""
    error: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Listing(Struct, frozen=True):
    """A page of what a service has, or what a webhook or an event told of it."""

    meetings: tuple[Meeting, ...] = ()
    assets: tuple[Asset, ...] = ()
    changes: tuple[StateChange, ...] = ()
    catchups: "tuple[Catchup, ...]" = ()

    def __add__(self, other: "Listing") -> "Listing":
        return Listing(
            self.meetings + other.meetings,
            self.assets + other.assets,
            self.changes + other.changes,
            self.catchups + other.catchups,
        )


class Delivery(Discreet, frozen=True):
    """A webhook as it came in: header names lower-case, the body's exact bytes. Both may hold secrets."""

    UNSHOWN: ClassVar = ("headers", "body")

    headers: Mapping[str, str]
    body: bytes


class Announcement(Struct, frozen=True):
    """What a webhook said, verified as far as the service allows."""

    key: str
    """The same for a delivery and its duplicates."""
    topic: str
    verified: str
    """How we know that it is genuine, in words ("HMAC-SHA256 of the body", "not signed: a hint only")."""
    listing: Listing = Listing()
    confirm: tuple[str, ...] = ()
    """Meetings or archives to ask the service about, since the payload is only a hint; for `Provider.look_up`."""
    redacted_body: str = ""
    """The body to keep and show, secrets replaced."""


class NotificationSettings(Struct, frozen=True):
    """Temasys' recording notifications, as read. The secret access key is never among them."""

    exists: bool
    """False: nothing is set at the service yet, so saving creates it (POST); True: saving updates it (PUT)."""
    notify: bool = False
    url: str = ""
    emails: tuple[str, ...] = ()
    s3_arn: str = ""
    s3_access_key_id: str = ""
    has_s3_secret: bool = False
    username: str = ""


class NotificationChange(Struct, frozen=True):
    """What to save. The S3 trio is all or none."""

    notify: bool
    url: str = ""
    emails: tuple[str, ...] = ()
    s3_arn: str = ""
    s3_access_key_id: str = ""
    s3_secret_access_key: Secret | None = None


class Catchup(Struct, frozen=True):
    """The summary of a running call, at one moment. `text` is "" where there is nothing to tell yet."""

    room: str
    text: str
    raw: str = ""


def address_digest(url: str) -> str:
    """SHA-256 in hex of an address, spelt one way: scheme, host and port of it as an origin, the rest as it stands."""
    origin = Origin.of(url)
    rest = url.partition("://")[2]
    path = rest[len(re.split(r"[/?#]", rest, maxsplit=1)[0]) :] or "/"
    return sha256((f"{origin}{path}" if origin else url).encode(errors="surrogatepass")).hexdigest()


class Subscription(Discreet, frozen=True):
    """A webhook registered at the service. `warning` names what is wrong with it (a misspelt topic)."""

    UNSHOWN: ClassVar = ("digest",)

    id: str
    topic: str
    url: str
    """To show: what is secret in it is masked."""
    warning: str = ""
    raw: str = ""
    digest: str = ""
    """`address_digest` of the whole address, "" where the service does not tell it."""

    def leads_to(self, url: str) -> bool:
        """Whether it calls this address, secret part and all."""
        return bool(self.digest) and is_same(self.digest.encode(), address_digest(url).encode())


class DeliveryReport(Struct, frozen=True):
    """One attempt of the service to deliver a webhook."""

    at: str
    outcome: str
    raw: str = ""
    delivered: bool | None = None
    """Whether it counts as delivered at the service; None where the report does not say."""
