"""Releases as a worker sees them: which is due, who may send it, and what came of it. Every verb is one transaction.

A claim carries a fence, as that of a transfer does. What was sent, or may have been, is taken over only from whoever
is surely gone, and only after a while: what that one sent may still be on its way.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence

from msgspec import Struct

from providers.models import AssetId, RemoteState
from vault.errors import NotReleased, Overtaken, ReleaseBusy
from vault.ledger import facets, summaries
from vault.ledger.claiming import STALE_AFTER_S
from vault.ledger.database import Database, show
from vault.ledger.deeds import Undo, add_deed
from vault.ledger.events import By, Fact, add_event, moment
from vault.ledger.receipts import add_receipts
from vault.ledger.rows import OPEN_RELEASE
from vault.triage.states import Flag, ReleaseState
from vault.views import LocalState

SURELY_GONE_S = 900.0
"""Without a beat for so long, whoever sent a release from another machine is taken to be gone."""
_SENT = "('sending', 'answered')"


class Wish(Struct, frozen=True):
    """A release to be: of what, where its account leads, and what copy is held."""

    identity: AssetId
    address: str
    sha256: str


class Release(Struct, frozen=True):
    """The right to carry a release out, until someone else's fence is higher. Times in unix seconds."""

    id: int
    asset_id: int
    identity: AssetId
    fence: int
    state: ReleaseState
    address: str
    sha256: str
    stated_size: int | None
    stated_checksum: str | None
    attempts: int
    due_at: float
    sent_at: float | None
    answered_at: float | None
    sure: frozenset[AssetId]
    """All that was to go with the last call; none before."""


class Turn(Struct, frozen=True):
    """On what terms a worker takes one. `settle_s`: after a call whose end nobody saw, before it is asked about."""

    owner: str
    dead: frozenset[str] = frozenset()
    only: frozenset[int] | None = None
    """These releases; None: any."""
    settle_s: float = 10.0


