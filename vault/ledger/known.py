"""What the ledger knows of a listing's meetings and assets, read at once: asked one by one, it would cost the most."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from providers.models import Asset, Listing

_AT_ONCE = 400


class Known:
    """Rows of meetings and assets, inside one transaction; those that were changed since are read anew."""

    def __init__(self, connection: sqlite3.Connection, account: str, listing: Listing) -> None:
        self._connection = connection
        self._account = account
        named = {meeting.id for meeting in listing.meetings} | {asset.meeting_id for asset in listing.assets}
        self._meetings: dict[str, sqlite3.Row | None] = dict.fromkeys(named)
        for row in self._rows("SELECT * FROM meetings WHERE account = ? AND meeting", list(named), (account,)):
            self._meetings[row["meeting"]] = row
        self.ids: dict[str, int] = {name: row["id"] for name, row in self._meetings.items() if row is not None}
        """Of the meetings that are there by now."""
        self.identities = tuple(str(asset.identity(account)) for asset in listing.assets)
        """Of the listing's assets, in their order."""
        identities: dict[str, Asset] = {}
        for identity, asset in zip(self.identities, listing.assets, strict=True):
            identities.setdefault(identity, asset)
        self._assets: dict[str, sqlite3.Row | None] = dict.fromkeys(identities)
        for row in self._rows("SELECT * FROM assets WHERE identity", list(identities)):
            self._assets[row["identity"]] = row
        self._new_assets: defaultdict[str, dict[str, Asset]] = defaultdict(dict)
        for identity, asset in identities.items():
            if self._assets[identity] is None:
                self._new_assets[asset.meeting_id][identity] = asset

    def _rows(self, select: str, names: Sequence[str], first: tuple[str, ...] = ()) -> Iterable[sqlite3.Row]:
        for start in range(0, len(names), _AT_ONCE):
            part = names[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(part))
            yield from self._connection.execute(f"{select} IN ({marks})", (*first, *part)).fetchall()

    def new_assets_of(self, meeting: str) -> Mapping[str, Asset]:
        """The listing's assets of a meeting that the ledger does not know, by identity."""
        return self._new_assets.get(meeting, {})

    def meeting(self, meeting: str) -> sqlite3.Row | None:
        """A meeting of the account as it is now."""
        found = self._meetings.get(meeting)
        if found is None and meeting in self.ids:
            sql = "SELECT * FROM meetings WHERE id = ?"
            found = self._meetings[meeting] = self._connection.execute(sql, (self.ids[meeting],)).fetchone()
        return found

    def asset(self, identity: str) -> sqlite3.Row | None:
        """An asset of the listing as it is now."""
        if identity not in self._assets:
            sql = "SELECT * FROM assets WHERE identity = ?"
            self._assets[identity] = self._connection.execute(sql, (identity,)).fetchone()
        return self._assets[identity]

    def forget(self, name: str) -> None:
        """A meeting (its id at the account) or an asset (its identity) was changed."""
        self._meetings.pop(name, None)
        self._assets.pop(name, None)
