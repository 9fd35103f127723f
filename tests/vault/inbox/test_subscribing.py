"""Webhooks at the service: listed, registered, deleted, and how deliveries went."""

from pathlib import Path

import pytest

from providers.base import Forbidden, Refused, ServiceDown, Unsupported
from providers.emulation import Loopback
from providers.models import Subscription, address_digest
from providers.secret import Secret
from tests.vault.inbox.tenant import (
    AVAILABLE,
    CLOSE,
    MISSPELT,
    OLD,
    Tenant,
    is_current,
    tenant,
    whole,
)
from tests.vault.world import ACCOUNT
from vault.errors import VaultError
from vault.inbox.addresses import leads_below
from vault.inbox.asking import without
from vault.inbox.subscribing import unreachable


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> Tenant:
    return tenant(net, tmp_path)


# Listed


async def test_what_is_registered_and_where_it_leads(it: Tenant) -> None:
    it.register()
    it.register(token="another-secret-that-is-long-enough")
    it.emulator.subscribe(MISSPELT, it.old_address())
    it.emulator.subscribe(AVAILABLE, "https://elsewhere.example/hooks/advice/" + OLD)
    async with it.desk() as desk:
        views = await desk.webhooks.subscribing.subscriptions(ACCOUNT)
        assert [(view.ours, view.words) for view in views] == [
            (True, "this receiver"),
            (False, "this receiver, with another secret than the one in use"),
            (True, "this receiver"),
            (False, "another address than this receiver's"),
        ]
        assert "misspelt" in views[2].subscription.warning
        for view in views:
            assert OLD not in whole(view.subscription) + repr(view)


async def test_without_our_secret_nothing_is_called_ours(it: Tenant) -> None:
    it.register()
    it.emulator.subscribe(AVAILABLE, "https://elsewhere.example/hooks/advice/" + OLD)
    it.secret = ""
    async with it.desk() as desk:
        views = await desk.webhooks.subscribing.subscriptions(ACCOUNT)
    assert [view.ours for view in views] == [None, False]
    assert views[0].words == "this receiver; with which secret cannot be told"


@pytest.mark.parametrize("status", [404, 405, 400])
async def test_a_service_that_lists_none(it: Tenant, status: int) -> None:
    it.emulator.refuse = lambda call: status if call.startswith("GET") else None
    async with it.desk() as desk:
        with pytest.raises(Unsupported, match="flexperto does not tell which webhooks are registered there"):
            await desk.webhooks.subscribing.subscriptions(ACCOUNT)


async def test_a_service_that_is_down_is_not_one_that_lists_none(it: Tenant) -> None:
    it.emulator.faults.status = 503
    async with it.desk() as desk:
        with pytest.raises(ServiceDown):
            await desk.webhooks.subscribing.subscriptions(ACCOUNT)
        it.emulator.faults.status, it.emulator.is_admin = None, False
        with pytest.raises(Forbidden):
            await desk.webhooks.subscribing.subscriptions(ACCOUNT)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("https://h.example/x/hooks/advice/abcd…", True),
        ("https://H.example:443/x/hooks/advice/…", True),
        ("https://h.example/x/hooks/advice", True),
        ("https://h.example/x/hooks/advice/a/b", False),
        ("https://h.example/x/hooks/other/abcd…", False),
        ("https://h.example/hooks/advice/abcd…", False),
        ("http://h.example/x/hooks/advice/abcd…", False),
        ("https://h.example/x/hooks/ad…/abcd…", None),
        ("https://h.example/x/hooks/be…/abcd…", False),
        ("https://h.example/x", False),
        ("nonsense", False),
        ("", None),
    ],
)
def test_a_masked_address_below_ours(shown: str, expected: bool | None) -> None:
    assert leads_below(shown, "https://h.example/x/hooks/advice") is expected


# Registered


async def test_registering(it: Tenant) -> None:
    async with it.desk() as desk:
        made = await desk.webhooks.subscribing.register(ACCOUNT, AVAILABLE)
        assert it.urls == [it.old_address()]
        assert made.ours is True
        assert OLD not in repr(made) + whole(made.subscription)
        assert is_current(desk, OLD), "what is registered is taken from now on"
        with pytest.raises(VaultError, match=f"registered for {AVAILABLE} already") as caught:
            await desk.webhooks.subscribing.register(ACCOUNT, AVAILABLE)
        assert OLD not in str(caught.value)
        await desk.webhooks.subscribing.register(ACCOUNT, CLOSE)
    assert len(it.urls) == 2


async def test_the_misspelt_topic_is_never_registered(it: Tenant) -> None:
    async with it.desk() as desk:
        with pytest.raises(VaultError, match="has no topic 'communciation"):
            await desk.webhooks.subscribing.register(ACCOUNT, MISSPELT)
    assert it.emulator.calls("POST") == []


