"""Words for putting meetings, assets and proofs into a ledger."""

from datetime import UTC, datetime
from typing import Any

from providers.models import Asset, AssetId, AssetKind, Listing, Meeting, RemoteState
from vault.ledger import Ledger
from vault.ledger.claiming import Claim, Terms
from vault.ledger.recording import Recorded
from vault.proof import Check, Outcome, Proof

NOW = 1_800_000_000.0
SHA256 = "ab" * 32


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def archive(meeting: str = "c1", state: RemoteState = RemoteState.AVAILABLE, **more: Any) -> Asset:
    more.setdefault("extension", "zip")
    return Asset(meeting, AssetKind.ARCHIVE, state=state, **more)


def record(ledger: Ledger, *things: Meeting | Asset, account: str = "advice", truth: bool = True) -> Recorded:
    listing = Listing(
        tuple(thing for thing in things if isinstance(thing, Meeting)),
        tuple(thing for thing in things if isinstance(thing, Asset)),
    )
    return ledger.recorder.record(account, "flexperto", listing, NOW, authoritative=truth)


def identity(meeting: str = "c1", account: str = "advice") -> AssetId:
    return AssetId(account, meeting, AssetKind.ARCHIVE)


def proof(size: int = 10, sha256: str = SHA256) -> Proof:
    return Proof(size, sha256, (Check("container", Outcome.PASSED, "zip complete"),), at(NOW), "https://host")


def queued(ledger: Ledger, *meetings: str, now: float = NOW, account: str = "advice", **more: Any) -> None:
    """Record available archives and queue them, in this order."""
    for meeting in meetings:
        record(ledger, archive(meeting, **more), account=account)
        assert ledger.transfers.enqueue([identity(meeting, account)], now)


def claims(
    ledger: Ledger, room: int, owner: str = "me", now: float = NOW, per_account: int = 9, **terms: Any
) -> tuple[Claim, ...]:
    """Claim what is next, at most `room`."""
    return ledger.claims.take(Terms(owner, per_account, **terms), now, room)


def claim(ledger: Ledger, owner: str = "me", now: float = NOW, per_account: int = 9, **terms: Any) -> Claim | None:
    """Claim the next one."""
    return next(iter(claims(ledger, 1, owner, now, per_account, **terms)), None)


def hold(ledger: Ledger, meeting: str, path: str = "", size: int = 10) -> None:
    """Fetch an archive that is known, as far as the ledger is concerned."""
    ledger.transfers.enqueue([identity(meeting)], NOW)
    taken = claim(ledger, only=ledger.claims.ids([identity(meeting)]))
    assert taken is not None
    assert ledger.claims.fix_path(taken, path or f"/vault/{meeting}.zip")
    ledger.claims.prepare(taken, proof(size))
    ledger.claims.commit(taken, proof(size), NOW)
