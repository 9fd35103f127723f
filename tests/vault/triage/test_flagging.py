"""Flags, what follows from them, where files are to lie, and undoing."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from providers.models import AssetId, RemoteState
from tests.vault.world import World, archive
from vault import rules
from vault.desk import Desk
from vault.errors import VaultError
from vault.query import parse
from vault.triage.states import Flag, ReleaseState
from vault.views import AssetView, LocalState, Query

A, B, C = archive("a", "c1"), archive("b", "c1"), archive("c", "c2")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    """`a` and `b` of one conference, `c` of another, nothing held."""
    for identity in (A, B, C):
        it.emulator.add_archive(identity.variant, identity.meeting)
    opened = it.desk()
    await opened.sync("advice")
    yield opened
    await opened.aclose()
    opened.close()


def view(desk: Desk, identity: AssetId = A) -> AssetView:
    found = desk.asset(identity)
    assert found is not None
    return found


def fitting(desk: Desk, text: str) -> list[str]:
    """The meetings that the desk's filter finds, and the assets of those."""
    parsed = parse(text, now=desk.now())
    assert parsed.problems == ()
    rows = desk.page(parsed.query, 0, 10)
    assert desk.count(parsed.query) == len(rows)
    meetings = {asset.identity.meeting for asset in desk.assets(parsed.query)}
    assert meetings <= {row.meeting for row in rows}
    return sorted(row.meeting for row in rows)


# Flags


async def test_a_flag_with_its_note(it: World, desk: Desk) -> None:
    assert desk.flagging.set([A, C], Flag.HOLD, "court\x1b order") == "hold: 2 assets"
    [flag] = desk.flagging.of(A)
    assert (flag.flag, flag.note, flag.asset) == (Flag.HOLD, "court␛ order", A)
    assert "@" in flag.by
    assert abs(flag.at - it.clock()) < timedelta(seconds=10)
    assert view(desk).flags == {Flag.HOLD}
    assert view(desk).record()["flags"] == ["hold"]
    [row] = [row for row in desk.page(Query(), 0, 10) if row.meeting == "c1"]
    assert row.flags == {Flag.HOLD}
    event = desk.trail(A)[-1]
    assert (event.what, event.facts["flag"]) == ("flagged", "hold")
    assert desk.flagging.clear([A, B]) == "every flag taken off 1 asset"
    assert desk.flagging.of(A) == ()
    assert view(desk).flags == frozenset()
    assert desk.trail(A)[-1].what == "unflagged"


async def test_what_excludes_what(desk: Desk) -> None:
    desk.flagging.set([A], Flag.HOLD)
    desk.flagging.set([A], Flag.SKIP, "not ours")
    assert view(desk).flags == {Flag.HOLD, Flag.SKIP}
    desk.flagging.set([A], Flag.FORGET)
    assert view(desk).flags == {Flag.HOLD, Flag.FORGET}
    assert desk.flagging.clear([A], Flag.HOLD) == "hold taken off 1 asset"
    assert view(desk).flags == {Flag.FORGET}
    desk.flagging.set([A], Flag.WANT)
    assert view(desk).flags == {Flag.WANT}


async def test_what_is_not_known_cannot_be_flagged(desk: Desk) -> None:
    with pytest.raises(VaultError, match="is not known here"):
        desk.flagging.set([archive("x")], Flag.HOLD)
    with pytest.raises(VaultError, match="is not known here"):
        desk.flagging.clear([archive("x")])


async def test_found_by_the_filter(desk: Desk) -> None:
    desk.flagging.set([A], Flag.HOLD)
    desk.flagging.set([C], Flag.SKIP)
    assert fitting(desk, "flag:hold") == ["c1"]
    assert fitting(desk, "flag:hold,skip") == ["c1", "c2"]
    assert fitting(desk, "-flag:skip") == ["c1"]
    assert fitting(desk, "is:releasing") == []
    await desk.fetch_now(C)
    desk.releasing.ask([C], 60)
    assert fitting(desk, "is:releasing") == ["c2"]
    [row] = desk.page(parse("is:releasing", now=desk.now()).query, 0, 10)
    assert row.releasing
    desk.releasing.stop(C)
    assert fitting(desk, "is:releasing") == []


