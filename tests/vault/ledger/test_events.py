"""The log of events: only appended to, chained, and brought over from ledgers that had none."""

import hashlib
import json
import sqlite3
import threading
from pathlib import Path

import pytest

from providers.models import RemoteState
from tests.vault.ledger.filling import NOW, archive, hold, identity, proof, record
from tests.vault.ledger.old import add_held, ledger_before_the_chain
from vault.errors import LedgerError
from vault.ledger import Ledger
from vault.ledger.database import Database
from vault.ledger.events import By, add_event, first_link
from vault.ledger.migrating import Migrating
from vault.views import LocalState


def rows(path: Path) -> list[tuple[int, str, bytes]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT number, body, chain FROM events ORDER BY number").fetchall()
    connection.close()
    return found


def assert_chained(path: Path) -> list[dict[str, object]]:
    """Follow the chain by the words of the documentation alone; gives the bodies."""
    connection = sqlite3.connect(path)
    ledger, count, head = connection.execute("SELECT ledger, count, head FROM log").fetchone()
    connection.close()
    link = first_link(ledger).hex()
    found = rows(path)
    for place, (number, body, chain) in enumerate(found, 1):
        link = hashlib.sha256(f"{link}\n{hashlib.sha256(body.encode()).hexdigest()}".encode()).hexdigest()
        assert (number, chain.hex(), json.loads(body)["number"]) == (place, link, place)
    assert (count, head.hex()) == (len(found), link)
    return [json.loads(body) for _, body, _ in found]


def test_an_event_is_canonical_json_and_says_who(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", process="anna@desk1")
    record(ledger, archive("c1"))
    ledger.history.noted(identity(), "flagged", "hold „Straße“", NOW + 0.5)
    ledger.close()
    _, body, _ = rows(tmp_path / "ledger.db")[-1]
    assert body == (
        '{"at":"2027-01-15T08:00:00.500000Z","facts":{"by":"operator","process":"anna@desk1"},'
        '"identity":"advice/c1/archive","number":2,"what":"flagged","words":"hold „Straße“"}'
    )


def test_what_a_life_leaves_behind(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", process="anna@desk1")
    record(ledger, archive("c1", RemoteState.PROCESSING, size=9))
    record(ledger, archive("c1"))
    hold(ledger, "c1")
    ledger.history.verified(identity(), LocalState.DAMAGED, None, "changed", NOW + 1)
    trail = ledger.reader.trail(identity())
    ledger.close()
    assert [(event.what, event.who) for event in trail] == [
        ("seen", "the service"),
        ("state", "the service"),
        ("queued", "anna@desk1"),
        ("fetched", "worker on desk1"),
        ("damaged", "anna@desk1"),
    ]
    assert trail[0].facts["size"] == 9
    assert (trail[1].facts["before"], trail[1].facts["state"]) == ("processing", "available")
    fetched = {"sha256": proof().sha256, "source": "https://host", "path": "/vault/c1.zip", "check container": "passed"}
    assert fetched.items() <= trail[3].facts.items()
    assert trail[4].facts == {"kept": "damaged"}
    assert [event.number for event in trail] == [1, 2, 3, 4, 5]
    assert len(assert_chained(tmp_path / "ledger.db")) == 5


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET body = body || ' ' WHERE number = 1",
        "UPDATE events SET number = 9 WHERE number = 1",
        "DELETE FROM events WHERE number = 2",
        "INSERT INTO events (number, body, chain) VALUES (9, '{}', x'00')",
        "INSERT INTO events (body, chain) VALUES ('{}', x'00')",
        "INSERT OR REPLACE INTO events (number, body, chain) VALUES (1, '{}', x'00')",
        "UPDATE log SET count = 1",
        "UPDATE log SET ledger = 'other'",
        "UPDATE log SET head = x'00'",
        "DELETE FROM log",
        "INSERT INTO log VALUES ('x', 0, x'00')",
    ],
)
def test_the_log_is_only_appended_to(tmp_path: Path, sql: str) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    record(ledger, archive("c1"), archive("c2"))
    ledger.close()
    before = rows(tmp_path / "ledger.db")
    connection = sqlite3.connect(tmp_path / "ledger.db")
    with pytest.raises(sqlite3.IntegrityError, match=r"log|event"):
        connection.execute(sql)
    connection.close()
    assert rows(tmp_path / "ledger.db") == before


@pytest.mark.parametrize("fact", [1.5, True, b"x"])
def test_facts_are_text_or_whole_numbers(tmp_path: Path, fact: object) -> None:
    database = Database(tmp_path / "ledger.db")
    with pytest.raises(ValueError, match="neither text"), database.write() as connection:
        add_event(connection, NOW, "", "x", "y", {"f": fact})  # type: ignore[dict-item]  # as a caller might
    with pytest.raises(ValueError, match="process"), database.write() as connection:
        add_event(connection, NOW, "", "x", "y", {"process": "me"})
    with database.write() as connection:
        assert add_event(connection, NOW, "", "x", "y", {"n": None}, by=By.WORKER) == 1
    database.close()
    assert_chained(tmp_path / "ledger.db")


def test_what_is_rolled_back_leaves_no_gap(tmp_path: Path) -> None:
    database = Database(tmp_path / "ledger.db")
    for fails in (False, True, False):
        try:
            with database.write() as connection:
                add_event(connection, NOW, "", "x", "y")
                if fails:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            assert fails
    database.close()
    assert len(assert_chained(tmp_path / "ledger.db")) == 2


def test_two_desks_write_one_chain(tmp_path: Path) -> None:
    desks = [Ledger(tmp_path / "ledger.db", process=f"desk{n}") for n in range(2)]
    record(desks[0], archive("c1"))

    def write(ledger: Ledger) -> None:
        for n in range(50):
            ledger.history.noted(identity(), "noted", str(n), NOW - n)

    threads = [threading.Thread(target=write, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for desk in desks:
        desk.close()
    bodies = assert_chained(tmp_path / "ledger.db")
    assert len(bodies) == 101


def test_old_events_are_chained_in_steps_and_interrupted_ones_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    ledger_before_the_chain(path, monkeypatch, events=95, held=25)
    monkeypatch.setattr("vault.ledger.migrating_custody._AT_ONCE", 10)
    told: list[Migrating] = []

    class Enough(Exception):
        pass

    def watch(progress: Migrating) -> None:
        told.append(progress)
        if len(told) in (3, 9, 13):
            raise Enough

    for _ in range(3):
        with pytest.raises(Enough):
            Ledger(path, on_migration=watch)
        # The version before this one still runs, and writes.
        older = sqlite3.connect(path)
        with older:
            older.execute("INSERT INTO events (at, identity, what, words) VALUES (1, 'advice/c3/archive', 'late', '')")
            older.execute("UPDATE assets SET kept = 'lost' WHERE identity = 'advice/c3/archive'")
        older.close()
    older = sqlite3.connect(path)
    with older:
        add_held(older, 77)
    older.close()
    ledger = Ledger(path, on_migration=watch)
    trail = [
        (event.what, event.facts.get("chained"), event.facts.get("kept"))
        for event in ledger.reader.trail(identity("c3"))
    ]
    ledger.history.noted(identity("c3"), "noted", "", NOW)
    ledger.close()
    bodies = assert_chained(path)
    assert len(bodies) == 95 + 3 + 26 + 1 + 1
    assert trail[0] == ("seen", "afterwards", None)
    assert trail[-1] == ("adopted", None, "lost")
    assert sorted(what for what, _, _ in trail) == ["adopted", "adopted", "late", "late", "late", "seen"]
    assert [body["words"] for body in bodies if body["what"] == "seen"][:2] == [
        "first seen, the service says „0“",
        "first seen, the service says „1“",
    ]
    words = {progress.words for progress in told}
    assert words == {"the log of events", "what is held", "an index of the log", "the log before it"}


def test_the_log_before_it_is_looked_through_before_it_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    ledger_before_the_chain(path, monkeypatch, events=500, held=5)
    monkeypatch.setattr("vault.ledger.migrating_custody._AT_ONCE", 100)
    monkeypatch.setattr("vault.ledger.migrating._OPERATIONS_BETWEEN", 100)
    told: list[str] = []
    Ledger(path, on_migration=lambda now: told.append(now.words)).close()
    assert told.count("the log before it") > 60, "to drop a table, of which nothing is told, makes 31 with the rest"


def test_two_processes_chain_one_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.db"
    ledger_before_the_chain(path, monkeypatch, events=200, held=30)
    monkeypatch.setattr("vault.ledger.migrating_custody._AT_ONCE", 10)
    opened: list[Ledger] = []
    threads = [threading.Thread(target=lambda: opened.append(Ledger(path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    for ledger in opened:
        ledger.close()
    assert len(assert_chained(path)) == 230


def test_an_older_version_cannot_write_beside_the_chain(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.db").close()
    database = Database(tmp_path / "ledger.db")
    with pytest.raises(LedgerError, match="no column"), database.write() as connection:
        connection.execute("INSERT INTO events (at, identity, what, words) VALUES (1, 'x', 'y', 'z')")
    database.close()
