"""Who may come in, by the ledger's hashes, whichever process changed them."""

import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.emulation import Loopback
from providers.secret import Secret
from tests.vault.inbox.tenant import OLD, Tenant, gate_of, opens, tenant
from vault.desk import Desk
from vault.errors import LedgerError
from vault.inbox.gate import SECRET, SHORTEST, digest, doors_of, is_one_of
from vault.ledger import Ledger
from vault.secrets import variable

NEW = "new-secret-of-forty-characters-at-the-least"
MORE = """
[accounts.agents]
provider = "cronofy"
[accounts.rooms]
provider = "temasys"
base_url = "https://rooms.example"
[accounts.standup]
provider = "proconf"
base_url = "https://standup.example"
rooms = ["town-hall"]
[accounts.evening]
provider = "proconf"
base_url = "https://evening.example"
[accounts.calls]
provider = "huawei"
base_url = "https://calls.example"
agent_id = "1001"
"""


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> Tenant:
    made = tenant(net, tmp_path)
    made.more = MORE
    return made


@pytest.fixture
async def desk(it: Tenant) -> AsyncIterator[Desk]:
    async with it.desk() as opened:
        yield opened


def test_the_doors(it: Tenant, desk: Desk) -> None:
    doors = doors_of(desk.config.accounts)
    assert [(d.account, d.signs, d.is_catchup, d.subscribes, d.rooms) for d in doors] == [
        ("advice", False, False, True, ()),
        ("agents", True, False, False, ()),
        ("rooms", False, False, False, ()),
        ("standup", False, True, False, ("town-hall",)),
        ("evening", False, True, False, ()),
    ]


async def test_who_comes_in(it: Tenant, desk: Desk) -> None:
    gate = gate_of(desk, it.clock)
    await gate.open()
    assert await opens(gate, OLD)
    for token in (None, "", OLD[:-1], OLD + "x", OLD.upper(), digest(OLD), "\ud800", "ä" * 40):
        assert not await opens(gate, token), token
    for account in ("nobody", "", "standup", "calls", "ADVICE", "rooms"):
        assert not await opens(gate, OLD, account), account
    assert not await opens(gate, None, "nobody")


async def test_an_unknown_account_takes_as_long_as_a_wrong_secret(it: Tenant, desk: Desk) -> None:
    """Not one comparison less: whoever measures learns no account's name. Counted, and roughly timed."""
    gate = gate_of(desk, it.clock)
    await gate.open()

    def took(account: str) -> float:
        rounds = []
        for _ in range(31):
            began = time.perf_counter()
            for _ in range(200):
                assert gate._of_hook(account, NEW) is None
            rounds.append(time.perf_counter() - began)
        return statistics.median(rounds)

    known, unknown = took("advice"), took("nobody")
    assert 0.5 < known / unknown < 2.0


async def test_short_secrets_open_nothing(it: Tenant) -> None:
    it.secret = "x" * (SHORTEST - 1)
    it.extra = {variable("standup", SECRET): "short"}
    async with it.desk() as desk:
        gate = gate_of(desk, it.clock)
        await gate.open()
        assert not await opens(gate, it.secret)
        assert await gate.of_bearer("short") == ()
        assert not gate.tells_catchups
        assert desk._ledger.hooks.standing(0) == {}


async def test_a_rotation_by_another_process_is_seen_within_a_second(it: Tenant, desk: Desk) -> None:
    gate = gate_of(desk, it.clock)
    await gate.open()
    other = Ledger(desk.config.ledger_path)
    began = time.monotonic()
    other.hooks.rotate("advice", digest(NEW), it.clock().timestamp())
    while not await opens(gate, NEW):
        assert time.monotonic() - began < 1.0
    assert await opens(gate, OLD), "what is in flight"
    other.close()


async def test_the_previous_one_for_an_hour_by_the_clock_that_is_given(it: Tenant, desk: Desk) -> None:
    gate = gate_of(desk, it.clock)
    await gate.open()
    desk._ledger.hooks.rotate("advice", digest(NEW), it.clock().timestamp())
    for skipped, expected in ((3_590, True), (15, False)):
        it.clock.skip(skipped)
        await gate.reread()
        assert await opens(gate, OLD) is expected
        assert await opens(gate, NEW)


