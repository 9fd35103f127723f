"""The receiver when the ledger, the disk or a secret is not as it should be, and when too much comes in."""

import asyncio
import contextlib
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vault.inbox.house import ADVICE, AGENTS, BEARER, ROOMS, TOKENS, House
from tests.vault.world import until
from vault.errors import VaultError
from vault.inbox.binding import Listening
from vault.inbox.gate import digest
from vault.inbox.views import ReceiverState
from vault.views import DeliveryState, Query


async def test_a_ledger_that_is_locked_is_a_503_and_nothing_is_lost(house: House) -> None:
    async with house.receiving() as it:
        one = house.services.agent()
        other = sqlite3.connect(it.desk.config.ledger_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        said = await it.post(AGENTS, one)
        assert (said.status, int(said.headers["retry-after"])) == (503, 5)
        other.execute("ROLLBACK")
        other.close()
        assert (await it.post(AGENTS, one)).status in (204, 200)
        [kept] = await it.processed()
        assert kept.state is DeliveryState.DONE


async def test_a_delivery_can_be_processed_again(house: House) -> None:
    async with house.receiving() as it:
        assert (await it.post(AGENTS, house.services.agent())).status == 204
        [kept] = await it.processed()
        assert it.desk.webhooks.replay(kept.id)
        it.worker.nudge()
        await until(lambda: it.deliveries()[0].outcome == "brought its state up to date")
        assert not it.desk.webhooks.replay(kept.id + 1)


async def test_what_waited_is_processed_at_the_next_start(house: House) -> None:
    async with house.receiving(process=False) as it:
        assert (await it.post(AGENTS, house.services.agent())).status == 204
        assert (await it.post(ROOMS, house.services.recording())).status == 204
        assert {d.state for d in it.deliveries()} == {DeliveryState.WAITING}
    async with house.receiving() as it:
        assert {d.state for d in await it.processed()} == {DeliveryState.DONE}
        assert len(list(it.desk.assets(Query()))) == 5


async def test_too_many_that_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.inbox.receiver.MAX_WAITING", 1)
    async with house.receiving(process=False) as it:
        assert (await it.post(AGENTS, house.services.agent(1))).status == 204
        await until(lambda: it.receiver.view().words)
        assert (await it.post(AGENTS, house.services.agent(2))).status == 503
        assert (await it.ask("GET", "/healthz")).status == 503


async def test_who_guesses_is_slowed_down(house: House) -> None:
    house.options[""] = "[receiver]\nrate_per_s = 50\n"
    async with house.receiving() as it:
        statuses = [(await it.ask("POST", f"/hooks/advice/{number:040d}")).status for number in range(30)]
        assert statuses[0] == 404
        assert statuses[-1] == 429
        assert it.receiver.view().refused["429 too many"] == statuses.count(429)


async def test_the_log_tells_nothing_secret(house: House) -> None:
    async with house.receiving() as it:
        await it.post(AGENTS, house.services.agent())
        await it.post(ROOMS, house.services.recording())
        await it.post(f"/hooks/advice/{'w' * 40}", house.services.archive("a"))
        await it.ask("GET", "/callCatchUp/town-hall", BEARER)
        await it.processed()
    told = repr(house.entries)
    assert len(house.entries) == 4
    for secret in (*TOKENS.values(), "w" * 40, house.services.cronofy.api_key, "X-Amz", "/hooks", "town-hall"):
        assert secret not in told


async def test_another_process_that_receives_is_named(house: House) -> None:
    async with house.receiving() as it:
        port = int(it.receiver.view().address.rpartition(":")[2])
        second = it.desk.webhooks.new_receiver(Listening("127.0.0.1", port, None, None))
        with pytest.raises(VaultError, match=r"another process of this ledger receives: .*:\d+ on http://127.0.0.1"):
            await second.run()
        assert second.view().state is ReceiverState.ELSEWHERE
    taken = socket.create_server(("127.0.0.1", 0))
    third = it.desk.webhooks.new_receiver(Listening("127.0.0.1", taken.getsockname()[1], None, None))
    with taken, pytest.raises(VaultError):
        await third.run()
    assert third.view().state is ReceiverState.FAILED


async def test_another_process_on_another_port_is_no_reason(house: House) -> None:
    """What is wrong here was hidden behind it."""
    async with house.receiving() as it:
        missing = house.folder / "missing.pem"
        second = it.desk.webhooks.new_receiver(Listening("127.0.0.1", 0, missing, missing))
        with pytest.raises(VaultError, match="there is no file"):
            await second.run()
        assert second.view().state is ReceiverState.FAILED


async def test_a_secret_that_another_process_rotated_is_looked_up_again(house: House) -> None:
    newer, file = "n" * 40, house.folder / "token"
    file.touch(0o600)
    file.write_text(TOKENS["rooms"])
    house.secrets |= {
        "REELDESK_SECRET_ROOMS_HOOK_SECRET": "",
        "REELDESK_SECRET_ROOMS_HOOK_SECRET_FILE": str(file),
    }
    async with house.receiving() as it:
        [rooms] = [view for view in await it.desk.webhooks.addresses() if view.account == "rooms"]
        assert rooms.address is not None
        assert rooms.address.reveal().endswith(TOKENS["rooms"])
        it.desk._ledger.hooks.rotate("rooms", digest(newer), house.clock().timestamp())
        file.write_text(newer)
        [rooms] = [view for view in await it.desk.webhooks.addresses() if view.account == "rooms"]
        assert rooms.address is not None
        assert rooms.address.reveal().endswith(newer)


async def test_an_account_whose_secret_cannot_be_read_keeps_nobody_else_out(house: House) -> None:
    file = house.folder / "token"
    file.write_text("t" * 40)
    file.chmod(0o644)
    house.secrets |= {
        "REELDESK_SECRET_ROOMS_HOOK_SECRET": "",
        "REELDESK_SECRET_ROOMS_HOOK_SECRET_FILE": str(file),
    }
    async with house.receiving() as it:
        assert (await it.post(f"/hooks/rooms/{'t' * 40}", house.services.recording())).status == 404
        assert (await it.post(AGENTS, house.services.agent())).status == 204
        [rooms] = [view for view in await it.desk.webhooks.addresses() if view.account == "rooms"]
        assert "can be read by others" in rooms.problem


@pytest.fixture
def small_disk(house: House) -> Iterator[Path]:
    """A disk of 16 MiB under the ledger."""
    data = house.folder / "data"
    data.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(data)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.decode().strip()}")
    yield data
    subprocess.run(["umount", "-l", str(data)], check=True)


