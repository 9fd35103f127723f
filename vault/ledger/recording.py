"""Writing down what services say: merged with what is known, never losing it."""

import functools
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from providers.models import Asset, AssetId, Listing, Meeting, RemoteState, StateChange
from vault.ledger import summaries
from vault.ledger.database import Database, show
from vault.ledger.lining_up import enqueue
from vault.ledger.rows import seconds
from vault.sealing import Sealer

# How far an asset has come. What only announces (a webhook, an event) may come late and never turns this back;
# a service's own list may.
_PROGRESS = {
    RemoteState.UNKNOWN: 0,
    RemoteState.PROCESSING: 1,
    RemoteState.FAILED: 2,
    RemoteState.AVAILABLE: 3,
    RemoteState.ABANDONED: 4,
    RemoteState.EXPIRED: 5,
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a listing brought: meetings and assets in it, those of them that were new, assets now available."""

    meetings: int = 0
    assets: int = 0
    new: int = 0
    became_available: tuple[str, ...] = ()
    """Assets that can be had now and could not before, or by a link that lives longer."""

    def __add__(self, other: "Recorded") -> "Recorded":
        return Recorded(
            self.meetings + other.meetings,
            self.assets + other.assets,
            self.new + other.new,
            self.became_available + other.became_available,
        )


class Recorder:
    """The ledger's verb `record`: one transaction a listing."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def record(
        self, account: str, provider: str, listing: Listing, now: float, *, authoritative: bool, queue: bool = False
    ) -> Recorded:
        """Merge a listing into the ledger, in a transaction of its own.

        `authoritative`: it is the service's answer to a question, and its state holds. Otherwise it was announced,
        may be late or repeated, and only moves states forward. `queue`: what becomes available is queued with it.
        `now` in unix seconds.
        """
        with self._database.write(visible=False) as connection:
            return self.merge(connection, account, provider, listing, now, authoritative=authoritative, queue=queue)

    def merge(
        self,
        connection: sqlite3.Connection,
        account: str,
        provider: str,
        listing: Listing,
        now: float,
        *,
        authoritative: bool,
        announced: bool = False,
        queue: bool = False,
    ) -> Recorded:
        """The same inside the caller's transaction. `announced`: a webhook told of it."""
        merge = _Merge(connection, self._sealer, account, provider, now, authoritative, announced)
        for meeting in listing.meetings:
            merge.meeting(meeting)
        for asset in listing.assets:
            merge.asset(asset)
        for change in listing.changes:
            merge.change(change)
        for catchup in listing.catchups:
            merge.changed |= add_catchup(connection, account, catchup.room, catchup.text, now)
        if queue:
            wanted = (AssetId.parse(text) for text in merge.became_available)
            enqueue(connection, (identity for identity in wanted if identity.kind.fetchable), now)
        summaries.refresh(connection, merge.touched)
        if merge.changed:
            show(connection)
        return Recorded(len(listing.meetings), len(listing.assets), merge.new, tuple(merge.became_available))


