"""Whether the ledger's rows say what its log does: held files, flags and receipts."""

import json
import sqlite3
from collections.abc import Callable

from msgspec import Struct

from vault.ledger import facets
from vault.ledger.events import PROOF_EVENTS, digest_of
from vault.ledger.flags import ONE_OF

_AT_ONCE = 2_000
_UNKNOWN = 1 << 0
"""Beside the flags' bits: an event that does not say which flags there were after it (of an earlier version)."""
_ONE_OF = sum(facets.FLAGS[flag] for flag in ONE_OF)
_BITS = {str(flag): bit for flag, bit in facets.FLAGS.items()}

Body = dict[str, object]


class Difference(Struct, frozen=True):
    """A row that says other than the log. `number`: the event's that it differs from, 0 where no event tells of it."""

    number: int
    identity: str
    words: str


class Compared(Struct, frozen=True):
    """How many rows were compared: assets whose file is or was here, assets with flags, receipts."""

    held: int = 0
    flagged: int = 0
    receipts: int = 0


class Agreeing:
    """Hears every event in its order, and then goes through the rows.

    A held file is compared with the last of PROOF_EVENTS (state, size, SHA-256, proof), an asset's flags with what all
    events of its flags come to, each receipt with its event (SHA-256, proof). `differences` says what was found.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._proofs: list[tuple[int, Body]] = []
        self._unheld: dict[str, int] = {}
        """Assets with an event that says their file is here, and a row that does not; with the event's number."""
        self._flags: dict[str, tuple[int, int]] = {}
        """What flags an asset has by the log, as bits, since which event."""
        self._receipts = 0
        """How many the log tells of that are there."""
        self._unmatched: list[Difference] = []
        self.differences: list[Difference] = []

    def hear(self, number: int, body: Body) -> None:
        """An event. Raises nothing for one that says too little; it is compared with nothing."""
        what = body["what"]
        if what in PROOF_EVENTS:
            self._proofs.append((number, body))
        elif what in ("flagged", "unflagged"):
            self._hear_flag(number, body)
        elif what == "release confirmed":
            self._compare_receipt(number, body)

    def look(self) -> None:
        """Have a look at the rows of what was heard, from time to time."""
        for number, body in self._proofs:
            identity, facts = str(body["identity"]), _facts(body)
            gone = facts.get("kept") == "absent"
            row = self._connection.execute("SELECT kept FROM assets WHERE identity = ?", (identity,)).fetchone()
            if gone or (row is not None and row["kept"] != "absent"):
                self._unheld.pop(identity, None)
            else:
                self._unheld[identity] = number
        self._proofs.clear()

    def finish(self, on_progress: Callable[[], None]) -> Compared:
        """Go through the rows. `on_progress` is told often; what it raises ends it."""
        self.look()
        held, flagged, last = 0, 0, 0
        while rows := self._connection.execute(_ROWS, (last, _AT_ONCE)).fetchall():
            for row in rows:
                if row["kept"] != "absent":
                    held += 1
                    self._check_held(row)
                flagged += row["flags"] != 0
                self._check_flags(str(row["identity"]), row["flags"], row["names"])
            last = rows[-1]["id"]
            on_progress()
        for identity, number in self._unheld.items():
            self._differs(number, identity, "its file was here, and its row in the ledger knows nothing of that")
        self._check_flags_elsewhere()
        self.differences += self._unmatched
        return Compared(held, flagged, self._check_receipts())

    def _hear_flag(self, number: int, body: Body) -> None:
        identity, facts = str(body["identity"]), _facts(body)
        bits = self._flags.get(identity, (0, 0))[1]
        flag, after = facts.get("flag"), facts.get("flags")
        if isinstance(after, str):
            bits = sum(_BITS.get(name, _UNKNOWN) for name in after.split(",") if name)
        elif not isinstance(flag, str) or flag not in _BITS:
            bits |= _UNKNOWN
        elif body["what"] == "flagged":
            bits = (bits & ~_ONE_OF if flag in ONE_OF else bits) | _BITS[flag]
        else:
            bits &= ~_BITS[flag]
        self._flags[identity] = (number, bits)

    def _check_flags(self, identity: str, bits: object, names: object) -> None:
        number, told = self._flags.pop(identity, (0, 0))
        listed = sorted(names.split(",")) if isinstance(names, str) else []
        if told & _UNKNOWN or (bits == told and listed == _names(told)):
            return
        by_row = _worded(_names(bits)) if isinstance(bits, int) else str(bits)
        told_by = f"by event {number} they are {_worded(_names(told))}" if number else "no event says so"
        words = f"by its row its flags are {by_row}, by the list of flags {_worded(listed)}; {told_by}"
        self._differs(number, identity, words)

    def _check_flags_elsewhere(self) -> None:
        """Flags that the log tells of and no row has; and those that the table has and the asset's row does not."""
        beside = self._connection.execute(_BESIDE).fetchall()
        names = {str(row["identity"]): row["names"] for row in beside}
        for identity in [*self._flags, *names]:
            self._check_flags(identity, 0, names.pop(identity, None))

    def _compare_receipt(self, number: int, body: Body) -> None:
        facts, identity = _facts(body), str(body["identity"])
        if "sha256" not in facts:
            return  # it went along with another one, whose call has its receipt
        row = self._connection.execute(_RECEIPT, (identity, facts.get("release"))).fetchone()
        if row is None:
            words = f"its receipt is gone: event {number} says that its release was confirmed"
            self._unmatched.append(Difference(number, identity, words))
            return
        self._receipts += 1
        told = {"SHA-256": (facts["sha256"], row["sha256"])}
        if "proof" in facts:
            told["proof"] = (facts["proof"], _digest(row["proof"]))
        for name, (before, now) in told.items():
            if before != now:
                words = f"its receipt says another {name} than event {number}: {now}"
                self._unmatched.append(Difference(number, identity, words))
                return

    def _check_receipts(self) -> int:
        """Those that no event tells of; how many there are."""
        there: int = self._connection.execute("SELECT count(*) FROM receipts").fetchone()[0]
        if there != self._receipts:  # an asset has one of a release, and the log tells of it once
            for row in self._connection.execute(_UNTOLD).fetchall():
                self._differs(0, str(row["identity"] or ""), "it has a receipt that no event tells of")
        return there

    def _check_held(self, row: sqlite3.Row) -> None:
        identity = str(row["identity"])
        if row["body"] is None:
            self._differs(0, identity, f"its row says {row['kept']}, and no event says so")
            return
        body = json.loads(row["body"])
        facts, number = body["facts"], body["number"]
        told = {"state": (facts.get("kept"), row["kept"])}
        if row["kept"] == "held" and "sha256" in facts:
            told["SHA-256"] = (facts["sha256"], row["sha256"])
            told["size"] = (facts["size"], row["held_size"])
            told["proof"] = (facts["proof"], _digest(row["proof"]))
        for name, (before, now) in told.items():
            if before != now:
                self._differs(number, identity, f"its row says another {name} than event {number}: {now}")
                return

    def _differs(self, number: int, identity: str, words: str) -> None:
        self.differences.append(Difference(number, identity, words))


