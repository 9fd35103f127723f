import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from keyring.backend import KeyringBackend
from msgspec.structs import force_setattr, replace

from providers import registry
from providers.base import AccountSettings, Unauthorized
from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.huawei.emulator import HuaweiEmulator
from providers.steps import Limits, Outcome, Step
from tests.providers.box import ProviderBox, settings_for
from tests.providers.cronofy.box import box as cronofy
from tests.providers.flexperto.box import box as flexperto
from tests.providers.huawei.box import box as huawei
from tests.providers.proconf.box import box as proconf
from tests.providers.temasys.box import box as temasys
from tests.vault.world import until
from vault import testing
from vault.config import AccountConfig, Config
from vault.connections import Connections
from vault.errors import VaultError
from vault.secrets import KeyringThread, Secrets, variable

BOXES: dict[str, Callable[[Loopback], ProviderBox]] = {
    "cronofy": cronofy,
    "flexperto": flexperto,
    "huawei": huawei,
    "proconf": proconf,
    "temasys": temasys,
}
SHORT = Limits(name_s=0.5, connection_s=2.0, tls_s=0.5, secrets_s=5.0, credential_s=0.5, clock_s=0.5)
WAY = ["configuration", "name", "connection", "TLS", "secrets"]
PASSED, FAILED, NOT_CHECKED, WARNING = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_CHECKED, Outcome.WARNING


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def at_work(settings: AccountSettings, secrets: dict[str, str], **more: Any) -> AsyncIterator[testing.Testing]:
    """Tests of one account whose secrets are in the environment."""
    environ = {variable(settings.name, name): value for name, value in secrets.items()}
    config = Config(Path("config.toml"), Path("data"), Path("vault"), accounts={settings.name: AccountConfig(settings)})
    kept = Secrets(environ | {"REELDESK_KEYRING": "off"})
    connections = Connections(config, kept, lambda account, listing: None)
    try:
        yield testing.Testing(connections, kept, more.pop("now", now), **more)
    finally:
        await connections.aclose()


async def steps_of(settings: AccountSettings, secrets: dict[str, str], **more: Any) -> tuple[Step, ...]:
    async with at_work(settings, secrets, **more) as account:
        steps = await account.test(settings.name)
    assert all(value not in step.words for value in secrets.values() for step in steps)
    assert all(step.words and step.words.isprintable() for step in steps)
    return steps


def one(steps: tuple[Step, ...], name: str) -> Step:
    [found] = [step for step in steps if step.name == name]
    return found


@pytest.fixture(params=sorted(BOXES))
def box(request: pytest.FixtureRequest, net: Loopback) -> ProviderBox:
    return BOXES[request.param](net)


@pytest.fixture
def tenant(net: Loopback) -> FlexpertoEmulator:
    emulator = FlexpertoEmulator()
    net.serve(emulator)
    return emulator


def account_of(emulator: FlexpertoEmulator, **options: Any) -> AccountSettings:
    return settings_for(registry.info("flexperto"), "advice", **{"base_url": emulator.base_url, **options})


def test_nothing_heavy_is_imported_before_a_test_begins() -> None:
    code = "import sys, vault.testing; print(sorted({'httpx', 'aiohttp', 'providers.probing'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_there_is_a_box_for_every_provider() -> None:
    assert set(BOXES) == set(registry.names())


# What works


async def test_every_provider_is_told_step_by_step(box: ProviderBox) -> None:
    steps = await steps_of(box.settings, box.secrets)
    names = [step.name for step in steps]
    assert names[:6] == [*WAY, "credential"]
    assert names[-1] == "clock"
    assert set(names[6:-1]) <= {"rights", "rest"}
    outcomes = {step.name: step.outcome for step in steps}
    rest = {"TLS": NOT_CHECKED, "rest": NOT_CHECKED}
    assert outcomes == dict.fromkeys(names, PASSED) | rest
    assert one(steps, "configuration").words.startswith(f"{registry.info(box.settings.provider).label} at http://127")
    for name in box.secrets:
        assert f"{name}: environment {variable(box.settings.name, name)}" in one(steps, "secrets").words
    assert "agrees" in one(steps, "clock").words


async def test_what_is_not_checked_is_a_step_of_its_own(net: Loopback) -> None:
    made = cronofy(net)
    steps = await steps_of(made.settings, made.secrets)
    assert one(steps, "rest").words == "webhooks and downloads"
    assert one(steps, "credential").words.endswith("Assumed: it judges the key first")


