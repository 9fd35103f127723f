"""Queries that a person keeps under a name."""

from vault.ledger.database import Database
from vault.views import SavedView


class Views:
    """The ledger's verbs `all`, `save` and `forget` for saved views."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[SavedView, ...]:
        """By name."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM views ORDER BY name").fetchall()
        return tuple(SavedView(row["name"], row["text"], row["sort"], bool(row["descending"])) for row in rows)

    def save(self, view: SavedView) -> None:
        """Keep a view; one of that name is replaced."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO views (name, text, sort, descending) VALUES (?, ?, ?, ?)",
                (view.name, view.text, view.sort, view.descending),
            )

    def forget(self, name: str) -> None:
        """Keep it no longer."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM views WHERE name = ?", (name,))
