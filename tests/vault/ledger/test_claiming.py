"""The queue as workers see it: who may fetch what, and in which order."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.vault.ledger.filling import NOW, archive, at, claim, claims, identity, proof, queued, record
from tests.vault.ledger.taking import LATER, beat, meetings, taken, view, written
from vault.errors import Overtaken
from vault.ledger import Ledger
from vault.ledger.claiming import STALE_AFTER_S, Claims
from vault.views import LocalState

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


def test_what_was_chosen_stays_so_while_a_sync_writes_on_the_same_thread(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2", "c3")
    chosen = ledger.claims.ids([identity("c2"), identity("c3")])
    assert ledger.claims.pending(chosen)
    record(ledger, archive("c4"))
    assert meetings(claims(ledger, 9, only=chosen)) == ["c2", "c3"]


def test_more_than_fit_into_one_statement(ledger: Ledger) -> None:
    """As SQLite is built by default; some systems' takes more."""
    with ledger.claims._database.read() as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
    queued(ledger, "c1", "c2", "c3")
    known = ledger.claims.ids(identity(f"c{number}") for number in range(2, 40_002))
    assert len(known) == 2
    many = known | frozenset(range(1_000_000, 1_040_000))
    assert meetings(claims(ledger, 9, only=many)) == ["c2", "c3"]
    assert ledger.claims.pending(many)
    assert not ledger.claims.pending(many - known)
    assert claims(ledger, 9, only=many) == ()
    assert meetings(claims(ledger, 9)) == ["c1"]


def test_each_run_has_its_own_choice(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever others choose, on this thread or another; and what was chosen outlives a transaction that failed."""
    queued(ledger, "c1", "c2", "c3")

    def refuses(*args: object) -> None:
        raise Overtaken("another process took over this transfer")

    first, second, third = (ledger.claims.ids([identity(name)]) for name in ("c1", "c2", "c3"))
    with ThreadPoolExecutor(1) as pool:
        assert meetings(claims(ledger, 9, only=first)) == ["c1"]
        assert meetings(pool.submit(claims, ledger, 9, only=second).result()) == ["c2"]
        with monkeypatch.context() as patch:
            patch.setattr(Claims, "_take", refuses)
            with pytest.raises(Overtaken):
                claims(ledger, 9, only=third)
        assert ledger.claims.pending(third)
        assert pool.submit(claims, ledger, 9, only=first).result() == ()
        assert meetings(claims(ledger, 9, only=third)) == ["c3"]


def test_what_was_chosen_is_heard_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with every claim: of 100,000 that would take longer than many a transfer."""
    queued(ledger, *(f"c{number}" for number in range(5)))
    every = ledger.claims.ids(identity(f"c{number}") for number in range(5))
    said: list[str] = []
    with ledger.claims._database.read() as connection:
        connection.set_trace_callback(said.append)
        taken_one_by_one = [meetings(claims(ledger, 1, only=every)) for _ in range(5)]
        connection.set_trace_callback(None)
    assert taken_one_by_one == [["c0"], ["c1"], ["c2"], ["c3"], ["c4"]]
    assert len([statement for statement in said if "json_each" in statement]) == 1


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
    assert [event.what for event in ledger.reader.trail(identity())] == ["seen", "queued", "fetched"]


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
