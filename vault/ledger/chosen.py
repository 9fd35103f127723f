"""The assets that a worker is to take, as a temporary table of its connection: so many fit into no list of parameters.

The table is filled once for each connection that claims; written as a JSON list, 100,000 ids would be read anew with
every claim.
"""

import json
import sqlite3
from collections.abc import Iterable

from providers.models import AssetId
from vault.ledger.events import LogConnection


def condition(connection: LogConnection, ids: frozenset[int] | None) -> str:
    """SQL that is true for transfers of these assets (None: of any), on this connection, until it is called again.

    Outside of a transaction, which could take the table back.
    """
    if ids is None:
        return "1 = 1"
    assert not connection.in_transaction
    if connection.chosen is not ids:
        connection.chosen = None  # should it fail half-way
        connection.has_own_tables = True
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id INTEGER PRIMARY KEY)")
        connection.execute("DELETE FROM temp.chosen")
        connection.execute("INSERT INTO temp.chosen SELECT value FROM json_each(?)", (json.dumps(list(ids)),))
        connection.chosen = ids
    return "asset_id IN (SELECT id FROM temp.chosen)"


def ids_of(connection: sqlite3.Connection, identities: Iterable[AssetId]) -> frozenset[int]:
    """The ids of the assets that are known."""
    wanted = json.dumps([str(identity) for identity in identities])
    rows = connection.execute("SELECT id FROM assets WHERE identity IN (SELECT value FROM json_each(?))", (wanted,))
    return frozenset(row["id"] for row in rows)
