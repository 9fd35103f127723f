"""The lists of transfers, deliveries and events, by the page however long they grow. Reads only, from any thread.

Each of their orders is walked by an index. Every index costs whoever writes, so there is one only for what a person
sorts by. Events have the one by what they are of, which their trails need anyway: what else an event says lies in its
body, which is hashed as it stands, and an index of that would be written with every record of every sync.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping

from providers.models import AssetId
from vault.ledger.database import Database
from vault.ledger.deliveries import DELIVERY_COLUMNS, delivery_view
from vault.ledger.events import event_of, moment
from vault.ledger.paging import Order
from vault.ledger.rows import TRANSFERS, transfer_view
from vault.ledger.walking import Walk, first_from, in_order
from vault.views import DeliveryView, LoggedEvent, Sort, TransferState, TransferView

QUEUE, LATEST_RECEIVED, LATEST_NUMBER = (
    Sort("state"),
    Sort("received", descending=True),
    Sort("number", descending=True),
)

_TRANSFERS = {
    "state": (("line_rank", "line_place", "asset_id"), False, "transfers_line"),
    "title": (("title", "asset_id"), False, "transfers_by_title"),
    "kind": (("kind", "asset_id"), False, "transfers_by_kind"),
    "size": (("total", "asset_id"), True, "transfers_by_size"),
    "tries": (("attempts", "asset_id"), False, "transfers_by_tries"),
    "changed": (("changed_at", "asset_id"), False, "transfers_by_change"),
}
# Only what comes in is listed by an index within each account; the others hold the account, too, and are walked for it.
_DELIVERIES = {
    "received": (("id",), "", "deliveries_of"),
    "account": (("account", "id"), "deliveries_of", "deliveries_of"),
    "topic": (("topic", "id"), "deliveries_by_topic", "deliveries_by_topic"),
    "verified": (("verified", "id"), "deliveries_by_verified", "deliveries_by_verified"),
    "state": (("state", "id"), "deliveries_by_state", "deliveries_by_state"),
}


class TransferLines:
    """All that was ever queued; in the usual order what runs, what waits in its own, what failed, what else ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        offset: int,
        limit: int,
        *,
        sort: Sort = QUEUE,
        after: AssetId | None = None,
        before: AssetId | None = None,
        total: int | None = None,
    ) -> tuple[TransferView, ...]:
        """A part of them; `after`, `before`: the ones just before and behind it, where they are known."""
        with self._database.read() as connection:
            first, last = (self._id(each) for each in (after, before))
            ids = transfers_walk(sort).page(connection, offset, limit, after=first, before=last, total=total)
            marks = ", ".join("?" * len(ids))
            rows = connection.execute(f"{TRANSFERS} WHERE t.asset_id IN ({marks})", ids).fetchall()
        return tuple(map(transfer_view, in_order(rows, ids, "asset_id")))

    def count(self) -> int:
        """How many there are."""
        with self._database.read() as connection:
            return transfers_walk(QUEUE).count(connection)

    def tally(self) -> Mapping[TransferState, int]:
        """How many of each state there are."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT state, count(*) FROM transfers GROUP BY state").fetchall()
        return {TransferState(row[0]): row[1] for row in rows}

    def states(self, identities: Iterable[AssetId]) -> Mapping[AssetId, TransferState]:
        """How each of these stands, of those that were ever queued."""
        sql = """SELECT a.identity, t.state FROM transfers t JOIN assets a ON a.id = t.asset_id
            WHERE a.identity IN (SELECT value FROM json_each(?))"""
        with self._database.read() as connection:
            rows = connection.execute(sql, (json.dumps([str(each) for each in identities]),)).fetchall()
        return {AssetId.parse(row["identity"]): TransferState(row["state"]) for row in rows}

    def position(self, identity: AssetId, *, sort: Sort = QUEUE) -> int | None:
        """Where one stands; None when it was never queued."""
        number = self._id(identity)
        with self._database.read() as connection:
            return None if number is None else transfers_walk(sort).position(connection, number)

    def nearest(self, since: float, until: float, *, descending: bool) -> TransferView | None:
        """The first that changed from `since` up to before `until` (unix seconds), by when they changed.

        Where none did, the next one in that order, else the one before; None where there is none.
        """
        with self._database.read() as connection:
            number = transfers_walk(Sort("changed", descending)).nearest(connection, since, until)
            row = connection.execute(f"{TRANSFERS} WHERE t.asset_id = ?", (number,)).fetchone()
        return None if row is None else transfer_view(row)

    def _id(self, identity: AssetId | None) -> int | None:
        if identity is None:
            return None
        with self._database.read() as connection:
            row = connection.execute("SELECT id FROM assets WHERE identity = ?", (str(identity),)).fetchone()
        return None if row is None else row[0]


class DeliveryLines:
    """Deliveries of an account ("": of all), as a rule the latest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        account: str,
        offset: int,
        limit: int,
        *,
        sort: Sort = LATEST_RECEIVED,
        after: int | None = None,
        before: int | None = None,
        total: int | None = None,
    ) -> tuple[DeliveryView, ...]:
        """A part of them; `after`, `before`: the ids just before and behind it, where they are known."""
        with self._database.read() as connection:
            walk = deliveries_walk(account, sort)
            ids = walk.page(connection, offset, limit, after=after, before=before, total=total)
            marks = ", ".join("?" * len(ids))
            sql = f"SELECT {DELIVERY_COLUMNS} FROM deliveries WHERE id IN ({marks})"
            rows = connection.execute(sql, ids).fetchall()
        return tuple(map(delivery_view, in_order(rows, ids, "id")))

    def count(self, account: str) -> int:
        """How many there are."""
        with self._database.read() as connection:
            return deliveries_walk(account, LATEST_RECEIVED).count(connection)

    def position(self, account: str, delivery: int, *, sort: Sort = LATEST_RECEIVED) -> int | None:
        """Where one stands; None when it is not among them."""
        with self._database.read() as connection:
            return deliveries_walk(account, sort).position(connection, delivery)

    def nearest(self, account: str, since: float, until: float, *, descending: bool) -> DeliveryView | None:
        """The first that came from `since` up to before `until` (unix seconds), in the order in which they came.

        Where none did, the next one in that order, else the one before; None where there is none.
        """
        with self._database.read() as connection:
            low, high = (_received_from(connection, at) for at in (since, until))
            number = deliveries_walk(account, Sort("received", descending)).nearest(connection, low, high)
            sql = f"SELECT {DELIVERY_COLUMNS} FROM deliveries WHERE id = ?"
            row = connection.execute(sql, (number,)).fetchone()
        return None if row is None else delivery_view(row)


