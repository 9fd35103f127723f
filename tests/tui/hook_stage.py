"""Deliveries for mode 5, put into the ledger by its own verbs; the clock stands."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import Asset, AssetKind, Delivery, Listing, Meeting, RemoteState
from tests.tui.stage import CONFIG, NOW, StageEngine, stage
from vault.desk import Desk
from vault.ledger.deliveries import Kept, Receipt, Settled, Taken
from vault.ledger.recording import Recorded
from vault.views import DeliveryState

TOKEN = "s3cret-hook-token-of-the-stage"
SECRETS = {f"{account}/hook_secret": TOKEN for account in ("advice", "rooms", "standup")}
AVAILABLE = "communication.archives.archive.available"
PAYLOAD = '{"topic":"communication.archives.archive.available","payload":{"archiveId":"advice-000","apiKey":"…"}}'
LAID_OUT = """{
  "topic": "communication.archives.archive.available",
  "payload": {
    "archiveId": "advice-000",
    "apiKey": "…"
  }
}"""
"""As it is read, and as older versions kept it."""


def keep(
    desk: Desk,
    minutes: float,
    account: str,
    topic: str,
    verified: str,
    *,
    body: str = PAYLOAD,
    key: str = "",
    readable: bool = True,
    owner: str = "stage",
) -> Kept:
    """A delivery that came so many minutes ago."""
    content = body.encode()
    receipt = Receipt(
        account,
        key or f"{topic} {minutes}",
        topic,
        verified,
        body,
        hashlib.sha256(content).hexdigest(),
        Delivery({}, content),
        "203.0.113.7",
        (NOW - timedelta(minutes=minutes)).timestamp(),
        readable,
    )
    (kept,) = desk._ledger.deliveries.keep([receipt], owner)
    return kept


def done(desk: Desk, kept: Kept, account: str, words: str) -> None:
    """It was processed."""
    taken = Taken(kept.id, account, kept.fence, 1, None)

    def tell(recorded: Recorded) -> str:
        return words

    desk._ledger.deliveries.settle([Settled(taken, "", (), False, tell)], NOW.timestamp())


def deliver(desk: Desk) -> None:
    """One of every state, of every account, the oldest first."""
    deliveries = desk._ledger.deliveries
    signed, secret = "HMAC-SHA256 of the body, with the client secret", "secret address"
    keep(desk, 60 * 30, "advice", "not understood", "kept as it came: no topic", body="no JSON", readable=False)
    failed = keep(desk, 15, "rooms", "recording mixed", "not signed")
    words = "the key it was sealed with is gone"
    deliveries.end(Taken(failed.id, "rooms", failed.fence, 40, None), DeliveryState.FAILED, words)
    late = keep(desk, 12, "rooms", "recording mixed", "not signed; the app key matches")
    words, soon = "the service answers HTTP 503: [maintenance] until 15:00", NOW + timedelta(seconds=40)
    deliveries.postpone(Taken(late.id, "rooms", late.fence, 3, None), words, soon.timestamp())
    done(desk, keep(desk, 9, "agents", "recording_ready", signed), "agents", "brought its state up to date")
    known = keep(desk, 3, "advice", AVAILABLE, secret, key="same")
    done(desk, known, "advice", "1 new asset; confirmed by the service")
    keep(desk, 3, "advice", AVAILABLE, secret, key="same")
    keep(desk, 3, "advice", AVAILABLE, secret, key="same")
    keep(desk, 1, "agents", "transcript_ready", signed, owner="")


def miss(desk: Desk) -> None:
    """An archive that a later sync found, and that nothing announced."""
    found = Listing(
        (Meeting("advice-late", title="Mortgage [/b] advice, second hearing"),),
        (Asset("advice-late", AssetKind.ARCHIVE, "ARCHIVE", state=RemoteState.AVAILABLE),),
    )
    desk._ledger.recorder.record(
        "advice", "flexperto", found, (NOW - timedelta(minutes=50)).timestamp(), authoritative=True
    )


def webhooks_at(service: FlexpertoEmulator, own: str) -> None:
    """Two registered ones: a misspelt one that leads elsewhere, and one to `own`, with two attempts."""
    service.subscribe("communciation.archives.archive.available", "https://other.example/hooks/abc")
    ours = service.subscribe(AVAILABLE, f"{own}/hooks/advice/{TOKEN}")
    service.report(ours.id, 503, 1)
    service.report(ours.id, 204, 2)


def config_for(service: FlexpertoEmulator, port: int = 8787) -> str:
    """The stage's accounts, flexperto's an emulator, and the receiver on a port."""
    nowhere = 'provider = "flexperto"\nbase_url = "http://127.0.0.1:9"'
    assert nowhere in CONFIG
    here = nowhere.replace("http://127.0.0.1:9", service.base_url)
    return f"[receiver]\nport = {port}\n{CONFIG.replace(nowhere, here)}"


@contextmanager
def hook_stage(net: Loopback, folder: Path, port: int = 8787) -> Iterator[tuple[StageEngine, FlexpertoEmulator]]:
    """A desk with deliveries, webhooks registered at an emulator, and something missed."""
    service = FlexpertoEmulator(now=NOW.timestamp)
    service.allow_private_targets = True
    net.serve(service)
    webhooks_at(service, f"http://127.0.0.1:{port}")
    secrets = SECRETS | {"advice/api_key": service.api_key}
    with stage(folder, config=config_for(service, port), secrets=secrets) as engine:
        deliver(engine.desk)
        miss(engine.desk)
        engine.transfers_from_ledger()
        yield engine, service