@pytest.mark.parametrize(("secret", "why"), [("", "it has no hook_secret yet"), ("short", "fewer than 16 characters")])
async def test_nothing_is_registered_without_a_secret(it: Tenant, secret: str, why: str) -> None:
    it.secret = secret
    async with it.desk() as desk:
        with pytest.raises(VaultError, match=why):
            await desk.webhooks.subscribing.register(ACCOUNT, AVAILABLE)
    assert it.urls == []


async def test_a_service_elsewhere_needs_a_public_address(it: Tenant) -> None:
    it.public_url, it.emulator.base_url = "", "https://mycompany.live.flexperto.example"
    async with it.desk() as desk:
        with pytest.raises(VaultError, match=r"set public_url under \[receiver\]"):
            await desk.webhooks.subscribing.register(ACCOUNT, AVAILABLE)


@pytest.mark.parametrize(
    ("base", "fits"),
    [
        ("https://hooks.example.org", True),
        ("https://93.184.216.34:8443", True),
        ("http://hooks.example.org", False),
        ("https://127.0.0.1:8787", False),
        ("https://localhost", False),
        ("https://10.1.2.3", False),
        ("https://169.254.169.254", False),
        ("https://[::1]:8787", False),
        ("https://[fd00::1]", False),
        ("nonsense", False),
    ],
)
def test_what_a_service_can_call(base: str, fits: bool) -> None:
    problem = unreachable(base, "https://mycompany.live.flexperto.com")
    assert (problem == "") is fits
    assert fits or "public_url" in problem
    assert base == "nonsense" or unreachable(base, "http://127.0.0.1:9") == "", "an emulator calls any address"


async def test_a_service_that_repeats_our_address_in_its_refusal(it: Tenant) -> None:
    it.emulator.refuse = lambda call: 422 if call.startswith("POST") else None
    async with it.desk() as desk:
        with pytest.raises(Refused, match=r"refused on purpose: .*/hooks/advice/…") as caught:
            await desk.webhooks.subscribing.register(ACCOUNT, AVAILABLE)
        assert OLD not in repr(caught.value) + caught.value.words


async def test_a_service_that_takes_no_private_address(it: Tenant) -> None:
    it.emulator.allow_private_targets = False
    it.public_url = "http://127.0.0.1:8787"
    async with it.desk() as desk:
        with pytest.raises(Refused, match="public") as caught:
            await desk.webhooks.subscribing.register(ACCOUNT, AVAILABLE)
        assert OLD not in repr(caught.value)


def test_words_without_secrets() -> None:
    token = Secret("secret-secret-secret")
    said = 'no: "https://h/hooks/advice/secret-secret-secret" or https://h/hooks/advice/secret-secr'
    assert without(said, token, None) == 'no: "https://h/hooks/advice/…" or https://h/hooks/advice/…'
    assert without("token secret-secret-secret!", token) == "token …!"


async def test_accounts_that_cannot_subscribe(it: Tenant) -> None:
    it.more = '[accounts.agents]\nprovider = "cronofy"\n[accounts.cloud]\nprovider = "proconf"\nbase_url = "https://p"'
    async with it.desk() as desk:
        for account in ("agents", "cloud"):
            with pytest.raises(VaultError, match="has no webhooks to register"):
                await desk.webhooks.subscribing.subscriptions(account)
        with pytest.raises(VaultError, match="there is no account 'nobody'"):
            await desk.webhooks.subscribing.rotate("nobody")


# Deleted, and asked how it went


async def test_deleting_and_reports(it: Tenant) -> None:
    identity = it.register()
    it.emulator.report(identity, 204)
    it.emulator.report(identity, 399, attempt=4)
    async with it.desk() as desk:
        [view] = await desk.webhooks.subscribing.subscriptions(ACCOUNT)
        found = await desk.webhooks.subscribing.reports(ACCOUNT, view.subscription)
        assert [report.delivered for report in found.reports] == [False, True]
        assert abs((found.fetched_at - it.clock()).total_seconds()) < 10
        told = await desk.webhooks.subscribing.unsubscribe(ACCOUNT, view.subscription)
        assert told == f"{identity} for {AVAILABLE} is deleted; what is in flight is still delivered, up to three times"
    assert it.urls == []


async def test_one_without_an_id_is_not_deleted(it: Tenant) -> None:
    async with it.desk() as desk:
        for verb in (desk.webhooks.subscribing.unsubscribe, desk.webhooks.subscribing.reports):
            with pytest.raises(VaultError, match="does not say this webhook's id"):
                await verb(ACCOUNT, Subscription("", AVAILABLE, "https://h"))
    assert it.emulator.calls("DELETE") == []


def test_digests_tell_addresses_apart() -> None:
    one = Subscription("1", AVAILABLE, "https://h/…", digest=address_digest("https://h/hooks/a/1"))
    assert one.leads_to("https://H:443/hooks/a/1")
    assert not one.leads_to("https://h/hooks/a/2")
