"""The queue as people see it: what is queued, in which order, and what is wished of it."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.models import AssetId, RemoteState
from tests.vault.ledger.filling import NOW, archive, at, claim, hold, identity, proof, queued, record
from vault.ledger import Ledger
from vault.ledger.claiming import EVERYTHING, Claim, Hold
from vault.views import LocalState, TransferState


def state(ledger: Ledger, meeting: str = "c1") -> TransferState:
    view = ledger.reader.transfer(identity(meeting))
    assert view is not None
    return view.state


def taken(ledger: Ledger, **more: object) -> Claim:
    found = claim(ledger, **more)  # type: ignore[arg-type]  # tests give what fits
    assert found is not None
    return found


def order(ledger: Ledger) -> list[str]:
    return [view.asset.meeting for view in ledger.reader.transfers(99) if not view.state.ended]


# Queueing


def test_what_is_queued(ledger: Ledger) -> None:
    record(ledger, archive("c1"), archive("held"))
    hold(ledger, "held")
    wanted = [identity("c1"), identity("c1"), identity("held"), identity("unknown")]
    assert ledger.transfers.enqueue(wanted, NOW) == (identity("c1"),)
    assert state(ledger) is TransferState.QUEUED
    view = ledger.reader.asset(identity())
    assert view is not None
    assert view.local is LocalState.QUEUED


def test_deadlines_come_first_and_first_comes_before_them(ledger: Ledger) -> None:
    queued(ledger, "whenever")
    queued(ledger, "soon", deadline=at(NOW + 60))
    queued(ledger, "sooner", deadline=at(NOW + 30))
    queued(ledger, "also whenever", now=NOW + 1)
    record(ledger, archive("now"), archive("at once"))
    ledger.transfers.enqueue([identity("now")], NOW, first=True)
    ledger.transfers.enqueue([identity("at once")], NOW, first=True)
    expected = ["at once", "now", "sooner", "soon", "whenever", "also whenever"]
    assert order(ledger) == expected
    assert [taken(ledger).identity.meeting for _ in expected] == expected
    assert claim(ledger) is None


def test_first_in_an_empty_queue(ledger: Ledger) -> None:
    record(ledger, archive())
    assert ledger.transfers.enqueue([identity()], NOW, first=True) == (identity(),)


def test_an_ended_transfer_is_queued_afresh(ledger: Ledger) -> None:
    queued(ledger, "c1")
    ledger.claims.fail(taken(ledger), "broken", NOW, None, attempts=1)
    assert state(ledger) is TransferState.FAILED
    assert ledger.transfers.enqueue([identity()], NOW) == (identity(),)
    view = ledger.reader.transfer(identity())
    assert view is not None
    assert (view.state, view.attempts, view.words, view.received) == (TransferState.QUEUED, 0, "", 0)


# Steering

STEERED = [
    # begin, wish, end
    ("queued", "cancel", "cancelled"),
    ("queued", "pause", "paused"),
    ("queued", "resume", "queued"),
    ("queued", "retry", "queued"),
    ("waiting", "cancel", "cancelled"),
    ("waiting", "pause", "paused"),
    ("waiting", "resume", "queued"),
    ("waiting", "retry", "queued"),
    ("paused", "cancel", "cancelled"),
    ("paused", "pause", "paused"),
    ("paused", "resume", "queued"),
    ("paused", "retry", "paused"),
    ("running", "cancel", "running"),
    ("running", "pause", "running"),
    ("running", "resume", "running"),
    ("running", "retry", "running"),
    ("failed", "cancel", "failed"),
    ("failed", "pause", "failed"),
    ("failed", "resume", "failed"),
    ("failed", "retry", "queued"),
    ("cancelled", "retry", "queued"),
    ("cancelled", "resume", "cancelled"),
    ("done", "retry", "done"),
    ("done", "cancel", "done"),
]


def bring_to(ledger: Ledger, wanted: str) -> None:
    queued(ledger, "c1")
    if wanted in ("paused", "cancelled"):
        ledger.transfers.steer(identity(), "pause" if wanted == "paused" else "cancel", NOW)
    elif wanted != "queued":
        one = taken(ledger)
        if wanted == "failed":
            ledger.claims.fail(one, "x", NOW, None, attempts=1)
        elif wanted == "waiting":
            ledger.claims.fail(one, "x", NOW, NOW + 1_000, attempts=1)
        elif wanted == "done":
            ledger.claims.commit(one, proof(), NOW)
    assert state(ledger) == wanted


@pytest.mark.parametrize(("begin", "wish", "end"), STEERED)
def test_steering(ledger: Ledger, begin: str, wish: str, end: str) -> None:
    bring_to(ledger, begin)
    ledger.transfers.steer(identity(), wish, NOW)
    assert state(ledger) == end
    if end == "queued" and begin != "queued":
        assert taken(ledger).attempts == 1


def test_steering_what_was_never_queued(ledger: Ledger) -> None:
    record(ledger, archive())
    ledger.transfers.steer(identity(), "cancel", NOW)
    assert ledger.reader.transfer(identity()) is None


# Moving


def test_moving(ledger: Ledger) -> None:
    queued(ledger, "a", "b", "c", "d")
    ledger.transfers.move(identity("c"), -1)
    assert order(ledger) == ["a", "c", "b", "d"]
    ledger.transfers.move(identity("a"), 1)
    assert order(ledger) == ["c", "a", "b", "d"]
    ledger.transfers.move(identity("d"), -99)
    assert order(ledger) == ["d", "c", "a", "b"]
    ledger.transfers.move(identity("d"), 99)
    assert order(ledger) == ["c", "a", "b", "d"]
    ledger.transfers.move(identity("unknown"), 1)
    assert order(ledger) == ["c", "a", "b", "d"]
    assert taken(ledger).identity.meeting == "c"
    ledger.transfers.move(identity("c"), 1)  # it runs already
    assert order(ledger) == ["c", "a", "b", "d"]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-5, 5)), max_size=8))
def test_moving_is_moving_in_a_list(moves: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.db")
        expected = ["a", "b", "c", "d", "e"]
        queued(ledger, *expected)
        for which, by in moves:
            name = "abcde"[which]
            at_now = expected.index(name)
            expected.insert(max(0, min(4, at_now + by)), expected.pop(at_now))
            ledger.transfers.move(identity(name), by)
            assert order(ledger) == expected
        ledger.close()


def test_ended_ones_come_last_newest_first(ledger: Ledger) -> None:
    queued(ledger, "a", "b", "c", "d")
    for moment, _ in enumerate("ab"):
        ledger.claims.fail(taken(ledger), "x", NOW + moment, None, attempts=1)
    taken(ledger)
    assert [view.asset.meeting for view in ledger.reader.transfers(9)] == ["c", "d", "b", "a"]
    assert len(ledger.reader.transfers(2)) == 2


# Hurrying


@pytest.mark.parametrize("begin", ["queued", "waiting", "paused"])
def test_hurrying_puts_it_first_and_lets_it_try_now(ledger: Ledger, begin: str) -> None:
    bring_to(ledger, begin)
    queued(ledger, "soon", deadline=at(NOW - 60))
    ledger.claims.hold("advice", Hold(NOW + 300, "the service answers HTTP 503", 1))
    ledger.claims.hold(EVERYTHING, Hold(NOW + 300, "no space", 1))
    ledger.claims.hold("rooms", Hold(NOW + 300, "the service answers HTTP 502", 1))
    ledger.transfers.hurry(identity())
    assert state(ledger) is TransferState.QUEUED
    assert order(ledger) == ["c1", "soon"]
    assert list(ledger.claims.holds()) == ["rooms"]
    first = taken(ledger, now=NOW + 7)
    assert (first.identity, first.attempts, first.progress_at) == (identity(), 1, NOW + 7)


@pytest.mark.parametrize("begin", ["running", "failed", "cancelled", "done"])
def test_what_runs_or_ended_is_not_hurried(ledger: Ledger, begin: str) -> None:
    bring_to(ledger, begin)
    ledger.claims.hold("advice", Hold(NOW + 300, "503", 1))
    ledger.transfers.hurry(identity())
    ledger.transfers.hurry(identity("unknown"))
    assert state(ledger) == begin
    assert list(ledger.claims.holds()) == ["advice"]


@pytest.mark.parametrize(
    ("begin", "wish"), [("queued", ""), ("failed", "retry"), ("paused", "resume"), ("waiting", "retry")]
)
def test_patience_counts_from_the_first_attempt_after_it_was_asked_for(ledger: Ledger, begin: str, wish: str) -> None:
    bring_to(ledger, begin)
    ledger.transfers.steer(identity(), wish, NOW + 500)
    one = taken(ledger, now=NOW + 10_000)
    assert one.progress_at == NOW + 10_000
    ledger.claims.fail(one, "x", NOW + 10_001, NOW + 10_001, attempts=1)
    assert taken(ledger, now=NOW + 20_000).progress_at == NOW + 10_000


def test_an_expired_one_can_be_queued_by_hand(ledger: Ledger) -> None:
    record(ledger, archive("c1", RemoteState.EXPIRED))
    assert ledger.transfers.enqueue([AssetId.parse("advice/c1/archive")], NOW)


# Many at once


def change(ledger: Ledger) -> int:
    return ledger.change_number()


def test_many_are_steered_in_one_transaction(ledger: Ledger) -> None:
    queued(ledger, "a", "b", "c", "d")
    taken(ledger)
    ledger.transfers.steer(identity("b"), "cancel", NOW)
    everyone = [identity(name) for name in ("d", "c", "b", "a", "unknown")]
    before = change(ledger)
    assert ledger.transfers.steer_all(everyone, "pause", NOW) == 3, "the cancelled one is not, and the unknown one"
    assert change(ledger) == before + 1
    assert [state(ledger, name) for name in "abcd"] == ["running", "cancelled", "paused", "paused"]
    assert ledger.reader.account("advice").meetings == 4
    assert ledger.transfers.steer_all(everyone, "resume", NOW) == 3
    assert ledger.transfers.steer_all([], "cancel", NOW) == 0


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from("abcde"), max_size=5, unique=True), st.sampled_from(["cancel", "pause", "retry"]))
def test_to_steer_many_is_to_steer_each(chosen: list[str], wish: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = []
        for name in ("one.db", "many.db"):
            ledger = Ledger(Path(folder) / name)
            queued(ledger, *"abcde")
            ledger.claims.fail(taken(ledger), "x", NOW, None, attempts=1)
            ledger.transfers.steer(identity("b"), "pause", NOW)
            if name == "one.db":
                changed = sum(ledger.transfers.steer(identity(each), wish, NOW) for each in chosen)
            else:
                changed = ledger.transfers.steer_all(map(identity, chosen), wish, NOW)
            rows = [ledger.reader.asset(identity(each)) for each in "abcde"]
            locals_ = [row and row.local for row in rows]
            told.append((changed, ledger.reader.transfers(9), locals_, ledger.reader.account("advice")))
            ledger.close()
        assert told[0] == told[1]


def test_many_are_put_first_in_the_order_in_which_they_are_in_line(ledger: Ledger) -> None:
    queued(ledger, *"abcdef")
    ledger.transfers.steer(identity("f"), "pause", NOW)
    ledger.transfers.move(identity("d"), -3)
    ledger.claims.hold("advice", Hold(NOW + 300, "503", 1))
    before = change(ledger)
    assert ledger.transfers.hurry_all(identity(name) for name in "fxdb") == 3
    assert change(ledger) == before + 1
    assert order(ledger) == list("dbface")
    assert ledger.claims.holds() == {}
    assert ledger.transfers.hurry_all([identity("x")]) == 0
