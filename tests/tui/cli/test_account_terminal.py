"""`account add` on a terminal: one field after the other, with words, examples and validation."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.tui.cli.conftest import Place
from tests.tui.cli.test_account import CANARY, kept, ring  # noqa: F401  # a fixture
from tests.tui.cli.test_process import HOUSE, REELDESK
from vault.config import load

pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")


class Typist:
    """Answers what is asked."""

    def __init__(self, child: "pexpect.spawn[str]") -> None:
        self._child = child
        self.seen = ""

    def __call__(self, asked: str, typed: str) -> None:
        """Wait for the words, and type a line."""
        self._child.expect_exact(asked)
        self.seen += self._child.before + asked
        self._child.expect(": $")
        self.seen += self._child.before
        self._child.send(typed if typed in ("\x03", "\x04") else f"{typed}\r")

    def end(self) -> int:
        """The exit status, when it has ended."""
        self._child.expect(pexpect.EOF)
        self.seen += self._child.before
        self._child.close()
        assert "Traceback" not in self.seen
        return int(self._child.exitstatus)


@contextmanager
def account_add(*words: str, **more: str) -> Iterator[Typist]:
    child = pexpect.spawn(
        REELDESK[0],
        [*REELDESK[1:], "account", "add", *words],
        cwd=str(HOUSE),
        env=os.environ | more,
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )
    try:
        yield Typist(child)
    finally:
        child.close(force=True)


def test_a_whole_account(place: Place, ring: Path) -> None:  # noqa: F811
    with account_add("rooms") as typist:
        typist("proconf: ProCONF", "temasis")
        typist("must be one of", "temasys")
        typist("Address (base_url): address of the service", "")
        typist("base_url is needed", "api.example.com")
        typist("base_url must be an address like https://host", "https://api.example.com")
        typist("Sign-in (auth): how to sign in", "header")
        typist("Header (header): header that carries the token", "Bad Header")
        typist("header must be a header's name", "X-Key")
        typist("Download hosts (download_hosts)", "*.a.example, b.example")
        typist("Header's value (token): the header's whole value", "")
        typist("token is needed", CANARY)
        typist("App key (api_key): app key that callbacks must name", "")
        assert typist.end() == 0
    assert CANARY not in typist.seen
    assert "such as https://api.example.com; needed" in typist.seen
    assert "one of login, cookie, header, none; Enter: login" in typist.seen
    assert "User name" not in typist.seen, "it is for another sign-in"
    assert "Login path" not in typist.seen
    assert "token of account rooms is kept in: keyring Ring" in typist.seen
    assert (place.root / "config.toml").read_text() == (
        '[accounts.rooms]\nprovider = "temasys"\nbase_url = "https://api.example.com"\nauth = "header"\n'
        'header = "X-Key"\ndownload_hosts = ["*.a.example", "b.example"]\n'
    )
    assert kept(ring) == {"reeldesk rooms/token": CANARY}


def test_what_is_given_is_not_asked(place: Place, ring: Path) -> None:  # noqa: F811
    words = ("--provider", "huawei", "--set", "base_url=https://10.0.0.5:8043", "--set", "agent_id=1001")
    with account_add("calls", *words) as typist:
        typist("Phone (phone)", "")
        typist("Watch (watch)", "maybe")
        typist("watch must be true or false", "y")
        typist("Password (password)", "")
        typist("Guid (guid)", "")
        typist("guid is needed", CANARY)
        assert typist.end() == 0
    assert "base_url" not in typist.seen
    options = load(place.root / "config.toml", {}).accounts["calls"].settings.options
    assert (options["watch"], options["phone"]) == (True, "")
    assert kept(ring) == {"reeldesk calls/guid": CANARY}


def test_a_secret_that_is_there_is_told(place: Place, ring: Path) -> None:  # noqa: F811
    words = ("--provider", "cronofy", "--set", "data_center=de", "--secret", "hook_secret")
    with account_add("agents", *words, REELDESK_SECRET_AGENTS_API_KEY=CANARY) as typist:
        typist("Webhook secret (hook_secret)", "hooked")
        assert typist.end() == 0
    assert "(api_key): it is there already: environment REELDESK_SECRET_AGENTS_API_KEY" in typist.seen
    assert CANARY not in typist.seen
    assert kept(ring) == {"reeldesk agents/hook_secret": "hooked"}
    assert "data_center" in (place.root / "config.toml").read_text()


@pytest.mark.parametrize(("typed", "status"), [("acme.example", 0), ("acme", 2), ("yes", 2), ("", 2)])
def test_unchecked_tls_wants_the_host_typed(place: Place, typed: str, status: int) -> None:
    words = ("--provider", "flexperto", "--set", "base_url=https://acme.example", "--set", "verify=false")
    with account_add("advice", *words, "--set", "paths=auto", "--no-secrets") as typist:
        typist("can read along, the credential too", typed)
        assert typist.end() == status
    assert (place.root / "config.toml").exists() == (status == 0)
    assert ("nothing was added" in typist.seen) == (status == 2)


@pytest.mark.parametrize(("key", "status"), [("\x03", 130), ("\x04", 2)])
def test_leaving_in_the_middle_adds_nothing(place: Place, ring: Path, key: str, status: int) -> None:  # noqa: F811
    with account_add("advice", "--provider", "flexperto", "--set", "paths=auto") as typist:
        typist("Address (base_url)", key)
        assert typist.end() == status
    with account_add("advice", "--provider", "flexperto", "--set", "base_url=https://a.example") as typist:
        typist("Paths (paths)", "")
        typist("API token (api_key)", "\x03")
        assert typist.end() == 130
    assert not (place.root / "config.toml").exists()
    assert kept(ring) == {}


def test_secrets_go_into_a_new_sealed_file_where_there_is_no_keyring(place: Place) -> None:
    words = ("--provider", "cronofy", "--set", "data_center=de")
    with account_add("agents", *words) as typist:
        typist("API key (api_key)", CANARY)
        typist("a new passphrase for it", "open sesame")
        typist("once more", "open sesame")
        assert typist.end() == 0
    assert CANARY not in typist.seen
    assert "sesame" not in typist.seen
    sealed = place.root / "data" / "secrets.sealed"
    assert f"kept in: sealed file {sealed}" in typist.seen
    assert CANARY.encode() not in sealed.read_bytes()
    with account_add("more", *words) as typist:
        typist("API key (api_key)", "other")
        typist("passphrase of the sealed file", "open sesam")
        typist("passphrase of the sealed file", "open sesame")
        assert typist.end() == 0
