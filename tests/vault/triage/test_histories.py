"""Generated histories: no release without a complete proof, none for other bytes, no broken chain.

`HYPOTHESIS_PROFILE=soak` plays 500 of them, each of up to 15 steps.
"""

import contextlib
import itertools
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from providers.emulation import Loopback
from providers.models import AssetId
from tests.vault.triage.histories import KINDS, Judge, Play, broken_link, template
from tests.vault.world import archive
from vault.errors import VaultError
from vault.triage.states import Flag, ReleaseState

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
EXAMPLES, STEPS = (500, 15) if SOAK else (25, 8)
TROUBLES = (
    *("other", "short", "gone", "touched", "appears", "changes", "nonsense", "hold", "elsewhere", "killed", "early"),
    "nothing",
)
NAMES = ("a", "b", "c", "d")
CONFERENCE = {"a": "k1", "b": "k1", "c": "k2", "d": "k3"}

seldom = st.sampled_from([False, False, True])
names, desks, kinds = st.sampled_from(NAMES), st.integers(0, 1), st.integers(0, KINDS - 1)


def of(name: str) -> AssetId:
    return archive(name, CONFERENCE[name])


class History(RuleBasedStateMachine):
    """What operators, two desks, the disk and the service do, in any order."""

    def __init__(self, judge: Judge, folder: Path, empty: Path) -> None:
        super().__init__()
        folder.mkdir()
        self.play = Play(judge, folder, empty)
        self.judge = judge

    def teardown(self) -> None:
        try:
            self._end_well()
        finally:
            self.play.close()

    def _end_well(self) -> None:
        """The service answers, time passes: nothing stays open, and each that was told has its receipt."""
        self.judge.faults.status = None
        for _ in range(2):
            self.play.it.clock.skip(1_000)
            self.play.attempt(self.play.desks[0].releasing.drain())
        assert self.play.desks[0].releasing.due() == ()
        self.nothing_is_wrong()
        report = self.play.desks[0].custody.check_log()  # rows, too, say what the log says
        assert report.whole, report.breaks
        receipts = {receipt.asset for receipt in self.play.desks[0].releasing.receipts()}
        for identity in receipts:
            assert self.judge.archive(identity.variant).status in ("ABANDONED", "EXPIRED")
        for call in self.judge.abandon_calls:
            assert any(identity.meeting == call.id for identity in receipts), f"{call.id} has no receipt"

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert self.judge.wrong == []
        assert all(call.status == 200 for call in self.judge.abandon_calls)
        assert broken_link(self.judge.ledger) is None

    @initialize(kind=kinds, held=st.sampled_from([NAMES, NAMES, NAMES, NAMES[:1], NAMES[1:], ()]))
    def begins(self, kind: int, held: tuple[str, ...]) -> None:
        """Mostly with everything held: what matters comes after that."""
        for name in held:
            self.play.add(name, CONFERENCE[name], kind)
        self.fetches(0, set(held))

    # The service

    @rule(name=names, kind=kinds)
    def appears(self, name: str, kind: int) -> None:
        if name not in self.judge.archives:
            self.play.add(name, CONFERENCE[name], kind)

    @rule(name=names, kind=kinds, really=seldom)
    def changes(self, name: str, kind: int, really: bool) -> None:
        if really and name in self.judge.archives:
            self.play.replace(name, kind)

    @rule(name=names, really=seldom)
    def states_nonsense(self, name: str, really: bool) -> None:
        if really and name in self.judge.archives:
            self.judge.archives[name].stated_sha256 = "ab" * 32

    @rule(name=names, really=seldom)
    def is_abandoned_elsewhere(self, name: str, really: bool) -> None:
        if really and name in self.judge.archives and self.judge.archive(name).status == "AVAILABLE":
            self.judge.advance(name)

    @rule(down=seldom)
    def goes_down_or_up(self, down: bool) -> None:
        self.judge.faults.status = 503 if down else None

    # The disk

    @rule(name=names, how=st.sampled_from(["other", "short", "gone", "touched"]))
    def is_damaged(self, name: str, how: str) -> None:
        path = self.play.path(of(name))
        if path is None:
            return
        content = path.read_bytes()
        if how == "gone":
            path.unlink()
        elif content:
            path.write_bytes({"other": content[:-1] + b"?", "short": content[:-1], "touched": content}[how])

    # Operators

    @rule(desk=desks)
    def syncs(self, desk: int) -> None:
        self.play.attempt(self.play.desks[desk].sync("advice"))

    @rule(desk=desks, chosen=st.sets(names, min_size=1))
    def fetches(self, desk: int, chosen: set[str]) -> None:
        self.play.attempt(self.play.desks[desk].sync("advice"))
        known = [of(name) for name in sorted(chosen) if self.play.desks[desk].asset(of(name)) is not None]
        self.play.attempt(self.play.desks[desk].fetch_all(known))

    @rule(desk=desks, name=names)
    def verifies(self, desk: int, name: str) -> None:
        self.play.attempt(self.play.desks[desk].verify(of(name)))

    @rule(desk=desks, chosen=st.sets(names, min_size=1), grace=st.sampled_from([0.0, 5.0, 600.0]))
    def asks(self, desk: int, chosen: set[str], grace: float) -> None:
        self.play.desks[desk].releasing.ask([of(name) for name in sorted(chosen)], grace)

    @rule(desk=desks, name=names)
    def releases_at_once(self, desk: int, name: str) -> None:
        self.play.attempt(self.play.desks[desk].release(of(name)))

    @rule(desk=desks, name=names)
    def stops(self, desk: int, name: str) -> None:
        if self.play.desks[desk].releasing.stop(of(name)):
            view = self.play.desks[desk].releasing.release_of(of(name))
            assert view is not None
            assert (view.state, view.sent_at) == (ReleaseState.STOPPED, None)

    @rule(desk=desks, name=names, flag=st.sampled_from([Flag.HOLD, Flag.SKIP, None, None]))
    def flags(self, desk: int, name: str, flag: Flag | None) -> None:
        chosen = self.play.desks[desk]
        if chosen.asset(of(name)) is None:
            return
        if flag is None:
            chosen.flagging.clear([of(name)])
        else:
            chosen.flagging.set([of(name)], flag)

    @rule(desk=desks)
    def undoes(self, desk: int) -> None:
        before = self.play.desks[desk].undoing.last()
        with contextlib.suppress(VaultError):  # there is nothing, or it is over
            self.play.desks[desk].undoing.undo()
        assert before is None or self.play.desks[desk].undoing.last() != before

    # Time and processes

    @rule(seconds=st.sampled_from([1, 10, 601, 100_000]))
    def time_passes(self, seconds: int) -> None:
        self.play.it.clock.skip(seconds)

    @rule(desk=desks)
    def works(self, desk: int) -> None:
        self.play.attempt(self.play.desks[desk].releasing.drain())

    @rule()
    def both_work(self) -> None:
        self.play.attempt(*(desk.releasing.drain() for desk in self.play.desks))

    @rule(desk=desks, writes=st.integers(0, 12))
    @precondition(lambda self: bool(self.play.desks[0].releasing.due()))
    def is_killed_while_it_works(self, desk: int, writes: int) -> None:
        self.play.it.clock.skip(1_000)
        self.play.kill_while_working(desk, writes)

    @rule(name=names, other=names, kind=kinds, what=st.sampled_from(TROUBLES), writes=st.integers(0, 12))
    def something_happens_in_the_grace(self, name: str, other: str, kind: int, what: str, writes: int) -> None:
        """Asked for, then something of it changes, then it is due: where mistakes would show first."""
        self.play.desks[0].releasing.ask([of(name)], 600.0)
        if what in ("other", "short", "gone", "touched"):
            self.is_damaged(other, what)
        elif what == "appears":
            self.appears(other, kind)
        elif what == "changes":
            self.changes(other, kind, really=True)
        elif what == "nonsense":
            self.states_nonsense(other, really=True)
        elif what == "hold":
            self.flags(1, other, Flag.HOLD)
        elif what == "elsewhere":
            self.is_abandoned_elsewhere(other, really=True)
        elif what == "killed":
            self.play.it.clock.skip(601)
            self.play.kill_while_working(0, writes)
        elif what == "early":
            self.play.it.clock.skip(590)
            self.both_work()
        self.play.it.clock.skip(601)
        self.both_work()

    @rule(desk=desks)
    def begins_anew(self, desk: int) -> None:
        self.play.restart(desk)


@pytest.fixture
def judge() -> Judge:
    return Judge()


def test_histories(net: Loopback, judge: Judge, tmp_path: Path) -> None:
    empty = template(net, judge, tmp_path / "empty")
    numbers = itertools.count()
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        print_blob=False,
        derandomize=not SOAK,
    )
    calls: list[int] = []

    class Here(History):
        def __init__(self) -> None:
            calls.append(judge.calls)
            super().__init__(judge, tmp_path / str(next(numbers)), empty)

    run_state_machine_as_test(Here, settings=chosen)
    told = sum(calls) + judge.calls
    print(f"{len(calls)} histories, {told} calls")
    assert told > 0, "no history ever got as far as a call"
