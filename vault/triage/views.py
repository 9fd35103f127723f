"""What triage tells: frozen values, safe to hand to another thread. Sizes in bytes, times in UTC."""

from datetime import datetime

from msgspec import Struct

from providers.models import AssetId
from vault.proof import Proof
from vault.views import Flag, ReleaseState


class FlagView(Struct, frozen=True):
    """A flag of an asset: why (""), by whom (user@host), and since when."""

    asset: AssetId
    flag: Flag
    note: str
    by: str
    at: datetime


class ReleaseView(Struct, frozen=True):
    """A release that was asked for, as it stands."""

    number: int
    asset: AssetId
    title: str
    state: ReleaseState
    asked_at: datetime
    due_at: datetime
    """Before this nothing is sent, and it can be stopped."""
    by: str
    words: str
    """What it waits for, why it was stopped, refused or failed, or what the service says."""
    attempts: int
    again_at: datetime | None
    """When it is tried next, where it waits for that."""
    sent_at: datetime | None
    answer: str
    """What was called and how the service answered; "" before that."""
    along: tuple[AssetId, ...]
    """What else the service is to delete with it, as of the moment it was sent."""
    size: int | None
    deadline: datetime | None
    """When the service deletes it for good, once it is released."""

    def left_s(self, now: datetime) -> float:
        """Seconds of the grace that are left; 0 when it is over."""
        return max(0.0, (self.due_at - now).total_seconds())

    def record(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "asset": str(self.asset),
            "title": self.title,
            "state": str(self.state),
            "asked_at": self.asked_at.isoformat(),
            "due_at": self.due_at.isoformat(),
            "by": self.by,
            "words": self.words or None,
            "sent_at": _iso(self.sent_at),
            "answer": self.answer or None,
            "along": [str(identity) for identity in self.along],
            "deadline": _iso(self.deadline),
        }


class ReceiptView(Struct, frozen=True):
    """What the service deletes since it was told to from here, and what is held instead."""

    asset: AssetId
    title: str
    release: int
    """The number of the release that it belongs to."""
    along: bool
    """It was not named itself, but went with what was."""
    sha256: str
    proof: Proof
    """Of the copy here, read again just before the call."""
    path: str
    by: str
    asked_at: datetime
    sent_at: datetime | None
    """None: the service had begun to delete it when it was to be sent again."""
    answer: str
    confirmed_at: datetime
    provider_state: str
    deadline: datetime | None
    """When the service deletes it for good, as far as known."""
    rechecked_at: datetime | None
    recheck: str
    """What reading the copy again shortly before that found; "" before."""

    def record(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "asset": str(self.asset),
            "account": self.asset.account,
            "title": self.title,
            "release": self.release,
            "along": self.along,
            "size": self.proof.size,
            "sha256": self.sha256,
            "path": self.path,
            "proof": [{"name": c.name, "outcome": c.outcome, "words": c.words} for c in self.proof.checks],
            "proven_at": self.proof.proven_at.isoformat(),
            "by": self.by,
            "asked_at": self.asked_at.isoformat(),
            "sent_at": _iso(self.sent_at),
            "answer": self.answer or None,
            "confirmed_at": self.confirmed_at.isoformat(),
            "provider_state": self.provider_state,
            "deadline": _iso(self.deadline),
            "rechecked_at": _iso(self.rechecked_at),
            "recheck": self.recheck or None,
        }


class Asked(Struct, frozen=True):
    """What became of asking for releases: what waits now, and what may not be released, with the reason."""

    release: tuple[ReleaseView, ...]
    refused: tuple[tuple[AssetId, str], ...]


class DeedView(Struct, frozen=True):
    """Something an operator did that can be undone."""

    id: int
    at: datetime
    by: str
    what: str
    """queued, flagged or release."""
    words: str
    assets: tuple[AssetId, ...]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