class Releases:
    """The ledger's verbs `ask`, `stop`, `take`, `send`, `answer`, `confirm`, `postpone` and `end`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, wishes: Sequence[Wish], due_at: float, by: str, now: float, *, undoable: bool) -> tuple[int, ...]:
        """Ask for releases; their numbers. `undoable`: the operator may undo it, until they are sent.

        One that waits already is hurried where the new moment is earlier.
        """
        with self._database.write() as connection:
            numbers, fresh = [], []
            for wish in wishes:
                number, is_new = _ask(connection, wish, due_at, by, now)
                numbers.append(number)
                if is_new:
                    fresh.append((number, wish.identity))
            if fresh and undoable:
                undo = Undo(releases=tuple(n for n, _ in fresh), assets=tuple(identity for _, identity in fresh))
                add_deed(connection, now, by, "release", f"asked for {len(fresh)} to be released", undo)
            return tuple(numbers)

    def stop(self, identity: AssetId, by: str, now: float) -> bool:
        """Stop an asset's release; False where none waits, or it was sent."""
        sql = f"""SELECT r.id FROM releases r JOIN assets a ON a.id = r.asset_id
            WHERE a.identity = ? AND r.state {OPEN_RELEASE}"""
        with self._database.write() as connection:
            row = connection.execute(sql, (str(identity),)).fetchone()
            return row is not None and stop(connection, row["id"], f"stopped by {by}", now) is not None

    def take(self, turn: Turn, now: float) -> Release | None:
        """The next one that is due; what may have been sent comes first. Of a meeting one at a time."""
        condition, values = _due(turn, now)
        with self._database.read() as connection:
            if connection.execute(f"SELECT 1 FROM releases r WHERE {condition} LIMIT 1", values).fetchone() is None:
                return None
        with self._database.write() as connection:
            row = connection.execute(
                f"""SELECT r.*, a.identity, a.meeting_id FROM releases r JOIN assets a ON a.id = r.asset_id
                WHERE {condition} AND NOT EXISTS ({_beside(turn)})
                ORDER BY r.sent_at IS NULL, r.due_at, r.id LIMIT 1""",
                (*values, now - STALE_AFTER_S, *turn.dead),
            ).fetchone()
            if row is None:
                return None
            taken = connection.execute(
                """UPDATE releases SET state = CASE state WHEN 'waiting' THEN 'checking' ELSE state END, owner = ?,
                beat_at = ?, fence = fence + 1, attempts = attempts + 1 WHERE id = ? RETURNING *""",
                (turn.owner, now, row["id"]),
            ).fetchone()
            return _release(taken, row["identity"])

    def owners(self) -> frozenset[str]:
        """Whoever carries one out now."""
        sql = f"SELECT DISTINCT owner FROM releases WHERE state {OPEN_RELEASE} AND owner != ''"
        with self._database.read() as connection:
            return frozenset(row["owner"] for row in connection.execute(sql).fetchall())

    def next_at(self) -> float | None:
        """When the next one is due, or to be tried again; None when none is open."""
        sql = f"SELECT min(max(due_at, not_before)) AS at FROM releases WHERE state {OPEN_RELEASE}"
        with self._database.read() as connection:
            at: float | None = connection.execute(sql).fetchone()["at"]
        return at

    def beat(self, release: Release, now: float) -> bool:
        """Say that it goes on; False when it is not this claim's any more: it was stopped, or taken over."""
        with self._database.write(visible=False, durable=False) as connection:
            changed = connection.execute(
                f"UPDATE releases SET beat_at = ? WHERE id = ? AND fence = ? AND state {OPEN_RELEASE}",
                (now, release.id, release.fence),
            )
        return changed.rowcount == 1

    def send(self, release: Release, sure: Mapping[AssetId, str], now: float) -> None:
        """The call goes out now. The last look at everything here, in one transaction with the note of it.

        `sure`: the SHA-256 of each copy that was read again, of all that goes. Raises Overtaken, NotReleased.
        """
        with self._database.write() as connection:
            row = _check(connection, release)
            if row["due_at"] > now:
                raise NotReleased("its grace is not over")
            sql = f"""SELECT 1 FROM releases r JOIN assets a ON a.id = r.asset_id
                WHERE r.id = ? AND EXISTS ({_BESIDE} AND o.state IN {_SENT})"""
            if connection.execute(sql, (release.id,)).fetchone() is not None:
                raise ReleaseBusy("another release of its meeting is being sent; this one comes after it")
            for identity, sha256 in sure.items():
                problem = _why_not(connection, identity, sha256)
                if problem:
                    raise NotReleased(f"{identity} keeps it from being released: {problem}")
            if sure.get(release.identity) != row["sha256"]:
                raise NotReleased("the copy here is another one than when the release was asked for")
            whole = json.dumps({str(identity): sha256 for identity, sha256 in sure.items()})
            connection.execute(
                "UPDATE releases SET state = 'sending', sent_at = ?, sure = ?, words = '', beat_at = ? WHERE id = ?",
                (now, whole, now, release.id),
            )
            for identity, sha256 in sure.items():
                words = f"the service is told to delete it; SHA-256 of the copy held here {sha256}"
                facts: dict[str, Fact] = {"release": release.id, "sha256": sha256}
                add_event(connection, now, str(identity), "release sent", words, facts, by=By.WORKER)

    def answer(self, release: Release, words: str, now: float) -> None:
        """The service took the call. Raises Overtaken."""
        with self._database.write() as connection:
            row = _check(connection, release)
            connection.execute(
                "UPDATE releases SET state = 'answered', answered_at = ?, answer = ? WHERE id = ?",
                (now, words, release.id),
            )
            for identity in json.loads(row["sure"]):
                facts: dict[str, Fact] = {"release": release.id, "answer": words}
                add_event(connection, now, identity, "release answered", words, facts, by=By.SERVICE)

    def confirm(self, release: Release, now: float) -> None:
        """The service's record says that it is released: a receipt for all that it says so of. Raises Overtaken."""
        with self._database.write() as connection:
            row = _check(connection, release)
            said = _end(connection, row, ReleaseState.CONFIRMED, "", now)
            add_receipts(connection, release.id, json.loads(row["sure"]), now)
            connection.execute("UPDATE releases SET words = ? WHERE id = ?", (f"the service says {said}", release.id))

    def end(self, release: Release, state: ReleaseState, words: str, now: float) -> None:
        """It is over, without having been confirmed: why, in words. Raises Overtaken."""
        with self._database.write() as connection:
            row = _check(connection, release)
            _end(connection, row, state, words, now)
            what = f"release {state}" if state is not ReleaseState.CONFIRMED else "release confirmed"
            facts = {"release": release.id}
            add_event(connection, now, str(release.identity), what, words, facts, by=By.WORKER)

    def postpone(self, release: Release, words: str, again_at: float) -> None:
        """It is tried again later; what may have been sent stays so. Raises Overtaken."""
        with self._database.write() as connection:
            _check(connection, release)
            connection.execute(
                """UPDATE releases SET state = CASE state WHEN 'checking' THEN 'waiting' ELSE state END, owner = '',
                words = ?, not_before = ? WHERE id = ?""",
                (words, again_at, release.id),
            )

    def step_back(self, release: Release) -> None:
        """Whoever carried it out ends: nothing happened, or what was sent is asked about by the next."""
        with self._database.write() as connection:
            connection.execute(
                f"""UPDATE releases SET state = CASE state WHEN 'checking' THEN 'waiting' ELSE state END, owner = '',
                attempts = attempts - 1 WHERE id = ? AND fence = ? AND state {OPEN_RELEASE}""",
                (release.id, release.fence),
            )


