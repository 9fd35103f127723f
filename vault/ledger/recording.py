"""Writing down what services say: merged with what is known, never losing it."""

import json
import sqlite3
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from providers.models import AssetId, Listing
from vault.ledger import facets, summaries
from vault.ledger.database import Database, show
from vault.ledger.events import By
from vault.ledger.lining_up import enqueue
from vault.ledger.merging import Merge
from vault.sealing import Sealer
from vault.triage.states import Flag


class Recorded(Struct, frozen=True):
    """What a listing brought: meetings and assets in it, those of them that were new, assets now available."""

    meetings: int = 0
    assets: int = 0
    new: int = 0
    became_available: tuple[str, ...] = ()
    """Assets that can be had now and could not before, or by a link that lives longer."""

    @property
    def figures(self) -> "Recorded":
        """The same without names, which a long sync must not gather."""
        return replace(self, became_available=())

    def __add__(self, other: "Recorded") -> "Recorded":
        return Recorded(
            self.meetings + other.meetings,
            self.assets + other.assets,
            self.new + other.new,
            self.became_available + other.became_available,
        )


class Recorder:
    """The ledger's verb `record`: one transaction a listing."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def record(
        self, account: str, provider: str, listing: Listing, now: float, *, authoritative: bool, queue: bool = False
    ) -> Recorded:
        """Merge a listing into the ledger, in a transaction of its own.

        `authoritative`: it is the service's answer to a question, and its state holds. Otherwise it was announced,
        may be late or repeated, and only moves states forward. `queue`: what becomes available is queued with it.
        `now` in unix seconds.
        """
        # What a service tells when asked, it tells again after a power cut.
        with self._database.write(visible=False, durable=not authoritative) as connection:
            return self.merge(connection, account, provider, listing, now, authoritative=authoritative, queue=queue)

    def merge(
        self,
        connection: sqlite3.Connection,
        account: str,
        provider: str,
        listing: Listing,
        now: float,
        *,
        authoritative: bool,
        announced: bool = False,
        queue: bool = False,
    ) -> Recorded:
        """The same inside the caller's transaction. `announced`: a webhook told of it."""
        merge = Merge(
            connection, self._sealer, account, provider, listing, now, truth=authoritative, announced=announced
        )
        merge.run()
        for catchup in listing.catchups:
            merge.changed |= add_catchup(connection, account, catchup.room, catchup.text, now)
        enqueue(connection, _wanted(connection, merge.became_available, every=queue), now, by=By.WORKER)
        summaries.refresh(connection, merge.touched)
        if merge.changed:
            show(connection)
        return Recorded(len(listing.meetings), len(listing.assets), merge.new, tuple(merge.became_available))


def _wanted(connection: sqlite3.Connection, available: Sequence[str], *, every: bool) -> list[AssetId]:
    """What of it an operator wants, or with `every` whatever is not to be left."""
    if not available:
        return []
    flags = facets.FLAGS[Flag.WANT] | facets.LEFT
    sql = "SELECT identity, flags FROM assets WHERE identity IN (SELECT value FROM json_each(?))"
    flagged = {row["identity"]: row["flags"] & flags for row in connection.execute(sql, (json.dumps(available),))}
    wanted = {0: every, facets.FLAGS[Flag.WANT]: True}
    found = (AssetId.parse(text) for text in available if wanted.get(flagged[text]))
    return [identity for identity in found if identity.kind.fetchable]


def add_catchup(connection: sqlite3.Connection, account: str, room: str, text: str, now: float) -> bool:
    """Keep a room's summary when it says something new; whether it did."""
    cursor = connection.execute(
        "SELECT text FROM catchups WHERE account = ? AND room = ? ORDER BY id DESC LIMIT 1", (account, room)
    )
    last = cursor.fetchone()
    if not text or (last is not None and last["text"] == text):
        return False
    connection.execute("INSERT INTO catchups (account, room, at, text) VALUES (?, ?, ?, ?)", (account, room, now, text))
    return True
