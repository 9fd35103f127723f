"""What every provider promises, asked of each over its emulator (its `box.py`)."""

import asyncio
import dataclasses
import inspect
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import asdict, replace
from starlette.responses import Response
from starlette.routing import Route

from providers import registry
from providers.base import (
    AccountSettings,
    BadAnswer,
    Forbidden,
    Head,
    MissingSecret,
    NotAuthentic,
    Provider,
    ProviderError,
    Refused,
    Source,
    Unauthorized,
    Unreachable,
    Unreadable,
    Unsupported,
)
from providers.emulation import Emulator, Loopback
from providers.models import (
    Announcement,
    Asset,
    AssetId,
    AssetKind,
    Capability,
    Delivery,
    Listing,
    NotificationChange,
)
from providers.secret import Secret
from providers.text import safe_block
from tests.providers.box import ProviderBox

NAMES = registry.names()
CALLING = [name for name in NAMES if Capability.WEBHOOK in registry.info(name).capabilities]
calling = pytest.mark.parametrize("make_box", CALLING, indirect=True)
PREFIX = 65_536
SOON = datetime(2026, 1, 1, tzinfo=UTC)

# Verb -> the capabilities that promise it, and a call of it.
VERBS: dict[str, tuple[set[Capability], Callable[[Provider], Any]]] = {
    "listing": ({Capability.LIST, Capability.WATCH}, lambda p: p.listing()),
    "watch": ({Capability.WATCH}, lambda p: p.watch()),
    "locate": ({Capability.FETCH}, lambda p: p.locate(Asset("m", AssetKind.VIDEO))),
    "record_of": ({Capability.RELEASE}, lambda p: p.record_of(Asset("m", AssetKind.ARCHIVE))),
    "release": ({Capability.RELEASE}, lambda p: p.release(Asset("m", AssetKind.ARCHIVE))),
    "read_delivery": ({Capability.WEBHOOK}, lambda p: p.read_delivery(Delivery({}, b"{}"))),
    "notifications": ({Capability.NOTIFICATIONS}, lambda p: p.notifications()),
    "save_notifications": ({Capability.NOTIFICATIONS}, lambda p: p.save_notifications(NotificationChange(True))),
    "preview_notifications": (
        {Capability.NOTIFICATIONS},
        lambda p: p.preview_notifications(NotificationChange(True), exists=False),
    ),
    "catchup": ({Capability.CATCHUP}, lambda p: p.catchup("room")),
    "dispatch_agent": ({Capability.AGENTS}, lambda p: p.dispatch_agent("https://meet.example/1")),
    "schedule_agent": ({Capability.AGENTS}, lambda p: p.schedule_agent("https://meet.example/1", "k", SOON)),
    "cancel_agent": ({Capability.AGENTS}, lambda p: p.cancel_agent("k")),
    "subscribe": ({Capability.SUBSCRIPTIONS}, lambda p: p.subscribe("topic", "https://hooks.example/1")),
    "subscriptions": ({Capability.SUBSCRIPTIONS}, lambda p: p.subscriptions()),
    "unsubscribe": ({Capability.SUBSCRIPTIONS}, lambda p: p.unsubscribe("1")),
    "delivery_reports": ({Capability.SUBSCRIPTIONS}, lambda p: p.delivery_reports("1")),
}

HOSTILE = [
    b"",
    b"null",
    b"0",
    b"[]",
    b"{}",
    b'"text"',
    b"[[]]",
    b"[null, 1, {}]",
    b"NaN",
    b'{"data": [null]}',
    b'{"data": [], "status": []}',
    b'{"data": {"a": 1}, "error": 5, "status": true, "content": 7, "message": {}, "result": [], "retcode": []}',
    b'{"error": {"code": "x", "message": ["y"]}, "data": null}',
    b'{"status": 1, "content": {"data": [1]}, "resultDesc": null, "message": "0"}',
    b"[" * 100_000,
    b'{"data":' * 700 + b"1" + b"}" * 700,
    b"\xff\xfe\x00",
    b'{"data": "\\ud800"}',
    b"<html><body>Sign in</body></html>",
]


