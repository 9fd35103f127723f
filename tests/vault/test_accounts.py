"""Accounts in config.toml: what else stands there stays, whatever it looks like, and whoever is killed when."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from vault import rewriting
from vault.accounts import add, change, host_to_type, options_of, problem_with_name, remove, written
from vault.config import load
from vault.errors import ConfigError, VaultError

HOUSE = Path(__file__).resolve().parents[2]
LAID_OUT = """\
# My desk, odd but mine
[vault]   # where
  path    =   '/srv/vault'

[accounts.advice]
provider = "flexperto"   # the tenant
base_url = 'https://acme.example'

# The agents. Ask Eve before you touch them.
[accounts."agents"]
provider = \"\"\"cronofy\"\"\"
resource_hosts = [
    # ours
    "files.example",   # new
]
# paths = "not here"

[receiver]
port = 9000"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def text_of(path: Path) -> str:
    return path.read_bytes().decode()


def comments(text: str) -> list[str]:
    return re.findall(r"#[^\r\n]*", text)


# Adding


def test_the_first_account_makes_folder_and_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "config.toml"
    before = os.umask(0)
    try:
        add(path, "advice", "flexperto", {"base_url": "https://acme.example", "paths": "auto", "verify": True})
    finally:
        os.umask(before)
    assert text_of(path) == '[accounts.advice]\nprovider = "flexperto"\nbase_url = "https://acme.example"\n'
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_what_else_stands_there_stays(path: Path) -> None:
    path.write_text(LAID_OUT)
    add(path, "calls", "huawei", {"base_url": "https://10.0.0.5:8043", "agent_id": "1001", "watch": True, "poll_s": 60})
    assert text_of(path) == LAID_OUT + (
        '\n\n[accounts.calls]\nprovider = "huawei"\nbase_url = "https://10.0.0.5:8043"\nagent_id = "1001"\n'
        "watch = true\npoll_s = 60\n"
    )
    remove(path, "calls")
    assert text_of(path) == LAID_OUT + "\n"


def test_only_what_differs_from_the_default_is_written(path: Path) -> None:
    given = {option.name: option.default for option in options_of("temasys")}
    add(path, "rooms", "temasys", given | {"base_url": "https://a.example", "download_hosts": ("*.b.example",)})
    assert written(path, "rooms") == {
        "provider": "temasys",
        "base_url": "https://a.example",
        "download_hosts": ["*.b.example"],
    }


@pytest.mark.parametrize(
    ("name", "provider", "options", "words"),
    [
        ("", "cronofy", {}, "an account needs a name"),
        ("Advice", "cronofy", {}, "'Advice' is no account name"),
        ("a b", "cronofy", {}, "is no account name"),
        ("a.b", "cronofy", {}, "is no account name"),
        ("-a", "cronofy", {}, "is no account name"),
        ("a\n", "cronofy", {}, "is no account name"),
        ("é", "cronofy", {}, "is no account name"),
        ("a" * 61, "cronofy", {}, "at most 60 characters"),
        ("agents", "cronofy", {}, "there is an account agents already"),
        ("new", "zoom", {}, "there is no provider zoom; there are cronofy"),
        ("new", "cronofy", {"agent_id": "1"}, "cronofy has no option agent_id; it has allow_private"),
        ("new", "cronofy", {"provider": "huawei"}, "cronofy has no option provider"),
        ("new", "flexperto", {}, "accounts.new.base_url is missing"),
        ("new", "flexperto", {"base_url": "http://a.example"}, "accounts.new.base_url must begin with https://"),
        ("new", "cronofy", {"timeout_s": 0}, "accounts.new.timeout_s must be more than 0"),
        ("new", "cronofy", {"password_command": ["pass"]}, "password_command must have {name}"),
        ("new", "cronofy", {"allow_private": ["10.0.0.9"]}, "allow_private must name origins"),
    ],
)
def test_what_cannot_be_added(path: Path, name: str, provider: str, options: dict[str, Any], words: str) -> None:
    path.write_text(LAID_OUT)
    with pytest.raises(ConfigError) as caught:
        add(path, name, provider, options)
    assert words in caught.value.words
    assert text_of(path) == LAID_OUT
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_a_broken_configuration_is_not_touched(path: Path) -> None:
    for broken in (b"[accounts", b"x = '\xe4'", b"[nonsense]\n", b"\xef\xbb\xbf[vault]\n"):
        path.write_bytes(broken)
        acts: list[Callable[[], None]] = [
            lambda: add(path, "new", "cronofy", {}),
            lambda: change(path, "new", {}),
            lambda: remove(path, "new"),
        ]
        for act in acts:
            with pytest.raises(ConfigError, match=re.escape(str(path))):
                act()
        assert path.read_bytes() == broken


# Changing


