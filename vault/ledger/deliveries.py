"""Webhooks as they came in: kept before they are answered, processed once, by whoever runs.

A delivery is `waiting` until somebody takes it, `working` while somebody has it, then `done`, `failed` or (genuine, but
not understood) `unreadable`. A fence that grows with every taking says whose outcome counts.
"""

import base64
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from msgspec import Struct

from providers.discreet import Discreet
from providers.models import Delivery, Listing
from providers.text import safe_text
from vault.errors import LedgerError
from vault.ledger.database import Database, file_at, show
from vault.ledger.recording import Recorded, Recorder
from vault.ledger.rows import instant, moment
from vault.sealing import Sealer
from vault.views import DeliveryState, DeliveryView

LEASE_S = 120.0
"""Whoever has a delivery longer, and cannot be seen to live, has it no more."""
DELIVERY_COLUMNS = """id, account, topic, verified, state, outcome, received_at, duplicates, source, tries, not_before,
    sealed IS NOT NULL AS is_kept"""
_OPEN = "state IN ('waiting', 'working')"
_MAX_SOURCE = 100


class Receipt(Discreet, frozen=True):
    """A delivery to keep. `received_at` in unix seconds; `body` is its redacted text."""

    UNSHOWN: ClassVar = ("delivery",)

    account: str
    key: str
    topic: str
    verified: str
    body: str
    digest: str
    """Hex SHA-256 of the bytes."""
    delivery: Delivery
    source: str
    """The address it came from: what a trusted proxy says, which may be any text."""
    received_at: float
    readable: bool = True


class Kept(Struct, frozen=True):
    """Where a receipt is in the ledger. `is_new`: it is no repetition. `fence` is its taker's, if it was taken."""

    id: int
    is_new: bool
    fence: int


class Taken(Discreet, frozen=True):
    """The right to process a delivery. `delivery` is None when the key that sealed it is gone."""

    UNSHOWN: ClassVar = ("delivery",)

    id: int
    account: str
    fence: int
    tries: int
    delivery: Delivery | None


class Settled(Struct, frozen=True):
    """What a delivery brought: listings, and whether each is the service's own answer. `tell` gives the outcome."""

    taken: Taken
    provider: str
    listings: tuple[tuple[Listing, bool], ...]
    queue: bool
    """Whether what became available is queued."""
    tell: Callable[[Recorded], str]


