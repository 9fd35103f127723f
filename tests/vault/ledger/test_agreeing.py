"""Flags and receipts that say other than the log, and files' rows beside them, are named with their asset."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from providers.models import RemoteState
from tests.vault.ledger.filling import NOW, SHA256, archive, hold, identity, record
from vault.ledger import Ledger
from vault.ledger.agreeing import Compared
from vault.ledger.checking import Broken, LogReport
from vault.ledger.releases import Turn, Wish
from vault.triage.states import Flag

BY = "anna@desk1"
HOLD, SKIP = 1 << 26, 1 << 24


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ledger with flags that were set, replaced, taken off and undone, and with two receipts of one release."""
    path = tmp_path_factory.mktemp("made") / "ledger.db"
    ledger = Ledger(path, process=BY)
    for n in range(6):
        record(ledger, archive(f"c{n}", size=10))
    for name in ("c0", "c1", "c2"):
        hold(ledger, name)
    both = [identity("c0"), identity("c1")]
    ledger.releases.ask([Wish(both[0], "flexperto", SHA256)], NOW, BY, NOW, undoable=True)
    release = ledger.releases.take(Turn("me"), NOW)
    assert release is not None
    ledger.releases.send(release, dict.fromkeys(both, SHA256), NOW)
    ledger.releases.answer(release, "HTTP 200", NOW)
    record(ledger, *(archive(name, RemoteState.ABANDONED) for name in ("c0", "c1")))
    ledger.releases.confirm(release, NOW)
    flags = ledger.flags
    flags.set([identity("c2"), identity("c3")], Flag.HOLD, "court order", BY, NOW, queue=())
    flags.set([identity("c3"), identity("c4")], Flag.SKIP, "", BY, NOW, queue=())
    flags.set([identity("c3")], Flag.WANT, "", BY, NOW, queue=())  # in the place of skip
    flags.clear([identity("c4")], Flag.SKIP, BY, NOW)
    flags.set([identity("c5")], Flag.HOLD, "", BY, NOW, queue=())
    flags.set([identity("c5")], Flag.FORGET, "", BY, NOW, queue=())
    assert ledger.undoing.undo(BY, NOW) is not None  # so that c5 is on hold alone
    ledger.close()
    return path.read_bytes()


@pytest.fixture
def path(made: bytes, tmp_path: Path) -> Path:
    """A copy of it."""
    (tmp_path / "ledger.db").write_bytes(made)
    return tmp_path / "ledger.db"


def check(path: Path, *changes: str) -> LogReport:
    with closing(sqlite3.connect(path)) as connection, connection:
        for change in changes:
            connection.execute(change)
    ledger = Ledger(path)
    try:
        return ledger.log.check()
    finally:
        ledger.close()


def test_all_of_it_agrees(path: Path) -> None:
    report = check(path)
    assert report.breaks == ()
    assert report.compared == Compared(held=3, flagged=3, receipts=2)


def of(name: str) -> str:
    return f"WHERE asset_id = (SELECT id FROM assets WHERE identity = '{identity(name)}')"


def flagged(name: str, bits: int) -> str:
    return f"UPDATE assets SET flags = {bits} WHERE identity = '{identity(name)}'"


@pytest.mark.parametrize(
    ("change", "meeting", "words"),
    [
        (f"DELETE FROM receipts {of('c0')}", "c0", "its receipt is gone: event"),
        (f"UPDATE receipts SET sha256 = 'cd' {of('c0')}", "c0", "its receipt says another SHA-256 than event"),
        (f"UPDATE receipts SET proof = replace(proof, 'passed', 'failed') {of('c0')}", "c0", "another proof than"),
        (
            f"""INSERT INTO receipts (asset_id, release_id, sha256, proof, path, confirmed_at, provider_state)
            SELECT 3, release_id, sha256, proof, path, confirmed_at, provider_state FROM receipts {of("c0")}""",
            "c2",
            "it has a receipt that no event tells of",
        ),
        (flagged("c2", 0), "c2", "by its row its flags are none"),
        (flagged("c5", 0), "c5", "they are hold"),
        (flagged("c3", HOLD), "c3", "they are hold and want"),
        (flagged("c4", HOLD), "c4", "they are none"),
        (flagged("c1", SKIP), "c1", "no event says so"),
        (f"DELETE FROM flags {of('c2')}", "c2", "by the list of flags none"),
        (f"UPDATE flags SET flag = 'skip' {of('c3')} AND flag = 'want'", "c3", "by the list of flags hold and skip"),
        ("INSERT INTO flags VALUES (1, 'hold', '', '', 0)", "c0", "no event says so"),
        ("INSERT INTO flags VALUES (5, 'hold', '', '', 0)", "c4", "by the list of flags hold"),
        ("DELETE FROM assets WHERE id = 6", "c5", "they are hold"),
    ],
)
def test_a_row_that_says_other_than_the_log(path: Path, change: str, meeting: str, words: str) -> None:
    [found] = check(path, change).breaks
    assert (found.kind, found.identity) == (Broken.ROW, str(identity(meeting)))
    assert words in found.words


def test_flags_and_receipts_that_are_all_gone(path: Path) -> None:
    report = check(path, "UPDATE assets SET flags = 0", "DELETE FROM flags", "DELETE FROM receipts")
    assert sorted(each.identity for each in report.breaks) == [str(identity(f"c{n}")) for n in (0, 1, 2, 3, 5)]
    assert {each.kind for each in report.breaks} == {Broken.ROW}


def test_an_event_of_an_earlier_version_that_says_no_flags_is_compared_with_nothing(path: Path) -> None:
    ledger = Ledger(path)
    ledger.history.noted(identity("c2"), "unflagged", f"flags as before, by {BY}: none", NOW)
    ledger.close()
    assert check(path, flagged("c2", 0)).whole
