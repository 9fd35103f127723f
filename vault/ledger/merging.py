"""How a listing is merged with what is known: nothing is lost, and what comes late turns nothing back."""

import functools
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from providers.models import Asset, Listing, Meeting, RemoteState, StateChange
from vault.ledger import summaries
from vault.ledger.events import By, Fact, NewEvent, add_events, moment
from vault.ledger.known import Known
from vault.ledger.rows import seconds
from vault.ledger.ruling import began_at, own_deadline, rule_again, rule_of, ruled
from vault.sealing import Sealer
from vault.views import LocalState

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


_DEADLINE = ("deadline", "rule_days", "stated_deadline")
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False)


class Merge:
    """One listing on its way into the ledger."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        sealer: Sealer,
        account: str,
        provider: str,
        listing: Listing,
        now: float,
        *,
        truth: bool,
        announced: bool,
    ) -> None:
        self._connection = connection
        self._listing = listing
        self._known = Known(connection, account, listing)
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
        self._counted: set[str] = set()
        """New assets that their new meeting's summary knows of already."""
        self._events: list[NewEvent] = []
        self._seen: dict[str, list[tuple[float, int]]] = {"meetings": [], "assets": []}
        self._texts: list[tuple[int, str]] = []
        self._rule = rule_of(connection, account)
        self.new = 0
        self.became_available: list[str] = []

    def run(self) -> None:
        """Merge meetings, assets and changes; what many rows have in common is written at the end."""
        for meeting in self._listing.meetings:
            self.meeting(meeting)
        for identity, asset in zip(self._known.identities, self._listing.assets, strict=True):
            self.asset(identity, asset)
        for change in self._listing.changes:
            self.change(change)
        for table, seen in self._seen.items():
            self._connection.executemany(f"UPDATE {table} SET last_seen = ? WHERE id = ?", seen)
        if self._events:
            add_events(self._connection, self._events)
        summaries.add_texts(self._connection, self._texts)

    def _note(self, identity: str, what: str, words: str, facts: Mapping[str, Fact]) -> None:
        told = {**facts, "told by": "webhook" if self._announced else "answer" if self._truth else "event"}
        self._events.append(NewEvent(self._now, identity, what, words, told, By.SERVICE))

    def meeting(self, meeting: Meeting) -> None:
        """Merge a meeting."""
        known = self._known.meeting(meeting.id)
        before = RemoteState(known["state"]) if known is not None else RemoteState.UNKNOWN
        forward = self._truth or _PROGRESS[meeting.state] >= _PROGRESS[before]
        if not forward:
            self._late.add(meeting.id)
        values = {
            "title": meeting.title,
            "started_at": seconds(meeting.started_at),
            "ended_at": seconds(meeting.ended_at),
            "people": _JSON.encode(meeting.people) if meeting.people else None,
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
            self._insert_meeting(meeting.id, values)

    def _insert_meeting(self, meeting: str, values: Mapping[str, object]) -> int:
        """A new meeting, its summary with it: to write that afterwards would change every index once more."""
        row: dict[str, Any] = {
            "account": self._account,
            "meeting": meeting,
            "provider": self._provider,
            "title": meeting,
            "people": "[]",
            "state": RemoteState.UNKNOWN,
            "first_seen": self._now,
            "last_seen": self._now,
            **values,
        }
        new = self._known.new_assets_of(meeting)
        assets = [_as_new(asset) for asset in new.values()]
        meeting_id = self._insert("meetings", row | summaries.summary_of(row, assets))
        self._texts.append((meeting_id, summaries.words_of(row, assets)))
        if not self._rule:  # else their deadlines are known when they are rows
            self._counted.update(new)
        self._known.ids[meeting] = meeting_id
        return meeting_id

    def asset(self, identity: str, asset: Asset) -> None:
        """Merge an asset; its meeting comes to be with it."""
        meeting_id = self._known.ids.get(asset.meeting_id)
        if meeting_id is None:
            meeting_id = self._insert_meeting(asset.meeting_id, {})
        known = self._known.asset(identity)
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
                **self._deadline(asset, None),
                **self._heard_of(asset.state.downloadable),
            },
        )
        self.new += 1
        if identity not in self._counted:
            self.touched.add(meeting_id)
        words = asset.provider_state or asset.state
        deadline = seconds(asset.deadline)
        facts: dict[str, Fact] = {
            "state": str(asset.state),
            "provider_state": asset.provider_state,
            "size": asset.size,
            "checksum": asset.checksum.stated if asset.checksum else None,
            "deadline": None if deadline is None else moment(deadline),
        }
        self._note(identity, "seen", f"first seen, the service says {words}", facts)
        if asset.state.downloadable:
            self.became_available.append(identity)

    def _merge(self, known: sqlite3.Row, asset: Asset) -> None:
        values = self._facts(asset)
        before = RemoteState(known["state"])
        values |= self._deadline(asset, known)
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
            facts = {"checksum": asset.checksum.stated if asset.checksum else None, "before": known["checksum_stated"]}
            self._note(known["identity"], "changed", words, facts)
        self._update("assets", known, values)

    def _facts(self, asset: Asset) -> dict[str, object]:
        """What is worth writing: fields that say something. What the service leaves out is not forgotten."""
        values: dict[str, object] = {
            "size": asset.size,
            "checksum": asset.checksum.value if asset.checksum else None,
            "checksum_stated": asset.checksum.stated if asset.checksum else None,
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

    def _deadline(self, asset: Asset, known: sqlite3.Row | None) -> dict[str, object]:
        """The earlier one of the service's own, which is not forgotten when it is left out, and the rule's."""
        stated = seconds(asset.deadline)
        if stated is None and known is not None:
            stated = own_deadline(known)
        if not self._rule and (known is None or not known["rule_days"]):
            return {} if stated is None else {"deadline": stated}
        meeting = self._known.meeting(asset.meeting_id)
        assert meeting is not None  # it came to be with its first asset
        return ruled(stated, began_at(meeting, known["first_seen"] if known is not None else self._now), self._rule)

    def _keep_longest_link(self, known: sqlite3.Row, asset: Asset, values: dict[str, object]) -> None:
        """An announcement that is late may bring a link that runs out before the one that is kept."""
        deadline, before = seconds(asset.deadline), own_deadline(known)
        if self._truth or asset.sealed_link is None or before is None or deadline is None:
            return
        if deadline < before:
            for name in ("sealed_link", *_DEADLINE):
                values.pop(name, None)
        elif deadline > before and known["kept"] != "held":
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
        facts = {"state": str(after), "before": str(before), "provider_state": word}
        self._note(identity, "state", f"the service says {word or after} (was {before})", facts)
        if after.downloadable and not before.downloadable:
            self.became_available.append(identity)

    def _insert(self, table: str, values: Mapping[str, object]) -> int:
        cursor = self._connection.execute(_insertion(table, tuple(values)), tuple(values.values()))
        assert cursor.lastrowid is not None
        self.changed = True
        return cursor.lastrowid

    def _update(self, table: str, known: sqlite3.Row, values: Mapping[str, object]) -> None:
        """Write what differs over a row; whether that changes what is shown is noted (to be seen again does not)."""
        differing = {name: value for name, value in values.items() if known[name] != value}
        seen = differing.pop("last_seen", None)
        if seen is not None:
            self._seen[table].append((self._now, known["id"]))
        if not differing:
            return
        names = ", ".join(f"{name} = ?" for name in differing)
        self._connection.execute(f"UPDATE {table} SET {names} WHERE id = ?", (*differing.values(), known["id"]))
        self._known.forget(known["meeting"] if table == "meetings" else known["identity"])
        if self._rule and table == "meetings" and not {"started_at", "ended_at"}.isdisjoint(differing):
            for identity in rule_again(self._connection, known["id"], self._rule):
                self._known.forget(identity)
        if any(name not in ("sealed_link", "announced_at", "polled_at") for name in differing):
            self.changed = True
            self.touched.add(known["id"] if table == "meetings" else known["meeting_id"])


@functools.lru_cache(64)
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    """Of a page of a sync all rows have the same columns."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _as_new(asset: Asset) -> dict[str, object]:
    """An asset as the summary of its meeting sees it, before it is a row."""
    return {
        "kind": asset.kind,
        "variant": asset.variant,
        "state": asset.state,
        "size": asset.size,
        "held_size": None,
        "deadline": seconds(asset.deadline),
        "link": asset.link,
        "kept": LocalState.ABSENT,
        "flags": 0,
        "releasing": 0,
        "transfer_state": None,
        "local": LocalState.ABSENT,
    }


def _json(values: Mapping[str, str]) -> str | None:
    return _JSON.encode(dict(values)) if values else None
