"""The client against a tenant in a box, over real loopback HTTP."""

import dataclasses
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from providers import registry
from providers.base import (
    BadAnswer,
    Forbidden,
    Gone,
    Head,
    MissingSecret,
    NotFound,
    NotReady,
    NotTrusted,
    Provider,
    Refused,
    ReleaseSteps,
    ServiceDown,
    Source,
    Unauthorized,
    Unreachable,
    Unsupported,
)
from providers.emulation import Faults, Loopback, ObjectStore
from providers.flexperto.emulated import AbandonCall
from providers.flexperto.emulator import AVAILABLE_TOPIC, FlexpertoEmulator
from providers.models import Asset, AssetKind, Capability, RemoteState
from tests.providers.box import ProviderBox
from tests.providers.flexperto.box import STATUSES, box, learn

HOOK = "https://desk.example/hooks/advice/F40mfum7pZC8DtdgGOYSijx26blP0HLs"
CURRENT_LIST = "GET /api/v2/communication/conferences/archives"
LEGACY_LIST = "GET /api/v2/communication/archives/archives"
SUBSCRIPTIONS = "/api/v2/communication/subscriptions/subscriptions"


@pytest.fixture
def tenant(net: Loopback) -> ProviderBox:
    return box(net)


@pytest.fixture
def emulator(tenant: ProviderBox) -> FlexpertoEmulator:
    assert isinstance(tenant.emulator, FlexpertoEmulator)
    return tenant.emulator


@pytest.fixture
async def client(tenant: ProviderBox) -> AsyncIterator[Provider]:
    provider = tenant.connect()
    yield provider
    await provider.aclose()


def with_paths(tenant: ProviderBox, paths: str) -> ProviderBox:
    options = {**tenant.settings.options, "paths": paths}
    return dataclasses.replace(tenant, settings=replace(tenant.settings, options=options))


async def one(client: Provider, archive_id: str) -> Asset:
    return (await client.look_up(archive_id)).assets[0]


async def fetch(client: Provider, source: Source) -> bytes:
    async with client.opener.open(source.url, source.headers) as body:
        content = b"".join([chunk async for chunk in body.chunks()])
        source.judge(Head(body.status, body.headers, content[: 1 << 16], len(content) <= 1 << 16))
        return content


def posts(emulator: FlexpertoEmulator) -> list[str]:
    return [line for line in emulator.faults.seen if line.startswith("POST")]


# Listing


async def test_the_tenants_own_days_after_abandoning(tenant: ProviderBox, emulator: FlexpertoEmulator) -> None:
    let_go = emulator.add_archive("late", "c9", "ABANDONED")
    let_go.extra |= {"expiresAt": None, "abandonedAt": "2026-11-20T10:00:00Z"}
    options = {**tenant.settings.options, "abandon_days": 7}
    client = dataclasses.replace(tenant, settings=replace(tenant.settings, options=options)).connect()
    listed = next(asset for asset in (await learn(client)).assets if asset.variant == "late")
    by_id = await one(client, "late")
    await client.aclose()
    assert listed.deadline == by_id.deadline == datetime(2026, 11, 27, 10, tzinfo=UTC)
    assert listed.details["Deadline"] == by_id.details["Deadline"] == "7 days (abandon_days) after abandonedAt"


async def test_every_status_is_listed(client: Provider) -> None:
    known = await learn(client)
    assert {asset.provider_state for asset in known.assets} == set(STATUSES)
    states = {asset.provider_state: asset.state for asset in known.assets}
    assert states["PACKING"] is RemoteState.PROCESSING
    assert states["ABANDONED"] is RemoteState.ABANDONED
    failed = next(asset for asset in known.assets if asset.state is RemoteState.FAILED)
    assert failed.error == "no tracks were recorded"
    abandoned = next(asset for asset in known.assets if asset.state is RemoteState.ABANDONED)
    assert abandoned.deadline is not None
    assert [meeting.title for meeting in known.meetings][:1] == ["Advice PROCESSING"]
    assert known.meetings[0].people == ("Edda Experte",)


