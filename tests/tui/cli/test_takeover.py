"""`work --drain --handed-over`: what a desk hands over is heard, waited for, and fetched to the end of the queue."""

import asyncio
import io
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.huawei.emulator import HuaweiEmulator
from providers.models import AssetId
from tests.providers.huawei.box import AGENT, PASSWORD, PHONE, emulator, past_call
from tests.tui.cli.conftest import Place, Reeldesk
from tests.tui.cli.test_process import run
from tests.vault.world import until, until_true
from tui.commandline.output import Output
from tui.commandline.takeover import drain, finish, hand_over, rest_idle_accounts
from vault.desk import Desk
from vault.handover import NotHandedOver
from vault.views import LocalState, Query

ENDS_S = 60.0
A1 = AssetId.parse("advice/c1/archive.a1")


def log_of(place: Place) -> str:
    return (place.root / "data" / "work.log").read_text("utf-8")


async def synced(account: str) -> Desk:
    desk = Desk.open(os.environ)
    await desk.sync(account)
    await desk.aclose()
    return desk


@pytest.fixture
def desk(advice: FlexpertoEmulator) -> Iterator[Desk]:
    """A desk that knows the tenant's archives and has queued the one that can be had; nothing runs."""
    with closing(asyncio.run(synced("advice"))) as opened:
        assert opened.enqueue([A1]) == (A1,)
        advice.faults.seen.clear()
        yield opened