class Deliveries:
    """The ledger's verbs `keep`, `take`, `renew`, `settle`, `postpone`, `end` and `replay`. Times in unix seconds."""

    def __init__(self, database: Database, sealer: Sealer, recorder: Recorder) -> None:
        self._database = database
        self._sealer = sealer
        self._recorder = recorder

    def keep(self, receipts: Sequence[Receipt], owner: str = "") -> tuple[Kept, ...]:
        """Keep deliveries, all in one transaction: they are on disk when this ends. Raises LedgerError.

        A repetition is counted; one with other bytes, or of one that failed, is processed as well. `owner`: who
        processes them at once, also those that came before and still wait.
        """
        sealed = [self._sealer.seal_bytes(_packed(receipt.delivery)) for receipt in receipts]
        with self._database.write() as connection:
            kept = tuple(self._keep(connection, r, s, owner) for r, s in zip(receipts, sealed, strict=True))
        self._check_file()
        return kept

    def _check_file(self) -> None:
        """SQLite goes on writing into a file that was removed, or replaced by a backup: nobody finds it there again."""
        if file_at(self._database.path) != self._database.file:
            path = self._database.path
            raise LedgerError(f"the ledger {path} was replaced or removed while it was open: start reeldesk again")

    @staticmethod
    def _keep(connection: sqlite3.Connection, receipt: Receipt, sealed: bytes, owner: str) -> Kept:
        known = connection.execute(
            "SELECT id, digest, state, fence FROM deliveries WHERE account = ? AND key = ?",
            (receipt.account, receipt.key),
        ).fetchone()
        state = DeliveryState.UNREADABLE if not receipt.readable else DeliveryState.WAITING
        if state is DeliveryState.WAITING and owner:
            state = DeliveryState.WORKING
        lease = receipt.received_at + LEASE_S if state is DeliveryState.WORKING else 0.0
        if known is None:
            cursor = connection.execute(
                """INSERT INTO deliveries (account, key, topic, verified, received_at, body, digest, sealed, source,
                state, owner, not_before, fence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)""",
                (
                    *(receipt.account, receipt.key, receipt.topic, receipt.verified, receipt.received_at),
                    *(receipt.body, receipt.digest, sealed, safe_text(receipt.source, _MAX_SOURCE)),
                    *(state, owner, lease),
                ),
            )
            assert cursor.lastrowid is not None
            return Kept(cursor.lastrowid, is_new=True, fence=1)
        connection.execute("UPDATE deliveries SET duplicates = duplicates + 1 WHERE id = ?", (known["id"],))
        idle = known["state"] == DeliveryState.WAITING and not owner
        settled = known["state"] in (DeliveryState.DONE, DeliveryState.WORKING) or not receipt.readable
        if known["digest"] == receipt.digest and (settled or idle):
            return Kept(known["id"], is_new=False, fence=0)
        connection.execute(
            """UPDATE deliveries SET body = ?, digest = ?, sealed = ?, verified = ?, state = ?, owner = ?,
            not_before = ?, tries = 0, fence = fence + 1 WHERE id = ?""",
            (*(receipt.body, receipt.digest, sealed, receipt.verified, state, owner, lease), known["id"]),
        )
        return Kept(known["id"], is_new=False, fence=known["fence"] + 1)

    def knows(self, account: str, key: str, digest: str) -> bool:
        """Whether the very same delivery was kept before, and is processed or in somebody's hands."""
        sql = """SELECT 1 FROM deliveries WHERE account = ? AND key = ? AND digest = ?
            AND state IN ('done', 'working')"""
        with self._database.read() as connection:
            return connection.execute(sql, (account, key, digest)).fetchone() is not None

    def owners(self) -> frozenset[str]:
        """Who has taken deliveries."""
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT DISTINCT owner FROM deliveries WHERE {_OPEN} AND state = 'working'")
            return frozenset(row["owner"] for row in rows)

    def waiting(self) -> int:
        """How many have not been processed. Raises LedgerError, also when the ledger's file was replaced."""
        self._check_file()
        with self._database.read() as connection:
            count: int = connection.execute(f"SELECT count(*) FROM deliveries WHERE {_OPEN}").fetchone()[0]
        return count

    def is_left(self) -> bool:
        """Whether any has not been processed, due or not."""
        with self._database.read() as connection:
            return connection.execute(f"SELECT 1 FROM deliveries WHERE {_OPEN} LIMIT 1").fetchone() is not None

    def take(
        self, owner: str, dead: frozenset[str], now: float, room: int, without: Iterable[str] = ()
    ) -> tuple[Taken, ...]:
        """Take what is due, oldest first, at most `room`; also what owners had who are known to be `dead`.

        `without`: accounts of which nothing is taken now.
        """
        gone, busy = json.dumps(sorted(dead)), json.dumps(sorted(without))
        sql = f"""SELECT id FROM deliveries WHERE {_OPEN} AND (not_before <= ?1 OR not_before > ?1 + 86400
            OR (state = 'working' AND owner IN (SELECT value FROM json_each(?2))))
            AND account NOT IN (SELECT value FROM json_each(?4)) ORDER BY id LIMIT ?3"""
        with self._database.read() as connection:
            if connection.execute(sql, (now, gone, 1, busy)).fetchone() is None:
                return ()
        with self._database.write(visible=False, durable=False) as connection:
            rows = connection.execute(sql, (now, gone, room, busy)).fetchall()
            taken = [
                connection.execute(
                    """UPDATE deliveries SET state = 'working', owner = ?, not_before = ?, fence = fence + 1,
                    tries = tries + 1 WHERE id = ? RETURNING id, account, fence, tries, sealed""",
                    (owner, now + LEASE_S, row["id"]),
                ).fetchone()
                for row in rows
            ]
        return tuple(
            Taken(row["id"], row["account"], row["fence"], row["tries"], self._opened(row["sealed"])) for row in taken
        )

    def renew(self, taken: Sequence[Taken], now: float) -> None:
        """Whoever took them lives and still has them in hand. Overtaken ones are left."""
        with self._database.write(visible=False, durable=False) as connection:
            sql = "UPDATE deliveries SET not_before = ? WHERE id = ? AND fence = ? AND state = 'working'"
            connection.executemany(sql, [(now + LEASE_S, each.id, each.fence) for each in taken])

    def _opened(self, sealed: bytes | None) -> Delivery | None:
        content = self._sealer.open_bytes(sealed) if sealed else None
        return None if content is None else _unpacked(content)

    def settle(self, settled: Sequence[Settled], now: float) -> None:
        """Write down what deliveries brought, and that they are done, in one transaction. Overtaken ones are left."""
        with self._database.write() as connection:
            for each in settled:
                if not _is_ours(connection, each.taken):
                    continue
                recorded = Recorded()
                for listing, authoritative in each.listings:
                    recorded += self._recorder.merge(
                        connection,
                        each.taken.account,
                        each.provider,
                        listing,
                        now,
                        authoritative=authoritative,
                        announced=True,
                        queue=each.queue,
                    )
                _set(connection, each.taken, DeliveryState.DONE, each.tell(recorded))

    def postpone(self, taken: Taken, words: str, until: float) -> None:
        """It could not be processed now; `words` say why, `until` when it is tried again."""
        with self._database.write() as connection:
            if _is_ours(connection, taken):
                _set(connection, taken, DeliveryState.WAITING, words, until)

    def end(self, taken: Taken, state: DeliveryState, words: str) -> None:
        """It is not processed any more by itself: FAILED or UNREADABLE."""
        with self._database.write() as connection:
            if _is_ours(connection, taken):
                _set(connection, taken, state, words)

    def replay(self, identity: int) -> bool:
        """Have a delivery processed once more; False when it is no longer kept as it came."""
        with self._database.write() as connection:
            cursor = connection.execute(
                """UPDATE deliveries SET state = 'waiting', not_before = 0, tries = 0, owner = '', fence = fence + 1
                WHERE id = ? AND sealed IS NOT NULL""",
                (identity,),
            )
            return cursor.rowcount == 1

    def page(self, account: str, limit: int) -> tuple[DeliveryView, ...]:
        """Deliveries of an account ("": of all), newest first."""
        where, values = ("WHERE account = ?", [account]) if account else ("", [])
        sql = f"SELECT {DELIVERY_COLUMNS} FROM deliveries {where} ORDER BY id DESC LIMIT ?"
        with self._database.read() as connection:
            return tuple(delivery_view(row) for row in connection.execute(sql, (*values, limit)))

    def body(self, identity: int) -> str:
        """A delivery's body, redacted; "" when there is no such delivery."""
        with self._database.read() as connection:
            row = connection.execute("SELECT body FROM deliveries WHERE id = ?", (identity,)).fetchone()
        return row["body"] if row else ""


