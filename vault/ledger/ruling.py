"""Deadlines by a rule of the user's: so many days after a meeting its recordings are deleted at the service.

`assets.deadline` is the earlier one of the rule's and the service's own, so that queue, lists and counters go by it.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from vault.ledger import summaries
from vault.ledger.database import Database
from vault.ledger.rows import Row

DAY_S = 86_400.0
_SET = """UPDATE assets SET deadline = :deadline, rule_days = :rule_days, stated_deadline = :stated_deadline
    WHERE id = :id"""
_MEETINGS_AT_ONCE = 500
"""In a transaction, so that others write in between."""


def rule_of(connection: sqlite3.Connection, account: str) -> float:
    """The rule of an account, in days; 0 where it has none."""
    row = connection.execute("SELECT keep_days FROM accounts WHERE name = ?", (account,)).fetchone()
    return row["keep_days"] if row is not None else 0.0


def own_deadline(asset: Row) -> float | None:
    """What the service itself states for a known asset; unix seconds."""
    stated: float | None = asset["stated_deadline"] if asset["rule_days"] else asset["deadline"]
    return stated


def ruled(stated: float | None, began: float, days: float) -> dict[str, Any]:
    """The columns of an asset whose meeting `began` then, by a rule of so many days (0: none); unix seconds."""
    by_rule = began + days * DAY_S
    if days and (stated is None or by_rule < stated):
        return {"deadline": by_rule, "rule_days": days, "stated_deadline": stated}
    return {"deadline": stated, "rule_days": 0.0, "stated_deadline": None}


def began_at(meeting: Mapping[str, Any] | sqlite3.Row, first_seen: float) -> float:
    """From when a rule counts: the meeting's end, else its start, else when the asset was first seen."""
    moments = (meeting["ended_at"], meeting["started_at"], first_seen)
    return next(moment for moment in moments if moment is not None)


class Rules:
    """The ledger's verb `apply`: what is known of an account goes by its rule from now on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def apply(self, account: str, days: float) -> bool:
        """Give every asset of the account its deadline by a rule of so many days (0: none); whether that was new.

        Some 500 meetings in a transaction; who is interrupted begins again next time. Quick where nothing changed.
        """
        with self._database.read() as connection:
            if rule_of(connection, account) == days:
                return False
        place = 0
        while place >= 0:
            with self._database.write() as connection:
                place = self._apply(connection, account, days, place)
        with self._database.write(visible=False) as connection:
            connection.execute(
                """INSERT INTO accounts (name, keep_days) VALUES (?1, ?2) ON CONFLICT (name)
                DO UPDATE SET keep_days = ?2""",
                (account, days),
            )
        return True

    @staticmethod
    def _apply(connection: sqlite3.Connection, account: str, days: float, place: int) -> int:
        """The next meetings from this id on; the last one's id, -1 when there are no more."""
        sql = "SELECT id, started_at, ended_at FROM meetings WHERE account = ? AND id > ? ORDER BY id LIMIT ?"
        meetings: dict[int, sqlite3.Row] = {
            row["id"]: row for row in connection.execute(sql, (account, place, _MEETINGS_AT_ONCE))
        }
        if not meetings:
            return -1
        changed = _rule_assets(connection, meetings, days)
        summaries.refresh(connection, [meeting for _, meeting in changed])
        return max(meetings)


def rule_again(connection: sqlite3.Connection, meeting_id: int, days: float) -> tuple[str, ...]:
    """A meeting begins or ends at another time than before; gives the assets that have another deadline by that."""
    sql = "SELECT id, started_at, ended_at FROM meetings WHERE id = ?"
    meeting = connection.execute(sql, (meeting_id,)).fetchone()
    return tuple(identity for identity, _ in _rule_assets(connection, {meeting_id: meeting}, days))


def _rule_assets(
    connection: sqlite3.Connection, meetings: Mapping[int, sqlite3.Row], days: float
) -> list[tuple[str, int]]:
    """The assets that have another deadline now: their identities, and the ids of their meetings."""
    marks = ", ".join("?" * len(meetings))
    sql = f"""SELECT id, identity, meeting_id, first_seen, deadline, rule_days, stated_deadline FROM assets
        WHERE meeting_id IN ({marks})"""
    changed = []
    for asset in connection.execute(sql, tuple(meetings)).fetchall():
        values = ruled(own_deadline(asset), began_at(meetings[asset["meeting_id"]], asset["first_seen"]), days)
        if any(asset[name] != value for name, value in values.items()):
            connection.execute(_SET, {**values, "id": asset["id"]})
            changed.append((asset["identity"], asset["meeting_id"]))
    return changed
