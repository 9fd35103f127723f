"""What was ever proven here, by the age of its proof. Reads only."""

from collections.abc import Iterator
from datetime import datetime

from vault.ledger.database import Database
from vault.ledger.rows import ASSETS, asset_view
from vault.views import AssetView

_AT_ONCE = 200


class Proven:
    """The ledger's verb `oldest_first`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def oldest_first(self, account: str, before: datetime) -> Iterator[AssetView]:
        """Assets of an account ("": of all) that were proven before then, the oldest proof first, read as they go.

        What was damaged or lost has the proof that it had. One that is proven anew meanwhile comes as it is then.
        """
        sql = """SELECT id FROM assets WHERE kept IN ('held', 'damaged', 'lost') AND proof IS NOT NULL
            AND (account = ?1 OR ?1 = '') AND json_extract(proof, '$.proven_at') < ?2
            ORDER BY json_extract(proof, '$.proven_at'), id"""
        with self._database.read() as connection:
            ids = [row["id"] for row in connection.execute(sql, (account, before.isoformat()))]
        for start in range(0, len(ids), _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(part))
            with self._database.read() as connection:
                rows = connection.execute(f"{ASSETS} WHERE a.id IN ({marks})", part).fetchall()
            views = {row["id"]: asset_view(row) for row in rows}
            yield from (views[number] for number in part if number in views)
