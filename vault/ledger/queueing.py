"""The queue as people see it: what is queued, in which order, what is wished of it. Every verb is one transaction."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from providers.models import AssetId
from vault.ledger import summaries
from vault.ledger.claiming import EVERYTHING
from vault.ledger.database import Database
from vault.ledger.deeds import Undo, add_deed
from vault.ledger.lining_up import LIVE, enqueue

NOWHERE: Mapping[AssetId, Sequence[str]] = MappingProxyType({})


_THESE = """SELECT t.*, a.meeting_id FROM transfers t JOIN assets a ON a.id = t.asset_id
    WHERE a.identity IN (SELECT value FROM json_each(?))"""


def _listed(identities: Iterable[AssetId]) -> str:
    return json.dumps([str(identity) for identity in identities])


class Transfers:
    """The ledger's verbs `enqueue`, `steer`, `move` and `hurry`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(
        self,
        identities: Iterable[AssetId],
        now: float,
        *,
        first: bool = False,
        operator: str = "",
        places: Mapping[AssetId, Sequence[str]] = NOWHERE,
    ) -> tuple[AssetId, ...]:
        """Queue assets that are not queued and not held; gives those that were. Deadlines come first by default.

        `operator`: who may undo it, "" where nobody may. `places`: where files are to lie, in order of
        preference, where that is not fixed yet.
        """
        with self._database.write() as connection:
            queued = enqueue(connection, identities, now, first=first)
            for identity in queued:
                for place in places.get(identity, ()):
                    if _fix(connection, identity, place):
                        break
            if queued and operator:
                add_deed(connection, now, operator, "queued", f"queued {len(queued)}", Undo(queued=queued))
            return queued

    def steer(self, identity: AssetId, wish: str, now: float) -> bool:
        """`pause` or `cancel` a transfer, `resume` a paused or waiting one, `retry` one that ended badly.

        Whether that changed anything.
        """
        return bool(self.steer_all([identity], wish, now))

    def steer_all(self, identities: Iterable[AssetId], wish: str, now: float) -> int:
        """The same for many, all of them or none; gives how many it changed."""
        with self._database.write() as connection:
            rows = connection.execute(_THESE, (_listed(identities),)).fetchall()
            changed = [row for row in rows if _steer(connection, row, wish, now)]
            summaries.refresh(connection, [row["meeting_id"] for row in changed])
        return len(changed)

    def hurry(self, identity: AssetId) -> bool:
        """Put a transfer first in line; one that waits tries again now, and what its account waits for with it.

        Whether that changed anything.
        """
        return bool(self.hurry_all([identity]))

    def hurry_all(self, identities: Iterable[AssetId]) -> int:
        """The same for many, in the order in which they are in line; gives how many it changed."""
        sql = f"{_THESE} AND t.state IN ('queued', 'waiting', 'paused') ORDER BY t.line_rank, t.line_place, t.asset_id"
        with self._database.write() as connection:
            rows = connection.execute(sql, (_listed(identities),)).fetchall()
            lowest = connection.execute("SELECT min(position) FROM transfers").fetchone()[0]
            connection.executemany(
                """UPDATE transfers SET state = 'queued', not_before = 0, attempts = 0, progress_at = 0, position = ?
                WHERE asset_id = ?""",
                [(lowest - len(rows) + place, row["asset_id"]) for place, row in enumerate(rows)],
            )
            for scope in {row["account"] for row in rows} | ({EVERYTHING} if rows else set()):
                connection.execute("DELETE FROM holds WHERE scope = ?", (scope,))
            summaries.refresh(connection, [row["meeting_id"] for row in rows])
        return len(rows)

    def begin_anew(self, accounts: Collection[str]) -> None:
        """Something about these accounts was put right: what waits for them is tried now, and no break holds it."""
        with self._database.write() as connection:
            for account in accounts:
                connection.execute("DELETE FROM holds WHERE scope = ?", (account,))
                connection.execute(
                    "UPDATE transfers SET not_before = 0 WHERE account = ? AND state = 'waiting'", (account,)
                )

    def move(self, identity: AssetId, by: int) -> None:
        """Move a transfer up (negative) or down in the queue."""
        with self._database.write() as connection:
            rows = connection.execute(
                f"""SELECT t.asset_id, t.position, a.identity FROM transfers t JOIN assets a ON a.id = t.asset_id
                WHERE t.state IN {LIVE} AND t.state != 'running' ORDER BY t.position, t.asset_id"""
            ).fetchall()
            order = [row["asset_id"] for row in rows]
            at = next((n for n, row in enumerate(rows) if row["identity"] == str(identity)), None)
            if at is None:
                return
            order.insert(max(0, min(len(order) - 1, at + by)), order.pop(at))
            for rank, asset_id in enumerate(order):
                # A little apart, so that equal positions keep the order that was asked for.
                position = rows[rank]["position"] + rank * 1e-3
                connection.execute("UPDATE transfers SET position = ? WHERE asset_id = ?", (position, asset_id))


def _fix(connection: sqlite3.Connection, identity: AssetId, place: str) -> bool:
    """Fix where a file is to lie, where it is not; False when another asset's lies there."""
    if connection.execute("SELECT 1 FROM assets WHERE path = ? AND identity != ?", (place, str(identity))).fetchone():
        return False
    connection.execute("UPDATE assets SET path = ? WHERE identity = ? AND path IS NULL", (place, str(identity)))
    return True


def steer(connection: sqlite3.Connection, row: sqlite3.Row, wish: str, now: float) -> None:
    """`Transfers.steer` for a row of transfers, inside the caller's transaction."""
    _steer(connection, row, wish, now)
    summaries.refresh_of(connection, row["asset_id"])


def _steer(connection: sqlite3.Connection, row: sqlite3.Row, wish: str, now: float) -> bool:
    change = _steered(row["state"], wish)
    if change == "wish":
        wanted = "" if wish == "resume" else wish
        connection.execute("UPDATE transfers SET wish = ? WHERE asset_id = ?", (wanted, row["asset_id"]))
    elif change:
        connection.execute(
            """UPDATE transfers SET state = ?1, wish = '', not_before = 0, ended_at = ?2,
            attempts = CASE WHEN ?1 = 'queued' THEN 0 ELSE attempts END,
            progress_at = CASE WHEN ?1 = 'queued' THEN 0 ELSE progress_at END WHERE asset_id = ?3""",
            (change, now if change == "cancelled" else None, row["asset_id"]),
        )
    return bool(change)


def _steered(state: str, wish: str) -> str:
    """The state that a wish leads to from a state; "wish" when its owner must act; "" when nothing changes."""
    if wish == "cancel":
        return {"running": "wish", "queued": "cancelled", "waiting": "cancelled", "paused": "cancelled"}.get(state, "")
    if wish == "pause":
        return {"running": "wish", "queued": "paused", "waiting": "paused"}.get(state, "")
    if wish == "resume":
        return {"running": "wish", "paused": "queued", "waiting": "queued"}.get(state, "")
    return {"failed": "queued", "cancelled": "queued", "waiting": "queued"}.get(state, "")
