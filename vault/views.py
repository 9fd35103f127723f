"""What the vault tells whoever asks: frozen values, safe to hand to another thread. Sizes in bytes, times in UTC."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from msgspec import Struct, field

from providers.models import AssetId, AssetKind, Capability, RemoteState
from vault.delivery_views import DeliveryState as DeliveryState
from vault.delivery_views import DeliveryView as DeliveryView
from vault.delivery_views import Unannounced as Unannounced
from vault.proof import Proof
from vault.secret_state import SecretState
from vault.triage.states import Flag as Flag
from vault.triage.states import ReleaseState as ReleaseState


class LocalState(StrEnum):
    """What this machine has of an asset."""

    ABSENT = "absent"
    QUEUED = "queued"
    FETCHING = "fetching"
    HELD = "held"
    """The file is present and proven."""
    DAMAGED = "damaged"
    """The file is present and is not what was proven."""
    LOST = "lost"
    """It was proven once; the file is gone."""


class TransferState(StrEnum):
    """Where a transfer stands. The last three are its end."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """For its next attempt."""
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DONE = "done"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in (TransferState.FAILED, TransferState.CANCELLED, TransferState.DONE)


class Facet(Struct, frozen=True):
    """One of these values (of "state", "local", "account", "provider", "kind", "is" or "has"); `inverse`: none of them.

    A meeting fits when one of its assets does, and the inverse when none does.
    """

    field: str
    values: tuple[str, ...]
    inverse: bool = False


class Query(Struct, frozen=True):
    """Which meetings or assets, in which order. Empty fields do not filter."""

    text: str = ""
    """Words that all occur in title, people, ids, account or transcripts; case does not matter."""
    account: str = ""
    state: RemoteState | None = None
    local: LocalState | None = None
    faults: bool = False
    """Only where something is wrong: failed at the service, a failed transfer, damaged, lost."""
    at_risk: bool = False
    """Only what is not held here and has a deadline."""
    sort: str = "start"
    """One of SORTS."""
    descending: bool = True
    words: tuple[str, ...] = ()
    """Further words, and phrases with blanks in them, that all occur."""
    without: tuple[str, ...] = ()
    """Words and phrases that do not occur."""
    facets: tuple[Facet, ...] = ()
    """Conditions that all hold."""
    since: datetime | None = None
    """Only what began then or later."""
    until: datetime | None = None
    """Only what began before."""
    smallest: int | None = None
    """Bytes: only meetings (or assets) of at least this size."""
    largest: int | None = None
    """Bytes: only meetings (or assets) of at most this size."""


class Count(Struct, frozen=True):
    """How many there are; where it is not `exact`, at least so many."""

    number: int
    exact: bool


class Near(TypedDict, total=False):
    """What is known near a page of rows. Keys are (account, meeting id)."""

    after: tuple[str, str] | None
    """Of the row just before the page."""
    before: tuple[str, str] | None
    """Of the row just behind it."""
    total: int | None
    """How many rows there are: tells the nearer end."""


class Coverage(Struct, frozen=True):
    """What of the ledger a search looks through."""

    meetings: int
    searched: int
    """Meetings that are searched; the rest waits for the index."""
    transcripts: int
    """Held transcripts."""
    transcripts_searched: int
    """Those of them whose text is searched."""

    @property
    def complete(self) -> bool:
        """Whether everything is searched."""
        return self.searched == self.meetings and self.transcripts_searched == self.transcripts

    @property
    def words(self) -> str:
        """For a person whose search found nothing."""
        said = f"searched {self.searched:,} of {self.meetings:,} meetings"
        if self.transcripts:
            said += f" and the text of {self.transcripts_searched:,} of {self.transcripts:,} held transcripts"
        return said


class SavedView(Struct, frozen=True):
    """A query under a name: what was typed, and the order."""

    name: str
    text: str
    sort: str = "start"
    descending: bool = True


class Sort(Struct, frozen=True):
    """The order of a list that is not narrowed by a query. `by`: one of its sorts, the first of which is the usual."""

    by: str
    descending: bool = False


TRANSFER_SORTS = ("state", "title", "kind", "size", "tries", "changed")
"""`state` is the queue's own order; `changed`: when each was queued, or ended."""
DELIVERY_SORTS = ("received", "account", "topic", "verified", "state")
EVENT_SORTS = ("number", "of")
"""`of`: what an event is of."""
SORTS = ("start", "title", "state", "size", "deadline", "account", "has")


