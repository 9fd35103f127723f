"""Releases and what comes after them, carried out by an engine that runs by itself; and by two at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from providers.models import AssetId
from tests.vault.world import World, archive, until, until_true
from vault.desk import Desk
from vault.engine import Engine
from vault.triage.states import Flag, ReleaseState

A = archive("a", "c1")
DAY = 86_400.0


@contextmanager
def running(desk: Desk) -> Iterator[Engine]:
    engine = Engine(desk, sync_at_start=False)
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        yield engine
    finally:
        engine.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
async def desk(it: World) -> Desk:
    """A desk with `a` held; whoever uses it closes it."""
    it.emulator.add_archive("a", "c1")
    desk = it.desk()
    await desk.sync("advice")
    await desk.fetch_now(A)
    await desk.aclose()
    return desk


def path_of(desk: Desk) -> Path:
    asset = desk.asset(A)
    assert asset is not None
    return Path(asset.path)


def ended(desk: Desk, identity: AssetId = A) -> ReleaseState | None:
    view = desk.releasing.release_of(identity)
    return view.state if view is not None and view.state.ended else None


async def test_sent_by_the_engine_when_it_is_due(it: World, desk: Desk) -> None:
    with running(desk):
        [asked] = desk.releasing.ask([A], 0.5).release
        assert await until(lambda: ended(desk)) is ReleaseState.CONFIRMED
    view = desk.releasing.release_of(A)
    assert view is not None
    assert view.sent_at is not None
    assert view.sent_at >= asked.due_at
    assert [call.id for call in it.emulator.abandon_calls] == ["c1"]
    desk.close()


async def test_another_desk_asks_and_this_engine_sends(it: World, desk: Desk) -> None:
    other = it.desk()
    with running(desk):
        other.releasing.ask([A], 0.2)
        assert await until(lambda: ended(other)) is ReleaseState.CONFIRMED
    assert len(it.emulator.abandon_calls) == 1
    other.close()
    desk.close()


async def test_two_engines_on_one_ledger_send_once(it: World, desk: Desk) -> None:
    for number in range(8):
        it.emulator.add_archive(f"b{number}", f"k{number % 4}")
    others = [archive(f"b{number}", f"k{number % 4}") for number in range(8)]
    await desk.sync("advice")
    await desk.fetch_all(others)
    await desk.aclose()
    second = it.desk()
    with running(desk), running(second):
        desk.releasing.ask(others[::2], 0.3)
        second.releasing.ask(others[1::2], 0.3)
        await until(lambda: all(ended(desk, each) for each in others), 20)
    assert sorted(call.id for call in it.emulator.abandon_calls) == ["k0", "k1", "k2", "k3"]
    assert {ended(desk, each) for each in others} == {ReleaseState.CONFIRMED}
    second.close()
    desk.close()


async def test_a_hold_from_elsewhere_stops_one_that_waits(it: World, desk: Desk) -> None:
    other = it.desk()
    with running(desk):
        desk.releasing.ask([A], 30)
        other.flagging.set([A], Flag.HOLD, "court order 12")
        assert await until(lambda: ended(desk)) is ReleaseState.STOPPED
    assert it.emulator.abandon_calls == []
    other.close()
    desk.close()


async def test_a_service_whose_answer_never_came(it: World, desk: Desk) -> None:
    """It deleted all the same: the record decides, and nothing is sent a second time."""
    it.emulator.faults.status = None
    original = it.emulator._abandon

    def abandon(*args: object) -> object:
        original(*args)  # type: ignore[arg-type]
        raise ConnectionResetError

    it.emulator._abandon = abandon  # type: ignore[method-assign, assignment]
    with running(desk):
        desk.releasing.ask([A], 0)
        assert await until(lambda: ended(desk), 20) is ReleaseState.CONFIRMED
    assert len(it.emulator.abandon_calls) == 1
    desk.close()


# After a release


@pytest.fixture
async def released(it: World, desk: Desk) -> Desk:
    await desk.release(A)
    await desk.aclose()
    return desk


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


async def test_the_copy_is_read_again_a_day_before_the_end(it: World, released: Desk) -> None:
    desk = released
    [receipt] = desk.releasing.counting_down()
    assert receipt.deadline is not None
    assert 2.9 * DAY < (receipt.deadline - it.clock()).total_seconds() <= 3 * DAY
    await desk.releasing.look_after()
    it.clock.skip(2 * DAY - 60)
    await desk.releasing.look_after()
    assert desk.releasing.receipts()[0].rechecked_at is None
    it.clock.skip(61)
    await desk.releasing.look_after()
    [receipt] = desk.releasing.receipts()
    assert receipt.rechecked_at is not None
    assert "SHA-256 as proven" in receipt.recheck
    assert [event.what for event in desk.trail(A)][-2:] == ["verified", "rechecked"]
    assert desk.releasing.trouble == ""
    desk.close()


async def test_a_rule_of_ones_own_is_not_when_the_service_deletes_it(it: World) -> None:
    it.options = "keep_days_at_service = 1"
    it.emulator.add_archive("a", "c1")
    desk = it.desk()
    await desk.sync("advice")
    await desk.fetch_now(A)
    await desk.release(A)
    asset = desk.asset(A)
    [receipt] = desk.releasing.counting_down()
    assert asset is not None
    assert asset.deadline is not None
    assert receipt.deadline is not None
    assert (receipt.deadline - asset.deadline).total_seconds() > DAY
    assert (receipt.deadline - receipt.confirmed_at).total_seconds() > 2.9 * DAY
    await desk.releasing.look_after()
    assert desk.releasing.receipts()[0].rechecked_at is None
    await desk.aclose()
    desk.close()


@pytest.mark.parametrize("harm", [spoil, Path.unlink], ids=["damaged", "lost"])
async def test_a_copy_that_is_not_whole_is_fetched_again_in_time(
    it: World, released: Desk, harm: Callable[[Path], None]
) -> None:
    desk = released
    harm(path_of(desk))
    it.clock.skip(2 * DAY + 10)
    it.emulator.now = lambda: it.clock().timestamp()
    with running(desk):
        await until(lambda: desk.releasing.receipts()[0].recheck)
        await until(lambda: (found := desk.asset(A)) and found.local == "held", 20)
    [receipt] = desk.releasing.receipts()
    assert receipt.rechecked_at is None  # it is read again, once more, since this one was not well
    it.clock.skip(700)
    await desk.releasing.look_after()
    assert desk.releasing.receipts()[0].rechecked_at is not None
    assert desk.releasing.trouble == ""
    desk.close()


async def test_trouble_is_told_while_it_cannot_be_fetched_again(it: World, released: Desk) -> None:
    desk = released
    spoil(path_of(desk))
    it.clock.skip(2 * DAY + 10)
    await desk.releasing.look_after()
    assert f"not held whole here any more: {A}" in desk.releasing.trouble
    assert "deletes it for good" in desk.releasing.trouble
    transfer = desk.transfer(A)
    assert transfer is not None
    assert transfer.state == "queued"
    desk.cancel(A)
    it.clock.skip(700)
    await desk.releasing.look_after()
    transfer = desk.transfer(A)
    assert transfer is not None
    assert transfer.state == "cancelled"  # a person said no
    desk.close()


async def test_nothing_is_looked_after_once_it_is_gone_for_good(it: World, released: Desk) -> None:
    desk = released
    it.emulator.now = lambda: it.clock().timestamp()
    it.clock.skip(4 * DAY)
    await desk.sync("advice")
    await desk.releasing.look_after()
    assert desk.releasing.receipts()[0].rechecked_at is None
    assert desk.releasing.counting_down() == ()
    await desk.aclose()
    desk.close()


async def test_a_disk_that_cannot_be_read_is_tried_again(it: World, released: Desk) -> None:
    desk, path = released, path_of(released)
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    it.clock.skip(2 * DAY + 10)
    await desk.releasing.look_after()
    await desk.releasing.look_after()
    assert "is no file" in desk.releasing.receipts()[0].recheck
    assert [event.what for event in desk.trail(A)].count("recheck failed") == 1
    path.rmdir()
    path.write_bytes(content)
    it.clock.skip(601)
    await desk.releasing.look_after()
    assert desk.releasing.receipts()[0].rechecked_at is not None
    desk.close()


def test_nothing_to_wait_for(it: World) -> None:
    desk = it.desk()
    with running(desk) as engine:
        until_true(lambda: engine.snapshot().online)
        assert engine.snapshot().trouble == ""
    desk.close()


def test_trouble_of_the_worker_itself_is_told_and_passes(it: World) -> None:
    desk = it.desk()
    workers = it.folder / "data" / "workers"
    workers.write_text("in the way")
    with running(desk) as engine:
        until_true(lambda: "cannot be written" in engine.desk.releasing.trouble)
        workers.unlink()
        until_true(lambda: engine.desk.releasing.trouble == "")
    desk.close()
