"""The log of events: every fact that matters, in the order in which they were established, each chained to the last.

An event's body is JSON with sorted keys, no spaces and nothing escaped that need not be, in UTF-8. Its link is SHA-256
over the link before it, a line feed and the body's own SHA-256, both as 64 lower-case hex digits: so that one can show
where an event stands in the log without showing the others. The link before the first is made of the ledger's own
name, a random number. Anyone can follow that with `sha256sum`.
"""

import functools
import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct, field

from providers.digests import sha256
from vault.proof import Proof
from vault.views import Event, LocalState

Fact = str | int | None
NO_FACTS: Mapping[str, Fact] = MappingProxyType({})
PROOF_EVENTS = ("fetched", "verified", "damaged", "lost", "adopted")
"""What says how an asset's file stands here; the last of these and the asset's row must agree."""
_OWN = frozenset({"by", "process"})
_CANONICAL = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"), allow_nan=False
)


class By(StrEnum):
    """Who established a fact: a person, what runs by itself, or the service by saying so."""

    OPERATOR = "operator"
    WORKER = "worker"
    SERVICE = "service"


class LogConnection(sqlite3.Connection):
    """A connection to the ledger that knows which process writes, user@host, and since when (unix seconds)."""

    process = "unknown"
    turn_at: float | None = None
    """When the transaction under way got its turn; None where nobody keeps time."""
    durable: bool | None = None
    """Whether its transactions are on disk when they end; None: it wrote none yet."""
    has_own_tables = False
    """Whether it has temporary tables: they would be lost if it kept such things elsewhere from now on."""
    chosen: frozenset[int] | None = None
    """What its temporary table of assets holds (vault/ledger/chosen.py)."""


class NewEvent(Struct, frozen=True):
    """An event to be added. `at` in unix seconds; `identity`: an asset's, an account's name, or "" for neither.

    `at` gives way to the moment in which the transaction got its turn, where the ledger has a clock: one that waited
    for others would bear an earlier time than theirs.
    """

    at: float
    identity: str
    what: str
    words: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    by: By = By.OPERATOR


def add_event(
    connection: sqlite3.Connection,
    now: float,
    identity: str,
    what: str,
    words: str,
    facts: Mapping[str, Fact] = NO_FACTS,
    *,
    by: By = By.OPERATOR,
) -> int:
    """Add an event inside the transaction that establishes the fact; gives its number.

    `now` in unix seconds. `facts`: what a program reads of it; sizes in bytes, moments as `moment` writes them. Who
    did it is added. Raises ValueError for facts that are no text or whole number, or named like those added.
    """
    return add_events(connection, [NewEvent(now, identity, what, words, facts, by)])


def add_events(connection: sqlite3.Connection, events: Iterable[NewEvent]) -> int:
    """The same for many, in their order; gives the number of the last event there is."""
    count, head = connection.execute("SELECT count, head FROM log").fetchone()
    process, turn_at = LogConnection.process, LogConnection.turn_at
    if isinstance(connection, LogConnection):
        process, turn_at = connection.process, connection.turn_at
    rows = []
    for event in events:
        count += 1
        wrong = _OWN & event.facts.keys()
        if wrong:
            raise ValueError(f"{event.what}: the log itself says {sorted(wrong)}")
        facts = {**event.facts, "by": event.by, "process": process}
        body = body_of(count, event, facts, event.at if turn_at is None else turn_at)
        head = link(head, body)
        rows.append((count, body, head))
    connection.executemany("INSERT INTO events (number, body, chain) VALUES (?, ?, ?)", rows)
    number: int = count
    return number


def body_of(number: int, event: NewEvent, facts: Mapping[str, Fact], at: float) -> str:
    """An event as canonical JSON, with these facts and at this moment (unix seconds)."""
    for name, fact in facts.items():
        if fact is not None and (isinstance(fact, bool) or not isinstance(fact, (str, int))):
            raise ValueError(f"{event.what}: the fact {name} is neither text nor a whole number")
    body = {
        "at": moment(at),
        "facts": facts,
        "identity": event.identity,
        "number": number,
        "what": event.what,
        "words": event.words,
    }
    return canonical(body)


def canonical(value: object) -> str:
    """JSON with one way to write each value (RFC 8785, of which only text, whole numbers and objects are used)."""
    return _CANONICAL.encode(value)


def link(before: bytes, body: str | bytes) -> bytes:
    """An event's link, from the one before it and its body."""
    return link_of_digest(before, sha256(body.encode() if isinstance(body, str) else body).digest())


def link_of_digest(before: bytes, digest: bytes) -> bytes:
    """The same from the body's SHA-256 alone."""
    return sha256(f"{before.hex()}\n{digest.hex()}".encode()).digest()


def first_link(ledger: str) -> bytes:
    """What the first event is chained to: a ledger's own name (32 hex digits)."""
    return sha256(f"reeldesk log 1\n{ledger}".encode()).digest()


@functools.lru_cache(64)
def moment(seconds: float) -> str:
    """Unix seconds as the log writes them: 2026-03-01T12:00:00.000000Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def proof_facts(kept: LocalState, proof: Proof | None) -> dict[str, Fact]:
    """How an asset's file stands here, as facts of one of PROOF_EVENTS."""
    facts: dict[str, Fact] = {"kept": str(kept)}
    if proof is not None:
        facts |= {
            "proof": digest_of(proof.to_json()),
            "sha256": proof.sha256,
            "size": proof.size,
            "source": proof.source,
        }
        facts |= {f"check {check.name}": str(check.outcome) for check in proof.checks}
    return facts


def digest_of(text: str) -> str:
    """SHA-256 of a text, hex."""
    return sha256(text.encode()).hexdigest()


def event_of(row: sqlite3.Row) -> Event:
    """A row (number, body, chain) for a person. Raises ValueError for one that is no event."""
    try:
        body = json.loads(row["body"])
        facts = dict(body["facts"])
        return Event(
            at=datetime.fromisoformat(body["at"]),
            what=body["what"],
            words=body["words"],
            number=row["number"],
            by=str(facts.pop("by", "")),
            process=str(facts.pop("process", "")),
            facts=facts,
            chain=bytes(row["chain"]).hex(),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"event {row['number']} cannot be read: {error}") from None
