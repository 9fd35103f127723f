"""`account` and `secret` without a terminal: everything in options and on stdin, and no secret anywhere."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.cli.conftest import Place, Reeldesk
from tests.tui.cli.test_process import HOUSE, REELDESK
from tests.tui.cli.test_services import Piped, piped  # noqa: F401  # a fixture
from vault.config import load

CANARY = "CRN_CANARY_4711"
ADDRESS = "https://acme.example"
FLEXPERTO = ("--provider", "flexperto", "--set", f"base_url={ADDRESS}")
UNCHECKED = "TLS is not checked"
Typed = Callable[[str], None]


@pytest.fixture
def ring(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system keyring; nothing is configured yet."""
    path = place.root / "ring.json"
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.tui.cli.ring.Ring")
    monkeypatch.setenv("REELDESK_TEST_RING", str(path))
    monkeypatch.setattr("keyring.core._keyring_backend", None)  # it keeps the first one that a process asked for
    return path


def kept(ring: Path) -> dict[str, str]:
    return dict(json.loads(ring.read_text())) if ring.exists() else {}


def config_of(place: Place) -> str:
    path = place.root / "config.toml"
    return path.read_text("utf-8") if path.exists() else ""


# Adding


def test_an_account_with_its_secret(place: Place, ring: Path, reeldesk: Reeldesk, piped: Piped) -> None:  # noqa: F811
    piped(f"{CANARY}\n")
    ran = reeldesk("account", "add", "advice", *FLEXPERTO, "--set", "poll_s=60", "--secret", "api_key")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.splitlines() == [
        f"account advice (flexperto) is added to {place.root}/config.toml",
        "api_key of account advice is kept in: keyring Ring",
        "`reeldesk account test advice` tries it",
    ]
    assert config_of(place) == f'[accounts.advice]\nprovider = "flexperto"\nbase_url = "{ADDRESS}"\npoll_s = 60\n'
    assert kept(ring) == {"reeldesk advice/api_key": CANARY}


def test_several_secrets_one_line_each(place: Place, ring: Path, reeldesk: Reeldesk, piped: Piped) -> None:  # noqa: F811
    piped(f"{CANARY}-1\r\n{CANARY}-2\nand more\n")
    names = ("--secret", "hook_secret", "--secret", "api_key")
    assert reeldesk("account", "add", "advice", *FLEXPERTO, *names).status == 0
    assert kept(ring) == {"reeldesk advice/hook_secret": f"{CANARY}-1", "reeldesk advice/api_key": f"{CANARY}-2"}