@contextmanager
def taken_over(desk: Desk) -> Iterator["subprocess.Popen[bytes]"]:
    process = hand_over(desk, os.environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        let_go(process)


def let_go(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()


def local(desk: Desk, identity: AssetId = A1) -> LocalState:
    asset = desk.asset(identity)
    assert asset is not None
    return asset.local


def downloads(advice: FlexpertoEmulator) -> list[str]:
    return [line for line in advice.faults.seen if line.endswith("/download")]


def test_the_queue_is_ended_without_a_sync_once_the_desk_has_let_go(
    place: Place, advice: FlexpertoEmulator, desk: Desk
) -> None:
    with taken_over(desk) as process:
        assert not advice.faults.seen, "as long as the desk lives, its transfers are its own"
        let_go(process)
        assert process.wait(ENDS_S) == 0
    assert local(desk) is LocalState.HELD
    assert len(downloads(advice)) == 1
    assert not [line for line in advice.faults.seen if line.endswith("/conference-archive")], "nothing is synced"
    assert "took over 1 transfer" in log_of(place)
    assert "the queue is empty: 1 fetched, 0 failed" in log_of(place)
    assert advice.api_key not in log_of(place)


def test_what_fails_is_named_in_the_log(place: Place, advice: FlexpertoEmulator, desk: Desk) -> None:
    advice.faults.status = 403
    with taken_over(desk) as process:
        let_go(process)
        assert process.wait(ENDS_S) == 1
    transfer = desk.transfer(A1)
    assert transfer is not None
    assert f"{A1}: {transfer.words}" in log_of(place)
    assert "the queue is empty: 0 fetched, 1 failed" in log_of(place)


def test_it_has_a_desk_s_patience(advice: FlexpertoEmulator, desk: Desk) -> None:
    advice.faults.status, advice.faults.retry_after = 503, "1"
    with taken_over(desk) as process:
        let_go(process)
        until_true(lambda: desk.accounts()[0].held_until or process.poll() is not None, ENDS_S)
        assert process.poll() is None, "it waits until the service answers again"
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_S) == 143
    assert local(desk) is LocalState.QUEUED


def test_two_at_once_fetch_nothing_twice(advice: FlexpertoEmulator, place: Place) -> None:
    for number in range(4, 12):
        advice.add_archive(f"a{number}", f"c{number}")
    with closing(asyncio.run(synced("advice"))) as desk:
        ready = [asset.identity for asset in desk.assets(Query()) if asset.identity in desk.enqueue([asset.identity])]
        assert len(ready) == 9
        with taken_over(desk) as one, taken_over(desk) as other:
            let_go(one)
            let_go(other)
            assert {one.wait(ENDS_S), other.wait(ENDS_S)} == {0}
        assert {local(desk, identity) for identity in ready} == {LocalState.HELD}
        assert len(downloads(advice)) == len(set(downloads(advice))) == 9


def test_a_hang_up_is_not_heard_and_a_sigterm_stops_cleanly(
    place: Place, advice: FlexpertoEmulator, desk: Desk
) -> None:
    advice.faults.bytes_per_s = 20_000
    with taken_over(desk) as process:
        let_go(process)
        until_true(lambda: list((place.root / "vault").rglob("*.part")), ENDS_S)
        process.send_signal(signal.SIGHUP)
        until_true(lambda: (view := desk.transfer(A1)) and view.received, ENDS_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_S) == 143
    assert local(desk) is LocalState.QUEUED
    assert list((place.root / "vault").rglob("*.part"))


def test_a_configuration_that_is_gone_is_the_answer(place: Place, desk: Desk) -> None:
    (place.root / "config.toml").unlink()
    with pytest.raises(NotHandedOver, match=r"config\.toml: there is no such file"):
        hand_over(desk, os.environ)


def test_nobody_types_it(place: Place, reeldesk: Reeldesk) -> None:
    refused = run("work", "--drain", "--handed-over")
    assert refused.returncode == 1
    assert "nothing was handed over: only a desk that is left starts this" in refused.stdout + refused.stderr
    assert "handed-over" not in reeldesk("work", "--help").out


# In this process ------------------------------------------------------------------------------------------------------


async def test_a_desk_that_does_not_end_is_not_waited_for_for_ever(advice: FlexpertoEmulator, place: Place) -> None:
    ours, theirs = os.pipe()
    said = io.StringIO()
    try:
        with closing(await synced("advice")) as desk:
            desk.enqueue([A1])
            assert await finish(desk, Output(stderr=said), descriptor=ours, let_go_s=0.05) == 0
            assert local(desk) is LocalState.HELD
    finally:
        os.close(ours)
        os.close(theirs)
    assert "the desk has not ended; its transfers are taken as it lets go of them" in said.getvalue()


async def test_a_fault_of_this_machine_is_waited_out(advice: FlexpertoEmulator, place: Place) -> None:
    said: list[str] = []
    with closing(await synced("advice")) as desk:
        desk.enqueue([A1])
        in_the_way = place.root / "data" / "workers"
        in_the_way.write_text("a file where a folder must be")
        draining = asyncio.create_task(drain(desk.new_queue(), said.append, again_s=0.01))
        await until(lambda: len(said) > 3)
        assert local(desk) is LocalState.QUEUED
        in_the_way.unlink()
        await asyncio.wait_for(draining, ENDS_S)
        assert local(desk) is LocalState.HELD
        await desk.aclose()
    assert str(in_the_way) in said[0]


async def test_an_agent_s_seat_is_given_back_while_other_accounts_go_on(
    place: Place, net: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway: HuaweiEmulator = emulator()
    gateway.add_call(past_call())
    options = {"provider": "huawei", "base_url": net.serve(gateway), "agent_id": AGENT, "phone": PHONE, "watch": True}
    place.configure({"calls": options})
    monkeypatch.setenv("REELDESK_SECRET_CALLS_PASSWORD", PASSWORD)
    with closing(await synced("calls")) as desk:
        desk.enqueue([next(desk.assets(Query())).identity])
        queue = desk.new_queue()
        gateway.faults.seen.clear()
        await queue.run(drain=True)
        assert not signed_out(gateway), "others of its transfers could follow at once"
        ended = asyncio.Event()
        resting = asyncio.create_task(rest_idle_accounts(desk, queue, ended, every_s=0.05))
        await until(lambda: signed_out(gateway))
        ended.set()
        await asyncio.wait_for(resting, ENDS_S)
        await desk.aclose()


def signed_out(gateway: HuaweiEmulator) -> bool:
    return any(line.startswith("DELETE") and line.endswith("/logout") for line in gateway.faults.seen)
