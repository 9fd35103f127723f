"""The queue as workers see it: who may fetch what and in which order, who may not commit any more, and breaks."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.vault.ledger.filling import NOW, archive, at, claim, claims, hold, identity, proof, queued, record
from vault.errors import Overtaken
from vault.ledger import Ledger
from vault.ledger.claiming import EVERYTHING, STALE_AFTER_S, Beat, Claim, Hold
from vault.views import LocalState, Query, TransferState, TransferView

LATER = NOW + STALE_AFTER_S + 1


def view(ledger: Ledger, meeting: str = "c1") -> TransferView:
    found = ledger.reader.transfer(identity(meeting))
    assert found is not None
    return found


def taken(ledger: Ledger, **more: object) -> Claim:
    found = claim(ledger, **more)  # type: ignore[arg-type]  # tests give what fits
    assert found is not None
    return found


def meetings(found: tuple[Claim, ...]) -> list[str]:
    return [one.identity.meeting for one in found]


def beat(one: Claim, received: int = 1, total: int | None = 2, rate: float | None = None) -> Beat:
    return Beat(one, received, total, rate)


def written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written from now on: the first statement of each transaction."""
    begun: list[str] = []
    write = ledger.claims._database.write

    def counted(**how: bool) -> object:
        begun.append("BEGIN")
        return write(**how)

    monkeypatch.setattr(ledger.claims._database, "write", counted)
    return begun


# Taking


def test_a_claim_carries_what_is_known(ledger: Ledger) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    assert (one.fence, one.attempts, one.path, one.prepared) == (1, 1, None, None)
    assert (one.furthest, one.progress_at) == (0, NOW)
    assert ledger.claims.fix_path(one, "/vault/a.zip")
    ledger.claims.prepare(one, proof())
    asset = ledger.reader.asset(identity())
    assert asset is not None
    assert (asset.local, asset.sha256, asset.path, asset.proof) == (LocalState.FETCHING, "", "", None)
    two = taken(ledger, owner="other", now=LATER)
    assert (two.fence, two.attempts, two.path, two.prepared) == (2, 2, "/vault/a.zip", proof())


def test_as_many_as_there_is_room_for(ledger: Ledger) -> None:
    queued(ledger, *(f"c{n}" for n in range(5)))
    assert meetings(claims(ledger, 2)) == ["c0", "c1"]
    assert meetings(claims(ledger, 2)) == ["c2", "c3"]
    assert meetings(claims(ledger, 2)) == ["c4"]
    assert claims(ledger, 2) == ()