class _Merge:
    """One listing on its way into the ledger."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        sealer: Sealer,
        account: str,
        provider: str,
        now: float,
        truth: bool,
        announced: bool,
    ) -> None:
        self._connection = connection
        self._sealer = sealer
        self._account = account
        self._provider = provider
        self._now = now
        self._truth = truth
        self._announced = announced
        self.touched: set[int] = set()
        """Meetings whose summaries are to be renewed."""
        self.changed = False
        """Whether anything says something else than before."""
        self._late: set[str] = set()
        """Meetings that are known to be further than this listing says: its words for them are older, too."""
        self.new = 0
        self.became_available: list[str] = []

    def meeting(self, meeting: Meeting) -> None:
        known = self._find_meeting(meeting.id)
        before = RemoteState(known["state"]) if known is not None else RemoteState.UNKNOWN
        forward = self._truth or _PROGRESS[meeting.state] >= _PROGRESS[before]
        if not forward:
            self._late.add(meeting.id)
        values = {
            "title": meeting.title,
            "started_at": seconds(meeting.started_at),
            "ended_at": seconds(meeting.ended_at),
            "people": json.dumps(meeting.people, ensure_ascii=False) if meeting.people else None,
            "state": meeting.state if forward else None,
            "provider_state": meeting.provider_state if forward else None,
            "origin": meeting.origin,
            "details": _json(meeting.details),
            "raw": meeting.raw,
            "last_seen": self._now,
        }
        values = {name: value for name, value in values.items() if value not in (None, "")}
        if known is not None:
            if values.get("title") == meeting.id:
                del values["title"]  # stands for none: the title that is known says more
            self._update("meetings", known, values)
        else:
            self.touched.add(self._insert_meeting(meeting.id, values))

    def _find_meeting(self, meeting: str) -> sqlite3.Row | None:
        cursor = self._connection.execute(
            "SELECT * FROM meetings WHERE account = ? AND meeting = ?", (self._account, meeting)
        )
        found: sqlite3.Row | None = cursor.fetchone()
        return found

    def _insert_meeting(self, meeting: str, values: Mapping[str, object]) -> int:
        return self._insert(
            "meetings",
            {
                "account": self._account,
                "meeting": meeting,
                "provider": self._provider,
                "title": meeting,
                "first_seen": self._now,
                "last_seen": self._now,
                **values,
            },
        )

    def asset(self, asset: Asset) -> None:
        meeting = self._find_meeting(asset.meeting_id)
        meeting_id = meeting["id"] if meeting else self._insert_meeting(asset.meeting_id, {})
        identity = str(asset.identity(self._account))
        known = self._connection.execute("SELECT * FROM assets WHERE identity = ?", (identity,)).fetchone()
        if known is None:
            self._add(identity, meeting_id, asset)
        else:
            self._merge(known, asset)

    def _add(self, identity: str, meeting_id: int, asset: Asset) -> None:
        self._insert(
            "assets",
            {
                "meeting_id": meeting_id,
                "identity": identity,
                "account": self._account,
                "kind": asset.kind,
                "variant": asset.variant,
                "first_seen": self._now,
                "extension": asset.extension,
                "state": asset.state,
                "provider_state": asset.provider_state,
                "error": asset.error,
                **{"link": "", "warning": "", "raw": "", "details": "{}", "locator": "{}"},
                **self._facts(asset),
                **self._heard_of(asset.state.downloadable),
            },
        )
        self.new += 1
        self.touched.add(meeting_id)
        words = asset.provider_state or asset.state
        add_event(self._connection, self._now, identity, "seen", f"first seen, the service says {words}")
        if asset.state.downloadable:
            self.became_available.append(identity)

    def _merge(self, known: sqlite3.Row, asset: Asset) -> None:
        values = self._facts(asset)
        before = RemoteState(known["state"])
        self._keep_longest_link(known, asset, values)
        values |= self._heard_of(asset.state.downloadable and not before.downloadable, known)
        ahead = _PROGRESS[asset.state] - _PROGRESS[before]
        if self._truth or ahead > 0 or (ahead == 0 and asset.meeting_id not in self._late):
            values |= self._state(known, asset)
            self._note_state(known["identity"], before, asset.state, asset.provider_state)
        if any(values.get(name, known[name]) != known[name] for name in ("checksum", "size", "state")):
            values["wrong"] = 0
        stated = values.get("checksum")
        if known["checksum"] and stated and stated != known["checksum"]:
            words = f"the service now states another checksum: {asset.checksum.stated if asset.checksum else ''}"
            add_event(self._connection, self._now, known["identity"], "changed", words)
        self._update("assets", known, values)

    def _facts(self, asset: Asset) -> dict[str, object]:
        """What is worth writing: fields that say something. What the service leaves out is not forgotten."""
        values: dict[str, object] = {
            "size": asset.size,
            "checksum": asset.checksum.value if asset.checksum else None,
            "checksum_stated": asset.checksum.stated if asset.checksum else None,
            "deadline": seconds(asset.deadline),
            "locator": _json(asset.locator),
            "sealed_link": self._sealer.seal(asset.sealed_link) if asset.sealed_link else None,
            "link": asset.link,
            "warning": asset.warning,
            "details": _json(asset.details),
            "raw": asset.raw,
        }
        # An empty checksum is one that could not be read: that is known, not left out.
        kept = {n: v for n, v in values.items() if v is not None and (v != "" or n == "checksum")}
        return kept | {"last_seen": self._now}

    def _keep_longest_link(self, known: sqlite3.Row, asset: Asset, values: dict[str, object]) -> None:
        """An announcement that is late may bring a link that runs out before the one that is kept."""
        deadline = seconds(asset.deadline)
        if self._truth or asset.sealed_link is None or known["deadline"] is None or deadline is None:
            return
        if deadline < known["deadline"]:
            for name in ("sealed_link", "deadline"):
                del values[name]
        elif deadline > known["deadline"] and known["kept"] != "held":
            self.became_available.append(known["identity"])

    def _heard_of(self, available_now: bool, known: sqlite3.Row | None = None) -> dict[str, object]:
        """By whom an asset came to be known: a webhook, or polling alone (after an account's first sync)."""
        if self._announced:
            return {} if known is not None and known["announced_at"] else {"announced_at": self._now}
        return {"polled_at": self._now} if self._truth and available_now and not self._is_first_sync else {}

    @functools.cached_property
    def _is_first_sync(self) -> bool:
        """What lay at the service before it was ever asked was announced to nobody, or long ago."""
        sql = "SELECT synced_at FROM accounts WHERE name = ?"
        row = self._connection.execute(sql, (self._account,)).fetchone()
        return row is None or row["synced_at"] is None

    def change(self, change: StateChange) -> None:
        """Apply an event to every asset of the account whose locator has all that the event names."""
        if not change.locator:
            return  # it names nothing, and nothing would match everything
        for row in self._connection.execute("SELECT * FROM assets WHERE account = ?", (self._account,)).fetchall():
            locator = json.loads(row["locator"])
            if all(locator.get(name) == value for name, value in change.locator.items()):
                self._apply(row, change)

    def _apply(self, row: sqlite3.Row, change: StateChange) -> None:
        before = RemoteState(row["state"])
        if _PROGRESS[change.state] >= _PROGRESS[before]:
            self._update("assets", row, {**self._state(row, change), "last_seen": self._now})
            self._note_state(row["identity"], before, change.state, change.provider_state)
        if before in (RemoteState.AVAILABLE, RemoteState.ABANDONED, RemoteState.EXPIRED):
            return  # it ended before: an event that says so again may be another call's, whose number was used anew
        times = {"started_at": seconds(change.started_at), "ended_at": seconds(change.ended_at)}
        meeting = self._connection.execute("SELECT * FROM meetings WHERE id = ?", (row["meeting_id"],)).fetchone()
        self._update("meetings", meeting, {n: v for n, v in times.items() if v is not None})

    def _state(self, row: sqlite3.Row, told: Asset | StateChange) -> dict[str, object]:
        """The state to write; an announcement that only repeats it does not take back what was said with it."""
        values = {"state": told.state, "provider_state": told.provider_state, "error": told.error}
        if self._truth or row["state"] != told.state:
            return dict(values)
        return {name: value for name, value in values.items() if value}

    def _note_state(self, identity: str, before: RemoteState, after: RemoteState, word: str) -> None:
        if before is after:
            return
        add_event(self._connection, self._now, identity, "state", f"the service says {word or after} (was {before})")
        if after.downloadable and not before.downloadable:
            self.became_available.append(identity)

    def _insert(self, table: str, values: Mapping[str, object]) -> int:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        cursor = self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
        assert cursor.lastrowid is not None
        self.changed = True
        return cursor.lastrowid

    def _update(self, table: str, known: sqlite3.Row, values: Mapping[str, object]) -> None:
        """Write values over a row; whether that changes what is shown is noted (having been seen again does not)."""
        if values:
            names = ", ".join(f"{name} = ?" for name in values)
            self._connection.execute(f"UPDATE {table} SET {names} WHERE id = ?", (*values.values(), known["id"]))
        unshown = ("last_seen", "sealed_link", "announced_at", "polled_at")
        if any(known[name] != value for name, value in values.items() if name not in unshown):
            self.changed = True
            self.touched.add(known["id"] if table == "meetings" else known["meeting_id"])


def _json(values: Mapping[str, str]) -> str | None:
    return json.dumps(dict(values), ensure_ascii=False) if values else None


def add_event(connection: sqlite3.Connection, now: float, identity: str, what: str, words: str) -> None:
    """One line of an asset's custody trail, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO events (at, identity, what, words) VALUES (?, ?, ?, ?)", (now, identity, what, words)
    )


def add_catchup(connection: sqlite3.Connection, account: str, room: str, text: str, now: float) -> bool:
    """Keep a room's summary when it says something new; whether it did."""
    cursor = connection.execute(
        "SELECT text FROM catchups WHERE account = ? AND room = ? ORDER BY id DESC LIMIT 1", (account, room)
    )
    last = cursor.fetchone()
    if not text or (last is not None and last["text"] == text):
        return False
    connection.execute("INSERT INTO catchups (account, room, at, text) VALUES (?, ?, ?, ?)", (account, room, now, text))
    return True
