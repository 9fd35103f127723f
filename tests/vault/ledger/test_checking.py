"""Whatever is changed in the log, or in a row beside it, is found and named."""

import re
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vault.ledger.filling import NOW, archive, at, hold, identity, proof, record
from vault.errors import LedgerError
from vault.ledger import Ledger
from vault.ledger.agreeing import Compared
from vault.ledger.checking import Break, Broken, Head, LogReport
from vault.ledger.claiming import Terms
from vault.ledger.events import first_link, link
from vault.views import LocalState

TRIGGERS = (
    *("events_appended", "events_anchored", "events_unchanged", "events_undeleted"),
    *("log_one", "log_forward", "log_undeleted"),
)


@dataclass(frozen=True)
class Made:
    """A ledger's file, and its events as they were written: number to (body, link)."""

    path: Path
    events: dict[int, tuple[bytes, bytes]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    path = tmp_path_factory.mktemp("made") / "ledger.db"
    ledger = Ledger(path, process="anna@desk1")
    for n in range(6):
        record(ledger, archive(f"c{n}", size=10))
    for n in range(4):
        hold(ledger, f"c{n}")
    ledger.history.verified(identity("c0"), LocalState.HELD, proof(), "as proven", NOW + 1)
    ledger.history.verified(identity("c1"), LocalState.LOST, None, "gone", NOW + 2)
    ledger.history.noted(identity("c5"), "flagged", "hold: „Straße“ 会議", NOW + 3)
    assert ledger.log.check().whole
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT number, CAST(body AS BLOB), chain FROM events").fetchall()
    return Made(path, {number: (body, chain) for number, body, chain in rows})


def check(path: Path, kept: Head | None = None) -> LogReport:
    ledger = Ledger(path)
    try:
        return ledger.log.check(kept)
    finally:
        ledger.close()


def tampered(made: Made, folder: Path, *statements: str | tuple[str, tuple[object, ...]]) -> Path:
    """A copy, changed by somebody who knows SQL and takes the triggers away."""
    path = folder / "ledger.db"
    shutil.copy(made.path, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(*((statement,) if isinstance(statement, str) else statement))
    return path


def only(report: LogReport) -> Break:
    [found] = report.breaks
    assert not report.whole
    return found


def test_a_whole_one(made: Made) -> None:
    told: list[tuple[int, int]] = []
    ledger = Ledger(made.path)
    report = ledger.log.check(on_progress=lambda *progress: told.append(progress))
    size = ledger.log.size()
    ledger.close()
    count = len(made.events)
    assert size == count
    assert told == [(count, count)], "the rows, too, give way"
    assert (report.whole, report.events, report.compared, report.set_back) == (True, count, Compared(4, 0, 0), 0)
    assert report.head == made.events[count][1].hex()
    for number in (1, count // 2, count):
        assert check(made.path, Head(number, made.events[number][1].hex())).whole


def test_what_is_said_of_an_event_is_changed(made: Made, tmp_path: Path) -> None:
    change = "UPDATE events SET body = replace(body, 'processing', 'available') || ' ' WHERE number = 3"
    found = only(check(tampered(made, tmp_path, change)))
    assert (found.kind, found.number, found.identity) == (Broken.BODY, 3, "advice/c2/archive")
    assert found.at == at(NOW)
    assert "event 3" in found.words


@pytest.mark.parametrize("number", [1, 5, 17])
def test_a_link_is_changed(made: Made, tmp_path: Path, number: int) -> None:
    assert max(made.events) == 17
    wrong = bytes([made.events[number][1][0] ^ 1]) + made.events[number][1][1:]
    change = ("UPDATE events SET chain = ? WHERE number = ?", (wrong, number))
    found = only(check(tampered(made, tmp_path, change)))
    assert (found.kind, found.number) == (Broken.LINK, number)


def test_a_link_is_taken_away(made: Made, tmp_path: Path) -> None:
    found = only(check(tampered(made, tmp_path, "UPDATE events SET chain = x'' WHERE number = 4")))
    assert (found.kind, found.number, found.identity) == (Broken.NO_LINK, 4, "advice/c3/archive")


def test_an_event_is_taken_out(made: Made, tmp_path: Path) -> None:
    found = only(check(tampered(made, tmp_path, "DELETE FROM events WHERE number IN (7, 8)")))
    assert (found.kind, found.number) == (Broken.MISSING, 7)


def test_the_end_is_cut_off(made: Made, tmp_path: Path) -> None:
    found = only(check(tampered(made, tmp_path, "DELETE FROM events WHERE number > 15")))
    assert (found.kind, found.number) == (Broken.END, 16)
    assert "counts 17" in found.words


def test_one_is_added_by_hand(made: Made, tmp_path: Path) -> None:
    add = ("INSERT INTO events (number, body, chain) VALUES (18, ?, ?)", made.events[17])
    assert only(check(tampered(made, tmp_path, add))).number == 18


def test_who_cuts_the_end_off_and_mends_the_anchor_is_found_by_a_kept_head(made: Made, tmp_path: Path) -> None:
    _, chain = made.events[15]
    mend = ("UPDATE log SET count = 15, head = ?", (chain,))
    changes = ("DELETE FROM events WHERE number > 15", mend, "UPDATE assets SET kept = 'held' WHERE kept = 'lost'")
    path = tampered(made, tmp_path, *changes)
    assert check(path).whole  # that is what a chain alone does not prove
    found = only(check(path, Head(17, made.events[17][1].hex())))
    assert (found.kind, found.number) == (Broken.HEAD, 16)


def test_a_log_that_is_written_anew_is_found_by_a_kept_head(made: Made, tmp_path: Path) -> None:
    before, changes = first_link("0" * 32), []
    for number, (body, _) in made.events.items():
        forged = body.replace(b"hold: ", b"none: ")
        before = link(before, forged)
        changes.append(("UPDATE events SET body = ?, chain = ? WHERE number = ?", (forged.decode(), before, number)))
    anchor = ("UPDATE log SET ledger = ?, head = ?", ("0" * 32, before))
    path = tampered(made, tmp_path, *changes, anchor)
    assert check(path).whole
    found = only(check(path, Head(5, made.events[5][1].hex())))
    assert (found.kind, found.number) == (Broken.HEAD, 5)


def test_the_number_inside_an_event_counts_too(made: Made, tmp_path: Path) -> None:
    body = made.events[17][0].replace(b'"number":17', b'"number":71').decode()
    chain = link(made.events[16][1], body)
    changes = (
        ("UPDATE events SET body = ?, chain = ? WHERE number = 17", (body, chain)),
        ("UPDATE log SET head = ?", (chain,)),
    )
    found = only(check(tampered(made, tmp_path, *changes)))
    assert (found.kind, found.number) == (Broken.BODY, 17)


@pytest.mark.parametrize(
    ("change", "meeting", "number", "words"),
    [
        ("UPDATE assets SET sha256 = 'cd' WHERE identity = 'advice/c0/archive'", "c0", 15, "SHA-256"),
        ("UPDATE assets SET held_size = 11 WHERE identity = 'advice/c2/archive'", "c2", 12, "size"),
        (
            "UPDATE assets SET proof = replace(proof, 'passed', 'failed') WHERE kept = 'held' AND id = 4",
            "c3",
            14,
            "proof",
        ),
        ("UPDATE assets SET kept = 'held' WHERE identity = 'advice/c1/archive'", "c1", 16, "state"),
        ("UPDATE assets SET kept = 'absent' WHERE identity = 'advice/c2/archive'", "c2", 12, "knows nothing"),
        ("DELETE FROM assets WHERE identity = 'advice/c2/archive'", "c2", 12, "knows nothing"),
        ("UPDATE assets SET kept = 'held' WHERE identity = 'advice/c5/archive'", "c5", 0, "no event"),
    ],
)
def test_a_row_that_says_other_than_the_log(
    made: Made, tmp_path: Path, change: str, meeting: str, number: int, words: str
) -> None:
    found = only(check(tampered(made, tmp_path, change)))
    assert (found.kind, found.identity, found.number) == (Broken.ROW, str(identity(meeting)), number)
    assert words in found.words


def test_a_file_that_is_fetched_again_right_now_differs_from_nothing(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    shutil.copy(made.path, path)
    ledger = Ledger(path)
    ledger.transfers.enqueue([identity("c1")], NOW)
    [claim] = ledger.claims.take(Terms("me", 9), NOW, 1)
    ledger.claims.prepare(claim, proof(sha256="cd" * 32))
    assert ledger.log.check().whole
    ledger.claims.commit(claim, proof(sha256="cd" * 32), NOW)
    assert ledger.log.check().whole
    ledger.close()


def test_a_clock_that_was_put_back_breaks_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    record(ledger, archive("c1"))
    for seconds in (5, 3, 4, -100):
        ledger.history.noted(identity(), "noted", "", NOW + seconds)
    report = ledger.log.check()
    assert (report.whole, report.set_back) == (True, 2)
    ledger.close()


def test_who_waited_for_the_others_bears_no_earlier_time_than_they(tmp_path: Path) -> None:
    """Each knew what time it was before it had its turn to write; the events say when they had that."""
    times = iter([NOW + 2, NOW + 3, NOW + 4, NOW + 1])  # the last one after the clock was put back
    ledger = Ledger(tmp_path / "ledger.db", clock=lambda: next(times))
    record(ledger, archive("c1"))
    for seconds in (2.9, 2.8):
        ledger.history.noted(identity(), "noted", "", NOW + seconds)
    assert [event.at for event in ledger.reader.trail(identity())] == [at(NOW + n) for n in (2, 3, 4)]
    report = ledger.log.check()
    assert (report.whole, report.set_back) == (True, 0)
    ledger.history.noted(identity(), "noted", "", NOW + 5)
    assert ledger.log.check().set_back == 1
    ledger.close()


def test_a_lookup_that_leads_elsewhere(made: Made, tmp_path: Path) -> None:
    """Trails are found by an index, which repeats whose each event is."""
    content = made.path.read_bytes()
    kinds = set()
    for found in re.finditer(rb'(?<!")advice/c5/archive(?!")', content):
        place = found.start() + len("advice/c")
        (tmp_path / "ledger.db").write_bytes(content[:place] + b"4" + content[place + 1 :])
        kinds |= {each.kind for each in check(tmp_path / "ledger.db").breaks}
    assert Broken.LOOKUP in kinds


def test_an_anchor_that_cannot_be_read(made: Made, tmp_path: Path) -> None:
    path = tampered(made, tmp_path, "DELETE FROM log")
    with pytest.raises(LedgerError, match="anchor"):
        check(path)


def test_a_check_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.ledger.checking._AT_ONCE", 3)
    ledger = Ledger(tmp_path / "ledger.db")
    record(ledger, *(archive(f"c{n}") for n in range(10)))
    told: list[tuple[int, int]] = []

    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done >= 6:
            raise Enough

    with pytest.raises(Enough):
        ledger.log.check(on_progress=stop)
    assert told == [(3, 10), (6, 10)]
    record(ledger, archive("after"))  # no transaction is left behind
    assert ledger.log.check().whole
    ledger.close()


@given(data=st.data())
def test_any_flipped_byte_of_an_event_is_found_and_named(
    made: Made, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """In the file itself, behind SQLite's back."""
    number = data.draw(st.sampled_from(sorted(made.events)), label="event")
    body, chain = made.events[number]
    content = bytearray(made.path.read_bytes())
    start = content.index(body + chain)
    assert content.count(body + chain) == 1
    place = data.draw(st.integers(0, len(body) + len(chain) - 1), label="byte")
    content[start + place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    path = tmp_path_factory.mktemp("flipped") / "ledger.db"
    path.write_bytes(content)
    found = only(check(path))
    assert found.number == number
    assert found.kind is (Broken.BODY if place < len(body) else Broken.LINK)


@given(data=st.data())
def test_a_flipped_byte_around_an_event_is_found_or_changes_nothing(
    made: Made, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """What SQLite keeps of lengths, kinds and numbers before an event's own bytes."""
    number = data.draw(st.sampled_from(sorted(made.events)), label="event")
    body, chain = made.events[number]
    content = bytearray(made.path.read_bytes())
    place = content.index(body + chain) - data.draw(st.integers(1, 9), label="before")
    content[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    path = tmp_path_factory.mktemp("flipped") / "ledger.db"
    path.write_bytes(content)
    try:
        report = check(path)
    except LedgerError:
        return
    if report.whole:
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT number, CAST(body AS BLOB), chain FROM events").fetchall()
        assert {number: (body, chain) for number, body, chain in rows} == made.events


@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_the_rest_of_the_file_never_breaks_the_check(
    made: Made, tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    content = bytearray(made.path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path = tmp_path_factory.mktemp("flipped") / "ledger.db"
    path.write_bytes(content)
    with suppress(LedgerError):  # in words, and nothing else is raised
        report = check(path)
        assert report.whole or report.breaks[0].words
