"""Deadlines by a rule of the user's: so many days after a meeting its recordings are deleted at the service.

`assets.deadline` is the earlier one of the rule's and the service's own, so that queue, lists and counters go by it.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from vault.ledger import summaries
from vault.ledger.database import Database, show
from vault.ledger.rows import Row

DAY_S = 86_400.0
_SET = """UPDATE assets SET deadline = :deadline, rule_days = :rule_days, stated_deadline = :stated_deadline
    WHERE id = :id"""
_STANDS = "SELECT keep_days, keep_place FROM accounts WHERE name = ?"
_BEGIN = """INSERT INTO accounts (name, keep_days, keep_place) VALUES (?1, ?2, 0) ON CONFLICT (name)
    DO UPDATE SET keep_days = ?2, keep_place = 0"""
DONE = -1
"""Stands for the place (a meeting's id) that applying a rule has come to, when it has come to the end."""
_MEETINGS_AT_ONCE = 100
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

    def apply(self, account: str, days: float, go_on: Callable[[], bool] = lambda: True) -> bool:
        """Give every asset of the account its deadline by a rule of so many days (0: none); whether all have it by now.

        A hundred meetings in a transaction, as long as `go_on` says so; the next call, of whatever process, goes on
        there. What comes from a service meanwhile goes by the new rule at once. Quick where nothing changed.
        """
        with self._database.read() as connection:
            row = connection.execute(_STANDS, (account,)).fetchone()
        if row is None and not days:
            return True
        if row is None or row["keep_days"] != days:
            with self._database.write(visible=False) as connection:
                connection.execute(_BEGIN, (account, days))
        elif row["keep_place"] == DONE:
            return True
        while True:
            with self._database.write(visible=False, durable=False) as connection:
                place = connection.execute(_STANDS, (account,)).fetchone()["keep_place"]
                if place != DONE:
                    place = self._apply(connection, account, days, place)
                    connection.execute("UPDATE accounts SET keep_place = ? WHERE name = ?", (place, account))
            if place == DONE or not go_on():
                return bool(place == DONE)

    @staticmethod
    def _apply(connection: sqlite3.Connection, account: str, days: float, place: int) -> int:
        """The next meetings from this id on; the last one's id, DONE when there are no more."""
        sql = "SELECT id, started_at, ended_at FROM meetings WHERE account = ? AND id > ? ORDER BY id LIMIT ?"
        meetings: dict[int, sqlite3.Row] = {
            row["id"]: row for row in connection.execute(sql, (account, place, _MEETINGS_AT_ONCE))
        }
        if not meetings:
            return DONE
        changed = _rule_assets(connection, meetings, days)
        if changed:
            summaries.refresh(connection, [meeting for _, meeting in changed])
            show(connection)
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
