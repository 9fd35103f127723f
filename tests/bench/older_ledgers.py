"""Ledgers of any size as the first releases left them (version 3): the same meetings, and all that became of them.

Each asset has its event, as it was first seen; each that is held a proof, a path, a transfer that ended, and the event
that says so.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.ledgers import NOW, kept, ledger_of
from tests.vault.ledger import older
from vault.proof import Check, Outcome, Proof

_PROOF = Proof(
    1_000_000,
    "ab" * 32,
    (
        Check("length", Outcome.PASSED, "as many bytes as the service stated"),
        Check("checksum", Outcome.PASSED, "its SHA-256 is the one that the service stated"),
        Check("container", Outcome.PASSED, "the zip is whole, the CRC of each of its files is right"),
    ),
    datetime.fromtimestamp(NOW, UTC),
    "https://acme.live.flexperto.com",
).to_json()
_OF_HELD = {
    ("assets", "proof"): f"CASE kept WHEN 'absent' THEN NULL ELSE '{_PROOF}' END",
    ("assets", "path"): "CASE kept WHEN 'absent' THEN NULL ELSE '/home/acme/reeldesk/' || identity || '.zip' END",
}
_HAPPENED = """
    INSERT INTO transfers (asset_id, account, state, position, attempts, received, total, words, queued_at, ended_at,
            progress_at, furthest, taken_at)
        SELECT id, account, 'done', id, 1, held_size, held_size, 'the zip is whole', first_seen, first_seen + id,
            first_seen, held_size, first_seen
        FROM assets WHERE kept != 'absent';
    INSERT INTO events (at, identity, what, words)
        SELECT first_seen, identity, 'seen', 'first seen, the service says „' || provider_state || '“'
        FROM assets ORDER BY id;
    INSERT INTO events (at, identity, what, words)
        SELECT first_seen + id, identity, 'fetched',
            'fetched from https://acme.live.flexperto.com, SHA-256 ' || sha256 || '; the zip is whole'
        FROM assets WHERE kept != 'absent' ORDER BY id;
"""


def older_ledger_of(meetings: int, folder: Path | None = None) -> Path:
    """One of so many meetings, made when it is not there yet. Whoever brings it up takes a copy."""

    def make(path: Path) -> None:
        older.version_3(ledger_of(meetings, folder), path, _OF_HELD)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            quickly = "PRAGMA synchronous = OFF; PRAGMA cache_size = -400000"
            connection.executescript(f"{quickly}; BEGIN; {_HAPPENED}; COMMIT;")

    return kept(folder, f"{meetings}-of-version-3", make, Path(older.__file__), Path(__file__))
