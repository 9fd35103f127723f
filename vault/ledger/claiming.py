"""The queue as a worker sees it: what to fetch next, and who may commit. Every verb is one transaction.

A claim carries a fence, a number that grows with every claim of the asset: whoever was overtaken (it hung, its beat
went stale, another process took over) finds that its fence is old and can neither beat, prepare nor commit.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable

from msgspec import Struct

from providers.models import AssetId
from vault.errors import Overtaken
from vault.ledger import summaries
from vault.ledger.chosen import condition, ids_of
from vault.ledger.database import Database, show
from vault.ledger.events import By, add_event, proof_facts
from vault.proof import Proof
from vault.views import LocalState

STALE_AFTER_S = 15.0
"""A running transfer without a beat for so long belongs to nobody any more."""
LONGEST_WAIT_S = 86_400.0
"""Nothing waits longer: a moment that is further ahead was written by a clock that has been put back since."""
EVERYTHING = ""
"""The scope of a hold that the whole queue keeps to; else an account's name."""
WISHED = {"pause": "paused", "cancel": "cancelled"}


class Claim(Struct, frozen=True):
    """The right to fetch an asset, until someone else's fence is higher. `path` is where it is to lie, if fixed."""

    asset_id: int
    identity: AssetId
    fence: int
    attempts: int
    path: str | None
    prepared: Proof | None
    """A proof written down before the file got its final name: the process died in between."""
    furthest: int
    """Bytes: how far any attempt ever got."""
    progress_at: float
    """When it got there, else when it was first tried (unix seconds)."""
    taken_at: float
    """When this claim was made (unix seconds)."""


class Hold(Struct, frozen=True):
    """A break, until a moment (unix seconds) and beyond it until one transfer got through. `level` counts them."""

    until: float
    words: str
    level: int


class Beat(Struct, frozen=True):
    """That a transfer is alive, and how far it is (bytes, bytes a second)."""

    claim: Claim
    received: int
    total: int | None
    rate: float | None


class Terms(Struct, frozen=True):
    """On what terms a worker claims. `dead`: owners known to be gone; `only`: these assets (their ids), None: any."""

    owner: str
    per_account: int
    only: frozenset[int] | None = None
    heed_holds: bool = True
    dead: frozenset[str] = frozenset()