def fill(disk: Path) -> Path:
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return disk / "filler"


async def test_a_full_disk_is_a_503_until_there_is_room(house: House, small_disk: Path) -> None:
    async with house.receiving() as it:
        assert (await it.post(AGENTS, house.services.agent(1))).status == 204
        await it.processed()
        filler = fill(small_disk)
        statuses = {(await it.post(AGENTS, house.services.agent(number))).status for number in range(2, 40)}
        assert 503 in statuses <= {204, 503}
        filler.unlink()
        for number in range(2, 40):
            assert (await it.post(AGENTS, house.services.agent(number))).status in (200, 204)
        await until(lambda: len(found := it.deliveries()) == 39 and {d.state for d in found} == {DeliveryState.DONE})


async def test_an_answer_on_a_kept_connection_does_not_wait(house: House) -> None:
    async with house.receiving() as it:
        took = []
        for _ in range(20):
            began = time.monotonic()
            await it.ask("GET", "/healthz")
            took.append(time.monotonic() - began)
        # Nagle's algorithm against a delayed acknowledgement costs 40 ms each time.
        assert sorted(took)[len(took) // 4] < 0.03


async def test_a_body_sent_byte_by_byte_is_cut_off(house: House) -> None:
    async with house.receiving() as it:
        host, _, port = it.receiver.view().address.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /hooks/agents HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                writer.write(b"1\r\na\r\n" * 1_000)
                await writer.drain()
            assert await reader.read() == b"", "no answer: the connection is gone"
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        assert (await it.post(AGENTS, house.services.agent())).status == 204


async def test_an_account_whose_service_is_slow_leaves_room_for_the_others(house: House) -> None:
    async with house.receiving(process=False) as it:
        for number in range(70):
            assert (await it.post(ADVICE, house.services.archive(f"a{number}"))).status == 204
        assert (await it.post(AGENTS, house.services.agent())).status == 204
    house.services.flexperto.faults.latency_s = 30.0
    async with house.receiving() as it:
        await until(lambda: any(d.account == "agents" and d.state is DeliveryState.DONE for d in it.deliveries()))


async def test_a_fault_of_ours_is_not_told_as_being_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house.receiving() as it:
        monkeypatch.setattr(it.receiver.gate, "reread", lambda: 1 / 0)
        await until(lambda: it.receiver.view().state is ReceiverState.FAILED)
        assert it.receiver.view().words == "a fault of reeldesk ended it; switch it on again"
