"""The secret parts of addresses that services call, as SHA-256 alone; what came without having been announced."""

from vault.ledger.database import Database
from vault.ledger.rows import instant
from vault.views import Unannounced

GRACE_S = 3_600.0
"""How long a replaced secret is still taken: what is in flight was sent to the old address."""


class Hooks:
    """The ledger's verbs for hook secrets, and `unannounced`. Times in unix seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def adopt(self, account: str, sha256: str, now: float) -> None:
        """The configured secret's hash: a new one replaces the one before; one that was replaced stays so."""
        if not self.knows(account, sha256):
            self.rotate(account, sha256, now)

    def admit(self, account: str, sha256: str, now: float) -> None:
        """A rotation begins: its secret is taken, for an hour, beside the one in use, which nothing limits yet.

        Whoever is killed before `rotate` loses nothing: the new one lapses, the old one stays.
        """
        with self._database.write() as connection:
            connection.execute(
                """INSERT INTO hook_tokens (account, sha256, until) VALUES (?, ?, ?)
                ON CONFLICT (account, sha256) DO NOTHING""",
                (account, sha256, now + GRACE_S),
            )

    def rotate(self, account: str, sha256: str, now: float) -> None:
        """A secret, admitted before or not, is in use from now on; the one before for an hour more."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE hook_tokens SET until = ? WHERE account = ? AND until IS NULL AND sha256 != ?",
                (now + GRACE_S, account, sha256),
            )
            connection.execute(
                """INSERT INTO hook_tokens (account, sha256, until) VALUES (?, ?, NULL)
                ON CONFLICT (account, sha256) DO UPDATE SET until = NULL""",
                (account, sha256),
            )

    def withdraw(self, account: str, sha256: str) -> None:
        """A rotation that could not be completed: its secret is not taken. The one in use is never withdrawn."""
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM hook_tokens WHERE account = ? AND sha256 = ? AND until IS NOT NULL", (account, sha256)
            )

    def knows(self, account: str, sha256: str) -> bool:
        """Whether a secret is or was in use, by its hash."""
        with self._database.read() as connection:
            sql = "SELECT 1 FROM hook_tokens WHERE account = ? AND sha256 = ?"
            return connection.execute(sql, (account, sha256)).fetchone() is not None

    def current(self, account: str) -> str:
        """The hash of the secret in use; "" when there is none."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT sha256 FROM hook_tokens WHERE account = ? AND until IS NULL", (account,)
            ).fetchone()
        return row["sha256"] if row else ""

    def standing(self, now: float) -> dict[str, frozenset[str]]:
        """The hashes that are taken now, by account."""
        found: dict[str, set[str]] = {}
        with self._database.read() as connection:
            sql = "SELECT account, sha256 FROM hook_tokens WHERE until IS NULL OR until > ?"
            for row in connection.execute(sql, (now,)):
                found.setdefault(row["account"], set()).add(row["sha256"])
        return {account: frozenset(hashes) for account, hashes in found.items()}

    def unannounced(self, account: str, before: float, limit: int) -> tuple[Unannounced, ...]:
        """What polling found available before a moment and no webhook announced, newest first."""
        sql = """SELECT a.identity, a.polled_at, m.title FROM assets a JOIN meetings m ON m.id = a.meeting_id
            WHERE a.account = ? AND a.polled_at IS NOT NULL AND a.announced_at IS NULL AND a.polled_at <= ?
            ORDER BY a.polled_at DESC LIMIT ?"""
        with self._database.read() as connection:
            rows = connection.execute(sql, (account, before, limit)).fetchall()
        return tuple(Unannounced(row["identity"], row["title"], instant(row["polled_at"])) for row in rows)