def test_no_account_gets_more_than_its_share(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2", "c3")
    queued(ledger, "d1", "d2", account="rooms")
    found = claims(ledger, 9, per_account=2)
    assert [str(one.identity) for one in found] == [
        "advice/c1/archive",
        "advice/c2/archive",
        "rooms/d1/archive",
        "rooms/d2/archive",
    ]
    assert claims(ledger, 9, per_account=2) == ()
    ledger.claims.step_back(found[0], "paused", NOW)
    assert meetings(claims(ledger, 9, per_account=2)) == ["c3"]


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


def test_a_stale_one_does_not_count_against_its_account(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    taken(ledger, owner="dead")
    assert meetings(claims(ledger, 9, now=LATER, per_account=1)) == ["c1"]  # the same again, and then it is full


def test_queued_waiting_and_stale_ones_stand_in_one_line(ledger: Ledger) -> None:
    """By position, whatever each of them is at the moment."""
    names = ["stale", "first", "waits", "second", "waits longer", "gone"]
    for number, name in enumerate(names):
        queued(ledger, name, deadline=at(NOW + number))
    by_name = {one.identity.meeting: one for one in claims(ledger, 9)}
    for name in ("first", "second"):
        ledger.claims.step_back(by_name[name], "queued", NOW)
    ledger.claims.fail(by_name["waits"], "x", NOW, LATER, attempts=1)
    ledger.claims.fail(by_name["waits longer"], "x", NOW, LATER + 1, attempts=1)
    ledger.claims.beat([beat(by_name["gone"])], LATER)
    assert meetings(claims(ledger, 9, "new", LATER, dead=frozenset({"me"}))) == [
        "stale",
        "first",
        "waits",
        "second",
        "gone",
    ]
    assert meetings(claims(ledger, 9, "new", LATER + 1)) == ["waits longer"]


def test_equal_positions_are_taken_in_the_order_they_came(ledger: Ledger) -> None:
    for name in ("c", "a", "b"):
        queued(ledger, name, deadline=at(NOW))
    assert meetings(claims(ledger, 9)) == ["c", "a", "b"]


def test_only_some(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2", "c3")
    assert claims(ledger, 9, only=frozenset()) == ()
    chosen = ledger.claims.ids([identity("c3"), identity("c2"), identity("unknown")])
    assert len(chosen) == 2
    assert meetings(claims(ledger, 9, only=chosen)) == ["c2", "c3"]
    assert meetings(claims(ledger, 9, "other", LATER, only=chosen)) == ["c2", "c3"]  # stale, and still only these


def test_nothing_is_written_when_nothing_is_due(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    queued(ledger, "c1", "c2", "c3", "c4")
    one, two, three, four = claims(ledger, 4)
    ledger.claims.fail(one, "x", NOW, NOW + 5, attempts=1)
    ledger.claims.fail(two, "x", NOW, None, attempts=1)
    ledger.claims.step_back(three, "paused", NOW)
    begun = written(ledger, monkeypatch)
    assert claims(ledger, 9, now=NOW + 4) == ()
    assert begun == []
    assert [one.attempts for one in claims(ledger, 9, now=NOW + 5)] == [2]
    assert begun == ["BEGIN"]
    assert four.identity == identity("c4")


def test_what_is_taken_changes_what_lists_show_once(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    number = ledger.change_number()
    assert len(claims(ledger, 9)) == 2
    assert ledger.change_number() == number + 1
    queued(ledger, "c3")
    number = ledger.change_number()
    assert claims(ledger, 9, per_account=2) == ()
    assert ledger.change_number() == number


def test_two_ledgers_never_give_the_same(tmp_path: Path, ledger: Ledger) -> None:
    other = Ledger(tmp_path / "data" / "ledger.db")
    queued(ledger, *(f"c{n}" for n in range(10)))
    given_out = [one.identity for _ in range(3) for each in (ledger, other) for one in claims(each, 2, per_account=99)]
    assert len(given_out) == len(set(given_out)) == 10
    other.close()


def test_what_is_left_to_do(ledger: Ledger) -> None:
    assert not ledger.claims.pending()
    queued(ledger, "c1", "c2")
    other = ledger.claims.ids([identity("c2")])
    assert ledger.claims.pending()
    one, two = claims(ledger, 2)
    ledger.claims.step_back(two, "paused", NOW)
    assert ledger.claims.pending()
    assert not ledger.claims.pending(other)
    ledger.claims.fail(one, "x", NOW, NOW + 9, attempts=1)
    assert ledger.claims.pending()
    ledger.claims.commit(taken(ledger, now=NOW + 9), proof(), NOW)
    assert not ledger.claims.pending()


# Who is gone


def test_a_running_transfer_is_nobody_elses_while_it_beats(ledger: Ledger) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    assert ledger.claims.owners() == {"me"}
    assert ledger.claims.beat([beat(one, 5, 10, 2.5)], NOW + 10) == {identity(): ""}
    assert claim(ledger, "other", NOW + 10 + STALE_AFTER_S) is None
    now = view(ledger)
    assert (now.received, now.total, now.rate, now.eta_s) == (5, 10, 2.5, 2.0)
    assert claim(ledger, "other", NOW + 11 + STALE_AFTER_S) is not None
    assert ledger.claims.owners() == {"other"}


def test_one_whose_owner_is_gone_is_taken_at_once(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    taken(ledger, owner="killed")
    living = taken(ledger, owner="living")
    assert claim(ledger, "other", NOW) is None
    again = taken(ledger, owner="other", now=NOW, dead=frozenset({"killed", "another"}))
    assert (again.identity, again.fence) == (identity("c1"), 2)
    assert claim(ledger, "other", NOW, dead=frozenset({"killed", "another"})) is None
    assert ledger.claims.beat([beat(living)], NOW) == {identity("c2"): ""}


def test_nobody_takes_its_own_for_stale(ledger: Ledger) -> None:
    """As after a machine slept: the first look may come before the first beat."""
    queued(ledger, "c1")
    one = taken(ledger)
    assert claim(ledger, now=NOW + 9_999) is None
    assert ledger.claims.beat([beat(one)], NOW + 9_999) == {identity(): ""}


def test_whoever_was_overtaken_can_do_nothing_more(ledger: Ledger) -> None:
    queued(ledger, "c1")
    old = taken(ledger)
    new = taken(ledger, owner="other", now=LATER)
    verbs = ledger.claims
    acts: list[Callable[[], object]] = [
        lambda: verbs.prepare(old, proof()),
        lambda: verbs.commit(old, proof(), LATER),
        lambda: verbs.fail(old, "x", LATER, None, attempts=1),
        lambda: verbs.fail(old, "x", LATER, LATER + 1, attempts=1),
        lambda: verbs.step_back(old, "queued", LATER),
        lambda: verbs.fix_path(old, "/vault/x.zip"),
    ]
    for act in acts:
        with pytest.raises(Overtaken):
            act()
    assert verbs.beat([beat(old)], LATER) == {identity(): "leave"}
    verbs.commit(new, proof(), LATER)
    with pytest.raises(Overtaken):
        verbs.commit(new, proof(), LATER)
    assert [event.what for event in ledger.reader.trail(identity())] == ["seen", "fetched"]


# Beats


def test_beats_of_all_are_one_transaction(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    queued(ledger, "fine", "pause", "cancel", "overtaken", "done")
    names = ("fine", "pause", "cancel", "overtaken", "done")
    running = dict(zip(names, claims(ledger, 9), strict=True))
    ledger.transfers.steer(identity("pause"), "pause", NOW)
    ledger.transfers.steer(identity("cancel"), "cancel", NOW)
    ledger.claims.beat([beat(one) for name, one in running.items() if name != "overtaken"], LATER)
    assert taken(ledger, owner="other", now=LATER).identity == identity("overtaken")
    ledger.claims.commit(running["done"], proof(), LATER)
    begun = written(ledger, monkeypatch)
    number = ledger.change_number()
    wishes = ledger.claims.beat([beat(one, 7, None, 3.5) for one in running.values()], LATER + 1)
    assert wishes == {
        identity("fine"): "",
        identity("pause"): "pause",
        identity("cancel"): "cancel",
        identity("overtaken"): "leave",
        identity("done"): "leave",
    }
    assert begun == ["BEGIN"]
    assert ledger.change_number() == number  # figures alone: no list is read anew for them
    assert (view(ledger, "fine").received, view(ledger, "fine").total, view(ledger, "fine").rate) == (7, None, 3.5)
    assert view(ledger, "overtaken").received == 0
    assert ledger.claims.beat([], LATER) == {}


@pytest.mark.parametrize(("wish", "end"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_reaches_whoever_runs_it(ledger: Ledger, wish: str, end: str) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    ledger.transfers.steer(identity(), wish, NOW)
    assert ledger.claims.beat([beat(one)], NOW) == {identity(): wish}
    ledger.transfers.steer(identity(), "resume", NOW)
    assert ledger.claims.beat([beat(one)], NOW) == {identity(): ""}
    ledger.transfers.steer(identity(), wish, NOW)
    ledger.claims.step_back(one, "queued", NOW)  # it ended for another reason meanwhile
    assert view(ledger).state == end


@pytest.mark.parametrize(("wish", "end"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_holds_when_the_attempt_fails(ledger: Ledger, wish: str, end: str) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    ledger.transfers.steer(identity(), wish, NOW)
    ledger.claims.fail(one, "no connection", NOW, NOW + 5, attempts=1)
    assert view(ledger).state == end
    assert claim(ledger, now=LATER) is None


@pytest.mark.parametrize("dead", [frozenset(), frozenset({"me"})])
@pytest.mark.parametrize(("wish", "end"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_outlives_its_owner(ledger: Ledger, wish: str, end: str, dead: frozenset[str]) -> None:
    queued(ledger, "c1")
    one = taken(ledger)
    ledger.transfers.steer(identity(), wish, NOW)
    number = ledger.change_number()
    now = NOW if dead else LATER
    assert claim(ledger, "other", now, dead=dead) is None
    assert view(ledger).state == end
    assert ledger.change_number() == number + 1
    with pytest.raises(Overtaken):
        ledger.claims.commit(one, proof(), now)


# Paths and ends


def test_paths_are_one_assets_alone(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    one, two = claims(ledger, 2)
    assert ledger.claims.fix_path(one, "/vault/a.zip")
    assert ledger.claims.fix_path(one, "/vault/a.zip")
    assert not ledger.claims.fix_path(two, "/vault/a.zip")
    assert ledger.claims.fix_path(two, "/vault/b.zip")


def test_a_commit(ledger: Ledger) -> None:
    record(ledger, archive("c1", size=99))
    hold(ledger, "c1")
    asset = ledger.reader.asset(identity())
    assert asset is not None
    assert (asset.local, asset.size, asset.sha256, asset.path) == (LocalState.HELD, 10, "ab" * 32, "/vault/c1.zip")
    assert asset.proof == proof()
    transfer = view(ledger)
    assert (transfer.state, transfer.received, transfer.total, transfer.words) == ("done", 10, 10, "zip complete")
    assert ledger.reader.totals().held_bytes == 10


def test_failing(ledger: Ledger) -> None:
    queued(ledger, "c1")
    ledger.claims.fail(taken(ledger), "no connection", NOW, NOW + 5, attempts=1)
    waits = view(ledger)
    assert (waits.state, waits.words, waits.again_at) == (TransferState.WAITING, "no connection", at(NOW + 5))
    asset = ledger.reader.asset(identity())
    assert asset is not None
    assert (asset.local, asset.error) == (LocalState.QUEUED, "")
    ledger.claims.fail(taken(ledger, now=NOW + 5), "not found", NOW, None, attempts=2)
    asset = ledger.reader.asset(identity())
    assert asset is not None
    assert (asset.local, asset.error) == (LocalState.ABSENT, "not found")
    assert (view(ledger).attempts, view(ledger).again_at) == (2, None)
    assert [event.words for event in ledger.reader.trail(identity())][1:] == ["not found"]
    assert ledger.reader.count(Query(faults=True)) == 1


def test_how_far_it_ever_got_is_kept(ledger: Ledger) -> None:
    queued(ledger, "c1")
    for moment, (reached, furthest, progress_at) in enumerate(
        [(0, 0, NOW), (500, 500, NOW + 1), (400, 500, NOW + 1), (0, 500, NOW + 1), (600, 600, NOW + 4)]
    ):
        one = taken(ledger, now=NOW + moment)
        ledger.claims.fail(one, "x", NOW + moment, NOW + moment, attempts=1, reached=reached)
        again = taken(ledger, now=NOW + moment)
        assert (again.furthest, again.progress_at) == (furthest, progress_at)
        ledger.claims.step_back(again, "queued", NOW + moment)
    ledger.transfers.steer(identity(), "cancel", NOW + 50)
    assert ledger.transfers.enqueue([identity()], NOW + 60)
    afresh = taken(ledger, now=NOW + 60)
    assert (afresh.furthest, afresh.progress_at, afresh.attempts) == (0, NOW + 60, 1)


def test_attempts_are_what_the_queue_counts(ledger: Ledger) -> None:
    queued(ledger, "c1")
    for attempts in (1, 2, 0, 5):
        ledger.claims.fail(taken(ledger), "x", NOW, NOW, attempts=attempts)
        assert view(ledger).attempts == attempts


@pytest.mark.parametrize("state", ["queued", "paused", "cancelled"])
def test_stepping_back_gives_the_attempt_back(ledger: Ledger, state: str) -> None:
    queued(ledger, "c1")
    ledger.claims.step_back(taken(ledger), state, NOW)
    assert (view(ledger).state, view(ledger).attempts, view(ledger).owner) == (state, 0, "")


def test_wrong_bytes_are_marked(ledger: Ledger) -> None:
    queued(ledger, "c1")
    ledger.claims.mark_wrong(taken(ledger))
    asset = ledger.reader.asset(identity())
    assert asset is not None
    assert asset.wrong


# Breaks


def test_nothing_of_an_account_is_started_during_its_break(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    queued(ledger, "d1", account="rooms")
    ledger.claims.hold("advice", Hold(NOW + 30, "the service answers HTTP 503", 1))
    assert ledger.claims.holds() == {"advice": Hold(NOW + 30, "the service answers HTTP 503", 1)}
    assert meetings(claims(ledger, 9, now=NOW + 29)) == ["d1"]
    waits = view(ledger)
    assert (waits.state, waits.words, waits.again_at) == ("queued", "the service answers HTTP 503", at(NOW + 30))
    counts = ledger.reader.account("advice")
    assert (counts.held_until, counts.held_words) == (at(NOW + 30), "the service answers HTTP 503")
    assert ledger.reader.account("rooms").held_until is None


def test_after_a_break_one_tries_and_the_others_follow_when_it_got_through(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2", "c3")
    ledger.claims.hold("advice", Hold(NOW + 30, "503", 1))
    trial = claims(ledger, 9, now=NOW + 30)
    assert meetings(trial) == ["c1"]
    assert claims(ledger, 9, now=NOW + 31) == ()
    ledger.claims.go_on(["advice"])
    assert ledger.claims.holds() == {}
    assert meetings(claims(ledger, 9, now=NOW + 31)) == ["c2", "c3"]


def test_a_trial_that_died_is_followed_by_another(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    ledger.claims.hold("advice", Hold(NOW, "503", 1))
    assert meetings(claims(ledger, 9, now=NOW)) == ["c1"]
    assert meetings(claims(ledger, 9, "other", LATER)) == ["c1"]


def test_one_that_began_before_the_break_is_no_trial(ledger: Ledger) -> None:
    """It may go on for hours; and the others are not kept from trying so long."""
    queued(ledger, "long")
    taken(ledger)
    queued(ledger, "c1", "c2")
    ledger.claims.hold("advice", Hold(NOW + 5, "503", 1))
    assert claims(ledger, 9, now=NOW + 4) == ()
    assert meetings(claims(ledger, 9, now=NOW + 5)) == ["c1"]
    assert claims(ledger, 9, now=NOW + 6) == ()


@pytest.mark.parametrize("put_back_s", [3_600, 7 * 86_400])
def test_a_clock_that_was_put_back_keeps_nothing_for_days(ledger: Ledger, put_back_s: float) -> None:
    """What waits for a moment waits a day at most, whatever the clock said when it was written down."""
    queued(ledger, "c1", "c2")
    ledger.claims.fail(taken(ledger), "503", NOW, NOW + 30, attempts=1)
    ledger.claims.hold("advice", Hold(NOW + 30, "503", 1))
    now = NOW - put_back_s
    found = meetings(claims(ledger, 9, now=now))
    assert found == ([] if put_back_s < 86_400 else ["c1"])  # as after a break: one tries


def test_a_break_of_everything(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    queued(ledger, "d1", account="rooms")
    ledger.claims.hold(EVERYTHING, Hold(NOW + 30, "no space", 1))
    assert claims(ledger, 9, now=NOW + 29) == ()
    assert view(ledger).words == "no space"
    assert meetings(claims(ledger, 9, now=NOW + 30)) == ["c1"]
    assert claims(ledger, 9, now=NOW + 31) == ()
    ledger.claims.go_on([EVERYTHING, "advice"])
    assert meetings(claims(ledger, 9, now=NOW + 31)) == ["c2", "d1"]


def test_holds_can_be_ignored(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    ledger.claims.hold("advice", Hold(NOW + 30, "503", 1))
    ledger.claims.hold(EVERYTHING, Hold(NOW + 30, "no space", 1))
    assert meetings(claims(ledger, 9, heed_holds=False)) == ["c1", "c2"]


def test_a_break_is_taken_anew(ledger: Ledger) -> None:
    ledger.claims.hold("advice", Hold(NOW + 30, "503", 1))
    ledger.claims.hold("advice", Hold(NOW + 90, "504", 2))
    assert ledger.claims.holds() == {"advice": Hold(NOW + 90, "504", 2)}


def test_what_a_transfer_waits_for_is_what_lasts_longest(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2", "c3", "c4")
    one, two, three, _ = claims(ledger, 4)
    ledger.claims.fail(one, "its own fault", NOW, NOW + 10, attempts=1)
    ledger.claims.fail(two, "its own fault", NOW, NOW + 60, attempts=1)
    ledger.claims.step_back(three, "paused", NOW)
    ledger.claims.hold("advice", Hold(NOW + 20, "503", 1))
    ledger.claims.hold(EVERYTHING, Hold(NOW + 30, "no space", 1))
    told = [(view(ledger, name).words, view(ledger, name).again_at) for name in ("c1", "c2", "c3", "c4")]
    assert told == [("no space", at(NOW + 30)), ("its own fault", at(NOW + 60)), ("", None), ("", None)]
    ledger.claims.go_on([EVERYTHING])
    assert (view(ledger).words, view(ledger).again_at) == ("503", at(NOW + 20))


def test_every_kind_in_line_has_its_index(tmp_path: Path, ledger: Ledger) -> None:
    """However long the queue is, taking looks at the first of each kind."""
    queued(ledger, "c1")
    connection = sqlite3.connect(tmp_path / "data" / "ledger.db")
    for state in ("queued", "waiting", "running"):
        sql = f"""EXPLAIN QUERY PLAN SELECT asset_id, account, position FROM transfers WHERE state = '{state}'
            ORDER BY position, asset_id LIMIT 1"""
        plan = " ".join(row[3] for row in connection.execute(sql))
        assert "transfers_state" in plan
        assert "TEMP B-TREE" not in plan
    connection.close()