async def test_wanted_is_queued_now_or_as_soon_as_it_is_there(it: World, desk: Desk) -> None:
    it.emulator.add_archive("late", "c3", "PROCESSING")
    await desk.sync("advice")
    late = archive("late", "c3")
    assert desk.flagging.set([A, late], Flag.WANT) == "want: 2 assets; 1 queued"
    assert (view(desk).local, view(desk, late).local) == (LocalState.QUEUED, LocalState.ABSENT)
    it.emulator.set_status("late", "AVAILABLE")
    await desk.sync("advice")
    assert view(desk, late).local is LocalState.QUEUED
    assert view(desk, B).local is LocalState.ABSENT


async def test_what_is_left_is_not_fetched_and_not_at_risk(it: World, desk: Desk) -> None:
    for identity in (A, C):
        it.emulator.set_status(identity.variant, "ABANDONED")
    await desk.sync("advice")
    risk = Query(at_risk=True)
    assert [row.meeting for row in desk.page(risk, 0, 10)] == ["c1", "c2"] or desk.count(risk) == 2
    desk.flagging.set([A], Flag.SKIP)
    desk.flagging.set([C], Flag.FORGET)
    assert desk.count(risk) == 0
    assert list(desk.assets(risk)) == []
    assert desk.accounts()[0].at_risk == 0
    assert not rules.is_ready(view(desk, A))
    assert rules.is_ready(view(desk, B))
    desk.flagging.clear([A])
    assert desk.count(risk) == 1


async def test_an_account_that_fetches_by_itself_leaves_it(it: World, desk: Desk) -> None:
    it.options = "auto_fetch = true"
    it.emulator.add_archive("x", "c4", "PROCESSING")
    it.emulator.add_archive("y", "c5", "PROCESSING")
    auto = it.desk()
    await auto.sync("advice")
    x, y = archive("x", "c4"), archive("y", "c5")
    auto.flagging.set([x], Flag.SKIP)
    for name in ("x", "y"):
        it.emulator.set_status(name, "AVAILABLE")
    await auto.sync("advice")
    assert (view(auto, x).local, view(auto, y).local) == (LocalState.ABSENT, LocalState.QUEUED)
    await auto.aclose()
    auto.close()


async def test_what_is_forgotten_is_no_fault(it: World, desk: Desk) -> None:
    it.emulator.set_status("c", "FAILED", "disk full")
    await desk.sync("advice")
    faults = Query(faults=True)
    assert desk.count(faults) == 1
    desk.flagging.set([C], Flag.SKIP)
    assert desk.count(faults) == 1
    desk.flagging.set([C], Flag.FORGET)
    assert desk.count(faults) == len(list(desk.assets(faults))) == 0


async def test_a_hold_keeps_what_would_go_along(desk: Desk) -> None:
    for identity in (A, B):
        await desk.fetch_now(identity)
    desk.flagging.set([B], Flag.HOLD)
    assert desk.releasing.why_not(A) == (
        f"{B} keeps it from being released: it is on hold: it is never released, until the hold is taken off"
    )
    assert desk.releasing.ask([A]).refused[0][0] == A
    desk.flagging.clear([B])
    desk.releasing.ask([A])
    assert desk.flagging.set([B], Flag.HOLD) == "hold: 1 asset; 1 release stopped"
    found = desk.releasing.release_of(A)
    assert found is not None
    assert (found.state, found.words) == (ReleaseState.STOPPED, f"{B} is on hold")


# Where it will lie


async def test_the_destination_is_fixed_when_it_is_queued(it: World, desk: Desk) -> None:
    assert view(desk).destination == ""
    it.emulator.archives["a"].title = "Before"
    await desk.sync("advice")
    desk.enqueue([A])
    destination = view(desk).destination
    assert "Before [c1]/archive-a.zip" in destination
    assert view(desk).path == ""  # nothing lies there yet
    it.emulator.archives["a"].title = "After"
    await desk.sync("advice")
    await desk.new_queue().run(drain=True)
    assert view(desk).path == view(desk).destination == destination