async def test_rights_and_the_family_of_paths(tenant: FlexpertoEmulator) -> None:
    steps = await steps_of(account_of(tenant), {"api_key": tenant.api_key})
    assert "on its current paths and lists 0 archives" in one(steps, "credential").words
    assert "only administrators" in one(steps, "rights").words
    assert "subscriptions" in one(steps, "rest").words
    tenant.families = {"legacy"}
    steps = await steps_of(account_of(tenant), {"api_key": tenant.api_key})
    assert "on its legacy paths" in one(steps, "credential").words


async def test_steps_are_told_as_they_end_and_can_be_repeated(tenant: FlexpertoEmulator) -> None:
    seen: list[Step] = []
    async with at_work(account_of(tenant), {"api_key": tenant.api_key}) as account:
        first = await account.test("advice", seen.append)
        second = await account.test("advice")
    assert tuple(seen) == first
    assert [step.name for step in second] == [step.name for step in first]


async def test_over_tls_as_the_account_trusts_it(net: Loopback, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    emulator = FlexpertoEmulator()
    net.serve(emulator, ssl_certfile=str(tmp_path / "server.pem"))
    account = replace(account_of(emulator), ca_file=str(tmp_path / "ca.pem"))
    steps = await steps_of(account, {"api_key": emulator.api_key})
    assert {step.outcome for step in steps} == {PASSED, NOT_CHECKED}
    assert one(steps, "TLS").outcome is PASSED
    assert str(tmp_path / "ca.pem") in one(steps, "configuration").words

    asked = len(emulator.faults.seen)
    steps = await steps_of(replace(account, ca_file=None), {"api_key": emulator.api_key})
    assert [step.name for step in steps] == [*WAY, "credential", "clock"]
    assert [step.outcome for step in steps] == [PASSED, PASSED, PASSED, FAILED, PASSED, NOT_CHECKED, NOT_CHECKED]
    assert one(steps, "credential").words == "the service was not asked: see TLS"
    assert len(emulator.faults.seen) == asked  # nothing was sent to whom nobody trusts

    steps = await steps_of(replace(account, ca_file=None, verify=False), {"api_key": emulator.api_key})
    assert one(steps, "TLS").outcome is WARNING
    assert "verify = false" in one(steps, "configuration").words
    assert one(steps, "credential").outcome is PASSED


@pytest.mark.parametrize(("hours", "words"), [(1, "ahead of"), (-1, "behind")])
async def test_a_clock_that_is_an_hour_off(tenant: FlexpertoEmulator, hours: int, words: str) -> None:
    def wrong() -> datetime:
        return now() + timedelta(hours=hours)

    clock = one(await steps_of(account_of(tenant), {"api_key": tenant.api_key}, now=wrong), "clock")
    assert clock.outcome is WARNING
    assert words in clock.words


# What the service says


async def test_a_credential_that_is_not_accepted(box: ProviderBox) -> None:
    wrong = {name: f"wrong-{len(value)}" for name, value in box.secrets.items()}
    steps = await steps_of(box.settings, wrong)
    step = one(steps, "credential")
    assert step.outcome is FAILED
    assert [other.name for other in steps] == [*WAY, "credential", "clock"]
    assert one(steps, "clock").outcome is PASSED
    if "secret set" in step.words:
        assert f"reeldesk secret set {box.settings.name} " in step.words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            401,
            "(HTTP 401): switched off on purpose; api_key comes from the environment variable "
            "REELDESK_SECRET_ADVICE_API_KEY: set the right one there",
        ),
        (404, "(HTTP 404)"),
        (429, "; the credential was not judged: try again in 7 s"),
        (500, "; the credential was not judged: try again in 7 s"),
        (302, "base_url"),
    ],
)
async def test_answers_in_words(tenant: FlexpertoEmulator, status: int, words: str) -> None:
    tenant.faults.status, tenant.faults.retry_after = status, "7"
    steps = await steps_of(account_of(tenant), {"api_key": tenant.api_key})
    step = one(steps, "credential")
    assert step.outcome is FAILED
    assert words in step.words
    assert one(steps, "clock").outcome is PASSED


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_no_provider_takes_a_refusal_for_a_yes(box: ProviderBox, status: int) -> None:
    box.emulator.faults.status = status
    steps = await steps_of(box.settings, box.secrets)
    assert any(step.outcome is FAILED for step in steps if step.name in ("credential", "rights"))
    assert [step.outcome for step in steps[:3]] == [PASSED] * 3


async def test_a_page_instead_of_an_answer(box: ProviderBox) -> None:
    box.emulator.faults.not_json = True
    step = one(await steps_of(box.settings, box.secrets), "credential")
    assert step.outcome is FAILED
    assert "base_url" in step.words


