"""What is pending at the services, earliest deadline first; what the queue holds; how quickly bytes came lately."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from vault.ledger.database import Database
from vault.ledger.facets import LEFT
from vault.ledger.rows import ASSETS, asset_view
from vault.views import AssetView

_PENDING = f"""a.kept != 'held' AND a.state IN ('available', 'abandoned') AND a.kind != 'dashboard'
    AND a.flags & {LEFT} = 0"""
"""As the index says it: what the service gives, is not held, and nobody flagged to be left out."""
_ROWS_AT_ONCE = 500
_RECENT = 50
"""Transfers, by which the rate of an account is known."""


class Open(Struct, frozen=True):
    """An asset that is pending. Times in unix seconds; `rule_days`: of the rule that gave the deadline, else 0."""

    id: int
    account: str
    deadline: float
    size: int | None
    received: int
    """Bytes that a queued transfer has already."""
    position: float | None
    """In the queue; None when it is not queued."""
    rule_days: float


class PendingSum(Struct, frozen=True):
    """Of an account's pending assets: how many, their bytes, and of how many size and deadline are not known."""

    assets: int = 0
    bytes: int = 0
    unknown_sizes: int = 0
    unknown_deadlines: int = 0
    largest: int = 0


class Waiting(Struct, frozen=True):
    """A queued transfer: where it stands, and the bytes that are left of it (None: not known)."""

    position: float
    left: int | None


class Done(Struct, frozen=True):
    """A transfer that ended well: from when to when (unix seconds), and the bytes that came."""

    began: float
    ended: float
    arrived: int