def _facts(body: Body) -> dict[str, object]:
    facts = body.get("facts")
    return facts if isinstance(facts, dict) else {}


def _digest(proof: object) -> str | None:
    return digest_of(str(proof)) if proof else None


def _names(bits: int) -> list[str]:
    return sorted(name for name, bit in _BITS.items() if bits & bit)


def _worded(names: list[str]) -> str:
    return " and ".join(names) or "none"


_NAMES = "(SELECT group_concat(f.flag) FROM flags f WHERE f.asset_id = assets.id) AS names"
_ROWS = f"""SELECT id, identity, kept, sha256, held_size, proof, flags, {_NAMES}, CASE WHEN kept != 'absent' THEN
    (SELECT e.body FROM events e WHERE e.identity = assets.identity AND e.what IN {PROOF_EVENTS}
        ORDER BY e.number DESC LIMIT 1) END AS body
    FROM assets WHERE id > ? AND (kept != 'absent' OR flags != 0) ORDER BY id LIMIT ?"""
_BESIDE = f"""SELECT identity, {_NAMES} FROM assets
    WHERE id IN (SELECT asset_id FROM flags) AND kept = 'absent' AND flags = 0"""
_RECEIPT = """SELECT c.sha256, c.proof FROM assets a CROSS JOIN receipts c ON c.asset_id = a.id
    WHERE a.identity = ? AND c.release_id = ?"""
_UNTOLD = """SELECT a.identity FROM receipts c LEFT JOIN assets a ON a.id = c.asset_id
    WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.identity = a.identity AND e.what = 'release confirmed'
        AND json_extract(e.body, '$.facts.release') = c.release_id
        AND json_extract(e.body, '$.facts.sha256') IS NOT NULL) ORDER BY c.id"""
