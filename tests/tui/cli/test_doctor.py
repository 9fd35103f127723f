import os
from pathlib import Path

import pytest

from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.cli.conftest import Place, Ran, Reeldesk
from tests.vault.ledger.older import version_3
from tui.last_frame import NAME


def states(ran: Ran) -> dict[str, tuple[str, str]]:
    return {str(each["subject"]): (str(each["state"]), str(each["words"])) for each in ran.records}


def test_doctor_of_a_healthy_place(advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    (place.root / "config.toml").chmod(0o600)
    reeldesk("sync")
    ran = reeldesk("doctor", "--json")
    assert (ran.status, ran.err) == (0, "")
    found = states(ran)
    assert found["reeldesk"][0] == "ok"
    assert "textual 8." in found["libraries"][1]
    assert found["configuration"] == ("ok", f"{place.root}/config.toml (0600): 1 account")
    assert found["data folder"] == ("ok", f"{place.root}/data (0700)")
    assert found["ledger"] == ("ok", f"{place.root}/data/ledger.db (0600)")
    assert found["ledger content"] == ("ok", "3 assets known, 0 held (0 B)")
    assert found["advice api_key"] == ("ok", "environment REELDESK_SECRET_ADVICE_API_KEY")
    assert found["vault"][0] == "ok"
    assert "free for" in found["disk"][1]
    assert found["keyring"][1] != ""
    assert found["data folder file system"][0] == "ok"
    assert found["advice test"][0] == "ok"
    assert found["advice test"][1].startswith("the tenant answers on its current paths and lists 3 archives; it lists ")
    [test] = [record for record in ran.records if record["subject"] == "advice test"]
    assert [step["name"] for step in test["steps"]][-1] == "clock"  # type: ignore[attr-defined]
    assert found["clock"][1].endswith("UTC, as the services say (advice)")
    assert all(set(record) >= {"subject", "state", "words"} for record in ran.records)
    table = reeldesk("doctor")
    assert table.status == 0
    lines = {line.split("  ")[0]: line for line in table.out.splitlines()}
    assert list(lines) == [
        "WHAT",
        "reeldesk",
        "terminal",
        "configuration",
        "data folder",
        "vault",
        "keyring",
        "advice",
        "clock",
        "receiver",
    ]
    assert lines["advice"].split(maxsplit=2) == ["advice", "ok", "works; api_key: environment"]
    assert "ledger.db (0600); 3 assets known, 0 held (0 B)" in lines["data folder"]


def test_doctor_tells_of_the_last_frame(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({})
    (place.root / "data").mkdir(mode=0o700)
    frame = place.root / "data" / NAME
    frame.touch(0o600)
    assert states(reeldesk("doctor", "--json", "--offline"))["last frame"] == ("ok", f"{frame} (0600)")
    frame.chmod(0o644)
    state, words = states(reeldesk("doctor", "--json", "--offline"))["last frame"]
    assert (state, words) == ("problem", f"{frame}: others may read it (0644): chmod go-rwx {frame}")


def test_doctor_changes_nothing(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({})
    before = sorted(place.root.rglob("*"))
    assert reeldesk("doctor").status == 0
    assert sorted(place.root.rglob("*")) == before


def test_doctor_names_problems_on_stderr(
    advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reeldesk("sync")
    monkeypatch.delenv("REELDESK_SECRET_ADVICE_API_KEY")
    (place.root / "data").chmod(0o755)
    (place.root / "data" / "ledger.db").chmod(0o644)
    (place.root / "config.toml").chmod(0o666)
    (place.root / "vault").write_text("in the way")
    ran = reeldesk("doctor")
    assert ran.status == 1
    named = dict(line.split(": ", 1) for line in ran.err.splitlines())
    assert set(named) == {"advice api_key", "data folder", "ledger", "configuration", "vault"}
    assert f"chmod go-rwx {place.root}/data" in named["data folder"]
    assert "chmod go-w" in named["configuration"]
    assert "reeldesk secret set advice api_key" in named["advice api_key"]


def test_doctor_of_a_ledger_that_is_none(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({})
    (place.root / "data").mkdir(mode=0o700)
    (place.root / "data" / "ledger.db").write_bytes(b"no database at all " * 100)
    (place.root / "data" / "ledger.db").chmod(0o600)
    ran = reeldesk("doctor", "--json")
    assert ran.status == 1
    assert states(ran)["ledger content"][0] == "problem"
    assert ran.err.startswith("ledger content: ")


def test_doctor_leaves_a_ledger_of_an_older_version_as_it_is(
    advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk
) -> None:
    reeldesk("sync")
    ledger, older = place.root / "data" / "ledger.db", place.root / "older.db"
    version_3(ledger, older)
    older.replace(ledger)
    ledger.chmod(0o600)
    state, words = states(reeldesk("doctor", "--json"))["ledger content"]
    assert (state, words[:19]) == ("warning", "of an older version")
    assert [view["asset"] for view in reeldesk("list", "--json").records]
    assert states(reeldesk("doctor", "--json"))["ledger content"][0] == "ok"


def test_doctor_of_a_broken_configuration_goes_on(place: Place, reeldesk: Reeldesk) -> None:
    (place.root / "config.toml").write_text("nonsense")
    ran = reeldesk("doctor", "--json")
    assert ran.status == 2
    found = states(ran)
    assert found["configuration"][0] == "problem"
    assert found["data folder"][0] == "ok"
    assert "keyring" in found


def test_doctor_warns_of_certificates_that_are_not_checked(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({"advice": {"provider": "flexperto", "base_url": "https://x.example", "verify": False}})
    found = states(reeldesk("doctor", "--json", "--offline"))
    assert found["advice"] == ("warning", "verify = false: the TLS certificate is not checked")


def test_doctor_of_an_unreadable_secret(
    place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.configure({"advice": {"provider": "flexperto", "base_url": "https://x.example"}})
    key = tmp_path / "key"
    key.write_text("secret-key")
    key.chmod(0o644)
    monkeypatch.setenv("REELDESK_SECRET_ADVICE_API_KEY_FILE", str(key))
    ran = reeldesk("doctor", "--json", "--offline")
    state, words = states(ran)["advice api_key"]
    assert state == "problem"
    assert f"chmod 600 {key}" in words
    assert "secret-key" not in ran.out


def test_doctor_without_any_configuration(
    place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("REELDESK_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    ran = reeldesk("doctor", "--json")
    assert (ran.status, states(ran)["configuration"][0]) == (0, "warning")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_doctor_of_a_vault_that_cannot_be_written(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({}, vault="closed/vault")
    (place.root / "closed").mkdir(mode=0o500)
    assert states(reeldesk("doctor", "--json"))["vault"][0] == "problem"