class Pending:
    """The ledger's verbs about what is not here yet. Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_deadline(self, account: str) -> Iterator[Open]:
        """An account's pending assets that have a deadline, the earliest first, read a few hundred at a time."""
        deadline, number = float("-inf"), 0
        while True:
            sql = f"""SELECT a.id, a.account, a.deadline, a.size, a.rule_days, t.position, t.received,
                t.state IN ('queued', 'waiting', 'running', 'paused') AS is_live
                FROM assets a LEFT JOIN transfers t ON t.asset_id = a.id
                WHERE {_PENDING} AND a.account = ? AND (a.deadline, a.id) > (?, ?) ORDER BY a.deadline, a.id LIMIT ?"""
            with self._database.read() as connection:
                rows = connection.execute(sql, (account, deadline, number, _ROWS_AT_ONCE)).fetchall()
            yield from map(_open, rows)
            if len(rows) < _ROWS_AT_ONCE:
                return
            deadline, number = rows[-1]["deadline"], rows[-1]["id"]

    def undated(self, account: str, offset: int, limit: int) -> tuple[int, ...]:
        """The ids of an account's pending assets whose deadline is not known."""
        sql = f"""SELECT a.id FROM assets a WHERE {_PENDING} AND a.account = ? AND a.deadline IS NULL
            ORDER BY a.id LIMIT ? OFFSET ?"""
        with self._database.read() as connection:
            return tuple(row["id"] for row in connection.execute(sql, (account, limit, offset)))

    def sums(self) -> dict[str, PendingSum]:
        """By account. Walks an index with one entry for each pending asset."""
        sql = f"""SELECT a.account, count(*) AS assets, coalesce(sum(a.size), 0) AS bytes, sum(a.size IS NULL) AS sizes,
            sum(a.deadline IS NULL) AS deadlines, coalesce(max(a.size), 0) AS largest
            FROM assets a INDEXED BY assets_pending WHERE {_PENDING} GROUP BY a.account"""
        with self._database.read() as connection:
            return {
                row["account"]: PendingSum(row["assets"], row["bytes"], row["sizes"], row["deadlines"], row["largest"])
                for row in connection.execute(sql)
            }

    def late(self, account: str, now: float, rate: float, mean: int) -> int:
        """How many of an account's pending assets come after their deadline when all are fetched in that order.

        `rate` in bytes a second; `mean`: bytes of one whose size is not known. Those overdue by `now` are not counted.
        """
        before = "OVER (ORDER BY a.deadline, a.id ROWS UNBOUNDED PRECEDING)"
        sql = f"""SELECT count(*) FROM (SELECT a.deadline, sum(coalesce(a.size, ?1)) {before} AS upto
                FROM assets a WHERE {_PENDING} AND a.account = ?2 AND a.deadline IS NOT NULL)
            WHERE deadline > ?3 AND deadline < ?3 + upto / ?4"""
        with self._database.read() as connection:
            number: int = connection.execute(sql, (mean, account, now, rate)).fetchone()[0]
        return number

    def queued(self, most: int) -> tuple[dict[str, list[Waiting]], bool]:
        """What is queued or runs, by account and in the order of the queue, at most so many of each state; is it all.

        What runs stands before everything; what is paused is left out, since nobody waits for it.
        """
        found: defaultdict[str, list[Waiting]] = defaultdict(list)
        whole = True
        sql = """SELECT t.account, t.position, coalesce(t.total, a.size) AS size, t.received
            FROM transfers t JOIN assets a ON a.id = t.asset_id WHERE t.state = ? ORDER BY t.position LIMIT ?"""
        with self._database.read() as connection:
            for state in ("running", "queued", "waiting"):
                rows = connection.execute(sql, (state, most)).fetchall()
                whole = whole and len(rows) < most
                for row in rows:
                    left = None if row["size"] is None else max(0, row["size"] - row["received"])
                    found[row["account"]].append(
                        Waiting(float("-inf") if state == "running" else row["position"], left)
                    )
        for each in found.values():
            each.sort(key=lambda waiting: waiting.position)
        return dict(found), whole

    def done(self, account: str, since: float) -> tuple[Done, ...]:
        """The account's last transfers that ended well since then and noted what they brought, newest first."""
        sql = """SELECT taken_at, ended_at, arrived FROM transfers WHERE account = ? AND state = 'done'
            AND ended_at >= ? AND arrived > 0 AND taken_at > 0 AND ended_at > taken_at
            ORDER BY ended_at DESC LIMIT ?"""
        with self._database.read() as connection:
            rows = connection.execute(sql, (account, since, _RECENT)).fetchall()
        return tuple(Done(row["taken_at"], row["ended_at"], row["arrived"]) for row in rows)

    def mean_held(self) -> dict[str, int]:
        """By account, the mean size of what is held; "" for all accounts."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT account, held, bytes FROM holdings WHERE held > 0").fetchall()
        found = {row["account"]: row["bytes"] // row["held"] for row in rows}
        if rows:
            found[""] = sum(row["bytes"] for row in rows) // sum(row["held"] for row in rows)
        return found

    def of(self, identities: Collection[str]) -> tuple[Open, ...]:
        """These assets, where they are pending; the deadline is infinite where there is none."""
        found: list[Open] = []
        wanted = list(identities)
        with self._database.read() as connection:
            for start in range(0, len(wanted), _ROWS_AT_ONCE):
                part = wanted[start : start + _ROWS_AT_ONCE]
                marks = ", ".join("?" * len(part))
                sql = f"""SELECT a.id, a.account, a.deadline, a.size, a.rule_days, t.position, t.received,
                    t.state IN ('queued', 'waiting', 'running', 'paused') AS is_live
                    FROM assets a LEFT JOIN transfers t ON t.asset_id = a.id
                    WHERE a.kept != 'held' AND a.identity IN ({marks})"""
                found += map(_open, connection.execute(sql, part).fetchall())
        return tuple(found)

    def views(self, ids: Sequence[int]) -> dict[int, AssetView]:
        """The assets with these ids."""
        marks = ", ".join("?" * len(ids))
        with self._database.read() as connection:
            rows = connection.execute(f"{ASSETS} WHERE a.id IN ({marks})", tuple(ids)).fetchall()
        return {row["id"]: asset_view(row) for row in rows}


def _open(row: sqlite3.Row) -> Open:
    return Open(
        id=row["id"],
        account=row["account"],
        deadline=row["deadline"] if row["deadline"] is not None else float("inf"),
        size=row["size"],
        received=row["received"] if row["is_live"] else 0,
        position=row["position"] if row["is_live"] else None,
        rule_days=row["rule_days"],
    )