def _ask(connection: sqlite3.Connection, wish: Wish, due_at: float, by: str, now: float) -> tuple[int, bool]:
    asset = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(wish.identity),)).fetchone()
    sql = f"SELECT * FROM releases WHERE asset_id = ? AND state {OPEN_RELEASE}"
    known = connection.execute(sql, (asset["id"],)).fetchone()
    if known is not None:
        connection.execute(
            "UPDATE releases SET due_at = min(due_at, ?), not_before = 0 WHERE id = ?", (due_at, known["id"])
        )
        return known["id"], False
    number = connection.execute(
        """INSERT INTO releases (asset_id, account, address, asked_at, due_at, by, sha256, stated_size,
        stated_checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            asset["id"],
            asset["account"],
            wish.address,
            now,
            due_at,
            by,
            wish.sha256,
            asset["size"],
            asset["checksum"],
        ),
    ).lastrowid
    assert number is not None
    facts: dict[str, Fact] = {"release": number, "due": moment(due_at), "sha256": wish.sha256}
    words = f"to be released at {moment(due_at)[:19]}Z, not before; {by} asked for it"
    add_event(connection, now, str(wish.identity), "release asked", words, facts)
    summaries.refresh(connection, [asset["meeting_id"]])
    return number, True


def stop(
    connection: sqlite3.Connection, number: int, words: str, now: float, *, by: By = By.OPERATOR
) -> AssetId | None:
    """Stop a release that nothing was sent of yet, inside the caller's transaction; of what, None when it cannot be."""
    row = connection.execute(
        """UPDATE releases SET state = 'stopped', words = ?, ended_at = ?, owner = '', fence = fence + 1
        WHERE id = ? AND state IN ('waiting', 'checking') AND sent_at IS NULL RETURNING asset_id""",
        (words, now, number),
    ).fetchone()
    if row is None:
        return None
    asset = connection.execute("SELECT * FROM assets WHERE id = ?", (row["asset_id"],)).fetchone()
    add_event(connection, now, asset["identity"], "release stopped", words, {"release": number}, by=by)
    summaries.refresh(connection, [asset["meeting_id"]])
    return AssetId.parse(asset["identity"])


def _release(row: sqlite3.Row, identity: str) -> Release:
    return Release(
        row["id"],
        row["asset_id"],
        AssetId.parse(identity),
        row["fence"],
        ReleaseState(row["state"]),
        row["address"],
        row["sha256"],
        row["stated_size"],
        row["stated_checksum"],
        row["attempts"],
        row["due_at"],
        row["sent_at"],
        row["answered_at"],
        frozenset(map(AssetId.parse, json.loads(row["sure"]))),
    )


def _due(turn: Turn, now: float) -> tuple[str, tuple[object, ...]]:
    """That a worker may take a release `r`, as SQL."""
    gone = f"r.owner IN ({', '.join('?' * len(turn.dead))})"
    dead = tuple(turn.dead)
    only = f"r.id IN ({', '.join('?' * len(turn.only))})" if turn.only is not None else "1"
    # A moment of sending that is ahead was written by a clock that has been put back since.
    sql = f"""r.state {OPEN_RELEASE} AND {only} AND r.due_at <= ? AND r.not_before <= ? AND (
        r.state = 'waiting'
        OR (r.state = 'checking' AND ((r.owner != ? AND r.beat_at < ?) OR {gone}))
        OR (r.state IN {_SENT} AND (r.owner = '' OR r.beat_at < ? OR {gone})
            AND (r.state = 'answered' OR NOT r.sent_at BETWEEN ? AND ?)))"""
    values = (
        *(turn.only or ()),
        now,
        now,
        turn.owner,
        now - STALE_AFTER_S,
        *dead,
        now - SURELY_GONE_S,
        *dead,
        now - turn.settle_s,
        now,
    )
    return sql, values


_BESIDE = """SELECT 1 FROM releases o JOIN assets b ON b.id = o.asset_id
    WHERE o.id != r.id AND b.meeting_id = a.meeting_id AND b.kind = a.kind"""
"""Another release `o` of the meeting of an asset `a` of a release `r`."""


def _beside(turn: Turn) -> str:
    """That one which must be over first: it is being sent, or somebody who lives is about to send it."""
    dead = ", ".join("?" * len(turn.dead))
    return f"""{_BESIDE} AND (o.state IN {_SENT}
        OR (o.state = 'checking' AND o.beat_at >= ? AND o.owner NOT IN ({dead})))"""


def _check(connection: sqlite3.Connection, release: Release) -> sqlite3.Row:
    """The row of a release that is still this claim's. Raises Overtaken."""
    row: sqlite3.Row | None = connection.execute(
        f"SELECT * FROM releases WHERE id = ? AND fence = ? AND state {OPEN_RELEASE}", (release.id, release.fence)
    ).fetchone()
    if row is None:
        raise Overtaken("the release was stopped, or another process took it over")
    return row


def _why_not(connection: sqlite3.Connection, identity: AssetId, sha256: str) -> str:
    """What by now stands against releasing something whose copy was just read again."""
    row = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(identity),)).fetchone()
    if row["flags"] & facets.FLAGS[Flag.HOLD]:
        return "it is on hold"
    if row["kept"] != LocalState.HELD:
        return f"its copy here is {row['kept']}"
    if row["sha256"] != sha256:
        return "its copy here is another one than the one that was read again"
    if row["checksum"] and row["checksum"] != sha256:
        return "the service states another checksum than that of the copy here"
    return "" if row["state"] == RemoteState.AVAILABLE else f"the service says {row['provider_state'] or row['state']}"


def _end(connection: sqlite3.Connection, row: sqlite3.Row, state: ReleaseState, words: str, now: float) -> str:
    """Have a release be over; what the service says of the asset."""
    connection.execute(
        "UPDATE releases SET state = ?, words = ?, ended_at = ?, owner = '' WHERE id = ?",
        (state, words, now, row["id"]),
    )
    asset = connection.execute("SELECT * FROM assets WHERE id = ?", (row["asset_id"],)).fetchone()
    summaries.refresh(connection, [asset["meeting_id"]])
    show(connection)
    return str(asset["provider_state"] or asset["state"])
