"""Checking the log of events: every link, the anchor, and (`agreeing`) what the ledger's rows say beside it."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from providers.models import AssetId
from vault.errors import LedgerError
from vault.ledger.agreeing import Agreeing, Compared
from vault.ledger.database import Database
from vault.ledger.events import first_link, link
from vault.ledger.extracting import Extract, extract

_AT_ONCE = 2_000
_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""SQLite also names what it cannot read, in the damaged bytes."""


class Broken(StrEnum):
    """In what way the log, or a row beside it, is not what it was."""

    UNREADABLE = "unreadable"
    MISSING = "number missing"
    NO_LINK = "link missing"
    BODY = "body changed"
    LINK = "link changed"
    END = "end differs"
    HEAD = "kept head differs"
    LOOKUP = "index damaged"
    ROW = "row differs"


class Break(Struct, frozen=True):
    """Something that is not what it was. `number`: the event's, 0 where it is none's; `at`: when that was, if known."""

    kind: Broken
    number: int
    at: datetime | None
    identity: str
    words: str


class LogReport(Struct, frozen=True):
    """What a check found. `events`: how many there are; `head`: the last one's link (hex); `ledger`: the log's name.

    `breaks`: the first link of the chain that is broken, then every row that says other than the log.
    """

    ledger: str
    events: int
    head: str
    breaks: tuple[Break, ...]
    compared: Compared
    """How many rows; none where the chain is broken."""
    set_back: int = 0
    """How many events bear an earlier time than the one before, which breaks nothing: a clock that was put back, or an
    earlier version, which noted the time before its turn to write."""

    @property
    def whole(self) -> bool:
        """Whether everything is as it was written."""
        return not self.breaks


class Head(Struct, frozen=True):
    """A place in the log that a person kept: an event's number and its link (hex)."""

    number: int
    link: str


Progress = Callable[[int, int], None]
"""Told often how many events of how many are checked; what it raises ends the check."""


def _silent(done: int, total: int) -> None:
    pass


class Log:
    """The ledger's verbs about its log. Reading alone: nothing here changes anything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def size(self) -> int:
        """How many events the anchor counts."""
        with self._database.read() as connection:
            number = int(connection.execute("SELECT coalesce(sum(count), 0) FROM log").fetchone()[0])
        return number

    def rows(self) -> int:
        """How many rows a check goes through: events, and the assets that are compared with them."""
        with self._database.read() as connection:
            number = int(connection.execute("SELECT coalesce(sum(assets), 0) FROM holdings").fetchone()[0])
        return self.size() + number

    def check(self, kept: Head | None = None, on_progress: Progress = _silent) -> LogReport:
        """Follow the chain from its beginning, and compare held files' rows, flags and receipts with the events.

        `kept`: also that this event still has this link. Takes half a minute for a million events.
        """
        with self._database.read() as connection:
            connection.execute("BEGIN")  # one moment of the ledger, whatever others write meanwhile
            try:
                return _Check(connection, kept, on_progress).run()
            finally:
                connection.rollback()

    def extract(self, identities: Sequence[AssetId], most_links: int) -> Extract:
        """Assets' events with the links between them; see `vault.ledger.extracting`."""
        return extract(self._database, identities, most_links)


class _Walked(Struct):
    """How far the chain was followed."""

    number: int
    link: bytes
    at: datetime | None = None
    set_back: int = 0


class _Row(Struct):
    number: int
    body: bytes
    chain: bytes
    is_sound: bool
    """Whether the values are of the kinds that they were written as."""


