"""config.toml: what is wrong is named with file, line and key."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.declaring import Option, problem_with, problem_with_address
from vault.config import Config, data_folder, default_path, load, parse
from vault.errors import ConfigError

HOME = Path("/home/desk")
FILE = Path("/etc/reeldesk/config.toml")
DATA = Path("/var/lib/reeldesk")
GOOD = """
[vault]
path = "/srv/vault"
workers = 8

[accounts.advice]
provider = "flexperto"
base_url = "https://acme.live.flexperto.com"
spool = "spool"
ca_file = "ca.pem"
timeout_s = 5
poll_s = 60
auto_fetch = true

[accounts.agents]
provider = "cronofy"

[accounts.calls]
provider = "huawei"
base_url = "https://10.0.0.5:8043"
agent_id = "1001"
"""


def read(text: str) -> Config:
    return parse(text, FILE, DATA)


def test_a_good_one() -> None:
    config = read(GOOD)
    assert (config.path, config.data, config.vault_path) == (FILE, DATA, Path("/srv/vault"))
    assert (config.workers, config.workers_per_account) == (8, 2)
    assert config.ledger_path == DATA / "ledger.db"
    advice = config.accounts["advice"]
    assert (advice.name, advice.poll_s, advice.auto_fetch) == ("advice", 60.0, True)
    assert advice.spool == FILE.parent / "spool"
    assert advice.settings.ca_file == str(FILE.parent / "ca.pem")
    assert advice.settings.timeout_s == 5.0
    assert advice.settings.verify
    assert advice.settings.options["paths"] == "auto"
    assert config.accounts["agents"].spool is None
    assert config.accounts["calls"].settings.options["watch"] is False


def test_what_an_account_may_have_beside() -> None:
    text = """password_command = ["pass", "show", "reeldesk/{name}"]