class EventLines:
    """Events of an asset or an account ("": all there are), as a rule the latest first.

    They are numbered from 1 on without a gap: where a number stands among all is known without counting.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        identity: str,
        offset: int,
        limit: int,
        *,
        sort: Sort = LATEST_NUMBER,
        after: int | None = None,
        before: int | None = None,
        total: int | None = None,
    ) -> tuple[LoggedEvent, ...]:
        """A part of them; `after`, `before`: the numbers just before and behind it, where they are known.

        Raises ValueError for a row that is no event.
        """
        with self._database.read() as connection:
            walk = events_walk(identity, sort)
            numbers = walk.page(connection, offset, limit, after=after, before=before, total=total)
            marks = ", ".join("?" * len(numbers))
            sql = f"SELECT number, body, chain, identity FROM events WHERE number IN ({marks})"
            rows = connection.execute(sql, numbers).fetchall()
        return tuple(LoggedEvent(row["identity"] or "", event_of(row)) for row in in_order(rows, numbers, "number"))

    def count(self, identity: str) -> int:
        """How many there are. Of all: the last one's number."""
        with self._database.read() as connection:
            if identity:
                return events_walk(identity, LATEST_NUMBER).count(connection)
            number: int = connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()[0]
        return number

    def position(self, identity: str, number: int, *, sort: Sort = LATEST_NUMBER) -> int | None:
        """Where one stands; None when it is not among them."""
        with self._database.read() as connection:
            if identity or sort.by != "number":
                return events_walk(identity, sort).position(connection, number)
        last = self.count("")
        if not 0 < number <= last:
            return None
        return last - number if sort.descending else number - 1

    def nearest(self, identity: str, since: float, until: float, *, descending: bool) -> LoggedEvent | None:
        """The first that happened from `since` up to before `until` (unix seconds), by their numbers.

        Where none did, the next one in that order, else the one before; None where there is none.
        """
        with self._database.read() as connection:
            last = self.count("")
            low, high = (_established_from(connection, last, moment(at)) for at in (since, until))
            number = events_walk(identity, Sort("number", descending)).nearest(connection, low, high)
            sql = "SELECT number, body, chain, identity FROM events WHERE number = ?"
            row = connection.execute(sql, (number,)).fetchone()
        return None if row is None else LoggedEvent(row["identity"] or "", event_of(row))


def transfers_walk(sort: Sort) -> Walk:
    """All transfers in an order."""
    columns, nullable, index = _TRANSFERS[sort.by]
    return Walk("transfers", Order(columns, nullable, index, index, sort.descending))


def deliveries_walk(account: str, sort: Sort) -> Walk:
    """The deliveries of an account ("": of all) in an order."""
    whose = ("account = ?", (account,)) if account else ("1", ())
    columns, index, index_of_account = _DELIVERIES[sort.by]
    return Walk("deliveries", Order(columns, False, index, index_of_account, sort.descending), *whose)


def events_walk(identity: str, sort: Sort) -> Walk:
    """The events of an asset or an account ("": all there are) in an order; of one alone that of their numbers."""
    whose = ("identity = ?", (identity,)) if identity else ("1", ())
    by_identity = sort.by == "of" and not identity
    order = Order(("identity", "number"), True, "events_of", "events_of", sort.descending)
    numbers = Order(("number",), False, "", "events_of", sort.descending)
    return Walk("events", order if by_identity else numbers, *whose)


def _received_from(connection: sqlite3.Connection, at: float) -> int:
    """The first delivery (its id) that came then or later."""
    last = connection.execute("SELECT coalesce(max(id), 0) FROM deliveries").fetchone()[0]
    sql = "SELECT received_at FROM deliveries WHERE id >= ? ORDER BY id LIMIT 1"
    return first_from(last, lambda number: connection.execute(sql, (number,)).fetchone()[0] >= at)


def _established_from(connection: sqlite3.Connection, last: int, at: str) -> int:
    """The first event (its number) of a moment, as the log writes it, or later."""
    sql = "SELECT coalesce(json_extract(body, '$.at'), '') FROM events WHERE number = ?"
    return first_from(last, lambda number: connection.execute(sql, (number,)).fetchone()[0] >= at)
