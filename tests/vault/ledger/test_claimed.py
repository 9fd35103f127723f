"""What is done with a claim: it beats, hears what is wished of it, and ends."""

import pytest

from tests.vault.ledger.filling import NOW, archive, at, claim, claims, hold, identity, proof, queued, record
from tests.vault.ledger.taking import LATER, beat, taken, view, written
from vault.errors import Overtaken
from vault.ledger import Ledger
from vault.views import LocalState, Query, TransferState

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
    assert [event.words for event in ledger.reader.trail(identity())][1:] == ["queued", "not found"]
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