async def test_a_key_without_the_right(tenant: FlexpertoEmulator) -> None:
    tenant.is_admin = False
    steps = await steps_of(account_of(tenant), {"api_key": tenant.api_key})
    assert one(steps, "credential").outcome is PASSED
    assert one(steps, "rights").outcome is FAILED
    assert "HTTP 403" in one(steps, "rights").words


async def test_a_next_step_where_the_service_names_none(net: Loopback) -> None:
    made = proconf(net)
    made.emulator.faults.status = 404
    step = one(await steps_of(made.settings, made.secrets), "credential")
    assert step.outcome is FAILED
    assert step.words.endswith("is base_url right?")
    made.emulator.faults.status = 503
    step = one(await steps_of(made.settings, made.secrets), "credential")
    assert step.words.endswith("the credential was not judged: try again later")
    free = replace(made.settings, options={**made.settings.options, "auth": "none"})
    made.emulator.faults.status = 401
    step = one(await steps_of(free, {}), "credential")
    assert (step.outcome, "secret set" in step.words) == (FAILED, True)


# Secrets


async def test_a_secret_that_is_missing_is_named(tenant: FlexpertoEmulator) -> None:
    steps = await steps_of(account_of(tenant), {})
    secrets = one(steps, "secrets")
    assert secrets.outcome is FAILED
    assert "reeldesk secret set advice api_key` or REELDESK_SECRET_ADVICE_API_KEY" in secrets.words
    assert "hook_secret: not set (optional)" in secrets.words
    assert one(steps, "credential") == Step("credential", NOT_CHECKED, "the service was not asked: see secrets")
    assert one(steps, "clock").outcome is PASSED
    assert {seen.partition(" ")[0] for seen in tenant.faults.seen} == {"HEAD"}


async def test_one_of_two_secrets_is_needed(net: Loopback) -> None:
    made = huawei(net)
    secrets = one(await steps_of(made.settings, {}), "secrets")
    assert secrets.outcome is FAILED
    assert "one of them is needed: no password for account calls" in secrets.words
    secrets = one(await steps_of(made.settings, {"guid": "a-guid"}), "secrets")
    assert secrets.outcome is PASSED


async def test_a_secret_that_cannot_be_used(tenant: FlexpertoEmulator, tmp_path: Path) -> None:
    steps = await steps_of(account_of(tenant), {"api_key": "not\x00usable"})
    assert one(steps, "secrets").outcome is FAILED
    assert "api_key of account advice: " in one(steps, "secrets").words


