"""What commands say of secrets nobody could look for, of keys that a service refuses, and of the next step."""

from pathlib import Path

import pytest

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from tests.providers.huawei.box import box as huawei
from tests.tui.cli.conftest import Place, Reeldesk
from tests.tui.cli.test_doctor import states
from tests.vault.secret_place import QUICK
from vault.passphrase import Passphrase
from vault.sealed_file import SealedKeyring
from vault.secrets import SEALED_NAME

PASSPHRASE = "correct horse battery"
KEY = "REELDESK_SECRET_ADVICE_API_KEY"
LOCKED = "not known: the sealed file is locked: unlock it with L in mode 6"


@pytest.fixture
def sealed(advice: FlexpertoEmulator, place: Place, monkeypatch: pytest.MonkeyPatch) -> FlexpertoEmulator:
    """A tenant whose secrets lie in a locked sealed file, and nowhere else."""
    ring = SealedKeyring(place.root / "data" / SEALED_NAME, kdf=QUICK)
    ring.create(Passphrase(PASSPHRASE))
    ring.set_password("reeldesk", "advice/api_key", advice.api_key)
    ring.set_password("reeldesk", "advice/hook_secret", "hook-0123456789")
    monkeypatch.delenv(KEY)
    return advice


def unlock(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    file = place.root / "passphrase"
    file.touch(0o600)
    file.write_text(f"{PASSPHRASE}\n")
    monkeypatch.setenv("REELDESK_PASSPHRASE_FILE", str(file))


@pytest.mark.usefixtures("sealed")
def test_what_lies_in_a_locked_file_is_not_called_not_set(
    place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = reeldesk("secret", "list")
    assert (ran.status, "not set" in ran.out) == (0, False)
    assert [line.partition(LOCKED)[0].split() for line in ran.out.splitlines()[1:]] == [
        ["advice", "api_key", "yes"],
        ["advice", "hook_secret", "no"],
    ]
    assert ran.out.count("REELDESK_PASSPHRASE_FILE") == 2
    records = reeldesk("secret", "list", "--json").records
    assert [(record["is_set"], record["state"]) for record in records] == [(None, "not known")] * 2
    unlock(place, monkeypatch)
    records = reeldesk("secret", "list", "--json").records
    assert [(record["is_set"], record["state"]) for record in records] == [(True, "found")] * 2
    assert {str(record["where"]) for record in records} == {f"sealed file {place.root / 'data' / SEALED_NAME}"}


def test_doctor_advises_to_unlock_not_to_set(
    sealed: FlexpertoEmulator, place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = reeldesk("doctor", "--json")
    found = states(ran)
    assert (ran.status, found["advice api_key"][0], found["advice hook_secret"][0]) == (1, "problem", "warning")
    for name in ("api_key", "hook_secret"):
        assert found[f"advice {name}"][1].startswith(LOCKED)
    assert not any("secret set" in words or "not set" in words for _, words in found.values())
    unlock(place, monkeypatch)
    found = states(reeldesk("doctor", "--json"))
    assert (found["advice api_key"][0], found["advice hook_secret"][0]) == ("ok", "ok")
    assert sealed.api_key not in ran.out + ran.err


@pytest.mark.usefixtures("sealed")
def test_a_test_advises_to_unlock_not_to_set(reeldesk: Reeldesk) -> None:
    ran = reeldesk("account", "test", "--json")
    [step] = [each for each in ran.records[0]["steps"] if each["name"] == "secrets"]  # type: ignore[attr-defined]
    assert (ran.status, step["outcome"]) == (1, "failed")
    assert step["words"].startswith(f"api_key: {LOCKED}")
    assert f"hook_secret: {LOCKED}" in step["words"]
    assert "secret set" not in ran.out + ran.err


def test_one_of_two_that_may_lie_in_a_locked_file(net: Loopback, place: Place, reeldesk: Reeldesk) -> None:
    made = huawei(net)
    place.configure({"calls": {"provider": "huawei", **made.settings.options}})
    SealedKeyring(place.root / "data" / SEALED_NAME, kdf=QUICK).create(Passphrase(PASSPHRASE))
    ran = reeldesk("account", "test", "--json")
    [step] = [each for each in ran.records[0]["steps"] if each["name"] == "secrets"]  # type: ignore[attr-defined]
    assert (step["outcome"], step["words"].endswith("; one of them is needed")) == ("failed", True)
    assert "secret set" not in step["words"]


def test_a_store_that_failed_leaves_open_whether_a_secret_is_set(
    advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command may end with 1 because it has no such secret, or because it is locked itself."""
    command = ["sh", "-c", 'test "$1" = api_key && exit 2; exit 1', "sh", "{name}"]
    options = {"provider": "flexperto", "base_url": advice.base_url, "password_command": command}
    monkeypatch.delenv(KEY)
    place.configure({"advice": options})
    found = states(reeldesk("doctor", "--json", "--offline"))
    ended = "not known: the password command sh ended with status"
    assert found["advice api_key"] == ("problem", f"{ended} 2 when asked for api_key; {KEY} can give it instead")
    assert found["advice hook_secret"] == ("ok", f"{ended} 1 when asked for hook_secret; not needed")
    assert "advice" in reeldesk("doctor", "--offline").out


# The next step --------------------------------------------------------------------------------------------------------


def test_a_wrong_key_in_a_variable_is_to_be_set_right_there(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    advice.api_key = "another"
    ran = reeldesk("account", "test", "advice")
    assert f"api_key comes from the environment variable {KEY}: set the right one there" in ran.out
    assert "secret set" not in ran.out + ran.err


@pytest.mark.parametrize("status", [401, 403])
def test_after_a_refusal_sync_names_the_test(advice: FlexpertoEmulator, reeldesk: Reeldesk, status: int) -> None:
    advice.faults.status = status
    ran = reeldesk("sync")
    assert ran.status == 1
    assert ran.err.rstrip().endswith("; `reeldesk account test advice` tells more")
    advice.faults.status = 503
    assert "account test" not in reeldesk("sync").err


def test_after_a_refusal_a_release_names_the_test(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    asset = "advice/c1/archive.a1"
    assert (reeldesk("sync").status, reeldesk("fetch", asset).status) == (0, 0)
    advice.api_key = "another"
    ran = reeldesk("release", asset, "--yes")
    assert ran.status == 1
    assert "(HTTP 401)" in ran.err
    assert ran.err.rstrip().endswith("; `reeldesk account test advice` tells more")
    assert advice.abandon_calls == []


def test_a_named_configuration_that_is_not_there_says_what_makes_it(
    place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = tmp_path / "new" / "config.toml"
    monkeypatch.setenv("REELDESK_CONFIG", str(missing))
    ran = reeldesk("list")
    said = f"{missing}: there is no such file; `reeldesk account add NAME` makes it there, `reeldesk demo` needs none"
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    added = reeldesk("account", "add", "standup", "--provider", "proconf", "--set", "base_url=https://a.example")
    assert (added.status, missing.exists()) == (0, True), added.err
    assert reeldesk("list").status == 0
    assert place.root == tmp_path