class Odd(Emulator):
    """Answers everything with the same bytes."""

    def __init__(self) -> None:
        self.body = b""
        self.media_type = "application/json"
        super().__init__()

    def routes(self) -> list[Route]:
        return []

    def spoil(self) -> Response | None:
        return Response(self.body, media_type=self.media_type)


@pytest.fixture(params=NAMES)
def make_box(request: pytest.FixtureRequest, net: Loopback) -> Callable[[], ProviderBox]:
    """Makes the provider's box: each time the same service anew."""
    make: Callable[[Loopback], ProviderBox] = import_module(f"tests.providers.{request.param}.box").box
    return lambda: make(net)


@pytest.fixture
def box(make_box: Callable[[], ProviderBox]) -> ProviderBox:
    return make_box()


def moved(settings: AccountSettings, base_url: str) -> AccountSettings:
    return replace(settings, options={**settings.options, "base_url": base_url})


def wrong_secrets(box: ProviderBox) -> dict[str, str]:
    return {name: f"wrong-{name}-credential" for name in box.secrets}


def connected(box: ProviderBox, secrets: dict[str, str] | None = None) -> "aclosing[Provider]":
    return aclosing(box.connect(secrets))


def assert_no_secret(text: str, *secrets: dict[str, str]) -> None:
    leaked = [name for held in secrets for name, value in held.items() if value in text]
    assert not leaked, f"{leaked} in {text!r}"


