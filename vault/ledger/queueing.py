"""The queue in the ledger: who fetches what, and who may commit. Every verb is one transaction.

A claim carries a fence, a number that grows with every claim of the asset: whoever was overtaken (it hung, its beat
went stale, another process took over) finds that its fence is old and can neither beat, prepare nor commit.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from providers.models import AssetId
from vault.errors import Overtaken
from vault.ledger import summaries
from vault.ledger.database import Database, show
from vault.ledger.recording import add_event
from vault.proof import Proof

STALE_AFTER_S = 15.0
"""A running transfer without a beat for so long belongs to nobody any more."""
_WISHED = {"pause": "paused", "cancel": "cancelled"}
_LIVE = "('queued', 'running', 'waiting', 'paused')"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to fetch an asset, until someone else's fence is higher. `path` is where it is to lie, if fixed."""

    asset_id: int
    identity: AssetId
    fence: int
    attempts: int
    path: str | None
    prepared: Proof | None
    """A proof written down before the file got its final name: the process died in between."""


class Transfers:
    """The ledger's verbs `enqueue`, `claim`, `beat`, `prepare`, `commit`, `fail` and what steers them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(self, identities: Iterable[AssetId], now: float, *, first: bool = False) -> tuple[AssetId, ...]:
        """Queue assets that are not queued and not held; gives those that were. Deadlines come first by default."""
        queued = []
        with self._database.write() as connection:
            for identity in identities:
                row = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(identity),)).fetchone()
                if row is None or row["kept"] == "held":
                    continue
                cursor = connection.execute(
                    f"""INSERT INTO transfers (asset_id, account, state, position, queued_at)
                    VALUES (?, ?, 'queued', ?, ?)
                    ON CONFLICT (asset_id) DO UPDATE SET state = 'queued', wish = '', position = excluded.position,
                        queued_at = excluded.queued_at, attempts = 0, words = '', not_before = 0, ended_at = NULL,
                        received = 0, rate = NULL
                    WHERE transfers.state NOT IN {_LIVE}""",
                    (row["id"], row["account"], self._position(connection, row, now, first), now),
                )
                if cursor.rowcount:
                    queued.append(identity)
                    summaries.refresh(connection, [row["meeting_id"]])
        return tuple(queued)

    @staticmethod
    def _position(connection: sqlite3.Connection, row: sqlite3.Row, now: float, first: bool) -> float:
        if first:
            lowest = connection.execute("SELECT min(position) FROM transfers").fetchone()[0]
            return (lowest or 0.0) - 1.0
        # Positions are moments: a deadline stands at its own, everything else after the deadlines of the next year.
        deadline: float | None = row["deadline"]
        return deadline if deadline is not None else now + 366 * 86_400

    def claim(
        self,
        owner: str,
        now: float,
        *,
        per_account: int,
        only: frozenset[AssetId] | None = None,
        held_back: Iterable[str] = (),
    ) -> Claim | None:
        """Take the next transfer that may run; None when there is none.

        Limits count what runs in every process on this ledger. `only`: these assets and no others; `held_back`:
        accounts that take a break.
        """
        with self._database.write(visible=False) as connection:
            stale = now - STALE_AFTER_S
            self._grant_wishes(connection, now)
            candidates = connection.execute(
                """SELECT t.asset_id, t.account, a.identity FROM transfers t JOIN assets a ON a.id = t.asset_id
                WHERE (t.state = 'queued' OR (t.state = 'waiting' AND t.not_before <= ?1)
                    OR (t.state = 'running' AND t.beat_at < ?2))
                AND t.account NOT IN (SELECT account FROM transfers WHERE state = 'running' AND beat_at >= ?2
                    GROUP BY account HAVING count(*) >= ?3)
                ORDER BY t.position, t.asset_id""",
                (now, stale, per_account),
            )
            back, wanted = frozenset(held_back), _as_text(only)
            row = next((r for r in candidates if r["account"] not in back and _among(r, wanted)), None)
            if row is None:
                return None
            return self._take(connection, row["asset_id"], AssetId.parse(row["identity"]), owner, now)

    def _grant_wishes(self, connection: sqlite3.Connection, now: float) -> None:
        """What was wished of a transfer whose owner is gone is done here."""
        gone = connection.execute(
            """SELECT asset_id FROM transfers WHERE state = 'running' AND beat_at < ? AND wish != ''""",
            (now - STALE_AFTER_S,),
        ).fetchall()
        for row in gone:
            connection.execute(
                """UPDATE transfers SET state = CASE wish WHEN 'pause' THEN 'paused' ELSE 'cancelled' END, wish = '',
                owner = '', rate = NULL, ended_at = CASE wish WHEN 'pause' THEN NULL ELSE ? END
                WHERE asset_id = ?""",
                (now, row["asset_id"]),
            )
            self._refresh(connection, row["asset_id"])
        if gone:
            show(connection)

    @staticmethod
    def _take(connection: sqlite3.Connection, asset_id: int, identity: AssetId, owner: str, now: float) -> Claim:
        taken = connection.execute(
            """UPDATE transfers SET state = 'running', owner = ?, beat_at = ?, fence = fence + 1, wish = '',
            attempts = attempts + 1, rate = NULL WHERE asset_id = ? RETURNING fence, attempts""",
            (owner, now, asset_id),
        ).fetchone()
        asset = connection.execute("SELECT path, proof, meeting_id FROM assets WHERE id = ?", (asset_id,)).fetchone()
        summaries.refresh(connection, [asset["meeting_id"]])
        show(connection)
        proof = Proof.from_json(asset["proof"]) if asset["proof"] else None
        return Claim(asset_id, identity, taken["fence"], taken["attempts"], asset["path"], proof)

    def next_start(self, only: frozenset[AssetId] | None = None) -> float | None:
        """When the first waiting transfer may go on (unix seconds); 0 when one may now; None when none is left."""
        identity = "min(a.identity)" if only is None else "a.identity"
        sql = f"""SELECT min(CASE t.state WHEN 'running' THEN t.beat_at + {STALE_AFTER_S} ELSE t.not_before END) AS at,
            {identity} AS identity FROM transfers t JOIN assets a ON a.id = t.asset_id
            WHERE t.state IN ('queued', 'running', 'waiting') GROUP BY {"t.state" if only is None else "a.id"}"""
        wanted = _as_text(only)
        with self._database.read() as connection:
            return min((row["at"] for row in connection.execute(sql) if _among(row, wanted)), default=None)

    def fix_path(self, claim: Claim, path: str) -> bool:
        """Fix where the file is to lie; False when another asset's file lies there."""
        with self._database.write() as connection:
            self._check(connection, claim)
            taken = connection.execute("SELECT id FROM assets WHERE path = ?", (path,)).fetchone()
            if taken is not None and taken["id"] != claim.asset_id:
                return False
            connection.execute("UPDATE assets SET path = ? WHERE id = ?", (path, claim.asset_id))
            return True

    def beat(self, claim: Claim, now: float, received: int, total: int | None, rate: float | None) -> str:
        """Say that the transfer is alive and how far; gives what is wished of it: "", "pause" or "cancel"."""
        with self._database.write(visible=False) as connection:
            row = connection.execute(
                """UPDATE transfers SET beat_at = ?, received = ?, total = ?, rate = ?
                WHERE asset_id = ? AND fence = ? AND state = 'running' RETURNING wish""",
                (now, received, total, rate, claim.asset_id, claim.fence),
            ).fetchone()
            if row is None:
                raise Overtaken("another process took over this transfer")
            wish: str = row["wish"]
            return wish

    def prepare(self, claim: Claim, proof: Proof) -> None:
        """Write the proof down before the file gets its final name, so that no final name is without one."""
        with self._database.write() as connection:
            self._check(connection, claim)
            connection.execute(
                "UPDATE assets SET proof = ?, sha256 = ?, held_size = ? WHERE id = ?",
                (proof.to_json(), proof.sha256, proof.size, claim.asset_id),
            )

    def commit(self, claim: Claim, proof: Proof, now: float) -> None:
        """The file lies under its final name and is proven."""
        with self._database.write() as connection:
            self._check(connection, claim)
            connection.execute(
                "UPDATE assets SET proof = ?, sha256 = ?, held_size = ?, kept = 'held' WHERE id = ?",
                (proof.to_json(), proof.sha256, proof.size, claim.asset_id),
            )
            words = "; ".join(check.words for check in proof.checks)
            connection.execute(
                """UPDATE transfers SET state = 'done', received = ?, total = ?, ended_at = ?, words = ?, owner = '',
                rate = NULL WHERE asset_id = ?""",
                (proof.size, proof.size, now, words, claim.asset_id),
            )
            told = f"fetched from {proof.source}, SHA-256 {proof.sha256}; {words}"
            add_event(connection, now, str(claim.identity), "fetched", told)
            self._refresh(connection, claim.asset_id)

    def fail(self, claim: Claim, words: str, now: float, again_at: float | None) -> None:
        """The attempt failed. With `again_at` it waits for its next one, without it is over."""
        with self._database.write() as connection:
            wish = self._check(connection, claim)
            state = "failed" if again_at is None else _WISHED.get(wish, "waiting")
            ended_at = now if state in ("failed", "cancelled") else None
            connection.execute(
                """UPDATE transfers SET state = ?, wish = '', words = ?, not_before = ?, ended_at = ?, owner = '',
                rate = NULL WHERE asset_id = ?""",
                (state, words, again_at or 0, ended_at, claim.asset_id),
            )
            if again_at is None:
                add_event(connection, now, str(claim.identity), "failed", words)
            self._refresh(connection, claim.asset_id)

    def fail_for_good(self, claim: Claim, words: str, now: float) -> None:
        """What the service gives is wrong: only a person asks for it again, until the service states something new."""
        self.fail(claim, words, now, None)
        with self._database.write() as connection:
            connection.execute("UPDATE assets SET wrong = 1 WHERE id = ?", (claim.asset_id,))

    def step_back(self, claim: Claim, state: str, now: float) -> None:
        """Stop on request, the part kept: "queued" (the engine ends), "paused" or "cancelled"."""
        with self._database.write() as connection:
            wish = self._check(connection, claim)
            if state == "queued":
                state = _WISHED.get(wish, state)
            connection.execute(
                """UPDATE transfers SET state = ?, wish = '', owner = '', rate = NULL, ended_at = ?,
                attempts = attempts - 1 WHERE asset_id = ?""",
                (state, now if state == "cancelled" else None, claim.asset_id),
            )
            self._refresh(connection, claim.asset_id)

    def steer(self, identity: AssetId, wish: str, now: float) -> None:
        """`pause` or `cancel` a transfer, `resume` a paused or waiting one, `retry` one that ended badly."""
        with self._database.write() as connection:
            row = connection.execute(
                "SELECT t.* FROM transfers t JOIN assets a ON a.id = t.asset_id WHERE a.identity = ?", (str(identity),)
            ).fetchone()
            if row is None:
                return
            change = _steered(row["state"], wish)
            if change == "wish":
                wanted = "" if wish == "resume" else wish
                connection.execute("UPDATE transfers SET wish = ? WHERE asset_id = ?", (wanted, row["asset_id"]))
            elif change:
                connection.execute(
                    """UPDATE transfers SET state = ?, wish = '', not_before = 0, ended_at = ?,
                    attempts = CASE WHEN ? IN ('retry', 'resume') THEN 0 ELSE attempts END WHERE asset_id = ?""",
                    (change, now if change == "cancelled" else None, wish, row["asset_id"]),
                )
            self._refresh(connection, row["asset_id"])

    def move(self, identity: AssetId, by: int) -> None:
        """Move a transfer up (negative) or down in the queue."""
        with self._database.write() as connection:
            rows = connection.execute(
                f"""SELECT t.asset_id, t.position, a.identity FROM transfers t JOIN assets a ON a.id = t.asset_id
                WHERE t.state IN {_LIVE} AND t.state != 'running' ORDER BY t.position, t.asset_id"""
            ).fetchall()
            order = [row["asset_id"] for row in rows]
            at = next((n for n, row in enumerate(rows) if row["identity"] == str(identity)), None)
            if at is None:
                return
            order.insert(max(0, min(len(order) - 1, at + by)), order.pop(at))
            for rank, asset_id in enumerate(order):
                # A little apart, so that equal positions keep the order that was asked for.
                position = rows[rank]["position"] + rank * 1e-3
                connection.execute("UPDATE transfers SET position = ? WHERE asset_id = ?", (position, asset_id))

    @staticmethod
    def _check(connection: sqlite3.Connection, claim: Claim) -> str:
        """What is wished of a transfer that is still this claim's. Raises Overtaken."""
        row = connection.execute(
            "SELECT wish FROM transfers WHERE asset_id = ? AND fence = ? AND state = 'running'",
            (claim.asset_id, claim.fence),
        ).fetchone()
        if row is None:
            raise Overtaken("another process took over this transfer")
        wish: str = row["wish"]
        return wish

    @staticmethod
    def _refresh(connection: sqlite3.Connection, asset_id: int) -> None:
        row = connection.execute("SELECT meeting_id FROM assets WHERE id = ?", (asset_id,)).fetchone()
        summaries.refresh(connection, [row["meeting_id"]])


def _as_text(only: frozenset[AssetId] | None) -> frozenset[str] | None:
    return None if only is None else frozenset(map(str, only))


def _among(row: sqlite3.Row, wanted: frozenset[str] | None) -> bool:
    return wanted is None or row["identity"] in wanted


def _steered(state: str, wish: str) -> str:
    """The state that a wish leads to from a state; "wish" when its owner must act; "" when nothing changes."""
    if wish == "cancel":
        return {"running": "wish", "queued": "cancelled", "waiting": "cancelled", "paused": "cancelled"}.get(state, "")
    if wish == "pause":
        return {"running": "wish", "queued": "paused", "waiting": "paused"}.get(state, "")
    if wish == "resume":
        return {"running": "wish", "paused": "queued", "waiting": "queued"}.get(state, "")
    return {"failed": "queued", "cancelled": "queued", "waiting": "queued"}.get(state, "")
