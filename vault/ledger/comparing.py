"""What the ledger says of every asset, to be held against the services and the disk. Reads only, in one walk."""

import json
import sqlite3
from collections.abc import Collection, Iterator

from msgspec import Struct

from providers.models import AssetId, RemoteState
from vault.ledger.database import Database
from vault.ledger.rows import LOCAL, flags_of
from vault.triage.states import Flag
from vault.views import LocalState

_AT_ONCE = 1_000
_COLUMNS = f"""SELECT a.id, a.identity, a.account, a.state, a.provider_state, a.kept, {LOCAL} AS local, a.size,
    a.held_size, a.sha256, a.checksum, a.path, a.flags, a.wrong, a.last_seen, a.extension,
    CASE WHEN a.proof IS NULL THEN NULL ELSE json_extract(a.proof, '$.proven_at') END AS proven_at
    FROM assets a LEFT JOIN transfers t ON t.asset_id = a.id"""


class KnownAsset(Struct, frozen=True):
    """An asset as the ledger has it. Sizes in bytes; `last_seen` in unix seconds."""

    identity: AssetId
    state: RemoteState
    provider_state: str
    kept: LocalState
    """ABSENT, HELD, DAMAGED or LOST."""
    local: LocalState
    size: int | None
    """As the service states it."""
    held_size: int | None
    sha256: str
    checksum: str
    """The service's own SHA-256; "" where it states none that can be read."""
    path: str
    proven_at: str
    """ISO 8601; "" when it never was."""
    last_seen: float
    extension: str
    flags: frozenset[Flag] = frozenset()
    wrong: bool = False
    """What the service gave was proven wrong."""


class Comparing:
    """The ledger's verbs `known`, `at` and `of_size`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, accounts: Collection[str]) -> Iterator[KnownAsset]:
        """Every asset of these accounts that can be fetched at all, a thousand at a time."""
        last = 0
        sql = f"{_COLUMNS} WHERE a.id > ? AND a.kind != 'dashboard' ORDER BY a.id LIMIT ?"
        while True:
            with self._database.read() as connection:
                rows = connection.execute(sql, (last, _AT_ONCE)).fetchall()
            yield from (_known(row) for row in rows if row["account"] in accounts)
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1]["id"]

    def at(self, paths: Collection[str]) -> dict[str, KnownAsset]:
        """Whose files lie, or are to lie, at these absolute paths."""
        sql = f"{_COLUMNS} WHERE a.path IN (SELECT value FROM json_each(?))"
        with self._database.read() as connection:
            rows = connection.execute(sql, (json.dumps(list(paths)),)).fetchall()
        return {row["path"]: _known(row) for row in rows}

    def of_size(self, sizes: Collection[int]) -> tuple[KnownAsset, ...]:
        """Assets that are not held, have one of these sizes, and of which a SHA-256 is known."""
        sql = f"""{_COLUMNS} WHERE a.kept != 'held' AND coalesce(a.held_size, a.size) IN
            (SELECT value FROM json_each(?)) AND (a.sha256 != '' OR coalesce(a.checksum, '') != '') ORDER BY a.id"""
        if not sizes:
            return ()
        with self._database.read() as connection:
            return tuple(map(_known, connection.execute(sql, (json.dumps(list(sizes)),)).fetchall()))

    def count(self) -> int:
        """How many assets there are."""
        with self._database.read() as connection:
            number: int = connection.execute("SELECT coalesce(sum(assets), 0) FROM holdings").fetchone()[0]
        return number


def _known(row: sqlite3.Row) -> KnownAsset:
    return KnownAsset(
        identity=AssetId.parse(row["identity"]),
        state=RemoteState(row["state"]),
        provider_state=row["provider_state"],
        kept=LocalState(row["kept"]),
        local=LocalState(row["local"]),
        size=row["size"],
        held_size=row["held_size"],
        sha256=row["sha256"],
        checksum=row["checksum"] or "",
        path=row["path"] or "",
        proven_at=row["proven_at"] or "",
        last_seen=row["last_seen"],
        extension=row["extension"],
        flags=flags_of(row["flags"]),
        wrong=bool(row["wrong"]),
    )
