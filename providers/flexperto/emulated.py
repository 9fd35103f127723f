"""What the flexperto emulator holds: archives with their lifecycle, subscriptions, and the JSON it makes of them."""

import base64
import hashlib
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from providers.emulation import Blob, mp4_blob, zip_blob

LIFECYCLE = ("PROCESSING", "ARTIFACT_GATHERING_COMPLETE", "PACKING", "AVAILABLE", "ABANDONED", "EXPIRED")
"""The statuses in their order (page, lifecycle); FAILED may come instead of AVAILABLE."""
DOWNLOADABLE = ("AVAILABLE", "ABANDONED")
EXPIRATION_S = 3 * 86_400.0
REPORT_BACKLOG = 50


class Person(Struct, frozen=True):
    """An expert or a participant."""

    name: str
    email: str = ""


class EmulatedArchive(Struct):
    """An archive. Times are unix seconds of the emulator's clock."""

    id: str
    conference_id: str
    title: str
    blob: Blob
    status: str
    created_at: float
    started_at: float
    ended_at: float
    expert: Person
    participants: tuple[Person, ...] = ()
    error: str | None = None
    stated_sha256: str | None = None
    """The checksum to state instead of the right one."""
    abandoned_at: float | None = None
    updated_at: float = 0.0
    plan: list[tuple[float, str]] = field(default_factory=list)
    """Statuses to come, each with its moment."""
    became_available: list[float] = field(default_factory=list)
    """When it did, of what subscribers were not told yet."""
    copies: int | None = None
    """How often its webhooks are sent; None: as often as the emulator says."""
    meta: dict[str, Any] = field(default_factory=dict)
    """The conference's data in the webhook's payload."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Merged into its record last, to change or add keys."""
    _sha256: str = ""

    def enter(self, status: str, at: float) -> None:
        """Take on a status at a moment."""
        if status == "AVAILABLE" and self.status != status:
            self.became_available.append(at)
        self.status, self.updated_at = status, at
        if status == "ABANDONED":
            self.abandoned_at = at

    def settle(self, now: float, expiration_s: float) -> None:
        """Become what the clock says: planned statuses whose time has come, and expiration after abandoning."""
        while self.plan and self.plan[0][0] <= now:
            at, status = self.plan.pop(0)
            self.enter(status, at)
        if self.status == "ABANDONED" and self.abandoned_at is not None and now >= self.abandoned_at + expiration_s:
            self.enter("EXPIRED", self.abandoned_at + expiration_s)

    def sha256(self) -> str:
        """Lower-case hex of the content's SHA-256."""
        self._sha256 = self._sha256 or self.blob.sha256()
        return self._sha256


class EmulatedSubscription(Struct):
    """A registered webhook, and its delivery attempts, newest first."""

    id: str
    topic: str
    url: str
    audience: str | None
    created_at: float = 0.0
    """Unix seconds of the emulator's clock."""
    reports: list[dict[str, Any]] = field(default_factory=list)


class AbandonCall(Struct, frozen=True):
    """A POST to an abandon path: which family's, with which id, and how it was answered."""

    family: str
    id: str
    status: int


def iso(moment: float) -> str:
    """Unix seconds as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_checksum(sha256: str, encoding: str) -> str:
    """Hex as "hex", "HEX", "base64", or something unreadable for "garbage"."""
    if encoding == "base64":
        return base64.b64encode(bytes.fromhex(sha256)).decode()
    if encoding == "garbage":
        return f"crc:{sha256[:8]}"
    return sha256.upper() if encoding == "HEX" else sha256


def archive_zip(seed: str, title: str = "", people: tuple[Person, ...] = (), video_bytes: int = 60_000) -> Blob:
    """A zip like a real one: folders whiteboard, themis, mithra (doc, diff rev 29/30). The same for the same input.

    assumption: the names of the files in the folders.
    """
    noise = random.Random(seed)  # content to look at, nothing secret
    recording = mp4_blob(max(video_bytes, 64), noise.randrange(1 << 30), bare=True)
    head = recording.read(0, 64)
    chat = [{"from": person.name, "text": f"Hello, this is {person.name}"} for person in people]
    metadata = {
        "tenantId": "mycompany",
        "title": title,
        "participants": [{"name": person.name, "email": person.email} for person in people],
    }
    return zip_blob(
        {
            "whiteboard/history.json": json.dumps({"events": [{"type": "draw", "seed": seed}]}).encode(),
            "whiteboard/document-1.bin": noise.randbytes(2_000),
            "themis/chat.json": json.dumps(chat, ensure_ascii=False).encode(),
            "themis/metadata.json": json.dumps(metadata, ensure_ascii=False).encode(),
            "themis/video-1.mp4": head + noise.randbytes(recording.size - len(head)),
            "mithra/contract.pdf": b"%PDF-1.4\n% " + seed.encode() + b"\n%%EOF\n",
        }
    )


def record_json(
    archive: EmulatedArchive, *, id_key: str, checksum_encoding: str, expiration_s: float, with_size: bool
) -> dict[str, Any]:
    """The record. Certain: status, error, conferenceId, sha256CheckSum (page); assumption: everything else."""
    finished = archive.status in (*DOWNLOADABLE, "EXPIRED")
    abandoned = archive.abandoned_at
    stated = archive.stated_sha256
    if stated is None and finished:
        stated = encode_checksum(archive.sha256(), checksum_encoding)
    record = {
        id_key: archive.id,
        "conferenceId": archive.conference_id,
        "status": archive.status,
        "error": archive.error,
        "sha256CheckSum": stated,
        "conference": {
            "title": archive.title,
            "startDate": iso(archive.started_at),
            "endDate": iso(archive.ended_at),
        },
        "expert": person_json(archive.expert),
        "participants": [person_json(person) for person in archive.participants],
        "createdAt": iso(archive.created_at),
        "updatedAt": iso(archive.updated_at),
        "expiresAt": iso(abandoned + expiration_s) if abandoned is not None else None,
    }
    size = {"size": archive.blob.size} if with_size and finished else {}
    return record | size | archive.extra


def person_json(person: Person) -> dict[str, str]:
    """A person in a record."""
    identity = hashlib.sha256(person.email.encode()).hexdigest()[:12]
    return {"id": identity, "name": person.name, "email": person.email}


def payload_json(archive: EmulatedArchive, topic: str, tenant: str) -> dict[str, Any]:
    """The webhook's payload (page, step 1), snake_case as there."""
    return {
        "data": {
            "archive_id": archive.id,
            "archive_subject": {"conference_id": archive.conference_id, "meta": archive.meta},
        },
        "meta": {"audience": "*", "tenant": tenant, "topic": topic},
    }


def subscription_json(one: EmulatedSubscription) -> Mapping[str, Any]:
    """A subscription. assumption: the whole shape."""
    return {"id": one.id, "topic": one.topic, "audience": one.audience, "url": one.url}
