"""The queue: who may fetch what, in which order, and who may not commit any more."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.models import AssetId, RemoteState
from tests.vault.ledger.filling import NOW, archive, at, claim, hold, identity, proof, queued, record
from vault.errors import Overtaken
from vault.ledger import Ledger
from vault.ledger.queueing import STALE_AFTER_S, Claim
from vault.views import LocalState, Query, TransferState

LATER = NOW + STALE_AFTER_S + 1


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
    ledger.transfers.fail(taken(ledger), "broken", NOW, None)
    assert state(ledger) is TransferState.FAILED
    assert ledger.transfers.enqueue([identity()], NOW) == (identity(),)
    view = ledger.reader.transfer(identity())
    assert view is not None
    assert (view.state, view.attempts, view.words, view.received) == (TransferState.QUEUED, 0, "", 0)


# Claims


def test_a_claim_carries_what_is_known(ledger: Ledger) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    assert (one.fence, one.attempts, one.path, one.prepared) == (1, 1, None, None)
    assert ledger.transfers.fix_path(one, "/vault/a.zip")
    ledger.transfers.prepare(one, proof())
    view = ledger.reader.asset(identity())
    assert view is not None
    assert (view.local, view.sha256, view.path, view.proof) == (LocalState.FETCHING, "", "", None)
    two = taken(ledger, now=LATER)
    assert (two.fence, two.attempts, two.path, two.prepared) == (2, 2, "/vault/a.zip", proof())


def test_a_running_transfer_is_nobody_elses_while_it_beats(ledger: Ledger) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    assert ledger.transfers.beat(one, NOW + 10, 5, 10, 2.5) == ""
    assert claim(ledger, "other", NOW + 10 + STALE_AFTER_S) is None
    view = ledger.reader.transfer(identity())
    assert view is not None
    assert (view.received, view.total, view.rate, view.eta_s, view.owner) == (5, 10, 2.5, 2.0, "me")
    assert claim(ledger, "other", NOW + 11 + STALE_AFTER_S) is not None


def test_whoever_was_overtaken_can_do_nothing_more(ledger: Ledger) -> None:
    queued(ledger, "c1")
    old = taken(ledger)
    new = taken(ledger, owner="other", now=LATER)
    transfers = ledger.transfers
    for act in (
        lambda: transfers.beat(old, LATER, 1, 2, None),
        lambda: transfers.prepare(old, proof()),
        lambda: transfers.commit(old, proof(), LATER),
        lambda: transfers.fail(old, "x", LATER, None),
        lambda: transfers.fail(old, "x", LATER, LATER + 1),
        lambda: transfers.step_back(old, "queued", LATER),
        lambda: transfers.fix_path(old, "/vault/x.zip"),
    ):
        with pytest.raises(Overtaken):
            act()
    transfers.commit(new, proof(), LATER)
    with pytest.raises(Overtaken):
        transfers.commit(new, proof(), LATER)
    assert [event.what for event in ledger.reader.trail(identity())] == ["seen", "fetched"]


def test_limits_count_what_every_process_runs(tmp_path: Path, ledger: Ledger) -> None:
    other = Ledger(tmp_path / "data" / "ledger.db")
    queued(ledger, "c1", "c2", "c3")
    queued(ledger, "d1", account="rooms")
    assert taken(ledger, per_account=2).identity.meeting == "c1"
    assert taken(other, per_account=2).identity.meeting == "c2"
    assert taken(other, per_account=2).identity == identity("d1", "rooms")
    assert claim(ledger, per_account=2) is None
    assert taken(ledger, per_account=3).identity.meeting == "c3"
    other.close()


def test_only_some_and_accounts_that_take_a_break(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    queued(ledger, "d1", account="rooms")
    assert claim(ledger, only=frozenset()) is None
    assert claim(ledger, held_back=["advice", "rooms"]) is None
    assert taken(ledger, held_back=["advice"]).identity == identity("d1", "rooms")
    assert taken(ledger, only=frozenset({identity("c2")})).identity == identity("c2")


def test_two_ledgers_never_give_the_same(tmp_path: Path, ledger: Ledger) -> None:
    other = Ledger(tmp_path / "data" / "ledger.db")
    queued(ledger, *(f"c{n}" for n in range(10)))
    given_out = [taken(one, per_account=99).identity for _ in range(5) for one in (ledger, other)]
    assert len(set(given_out)) == 10
    other.close()


def test_when_the_next_may_start(ledger: Ledger) -> None:
    assert ledger.transfers.next_start() is None
    queued(ledger, "c1")
    assert ledger.transfers.next_start() == 0
    one = taken(ledger)
    assert ledger.transfers.next_start() == NOW + STALE_AFTER_S
    ledger.transfers.fail(one, "later", NOW, NOW + 5)
    assert ledger.transfers.next_start() == NOW + 5
    assert ledger.transfers.next_start(frozenset({identity("c1")})) == NOW + 5
    assert ledger.transfers.next_start(frozenset({identity("c2")})) is None
    assert claim(ledger, now=NOW + 4) is None
    again = taken(ledger, now=NOW + 5)
    assert again.attempts == 2
    ledger.transfers.step_back(again, "paused", NOW + 6)
    assert ledger.transfers.next_start() is None


def test_paths_are_one_assets_alone(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    one, two = taken(ledger), taken(ledger)
    assert ledger.transfers.fix_path(one, "/vault/a.zip")
    assert ledger.transfers.fix_path(one, "/vault/a.zip")
    assert not ledger.transfers.fix_path(two, "/vault/a.zip")
    assert ledger.transfers.fix_path(two, "/vault/b.zip")


# Ends


def test_a_commit(ledger: Ledger) -> None:
    record(ledger, archive("c1", size=99))
    hold(ledger, "c1")
    view = ledger.reader.asset(identity())
    assert view is not None
    assert (view.local, view.size, view.sha256, view.path) == (LocalState.HELD, 10, "ab" * 32, "/vault/c1.zip")
    assert view.proof == proof()
    transfer = ledger.reader.transfer(identity())
    assert transfer is not None
    assert (transfer.state, transfer.received, transfer.total, transfer.words) == ("done", 10, 10, "zip complete")
    assert ledger.reader.totals().held_bytes == 10


def test_failing(ledger: Ledger) -> None:
    queued(ledger, "c1")
    ledger.transfers.fail(taken(ledger), "no connection", NOW, NOW + 5)
    assert state(ledger) is TransferState.WAITING
    view = ledger.reader.asset(identity())
    assert view is not None
    assert (view.local, view.error) == (LocalState.QUEUED, "")
    ledger.transfers.fail(taken(ledger, now=NOW + 5), "not found", NOW, None)
    view = ledger.reader.asset(identity())
    assert view is not None
    assert (view.local, view.error) == (LocalState.ABSENT, "not found")
    assert [event.words for event in ledger.reader.trail(identity())][1:] == ["not found"]
    assert ledger.reader.count(Query(faults=True)) == 1


def test_stepping_back_gives_the_attempt_back(ledger: Ledger) -> None:
    queued(ledger, "c1")
    ledger.transfers.step_back(taken(ledger), "queued", NOW)
    assert taken(ledger).attempts == 1


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
            ledger.transfers.fail(one, "x", NOW, None)
        elif wanted == "waiting":
            ledger.transfers.fail(one, "x", NOW, NOW + 1_000)
        elif wanted == "done":
            ledger.transfers.commit(one, proof(), NOW)
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


@pytest.mark.parametrize(("wish", "end"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_reaches_whoever_runs_it(ledger: Ledger, wish: str, end: str) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    ledger.transfers.steer(identity(), wish, NOW)
    assert ledger.transfers.beat(one, NOW, 1, 2, None) == wish
    ledger.transfers.steer(identity(), "resume", NOW)
    assert ledger.transfers.beat(one, NOW, 1, 2, None) == ""
    ledger.transfers.steer(identity(), wish, NOW)
    ledger.transfers.step_back(one, "queued", NOW)  # it ended for another reason meanwhile
    assert state(ledger) == end


@pytest.mark.parametrize(("wish", "end"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_holds_when_the_attempt_fails(ledger: Ledger, wish: str, end: str) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    ledger.transfers.steer(identity(), wish, NOW)
    ledger.transfers.fail(one, "no connection", NOW, NOW + 5)
    assert state(ledger) == end
    assert claim(ledger, now=LATER) is None


@pytest.mark.parametrize(("wish", "end"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_outlives_its_owner(ledger: Ledger, wish: str, end: str) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    ledger.transfers.steer(identity(), wish, NOW)
    number = ledger.change_number()
    assert claim(ledger, "other", LATER) is None
    assert state(ledger) == end
    assert ledger.change_number() == number + 1
    with pytest.raises(Overtaken):
        ledger.transfers.commit(one, proof(), LATER)


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
        ledger.transfers.fail(taken(ledger), "x", NOW + moment, None)
    taken(ledger)
    assert [view.asset.meeting for view in ledger.reader.transfers(9)] == ["c", "d", "b", "a"]
    assert len(ledger.reader.transfers(2)) == 2


def test_an_expired_one_can_be_queued_by_hand(ledger: Ledger) -> None:
    record(ledger, archive("c1", RemoteState.EXPIRED))
    assert ledger.transfers.enqueue([AssetId.parse("advice/c1/archive")], NOW)
