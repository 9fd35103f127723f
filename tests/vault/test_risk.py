"""What is lost first: slack by queue, size and observed rate; rules of the user's; room on the disk."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from providers.models import Asset, Meeting, RemoteState
from tests.vault.ledger.filling import NOW, archive, at, claim, hold, identity, proof, record
from vault.config import Config, parse
from vault.ledger import Ledger
from vault.ledger.risking import Done
from vault.risk import ASSUMED_RATE, Rate, Risk, RiskRow, Verdict, free_bytes, observed
from vault.triage.states import Flag

HOUR = 3_600.0
MB = 1_000_000


def config(folder: Path, options: str = "", more: str = "") -> Config:
    table = 'provider = "flexperto"\nbase_url = "https://acme.example"\n'
    text = f'[vault]\npath = "{folder}/vault"\n[accounts.advice]\n{table}{options}\n{more}'
    return parse(text, folder / "config.toml", folder / "data")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "data" / "ledger.db")
    yield made
    made.close()


@pytest.fixture
def risk(ledger: Ledger, tmp_path: Path) -> Risk:
    return Risk(config(tmp_path), ledger, lambda: at(NOW))


def due(meeting: str, in_s: float, size: int | None = MB, **more: object) -> Asset:
    return archive(meeting, size=size, deadline=at(NOW + in_s), **more)  # type: ignore[arg-type]  # what fits


def fetched(ledger: Ledger, meeting: str, size: int, seconds: float, ended: float = NOW) -> None:
    """A transfer that took so long."""
    record(ledger, archive(meeting, size=size))
    ledger.transfers.enqueue([identity(meeting)], ended - seconds)
    taken = claim(ledger, now=ended - seconds, only=ledger.claims.ids([identity(meeting)]))
    assert taken is not None
    ledger.claims.commit(taken, proof(size), ended, arrived=size)


def names(rows: tuple[RiskRow, ...]) -> list[str]:
    return [row.asset.identity.meeting for row in rows]


def test_least_slack_comes_first_not_the_earliest_deadline(ledger: Ledger, risk: Risk) -> None:
    record(ledger, due("small", 2 * HOUR), due("huge", 3 * HOUR, 9_000 * MB), due("late", 90 * HOUR))
    view = risk.look()
    assert names(view.rows) == ["huge", "small", "late"]
    huge, small, late = view.rows
    assert (huge.need_s, huge.slack_s, huge.verdict) == (9_000.0, 3 * HOUR - 9_000, Verdict.TIGHT)
    assert (small.verdict, late.verdict) == (Verdict.IN_TIME, Verdict.IN_TIME)
    assert (view.more, view.exact) == (0, True)
    assert view.rates["advice"] == Rate(ASSUMED_RATE, observed=False, transfers=0)


def test_what_is_queued_before_it_counts(ledger: Ledger, risk: Risk) -> None:
    record(ledger, due("first", HOUR, 3_000 * MB), due("second", 2 * HOUR, 5_000 * MB), due("third", 3 * HOUR))
    ledger.transfers.enqueue([identity("first"), identity("second")], NOW)
    by_name = {row.asset.identity.meeting: row for row in risk.look().rows}
    assert [by_name[name].ahead for name in ("first", "second", "third")] == [0, 3_000 * MB, 8_000 * MB]
    assert by_name["second"].verdict is Verdict.WILL_BE_LOST
    assert by_name["second"].slack_s == 2 * HOUR - 8_000
    assert risk.look().totals.will_be_lost == 1


def test_paused_ones_are_not_waited_for_and_running_ones_come_first(ledger: Ledger, risk: Risk) -> None:
    record(ledger, due("paused", HOUR, 3_000 * MB), due("runs", 9 * HOUR, 2_000 * MB), due("mine", 2 * HOUR))
    ledger.transfers.enqueue([identity("paused"), identity("runs"), identity("mine")], NOW)
    ledger.transfers.steer(identity("paused"), "pause", NOW)
    assert claim(ledger, only=ledger.claims.ids([identity("runs")])) is not None
    by_name = {row.asset.identity.meeting: row for row in risk.look().rows}
    assert by_name["mine"].ahead == 2_000 * MB


def test_a_deadline_that_has_passed(ledger: Ledger, risk: Risk) -> None:
    record(ledger, due("gone", -60), due("lost", 5, 9 * MB))
    view = risk.look()
    assert [(row.asset.identity.meeting, row.verdict) for row in view.rows] == [
        ("gone", Verdict.OVERDUE),
        ("lost", Verdict.WILL_BE_LOST),
    ]
    assert (view.totals.overdue, view.totals.will_be_lost) == (1, 1)


def test_what_is_held_or_cannot_be_had_is_not_at_risk(ledger: Ledger, risk: Risk) -> None:
    record(ledger, due("held", HOUR), due("made", HOUR, state=RemoteState.PROCESSING))
    record(ledger, due("over", HOUR, state=RemoteState.EXPIRED), due("open", HOUR, state=RemoteState.ABANDONED))
    hold(ledger, "held")
    assert names(risk.look().rows) == ["open"]


@pytest.mark.parametrize("flag", [Flag.SKIP, Flag.FORGET])
def test_what_is_flagged_to_be_left_out_is_not_at_risk(ledger: Ledger, risk: Risk, flag: Flag) -> None:
    record(ledger, due("left", HOUR), due("wanted", HOUR), archive("undated"))
    ledger.flags.set([identity("left"), identity("undated")], flag, "", "me", NOW, queue=frozenset())
    ledger.flags.set([identity("wanted")], Flag.HOLD, "", "me", NOW, queue=frozenset())
    view = risk.look()
    assert names(view.rows) == ["wanted"]
    assert (view.totals.assets, view.totals.unknown_deadlines) == (1, 0)
    ledger.flags.clear([identity("left")], None, "me", NOW)
    assert names(risk.look().rows) == ["left", "wanted"]


def test_unknown_deadlines_come_last_and_are_counted(ledger: Ledger, risk: Risk) -> None:
    record(ledger, archive("b", size=2 * MB), archive("c"), due("a", HOUR), archive("d", size=1))
    view = risk.look()
    assert names(view.rows) == ["a", "b", "c", "d"]
    assert [row.slack_s for row in view.rows[1:]] == [None] * 3
    assert view.rows[1].verdict is Verdict.UNKNOWN
    assert view.rows[1].basis == "unknown"
    assert (view.totals.unknown_deadlines, view.totals.unknown_sizes, view.totals.assets) == (3, 1, 4)
    paged = [names(risk.look(offset=offset, limit=1).rows) for offset in range(5)]
    assert paged == [["a"], ["b"], ["c"], ["d"], []]
    assert [risk.look(offset=offset, limit=1).more for offset in range(5)] == [3, 2, 1, 0, 0]


def test_the_rate_is_that_of_the_last_transfers(ledger: Ledger, risk: Risk) -> None:
    fetched(ledger, "one", 8 * MB, 2.0)
    assert risk.look().rates["advice"] == Rate(4.0 * MB, observed=True, transfers=1)
    record(ledger, due("next", HOUR, 8 * MB))
    assert risk.look().rows[0].need_s == 2.0


def test_two_transfers_at_once_are_one_time() -> None:
    done = (Done(0, 10, 5 * MB), Done(5, 15, 5 * MB), Done(100, 105, 10 * MB))
    assert observed(done) == Rate(20 * MB / 20, observed=True, transfers=3)
    assert observed(()) is None
    assert observed((Done(0, 1, 10),)) is None


def test_an_old_transfer_says_nothing(ledger: Ledger, risk: Risk) -> None:
    fetched(ledger, "old", 8 * MB, 1.0, ended=NOW - 40 * 86_400)
    assert not risk.look().rates["advice"].observed


def test_another_accounts_rate_is_assumed_and_said_to_be(ledger: Ledger, tmp_path: Path) -> None:
    other = '[accounts.other]\nprovider = "flexperto"\nbase_url = "https://o.example"\nmax_bytes_per_s = 1000\n'
    fetched(ledger, "one", 8 * MB, 2.0)
    rates = Risk(config(tmp_path, more=other), ledger, lambda: at(NOW)).look().rates
    assert rates["advice"].bytes_per_s == 4.0 * MB
    assert rates["other"] == Rate(1_000.0, observed=False, transfers=0)


def test_a_size_that_nobody_states_is_assumed(ledger: Ledger, risk: Risk) -> None:
    record(ledger, due("open", HOUR, None))
    assert (risk.look().rows[0].size, risk.look().rows[0].size_known) == (0, False)
    record(ledger, archive("done"))
    hold(ledger, "done", size=7 * MB)
    row = risk.look().rows[0]
    assert (row.size, row.size_known, row.need_s) == (7 * MB, False, 7.0)
    assert risk.look().totals.bytes == 7 * MB


# A rule of the user's


def ruled(ledger: Ledger, folder: Path, days: float) -> Risk:
    return Risk(config(folder, f"keep_days_at_service = {days}"), ledger, lambda: at(NOW))


def meeting(name: str, days_ago: float) -> Meeting:
    return Meeting(name, name, started_at=at(NOW - days_ago * 86_400))


def test_a_rule_gives_a_deadline_where_there_is_none_or_a_later_one(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, meeting("plain", 1), archive("plain"), meeting("soon", 1), due("soon", HOUR))
    record(ledger, meeting("late", 1), due("late", 99 * 86_400), archive("undated"))
    view = ruled(ledger, tmp_path, 10).look()
    found = {row.asset.identity.meeting: (row.deadline, row.basis) for row in view.rows}
    assert found["plain"] == (at(NOW + 9 * 86_400), "your rule: 10 days at the service")
    assert found["late"] == found["plain"]
    assert found["soon"] == (at(NOW + HOUR), "stated by the service")
    assert found["undated"] == (at(NOW + 10 * 86_400), "your rule: 10 days at the service")
    assert view.totals.unknown_deadlines == 0
    assert ledger.reader.account("advice").at_risk == 4  # the lists go by it


def test_a_rule_that_ends_gives_back_what_the_service_states(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, meeting("plain", 1), archive("plain"), meeting("late", 1), due("late", 99 * 86_400))
    ruled(ledger, tmp_path, 10).look()
    found = {row.asset.identity.meeting: row.deadline for row in ruled(ledger, tmp_path, 0).look().rows}
    assert found == {"plain": None, "late": at(NOW + 99 * 86_400)}


def test_a_rule_holds_for_what_comes_and_changes_later(ledger: Ledger, tmp_path: Path) -> None:
    ruled(ledger, tmp_path, 10).look()
    record(ledger, meeting("new", 2), archive("new"))
    rows = ruled(ledger, tmp_path, 10).look().rows
    assert rows[0].deadline == at(NOW + 8 * 86_400)
    assert ledger.reader.account("advice").at_risk == 1
    record(ledger, replace(meeting("new", 2), ended_at=at(NOW - 86_400)))
    assert ruled(ledger, tmp_path, 10).look().rows[0].deadline == at(NOW + 9 * 86_400)
    record(ledger, due("new", HOUR))  # the service now states one itself
    record(ledger, archive("new"))  # and leaves it out again: what it stated is not forgotten
    assert ruled(ledger, tmp_path, 10).look().rows[0].deadline == at(NOW + HOUR)
    assert ledger.transfers.enqueue([identity("new")], NOW)


def test_a_rule_for_very_much_is_applied_bit_by_bit(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.ledger.ruling._MEETINGS_AT_ONCE", 2)
    for name in "abcde":
        record(ledger, meeting(name, 1), archive(name))
    apply = ledger.rules.apply
    assert not apply("advice", 10, lambda: False)
    assert ledger.reader.account("advice").at_risk == 2
    record(ledger, meeting("f", 1), archive("f"))  # what comes meanwhile goes by it at once
    assert ledger.reader.account("advice").at_risk == 3
    before = ledger.change_number()
    assert apply("advice", 10)
    assert ledger.reader.account("advice").at_risk == 6
    assert ledger.change_number() > before
    before = ledger.change_number()
    assert apply("advice", 10)
    assert ledger.change_number() == before
    assert not apply("advice", 0, lambda: False)
    monkeypatch.setattr("vault.risk.RULING_S", -1.0)
    assert not ruled(ledger, tmp_path, 5).look().exact


def test_the_queue_goes_by_the_rule(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, meeting("new", 1), archive("new"), meeting("old", 9), archive("old"))
    ruled(ledger, tmp_path, 10).look()
    ledger.transfers.enqueue([identity("new"), identity("old")], NOW)
    first = claim(ledger)
    assert first is not None
    assert first.identity == identity("old")


# Room


def test_what_does_not_fit_is_said_before_it_starts(
    ledger: Ledger, risk: Risk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = free_bytes(tmp_path / "not" / "yet")
    assert there is not None
    assert there > 0
    monkeypatch.setattr("vault.risk.free_bytes", lambda folder: 5 * MB)
    record(ledger, archive("a", size=3 * MB), archive("b", size=4 * MB), archive("c", size=9 * MB))
    ledger.transfers.enqueue([identity("a")], NOW)
    assert risk.room().fits
    totals = risk.room([identity("a"), identity("b")])
    assert (totals.assets, totals.bytes, totals.missing_bytes, totals.fits) == (2, 7 * MB, 2 * MB, False)
    assert risk.look().totals.missing_bytes == 11 * MB


def test_what_would_come_too_late_together_is_said_before_it_starts(ledger: Ledger, risk: Risk) -> None:
    record(ledger, due("a", 10, 6 * MB), due("b", 10, 6 * MB), due("c", -1, 1), archive("d", size=8 * MB))
    wanted = [identity(name) for name in "abcd"]
    totals = risk.room(wanted)
    assert (totals.will_be_lost, totals.overdue, totals.unknown_deadlines) == (1, 1, 1)
    assert totals.need_s == pytest.approx(20.0)


def test_what_comes_in_time_alone_may_be_late_together(ledger: Ledger, risk: Risk) -> None:
    record(ledger, *(due(name, 10, 4 * MB) for name in "abcd"), due("gone", -5, MB), due("late", 99, None))
    view = risk.look()
    assert view.totals.will_be_lost == 0
    assert view.totals.late_together == 2  # 1, 5 and 9 s are in time; 13 and 17 s are not
    ledger.transfers.enqueue([identity("a")], NOW)
    assert risk.look().totals.late_together == 2


def test_a_place_that_cannot_be_told_is_not_full(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert free_bytes(file / "below") is None


# Any ledger


@pytest.mark.parametrize("seed", range(8))
def test_a_page_is_what_a_look_at_everything_would_begin_with(
    ledger: Ledger, risk: Risk, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.risk.free_bytes", lambda folder: 5 * MB)
    monkeypatch.setattr("vault.ledger.risking._ROWS_AT_ONCE", 7 if seed % 2 else 500)
    luck = random.Random(seed)
    for number in range(120):
        size = luck.choice([None, 1, 10 * MB, 4_000 * MB])
        record(ledger, due(f"m{number}", luck.uniform(-HOUR, 60 * HOUR), size))
    chosen = luck.sample(range(120), 30)
    ledger.transfers.enqueue([identity(f"m{number}") for number in chosen], NOW)
    everything = risk.look(limit=500)
    slacks = [row.slack_s for row in everything.rows if row.slack_s is not None]
    assert slacks == sorted(slacks)
    assert len(slacks) == 120
    assert everything.totals.will_be_lost + everything.totals.overdue == sum(slack < 0 for slack in slacks)
    first = risk.look(limit=7)
    assert first.rows == everything.rows[:7]
    assert first.totals == everything.totals
    assert risk.look(offset=7, limit=7).rows == everything.rows[7:14]


def test_too_much_to_look_at_is_said(ledger: Ledger, risk: Risk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.risk.SCANNED", 5)
    record(ledger, *(due(f"m{number}", number * 60.0 + 60, 4_000 * MB) for number in range(9)))
    view = risk.look(limit=3)
    assert not view.exact
    assert len(view.rows) == 3
    assert view.more == 6
