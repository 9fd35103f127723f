"""The engine: commands from any thread, frozen snapshots, and clean ends."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.base import SessionLost
from providers.emulation import Blob, Loopback
from providers.models import Capability
from tests.providers.huawei.box import box as huawei_box
from tests.vault.test_killed import stored_zip
from tests.vault.test_syncing import _desk_over
from tests.vault.world import World, archive, until_true
from vault import behind
from vault import engine as engines
from vault.desk import Desk
from vault.engine import Engine, Snapshot
from vault.errors import LedgerError, VaultError
from vault.ledger.claiming import Terms
from vault.ledger.deliveries import Receipt
from vault.transfers import pouring
from vault.views import DeliveryState, LocalState, Query, TransferState

A, B = archive("a"), archive("b")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "LOOK_S", 0.02)
    monkeypatch.setattr(engines, "REST_S", 0.02)
    monkeypatch.setattr(engines, "WATCH_AGAIN_S", 0.02)
    monkeypatch.setattr(behind, "AGAIN_S", 0.02)
    monkeypatch.setattr(pouring, "BLOCK_S", 0.05)


class Running:
    """An engine on its thread."""

    def __init__(self, desk: Desk, **knobs: Any) -> None:
        self.desk = desk
        self.engine = Engine(desk, **knobs)
        self.thread = threading.Thread(target=self.engine.run)

    def __enter__(self) -> "Running":
        self.thread.start()
        until_true(lambda: self.engine.snapshot().online)
        return self

    def __exit__(self, *exc: object) -> None:
        self.engine.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert not self.engine.snapshot().online

    def do(self, call: Callable[[Desk], Any]) -> Any:
        return self.engine.do(call).result(10)

    def until(self, condition: Callable[[Snapshot], Any]) -> Snapshot:
        until_true(lambda: condition(self.engine.snapshot()))
        return self.engine.snapshot()


@pytest.fixture
def desk(it: World) -> Iterator[Desk]:
    opened = it.desk()
    yield opened
    opened.close()


def test_it_syncs_at_the_start_and_fetches_what_is_queued(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", blob=stored_zip(100_000, 1))
    with Running(desk) as running:
        running.until(lambda snapshot: snapshot.revision and desk.asset(A))
        assert desk.enqueue([A]) == (A,)
        snapshot = running.until(lambda s: s.transfers and s.transfers[0].state is TransferState.DONE)
        assert snapshot.active == ()
        asset = desk.asset(A)
        assert asset is not None
        assert asset.local is LocalState.HELD


def test_a_quiet_engine_keeps_its_snapshot(it: World, desk: Desk) -> None:
    with Running(desk, sync_at_start=False) as running:
        first = running.until(lambda s: s.revision)
        looks = threading.Event()
        version, seen = desk.data_version, []

        def counted() -> int:
            seen.append(1)
            if len(seen) > 5:
                looks.set()
            return version()

        desk.data_version = counted  # type: ignore[method-assign]  # to see that it looks
        assert looks.wait(10)
        assert running.engine.snapshot() is first
        it.emulator.add_archive("a")
        running.do(lambda d: d.sync("advice"))
        changed = running.until(lambda s: s is not first and s.revision > first.revision)
        assert changed.online


def test_an_engine_at_rest_asks_the_ledger_nothing(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with Running(desk, sync_at_start=False) as running:
        running.until(lambda s: s.revision)
        quiet, asked, version = threading.Event(), list[str](), desk.data_version

        def looked() -> int:
            asked.append("a look")
            if asked[-10:] == ["a look"] * 10:
                quiet.set()
            return version()

        def noted(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                asked.append(name)
                return verb(*args)

            return call

        ledger = desk._ledger
        for verbs, name in ((ledger.claims, "is_due"), (ledger.deliveries, "take"), (ledger.index, "fill")):
            monkeypatch.setattr(verbs, name, noted(name, getattr(verbs, name)))
        desk.data_version = looked  # type: ignore[method-assign]  # to see that nothing but it is asked
        assert quiet.wait(10), asked


def test_what_another_process_queues_or_receives_is_begun(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", blob=stored_zip(100_000, 1))
    other = it.desk()
    with Running(desk) as running:
        running.until(lambda snapshot: snapshot.revision and desk.asset(A))
        assert other.enqueue([A]) == (A,)
        running.until(lambda s: s.transfers and s.transfers[0].state is TransferState.DONE)
        [delivery] = it.emulator.deliveries_for("a")
        kept = Receipt("advice", "k", "topic", "signed", "redacted", "digest", delivery, "192.0.2.1", 0.0)
        other._ledger.deliveries.keep([kept])
        until_true(lambda: [each.state for each in desk.webhooks.deliveries()] == [DeliveryState.DONE])
    other.close()


def test_what_came_is_indexed_behind(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", title="Annual Review")
    with Running(desk) as running:
        running.until(lambda snapshot: snapshot.revision and desk.asset(A))
        with desk._ledger._database.read() as connection:
            until_true(lambda: connection.execute("SELECT count(*) FROM unindexed").fetchone()[0] == 0)
            found = "SELECT count(*) FROM found WHERE found MATCH 'annual'"
            assert connection.execute(found).fetchone()[0] == 1


def test_a_sync_is_stopped_and_what_came_is_kept(it: World, desk: Desk) -> None:
    for number in range(60):
        it.emulator.add_archive(f"a{number}", blob=Blob(10))
    it.emulator.envelope, it.emulator.page_size = "data", 2
    it.emulator.faults.latency_s = 0.05
    with Running(desk, sync_at_start=False) as running:
        syncing = running.engine.do(lambda d: running.engine.sync("advice"))
        running.until(lambda s: desk.totals().meetings >= 4)
        assert running.do(lambda d: running.engine.stop_sync("advice"))
        assert syncing.result(10) == "advice: stopped; what came until then is kept"
        kept = desk.totals().meetings
        assert 4 <= kept < 60
        assert not running.do(lambda d: running.engine.stop_sync("advice"))
        running.until(lambda s: not s.syncing)
        it.emulator.faults.latency_s = 0.0
        assert running.do(lambda d: running.engine.sync("advice")) == f"advice: 60 meetings, {60 - kept} new"


def test_progress_and_rates(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", blob=stored_zip(500_000, 1))
    it.emulator.faults.bytes_per_s = 400_000
    with Running(desk) as running:
        running.until(lambda s: desk.asset(A))
        desk.enqueue([A])
        snapshot = running.until(lambda s: s.rate > 0)
        assert snapshot.active[0].asset == A
        received = snapshot.transfers[0].received
        running.until(lambda s: s.transfers[0].received > received)
        it.emulator.faults.bytes_per_s = None
        desk.cancel(A)
        running.until(lambda s: s.transfers[0].state is TransferState.CANCELLED)


def test_pause_and_resume(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", blob=stored_zip(500_000, 1))
    it.emulator.faults.bytes_per_s = 400_000
    with Running(desk) as running:
        running.until(lambda s: desk.asset(A))
        desk.enqueue([A])
        running.until(lambda s: s.rate > 0)
        desk.pause(A)
        running.until(lambda s: s.transfers[0].state is TransferState.PAUSED)
        it.emulator.faults.bytes_per_s = None
        desk.resume(A)
        running.until(lambda s: s.transfers[0].state is TransferState.DONE)


def test_stopping_in_the_middle_and_going_on(it: World) -> None:
    it.emulator.add_archive("a", blob=stored_zip(500_000, 1))
    it.emulator.faults.bytes_per_s = 400_000
    desk = it.desk()
    with Running(desk) as running:
        running.until(lambda s: desk.asset(A))
        desk.enqueue([A])
        running.until(lambda s: s.transfers and s.transfers[0].received > 100_000)
    view = desk.transfer(A)
    assert view is not None
    assert view.state is TransferState.QUEUED
    desk.close()
    it.emulator.faults.bytes_per_s = None
    desk = it.desk()
    with Running(desk, sync_at_start=False) as running:
        running.until(lambda s: s.transfers and s.transfers[0].state is TransferState.DONE)
    assert len(it.downloads()) == 2
    desk.close()


def test_calls(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a")
    engine = Engine(desk, sync_at_start=False)
    with Running(desk, sync_at_start=False) as running:
        engine = running.engine
        assert running.do(lambda d: d.sync("advice")).new == 1
        with pytest.raises(VaultError, match="there is no account"):
            running.do(lambda d: d.sync("other"))
        waiting = engine.do(lambda d: asyncio.sleep(60))
        desk.queued()
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result(1)
    with pytest.raises(VaultError, match="the engine is not running"):
        engine.do(lambda d: d.sync("advice")).result(1)
    engine.stop()


def test_a_fetch_that_was_asked_for_ends_cleanly_with_the_engine(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", blob=stored_zip(500_000, 1))
    it.emulator.faults.bytes_per_s = 400_000
    with Running(desk) as running:
        running.until(lambda s: desk.asset(A))
        asked = running.engine.do(lambda d: d.fetch_now(A))
        running.until(lambda s: s.transfers and s.transfers[0].received > 100_000)
    assert asked.cancelled()
    view = desk.transfer(A)
    assert view is not None
    assert (view.state, view.owner) == (TransferState.QUEUED, "")


def test_stopped_before_it_began(desk: Desk) -> None:
    engine = Engine(desk)
    engine.stop()
    engine.run()
    with pytest.raises(VaultError, match="not running"):
        engine.do(lambda d: d.sync("advice")).result(1)


def test_syncs_come_in_words(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a")
    with Running(desk, sync_at_start=False) as running:
        engine = running.engine
        assert running.do(lambda d: engine.sync("advice")) == "advice: 1 meetings, 1 new"
        it.emulator.faults.status = 503
        assert "503" in running.do(lambda d: engine.sync("advice"))
        it.emulator.faults.status = None
        it.emulator.faults.latency_s = 0.5
        first = engine.do(lambda d: engine.sync("advice"))
        running.until(lambda s: s.syncing == {"advice"})
        assert running.do(lambda d: engine.sync("advice")) == "advice is being synced already"
        assert first.result(10) == "advice: 1 meetings, 0 new"
        running.until(lambda s: not s.syncing)


def test_syncs_again_and_again(it: World) -> None:
    it.write()
    text = (it.folder / "config.toml").read_text().replace("poll_s = 0", "poll_s = 0.05")
    (it.folder / "config.toml").write_text(text)
    desk = Desk.open(it.environ, now=it.clock)
    with Running(desk, sync_at_start=False) as running:
        running.until(lambda s: len(it.emulator.faults.seen) > 3)
        it.emulator.add_archive("late")
        running.until(lambda s: desk.count(Query()) == 1)
    desk.close()


def test_trouble_is_told_until_it_is_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = threading.Event()
    broken.set()
    is_due = desk._ledger.claims.is_due

    def is_due_when_it_works(terms: Terms, now: float) -> bool:
        if broken.is_set():
            raise LedgerError("the ledger cannot be used: disk I/O error")
        return is_due(terms, now)

    monkeypatch.setattr(desk._ledger.claims, "is_due", is_due_when_it_works)
    with Running(desk, sync_at_start=False) as running:
        running.until(lambda s: "disk I/O error" in s.trouble)
        broken.clear()
        running.until(lambda s: not s.trouble)


def test_a_ledger_that_cannot_be_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = threading.Event()
    version = desk.data_version

    def data_version() -> int:
        if broken.is_set():
            raise LedgerError("the ledger cannot be used: gone")
        return version()

    monkeypatch.setattr(desk, "data_version", data_version)
    with Running(desk, sync_at_start=False) as running:
        running.until(lambda s: s.revision)
        broken.set()
        running.until(lambda s: "gone" in s.trouble)
        broken.clear()
        running.until(lambda s: not s.trouble)


# Watched accounts


def huawei(net: Loopback, folder: Path, watch: bool) -> Desk:
    box = huawei_box(net)
    options = box.settings.options
    lines = [f"agent_id = '{options['agent_id']}'", f"phone = '{options['phone']}'", f"watch = {str(watch).lower()}"]
    return _desk_over(folder, "calls", "huawei", options["base_url"], box.secrets, *lines, "poll_s = 0")


def test_watched_accounts_are_watched_again_after_a_fault(
    net: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = huawei(net, tmp_path, watch=True)
    watch, lost = desk.watch, threading.Event()

    async def once_lost(account: str) -> None:
        if not lost.is_set():
            lost.set()
            raise SessionLost("the agent was signed out")
        await watch(account)

    monkeypatch.setattr(desk, "watch", once_lost)
    with Running(desk) as running:
        running.until(lambda s: desk.count(Query()))
        assert lost.is_set()
        assert [event.what for asset in desk.assets(Query()) for event in desk.trail(asset.identity)]
        until_true(lambda: desk.accounts()[0].error == "")
    desk.close()


def test_a_session_is_not_kept_longer_than_it_is_used(
    net: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "IDLE_S", 0.1)
    desk = huawei(net, tmp_path, watch=False)
    rested: list[str] = []
    rest = desk.rest

    async def noted(account: str) -> None:
        rested.append(account)
        await rest(account)

    monkeypatch.setattr(desk, "rest", noted)
    with Running(desk) as running:
        running.do(lambda d: running.engine.sync("calls"))
        until_true(lambda: rested)
    assert Capability.WATCH in desk.capabilities("calls")
    desk.close()


def test_an_empty_snapshot() -> None:
    assert (Snapshot().rate, Snapshot().active, Snapshot().online) == (0, (), False)