class AssetView(Struct, frozen=True):
    """An asset with all that is known of it."""

    identity: AssetId
    provider: str
    title: str
    state: RemoteState
    provider_state: str
    local: LocalState
    size: int | None
    """Of the held file, else what the service stated."""
    sha256: str
    path: str
    """Absolute; "" when nothing was ever fetched."""
    deadline: datetime | None
    error: str
    """What the service says went wrong, else why the last transfer failed."""
    wrong: bool
    """What the service gave was proven wrong; it is not asked again until it states something new, or by name."""
    warning: str
    link: str
    extension: str
    checksum_stated: str
    proof: Proof | None
    first_seen: datetime
    last_seen: datetime
    details: Mapping[str, str]
    locator: Mapping[str, str]
    raw: str
    flags: frozenset[Flag] = frozenset()
    destination: str = ""
    """Absolute: where its file lies or is to lie; fixed when it is queued, "" before."""
    release: ReleaseState | None = None
    """Of an open release; None when there is none."""
    release_due: datetime | None = None
    """When an open release's grace ends."""

    def record(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "asset": str(self.identity),
            "account": self.identity.account,
            "provider": self.provider,
            "meeting": self.identity.meeting,
            "kind": str(self.identity.kind),
            "variant": self.identity.variant,
            "title": self.title,
            "state": str(self.state),
            "provider_state": self.provider_state,
            "local": str(self.local),
            "size": self.size,
            "sha256": self.sha256 or None,
            "path": self.path or None,
            "deadline": self.deadline.isoformat() if self.deadline else None,
            "error": self.error or None,
            "flags": sorted(self.flags),
            "release": str(self.release) if self.release else None,
        }


class Stage(Struct, frozen=True):
    """One asset in a meeting's row: its kind and how far it is."""

    kind: AssetKind
    held: bool
    failed: bool


class MeetingRow(Struct, frozen=True):
    """A meeting as one line of the list."""

    account: str
    provider: str
    meeting: str
    title: str
    started_at: datetime | None
    stages: tuple[Stage, ...]
    state: RemoteState
    """Of the asset that matters most (a failed one before one in the making before an available one)."""
    provider_state: str
    local: LocalState
    size: int | None
    """Of all its assets, as far as known."""
    deadline: datetime | None
    """The earliest of assets that are not held."""
    error: str
    flags: frozenset[Flag] = frozenset()
    """Those of any of its assets."""
    releasing: bool = False
    """Whether a release of one of its assets is open."""

    @property
    def key(self) -> tuple[str, str]:
        """What identifies it: account and meeting id."""
        return (self.account, self.meeting)


class MeetingView(Struct, frozen=True):
    """A meeting with all that is known of it and its assets."""

    account: str
    provider: str
    meeting: str
    title: str
    started_at: datetime | None
    ended_at: datetime | None
    people: tuple[str, ...]
    provider_state: str
    origin: str
    first_seen: datetime
    last_seen: datetime
    details: Mapping[str, str]
    raw: str
    assets: tuple[AssetView, ...]


class TransferView(Struct, frozen=True):
    """A transfer as it stands. `rate` in bytes a second, `eta_s` in seconds, None where not known."""

    asset: AssetId
    title: str
    state: TransferState
    received: int
    total: int | None
    rate: float | None
    eta_s: float | None
    attempts: int
    words: str
    """The last error, what it waits for, or what was proven."""
    owner: str
    """Who runs it: "" for nobody, else a process."""
    again_at: datetime | None = None
    """When it is tried next; None when it does not wait for a moment. `words` then says what it waits for."""
    changed_at: datetime | None = None
    """When it ended, or was queued where it has not; None where that was not read."""


class AccountView(Struct, frozen=True):
    """An account for the list at the left and for mode 6."""

    name: str
    provider: str
    label: str
    capabilities: frozenset[Capability]
    address: str
    meetings: int
    assets: int
    held: int
    at_risk: int
    faults: int
    synced_at: datetime | None
    error: str
    """Why the last sync or call failed, in words; "" when it went well or was not made."""
    secrets: Mapping[str, SecretState]
    """Name of each secret to what is known of it, without having asked a store for this; never its value."""
    found_by: str
    verify: bool
    """False: the TLS certificate is not checked."""
    held_until: datetime | None = None
    """Until when nothing more is fetched there, since the service does not answer well; None when it is fetched."""
    held_words: str = ""
    """Why, in words."""
    asked: bool = True
    """Whether a sync asks the service anything; False where it only announces, so that "ok" would say nothing."""


class Event(Struct, frozen=True):
    """One line of an asset's custody trail: an event of the ledger's log, where `number` is its place.

    `by`: operator, worker or service ("" where nobody noted it); `process`: user@host that wrote it down; `facts`:
    what a program reads of it; `chain`: its link (hex).
    """

    at: datetime
    what: str
    words: str
    number: int = 0
    by: str = ""
    process: str = ""
    facts: Mapping[str, str | int | None] = field(default_factory=dict)
    chain: str = ""

    @property
    def who(self) -> str:
        """Who established it, in words."""
        if self.by == "service":
            return "the service"
        if self.by == "worker":
            return f"worker on {self.process.rpartition('@')[2]}"
        return self.process or "not noted"


class LoggedEvent(Struct, frozen=True):
    """A line of the whole log: what the event is of (an asset's id, an account's name, or "" for neither)."""

    identity: str
    event: Event


class CatchupView(Struct, frozen=True):
    """A room's summary as it was at one moment. `error` instead of a text when it could not be read."""

    account: str
    room: str
    at: datetime
    text: str
    error: str = ""


class Totals(Struct, frozen=True):
    """Of the whole ledger, for status lines."""

    meetings: int
    assets: int
    held: int
    held_bytes: int
