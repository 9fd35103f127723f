"""The lists of transfers, deliveries and events, by the page however long they grow. Reads only, from any thread."""

from collections.abc import Mapping

from providers.models import AssetId
from vault.ledger.database import Database
from vault.ledger.deliveries import DELIVERY_COLUMNS, delivery_view
from vault.ledger.events import event_of
from vault.ledger.rows import TRANSFERS, transfer_view
from vault.ledger.walking import Walk, in_order
from vault.views import DeliveryView, LoggedEvent, TransferState, TransferView

_QUEUE = Walk("transfers", ("line_rank", "line_place", "asset_id"))


class TransferLines:
    """What runs, what waits in its order, what failed, what else has ended, the latest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        offset: int,
        limit: int,
        *,
        after: AssetId | None = None,
        before: AssetId | None = None,
        total: int | None = None,
    ) -> tuple[TransferView, ...]:
        """A part of them; `after`, `before`: the ones just before and behind it, where they are known."""
        with self._database.read() as connection:
            first, last = (self._id(each) for each in (after, before))
            ids = _QUEUE.page(connection, offset, limit, after=first, before=last, total=total)
            marks = ", ".join("?" * len(ids))
            rows = connection.execute(f"{TRANSFERS} WHERE t.asset_id IN ({marks})", ids).fetchall()
        return tuple(map(transfer_view, in_order(rows, ids, "asset_id")))

    def count(self) -> int:
        """How many there are."""
        with self._database.read() as connection:
            return _QUEUE.count(connection)

    def tally(self) -> Mapping[TransferState, int]:
        """How many of each state there are."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT state, count(*) FROM transfers GROUP BY state").fetchall()
        return {TransferState(row[0]): row[1] for row in rows}

    def position(self, identity: AssetId) -> int | None:
        """Where one stands; None when it was never queued."""
        number = self._id(identity)
        with self._database.read() as connection:
            return None if number is None else _QUEUE.position(connection, number)

    def _id(self, identity: AssetId | None) -> int | None:
        if identity is None:
            return None
        with self._database.read() as connection:
            row = connection.execute("SELECT id FROM assets WHERE identity = ?", (str(identity),)).fetchone()
        return None if row is None else row[0]


class DeliveryLines:
    """Deliveries of an account ("": of all), the latest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        account: str,
        offset: int,
        limit: int,
        *,
        after: int | None = None,
        before: int | None = None,
        total: int | None = None,
    ) -> tuple[DeliveryView, ...]:
        """A part of them; `after`, `before`: the ids just before and behind it, where they are known."""
        with self._database.read() as connection:
            ids = _walk(account).page(connection, offset, limit, after=after, before=before, total=total)
            marks = ", ".join("?" * len(ids))
            sql = f"SELECT {DELIVERY_COLUMNS} FROM deliveries WHERE id IN ({marks})"
            rows = connection.execute(sql, ids).fetchall()
        return tuple(map(delivery_view, in_order(rows, ids, "id")))

    def count(self, account: str) -> int:
        """How many there are."""
        with self._database.read() as connection:
            return _walk(account).count(connection)

    def position(self, account: str, delivery: int) -> int | None:
        """Where one stands; None when it is not among them."""
        with self._database.read() as connection:
            return _walk(account).position(connection, delivery)


class EventLines:
    """Events of an asset or an account ("": all there are), the latest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        identity: str,
        offset: int,
        limit: int,
        *,
        after: int | None = None,
        before: int | None = None,
        total: int | None = None,
    ) -> tuple[LoggedEvent, ...]:
        """A part of them; `after`, `before`: the numbers just before and behind it, where they are known.

        Raises ValueError for a row that is no event.
        """
        with self._database.read() as connection:
            numbers = _log(identity).page(connection, offset, limit, after=after, before=before, total=total)
            marks = ", ".join("?" * len(numbers))
            sql = f"SELECT number, body, chain, identity FROM events WHERE number IN ({marks})"
            rows = connection.execute(sql, numbers).fetchall()
        return tuple(LoggedEvent(row["identity"] or "", event_of(row)) for row in in_order(rows, numbers, "number"))

    def count(self, identity: str) -> int:
        """How many there are. Of all: the last one's number, since they are numbered from 1 on."""
        with self._database.read() as connection:
            if identity:
                return _log(identity).count(connection)
            number: int = connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()[0]
        return number

    def position(self, identity: str, number: int) -> int | None:
        """Where one stands; None when it is not among them."""
        with self._database.read() as connection:
            return _log(identity).position(connection, number)


def _log(identity: str) -> Walk:
    whose = ("identity = ?", (identity,)) if identity else ("1", ())
    return Walk("events", ("number",), True, *whose)


def _walk(account: str) -> Walk:
    whose = ("account = ?", (account,)) if account else ("1", ())
    return Walk("deliveries", ("id",), True, *whose)
