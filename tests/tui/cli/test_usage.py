"""What is not meant, not configured, or not there: told in words, with the right exit status, never a traceback."""

import argparse
import os
from pathlib import Path

import pytest

from tests.tui.cli.conftest import Place, Reeldesk
from tui.commandline.parsing import parser


def commands() -> list[list[str]]:
    """Every command, with the words that it needs."""
    found = []

    def walk(parser: argparse.ArgumentParser, words: list[str]) -> None:
        inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        for action in inner:
            for name, child in action.choices.items():
                walk(child, [*words, name])
        if not inner:
            found.append(words)

    walk(parser(), [])
    return found


def test_all_commands_are_there() -> None:
    assert {" ".join(words) for words in commands()} == {
        "demo",
        "sync",
        "ingest",
        "list",
        "risk",
        "fetch",
        "verify",
        "reconcile",
        "release",
        "receipts",
        "flag",
        "undo",
        "trail",
        "export",
        "catchup",
        "notify show",
        "notify set",
        "agent dispatch",
        "agent schedule",
        "agent cancel",
        "account add",
        "account list",
        "account test",
        "account remove",
        "secret set",
        "secret list",
        "secret move",
        "secret forget",
        "work",
        "listen",
        "doctor",
    }


@pytest.mark.parametrize("words", [[], *commands()], ids=" ".join)
def test_help(reeldesk: Reeldesk, words: list[str]) -> None:
    ran = reeldesk(*words, "--help")
    assert ran.status == 0
    assert ran.out.startswith("usage: reeldesk")
    assert ran.err == ""


def test_version(reeldesk: Reeldesk) -> None:
    ran = reeldesk("--version")
    assert ran.status == 0
    assert ran.out.startswith("reeldesk ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "invalid choice"),
        (["list", "--stat", "failed"], "unrecognized"),
        (["list", "--state", "gone"], "invalid choice"),
        (["fetch", "advice/only-two"], "ACCOUNT/MEETING/KIND"),
        (["fetch", "advice/x/nothing"], "is none of archive"),
        (["fetch"], "name the assets, or say --all"),
        (["fetch", "advice/x/archive.y", "--all"], "not both"),
        (["verify"], "name the assets, or say --all"),
        (["release", "--yes"], "required: ASSET"),
        (["ingest", "advice", "-", "--header", "no colon"], "Name: value"),
        (["agent", "schedule", "https://x.example", "--key", "k", "--at", "tomorrow"], "is no time like"),
        (["notify"], "required"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(place: Place, reeldesk: Reeldesk, words: list[str], said: str) -> None:
    place.configure({})
    ran = reeldesk(*words)
    assert ran.status == 2
    assert said in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    "words",
    [
        ["sync", "nobody"],
        ["list", "--account", "nobody"],
        ["fetch", "--all", "--account", "nobody"],
        ["fetch", "nobody/x/archive"],
        ["verify", "nobody/x/archive"],
        ["release", "nobody/x/archive", "--yes"],
        ["release", "nobody/x/archive"],
        ["catchup", "room", "--account", "nobody"],
        ["notify", "show", "--account", "nobody"],
        ["notify", "set", "--account", "nobody", "--notify"],
        ["ingest", "nobody", "/dev/null"],
        ["account", "test", "nobody"],
        ["agent", "cancel", "key", "--account", "nobody"],
        ["secret", "set", "nobody", "api_key"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("advice")
def test_unknown_account_is_named_with_those_that_are(reeldesk: Reeldesk, words: list[str]) -> None:
    ran = reeldesk(*words)
    assert ran.status == 2
    assert ran.err == "reeldesk: there is no account nobody; configured: advice\n"


@pytest.mark.usefixtures("advice")
def test_a_secret_given_in_arguments_is_not_repeated(reeldesk: Reeldesk) -> None:
    ran = reeldesk("secret", "set", "advice", "api_key", "flx-CANARY", "more")
    assert ran.status == 2
    assert "CANARY" not in ran.out + ran.err
    assert "never stands in arguments" in ran.err


@pytest.mark.parametrize(
    "words", [["sync"], ["list"], ["fetch", "--all"], ["doctor"], ["account", "list"]], ids=" ".join
)
def test_named_configuration_that_is_not_there(place: Place, reeldesk: Reeldesk, words: list[str]) -> None:
    ran = reeldesk(*words)
    assert ran.status == 2
    assert f"{place.root}/config.toml: there is no such file" in ran.err


def test_broken_toml_is_told_with_its_line(place: Place, reeldesk: Reeldesk) -> None:
    (place.root / "config.toml").write_text('[vault]\npath = "x"\n[accounts.advice\n')
    ran = reeldesk("list")
    assert ran.status == 2
    assert "config.toml" in ran.err
    assert "line 3" in ran.err


def test_wrong_key_is_told_with_its_line(place: Place, reeldesk: Reeldesk) -> None:
    (place.root / "config.toml").write_text(
        '[accounts.advice]\nprovider = "flexperto"\nbase_uri = "https://x.example"\n'
    )
    ran = reeldesk("sync")
    assert ran.status == 2
    assert "config.toml, line 3: accounts.advice.base_uri is not known here" in ran.err


def test_nothing_configured(reeldesk: Reeldesk, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REELDESK_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    ran = reeldesk("sync")
    assert ran.status == 2
    assert "reeldesk demo" in ran.err
    ran = reeldesk("list")
    assert (ran.status, ran.out) == (0, "")
    assert "reeldesk sync" in ran.err
    assert reeldesk("account", "list").status == 0
    ran = reeldesk("fetch", "--all")
    assert (ran.status, ran.err) == (0, "nothing to fetch\n")


def test_command_that_needs_to_know_whose(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({})
    ran = reeldesk("catchup", "town-hall")
    assert ran.status == 2
    assert ran.err == "reeldesk: name the --account; those that have catchup: none\n"


@pytest.mark.usefixtures("advice")
def test_account_without_that_ability(reeldesk: Reeldesk) -> None:
    ran = reeldesk("catchup", "town-hall", "--account", "advice")
    assert ran.status == 2
    assert "the account advice has no catchup" in ran.err


def test_data_that_is_no_folder(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({})
    (place.root / "data").write_text("in the way")
    ran = reeldesk("list")
    assert ran.status == 1
    assert str(place.root / "data") in ran.err


def test_everything_written_is_private(advice: object, place: Place, reeldesk: Reeldesk) -> None:
    before = os.umask(0o022)
    try:
        assert reeldesk("sync").status == 0
        assert reeldesk("fetch", "--all").status == 0
    finally:
        assert os.umask(before) == 0o077
    written = [
        path for folder in ("data", "vault") for path in [place.root / folder, *(place.root / folder).rglob("*")]
    ]
    assert any(path.suffix == ".zip" for path in written)
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_desk_needs_a_terminal(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({})
    ran = reeldesk()
    assert ran.status == 2
    assert "needs a terminal" in ran.err
