"""Keeps what a meeting's row says in step with its assets and transfers."""

import json
import sqlite3
from collections.abc import Iterable

from providers.models import RemoteState
from vault.ledger.rows import ASSETS, STATE_ORDER, earliest_deadline, headline, is_fault, known_size


def refresh(connection: sqlite3.Connection, meeting_ids: Iterable[int]) -> None:
    """Recompute the summaries of these meetings, inside the caller's transaction."""
    for meeting_id in set(meeting_ids):
        row = connection.execute("SELECT * FROM meetings WHERE id = ?", (meeting_id,)).fetchone()
        assets = connection.execute(f"{ASSETS} WHERE a.meeting_id = ? ORDER BY a.id", (meeting_id,)).fetchall()
        deadline, state = earliest_deadline(assets), headline(row, assets)
        words = [row["title"], row["account"], row["provider"], row["meeting"], *json.loads(row["people"])]
        words += [a["variant"] for a in assets]
        connection.execute(
            """UPDATE meetings SET words = ?, summary_state = ?, summary_size = ?, summary_deadline = ?,
                summary_faults = ?, summary_at_risk = ? WHERE id = ?""",
            (
                "\n".join(words).casefold(),
                STATE_ORDER.index(state),
                known_size(assets),
                deadline,
                sum(is_fault(a) for a in assets) or int(state is RemoteState.FAILED),
                int(deadline is not None),
                meeting_id,
            ),
        )


def refresh_of(connection: sqlite3.Connection, asset_id: int) -> None:
    """Recompute the summary of an asset's meeting, inside the caller's transaction."""
    row = connection.execute("SELECT meeting_id FROM assets WHERE id = ?", (asset_id,)).fetchone()
    refresh(connection, [row["meeting_id"]])
