"""Ledgers as versions before this one left them."""

import sqlite3
from pathlib import Path

import pytest

from tests.vault.ledger.filling import NOW, proof
from vault.ledger import Ledger
from vault.ledger.schema import MIGRATIONS


def ledger_before_the_chain(path: Path, monkeypatch: pytest.MonkeyPatch, *, events: int, held: int) -> None:
    """A ledger of version 4 with this many events, and assets of which the last `held` are held."""
    with monkeypatch.context() as patched:
        patched.setattr("vault.ledger.database.MIGRATIONS", MIGRATIONS[:4])
        Ledger(path).close()
    connection = sqlite3.connect(path)
    connection.executemany(
        "INSERT INTO events (at, identity, what, words) VALUES (?, ?, 'seen', ?)",
        ((NOW + n, f"advice/c{n}/archive", f"first seen, the service says „{n}“") for n in range(events)),
    )
    for n in range(held):
        add_held(connection, n)
    connection.commit()
    connection.close()


def add_held(connection: sqlite3.Connection, n: int) -> None:
    """A held archive, as rows alone."""
    connection.execute(
        """INSERT INTO meetings (id, account, meeting, provider, title, first_seen, last_seen)
        VALUES (?, 'advice', ?, 'flexperto', 'x', 0, 0)""",
        (n + 1, f"c{n}"),
    )
    connection.execute(
        """INSERT INTO assets (meeting_id, identity, account, kind, variant, state, provider_state, error, extension,
            locator, link, warning, details, raw, first_seen, last_seen, kept, held_size, sha256, path, proof)
        VALUES (?, ?, 'advice', 'archive', '', 'available', '', '', 'zip', '{}', '', '', '{}', '', 0, 0, 'held', 10,
            ?, ?, ?)""",
        (n + 1, f"advice/c{n}/archive", proof().sha256, f"/vault/{n}.zip", proof().to_json()),
    )
