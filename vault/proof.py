"""Proof: what was checked of a file that is held here, and nothing more than that."""

import json
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from providers.models import Checksum


class Outcome(StrEnum):
    """How a check ended. Only PASSED says that something was compared and fits."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_STATED = "not stated"
    """There was nothing to check it against."""
    UNREADABLE = "unreadable"
    """There is something to compare with, but it cannot be read."""


class Check(Struct, frozen=True):
    """One check: its name (length, checksum, container), how it ended, and what exactly was compared, in words."""

    name: str
    outcome: Outcome
    words: str


class Proof(Struct, frozen=True):
    """What is known of a file: its size in bytes, its SHA-256 (hex), each check, when (UTC) and where it came from."""

    size: int
    sha256: str
    checks: tuple[Check, ...]
    proven_at: datetime
    source: str
    """The origin that gave the bytes; no path or query, since those may be secrets."""

    @property
    def missing(self) -> str:
        """Why this does not suffice to let the service delete its copy, in words; "" when it does."""
        for check in self.checks:
            if check.outcome in (Outcome.FAILED, Outcome.UNREADABLE):
                return check.words
        if not any(check.name == "container" and check.outcome is Outcome.PASSED for check in self.checks):
            return "what is inside the file was not checked"
        return ""

    def to_json(self) -> str:
        """For the ledger."""
        checks = [{"name": c.name, "outcome": c.outcome, "words": c.words} for c in self.checks]
        record = {
            "size": self.size,
            "sha256": self.sha256,
            "checks": checks,
            "proven_at": self.proven_at.isoformat(),
            "source": self.source,
        }
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Proof":
        """From the ledger."""
        record = json.loads(text)
        checks = tuple(Check(c["name"], Outcome(c["outcome"]), c["words"]) for c in record["checks"])
        at = datetime.fromisoformat(record["proven_at"])
        return cls(record["size"], record["sha256"], checks, at, record["source"])


def check_checksum(sha256: str, stated: Checksum | None) -> Check:
    """Compare with the service's own checksum, where it states one."""
    if stated is None:
        return Check("checksum", Outcome.NOT_STATED, "the service states no checksum")
    if not stated.readable:
        return Check("checksum", Outcome.UNREADABLE, f"the service's checksum cannot be read: {stated.stated}")
    if stated.value != sha256:
        words = f"the bytes are not what the service states: SHA-256 {sha256[:12]}…, stated {stated.value[:12]}…"
        return Check("checksum", Outcome.FAILED, words)
    return Check("checksum", Outcome.PASSED, "SHA-256 equals the service's own checksum")


def check_length(size: int, stated: int | None) -> Check:
    """Compare with the length that the transfer itself stated."""
    if stated is None:
        return Check("length", Outcome.NOT_STATED, "the service stated no length")
    if size != stated:
        return Check("length", Outcome.FAILED, f"{size} bytes arrived, {stated} were stated")
    return Check("length", Outcome.PASSED, f"{size} bytes, as stated")