class Ring(KeyringBackend):
    """A keyring that other processes write to, too."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[username]


async def test_a_secret_that_was_set_meanwhile_is_found(tenant: FlexpertoEmulator) -> None:
    account = account_of(tenant)
    config = Config(Path("c"), Path("d"), Path("v"), accounts={account.name: AccountConfig(account)})
    ring = Ring()
    kept = Secrets({}, KeyringThread(lambda: ring))
    connections = Connections(config, kept, lambda name, listing: None)
    tests = testing.Testing(connections, kept, now)
    assert one(await tests.test("advice"), "secrets").outcome is FAILED
    ring.kept["advice/api_key"] = tenant.api_key  # as another process would
    steps = await tests.test("advice")
    assert one(steps, "secrets").words.startswith("api_key: keyring Ring")
    assert one(steps, "credential").outcome is PASSED
    await connections.aclose()


async def test_a_wrong_one_is_set_right_where_it_is_read_from(tenant: FlexpertoEmulator, net: Loopback) -> None:
    account = account_of(tenant)
    config = Config(Path("c"), Path("d"), Path("v"), accounts={account.name: AccountConfig(account)})
    ring = Ring()
    ring.kept["advice/api_key"] = "wrong"
    kept = Secrets({}, KeyringThread(lambda: ring))
    connections = Connections(config, kept, lambda name, listing: None)
    step = one(await testing.Testing(connections, kept, now).test("advice"), "credential")
    assert step.words.endswith("; set the right one with `reeldesk secret set advice api_key`")
    await connections.aclose()
    made = huawei(net)  # of two, the one that was refused
    async with at_work(made.settings, {**made.secrets, "guid": "stale"}) as tests:
        await tests.test("calls")
        words = tests._advice(Unauthorized("no", name="guid"), "calls", made.settings)
    assert words == "; guid comes from the environment variable REELDESK_SECRET_CALLS_GUID: set the right one there"


async def test_a_store_that_hangs_has_a_deadline(tenant: FlexpertoEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: Secrets, account: str, name: str) -> None:
        time.sleep(0.4)

    monkeypatch.setattr(Secrets, "find", slow)
    limits = replace(SHORT, secrets_s=0.05)
    steps = await steps_of(account_of(tenant), {}, limits=limits)
    assert one(steps, "secrets").outcome is FAILED
    assert one(steps, "secrets").words == "looking for them took longer than 0.05 s"


# Configuration


async def test_an_account_that_is_none() -> None:
    async with at_work(settings_for(registry.info("flexperto"), "advice", base_url="https://a.example"), {}) as account:
        with pytest.raises(VaultError, match="there is no account 'other'"):
            await account.test("other")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file /nowhere/ca.pem: No such file"),
        ({"proxy": "http://"}, "proxy is no address of an HTTP proxy"),
        ({"options": {"base_url": "ftp://x", "paths": "auto"}}, "base_url must be the tenant's address"),
        ({"options": {"base_url": "http://a.example", "paths": "auto"}}, "base_url must begin with https://"),
    ],
)
async def test_a_configuration_that_cannot_be_used(change: dict[str, Any], words: str) -> None:
    account = settings_for(registry.info("flexperto"), "advice", base_url="https://a.example")
    change = {name: {**account.options, **value} if name == "options" else value for name, value in change.items()}
    account = replace(account, **change)
    steps = await steps_of(account, {"api_key": "CANARY-0123"})
    assert [(step.name, step.outcome) for step in steps] == [
        ("configuration", FAILED),
        ("secrets", PASSED),
        ("credential", NOT_CHECKED),
        ("clock", NOT_CHECKED),
    ]
    assert words in steps[0].words
    assert "see [accounts.advice] in the configuration" in steps[0].words


async def test_an_address_that_only_a_client_without_checks_takes() -> None:
    account = settings_for(registry.info("proconf"), "calls", base_url="https://a.example")
    async with at_work(account, {}) as tests:
        tests._connections.client("calls")
        force_setattr(account, "options", {**account.options, "base_url": ""})
        steps = await tests.test("calls")
    assert steps[0].words.startswith("base_url is no http(s) address; see")


async def test_with_a_proxy_the_credential_tries_the_way(tenant: FlexpertoEmulator) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{held.getsockname()[1]}"
        steps = await steps_of(replace(account_of(tenant), proxy=proxy), {"api_key": tenant.api_key})
    assert [step.outcome for step in steps[1:4]] == [NOT_CHECKED] * 3
    assert f"through the proxy {proxy.removeprefix('http://')}" in steps[0].words
    assert one(steps, "credential").outcome is FAILED
    assert "through the account's proxy" in one(steps, "credential").words
    assert one(steps, "clock").outcome is NOT_CHECKED


# Deadlines


@pytest.fixture
def dead() -> Iterator[str]:
    """A listening socket that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("provider", sorted(BOXES))
async def test_a_dead_account_is_told_in_time(dead: str, net: Loopback, provider: str, scheme: str) -> None:
    made = BOXES[provider](net)
    base = f"{scheme}://{dead}"
    account = replace(made.settings, options={**made.settings.options, "base_url": base}, timeout_s=1.0)
    began = time.monotonic()
    steps = await steps_of(account, made.secrets, limits=SHORT)
    assert time.monotonic() - began < 10
    failed = [step.name for step in steps if step.outcome is FAILED]
    assert failed == (["TLS"] if scheme == "https" else ["credential"])
    assert one(steps, "clock").outcome is NOT_CHECKED


async def test_a_name_that_hangs_is_told_in_time() -> None:
    async def hang(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    account = settings_for(registry.info("cronofy"), "agents")
    async with asyncio.timeout(5):
        steps = await steps_of(account, {"api_key": "CRN_0123456789"}, limits=SHORT, resolve=hang)
    assert [step.name for step in steps] == ["configuration", "name", "secrets", "credential", "clock"]
    assert steps[0].words.startswith("Cronofy Meeting Agents at https://api.cronofy.com; no proxy; ")
    assert "no name server told of api.cronofy.com in 0.5 s" in steps[1].words
    assert one(steps, "credential").words.endswith("see name")


async def test_a_sign_in_that_is_not_waited_for_still_gives_its_seat_back(net: Loopback) -> None:
    made = huawei(net)
    gateway = made.emulator
    assert isinstance(gateway, HuaweiEmulator)
    gateway.faults.latency_s = 0.4
    async with at_work(made.settings, made.secrets, limits=replace(SHORT, credential_s=0.1)) as account:
        steps = await account.test(made.settings.name)
        assert "gave no whole answer in 0.1 s" in one(steps, "credential").words
        await until(lambda: "sign-out" in gateway.log)
        await until(lambda: not account._asking)
    assert gateway.log == ["sign-in", "sign-out"]
