"""release --grace and --stop, receipts, flag and undo by command."""

from datetime import datetime

import pytest

from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.cli.conftest import Reeldesk

A1, A2, A3 = (f"advice/c{number}/archive.a{number}" for number in (1, 2, 3))


@pytest.fixture
def held(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> FlexpertoEmulator:
    """A tenant whose first archive is held."""
    assert reeldesk("sync").status == 0
    assert reeldesk("fetch", A1).status == 0
    return advice


def test_a_grace_is_left_to_a_running_engine(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    ran = reeldesk("release", A1, "--yes", "--grace", "10m")
    assert ran.status == 0
    assert ran.out.startswith(f"{A1}  to be released at 20")
    assert "`reeldesk work`, sends it" in ran.err
    waiting = reeldesk("receipts", "--waiting", "--json").records
    assert [(record["asset"], record["state"]) for record in waiting] == [(A1, "waiting")]
    due = datetime.fromisoformat(str(waiting[0]["due_at"]))
    assert (due - datetime.fromisoformat(str(waiting[0]["asked_at"]))).total_seconds() == 600
    [record] = reeldesk("list", "--json", "a1").records[:1]
    assert record["release"] == "waiting"
    drained = reeldesk("work", "--drain")
    assert drained.status == 0
    assert f"{A1}: to be released at" in drained.err
    assert held.abandon_calls == []


def test_drain_sends_what_is_due(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    reeldesk("release", A1, "--yes", "--grace", "1")
    while not held.abandon_calls:
        assert reeldesk("work", "--drain").status == 0
    assert [call.id for call in held.abandon_calls] == ["c1"]
    assert reeldesk("work", "--drain").status == 0
    assert len(held.abandon_calls) == 1


def test_drain_names_what_is_refused(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    reeldesk("release", A1, "--yes", "--grace", "1")
    held.archives["a1"].stated_sha256 = "ab" * 32
    ran = reeldesk("work", "--drain")
    while not ran.status:
        ran = reeldesk("work", "--drain")
    assert f"{A1}: not released: " in ran.err
    assert held.abandon_calls == []


def test_stopping(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    reeldesk("release", A1, "--yes", "--grace", "1h")
    assert reeldesk("release", A1, "--stop").out == f"{A1}  stopped; nothing was sent\n"
    again = reeldesk("release", A1, "--stop")
    assert (again.status, again.err) == (1, f"{A1}: no release of it waits\n")
    assert reeldesk("receipts", "--waiting").err == "no release is open\n"


@pytest.mark.parametrize("text", ["ten", "-1", "10w", "31d", "1.5", ""])
def test_a_grace_that_is_none(held: FlexpertoEmulator, reeldesk: Reeldesk, text: str) -> None:
    ran = reeldesk("release", A1, "--yes", f"--grace={text}")
    assert ran.status == 2
    assert "is no time" in ran.err


def test_without_yes_it_is_offered_for_what_can_be_released_alone(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    held.add_archive("n", "n")
    reeldesk("sync")
    never = "advice/n/archive.n"
    both = reeldesk("release", A1, never)
    assert both.status == 2
    assert f"{A1}: the service would delete it" in both.err
    assert f"{never}: would be refused: " in both.err
    assert "say --yes to release 1 of them" in both.err
    none = reeldesk("release", never, never)
    assert none.status == 1
    assert none.err.count("would be refused") == 1
    assert "nothing was released, and nothing of it can be" in none.err
    assert "--yes" not in none.err
    assert held.abandon_calls == []


def test_yes_and_stop_contradict(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    assert reeldesk("release", A1, "--yes", "--stop").status == 2


def test_both_of_a_conference_at_once(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    held.add_archive("z", "c1")
    reeldesk("sync")
    z = "advice/c1/archive.z"
    refused = reeldesk("release", A1, "--yes")
    assert f"{z} keeps it from being released: no proven copy" in refused.err
    reeldesk("fetch", z)
    rehearsed = reeldesk("release", A1)
    assert f"{A1}: the service would delete it, and with it {z}" in rehearsed.err
    ran = reeldesk("release", A1, z, "--yes", "--json")
    assert ran.status == 0
    assert [record["state"] for record in ran.records] == ["abandoned", "abandoned"]
    assert len(held.abandon_calls) == 1


def test_receipts(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    assert reeldesk("receipts").err == "nothing was released from here\n"
    reeldesk("release", A1, "--yes")
    [receipt] = reeldesk("receipts", "--json").records
    assert receipt["asset"] == A1
    assert receipt["sha256"] == held.archives["a1"].sha256()
    assert receipt["answer"] == "HTTP 200 to POST /api/v2/communication/conferences/conferences/c1/archive/abandon"
    assert receipt["provider_state"] == "ABANDONED"
    assert datetime.fromisoformat(str(receipt["deadline"])) > datetime.fromisoformat(str(receipt["confirmed_at"]))
    assert {check["outcome"] for check in receipt["proof"]} == {"passed"}  # type: ignore[attr-defined]
    table = reeldesk("receipts", A1).out.splitlines()
    assert table[0].startswith("ASSET")
    assert str(receipt["sha256"]) in table[1]
    assert reeldesk("receipts", A2).out == ""


def test_flags(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    ran = reeldesk("flag", A1, "--hold", "--note", "court \x1b[31morder", "--json")
    assert ran.status == 0
    flags = ran.records[0]["flags"]
    assert isinstance(flags, list)
    assert (flags[0]["flag"], flags[0]["note"]) == ("hold", "court ␛[31morder")
    assert "@" in flags[0]["by"]
    refused = reeldesk("release", A1, "--yes")
    assert refused.status == 1
    assert "it is on hold" in refused.err
    assert "it is on hold" in reeldesk("release", A1).err
    assert reeldesk("flag", A1, "--clear").out == f"{A1}  no flag\n"
    assert reeldesk("release", A1, "--yes").status == 0
    assert reeldesk("flag", "advice/none/archive.x", "--skip").status == 1
    assert reeldesk("flag", "advice/none/archive.x").status == 1
    assert reeldesk("flag", "nobody/none/archive.x", "--skip").status == 2


def test_fetch_all_leaves_what_is_skipped(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    held.set_status("a2", "AVAILABLE")
    reeldesk("sync")
    assert reeldesk("flag", A2, "--skip").status == 0
    ran = reeldesk("fetch", "--all", "--json")
    assert A2 not in {record["asset"] for record in ran.records}
    assert "1 to be left (skip)" in ran.err
    assert reeldesk("fetch", A2).status == 0  # by name it is


def test_undo(held: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    reeldesk("flag", A1, "--hold")
    reeldesk("flag", A1, "--clear")
    reeldesk("release", A1, "--yes", "--grace", "1h")
    ran = reeldesk("undo", "--json")
    assert (ran.records[0]["undone"], ran.records[0]["assets"]) == ("release", [A1])
    assert reeldesk("receipts", "--waiting").err == "no release is open\n"
    assert reeldesk("undo").out.startswith("undone: ")
    assert reeldesk("flag", A1).out.startswith(f"{A1}  hold (")
    reeldesk("undo")
    assert reeldesk("flag", A1).out == f"{A1}  no flag\n"
    nothing = reeldesk("undo")
    assert nothing.status == 1
    assert "there is nothing to undo" in nothing.err
