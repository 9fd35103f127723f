"""What was verified, released and asked: the ledger's other writing verbs, one transaction each."""

from collections.abc import Mapping

from providers.models import AssetId
from vault.ledger import summaries
from vault.ledger.database import Database, show
from vault.ledger.events import NO_FACTS, Fact, add_event, proof_facts
from vault.ledger.recording import add_catchup
from vault.proof import Proof
from vault.views import LocalState


class History:
    """Facts about assets and accounts that were established here. Times in unix seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def verified(self, identity: AssetId, state: LocalState, proof: Proof | None, words: str, now: float) -> None:
        """A held file was read again: it is held, damaged or lost now."""
        with self._database.write() as connection:
            row = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(identity),)).fetchone()
            connection.execute("UPDATE assets SET kept = ? WHERE id = ?", (state, row["id"]))
            if proof is not None:
                connection.execute("UPDATE assets SET proof = ? WHERE id = ?", (proof.to_json(), row["id"]))
            what = "verified" if state is LocalState.HELD else str(state)
            add_event(connection, now, str(identity), what, words, proof_facts(state, proof))
            summaries.refresh(connection, [row["meeting_id"]])

    def adopted(self, identity: AssetId, path: str, proof: Proof, words: str, now: float) -> None:
        """A file that lay in the vault was proven to be the asset: it is held there now, and not to be fetched."""
        with self._database.write() as connection:
            row = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(identity),)).fetchone()
            connection.execute(
                "UPDATE assets SET kept = 'held', path = ?, proof = ?, sha256 = ?, held_size = ? WHERE id = ?",
                (path, proof.to_json(), proof.sha256, proof.size, row["id"]),
            )
            connection.execute(
                """UPDATE transfers SET state = 'cancelled', wish = '', ended_at = ?
                WHERE asset_id = ? AND state IN ('queued', 'waiting', 'paused')""",
                (now, row["id"]),
            )
            add_event(connection, now, str(identity), "adopted", words, proof_facts(LocalState.HELD, proof))
            summaries.refresh(connection, [row["meeting_id"]])

    def noted(self, identity: AssetId, what: str, words: str, now: float, facts: Mapping[str, Fact] = NO_FACTS) -> None:
        """A line in an asset's trail."""
        with self._database.write() as connection:
            add_event(connection, now, str(identity), what, words, facts)

    def asked(self, account: str, error: str, now: float) -> None:
        """A sync of an account ended: well (error "") or not. Shown when that changes, and with every new minute."""
        with self._database.write(visible=False) as connection:
            before = connection.execute("SELECT * FROM accounts WHERE name = ?", (account,)).fetchone()
            if before is None or before["error"] != error or now // 60 != (before["synced_at"] or 0) // 60:
                show(connection)
            connection.execute(
                """INSERT INTO accounts (name, synced_at, error) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET
                synced_at = CASE WHEN ?3 = '' THEN ?2 ELSE synced_at END, error = ?3""",
                (account, now if not error else None, error),
            )

    def caught_up(self, account: str, room: str, text: str, now: float) -> None:
        """A room's summary, kept when it says something new."""
        with self._database.write() as connection:
            add_catchup(connection, account, room, text, now)