def _is_ours(connection: sqlite3.Connection, taken: Taken) -> bool:
    row = connection.execute("SELECT fence FROM deliveries WHERE id = ?", (taken.id,)).fetchone()
    return row is not None and row["fence"] == taken.fence


def _set(
    connection: sqlite3.Connection, taken: Taken, state: DeliveryState, outcome: str, not_before: float = 0.0
) -> None:
    connection.execute(
        "UPDATE deliveries SET state = ?, outcome = ?, owner = '', not_before = ? WHERE id = ?",
        (state, outcome, not_before, taken.id),
    )
    show(connection)


def delivery_view(row: sqlite3.Row) -> DeliveryView:
    """A row of DELIVERY_COLUMNS."""
    state = DeliveryState(row["state"])
    waits = state is DeliveryState.WAITING and row["not_before"] > 0
    return DeliveryView(
        id=row["id"],
        account=row["account"],
        topic=row["topic"],
        verified=row["verified"],
        state=state,
        outcome=row["outcome"],
        received_at=instant(row["received_at"]),
        duplicates=row["duplicates"],
        source=row["source"],
        tries=row["tries"],
        again_at=moment(row["not_before"]) if waits else None,
        is_kept=bool(row["is_kept"]),
    )


def _packed(delivery: Delivery) -> bytes:
    head = json.dumps(dict(delivery.headers)).encode()
    return base64.b64encode(head) + b"." + delivery.body


def _unpacked(content: bytes) -> Delivery:
    head, _, body = content.partition(b".")
    return Delivery(json.loads(base64.b64decode(head)), body)