def test_a_secret_that_is_there_already_is_not_asked_for(
    place: Place, ring: Path, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELDESK_SECRET_ADVICE_API_KEY", CANARY)
    assert reeldesk("account", "add", "advice", *FLEXPERTO).status == 0
    command = "password_command=sh -c 'echo from-{name}'"
    assert reeldesk("account", "add", "agents", "--provider", "cronofy", "--set", command).status == 0
    assert load(place.root / "config.toml", {}).accounts["agents"].password_command == ("sh", "-c", "echo from-{name}")
    assert kept(ring) == {}


def test_no_secrets_yet(place: Place, ring: Path, reeldesk: Reeldesk) -> None:
    ran = reeldesk("account", "add", "advice", *FLEXPERTO, "--no-secrets")
    assert ran.status == 0
    assert "api_key" not in ran.err
    assert kept(ring) == {}


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["advice"], "", "name the --provider: cronofy, temasys, huawei, flexperto, proconf"),
        (["Advice", *FLEXPERTO], "", "'Advice' is no account name"),
        (["there", *FLEXPERTO], "", "there is an account there already"),
        (["advice", "--provider", "zoom"], "", "invalid choice"),
        (["advice", "--provider", "flexperto", "--no-secrets"], "", "base_url is needed: the tenant's address"),
        (["advice", *FLEXPERTO], "", "api_key is needed: API token of an administrator of the tenant"),
        (["advice", *FLEXPERTO], "", "--secret NAME and a line each on stdin"),
        (["advice", *FLEXPERTO, "--secret", "api_key"], "", "stdin has no line for api_key"),
        (["advice", *FLEXPERTO, "--secret", "api_key"], "\n", "stdin has no line for api_key"),
        (["advice", *FLEXPERTO, "--secret", "api_key"], "a\x07b\n", "has characters that a credential cannot have"),
        (["advice", *FLEXPERTO, "--secret", "password"], "x\n", "flexperto has no secret password; it has api_key"),
        (["advice", *FLEXPERTO, "--set", "paths"], "", "--set takes KEY=VALUE, and 'paths' is none"),
        (["advice", *FLEXPERTO, "--set", "paths=new"], "", "paths must be one of auto, current, legacy"),
        (["advice", *FLEXPERTO, "--set", "path=new"], "", "flexperto has no option path; it has base_url, paths"),
        (["advice", *FLEXPERTO, "--set", "api_key=x"], "", "api_key is a secret: it never stands in arguments"),
        (["advice", *FLEXPERTO, "--set", "timeout_s=soon"], "", "timeout_s must be a number"),
        (["advice", *FLEXPERTO, "--set", "verify=perhaps"], "", "verify must be true or false"),
        (["advice", "--provider", "flexperto", "--set", "base_url=http://a.example"], "", "must begin with https://"),
        (["calls", "--provider", "huawei", "--set", "base_url=https://10.0.0.5"], "", "agent_id is needed"),
        (["calls", "--provider", "huawei"], "", "password is needed: one of password and guid"),
        (["rooms", "--provider", "temasys", "--set", "auth=cookie"], "", "cookie is needed: session cookie"),
        (["x", "--provider", "proconf", "--set", "rooms=.."], "", "rooms must name rooms: '..' cannot be"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@pytest.mark.usefixtures("ring")
def test_what_is_wrong_or_missing(
    place: Place,
    reeldesk: Reeldesk,
    piped: Piped,  # noqa: F811
    words: list[str],
    stdin: str,
    said: str,
) -> None:
    place.configure({"there": {"provider": "cronofy"}})
    before = config_of(place)
    piped(stdin)
    ran = reeldesk("account", "add", *words)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert config_of(place) == before
    assert not (place.root / "data").exists()


def test_without_a_store_the_account_is_there_and_the_rest_is_told(
    place: Place,
    reeldesk: Reeldesk,
    piped: Piped,  # noqa: F811
) -> None:
    piped(f"{CANARY}\n")
    ran = reeldesk("account", "add", "advice", *FLEXPERTO, "--secret", "api_key")
    assert ran.status == 1
    assert "`reeldesk secret set advice NAME` keeps one" in ran.err
    assert CANARY not in ran.err
    assert set(load(place.root / "config.toml", {}).accounts) == {"advice"}


def test_a_broken_configuration_is_told_first(place: Place, reeldesk: Reeldesk) -> None:
    (place.root / "config.toml").write_text("[accounts.x]\nprovider = 'zoom'\n")
    ran = reeldesk("account", "add", "advice", *FLEXPERTO, "--no-secrets")
    assert ran.status == 2
    assert "config.toml, line 2: accounts.x.provider must be one of" in ran.err


# TLS


@pytest.mark.parametrize("host", [None, "other.example", "https://acme.example", "ACME"])
def test_unchecked_tls_needs_its_host(place: Place, reeldesk: Reeldesk, host: str | None) -> None:
    confirmed = () if host is None else ("--insecure-host", host)
    ran = reeldesk("account", "add", "advice", *FLEXPERTO, "--no-secrets", "--set", "verify=no", *confirmed)
    assert ran.status == 2
    assert f"{UNCHECKED}: anyone between here and acme.example can read along" in ran.err
    assert "--insecure-host acme.example" in ran.err
    assert config_of(place) == ""


def test_unchecked_tls_is_told_wherever_the_account_is(place: Place, reeldesk: Reeldesk) -> None:
    words = ("--no-secrets", "--set", "verify=false", "--insecure-host", "acme.example")
    ran = reeldesk("account", "add", "advice", *FLEXPERTO, *words)
    assert ran.status == 0
    assert f"advice: {UNCHECKED}" in ran.err
    assert "verify = false\n" in config_of(place)
    assert reeldesk("account", "add", "other", *FLEXPERTO, "--no-secrets").status == 0
    lines = reeldesk("account", "list").out.splitlines()
    assert [UNCHECKED in line for line in lines] == [False, True, False]
    records = reeldesk("account", "list", "--json").records
    assert [(record["verify"], record["tls"]) for record in records] == [(False, UNCHECKED), (True, "checked")]


def test_a_host_without_need_is_a_mistake(place: Place, reeldesk: Reeldesk) -> None:
    ran = reeldesk("account", "add", "advice", *FLEXPERTO, "--no-secrets", "--insecure-host", "acme.example")
    assert (ran.status, config_of(place)) == (2, "")
    assert "--insecure-host belongs to --set verify=false" in ran.err


# Listing and removing


def test_the_list_names_the_last_error(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    advice.api_key = "changed"
    assert reeldesk("sync").status == 1
    [head, line] = reeldesk("account", "list").out.splitlines()
    assert head.split("  ")[-1] == "LAST ERROR"
    assert "does not accept the credential" in line
    assert "none (loopback)" in line


def test_removing_says_what_stays(place: Place, ring: Path, reeldesk: Reeldesk, piped: Piped) -> None:  # noqa: F811
    piped(f"{CANARY}\n")
    (place.root / "config.toml").write_text(f'# mine\n[vault]\npath = "{place.root}/kept" # here\n')
    before = config_of(place)
    assert reeldesk("account", "add", "advice", *FLEXPERTO, "--secret", "api_key").status == 0
    with_it = config_of(place)
    ran = reeldesk("account", "remove", "advice")
    assert ran.status == 2
    assert "say --yes" in ran.err
    assert config_of(place) == with_it
    ran = reeldesk("account", "remove", "advice", "--yes")
    assert (ran.status, ran.out) == (0, "")
    for words in (f"stays in {place.root}/kept", "ledger.db", "`reeldesk secret forget advice --yes` removes them"):
        assert words in ran.err
    assert config_of(place) == before
    assert kept(ring) == {"reeldesk advice/api_key": CANARY}
    assert reeldesk("secret", "forget", "advice", "--yes").status == 0, "though it is not configured any more"
    assert kept(ring) == {}
    ran = reeldesk("account", "remove", "advice", "--yes")
    assert (ran.status, "there is no account advice; configured: none" in ran.err) == (2, True)


def test_the_list_asks_no_store_and_says_so(place: Place, ring: Path, reeldesk: Reeldesk) -> None:
    place.configure({"advice": {"provider": "flexperto", "base_url": ADDRESS}})
    ring.write_text(json.dumps({"reeldesk advice/api_key": CANARY}))
    ran = reeldesk("account", "list")
    assert "api_key: not looked up" in ran.out
    assert ran.err == "no store of secrets was asked; `reeldesk secret list` looks each secret up\n"
    assert reeldesk("account", "list", "--json").err == ""
    assert "keyring Ring" in reeldesk("secret", "list").out


def test_removing_with_its_secrets(place: Place, ring: Path, reeldesk: Reeldesk) -> None:
    options = {"provider": "flexperto", "base_url": ADDRESS}
    place.configure({"advice": options, "other": options})
    ring.write_text(json.dumps({"reeldesk advice/api_key": CANARY, "reeldesk other/api_key": CANARY}))
    ran = reeldesk("account", "remove", "advice", "--forget-secrets")
    assert (ran.status, len(kept(ring))) == (2, 2)
    assert "its secrets are removed from the stores" in ran.err
    ran = reeldesk("account", "remove", "advice", "--yes", "--forget-secrets")
    assert (ran.status, kept(ring)) == (0, {"reeldesk other/api_key": CANARY})
    assert "api_key of account advice was removed from the keyring Ring" in ran.err
    assert list(load(place.root / "config.toml", {}).accounts) == ["other"]
    ring.unlink()
    assert reeldesk("account", "remove", "other", "--yes", "--forget-secrets").status == 0, "it had none"


def test_a_secret_that_may_be_left_behind_is_told(
    place: Place,
    ring: Path,
    reeldesk: Reeldesk,
    piped: Piped,  # noqa: F811
) -> None:
    place.configure({"advice": {"provider": "flexperto", "base_url": ADDRESS}})
    ring.write_text(json.dumps({"reeldesk advice/api_key": CANARY, "reeldesk advice/hook_secret": CANARY}))
    piped("a long passphrase\n")
    moved = reeldesk("secret", "move", "advice", "hook_secret", "--to", "sealed", "--passphrase-stdin")
    assert (moved.status, kept(ring)) == (0, {"reeldesk advice/api_key": CANARY})
    piped("")
    ran = reeldesk("account", "remove", "advice", "--yes", "--forget-secrets")
    assert (ran.status, kept(ring)) == (1, {}), "what could be removed is gone, and nobody knows of the rest"
    assert "`reeldesk secret forget advice --yes` tries its secrets again" in ran.err
    piped("a long passphrase\n")
    assert reeldesk("secret", "forget", "advice", "--yes", "--passphrase-stdin").status == 0


# Secrets


def test_where_each_secret_is(
    advice: FlexpertoEmulator, ring: Path, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring.write_text(json.dumps({"reeldesk advice/hook_secret": CANARY}))
    ran = reeldesk("secret", "list")
    assert (ran.status, ran.err) == (0, "")
    assert [line.split()[:3] for line in ran.out.splitlines()[1:]] == [
        ["advice", "api_key", "yes"],
        ["advice", "hook_secret", "no"],
    ]
    assert "environment REELDESK_SECRET_ADVICE_API_KEY" in ran.out
    assert "keyring Ring" in ran.out
    monkeypatch.delenv("REELDESK_SECRET_ADVICE_API_KEY")
    records = reeldesk("secret", "list", "advice", "--json").records
    assert [(record["secret"], record["is_set"], record["where"]) for record in records] == [
        ("api_key", False, "not set"),
        ("hook_secret", True, "keyring Ring"),
    ]
    assert CANARY not in str(records)
    assert advice.api_key not in ran.out


def test_a_secret_that_cannot_be_read_is_named(
    advice: FlexpertoEmulator, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELDESK_SECRET_ADVICE_API_KEY", "a\x07b")
    ran = reeldesk("secret", "list")
    assert ran.status == 1
    assert "api_key of account advice" in ran.err
    assert reeldesk("secret", "list", "nobody").status == 2
    assert advice.api_key not in ran.out + ran.err


def test_a_kept_secret_that_is_hidden_is_told(
    advice: FlexpertoEmulator,
    ring: Path,
    reeldesk: Reeldesk,
    piped: Piped,  # noqa: F811
) -> None:
    piped(f"{CANARY}\n")
    ran = reeldesk("secret", "set", "advice", "api_key")
    assert ran.status == 0
    assert "but the environment variable REELDESK_SECRET_ADVICE_API_KEY is read before it" in ran.err
    assert kept(ring) == {"reeldesk advice/api_key": CANARY}
    assert advice.api_key not in ran.err


def test_moving_and_forgetting(
    place: Place,
    ring: Path,
    reeldesk: Reeldesk,
    piped: Piped,  # noqa: F811
) -> None:
    place.configure({"advice": {"provider": "flexperto", "base_url": ADDRESS}})
    ring.write_text(json.dumps({"reeldesk advice/api_key": CANARY}))
    piped("a long passphrase\n")
    moved = reeldesk("secret", "move", "advice", "api_key", "--to", "sealed", "--passphrase-stdin")
    assert moved.status == 0
    assert kept(ring) == {}
    sealed = place.root / "data" / "secrets.sealed"
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert CANARY.encode() not in sealed.read_bytes()
    piped("a long passphrase\n")
    assert "sealed file" in reeldesk("secret", "list", "--passphrase-stdin").out
    piped("another one\n")
    wrong = reeldesk("secret", "move", "advice", "api_key", "--to", "keyring", "--passphrase-stdin")
    assert wrong.status == 1
    piped("")
    assert reeldesk("secret", "forget", "advice", "api_key").status == 1, "it is locked"
    piped("a long passphrase\n")
    assert reeldesk("secret", "move", "advice", "api_key", "--to", "keyring", "--passphrase-stdin").status == 0
    assert kept(ring) == {"reeldesk advice/api_key": CANARY}
    for ran in (moved, wrong):
        assert CANARY not in ran.err
        assert "a long passphrase" not in ran.err


@pytest.mark.usefixtures("ring")
def test_forgetting_names_what_is_meant(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({"advice": {"provider": "flexperto", "base_url": ADDRESS}})
    for words, status, said in (
        (["advice"], 2, "say --yes to remove all of account advice"),
        (["advice", "password"], 2, "there is no secret password; there are api_key, hook_secret"),
        (["no account"], 2, "there is no account no account"),
        (["advice", "api_key"], 1, "lies in no store"),
        (["advice", "--yes"], 1, "none of its secrets lies in a store"),
        (["gone", "--yes"], 1, "none of its secrets lies in a store"),
    ):
        ran = reeldesk("secret", "forget", *words)
        assert (ran.status, said in ran.err) == (status, True), ran.err


@pytest.mark.usefixtures("ring")
def test_an_empty_passphrase_is_none(place: Place, reeldesk: Reeldesk, piped: Piped) -> None:  # noqa: F811
    place.configure({"advice": {"provider": "flexperto", "base_url": ADDRESS}})
    piped("\n")
    ran = reeldesk("secret", "list", "--passphrase-stdin")
    assert (ran.status, "the passphrase is empty" in ran.err) == (2, True)


# No secret anywhere


def test_no_secret_lies_or_is_printed_anywhere(place: Place, ring: Path) -> None:
    words = [*REELDESK, "account", "add", "advice", *FLEXPERTO, "--secret", "api_key"]
    watched = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HOUSE, env=os.environ
    )
    assert CANARY.encode() not in Path(f"/proc/{watched.pid}/cmdline").read_bytes()
    printed = b"".join(watched.communicate(f"{CANARY}\n".encode(), 60))
    assert watched.returncode == 0
    for more in (
        ["account", "list"],
        ["secret", "list"],
        ["account", "test"],
        ["account", "remove", "advice", "--yes"],
    ):
        ran = subprocess.run(
            [*REELDESK, *more], capture_output=True, cwd=HOUSE, env=os.environ, check=False, timeout=60
        )
        printed += ran.stdout + ran.stderr
    assert kept(ring) == {"reeldesk advice/api_key": CANARY}
    ring.unlink()
    assert CANARY.encode() not in printed
    files = [path for path in place.root.rglob("*") if path.is_file()]
    assert any(path.name == "ledger.db" for path in files)
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