allow_private = ["https://10.0.0.9:9000", "https://store.corp/"]"""
    config = read(account(text)).accounts["advice"]
    assert config.password_command == ("pass", "show", "reeldesk/{name}")
    assert config.settings.allow_private == ("https://10.0.0.9:9000", "https://store.corp/")
    without = read(account("")).accounts["advice"]
    assert (without.password_command, without.settings.allow_private) == ((), ())


def test_nothing_is_configured_yet() -> None:
    config = read("")
    assert (config.accounts, config.vault_path) == ({}, Path("~/reeldesk").expanduser())


def account(line: str, provider: str = "flexperto", url: str = "https://a.example") -> str:
    return f'[accounts.advice]\nprovider = "{provider}"\nbase_url = "{url}"\n{line}\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[vault\n", 0, "this is not TOML"),
        ("x = 1\n[vault]\n", 1, "x is not known here; known are [vault], [desk], "),
        ("[vault]\n\n[other]\n", 3, "other is not known here"),
        ("[vault]\nspeed = 9\n", 2, "vault.speed is not known here; known are max_bytes_per_s, path"),
        ("[vault]\npath = 7\n", 2, "vault.path must be a text in quotes"),
        ('[vault]\npath = ""\n', 2, "vault.path is no path"),
        ('[vault]\npath = "a\\u0000b"\n', 2, "vault.path is no path"),
        ('[vault]\npath = "~nobody-here/x"\n', 2, "vault.path names a user's folder"),
        ("[vault]\nworkers = 0\n", 2, "vault.workers must be between 1 and 32"),
        ("[vault]\nworkers = 1.5\n", 2, "vault.workers must be a number"),
        ("[vault]\nworkers_per_account = 33\n", 2, "vault.workers_per_account must be between 1 and 32"),
        ("vault = 1\n", 1, "vault must be a table"),
        ('[vault]\ntemplate = "{title}"\n', 2, "must name {meeting}, {kind}, {variant} and {ext}"),
        ('[vault]\ntemplate = "{room}/{meeting}"\n', 2, "names {room}; known are account"),
        ('[vault]\ntemplate = "/{meeting}{kind}{variant}.{ext}"\n', 2, "must stay inside the vault"),
        ('[vault]\ntemplate = "../{meeting}{kind}{variant}.{ext}"\n', 2, "must stay inside the vault"),
        ("accounts = 1\n", 1, "accounts must be tables: [accounts.NAME]"),
        ("[[accounts]]\n", 1, "accounts must be tables: [accounts.NAME]"),
        ("[accounts.Advice]\n", 1, "accounts.Advice is no account name"),
        ("[accounts]\nadvice = 1\n", 2, "accounts.advice must be a table"),
        ("[accounts.advice]\n", 1, "accounts.advice.provider must be one of cronofy, temasys"),
        ('[accounts.advice]\nprovider = "zoom"\n', 2, "accounts.advice.provider must be one of"),
        ("[accounts.advice]\nprovider = []\n", 2, "accounts.advice.provider must be one of"),
        ('[accounts.advice]\nprovider = "flexperto"\n', 1, "accounts.advice.base_url is missing: the tenant's address"),
        (account("", url=""), 3, "accounts.advice.base_url must not be empty"),
        (account("", url="http://a.example"), 3, "accounts.advice.base_url must begin with https://"),
        (account("", url="a.example"), 3, "accounts.advice.base_url must be an address like https://host"),
        (account("", url="https://me@a.example"), 3, "must be an address"),
        (
            account("sped = 1"),
            4,
            "accounts.advice.sped is not known here; known are abandon_days, allow_private, auto_fetch",
        ),
        (account("'sped' = 1"), 4, "accounts.advice.sped is not known here"),
        (account('verify = "no"'), 4, "accounts.advice.verify must be true or false"),
        (account("timeout_s = -1"), 4, "accounts.advice.timeout_s must be a number, 0 or more"),
        (account("timeout_s = true"), 4, "accounts.advice.timeout_s must be a number"),
        (account("timeout_s = nan"), 4, "accounts.advice.timeout_s must be a number"),
        (account("timeout_s = inf"), 4, "accounts.advice.timeout_s must be a number"),
        (account(f"timeout_s = 1{'0' * 400}"), 4, "accounts.advice.timeout_s must be a number"),
        (account("timeout_s = 0"), 4, "accounts.advice.timeout_s must be more than 0"),
        (account('paths = "newest"'), 4, "accounts.advice.paths must be one of auto, current, legacy"),
        (account('proxy = "proxy"'), 4, "accounts.advice.proxy must be an address"),
        (account("rate_per_s = '1'"), 4, "accounts.advice.rate_per_s must be a number"),
        (account('spool = "~nobody-here/x"'), 4, "accounts.advice.spool names a user's folder"),
        (account("resource_hosts = 'x'", "cronofy"), 4, "must be a list of texts"),
        (account("resource_hosts = [1]", "cronofy"), 4, "must be a list of texts"),
        ('accounts = {advice = {provider = "flexperto", sped = 1}}\n', 1, "accounts.advice.sped is not known here"),
        (account("password_command = 'pass show x'"), 4, "password_command must be a list of texts"),
        (account("password_command = ['']"), 4, "password_command is empty"),
        (account("password_command = ['pass', 'show']"), 4, "password_command must have {name} in one of"),
        (account("allow_private = ['10.0.0.9:9000']"), 4, "allow_private must name origins, such as https://10.0.0.9"),
        (account("allow_private = ['https://10.0.0.9/x']"), 4, "without a path: 'https://10.0.0.9/x' is none"),
        (account("allow_private = ['http://127.0.0.1:9']"), 4, "must begin with https://: 'http://127.0.0.1:9' does"),
        (account("resource_hosts = ['*.example']", "cronofy"), 4, "must name exact hosts"),
        (account("resource_hosts = ['https://a.example']", "cronofy"), 4, "must name exact hosts"),
        (account("download_hosts = ['*']", "temasys"), 4, "must name hosts: host, host:port or *.suffix; '*' is none"),
        (account("header = 'a b'", "temasys"), 4, "header must be a header's name"),
        (account("header = 'Host'", "proconf"), 4, "header must not be Host"),
        (account("login_path = 'https://b.example/'", "temasys"), 4, "login_path must be a path"),
        (account("rooms = ['a', '..']", "proconf"), 4, "rooms must name rooms: '..' cannot be a room's name"),
        (account("agent_id = 'Eve'", "huawei"), 4, "agent_id must be a number such as 1001"),
        (account("", url="https://a.example/?x=1"), 3, "base_url must end before the ? or #"),
        ("[triage]\ngrace_s = -1\n", 2, "triage.grace_s must be a number, 0 or more"),
        ("[receiver]\nport = 0\n", 2, "receiver.port must be between 1 and 65535"),
        ("[receiver]\nrate_per_s = 0\n", 2, "receiver.rate_per_s must be more than 0"),
        ("[receiver]\ntrusted_proxies = ['a']\n", 2, "must be addresses or networks (10.0.0.0/8)"),
        ('accounts.advice.provider = "flexperto"\n', 1, "accounts.advice.base_url is missing"),
    ],
)
def test_what_is_wrong_is_named(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    place = f"{FILE}, line {line}: " if line else f"{FILE}: "
    assert caught.value.words.startswith(place)
    assert words in caught.value.words


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://a.example", True),
        ("https://10.0.0.5:8043/agentgateway", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:80/x", True),
        ("http://127.0.0.1.evil.example", False),
        ("http://10.0.0.5", False),
        ("ftp://a.example", False),
        ("", False),
    ],
)
def test_addresses(url: str, fits: bool) -> None:
    assert (problem_with_address(url) == "") is fits


def test_values_of_options() -> None:
    assert problem_with(Option("x", "a number", "number"), 0) == ""
    assert problem_with(Option("x", "a number", "number"), 1.5) == ""
    assert problem_with(Option("x", "a list", "texts"), ["a"]) == ""
    assert problem_with(Option("x", "an address", "url"), "") == ""
    assert problem_with(Option("x", "a text"), "") == ""
    assert problem_with(Option("x", "a text", required=True), "") == "must not be empty: a text"


KEYS = st.sampled_from(["vault", "accounts", "advice", "provider", "base_url", "path", "template", "workers", "rooms"])
VALUES = st.sampled_from(
    ['"flexperto"', '"https://a.example"', "1", "true", "[]", "{}", "[[[", "nan", '"\\u0000"', "'~x'"]
)
LINES = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("[{}]".format, KEYS),
    st.builds("[accounts.{}]".format, KEYS),
    st.builds("[[{}.{}]]".format, KEYS, KEYS),
    st.text(max_size=20),
)


@given(st.one_of(st.text(), st.lists(LINES, max_size=8).map("\n".join)))
@example("a = [" + "[" * 5_000)
@example("a = " + "9" * 5_000)
@example("[accounts.advice]\nprovider='huawei'\nbase_url='https://a'\nagent_id='1'\nwatch=1")
@example("[accounts]\n'' = 1")
def test_any_text_gives_a_config_or_words(text: str) -> None:
    try:
        words = f"{FILE} gives {len(read(text).accounts)} accounts"
    except ConfigError as error:
        words = error.words
    assert words.startswith(str(FILE))


# Files


def test_where_things_are() -> None:
    assert default_path({"REELDESK_CONFIG": "/x/y.toml"}) == Path("/x/y.toml")
    assert default_path({}).name == "config.toml"
    assert data_folder({"REELDESK_DATA": "/x"}) == Path("/x")
    assert data_folder({}).name == "reeldesk"


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    for path, environ in ((missing, {}), (None, {"REELDESK_CONFIG": str(missing)})):
        with pytest.raises(ConfigError, match=r"none.toml: there is no such file"):
            load(path, environ)


def test_an_unnamed_file_need_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.config.user_config_path", lambda name: tmp_path / name)
    assert load(None, {"REELDESK_DATA": str(tmp_path)}).accounts == {}
    assert load(None, {}).data.name == "reeldesk"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"x = '\xe4'")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        load(tmp_path / "latin.toml", {})
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, {})


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[vault]\npath = "recordings"\n')
    assert load(path, {"REELDESK_DATA": os.fspath(tmp_path)}).vault_path == tmp_path / "recordings"


def test_accounts_whose_secrets_share_a_variable() -> None:
    two = "[accounts.x]\nprovider = 'cronofy'\n[accounts.x-other]\nprovider = '{}'\n{}"
    with pytest.raises(ConfigError, match=r"line 3: accounts.x-other and x share REELDESK_SECRET_X_OTHER_API_KEY, "):
        read(two.format("cronofy", ""))
    with pytest.raises(ConfigError, match="one of them needs another name"):
        read(two.format("flexperto", "base_url = 'https://a.example'"))
    assert len(read(two.format("huawei", "base_url = 'https://a.example'\nagent_id = '1001'")).accounts) == 2
