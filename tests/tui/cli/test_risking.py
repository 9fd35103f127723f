"""`risk`: what is lost first, in words and as JSON."""

import pytest

from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.cli.conftest import Place, Reeldesk

A1 = "advice/c1/archive.a1"


def test_nothing_is_pending_yet(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    ran = reeldesk("risk")
    assert (ran.status, ran.out) == (0, "")
    assert "0 assets pending, 0 B; " in ran.err


def test_least_slack_first_with_what_it_is_reckoned_by(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    advice.add_archive("a4", "c4", "ABANDONED", title="Let go")
    reeldesk("sync")
    ran = reeldesk("risk")
    assert ran.status == 0
    head, first, second = ran.out.splitlines()
    assert head.split() == ["SLACK", "VERDICT", "ASSET", "SIZE", "DEADLINE", "TITLE", "WHY"]
    assert "in time  advice/c4/archive.a4" in first
    assert "unknown  advice/c1/archive.a1" in second
    assert "nobody states a deadline" in second
    assert "advice: not known yet; assumed: 1.0 MB/s" in ran.err
    assert "2 assets pending" in ran.err
    assert "1 without a known deadline" in ran.err


def test_as_json_with_every_figure(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    advice.add_archive("a4", "c4", "ABANDONED", title="Let go")
    reeldesk("sync")
    let_go, kept = reeldesk("risk", "--json").records
    assert let_go["asset"] == "advice/c4/archive.a4"
    assert let_go["verdict"] == "in time"
    assert let_go["deadline_basis"] == "stated by the service (expiresAt)"
    assert 2.9 * 86_400 < float(str(let_go["slack_s"])) <= 3 * 86_400
    assert (kept["asset"], kept["verdict"], kept["slack_s"], kept["deadline"]) == (A1, "unknown", None, None)


def test_the_users_own_rule_is_heeded(advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    advice.add_archive("a4", "c4", "ABANDONED", title="Let go")
    options = {"provider": "flexperto", "base_url": advice.base_url, "keep_days_at_service": 9000}
    place.configure({"advice": options})
    reeldesk("sync")
    _, kept = reeldesk("risk", "--json").records
    assert kept["deadline_basis"] == "your rule: 9000 days at the service"


def test_check_fails_when_something_will_be_lost(
    advice: FlexpertoEmulator, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reeldesk("sync")
    assert reeldesk("risk", "--check").status == 0
    monkeypatch.setattr("vault.risk.free_bytes", lambda folder: -1)
    ran = reeldesk("risk", "--check")
    assert ran.status == 1
    assert "DOES NOT FIT" in ran.err


def test_a_limit(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    for number in range(10, 15):
        advice.add_archive(f"b{number}", f"d{number}")
    reeldesk("sync")
    ran = reeldesk("risk", "advice", "--limit", "2")
    assert len(ran.out.splitlines()) == 3
    assert "and 4 more" in ran.err
    assert reeldesk("risk", "--limit", "0").status == 2
    assert reeldesk("risk", "nobody").status == 2


def test_fetch_says_before_it_starts_what_does_not_fit(
    advice: FlexpertoEmulator, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reeldesk("sync")
    monkeypatch.setattr("vault.risk.free_bytes", lambda folder: -5_000_000)
    ran = reeldesk("fetch", A1)
    assert ran.status == 0
    assert "DOES NOT FIT: " in ran.err


def test_fetch_all_begins_with_the_earliest_deadline(
    advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk
) -> None:
    for name in ("b1", "b2"):  # the list has the newest first
        advice.add_archive(name, name, "ABANDONED").extra["expiresAt"] = f"2999-01-0{name[1]}T00:00:00Z"
    file = place.root / "config.toml"
    file.write_text(file.read_text().replace("[vault]", "[vault]\nworkers = 1"))
    reeldesk("sync")
    assert reeldesk("fetch", "--all").status == 0
    asked = [line.split("/")[-2] for line in advice.faults.seen if line.endswith("/download")]
    assert asked == ["b1", "b2", "a1"]
