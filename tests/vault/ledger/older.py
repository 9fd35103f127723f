"""A ledger of version 3, as the first releases wrote it."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

from vault.ledger.schema import MIGRATIONS

COPIED = ("meetings", "assets", "transfers", "accounts")
_CACHE_KIB = 400_000
_WORDS = "coalesce((SELECT texts.words FROM new.texts WHERE texts.id = meetings.id), '')"
_AS_IT_IS: Mapping[tuple[str, str], str] = MappingProxyType({})


def version_3(new: Path, old: Path, instead: Mapping[tuple[str, str], str] = _AS_IT_IS) -> None:
    """Make one at `old`, with what the ledger at `new` holds, however much that is.

    `instead`: SQL, by table and column, for what the one at `new` does not have.
    """
    instead = {("meetings", "words"): _WORDS, **instead}
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        for script in MIGRATIONS[:3]:
            assert isinstance(script, str)
            connection.executescript(script)
        for pragma in ("synchronous = OFF", "journal_mode = OFF", f"cache_size = -{_CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}")
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql != ''"
        indexes = connection.execute(sql).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("ATTACH ? AS new", (str(new),))
        for table in COPIED:
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            values = ", ".join(instead.get((table, name), name) for name in columns)
            connection.execute(f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {values} FROM new.{table}")
        connection.execute(
            """INSERT INTO main.events (id, at, identity, what, words)
            SELECT number, 1, identity, what, json_extract(body, '$.words') FROM new.events"""
        )
        connection.execute("DETACH new")
        for _, sql in indexes:  # once all rows are there: else each would go to another place of each
            connection.execute(sql)
        connection.execute("PRAGMA user_version = 3")
    old.chmod(0o600)
