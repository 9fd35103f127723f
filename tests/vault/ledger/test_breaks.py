"""Breaks that an account, or everything, takes: who may try meanwhile, and when all go on."""

import pytest

from tests.vault.ledger.filling import NOW, at, claims, identity, queued
from tests.vault.ledger.taking import LATER, meetings, taken, view
from vault.ledger import Ledger
from vault.ledger.claiming import EVERYTHING, Hold
from vault.transfers.ending import Running


def test_nothing_of_an_account_is_started_during_its_break(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    queued(ledger, "d1", account="rooms")
    ledger.claims.hold("advice", Hold(NOW + 30, "the service answers HTTP 503", 1))
    assert ledger.claims.holds() == {"advice": Hold(NOW + 30, "the service answers HTTP 503", 1)}
    assert meetings(claims(ledger, 9, now=NOW + 29)) == ["d1"]
    waits = view(ledger)
    assert (waits.state, waits.words, waits.again_at) == ("queued", "the service answers HTTP 503", at(NOW + 30))
    counts = ledger.reader.account("advice")
    assert (counts.held_until, counts.held_words) == (at(NOW + 30), "the service answers HTTP 503")
    assert ledger.reader.account("rooms").held_until is None


def test_after_a_break_one_tries_and_the_others_follow_when_it_got_through(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2", "c3")
    ledger.claims.hold("advice", Hold(NOW + 30, "503", 1))
    trial = claims(ledger, 9, now=NOW + 30)
    assert meetings(trial) == ["c1"]
    assert claims(ledger, 9, now=NOW + 31) == ()
    ledger.claims.go_on(["advice"])
    assert ledger.claims.holds() == {}
    assert meetings(claims(ledger, 9, now=NOW + 31)) == ["c2", "c3"]


def test_a_trial_that_died_is_followed_by_another(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    ledger.claims.hold("advice", Hold(NOW, "503", 1))
    assert meetings(claims(ledger, 9, now=NOW)) == ["c1"]
    assert meetings(claims(ledger, 9, "other", LATER)) == ["c1"]


def test_one_that_began_before_the_break_is_no_trial(ledger: Ledger) -> None:
    """It may go on for hours; and the others are not kept from trying so long."""
    queued(ledger, "long")
    taken(ledger)
    queued(ledger, "c1", "c2")
    ledger.claims.hold("advice", Hold(NOW + 5, "503", 1))
    assert claims(ledger, 9, now=NOW + 4) == ()
    assert meetings(claims(ledger, 9, now=NOW + 5)) == ["c1"]
    assert claims(ledger, 9, now=NOW + 6) == ()


@pytest.mark.parametrize("put_back_s", [3_600, 7 * 86_400])
def test_a_clock_that_was_put_back_keeps_nothing_for_days(ledger: Ledger, put_back_s: float) -> None:
    """What waits for a moment waits a day at most, whatever the clock said when it was written down."""
    queued(ledger, "c1", "c2")
    ledger.claims.fail(taken(ledger), "503", NOW, NOW + 30, attempts=1)
    ledger.claims.hold("advice", Hold(NOW + 30, "503", 1))
    now = NOW - put_back_s
    found = meetings(claims(ledger, 9, now=now))
    assert found == ([] if put_back_s < 86_400 else ["c1"])  # as after a break: one tries


def test_a_break_of_everything(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    queued(ledger, "d1", account="rooms")
    ledger.claims.hold(EVERYTHING, Hold(NOW + 30, "no space", 1))
    assert claims(ledger, 9, now=NOW + 29) == ()
    assert view(ledger).words == "no space"
    assert meetings(claims(ledger, 9, now=NOW + 30)) == ["c1"]
    assert claims(ledger, 9, now=NOW + 31) == ()
    ledger.claims.go_on([EVERYTHING, "advice"])
    assert meetings(claims(ledger, 9, now=NOW + 31)) == ["c2", "d1"]


def test_holds_can_be_ignored(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2")
    ledger.claims.hold("advice", Hold(NOW + 30, "503", 1))
    ledger.claims.hold(EVERYTHING, Hold(NOW + 30, "no space", 1))
    assert meetings(claims(ledger, 9, heed_holds=False)) == ["c1", "c2"]


def test_a_break_is_taken_anew(ledger: Ledger) -> None:
    ledger.claims.hold("advice", Hold(NOW + 30, "503", 1))
    ledger.claims.hold("advice", Hold(NOW + 90, "504", 2))
    assert ledger.claims.holds() == {"advice": Hold(NOW + 90, "504", 2)}


def test_what_a_transfer_waits_for_is_what_lasts_longest(ledger: Ledger) -> None:
    queued(ledger, "c1", "c2", "c3", "c4")
    one, two, three, _ = claims(ledger, 4)
    ledger.claims.fail(one, "its own fault", NOW, NOW + 10, attempts=1)
    ledger.claims.fail(two, "its own fault", NOW, NOW + 60, attempts=1)
    ledger.claims.step_back(three, "paused", NOW)
    ledger.claims.hold("advice", Hold(NOW + 20, "503", 1))
    ledger.claims.hold(EVERYTHING, Hold(NOW + 30, "no space", 1))
    told = [(view(ledger, name).words, view(ledger, name).again_at) for name in ("c1", "c2", "c3", "c4")]
    assert told == [("no space", at(NOW + 30)), ("its own fault", at(NOW + 60)), ("", None), ("", None)]
    ledger.claims.go_on([EVERYTHING])
    assert (view(ledger).words, view(ledger).again_at) == ("503", at(NOW + 20))


def test_a_break_of_a_clock_that_was_put_back_ends_as_any_other(ledger: Ledger) -> None:
    """From the same moment for whoever takes, whoever tries and whoever looks."""
    queued(ledger, "c1", "c2", "c3")
    ledger.claims.hold("advice", Hold(NOW + 7 * 86_400, "503", 1))
    number = ledger.change_number()
    assert claims(ledger, 9, per_account=0) == ()
    assert ledger.change_number() == number + 1, "lists say until when"
    found = ledger.claims.holds()["advice"]
    assert found == Hold(NOW, "503", 1)
    trial = taken(ledger)
    assert trial.identity == identity("c1")
    assert claims(ledger, 9, now=NOW + 5) == (), "one tries, as after any break"
    assert Running(trial).outlived("advice", found)
    ledger.claims.go_on(["advice"])
    assert meetings(claims(ledger, 9, now=NOW + 5)) == ["c2", "c3"]