async def test_one_that_signs_needs_no_secret(it: Tenant, desk: Desk) -> None:
    gate = gate_of(desk, it.clock)
    await gate.open()
    assert await opens(gate, None, "agents")
    for token in ("", "anything-that-is-sixteen-long"):
        assert not await opens(gate, token, "agents")


async def test_one_that_signs_and_has_a_secret_needs_it(it: Tenant) -> None:
    it.extra = {variable("agents", SECRET): NEW}
    async with it.desk() as desk:
        gate = gate_of(desk, it.clock)
        await gate.open()
        assert await opens(gate, NEW, "agents")
        assert not await opens(gate, None, "agents")
        assert not await opens(gate, OLD, "agents")


async def test_bearers_of_several_accounts(it: Tenant) -> None:
    it.extra = {variable("standup", SECRET): NEW, variable("evening", SECRET): NEW}
    async with it.desk() as desk:
        gate = gate_of(desk, it.clock)
        await gate.open()
        assert gate.tells_catchups
        assert [door.account for door in await gate.of_bearer(NEW)] == ["standup", "evening"], "both have it"
        desk._ledger.hooks.rotate("evening", digest("evening-secret-of-its-own"), it.clock().timestamp())
        await gate.reread()
        assert [door.account for door in await gate.of_bearer("evening-secret-of-its-own")] == ["evening"]
        it.clock.skip(3_700)
        await gate.reread()
        assert [door.account for door in await gate.of_bearer(NEW)] == ["standup"]
        for token in ("", OLD, NEW[:-1]):
            assert await gate.of_bearer(token) == (), "a webhook's secret opens no catch-up"


async def test_no_account_tells_catchups(it: Tenant, desk: Desk) -> None:
    gate = gate_of(desk, it.clock)
    await gate.open()
    assert not gate.tells_catchups
    assert await gate.of_bearer("") == ()


async def test_an_account_whose_secret_cannot_be_read_is_closed_alone(it: Tenant, tmp_path: Path) -> None:
    readable = tmp_path / "secret"
    readable.write_text(NEW)
    readable.chmod(0o644)
    it.extra = {f"{variable('rooms', SECRET)}_FILE": str(readable)}
    async with it.desk() as desk:
        desk._ledger.hooks.adopt("rooms", digest(NEW), 1)
        gate = gate_of(desk, it.clock)
        await gate.open()
        assert list(gate.closed) == ["rooms"]
        assert "chmod 600" in gate.closed["rooms"]
        assert await opens(gate, OLD)
        assert not await opens(gate, NEW, "rooms")
        problems = {view.account: view.problem for view in await desk.webhooks.addresses()}
        assert problems["rooms"] == gate.closed["rooms"]
        assert problems["advice"] == ""


async def test_a_ledger_that_cannot_be_read_lets_no_stranger_in(
    it: Tenant, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = gate_of(desk, it.clock)
    await gate.open()

    def broken(now: float) -> dict[str, frozenset[str]]:
        raise LedgerError("the disk is gone")

    monkeypatch.setattr(desk._ledger.hooks, "standing", broken)
    gate._read_at = float("-inf")
    assert not await opens(gate, NEW)
    assert await opens(gate, OLD), "those who were known stay known"


def test_every_hash_is_compared() -> None:
    hashes = [digest(str(number)) for number in range(5)]
    assert is_one_of(digest("4"), hashes)
    assert is_one_of(digest("0"), hashes)
    assert not is_one_of(digest("5"), hashes)
    assert not is_one_of(digest("5"), [])


async def test_accounts_that_come_and_go_are_followed(it: Tenant, desk: Desk) -> None:
    """While a receiver runs: a new account's address opens within its next look, that of one that went does not."""
    gate = gate_of(desk, it.clock)
    await gate.open()
    options = {"base_url": "https://other.example"}
    secrets = {SECRET: Secret(NEW)}
    await desk.managing.add("other", "flexperto", options, secrets, for_run=True)
    assert not await opens(gate, NEW, "other")
    await gate.follow()
    assert await opens(gate, NEW, "other")
    await desk.managing.remove("other", forget_secrets=False)
    await gate.follow()
    assert not await opens(gate, NEW, "other")
    assert await opens(gate, OLD)
