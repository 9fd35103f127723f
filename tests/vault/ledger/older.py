"""A ledger of version 3, as the first releases wrote it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from vault.ledger.schema import MIGRATIONS

COPIED = ("meetings", "assets", "transfers", "accounts")


def version_3(new: Path, old: Path) -> None:
    """Make one at `old`, with what the ledger at `new` holds."""
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        for script in MIGRATIONS[:3]:
            assert isinstance(script, str)
            connection.executescript(script)
        connection.execute("ATTACH ? AS new", (str(new),))
        for table in COPIED:
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            names = ", ".join(columns)
            connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM new.{table}")
        connection.execute(
            """INSERT INTO main.events (id, at, identity, what, words)
            SELECT number, 1, identity, what, json_extract(body, '$.words') FROM new.events"""
        )
        connection.execute("DETACH new")
        connection.execute("PRAGMA user_version = 3")
    old.chmod(0o600)
