"""Bringing assets home on request: what is queued, in which order it is fetched, and what is said of it in the end."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from providers.emulation import Faults
from providers.models import Asset, AssetId, AssetKind, Listing
from tests.vault.test_killed import stored_zip
from tests.vault.world import World, archive, until
from vault.desk import Desk
from vault.errors import VaultError
from vault.fetching import Fetching
from vault.ledger.claiming import Terms
from vault.views import LocalState, TransferState, TransferView

A, B, C, D = (archive(name) for name in "abcd")
UNKNOWN = archive("unknown")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    """One transfer at a time, so that there is an order."""
    it.vault = "workers = 1"
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


@pytest.fixture
def fetching(desk: Desk) -> Fetching:
    return desk._fetching


async def learn(it: World, desk: Desk, *names: str) -> None:
    for number, name in enumerate(names):
        it.emulator.add_archive(name, blob=stored_zip(50_000, number))
    await desk.sync("advice")


def state(desk: Desk, identity: AssetId) -> TransferState | None:
    found = desk.transfer(identity)
    return found.state if found else None


def fetched(it: World) -> list[str]:
    """The archives that were asked for, in this order."""
    return [line.split("/")[-2] for line in it.downloads()]


def hold(it: World, desk: Desk, identity: AssetId) -> Callable[[], None]:
    """Another process fetches it; what is given ends that, in failure."""
    ledger = desk._ledger
    (claim,) = ledger.claims.take(terms(desk, identity), it.clock().timestamp(), 1)
    return lambda: ledger.claims.fail(claim, "theirs failed", it.clock().timestamp(), None, attempts=1)


def terms(desk: Desk, identity: AssetId) -> Terms:
    return Terms("elsewhere:1:other", 9, desk._ledger.claims.ids([identity]))


# Queueing


async def test_only_what_can_be_had_now_is_queued(it: World, desk: Desk, fetching: Fetching) -> None:
    it.emulator.add_archive("p", status="PROCESSING")
    await learn(it, desk, "a", "b")
    assert fetching.enqueue([B, archive("p"), UNKNOWN, A, A]) == (B, A)
    assert fetching.enqueue([A, B]) == ()
    assert [state(desk, one) for one in (A, B, archive("p"), UNKNOWN)] == ["queued", "queued", None, None]


async def test_first_in_line_when_it_is_asked_for(it: World, desk: Desk, fetching: Fetching) -> None:
    await learn(it, desk, "a", "b", "c", "d")
    fetching.enqueue([A, B])
    fetching.enqueue([D, C], first=True)
    assert [view.asset for view in desk.transfers()] == [D, C, A, B]


# Why not


async def test_why_not(it: World, desk: Desk, fetching: Fetching) -> None:
    it.emulator.add_archive("p", status="PROCESSING")
    await learn(it, desk, "a", "b")
    fetching.check(A)
    await desk.fetch_now(B)
    for identity, words in (
        (archive("p"), "the service is still making it"),
        (B, "it is held already"),
        (UNKNOWN, "is not known here; `reeldesk sync advice` asks the service"),
    ):
        with pytest.raises(VaultError, match=words) as refused:
            fetching.check(identity)
        assert refused.value.words.startswith(str(identity))


async def test_queued_already_is_no_reason(it: World, desk: Desk, fetching: Fetching) -> None:
    await learn(it, desk, "a")
    fetching.enqueue([A])
    fetching.check(A)
    let_go = hold(it, desk, A)
    assert state(desk, A) is TransferState.RUNNING
    fetching.check(A)
    let_go()
    fetching.check(A)


# Outcomes


async def test_the_outcome_of_what_is_held_is_the_asset(it: World, desk: Desk, fetching: Fetching) -> None:
    await learn(it, desk, "a")
    await desk.fetch_all([A])
    asset = fetching.outcome(A)
    assert (asset.identity, asset.local) == (A, LocalState.HELD)


async def test_the_outcome_of_anything_else_is_why_not(it: World, desk: Desk, fetching: Fetching) -> None:
    await learn(it, desk, "a", "b", "c")
    it.emulator.archive_faults["a"] = Faults(status=403)
    fetching.enqueue([B])
    fetching.enqueue([A], first=True)
    await desk.new_queue().run(only=[A], drain=True)
    desk.cancel(B)
    for identity, words in (
        (A, rf"^{A}: .*HTTP 403"),
        (B, f"^{B}: cancelled$"),
        (C, f"^{C}: it was not queued$"),
        (UNKNOWN, "is not known here"),
    ):
        with pytest.raises(VaultError, match=words):
            fetching.outcome(identity)


# Seeing them through


async def all_of(
    desk: Desk, *identities: AssetId, on_progress: Callable[[TransferView], None] | None = None
) -> list[AssetId]:
    """Fetch them, and give them in the order in which they ended."""
    ended: list[AssetId] = []
    await desk._fetching.fetch_all(desk.new_queue(), identities, on_progress, ended.append)
    return ended


async def test_in_the_order_of_the_request_and_before_what_was_queued(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b", "c", "d")
    desk.enqueue([A])
    assert await all_of(desk, D, B, C, D) == [D, B, C]
    assert fetched(it) == ["d", "b", "c"]
    assert state(desk, A) is TransferState.QUEUED


async def test_each_end_is_told_once_however_it_ended(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b", "c")
    await desk.fetch_now(C)
    it.emulator.archive_faults["a"] = Faults(status=403)
    assert await all_of(desk, A, C, UNKNOWN, B) == [A, B, C, UNKNOWN], "what had nothing to do comes at the end"
    assert fetched(it) == ["c", "a", "b"]
    assert [state(desk, one) for one in (A, B, UNKNOWN)] == ["failed", "done", None]


async def test_what_was_paused_goes_on(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    desk.enqueue([A, B])
    desk.pause(A)
    desk.pause(B)
    assert await all_of(desk, A) == [A]
    assert (state(desk, A), state(desk, B)) == ("done", "paused")


async def test_what_another_process_fetches_is_waited_for(it: World, desk: Desk) -> None:
    """And told of when it ends there."""
    await learn(it, desk, "a", "b")
    desk.enqueue([A])
    let_go = hold(it, desk, A)
    waiting = asyncio.create_task(all_of(desk, A, B))
    await until(lambda: state(desk, B) is TransferState.DONE)
    assert not waiting.done()
    let_go()
    assert await asyncio.wait_for(waiting, 10) == [B, A]
    assert fetched(it) == ["b"]
    with pytest.raises(VaultError, match="theirs failed"):
        desk.outcome(A)


async def test_progress_is_told_of_what_runs(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.fetching.PROGRESS_S", 0.01)
    await learn(it, desk, "a", "b")
    it.emulator.faults.bytes_per_s = 200_000
    desk.enqueue([B])
    told: list[TransferView] = []
    assert await all_of(desk, A, on_progress=told.append) == [A]
    assert {view.asset for view in told} == {A}
    assert {view.total for view in told} <= {None, it.emulator.archives["a"].blob.size}
    assert len({view.received for view in told}) > 1


async def test_a_dashboard_is_never_fetched(it: World, desk: Desk, fetching: Fetching) -> None:
    await learn(it, desk, "a")
    dashboard = Asset(A.meeting, AssetKind.DASHBOARD)
    desk._syncing.record("advice", Listing((), (dashboard,)), authoritative=False)
    identity = AssetId("advice", A.meeting, AssetKind.DASHBOARD)
    assert fetching.enqueue([identity]) == ()
    with pytest.raises(VaultError, match="never fetched"):
        fetching.check(identity)
