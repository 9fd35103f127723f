"""No network, no accounts, no sense in the configuration: words and a next step, never a crash."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.served import Session, served
from tests.e2e.terminal import CHECKOUT, DESK, ELSEWHERE, MARKS, RESTORED, configured, opened, surroundings

pytestmark = MARKS
CONFIG = """\
[vault]
path = "vault"

[accounts.advice]
provider = "flexperto"
base_url = "http://127.0.0.1:{port}"

[accounts.standup]
provider = "proconf"
base_url = "http://127.0.0.1:{port}/api"
rooms = ["town-hall"]

[accounts.studio]
provider = "temasys"
base_url = "http://127.0.0.1:{port}"
username = "temasys"
"""


@pytest.fixture
def unreachable(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Accounts at a loopback port that is taken, but listened on by nobody."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        (tmp_path / "config.toml").write_text(CONFIG.format(port=taken.getsockname()[1]), "utf-8")
        yield surroundings(
            tmp_path,
            REELDESK_CONFIG=str(tmp_path / "config.toml"),
            REELDESK_DATA=str(tmp_path / "data"),
            REELDESK_SECRET_ADVICE_API_KEY="key",
            REELDESK_SECRET_STUDIO_PASSWORD="open sesame",
        )


def test_without_a_network_the_desk_opens_and_says_so(unreachable: dict[str, str]) -> None:
    with opened(unreachable, columns=120, rows=36) as desk:
        desk.wait_for("1 Desk", "advice", "standup", "✗ error", "No recordings are known yet", "r asks")
        desk.press("r")
        desk.wait_until(lambda: "advice: " in desk.lines[-2], "what came of asking all")
        desk.resize(80, 24)
        desk.wait_for("No recordings are known yet", "6 shows the accounts", "q Quit")
        desk.settle(1.0)
        assert any("advice" in line or "offline" in line for line in desk.lines[:-2]), "who is in trouble"
        desk.press("]")
        desk.wait_for("Nothing is known of advice yet", "127.0.0.1", "r asks again; 6 shows the account")
        desk.resize(120, 36)
        desk.press("r")
        desk.wait_until(lambda: desk.lines[-2].startswith(" advice: "), "what came of asking one")
        desk.press("3")
        desk.wait_for("town-hall", "127.0.0.1", "r asks again")
        desk.press("r")
        desk.wait_until(lambda: "127.0.0.1" in desk.lines[-2], "what came of asking for the room")
        desk.press("4")
        desk.wait_for("could not be read", "127.0.0.1", "r asks again")
        desk.press("6")
        desk.wait_for("✗ error", "127.0.0.1", "Credentials")
        desk.press("c")
        desk.wait_until(lambda: "127.0.0.1" in desk.lines[-2], "what came of the check")
        desk.press("1", "d", "v", "A", "w", "o")
        desk.wait_for("Nothing is known of advice yet")
        desk.press("q")
        assert desk.ended() == 0
        assert desk.restored()
        assert b"Traceback" not in desk.raw
        assert b"open sesame" not in desk.raw


def test_without_accounts_the_first_start_has_words(tmp_path: Path) -> None:
    with opened(surroundings(tmp_path)) as desk:
        desk.wait_for("No account is configured yet.", "config.toml", "`reeldesk demo` shows")
        for mode, words in (
            ("2", "Nothing was ever queued"),
            ("3", "No account summarises calls"),
            ("4", "No account has recording notifications"),
            ("6", "No account is configured yet"),
        ):
            desk.press(mode)
            desk.wait_for(words)
        desk.press("r", "d", "j", "G", "1", "space", "d", "v", "A", "x", "p", "w", "y", "o", ".", "u", "s", "f")
        desk.settle(0.5)
        desk.press("q")
        assert desk.ended() == 0
        assert b"Traceback" not in desk.raw


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[accounts.advice]\nprovider = 'flexpertise'\n", ("config.toml", "line 2", "accounts.advice.provider")),
        ("[vault\npath = 1\n", ("config.toml", "TOML", "line 1")),
        ("[vault]\nworkers = 'many'\n", ("config.toml", "workers", "2")),
    ],
    ids=["provider", "no TOML", "no number"],
)
def test_a_broken_configuration_ends_with_words_and_2(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text, "utf-8")
    with opened(surroundings(tmp_path, REELDESK_CONFIG=str(config))) as desk:
        assert desk.ended() == 2
        said = bytes(desk.raw).decode()
        assert all(word in said for word in words), said
        assert "\x1b" not in said, "the terminal was not switched"
        assert "Traceback" not in said
    assert not any(each.decode() in said for each in RESTORED)


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with opened(surroundings(tmp_path, REELDESK_CONFIG=str(tmp_path / "nowhere.toml"))) as desk:
        assert desk.ended() == 2
        assert b"nowhere.toml" in desk.raw
        assert b"\x1b" not in desk.raw


def test_without_a_terminal_the_desk_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        DESK,
        env=surroundings(tmp_path),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert not done.stdout


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A served demo whose meetings are known."""
    with served(list(ELSEWHERE), tmp_path_factory.mktemp("served") / "demo") as one:
        yield one


@pytest.fixture(scope="module")
def known(session: Session, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a ledger with the demo's advice and rooms in it."""
    environ = configured(session, tmp_path_factory.mktemp("known"), still=True)
    command = [*DESK, "sync", "advice", "rooms"]
    done = subprocess.run(command, env=environ, cwd=CHECKOUT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return environ


@pytest.mark.parametrize("options", ["", "--json"])
def test_list_into_head_is_quiet(known: dict[str, str], options: str) -> None:
    script = f'"$0" -m tui list {options} | head -1; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", script, DESK[0]], env=known, cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert done.returncode == 0


def test_list_to_nobody_is_quiet(known: dict[str, str]) -> None:
    with subprocess.Popen(
        [*DESK, "list"], env=known, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as listing:
        assert listing.stdout is not None
        listing.stdout.close()
        assert listing.stderr is not None
        assert listing.stderr.read() == ""
        assert listing.wait(60) in (0, 1)


@pytest.mark.parametrize("columns", ["20", "0", "-3", "wide"])
def test_odd_columns_in_the_environment(known: dict[str, str], columns: str) -> None:
    for arguments in (["list"], ["--help"], ["fetch", "--help"]):
        done = subprocess.run(
            [*DESK, *arguments],
            env={**known, "COLUMNS": columns},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert done.stdout


def test_the_window_counts_and_not_exported_columns(known: dict[str, str]) -> None:
    with opened({**known, "COLUMNS": "132", "LINES": "50"}) as desk:
        desk.wait_for("Mortgage advice")
        desk.wait_until(lambda: "q Quit" in desk.lines[23], "the keys are in the window's last line")
        desk.resize(120, 36)
        desk.wait_until(lambda: "q Quit" in desk.lines[35], "a resize is heeded")
        desk.press("q")
        assert desk.ended() == 0
