"""The ledger's verbs for hook secrets, as hashes alone; and what came without having been announced."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vault.world import World, archive
from vault.inbox.gate import digest
from vault.ledger import Ledger
from vault.ledger.hooks import GRACE_S, Hooks

A, B, C = (digest(letter * 20) for letter in "abc")
NOW = 1_000_000.0


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    ledger = Ledger(tmp_path / "ledger.db")
    yield ledger.hooks
    ledger.close()


def taken(hooks: Hooks, at: float, account: str = "a") -> frozenset[str]:
    return hooks.standing(at).get(account, frozenset())


def test_a_configured_one_is_adopted(hooks: Hooks) -> None:
    assert hooks.current("a") == ""
    hooks.adopt("a", A, NOW)
    hooks.adopt("a", A, NOW + 5)
    assert hooks.current("a") == A
    assert hooks.standing(NOW + 10**9) == {"a": frozenset({A})}


def test_a_new_one_in_the_configuration_replaces_it(hooks: Hooks) -> None:
    hooks.adopt("a", A, NOW)
    hooks.adopt("a", B, NOW + 5)
    assert hooks.current("a") == B
    assert taken(hooks, NOW + GRACE_S) == {A, B}
    assert taken(hooks, NOW + 5 + GRACE_S) == {B}, "not a second longer than an hour"


def test_one_that_was_replaced_stays_so(hooks: Hooks) -> None:
    """A process whose environment has the old one must not undo the rotation of another."""
    hooks.adopt("a", A, NOW)
    hooks.rotate("a", B, NOW)
    hooks.adopt("a", A, NOW + 60)
    hooks.adopt("a", A, NOW + 10 * GRACE_S)
    assert hooks.current("a") == B
    assert taken(hooks, NOW + 10 * GRACE_S) == {B}


def test_an_admitted_one_stands_beside_the_one_in_use(hooks: Hooks) -> None:
    hooks.adopt("a", A, NOW)
    hooks.admit("a", B, NOW)
    assert hooks.current("a") == A
    assert taken(hooks, NOW + GRACE_S - 1) == {A, B}
    assert taken(hooks, NOW + GRACE_S + 1) == {A}, "it lapses, the old one does not"
    hooks.rotate("a", B, NOW + 60)
    assert hooks.current("a") == B
    assert taken(hooks, NOW + 60 + GRACE_S - 1) == {A, B}
    assert taken(hooks, NOW + 60 + GRACE_S + 1) == {B}


def test_withdrawing(hooks: Hooks) -> None:
    hooks.adopt("a", A, NOW)
    hooks.admit("a", B, NOW)
    hooks.withdraw("a", B)
    assert hooks.current("a") == A
    assert taken(hooks, NOW) == {A}
    hooks.withdraw("a", A)
    assert hooks.current("a") == A, "the one in use is never withdrawn"


def test_rotating_to_the_one_in_use_does_not_end_it(hooks: Hooks) -> None:
    hooks.adopt("a", A, NOW)
    hooks.rotate("a", A, NOW)
    assert taken(hooks, NOW + 10 * GRACE_S) == {A}


def test_accounts_have_their_own(hooks: Hooks) -> None:
    hooks.adopt("a", A, NOW)
    hooks.adopt("b", B, NOW)
    hooks.rotate("a", C, NOW)
    hooks.withdraw("b", C)
    assert hooks.standing(NOW + GRACE_S + 1) == {"a": frozenset({C}), "b": frozenset({B})}
    assert (hooks.knows("a", A), hooks.knows("b", A)) == (True, False)


VERBS = st.lists(st.tuples(st.sampled_from(["adopt", "admit", "rotate", "withdraw"]), st.sampled_from([A, B, C])))


@settings(max_examples=60, deadline=None)
@given(VERBS)
def test_there_is_one_in_use_and_it_is_taken(
    tmp_path_factory: pytest.TempPathFactory, verbs: list[tuple[str, str]]
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.db")
    hooks, used = ledger.hooks, ""
    for step, (verb, sha256) in enumerate(verbs):
        now = NOW + step
        if verb == "withdraw":
            hooks.withdraw("a", sha256)
        else:
            getattr(hooks, verb)("a", sha256, now)
        before, used = used, hooks.current("a")
        assert bool(used) or not before, "once there is one in use, there always is"
        assert not used or used in taken(hooks, now + 10 * GRACE_S)
        if before and used != before:
            assert before in taken(hooks, now + GRACE_S - 1)
            assert before not in taken(hooks, now + GRACE_S + 1)
    ledger.close()


def test_no_secret_is_in_the_file(hooks: Hooks, tmp_path: Path) -> None:
    hooks.adopt("a", A, NOW)
    hooks.rotate("a", B, NOW)
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert B.encode() in held
    assert b"a" * 20 not in held
    assert b"b" * 20 not in held
    rows = sqlite3.connect(tmp_path / "ledger.db").execute("SELECT count(*) FROM hook_tokens").fetchone()
    assert rows == (2,)


# What came without having been announced


async def test_what_nothing_announced(it: World) -> None:
    it.emulator.add_archive("there-before")
    desk = it.desk()
    await desk.sync("advice")
    hooks = desk._ledger.hooks
    for name in ("x", "y", "z"):
        it.emulator.add_archive(name, title=f"Talk {name}")
    for delivery in it.emulator.deliveries_for("y"):
        await desk.take_in("advice", delivery)
    it.clock.skip(600)
    await desk.sync("advice")
    found = hooks.unannounced("advice", it.clock().timestamp() + 1, 10)
    assert {(one.identity, one.title) for one in found} == {
        (str(archive("x")), "Talk x"),
        (str(archive("z")), "Talk z"),
    }
    assert all(abs((one.found_at - it.clock()).total_seconds()) < 30 for one in found)
    assert len(hooks.unannounced("advice", it.clock().timestamp() + 1, 1)) == 1
    assert hooks.unannounced("advice", it.clock().timestamp() - 60, 10) == (), "a webhook may still come"
    assert hooks.unannounced("other", it.clock().timestamp() + 1, 10) == ()
    for delivery in it.emulator.deliveries_for("x"):
        await desk.take_in("advice", delivery)
    assert [one.identity for one in hooks.unannounced("advice", it.clock().timestamp() + 1, 10)] == [str(archive("z"))]
    await desk.aclose()
    desk.close()