def test_a_change_keeps_comments_and_layout(path: Path) -> None:
    path.write_text(LAID_OUT)
    change(path, "advice", {"base_url": "https://new.example", "paths": "legacy", "verify": True})
    assert text_of(path) == LAID_OUT.replace(
        "base_url = 'https://acme.example'\n", 'base_url = "https://new.example"\npaths = "legacy"\n'
    )
    change(path, "advice", {"base_url": "https://acme.example", "paths": "auto"})
    assert text_of(path) == LAID_OUT.replace("'https://acme.example'", '"https://acme.example"')


def test_a_value_that_stands_there_stays_as_it_is_written(path: Path) -> None:
    path.write_text(LAID_OUT)
    stat = path.stat()
    change(path, "agents", {"resource_hosts": ("files.example",), "data_center": "us", "poll_s": None})
    change(path, "advice", {"base_url": "https://acme.example"})
    assert text_of(path) == LAID_OUT
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)


def test_a_written_default_stays_and_goes_with_none(path: Path) -> None:
    text = '[accounts.a]\nprovider = "cronofy"\nverify = true # sure\npoll_s = 300\n'
    path.write_text(text)
    change(path, "a", {"verify": True, "poll_s": 300.0})
    assert text_of(path) == text
    change(path, "a", {"verify": None, "data_center": "de"})
    assert written(path, "a") == {"provider": "cronofy", "poll_s": 300, "data_center": "de"}


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("nobody", {}, "there is no account nobody; configured: advice, agents"),
        ("advice", {"agent_id": "1"}, "account advice has no option agent_id"),
        ("advice", {"provider": "cronofy"}, "account advice has no option provider"),
        ("advice", {"base_url": ""}, "base_url is missing"),
        ("advice", {"base_url": None}, "base_url is missing"),
        ("advice", {"paths": "newest"}, "paths must be one of"),
        ("agents", {"resource_hosts": ["https://x.example"]}, "resource_hosts must name exact hosts"),
        ("agents", {"verify": "no"}, "verify must be true or false"),
    ],
)
def test_what_cannot_be_changed(path: Path, name: str, options: dict[str, Any], words: str) -> None:
    path.write_text(LAID_OUT)
    with pytest.raises(ConfigError) as caught:
        change(path, name, options)
    assert words in caught.value.words
    assert text_of(path) == LAID_OUT


# Removing


def test_comments_about_what_follows_stay(path: Path) -> None:
    path.write_text(LAID_OUT)
    remove(path, "advice")
    assert text_of(path) == re.sub(r"\[accounts.advice\]\n.*\n.*\n\n", "", LAID_OUT)
    remove(path, "agents")
    assert tomllib.loads(text_of(path)) == {"vault": {"path": "/srv/vault"}, "receiver": {"port": 9000}}
    assert comments(text_of(path)) == [
        "# My desk, odd but mine",
        "# where",
        "# The agents. Ask Eve before you touch them.",
        '# paths = "not here"',
    ]
    with pytest.raises(ConfigError, match="there is no account advice; configured: none"):
        remove(path, "advice")


# The file


def test_a_link_is_written_through(tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "reeldesk.toml").write_text("# mine\n")
    (dotfiles / "reeldesk.toml").chmod(0o640)
    link = tmp_path / "config.toml"
    link.symlink_to("dotfiles/reeldesk.toml")
    add(link, "agents", "cronofy", {})
    assert link.is_symlink()
    assert text_of(dotfiles / "reeldesk.toml") == '# mine\n\n[accounts.agents]\nprovider = "cronofy"\n'
    assert (dotfiles / "reeldesk.toml").stat().st_mode & 0o777 == 0o640
    assert [each.name for each in dotfiles.iterdir()] == ["reeldesk.toml"]


def test_a_link_to_nothing_yet(tmp_path: Path) -> None:
    link = tmp_path / "config.toml"
    link.symlink_to(tmp_path / "later" / "file.toml")
    add(link, "agents", "cronofy", {})
    assert link.is_symlink()
    assert set(load(link, {}).accounts) == {"agents"}


def test_the_owner_stays(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root may give files away")
    path.write_text("")
    os.chown(path, 12_345, 54_321)
    add(path, "agents", "cronofy", {})
    assert (path.stat().st_uid, path.stat().st_gid) == (12_345, 54_321)


def test_somebody_else_s_change_is_not_overwritten(path: Path) -> None:
    path.write_text("# mine\n")

    def edit(text: str) -> str:
        path.write_text("# theirs\n")
        return f"{text}# ours\n"

    with pytest.raises(ConfigError, match="somebody else changed it meanwhile; nothing was written"):
        rewriting.rewrite(path, edit)
    assert text_of(path) == "# theirs\n"
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_a_file_that_came_into_being_meanwhile_is_not_overwritten(path: Path) -> None:
    def edit(text: str) -> str:
        path.write_text("# theirs\n")
        return "# ours\n"

    with pytest.raises(ConfigError, match="somebody else changed it meanwhile"):
        rewriting.rewrite(path, edit)
    assert text_of(path) == "# theirs\n"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "file" / "config.toml", tmp_path, tmp_path / "loop"):
        with pytest.raises(VaultError, match=r"cannot be changed: .*; it is as it was"):
            add(path, "agents", "cronofy", {})