class Claims:
    """The ledger's verbs `take`, `beat`, `prepare`, `commit`, `fail`, `step_back` and `hold`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ids(self, identities: Iterable[AssetId]) -> frozenset[int]:
        """The ids of the assets that are known."""
        with self._database.read() as connection:
            return ids_of(connection, identities)

    def owners(self) -> frozenset[str]:
        """Whoever runs something now."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT DISTINCT owner FROM transfers WHERE state = 'running'").fetchall()
        return frozenset(row["owner"] for row in rows)

    def pending(self, only: frozenset[int] | None = None) -> bool:
        """Whether anything is queued, waits or runs, in whatever process."""
        with self._database.read(then_write=only is not None) as connection:
            chosen = condition(connection, only)
            sql = f"SELECT 1 FROM transfers WHERE state IN ('queued', 'waiting', 'running') AND {chosen} LIMIT 1"
            return connection.execute(sql).fetchone() is not None

    def is_due(self, terms: Terms, now: float) -> bool:
        """Whether anything is there that a worker could take if its account has room; changes nothing."""
        with self._database.read(then_write=terms.only is not None) as connection:
            return self._is_due(connection, terms, now, condition(connection, terms.only))

    @staticmethod
    def _is_due(connection: sqlite3.Connection, terms: Terms, now: float, chosen: str) -> bool:
        gone, stale = _gone(terms, now)
        sql = f"""SELECT EXISTS (SELECT 1 FROM transfers WHERE state = 'queued' AND {chosen})
            OR EXISTS (SELECT 1 FROM transfers WHERE state = 'waiting' AND {_DUE} AND {chosen})
            OR EXISTS (SELECT 1 FROM transfers WHERE state = 'running' AND {gone} AND {chosen})"""
        return bool(connection.execute(sql, (*_due(now), *stale)).fetchone()[0])

    def take(self, terms: Terms, now: float, room: int) -> tuple[Claim, ...]:
        """Claim what may run next, at most `room`.

        Limits count what runs in every process on this ledger. Of an account whose hold has run out one transfer
        tries; when it gets through, the others follow.
        """
        if not self.is_due(terms, now):
            return ()
        if terms.only is None:
            return self._take_due(terms, now, room, "1 = 1")
        with self._database.read(then_write=True) as connection:  # the table of what was chosen is this one's alone
            return self._take_due(terms, now, room, condition(connection, terms.only))

    def _take_due(self, terms: Terms, now: float, room: int, chosen: str) -> tuple[Claim, ...]:
        with self._database.write(visible=False, durable=False) as connection:
            self._grant_wishes(connection, terms, now)
            self._end_far_holds(connection, now)
            at_work = self._at_work(connection, terms, now)
            claims: list[Claim] = []
            while len(claims) < room and not at_work.is_all_held:
                row = self._next(connection, terms, now, at_work.full_accounts, chosen)
                if row is None:
                    break
                claims.append(self._take(connection, row, terms.owner, now))
                at_work.taken[row["account"]].append(now)
            if claims:
                show(connection)
            return tuple(claims)

    @staticmethod
    def _at_work(connection: sqlite3.Connection, terms: Terms, now: float) -> "_AtWork":
        gone, values = _gone(terms, now)
        taken: defaultdict[str, list[float]] = defaultdict(list)
        sql = f"SELECT account, taken_at FROM transfers WHERE state = 'running' AND NOT {gone}"
        for row in connection.execute(sql, values):
            taken[row["account"]].append(row["taken_at"])
        holds = {row["scope"]: row["until"] for row in connection.execute("SELECT scope, until FROM holds")}
        return _AtWork(taken, holds if terms.heed_holds else {}, terms.per_account, now)

    @staticmethod
    def _end_far_holds(connection: sqlite3.Connection, now: float) -> None:
        """A break that a clock put back since would keep for days ends now: for whoever takes, and whoever lifts it."""
        far = connection.execute("UPDATE holds SET until = ? WHERE until > ?", (now, now + LONGEST_WAIT_S))
        if far.rowcount:
            show(connection)

    @staticmethod
    def _next(
        connection: sqlite3.Connection, terms: Terms, now: float, full: Collection[str], chosen: str
    ) -> sqlite3.Row | None:
        """The first in line whose account is not full: each kind has its index, the best of their first is taken."""
        open_account, accounts = _not_among("account", full)
        gone, stale = _gone(terms, now)
        kinds = (
            ("state = 'queued'", ()),
            (f"state = 'waiting' AND {_DUE}", _due(now)),
            (f"state = 'running' AND {gone}", stale),
        )
        firsts = " UNION ALL ".join(
            f"""SELECT * FROM (SELECT asset_id, account, position FROM transfers
                WHERE {kind} AND {chosen} AND {open_account} ORDER BY position, asset_id LIMIT 1)"""
            for kind, _ in kinds
        )
        filled = [value for _, more in kinds for value in (*more, *accounts)]
        row: sqlite3.Row | None = connection.execute(
            f"SELECT * FROM ({firsts}) ORDER BY position, asset_id LIMIT 1", filled
        ).fetchone()
        return row

    @staticmethod
    def _grant_wishes(connection: sqlite3.Connection, terms: Terms, now: float) -> None:
        """What was wished of a transfer whose owner is gone is done here."""
        gone, values = _gone(terms, now)
        sql = f"SELECT asset_id FROM transfers WHERE state = 'running' AND wish != '' AND {gone}"
        rows = connection.execute(sql, values).fetchall()
        for row in rows:
            connection.execute(
                """UPDATE transfers SET state = CASE wish WHEN 'pause' THEN 'paused' ELSE 'cancelled' END, wish = '',
                owner = '', rate = NULL, ended_at = CASE wish WHEN 'pause' THEN NULL ELSE ? END
                WHERE asset_id = ?""",
                (now, row["asset_id"]),
            )
            summaries.refresh_of(connection, row["asset_id"])
        if rows:
            show(connection)

    @staticmethod
    def _take(connection: sqlite3.Connection, row: sqlite3.Row, owner: str, now: float) -> Claim:
        asset_id = row["asset_id"]
        taken = connection.execute(
            """UPDATE transfers SET state = 'running', owner = ?1, beat_at = ?2, fence = fence + 1, wish = '',
            attempts = attempts + 1, rate = NULL, taken_at = ?2,
            progress_at = CASE progress_at WHEN 0 THEN ?2 ELSE progress_at END
            WHERE asset_id = ?3 RETURNING fence, attempts, furthest, progress_at""",
            (owner, now, asset_id),
        ).fetchone()
        # That it runs changes nothing of its meeting's summary.
        asset = connection.execute("SELECT identity, path, proof FROM assets WHERE id = ?", (asset_id,)).fetchone()
        return Claim(
            asset_id,
            AssetId.parse(asset["identity"]),
            taken["fence"],
            taken["attempts"],
            asset["path"],
            Proof.from_json(asset["proof"]) if asset["proof"] else None,
            taken["furthest"],
            taken["progress_at"],
            now,
        )

    def fix_path(self, claim: Claim, path: str) -> bool:
        """Fix where the file is to lie; False when another asset's file lies there."""
        with self._database.write(visible=False, durable=False) as connection:
            check(connection, claim)
            taken = connection.execute("SELECT id FROM assets WHERE path = ?", (path,)).fetchone()
            if taken is not None and taken["id"] != claim.asset_id:
                return False
            connection.execute("UPDATE assets SET path = ? WHERE id = ?", (path, claim.asset_id))
            return True

    def beat(self, beats: Iterable[Beat], now: float) -> dict[AssetId, str]:
        """Say what is alive; gives what is wished of each: "", "pause", "cancel", or "leave" when it was overtaken."""
        wishes: dict[AssetId, str] = {}
        beats = list(beats)
        if not beats:
            return wishes
        with self._database.write(visible=False, durable=False) as connection:
            for beat in beats:
                row = connection.execute(
                    """UPDATE transfers SET beat_at = ?, received = ?, total = ?, rate = ?
                    WHERE asset_id = ? AND fence = ? AND state = 'running' RETURNING wish""",
                    (now, beat.received, beat.total, beat.rate, beat.claim.asset_id, beat.claim.fence),
                ).fetchone()
                wishes[beat.claim.identity] = "leave" if row is None else row["wish"]
        return wishes

    def prepare(self, claim: Claim, proof: Proof) -> None:
        """Write the proof down before the file gets its final name, so that no final name is without one."""
        with self._database.write(visible=False) as connection:
            check(connection, claim)
            connection.execute(
                "UPDATE assets SET proof = ?, sha256 = ?, held_size = ? WHERE id = ?",
                (proof.to_json(), proof.sha256, proof.size, claim.asset_id),
            )

    def commit(self, claim: Claim, proof: Proof, now: float, *, arrived: int | None = None) -> None:
        """The file lies under its final name and is proven. After a power cut `prepare` and the file tell the same.

        `arrived`: bytes that came with this claim, for the rate that is observed.
        """
        with self._database.write(durable=False) as connection:
            check(connection, claim)
            connection.execute(
                "UPDATE assets SET proof = ?, sha256 = ?, held_size = ?, kept = 'held' WHERE id = ?",
                (proof.to_json(), proof.sha256, proof.size, claim.asset_id),
            )
            words = "; ".join(check.words for check in proof.checks)
            connection.execute(
                """UPDATE transfers SET state = 'done', received = ?, total = ?, ended_at = ?, words = ?, owner = '',
                rate = NULL, arrived = ? WHERE asset_id = ?""",
                (proof.size, proof.size, now, words, arrived, claim.asset_id),
            )
            told = f"fetched from {proof.source}, SHA-256 {proof.sha256}; {words}"
            path = connection.execute("SELECT path FROM assets WHERE id = ?", (claim.asset_id,)).fetchone()["path"]
            facts = proof_facts(LocalState.HELD, proof) | {"path": path, "attempts": claim.attempts}
            add_event(connection, now, str(claim.identity), "fetched", told, facts, by=By.WORKER)
            summaries.refresh_of(connection, claim.asset_id)

    def fail(
        self, claim: Claim, words: str, now: float, again_at: float | None, *, attempts: int, reached: int = 0
    ) -> None:
        """The attempt failed. With `again_at` it waits for its next one, without it is over.

        `attempts`: how many count by now; `reached`: bytes, when it got further than ever before.
        """
        with self._database.write() as connection:
            wish = check(connection, claim)
            state = "failed" if again_at is None else WISHED.get(wish, "waiting")
            ended_at = now if state in ("failed", "cancelled") else None
            connection.execute(
                """UPDATE transfers SET state = ?, wish = '', words = ?, not_before = ?, ended_at = ?, owner = '',
                rate = NULL, attempts = ?, furthest = max(furthest, ?),
                progress_at = CASE WHEN ? > furthest THEN ? ELSE progress_at END WHERE asset_id = ?""",
                (state, words, again_at or 0, ended_at, attempts, reached, reached, now, claim.asset_id),
            )
            if again_at is None:
                add_event(connection, now, str(claim.identity), "failed", words, {"attempts": attempts}, by=By.WORKER)
            summaries.refresh_of(connection, claim.asset_id)

    def mark_wrong(self, claim: Claim) -> None:
        """What the service gives is wrong: only a person asks for it again, until the service states something new."""
        with self._database.write() as connection:
            connection.execute("UPDATE assets SET wrong = 1 WHERE id = ?", (claim.asset_id,))

    def step_back(self, claim: Claim, state: str, now: float) -> None:
        """Stop on request, the part kept: "queued" (the engine ends), "paused" or "cancelled"."""
        with self._database.write() as connection:
            wish = check(connection, claim)
            if state == "queued":
                state = WISHED.get(wish, state)
            connection.execute(
                """UPDATE transfers SET state = ?, wish = '', owner = '', rate = NULL, ended_at = ?,
                attempts = attempts - 1 WHERE asset_id = ?""",
                (state, now if state == "cancelled" else None, claim.asset_id),
            )
            summaries.refresh_of(connection, claim.asset_id)

    # Breaks.

    def holds(self) -> dict[str, Hold]:
        """The breaks that are taken, by scope."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM holds").fetchall()
        return {row["scope"]: Hold(row["until"], row["words"], row["level"]) for row in rows}

    def hold(self, scope: str, hold: Hold) -> None:
        """Take a break."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                """INSERT INTO holds (scope, until, words, level) VALUES (?, ?, ?, ?) ON CONFLICT (scope)
                DO UPDATE SET until = excluded.until, words = excluded.words, level = excluded.level""",
                (scope, hold.until, hold.words, hold.level),
            )

    def go_on(self, scopes: Iterable[str]) -> None:
        """Something got through: the breaks are over."""
        with self._database.write(durable=False) as connection:
            connection.executemany("DELETE FROM holds WHERE scope = ?", [(scope,) for scope in scopes])


class _AtWork(Struct, frozen=True):
    """When whatever runs was taken, by account; and what that leaves no room for."""

    taken: dict[str, list[float]]
    holds: dict[str, float]
    per_account: int
    now: float

    def _is_held(self, scope: str, taken: Iterable[float]) -> bool:
        """A break goes on until its moment, and then until the one that tries since then got through."""
        until = self.holds.get(scope)
        return until is not None and (until > self.now or any(at >= until for at in taken))

    @property
    def is_all_held(self) -> bool:
        return self._is_held(EVERYTHING, (at for each in self.taken.values() for at in each))

    @property
    def full_accounts(self) -> frozenset[str]:
        names = {*self.taken, *self.holds}
        full = (name for name in names if len(self.taken.get(name, ())) >= self.per_account)
        return frozenset({*full, *(name for name in names if self._is_held(name, self.taken.get(name, ())))})


def check(connection: sqlite3.Connection, claim: Claim) -> str:
    """What is wished of a transfer that is still this claim's. Raises Overtaken."""
    row = connection.execute(
        "SELECT wish FROM transfers WHERE asset_id = ? AND fence = ? AND state = 'running'",
        (claim.asset_id, claim.fence),
    ).fetchone()
    if row is None:
        raise Overtaken("another process took over this transfer")
    wish: str = row["wish"]
    return wish


_DUE = "(not_before <= ? OR not_before > ?)"


def _due(now: float) -> tuple[float, float]:
    return now, now + LONGEST_WAIT_S


def _gone(terms: Terms, now: float) -> tuple[str, tuple[object, ...]]:
    """That a running transfer's owner is gone, as SQL. One's own are not, even when the clock leaps ahead."""
    marks = ", ".join("?" * len(terms.dead))
    return f"((beat_at < ? AND owner != ?) OR owner IN ({marks}))", (now - STALE_AFTER_S, terms.owner, *terms.dead)


def _not_among(column: str, unwanted: Collection[str]) -> tuple[str, tuple[object, ...]]:
    return f"{column} NOT IN ({', '.join('?' * len(unwanted))})", tuple(unwanted)