async def test_two_that_would_lie_at_the_same_place(it: World) -> None:
    it.vault = 'template = "{kind}{variant}{meeting}.{ext}"'
    it.emulator.add_archive("x", "y")
    it.emulator.add_archive("xy", "")
    it.emulator.archives["xy"].conference_id = "-"
    desk = it.desk()
    await desk.sync("advice")
    chosen = [asset.identity for asset in desk.assets(Query())]
    desk.enqueue(chosen)
    places = {view(desk, identity).destination for identity in chosen}
    assert len(places) == 2
    assert all(places)
    await desk.aclose()
    desk.close()


# Undo


async def test_undoing_what_was_queued(it: World, desk: Desk) -> None:
    desk.enqueue([A, B])
    desk.enqueue([C])
    deed = desk.undoing.last()
    assert deed is not None
    assert (deed.what, deed.assets) == ("queued", (C,))
    assert desk.undoing.undo() == "undone: queued 1; 1 out of the queue"
    assert view(desk, C).local is LocalState.ABSENT
    await desk.new_queue().run(only=[A], drain=True)
    assert desk.undoing.undo() == ("undone: queued 2; 1 out of the queue; 1 had ended already: what was fetched stays")
    assert (view(desk, A).local, view(desk, B).local) == (LocalState.HELD, LocalState.ABSENT)
    assert desk.trail(B)[-1].what == "unqueued"
    with pytest.raises(VaultError, match="there is nothing to undo"):
        desk.undoing.undo()


async def test_undoing_flags_gives_back_what_was_there(desk: Desk) -> None:
    desk.flagging.set([A], Flag.SKIP, "first")
    before = desk.flagging.of(A)
    desk.flagging.set([A, B], Flag.WANT, "second")
    assert view(desk).local is LocalState.QUEUED
    assert desk.undoing.undo() == "undone: flag want for 2; 2 out of the queue; flags of 2 as before"
    assert desk.flagging.of(A) == before
    assert desk.flagging.of(B) == ()
    assert view(desk).flags == {Flag.SKIP}
    desk.flagging.clear([A])
    desk.undoing.undo()
    assert desk.flagging.of(A) == before


async def test_what_somebody_flagged_anew_is_left(it: World, desk: Desk) -> None:
    desk.flagging.set([A, B], Flag.SKIP)
    deed = desk.undoing.last()
    assert deed is not None
    desk.flagging.set([A], Flag.HOLD)
    assert desk.undoing.undo(deed.id) == "undone: flag skip for 2; flags of 1 as before; 1 flagged anew since: left"
    assert view(desk).flags == {Flag.SKIP, Flag.HOLD}
    with pytest.raises(VaultError, match="undone already"):
        desk.undoing.undo(deed.id)
    assert desk.undoing.undo() == "undone: flag hold for 1; flags of 1 as before"


async def test_undoing_a_release_from_another_process(it: World, desk: Desk) -> None:
    await desk.fetch_now(C)
    desk.releasing.ask([C])
    other = it.desk()
    deed = other.undoing.last()
    assert deed is not None
    assert (deed.what, deed.assets) == ("release", (C,))
    assert other.undoing.undo() == "undone: asked for 1 to be released; 1 not released"
    other.close()
    it.clock.skip(700)
    await desk.releasing.drain()
    assert it.emulator.abandon_calls == []


async def test_what_was_sent_cannot_be_undone(it: World, desk: Desk) -> None:
    await desk.fetch_now(C)
    desk.releasing.ask([C], 1)
    it.clock.skip(2)
    await desk.releasing.drain()
    with pytest.raises(VaultError, match="not undone: asked for 1 to be released; 1 cannot be stopped any more: sent"):
        desk.undoing.undo()
    assert desk.undoing.last() is None
    assert view(desk, C).state is RemoteState.ABANDONED


async def test_only_ones_own_and_only_of_today(it: World, desk: Desk) -> None:
    desk.flagging.set([A], Flag.SKIP)
    assert desk._ledger.deeds.last("eve@elsewhere", it.clock().timestamp()) is None
    assert desk._ledger.undoing.undo("eve@elsewhere", it.clock().timestamp()) is None
    it.clock.skip(86_400)
    assert desk.undoing.last() is None


async def test_what_is_fetched_at_once_is_no_deed(desk: Desk) -> None:
    await desk.fetch_now(A)
    await desk.fetch_now(B)
    await desk.release(A)
    assert desk.undoing.last() is None
