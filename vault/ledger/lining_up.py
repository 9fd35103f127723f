"""Putting assets into the queue, as a part of whatever transaction calls for it."""

import sqlite3
from collections.abc import Iterable

from providers.models import AssetId
from vault.ledger import summaries
from vault.ledger.events import By, NewEvent, add_events

LIVE = "('queued', 'running', 'waiting', 'paused')"
"""The states of transfers that have not ended."""


def enqueue(
    connection: sqlite3.Connection,
    identities: Iterable[AssetId],
    now: float,
    *,
    first: bool = False,
    by: By = By.OPERATOR,
    words: str = "",
) -> tuple[AssetId, ...]:
    """Queue assets inside the caller's transaction; see `Transfers.enqueue`. `by`: who wants them, and why: `words`."""
    queued = []
    wanted = list(identities)
    if first:
        wanted.reverse()  # each goes before the one that went before it
    for identity in wanted:
        row = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(identity),)).fetchone()
        if row is None or row["kept"] == "held":
            continue
        cursor = connection.execute(
            f"""INSERT INTO transfers (asset_id, account, state, position, queued_at)
            VALUES (?, ?, 'queued', ?, ?)
            ON CONFLICT (asset_id) DO UPDATE SET state = 'queued', wish = '', position = excluded.position,
                queued_at = excluded.queued_at, attempts = 0, words = '', not_before = 0, ended_at = NULL,
                received = 0, rate = NULL, progress_at = 0, furthest = 0
            WHERE transfers.state NOT IN {LIVE}""",
            (row["id"], row["account"], _position(connection, row, now, first), now),
        )
        if cursor.rowcount:
            queued.append(identity)
            summaries.refresh(connection, [row["meeting_id"]])
    words = words or ("queued" if by is By.OPERATOR else "queued, since it became available")
    add_events(connection, [NewEvent(now, str(identity), "queued", words, by=by) for identity in queued])
    return tuple(reversed(queued) if first else queued)


def _position(connection: sqlite3.Connection, row: sqlite3.Row, now: float, first: bool) -> float:
    if first:
        lowest = connection.execute("SELECT min(position) FROM transfers").fetchone()[0]
        return (lowest or 0.0) - 1.0
    # Positions are moments: a deadline stands at its own, everything else after the deadlines of the next year.
    deadline: float | None = row["deadline"]
    return deadline if deadline is not None else now + 366 * 86_400
