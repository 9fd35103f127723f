"""Some assets' events, with what it takes to follow the chain from them to the head without showing the others."""

import hashlib
import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from providers.models import AssetId
from vault.ledger.database import Database
from vault.ledger.events import first_link


class Link(Struct, frozen=True):
    """A line of the chain. `digest`: SHA-256 of the event's body; None: a section begins with a link that is given."""

    number: int
    digest: bytes | None
    link: bytes


class Extract(Struct, frozen=True):
    """Assets' events as they are in the log: bodies by identity (oldest first), and the links between them."""

    ledger: str
    number: int
    """How many events the log has now."""
    head: str
    """The last link, hex."""
    bodies: dict[AssetId, tuple[str, ...]]
    links: tuple[Link, ...]
    reaches_head: bool
    """Whether the links lead without a gap from the first of these events to the head; they are too many otherwise."""


def extract(database: Database, identities: Sequence[AssetId], most_links: int) -> Extract:
    """Read them at one moment of the log. With more than `most_links`, only those around each event are given."""
    with database.read() as connection:
        connection.execute("BEGIN")
        try:
            return _extract(connection, identities, most_links)
        finally:
            connection.rollback()


def _extract(connection: sqlite3.Connection, identities: Sequence[AssetId], most_links: int) -> Extract:
    anchor = connection.execute("SELECT ledger, count, head FROM log").fetchone()
    sql = "SELECT number, body FROM events WHERE identity = ? ORDER BY number"
    found = {identity: connection.execute(sql, (str(identity),)).fetchall() for identity in identities}
    own = sorted(row["number"] for rows in found.values() for row in rows)
    reaches = not own or anchor["count"] - own[0] < most_links
    sections = [(own[0], anchor["count"])] if own and reaches else [(number, number) for number in own]
    links: list[Link] = []
    for start, end in sections:
        if not links or links[-1].number != start - 1:
            links.append(Link(start - 1, None, _link_of(connection, start - 1, anchor["ledger"])))
        rows = connection.execute("SELECT number, body, chain FROM events WHERE number BETWEEN ? AND ?", (start, end))
        links += [Link(row["number"], hashlib.sha256(row["body"].encode()).digest(), row["chain"]) for row in rows]
    bodies = {identity: tuple(row["body"] for row in rows) for identity, rows in found.items()}
    return Extract(anchor["ledger"], anchor["count"], anchor["head"].hex(), bodies, tuple(links), reaches)


def _link_of(connection: sqlite3.Connection, number: int, ledger: str) -> bytes:
    if number == 0:
        return first_link(ledger)
    link: bytes = connection.execute("SELECT chain FROM events WHERE number = ?", (number,)).fetchone()["chain"]
    return link