def test_a_full_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(LAID_OUT)
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(VaultError, match="No space left on device; it is as it was"):
        remove(path, "advice")
    assert text_of(path) == LAID_OUT
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_one_at_a_time(path: Path) -> None:
    names = [f"a{number}" for number in range(12)]
    threads = [threading.Thread(target=add, args=(path, name, "cronofy", {})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(load(path, {}).accounts) == set(names)
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_whoever_holds_it_too_long_is_not_waited_for(path: Path) -> None:
    with rewriting._locked(path, 1), pytest.raises(VaultError, match="another process is changing"):
        rewriting.rewrite(path, lambda text: "x", wait_s=0.05)
    rewriting.rewrite(path, lambda text: "# x\n")
    assert text_of(path) == "# x\n"


CHILD = """
import sys
from pathlib import Path
from vault.accounts import add, change, remove
path = Path(sys.argv[1])
print("ready", flush=True)
while True:
    add(path, "coming", "cronofy", {"data_center": "de"})
    change(path, "coming", {"data_center": "au", "poll_s": 5})
    remove(path, "coming")
"""


def test_a_kill_at_any_moment_leaves_a_whole_file(path: Path) -> None:
    path.write_text(LAID_OUT)
    chance = random.Random(5)
    seen = set()
    for _ in range(int(os.environ.get("REELDESK_KILLS", "12"))):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, cwd=HOUSE, env=os.environ
        )
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(chance.uniform(0.001, 0.05))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        text = text_of(path)
        assert text.startswith(LAID_OUT)
        state = load(path, {}).accounts.get("coming")
        seen.add(state.settings.options["data_center"] if state else "")
        if state:  # and the next one takes up what was left, lock and all
            remove(path, "coming")
    assert seen <= {"", "de", "au"}
    left = {each.name for each in path.parent.iterdir()}
    assert left <= {"config.toml", ".config.toml.new", ".config.toml.lock"}
    add(path, "last", "cronofy", {})
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


# What must be typed


@pytest.mark.parametrize(
    ("provider", "options", "host"),
    [
        ("flexperto", {"base_url": "https://acme.example:8443/api/v2", "verify": False}, "acme.example"),
        ("flexperto", {"base_url": "https://acme.example", "verify": True}, ""),
        ("flexperto", {"base_url": "https://acme.example"}, ""),
        ("huawei", {"base_url": "https://10.0.0.5:8043", "agent_id": "1", "verify": False}, "10.0.0.5"),
        ("cronofy", {"verify": False}, "api.cronofy.com"),
        ("cronofy", {"data_center": "de", "verify": False}, "api-de.cronofy.com"),
        ("cronofy", {"base_url": "https://eu.example", "verify": False}, "eu.example"),
        ("cronofy", {"base_url": "nonsense", "verify": False}, ""),
    ],
)
def test_the_host_to_type(provider: str, options: dict[str, Any], host: str) -> None:
    assert host_to_type(provider, options) == host


def test_names() -> None:
    assert problem_with_name("a-1", ()) == ""
    assert problem_with_name("a-1", {"a-1"}) == "there is an account a-1 already"


@pytest.mark.parametrize(("name", "taken"), [("x", "x-other"), ("x-other", "x"), ("a-b", "a-b-other")])
def test_two_accounts_never_share_a_variable(path: Path, name: str, taken: str) -> None:
    """`other_api_key` of x and `api_key` of x-other would both be REELDESK_SECRET_X_OTHER_API_KEY."""
    variable = f"REELDESK_SECRET_{min(name, taken, key=len).upper().replace('-', '_')}_OTHER_API_KEY"
    assert problem_with_name(name, {taken}) == (
        f"{name} and {taken} would share {variable}, which gives a secret: take another name"
    )
    assert problem_with_name(name, {f"{taken}s", "other"}) == ""
    add(path, taken, "cronofy", {})
    before = text_of(path)
    with pytest.raises(ConfigError, match=f"would share {variable}"):
        add(path, name, "cronofy", {})
    assert text_of(path) == before


def test_what_is_written_is_what_can_be_read(path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no account x; configured: none"):
        written(path, "x")
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        written(path, "x")


def test_a_layout_that_tomlkit_cannot_edit_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(LAID_OUT)

    def broken(text: str) -> tomlkit.TOMLDocument:
        return tomlkit.document()

    monkeypatch.setattr(tomlkit, "parse", broken)
    with pytest.raises(ConfigError, match="only a person can edit; nothing was changed"):
        remove(path, "advice")
    assert text_of(path) == LAID_OUT