@pytest.mark.parametrize("envelope", ["array", "rows", "data", "items", "results"])
@pytest.mark.parametrize("id_key", ["id", "_id", "archiveId", "archive_id"])
async def test_shapes(client: Provider, emulator: FlexpertoEmulator, envelope: str, id_key: str) -> None:
    emulator.envelope, emulator.id_key = envelope, id_key
    assert len((await learn(client)).assets) == len(STATUSES)


@pytest.mark.parametrize("paging", ["pages", "total", "next"])
@pytest.mark.parametrize("page_size", [1, 3, 7, 8])
async def test_pages(client: Provider, emulator: FlexpertoEmulator, paging: str, page_size: int) -> None:
    emulator.envelope, emulator.paging, emulator.page_size = "rows", paging, page_size
    pages = [page async for page in client.listing()]
    assert len(pages) == -(-len(STATUSES) // page_size)
    assert [asset.variant for page in pages for asset in page.assets] == list(emulator.archives)


@pytest.mark.parametrize("encoding", ["hex", "HEX", "base64", "garbage"])
async def test_checksums(client: Provider, emulator: FlexpertoEmulator, encoding: str) -> None:
    emulator.checksum_encoding = encoding
    checksum = (await one(client, "a-available")).checksum
    assert checksum is not None
    assert checksum.value == ("" if encoding == "garbage" else emulator.archives["a-available"].sha256())
    assert (await one(client, "a-processing")).checksum is None


async def test_a_bad_record_is_told_of_after_the_good_ones(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.archives["a-packing"].extra = {"id": None}
    pages = client.listing()
    assert len((await anext(pages)).assets) == len(STATUSES) - 1
    with pytest.raises(BadAnswer, match="1 of 7 records"):
        await anext(pages)


async def test_check_names_what_works(client: Provider, emulator: FlexpertoEmulator) -> None:
    assert await client.check() == "the tenant answers on its current paths and lists 7 archives"
    emulator.envelope, emulator.page_size = "rows", 2
    assert "7 archives" in await client.check()


# Which family of paths


async def test_auto_falls_back_once_and_remembers(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.families = {"legacy"}
    await learn(client)
    await learn(client)
    assert emulator.faults.seen == [CURRENT_LIST, LEGACY_LIST, LEGACY_LIST]


async def test_auto_does_not_fall_back_where_the_current_paths_answer(
    client: Provider, emulator: FlexpertoEmulator
) -> None:
    await learn(client)
    emulator.families = {"legacy"}
    with pytest.raises(NotFound, match="list of archives"):
        await learn(client)
    assert emulator.faults.seen == [CURRENT_LIST, CURRENT_LIST]


async def test_neither_family(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.families = set()
    with pytest.raises(NotFound, match="see base_url and paths"):
        await client.check()
    emulator.families = {"current"}
    assert "current paths" in await client.check()  # nothing false was remembered


@pytest.mark.parametrize("status", [401, 500])
async def test_other_failures_are_no_missing_paths(client: Provider, emulator: FlexpertoEmulator, status: int) -> None:
    emulator.faults.status = status
    with pytest.raises((Unauthorized, ServiceDown)):
        await client.check()
    assert emulator.faults.seen == [CURRENT_LIST]


@pytest.mark.parametrize(("paths", "path"), [("current", CURRENT_LIST), ("legacy", LEGACY_LIST)])
async def test_paths_as_configured(tenant: ProviderBox, emulator: FlexpertoEmulator, paths: str, path: str) -> None:
    client = with_paths(tenant, paths).connect()
    await learn(client)
    emulator.families = set()
    with pytest.raises(NotFound):
        await learn(client)
    await client.aclose()
    assert emulator.faults.seen == [path, path]


# Credentials and addresses


async def test_credentials(tenant: ProviderBox, emulator: FlexpertoEmulator) -> None:
    wrong, none = tenant.connect({"api_key": "CANARY"}), tenant.connect({})
    with pytest.raises(Unauthorized) as caught:
        await wrong.check()
    assert "CANARY" not in str(caught.value)
    with pytest.raises(MissingSecret, match="REELDESK_SECRET_ADVICE_API_KEY"):
        await none.check()
    emulator.is_admin = False
    right = tenant.connect()
    with pytest.raises(Forbidden, match="administrator"):
        await right.check()
    for client in (wrong, none, right):
        await client.aclose()


@pytest.mark.parametrize("suffix", ["/", "/api/v2", "/api/v2/"])
async def test_the_base_as_people_give_it(tenant: ProviderBox, emulator: FlexpertoEmulator, suffix: str) -> None:
    options = {**tenant.settings.options, "base_url": emulator.base_url + suffix}
    client = registry.connect(replace(tenant.settings, options=options), tenant.connect()._secrets)  # type: ignore[attr-defined]  # the box's own
    await client.check()
    await client.aclose()
    assert emulator.faults.seen == [CURRENT_LIST]


def test_a_base_that_is_none(tenant: ProviderBox) -> None:
    options = {**tenant.settings.options, "base_url": "flexperto"}
    with pytest.raises(NotTrusted, match="base_url"):
        registry.connect(replace(tenant.settings, options=options), lambda name: None)


async def test_a_login_page_is_no_answer(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.faults.not_json = True
    with pytest.raises(BadAnswer, match="web page"):
        await client.check()
    with pytest.raises(BadAnswer):
        await client.look_up("a-available")


# Looking up and fetching


async def test_an_unknown_archive(client: Provider, emulator: FlexpertoEmulator) -> None:
    with pytest.raises(NotFound, match=r"archive nobody.*no such archive"):
        await client.look_up("nobody")
    with pytest.raises(Refused):
        await client.look_up("..")
    assert len(emulator.faults.seen) == 1


async def test_an_id_with_a_slash_stays_one_segment(client: Provider, emulator: FlexpertoEmulator) -> None:
    with pytest.raises(NotFound):
        await client.look_up("a/../../b?c#d")
    assert emulator.faults.seen == [f"{LEGACY_LIST}/a%2F..%2F..%2Fb%3Fc%23d"]


@pytest.mark.parametrize("status", ["AVAILABLE", "ABANDONED"])
async def test_the_zip_arrives(tenant: ProviderBox, client: Provider, status: str) -> None:
    asset = await one(client, f"a-{status.lower()}")
    source = await client.locate(asset)
    content = await fetch(client, source)
    assert content == tenant.content(asset)
    assert source.size == len(content)
    assert source.checksum is not None
    assert source.checksum.value == hashlib.sha256(content).hexdigest()
    assert emulator_key_is_hidden(source)


def emulator_key_is_hidden(source: Source) -> bool:
    return "api-key" not in source.headers and "http" not in repr(source)


@pytest.mark.parametrize(
    ("status", "error"), [("PROCESSING", NotReady), ("PACKING", NotReady), ("FAILED", NotReady), ("EXPIRED", Gone)]
)
async def test_what_cannot_be_fetched(client: Provider, status: str, error: type[Exception]) -> None:
    source = await client.locate(await one(client, f"a-{status.lower()}"))
    with pytest.raises(error):
        await fetch(client, source)


async def test_a_cut_download(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.archive_faults["a-available"] = Faults(cut_after=1000)
    with pytest.raises(Unreachable):
        await fetch(client, await client.locate(await one(client, "a-available")))
    emulator.archive_faults["a-available"] = Faults(status=503)
    with pytest.raises(ServiceDown, match="on purpose"):
        await fetch(client, await client.locate(await one(client, "a-available")))


async def test_a_part_of_the_zip(tenant: ProviderBox, client: Provider) -> None:
    asset = await one(client, "a-available")
    source = await client.locate(asset)
    async with client.opener.open(source.url, {"Range": "bytes=100-"}) as body:
        rest = b"".join([chunk async for chunk in body.chunks()])
        source.judge(Head(body.status, body.headers, rest[:64], False))
    assert (body.status, rest) == (206, tenant.content(asset)[100:])


async def test_a_redirect_takes_no_key_along(net: Loopback, client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.store = ObjectStore()
    net.serve(emulator.store)
    source = await client.locate(await one(client, "a-available"))
    async with client.opener.open(source.url, source.headers) as answer:
        assert answer.status == 302
        link = answer.headers["location"]
    async with client.opener.open(link, source.headers) as body:
        assert (body.status, (b"".join([chunk async for chunk in body.chunks()]))[:4]) == (200, b"PK\x03\x04")
    assert emulator.store.leaks == []


async def test_an_asset_without_its_id(client: Provider) -> None:
    for call in (client.locate, client.release):
        with pytest.raises(NotFound, match="sync"):
            await call(Asset("c", AssetKind.ARCHIVE))


# Releasing


@pytest.mark.parametrize(("paths", "given_id"), [("current", "c-available"), ("legacy", "a-available")])
@pytest.mark.parametrize("auto", [True, False])
async def test_release(tenant: ProviderBox, emulator: FlexpertoEmulator, paths: str, given_id: str, auto: bool) -> None:
    emulator.families = {paths}
    client = with_paths(tenant, "auto" if auto else paths).connect()
    released = await client.release(await one(client, "a-available"))
    await client.aclose()
    assert [(asset.variant, asset.state) for asset in released.assets] == [("a-available", RemoteState.ABANDONED)]
    assert released.assets[0].deadline is not None
    assert emulator.abandon_calls == [AbandonCall(paths, given_id, 200)]
    assert len(posts(emulator)) == 1  # no second try with another id


class Steps(ReleaseSteps):
    """Notes what a release tells, and how often the service was called by then."""

    def __init__(self, emulator: FlexpertoEmulator, *, refuses: bool = False) -> None:
        self.emulator = emulator
        self.refuses = refuses
        self.told: list[tuple[str, int]] = []

    async def sending(self) -> None:
        self.told.append(("sending", len(self.emulator.abandon_calls)))
        if self.refuses:
            raise LookupError

    async def answered(self, words: str) -> None:
        self.told.append((words, len(self.emulator.abandon_calls)))


async def test_the_steps_of_a_release(client: Provider, emulator: FlexpertoEmulator) -> None:
    asset, steps = await one(client, "a-available"), Steps(emulator)
    await client.release(asset, steps)
    path = "/api/v2/communication/conferences/conferences/c-available/archive/abandon"
    assert steps.told == [("sending", 0), (f"HTTP 200 to POST {path}", 1)]
    await client.release(asset, steps)
    assert len(steps.told) == 2  # it was released already: nothing was sent


async def test_a_step_can_keep_a_release_from_being_sent(client: Provider, emulator: FlexpertoEmulator) -> None:
    with pytest.raises(LookupError):
        await client.release(await one(client, "a-available"), Steps(emulator, refuses=True))
    assert posts(emulator) == []


async def test_no_answer_is_told_of_a_call_that_was_refused(client: Provider, emulator: FlexpertoEmulator) -> None:
    asset, steps = await one(client, "a-available"), Steps(emulator)
    emulator.archives["a-available"].conference_id = "c-other"
    emulator.archives["a-available"].extra = {"conferenceId": "c-available"}
    with pytest.raises(NotFound):
        await client.release(asset, steps)
    assert steps.told == [("sending", 0)]


async def test_a_404_of_abandoning_is_no_missing_family(client: Provider, emulator: FlexpertoEmulator) -> None:
    asset = await one(client, "a-available")
    emulator.archives["a-available"].conference_id = "c-other"
    emulator.archives["a-available"].extra = {"conferenceId": "c-available"}
    with pytest.raises(NotFound, match="abandoning conference c-available"):
        await client.release(asset)
    assert emulator.abandon_calls == [AbandonCall("current", "c-available", 404)]
    assert len(posts(emulator)) == 1


async def test_nothing_is_abandoned_while_the_family_is_unknown(client: Provider, emulator: FlexpertoEmulator) -> None:
    asset = await one(client, "a-available")
    emulator.families = set()
    with pytest.raises(NotFound):
        await client.release(asset)
    assert posts(emulator) == []


async def test_an_unknown_archive_is_not_abandoned(client: Provider, emulator: FlexpertoEmulator) -> None:
    asset = await one(client, "a-available")
    del emulator.archives["a-available"]
    with pytest.raises(NotFound):
        await client.release(asset)
    assert posts(emulator) == []


async def test_without_a_conference_the_current_paths_refuse(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.archives["a-available"].extra = {"conferenceId": None}
    asset = await one(client, "a-available")
    with pytest.raises(Refused, match="by conference only"):
        await client.release(asset)
    assert posts(emulator) == []


async def test_without_a_conference_the_legacy_paths_release(tenant: ProviderBox, emulator: FlexpertoEmulator) -> None:
    emulator.archives["a-available"].extra = {"conferenceId": None}
    client = with_paths(tenant, "legacy").connect()
    released = await client.release(await one(client, "a-available"))
    await client.aclose()
    assert released.assets[0].state is RemoteState.ABANDONED
    assert emulator.abandon_calls == [AbandonCall("legacy", "a-available", 200)]


@pytest.mark.parametrize("status", ["ABANDONED", "EXPIRED"])
async def test_what_is_released_already_is_not_released_twice(
    client: Provider, emulator: FlexpertoEmulator, status: str
) -> None:
    asset = await one(client, "a-available")
    emulator.set_status("a-available", status)
    released = await client.release(asset)
    assert released.assets[0].provider_state == status
    assert posts(emulator) == []


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"status": "FAILED"}, Refused, "failed to make"),
        ({"status": "PACKING"}, NotReady, "PACKING"),
        ({"status": None}, NotReady, "no status"),
        ({"conferenceId": "c-other"}, Refused, "another conference"),
        ({"sha256CheckSum": "0" * 64}, Refused, "has changed"),
        ({"sha256CheckSum": "garbage"}, Refused, "has changed"),
    ],
)
async def test_what_stands_against_a_release(
    client: Provider, emulator: FlexpertoEmulator, change: dict[str, object], error: type[Exception], words: str
) -> None:
    asset = await one(client, "a-available")
    emulator.archives["a-available"].extra = change
    with pytest.raises(error, match=words):
        await client.release(asset)
    assert posts(emulator) == []


async def test_a_release_that_was_cut_off_can_be_repeated(client: Provider, emulator: FlexpertoEmulator) -> None:
    asset = await one(client, "a-available")
    await client.check()
    emulator.advance("a-available")  # as if the POST had arrived and its answer had not
    assert (await client.release(asset)).assets[0].state is RemoteState.ABANDONED
    assert emulator.abandon_calls == []


# Subscriptions


async def test_subscriptions(client: Provider, emulator: FlexpertoEmulator) -> None:
    assert await client.subscriptions() == ()
    created = await client.subscribe(AVAILABLE_TOPIC, HOOK)
    assert (created.id, created.warning) == ("subscription-1", "")
    assert emulator.registered[created.id].url == HOOK
    assert emulator.registered[created.id].audience == "*"
    assert "F40mfum7" not in created.url + created.raw
    (listed,) = await client.subscriptions()
    assert (listed.id, listed.topic, listed.url) == (created.id, AVAILABLE_TOPIC, created.url)
    for number in range(60):
        emulator.report(created.id, 204 if number % 2 else 399, attempt=number)
    reports = await client.delivery_reports(created.id)
    assert (len(reports), reports[0].outcome) == (50, "HTTP 204, delivered, attempt 59")
    assert "not delivered" in reports[1].outcome
    assert [report.delivered for report in reports[:2]] == [True, False]
    await client.unsubscribe(created.id)
    assert await client.subscriptions() == ()
    with pytest.raises(NotFound, match="subscription-1"):
        await client.unsubscribe(created.id)
    with pytest.raises(NotFound):
        await client.delivery_reports(created.id)


async def test_a_misspelt_topic(client: Provider, emulator: FlexpertoEmulator) -> None:
    misspelt = AVAILABLE_TOPIC.replace("communication", "communciation", 1)
    with pytest.raises(Refused, match="misspelt"):
        await client.subscribe(misspelt, HOOK)
    assert emulator.faults.seen == []
    created = await client.subscribe(AVAILABLE_TOPIC, HOOK)
    emulator.registered[created.id].topic = misspelt
    (listed,) = await client.subscriptions()
    assert "misspelt" in listed.warning


@pytest.mark.parametrize(
    "target", ["https://127.0.0.1/x", "https://10.0.0.5/x", "https://desk/x", "http://desk.example/x"]
)
async def test_targets_that_the_service_refuses(client: Provider, emulator: FlexpertoEmulator, target: str) -> None:
    with pytest.raises(Refused, match="https and its address public"):
        await client.subscribe(AVAILABLE_TOPIC, target)
    emulator.allow_private_targets = True
    assert (await client.subscribe(AVAILABLE_TOPIC, target)).id


async def test_subscriptions_of_the_older_name(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.subscription_families = {"legacy"}
    created = await client.subscribe(AVAILABLE_TOPIC, HOOK)
    await client.delivery_reports(created.id)
    older = SUBSCRIPTIONS.replace("subscriptions", "notificationssubscriptions")
    assert emulator.faults.seen == [
        f"POST {SUBSCRIPTIONS}/webhook",
        f"POST {older}/webhook",
        f"GET {older}/subscription-1/reports",
    ]


async def test_the_family_is_found_out_before_deleting(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.subscription_families = {"legacy"}
    with pytest.raises(NotFound):
        await client.unsubscribe("nobody")
    older = SUBSCRIPTIONS.replace("subscriptions", "notificationssubscriptions")
    assert emulator.faults.seen == [f"GET {SUBSCRIPTIONS}", f"GET {older}", f"DELETE {older}/nobody"]


async def test_where_subscriptions_are_not_listed(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.subscription_families = set()
    with pytest.raises(NotFound, match="list of subscriptions"):
        await client.subscriptions()
    with pytest.raises(NotFound):
        await client.delivery_reports("s1")
    assert emulator.faults.seen[-1] == f"GET {SUBSCRIPTIONS}/s1/reports"


async def test_a_registration_that_is_answered_with_nothing(client: Provider, emulator: FlexpertoEmulator) -> None:
    emulator.answers_with_id = False
    await client.subscribe(AVAILABLE_TOPIC, "https://other.example/x")
    created = await client.subscribe(AVAILABLE_TOPIC, HOOK)
    assert created.id == "subscription-2"  # found in the list


async def test_a_registration_answered_with_nothing_is_not_taken_for_another_of_ours(tenant: ProviderBox) -> None:
    # Two secrets that begin alike are masked alike: only the whole address tells them apart.
    class NewestFirst(dict[str, Any]):
        def values(self) -> Any:
            return list(super().values())[::-1]

    assert isinstance(tenant.emulator, FlexpertoEmulator)
    tenant.emulator.answers_with_id = False
    hooks = tenant.emulator._hooks
    hooks.registered = tenant.emulator.registered = NewestFirst()
    client = tenant.connect()
    old, new = (f"https://desk.example/hooks/advice/same-beginning-{end}" for end in ("of-the-old", "of-the-new"))
    await client.subscribe(AVAILABLE_TOPIC, old)
    created = await client.subscribe(AVAILABLE_TOPIC, new)
    known = await client.subscriptions()
    await client.aclose()
    assert created.id == "subscription-2"
    assert [(one.leads_to(new), one.leads_to(old)) for one in known] == [(True, False), (False, True)]
    assert len({one.url for one in known}) == 1


async def test_a_known_hook_secret_is_masked_however_short(tenant: ProviderBox) -> None:
    client = tenant.connect({**tenant.secrets, "hook_secret": "s3cret"})
    created = await client.subscribe(AVAILABLE_TOPIC, "https://desk.example/hooks/advice/s3cret")
    await client.aclose()
    assert "s3cret" not in created.url + created.raw


# The rest


async def test_deliveries_are_confirmed_by_asking(tenant: ProviderBox, client: Provider) -> None:
    announced = [client.read_delivery(delivery) for delivery in tenant.deliveries()]
    assert len({one.key for one in announced}) == len(announced) == 3
    for announcement in announced:
        (hint,) = announcement.confirm
        assert (await client.look_up(hint)).assets[0].variant == hint


async def test_what_flexperto_has_not(client: Provider) -> None:
    assert Capability.CATCHUP not in client.info.capabilities
    with pytest.raises(Unsupported):
        await client.catchup("room")