class _Check(Struct):
    connection: sqlite3.Connection
    kept: Head | None
    on_progress: Progress
    breaks: list[Break] = field(default_factory=list)

    def run(self) -> LogReport:
        try:
            row = self.connection.execute("SELECT ledger, count, head FROM log").fetchone()
            ledger, count, head = str(row["ledger"]), int(row["count"]), bytes(row["head"])
        except (*_DAMAGE, TypeError, ValueError):
            raise LedgerError("the anchor of the log cannot be read: the ledger's file is damaged") from None
        walked, agreeing = _Walked(0, first_link(ledger)), Agreeing(self.connection)
        self._follow(walked, agreeing, count, head)
        if not self.breaks:
            self._check_end(walked, count, head)
        if not self.breaks:
            self._check_lookup()
        compared = self._check_rows(agreeing, count) if not self.breaks else Compared()
        return LogReport(ledger, walked.number, walked.link.hex(), tuple(self.breaks), compared, walked.set_back)

    def _follow(self, walked: _Walked, agreeing: Agreeing, count: int, head: bytes) -> None:
        """Until the end, or the first break."""
        rows = self._rows()
        for row in rows:
            expected = walked.number + 1
            if row.number != expected:
                words = f"event {expected} is missing: the next that is there is {row.number}"
                self._note(Broken.MISSING, expected, None, words)
                return
            body = self._check(row, walked, rows, head if expected == count else None)
            if body is None:
                return
            at = datetime.fromisoformat(str(body["at"]))
            walked.set_back += walked.at is not None and at < walked.at
            walked.number, walked.link, walked.at = row.number, row.chain, at
            agreeing.hear(row.number, body)
            if row.number % _AT_ONCE == 0:
                agreeing.look()
                self.on_progress(row.number, max(count, row.number))

    def _rows(self) -> Iterator[_Row]:
        """Every event in order. Where the file is damaged, one by one as far as they can be read."""
        number = 0
        try:
            for row in self.connection.execute(f"{_EVENTS} ORDER BY number"):
                number = row["number"]
                yield _row(row)
            return
        except _DAMAGE:
            pass  # what was read ahead is lost with it: the one that cannot be read is looked for below
        while True:
            number += 1
            try:
                row = self.connection.execute(f"{_EVENTS} WHERE number = ?", (number,)).fetchone()
            except _DAMAGE as error:
                self._note(Broken.UNREADABLE, number, None, f"event {number} cannot be read: {error}")
                return
            if row is None:
                self._note(Broken.UNREADABLE, number, None, f"event {number} cannot be found in a file that is damaged")
                return
            yield _row(row)

    def _check(self, row: _Row, walked: _Walked, rows: Iterator[_Row], head: bytes | None) -> dict[str, object] | None:
        """The body of an event whose link holds; None when it does not. `head`: the anchor's, for the last event."""
        expected = link(walked.link, row.body)
        if self.kept and self.kept.number == row.number and self.kept.link != row.chain.hex():
            words = f"event {row.number} has the link {row.chain.hex()}, the one that was kept is {self.kept.link}"
            self._note(Broken.HEAD, row.number, row.body, f"{words}: the log up to here is another one")
            return None
        if len(row.chain) != 32:
            self._note(Broken.NO_LINK, row.number, row.body, f"event {row.number} has no link")
            return None
        body = _parsed(row)
        if expected == row.chain and body is not None:
            return body
        following = next(rows, None)
        if expected != row.chain and self._goes_on(expected, following, head):
            self._note(Broken.LINK, row.number, row.body, f"the link of event {row.number} was changed")
        else:
            words = f"what event {row.number} says was changed: its link does not fit"
            if row.number == 1:
                words += "; or the log's own name was"
            self._note(Broken.BODY, row.number, row.body, words)
        return None

    @staticmethod
    def _goes_on(candidate: bytes, following: _Row | None, head: bytes | None) -> bool:
        """Whether the log goes on from this link."""
        return link(candidate, following.body) == following.chain if following else candidate == head

    def _check_end(self, walked: _Walked, count: int, head: bytes) -> None:
        if walked.number != count:
            words = f"the log ends with event {walked.number}, the anchor counts {count}: the end is missing"
            self._note(Broken.END, min(walked.number, count) + 1, None, words)
        elif walked.link != head:
            words = f"the last link, of event {count}, is not the one in the anchor"
            self._note(Broken.END, count, None, words)
        elif self.kept and self.kept.number > walked.number:
            words = f"the log ends with event {walked.number}, the head that was kept is of event {self.kept.number}"
            self._note(Broken.HEAD, walked.number + 1, None, words)

    def _check_lookup(self) -> None:
        """The index by which trails are found, and the pages that events lie in."""
        try:
            [first, *_] = self.connection.execute("PRAGMA integrity_check(events)").fetchall()
        except _DAMAGE as error:
            self._note(Broken.LOOKUP, 0, None, f"the index of the log cannot be read: {error}")
            return
        if first[0] != "ok":
            self._note(Broken.LOOKUP, 0, None, f"the file is damaged where the log lies: {first[0]}")

    def _check_rows(self, agreeing: Agreeing, events: int) -> Compared:
        compared = agreeing.finish(lambda: self.on_progress(events, events))
        for each in agreeing.differences:
            self._note_row(each.number, each.identity, each.words)
        return compared

    def _note(self, kind: Broken, number: int, body: bytes | None, words: str) -> None:
        at, identity = _said(body)
        self.breaks.append(Break(kind, number, at, identity or self._by_index(number), words))

    def _note_row(self, number: int, identity: str, words: str) -> None:
        at = None
        if number:
            row = self.connection.execute(f"{_EVENTS} WHERE number = ?", (number,)).fetchone()
            at = _said(row["body"])[0] if row else None
        self.breaks.append(Break(Broken.ROW, number, at, identity, words))

    def _by_index(self, number: int) -> str:
        """Whose event it was, from the index, which still knows when the event itself says nothing any more."""
        try:
            sql = "SELECT identity FROM events INDEXED BY events_of WHERE number = ?"
            row = self.connection.execute(sql, (number,)).fetchone()
        except _DAMAGE:
            return ""
        return str(row["identity"] or "") if row else ""


_EVENTS = """SELECT number, CAST(body AS BLOB) AS body, CAST(chain AS BLOB) AS chain,
    typeof(body) = 'text' AND typeof(chain) = 'blob' AS is_sound FROM events"""


def _row(row: sqlite3.Row) -> _Row:
    return _Row(row["number"], row["body"] or b"", row["chain"] or b"", bool(row["is_sound"]))


def _parsed(row: _Row) -> dict[str, object] | None:
    """The body, when it is one of an event and this one's."""
    try:
        body = json.loads(row.body)
        datetime.fromisoformat(body["at"])
        return body if row.is_sound and body["number"] == row.number and {"what", "identity"} <= body.keys() else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _said(body: bytes | None) -> tuple[datetime | None, str]:
    """When, and of which asset, as far as it can still be read."""
    try:
        record = json.loads(body or b"")
        return datetime.fromisoformat(record["at"]), str(record["identity"])
    except (ValueError, KeyError, TypeError):
        return None, ""