def texts_of(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a model, with the name of its field."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield path, name
            yield from texts_of(item, path)
    elif isinstance(value, tuple):
        for item in value:
            yield from texts_of(item, path)
    elif isinstance(value, Struct):
        for name, item in asdict(value).items():
            yield from texts_of(item, name)


def times_of(value: object) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from times_of(item)
    elif isinstance(value, Struct):
        for item in asdict(value).values():
            yield from times_of(item)


def identities(listing: Listing, account: str) -> list[AssetId]:
    return [asset.identity(account) for asset in listing.assets]


async def read(provider: Provider, source: Source) -> bytes:
    """The bytes of a source, judged by their beginning."""
    async with provider.opener.open(source.url, source.headers) as body:
        content = b"".join([chunk async for chunk in body.chunks()])
        source.judge(Head(body.status, body.headers, content[:PREFIX], len(content) <= PREFIX))
    return content


async def outcome(call: Callable[[], Any]) -> Any:
    """Run a verb, whichever kind it is; what is iterated is read to its end."""
    result = call()
    if inspect.isasyncgen(result):
        async with aclosing(result):
            return [item async for item in result]
    return await result if inspect.isawaitable(result) else result


def settled(listing: Listing) -> list[Asset]:
    """The assets after the changes that name them by a part of their locator."""
    assets = list(listing.assets)
    for change in listing.changes:
        assets = [
            replace(asset, state=change.state) if change.locator.items() <= asset.locator.items() else asset
            for asset in assets
        ]
    return assets


def downloadable(listing: Listing) -> list[Asset]:
    return [asset for asset in settled(listing) if asset.kind.fetchable and asset.state.downloadable]


# What it declares


@pytest.mark.parametrize("name", NAMES)
def test_a_declaration_needs_no_http_library(name: str) -> None:
    code = (
        f"import sys, providers.{name} as folder; assert folder.INFO.name == {name!r}; "
        f"heavy = {{'httpx', 'starlette', 'uvicorn', 'providers.{name}.client'}} & set(sys.modules); "
        "print(*sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_declaration_is_whole(name: str) -> None:
    info = registry.info(name)
    options = {option.name: option for option in info.options}
    assert info.name == name
    assert all((info.label, info.meeting_word, info.found_by))
    assert len(options) == len(info.options)
    assert options["base_url"].kind == "url"
    for option in info.options:
        assert option.words
        assert (option.kind == "choice") == bool(option.choices)
        assert option.default is None or not option.choices or option.default in option.choices
    for secret in info.secrets:
        assert secret.words
        if secret.when:
            option_name, value = secret.when
            assert value in options[option_name].choices
    assert len({(secret.name, secret.when) for secret in info.secrets}) == len(info.secrets)


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_is_there_as_its_capability_says(box: ProviderBox, verb: str) -> None:
    capabilities, call = VERBS[verb]
    async with connected(box) as provider:
        promised = bool(capabilities & provider.info.capabilities)
        assert (getattr(type(provider), verb) is not getattr(Provider, verb)) == promised
        if not promised:
            with pytest.raises(Unsupported, match=provider.info.label):
                await outcome(lambda: call(provider))


# What it learns


async def test_what_is_learned_is_harmless_and_its_identities_hold(box: ProviderBox) -> None:
    async with connected(box) as provider:
        listing = await box.learn(provider)
        account, kinds = provider.account, provider.info.kinds
    assert listing.meetings
    assert listing.assets
    for name, text in texts_of(listing):
        assert safe_block(text, len(text) + 1) == text, name
        assert "\n" not in text or name in ("raw", "text"), name
    for identity in identities(listing, account):
        assert AssetId.parse(str(identity)) == identity
        assert str(identity).isascii()
    assert {asset.kind for asset in listing.assets} <= set(kinds)
    assert {asset.meeting_id for asset in listing.assets} <= {meeting.id for meeting in listing.meetings}
    assert all(meeting.id for meeting in listing.meetings)
    assert all(moment.utcoffset() == timedelta(0) for moment in times_of(listing))


async def test_what_is_learned_holds_no_secret_and_no_presigned_link(box: ProviderBox) -> None:
    async with connected(box) as provider:
        listing = await box.learn(provider)
    assert_no_secret(repr(listing), box.secrets)
    assert "X-Amz-Signature" not in repr(listing)
    assert "X-Amz-Signature" not in "".join(text for _, text in texts_of(listing))


async def test_learning_twice_gives_the_same_identities(make_box: Callable[[], ProviderBox]) -> None:
    box = make_box()
    async with connected(box) as provider:
        first = await box.learn(provider)
        # A service that is watched tells an event once, so only the same service anew tells it again.
        box = make_box() if Capability.WATCH in provider.info.capabilities else box
    async with connected(box) as provider:
        second = await box.learn(provider)
        account = provider.account
    assert first.assets
    assert set(identities(first, account)) == set(identities(second, account))


async def test_an_identity_given_by_hand_is_adopted_as_it_is_or_refused_in_words(box: ProviderBox) -> None:
    async with connected(box) as provider:
        learned = identities(await box.learn(provider), provider.account)
        strange = [
            AssetId(provider.account, "no/such [meeting]", kind, variant)
            for kind in AssetKind
            for variant in ("", "..", "x/y", "7")
        ]
        for identity in [*learned, *strange]:
            try:
                listing = provider.adopt(identity)
            except ProviderError as error:
                assert error.words  # noqa: PT017 - either way is right
                continue
            assert identity in identities(listing, provider.account)


# What it fetches


async def test_what_is_available_can_be_located_and_read(box: ProviderBox) -> None:
    async with connected(box) as provider:
        assets = downloadable(await box.learn(provider))
        assert assets
        for asset in assets:
            source = await provider.locate(asset)
            assert await read(provider, source) == box.content(asset)
            assert source.url not in repr(source)
            assert_no_secret(f"{source.headers} {source!r}", box.secrets)
    assert [store.leaks for store in box.stores] == [[] for _ in box.stores]


async def test_an_answer_that_is_no_file_is_judged_so(box: ProviderBox) -> None:
    async with connected(box) as provider:
        for asset in downloadable(await box.learn(provider)):
            judge = (await provider.locate(asset)).judge
            with pytest.raises(ProviderError):
                judge(Head(200, {"content-type": "text/html"}, b"<!doctype html><title>Sign in</title>", True))
            for status in (400, 401, 403, 404, 410, 500):
                with pytest.raises(ProviderError):
                    judge(Head(status, {"content-type": "text/plain"}, b"no", True))
            with pytest.raises(ProviderError) as raised:
                judge(Head(503, {"retry-after": "7"}, b"", True))
            assert raised.value.transient
            assert raised.value.retry_after_s == 7


# What it says when something is wrong


async def test_check_says_in_words_what_works(box: ProviderBox) -> None:
    async with connected(box) as provider:
        words = await provider.check()
    assert words
    assert_no_secret(words, box.secrets)


async def test_a_wrong_credential_is_told_in_words(box: ProviderBox) -> None:
    wrong = wrong_secrets(box)
    async with connected(box, wrong) as provider:
        with pytest.raises((Unauthorized, Forbidden, Refused)) as raised:
            await provider.check()
        assert_no_secret(f"{raised.value} {raised.value!r}", box.secrets, wrong)
    assert raised.value.words


async def test_a_missing_credential_is_named_with_its_variable(box: ProviderBox) -> None:
    async with connected(box, {}) as provider:
        with pytest.raises(MissingSecret) as raised:
            await provider.check()
        account = provider.account.upper().replace("-", "_")
    assert f"REELDESK_SECRET_{account}_{raised.value.name.upper()}" in raised.value.words
    assert raised.value.name in {secret.name for secret in provider.info.secrets}


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_service_that_cannot_answer_now_is_worth_another_try(box: ProviderBox, status: int) -> None:
    box.emulator.faults.status, box.emulator.faults.retry_after = status, "7"
    async with connected(box) as provider:
        with pytest.raises(ProviderError) as raised:
            await provider.check()
    assert raised.value.transient
    assert raised.value.retry_after_s == 7


async def test_a_page_instead_of_json_is_an_error(box: ProviderBox) -> None:
    box.emulator.faults.not_json = True
    async with connected(box) as provider:
        with pytest.raises(BadAnswer) as raised:
            await provider.check()
    assert_no_secret(str(raised.value), box.secrets)


async def test_a_hostile_answer_ends_in_a_value_or_in_words(box: ProviderBox, net: Loopback) -> None:
    odd = Odd()
    settings = moved(box.settings, net.serve(odd))
    for body in HOSTILE:
        odd.body = body
        async with connected(dataclasses.replace(box, settings=settings)) as provider:
            calls: list[Callable[[], Any]] = [provider.check]
            if Capability.LIST in provider.info.capabilities:
                calls.append(provider.listing)
            for call in calls:
                try:
                    async with asyncio.timeout(10):
                        await outcome(call)
                except ProviderError as error:
                    assert error.words, body  # noqa: PT017 - a value is right as well
                    assert_no_secret(str(error), box.secrets)


async def test_a_service_that_is_not_there_is_unreachable(box: ProviderBox) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        async with connected(dataclasses.replace(box, settings=moved(box.settings, address))) as provider:
            with pytest.raises(Unreachable) as raised:
                await provider.check()
    assert raised.value.transient
    assert_no_secret(str(raised.value), box.secrets)


async def test_a_service_that_does_not_answer_in_time_is_unreachable(box: ProviderBox) -> None:
    box.emulator.faults.latency_s = 1.0
    settings = replace(box.settings, timeout_s=0.1)
    async with connected(dataclasses.replace(box, settings=settings)) as provider:
        with pytest.raises(Unreachable):
            await provider.check()


async def test_nothing_that_can_be_printed_shows_a_secret(box: ProviderBox) -> None:
    async with connected(box) as provider:
        await box.learn(provider)
        await provider.check()
        shown = [repr(provider), str(provider), repr(vars(provider)), repr(provider.settings), repr(provider.opener)]
        shown.append(repr(vars(provider.opener)))
    for text in shown:
        assert_no_secret(text, box.secrets)


# What it is told


def announcements(box: ProviderBox, provider: Provider) -> list[Announcement]:
    deliveries = box.deliveries()
    assert deliveries, "the box has no deliveries"
    return [provider.read_delivery(delivery) for delivery in deliveries]


@calling
async def test_a_genuine_delivery_is_read_and_its_repetition_has_the_same_key(box: ProviderBox) -> None:
    async with connected(box) as provider:
        first = announcements(box, provider)
        second = announcements(box, provider)
    assert [announcement.key for announcement in first] == [announcement.key for announcement in second]
    assert len({announcement.key for announcement in first}) == len(first)
    for announcement in first:
        assert announcement.key
        assert announcement.topic
        assert announcement.verified
        assert announcement.confirm or announcement.listing != Listing()
        assert safe_block(announcement.redacted_body, len(announcement.redacted_body) + 1) == announcement.redacted_body
        assert "X-Amz-Signature" not in announcement.redacted_body
        assert_no_secret(repr(announcement), box.secrets)
        assert_no_secret(announcement.key, box.secrets)


@calling
async def test_a_forged_delivery_is_refused_or_none_is_called_verified(box: ProviderBox) -> None:
    async with connected(box) as provider:
        genuine, forged = announcements(box, provider), box.forged()
        # flexperto gives nothing to tell a forgery by: then no delivery may claim that it was verified.
        assert forged or all("not signed" in announcement.verified for announcement in genuine)
        for delivery in forged:
            with pytest.raises(NotAuthentic) as raised:
                provider.read_delivery(delivery)
            assert_no_secret(str(raised.value), box.secrets)


@calling
async def test_what_was_verified_as_it_came_in_is_read_again_without_a_secret(box: ProviderBox) -> None:
    async with connected(box) as provider:
        first = announcements(box, provider)
    keyless = box.connect({})
    again = [keyless.read_delivery(delivery, trusted=True) for delivery in box.deliveries()]
    forged = [keyless.read_delivery(delivery, trusted=True) for delivery in box.forged()]
    await keyless.aclose()
    assert [replace(said, verified="") for said in again] == [replace(said, verified="") for said in first]
    assert all(said.verified for said in again + forged)


def test_what_protects_a_receivers_address_is_declared(box: ProviderBox) -> None:
    """The secret part of the address (or the bearer token of catch-ups), unless the webhooks are signed."""
    info = box.connect().info
    served = info.capabilities & {Capability.WEBHOOK, Capability.CATCHUP}
    declared = [secret for secret in info.secrets if secret.name == "hook_secret"]
    assert len(declared) == bool(served)
    assert not any(secret.required or secret.when for secret in declared)
    assert not info.signs or Capability.WEBHOOK in info.capabilities
    assert not info.fetch_at_once or {Capability.WEBHOOK, Capability.FETCH} <= info.capabilities


@calling
async def test_a_hostile_delivery_is_refused_in_words(box: ProviderBox) -> None:
    async with connected(box) as provider:
        genuine = [delivery.headers for delivery in box.deliveries()]
        for headers in [*genuine, {}, {"content-type": "multipart/form-data"}]:
            for body in HOSTILE:
                with pytest.raises((NotAuthentic, Unreadable)):
                    provider.read_delivery(Delivery(headers, body))


# How it ends


async def test_closing_is_fine_at_any_time(box: ProviderBox) -> None:
    provider = box.connect()
    await provider.aclose()
    await provider.aclose()
    provider = box.connect()
    await provider.check()
    await provider.aclose()
    await provider.aclose()


async def test_closing_never_fails_for_the_network(box: ProviderBox) -> None:
    provider = box.connect()
    await provider.check()
    box.emulator.faults.status = 500
    await provider.aclose()


def test_the_secret_of_a_box_can_be_one(box: ProviderBox) -> None:
    for value in box.secrets.values():
        assert Secret(value).reveal() == value
        assert len(value) >= 6, "too short to be searched for"
