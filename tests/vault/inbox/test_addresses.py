"""Where services are to call: what is shown, what is copied, and what is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.secret import Secret
from vault import config
from vault.errors import VaultError
from vault.inbox.addresses import address_views, base_of, hook_address, masked
from vault.inbox.app import _text
from vault.inbox.gate import digest
from vault.inbox.views import AddressView
from vault.ledger import Ledger
from vault.ledger.hooks import Hooks

LONG = "abcd-a-secret-of-some-length"
ACCOUNTS = """
[accounts.advice]
provider = "flexperto"
base_url = "https://advice.example"
[accounts.agents]
provider = "cronofy"
[accounts.rooms]
provider = "temasys"
base_url = "https://rooms.example"
[accounts.standup]
provider = "proconf"
base_url = "https://standup.example"
[accounts.calls]
provider = "huawei"
base_url = "https://calls.example"
agent_id = "1001"
"""
NAMES = ("advice", "agents", "rooms", "standup")


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    ledger = Ledger(tmp_path / "ledger.db")
    yield ledger.hooks
    ledger.close()


def parsed(receiver: str = 'public_url = "https://h.example/in/"') -> config.Config:
    return config.parse(f"[receiver]\n{receiver}\n{ACCOUNTS}", Path("/c/config.toml"), Path("/d"))


def views(hooks: Hooks, token: Secret | VaultError | None, receiver: str = "") -> dict[str, AddressView]:
    known = parsed(receiver) if receiver else parsed()
    found = address_views(known, hooks, dict.fromkeys(NAMES, token), {name: name.upper() for name in NAMES}, "")
    assert len(found) == len(NAMES), "an account that is not called from outside has no address"
    return {view.account: view for view in found}


def told(view: AddressView) -> tuple[str, str, str]:
    return view.shown, view.guard, view.problem


def test_with_a_secret(hooks: Hooks) -> None:
    it = views(hooks, Secret(LONG))
    assert told(it["advice"]) == ("https://h.example/in/hooks/advice/abcd…", "secret address", "")
    assert told(it["rooms"]) == ("https://h.example/in/hooks/rooms/abcd…", "secret address", "")
    assert told(it["agents"]) == ("https://h.example/in/hooks/agents/abcd…", "signature, secret address", "")
    assert told(it["standup"]) == ("https://h.example/in/callCatchUp/ROOM", "bearer token abcd…", "")
    assert it["advice"].address == Secret(f"https://h.example/in/hooks/advice/{LONG}")
    assert it["standup"].address == Secret(LONG), "of catch-ups the token is what is to be told"
    assert [name for name in NAMES if it[name].subscribes] == ["advice"]
    assert [name for name in NAMES if it[name].is_catchup] == ["standup"]
    assert {view.base for view in it.values()} == {"https://h.example/in"}
    assert LONG not in repr(it)


def test_without_a_secret(hooks: Hooks) -> None:
    it = views(hooks, None)
    for name in ("advice", "rooms"):
        assert told(it[name])[0] == f"https://h.example/in/hooks/{name}/…"
        assert it[name].problem == "it has no hook_secret yet, so nothing can come in: make one"
        assert it[name].address is None
    assert it["standup"].problem == "it has no hook_secret yet, so nothing can come in: make one"
    assert it["standup"].address is None
    assert told(it["agents"]) == ("https://h.example/in/hooks/agents", "signature", "")
    assert it["agents"].address == Secret("https://h.example/in/hooks/agents")


def test_with_one_that_is_too_short(hooks: Hooks) -> None:
    it = views(hooks, Secret("fifteen-letters"))
    for name in ("advice", "rooms", "standup"):
        assert it[name].problem == "its hook_secret has fewer than 16 characters and opens nothing: make a new one"
        assert it[name].address is None
    assert it["agents"].address == Secret("https://h.example/in/hooks/agents")
    assert it["agents"].problem.endswith("opens nothing: what is signed comes in without it")
    assert "fift" not in repr(it)
    assert views(hooks, Secret("sixteen-letters!"))["advice"].problem == ""


def test_with_one_that_another_process_replaced(hooks: Hooks) -> None:
    for name in NAMES:
        hooks.adopt(name, digest(LONG), 1)
        hooks.rotate(name, digest("something-else-of-length"), 2)
    it = views(hooks, Secret(LONG))
    for name in NAMES:
        assert it[name].address is None
        assert "was replaced by one that is not known here" in it[name].problem
        assert "abcd" not in it[name].shown + it[name].guard
    assert it["agents"].shown == "https://h.example/in/hooks/agents/…", "the address without a secret opens no more"


def test_with_one_that_is_gone_from_here(hooks: Hooks) -> None:
    for name in NAMES:
        hooks.adopt(name, digest(LONG), 1)
    it = views(hooks, None)
    assert all("not known here" in view.problem and view.address is None for view in it.values())
    assert it["agents"].guard == "signature, secret address"


def test_with_one_that_is_configured_anew(hooks: Hooks) -> None:
    hooks.adopt("advice", digest("something-else-of-length"), 1)
    it = views(hooks, Secret(LONG))["advice"]
    assert it.address == Secret(f"https://h.example/in/hooks/advice/{LONG}")
    assert it.problem == "its hook_secret is a new one: it is taken when the receiver starts again"
    hooks.adopt("advice", digest(LONG), 2)
    assert views(hooks, Secret(LONG))["advice"].problem == ""


def test_with_one_that_cannot_be_read(hooks: Hooks) -> None:
    it = views(hooks, VaultError("the secret in /x can be read by others"))
    for view in it.values():
        assert view.address is None
        assert view.problem == "the secret in /x can be read by others"
    assert it["agents"].shown == "https://h.example/in/hooks/agents/…"


@pytest.mark.parametrize(
    ("receiver", "listens_on", "base"),
    [
        ('public_url = "https://h.example/"', "http://127.0.0.1:1", "https://h.example"),
        ("", "http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("", "", "http://127.0.0.1:8787"),
        ('host = "::1"\nport = 9', "", "http://[::1]:9"),
        ('tls_cert = "c"\ntls_key = "k"', "", "https://127.0.0.1:8787"),
    ],
)
def test_what_addresses_begin_with(receiver: str, listens_on: str, base: str) -> None:
    assert base_of(parsed(receiver), listens_on) == base


def test_masks() -> None:
    assert [masked(text) for text in ("", "x" * 15, "abcd" + "x" * 12)] == ["…", "…", "abcd…"]


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=16, max_size=40))
def test_whatever_the_secret_the_address_leads_to_it(text: str) -> None:
    """Slashes, blanks, per cent and question marks are encoded once, as the receiver decodes them once."""
    if not text.strip():
        return
    token = Secret(text).reveal()
    address = hook_address("https://h.example/in", "advice", token)
    prefix, _, part = address.rpartition("/")
    assert prefix == "https://h.example/in/hooks/advice"
    assert not set(part) & set("?#/ ")
    assert _text(part.encode()) == token
