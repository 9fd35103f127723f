import json
from datetime import UTC, datetime, timedelta

import pytest

from providers.base import (
    AccountSettings,
    BadAnswer,
    Body,
    Forbidden,
    Head,
    MissingSecret,
    NotFound,
    NotTrusted,
    Provider,
    ProviderError,
    Refused,
    ServiceDown,
    SessionLost,
    Unauthorized,
    Unreachable,
    Unsupported,
)
from providers.cronofy.emulator import ACTIVATED, API_KEY, COMPLETE, FAILED, CronofyEmulator, example_transcript
from providers.emulation import Loopback, ObjectStore
from providers.http import Http
from providers.messages import Request, json_request
from providers.models import Asset, AssetId, AssetKind, Delivery, Listing, RemoteState
from providers.origin import Origin
from providers.secret import Secret
from tests.providers.box import ProviderBox
from tests.providers.cronofy.box import box

START = datetime(2026, 4, 4, 15, 30, tzinfo=UTC)
FETCHED = (AssetKind.TRANSCRIPT, AssetKind.AUDIO, AssetKind.VIDEO)


class Stand:
    """A box with its typed emulator, a client, and a clock that the test moves."""

    def __init__(self, net: Loopback) -> None:
        self.box: ProviderBox = box(net)
        assert isinstance(self.box.emulator, CronofyEmulator)
        self.emulator = self.box.emulator
        self.store: ObjectStore = self.emulator.store
        self.time = START.timestamp()
        self.emulator.now = self.store.now = lambda: self.time
        self.provider: Provider = self.box.connect()

    async def asset(self, kind: AssetKind) -> Asset:
        listing = await self.box.learn(self.provider)
        return next(asset for asset in listing.assets if asset.kind is kind)

    async def fetch(self, asset: Asset) -> bytes:
        source = await self.provider.locate(asset)
        async with self.provider.opener.open(source.url, source.headers) as body:
            return await judged(source.judge, body)


async def judged(judge: object, body: Body) -> bytes:
    assert callable(judge)
    content = b"".join([chunk async for chunk in body.chunks()])
    judge(Head(body.status, body.headers, content[:65536], len(content) <= 65536))
    return content


@pytest.fixture
async def stand(net: Loopback) -> Stand:
    return Stand(net)


@pytest.fixture(autouse=True)
async def _closed(stand: Stand) -> object:
    yield
    await stand.provider.aclose()


async def test_every_file_comes_home_and_the_store_sees_no_credential(stand: Stand) -> None:
    for kind in FETCHED:
        asset = await stand.asset(kind)
        assert await stand.fetch(asset) == stand.box.content(asset)
    assert stand.store.leaks == []
    assert len(stand.store.faults.seen) == 3


@pytest.mark.parametrize("knob", ["send_location", "send_download_url"])
async def test_header_or_body_may_be_missing(stand: Stand, knob: str) -> None:
    setattr(stand.emulator, knob, False)
    asset = await stand.asset(AssetKind.VIDEO)
    assert await stand.fetch(asset) == stand.box.content(asset)


async def test_without_either_it_is_a_bad_answer(stand: Stand) -> None:
    stand.emulator.send_location = stand.emulator.send_download_url = False
    with pytest.raises(BadAnswer, match="no address to download"):
        await stand.provider.locate(await stand.asset(AssetKind.VIDEO))


async def test_a_resource_may_give_the_file_itself(stand: Stand) -> None:
    stand.emulator.serve_directly = True
    for kind in FETCHED:
        asset = await stand.asset(kind)
        source = await stand.provider.locate(asset)
        assert source.url == asset.locator["url"]
        assert await stand.fetch(asset) == stand.box.content(asset)
    assert stand.store.faults.seen == []


async def test_a_long_transcript_may_come_directly(stand: Stand) -> None:
    stand.emulator.serve_directly = True
    sub = stand.emulator.add_agent()
    text = example_transcript(sub)
    text["transcript"]["summary"] = "long " * 200_000
    stand.emulator.complete(sub, transcript=text)
    (delivery,) = stand.emulator.deliveries(sub, COMPLETE)
    listing = stand.provider.read_delivery(delivery).listing
    asset = next(asset for asset in listing.assets if asset.kind is AssetKind.TRANSCRIPT)
    assert json.loads(await stand.fetch(asset)) == text


async def test_the_presigned_link_is_in_no_value_that_is_kept(stand: Stand) -> None:
    asset = await stand.asset(AssetKind.VIDEO)
    source = await stand.provider.locate(asset)
    assert "X-Amz-Signature" in source.url
    assert "Signature" not in repr(asset)
    assert "Signature" not in repr(source)
    assert source.headers == {}
    assert source.resumable


async def test_a_link_that_ran_out_is_asked_for_again(stand: Stand) -> None:
    asset = await stand.asset(AssetKind.AUDIO)
    source = await stand.provider.locate(asset)
    stand.time += stand.store.lifetime_s + 2
    async with stand.provider.opener.open(source.url, {}) as body:
        with pytest.raises(SessionLost, match="AccessDenied"):
            await judged(source.judge, body)
    assert await stand.fetch(asset) == stand.box.content(asset)


async def test_a_resource_elsewhere_is_never_asked_with_the_key(stand: Stand, net: Loopback) -> None:
    thief = ObjectStore()
    stand.emulator.resource_base = net.serve(thief)
    sub = next(iter(stand.emulator.agents))
    (delivery,) = stand.emulator.deliveries(sub, COMPLETE)
    listing = stand.provider.read_delivery(delivery).listing
    for asset in listing.assets:
        if asset.kind in FETCHED:
            assert asset.warning.startswith("suspicious: the resource's host 127.0.0.1:")
            with pytest.raises(NotTrusted, match="suspicious"):
                await stand.provider.locate(asset)
    forged = Asset("x", AssetKind.VIDEO, locator={"url": f"{thief.base_url}/v1"})
    with pytest.raises(NotTrusted, match="is not this account's"):
        await stand.provider.locate(forged)
    with pytest.raises(NotTrusted):
        await stand.provider.locate(Asset("x", AssetKind.VIDEO))
    assert thief.faults.seen == []
    assert thief.leaks == []


async def test_resource_hosts_may_be_sent_the_key(stand: Stand, net: Loopback) -> None:
    other = CronofyEmulator(stand.store)
    host = net.serve(other).removeprefix("http://")
    other.agents = stand.emulator.agents
    stand.emulator.resource_base = other.base_url
    stand.box.settings = registry_settings(stand.box, resource_hosts=[host])
    provider = stand.box.connect()
    sub = next(iter(stand.emulator.agents))
    listing = provider.read_delivery(stand.emulator.deliveries(sub, COMPLETE)[0]).listing
    video = next(asset for asset in listing.assets if asset.kind is AssetKind.VIDEO)
    assert video.warning == ""
    assert "X-Amz-Signature" in (await provider.locate(video)).url
    assert len(other.faults.seen) == 1
    await provider.aclose()


def registry_settings(held: ProviderBox, **options: object) -> AccountSettings:
    settings = held.settings
    return AccountSettings(settings.name, settings.provider, {**settings.options, **options}, timeout_s=5.0)


async def test_a_redirect_from_the_api_to_a_foreign_host_carries_no_key(stand: Stand, net: Loopback) -> None:
    thief = ObjectStore()
    net.serve(thief)
    stand.emulator.store = thief
    source = await stand.provider.locate(await stand.asset(AssetKind.VIDEO))
    assert source.url.startswith(thief.base_url)
    async with stand.provider.opener.open(source.url, source.headers) as body:
        assert body.status == 404
    assert thief.leaks == []


async def test_a_dashboard_is_never_fetched(stand: Stand) -> None:
    asset = await stand.asset(AssetKind.DASHBOARD)
    assert asset.link.startswith("https://app.cronofy.example/")
    with pytest.raises(Unsupported, match="link for a browser"):
        await stand.provider.locate(asset)


async def test_an_unknown_resource_is_not_found(stand: Stand) -> None:
    asset = await stand.asset(AssetKind.VIDEO)
    stand.emulator.agents[asset.meeting_id].files.clear()
    with pytest.raises(NotFound, match=f"does not know the video of {asset.meeting_id}"):
        await stand.provider.locate(asset)


async def test_check_says_what_was_checked(stand: Stand) -> None:
    words = await stand.provider.check()
    assert "HTTP 422" in words
    assert "Assumed" in words
    assert "Not checked" in words
    assert stand.emulator.orders == []
    assert len(stand.emulator.agents) == 2


async def test_check_names_what_is_wrong(stand: Stand) -> None:
    wrong = stand.box.connect({"api_key": "CRN_another_key_altogether"})
    with pytest.raises(Unauthorized) as caught:
        await wrong.check()
    assert "CRN_another" not in caught.value.words
    await wrong.aclose()
    stand.emulator.agents_enabled = False
    with pytest.raises(Forbidden, match="HTTP 403"):
        await stand.provider.check()
    stand.emulator.plan_has_agents = False
    with pytest.raises(Forbidden, match="Emerging"):
        await stand.provider.check()
    stand.emulator.faults.not_json = True
    with pytest.raises(BadAnswer, match="is base_url right"):
        await stand.provider.check()
    stand.emulator.faults.not_json = False
    stand.emulator.faults.status, stand.emulator.faults.retry_after = 503, "9"
    with pytest.raises(ServiceDown) as down:
        await stand.provider.check()
    assert down.value.retry_after_s == 9.0


async def test_without_a_key_it_is_named(stand: Stand) -> None:
    keyless = stand.box.connect({})
    with pytest.raises(MissingSecret, match="REELDESK_SECRET_AGENTS_API_KEY"):
        await keyless.check()
    with pytest.raises(MissingSecret):
        keyless.read_delivery(stand.box.deliveries()[0])
    with pytest.raises(MissingSecret):
        await keyless.locate(await stand.asset(AssetKind.VIDEO))
    await keyless.aclose()


async def test_nothing_is_shown_of_the_key(stand: Stand) -> None:
    assert API_KEY not in repr(vars(stand.provider))
    with pytest.raises(ProviderError) as caught:
        await stand.box.connect({"api_key": API_KEY}).dispatch_agent("https://x.example", attendee="none")
    assert API_KEY not in str(caught.value)


@pytest.mark.parametrize("wrapped", [True, False])
async def test_an_agent_is_dispatched(stand: Stand, wrapped: bool) -> None:
    stand.emulator.wrapped = wrapped
    stand.emulator.require_attendee = True
    listing = await stand.provider.dispatch_agent(
        "https://zoom.example/1?pwd=x",
        attendee="marty@evenitron.example",
        callback_url="https://me.example/hooks/agents",
    )
    (meeting,) = listing.meetings
    assert meeting.id in stand.emulator.agents
    assert (meeting.provider_state, meeting.origin) == ("created", "dispatched from here")
    assert [asset.kind for asset in listing.assets] == [AssetKind.DASHBOARD]
    assert stand.emulator.orders[0]["subscriptions"][0]["uri"] == "https://me.example/hooks/agents"


async def test_what_the_service_refuses_is_said_in_its_words(stand: Stand) -> None:
    stand.emulator.require_attendee = True
    with pytest.raises(Refused, match=r"on_behalf_of_attendee.email: required \(errors.required\)"):
        await stand.provider.dispatch_agent("https://zoom.example/1")


async def test_an_agent_is_scheduled_and_cancelled(stand: Stand) -> None:
    later = START + timedelta(hours=1, microseconds=7)
    await stand.provider.schedule_agent("https://zoom.example/1", "weekly", later, attendee="a@b.example")
    await stand.provider.schedule_agent("https://zoom.example/2", "daily", later)
    assert set(stand.emulator.scheduled) == {"weekly", "daily"}
    await stand.provider.cancel_agent("weekly")
    await stand.provider.cancel_agent("never scheduled")
    assert set(stand.emulator.scheduled) == {"daily"}
    stand.time += 3600
    await stand.provider.cancel_agent("daily")
    assert len(stand.emulator.agents) == 3


async def test_the_key_is_judged_for_every_call(stand: Stand) -> None:
    wrong = stand.box.connect({"api_key": "CRN_another_key_altogether"})
    with pytest.raises(Unauthorized):
        await wrong.cancel_agent("x")
    with pytest.raises(Unauthorized):
        await wrong.locate(await stand.asset(AssetKind.VIDEO))
    await wrong.aclose()


async def test_there_is_no_list(stand: Stand) -> None:
    with pytest.raises(Unsupported):
        stand.provider.listing()
    with pytest.raises(Unsupported):
        await stand.provider.look_up("agt_1")
    with pytest.raises(NotFound, match="reeldesk ingest agents FILE"):
        stand.provider.adopt(AssetId("agents", "agt_1", AssetKind.VIDEO))


async def test_unreachable_is_in_words(net: Loopback) -> None:
    held = box(net)
    held.settings = registry_settings(held, base_url="http://127.0.0.1:1")
    provider = held.connect()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 refuses connections"):
        await provider.check()
    await provider.aclose()


# The emulator's own behaviour, as far as others rely on it.


def states(stand: Stand, deliveries: list[Delivery]) -> list[tuple[str, str]]:
    found = [stand.provider.read_delivery(delivery) for delivery in deliveries]
    return [(one.topic, one.listing.meetings[0].provider_state) for one in found]


async def test_life_goes_by_the_clock(stand: Stand) -> None:
    stand.emulator.due_deliveries()
    stand.emulator.add_agent("Town hall", completes_after_s=30)
    stand.emulator.add_agent(fails_after_s=50)
    assert states(stand, stand.emulator.due_deliveries()) == [(ACTIVATED, "created")] * 2
    assert stand.emulator.due_deliveries() == []
    stand.time += 60
    stand.emulator.newest_first = True
    assert states(stand, stand.emulator.due_deliveries()) == [(FAILED, "failed"), (COMPLETE, "complete")]


async def test_ordered_agents_come_to_their_end(stand: Stand) -> None:
    stand.emulator.due_deliveries()
    stand.emulator.notify_all = False
    await stand.provider.dispatch_agent("https://zoom.example/1", callback_url="https://me.example/hook")
    await stand.provider.dispatch_agent("https://zoom.example/2")
    await stand.provider.schedule_agent(
        "https://zoom.example/3", "k", START + timedelta(seconds=10), callback_url="https://me.example/hook"
    )
    assert states(stand, stand.emulator.due_deliveries()) == [(ACTIVATED, "created")]
    stand.time += 100
    assert [topic for topic, _ in states(stand, stand.emulator.due_deliveries())] == [ACTIVATED, COMPLETE, COMPLETE]


async def test_duplicates_and_rotation(stand: Stand) -> None:
    stand.emulator.copies = 2
    stand.emulator.other_secrets = ("CRN_the_next_client_secret",)
    sub = stand.emulator.add_agent("Board", sub="agt_x", start=START, end=START + timedelta(hours=1))
    stand.emulator.complete(sub, without=("video",))
    first, second = [stand.provider.read_delivery(d) for d in stand.emulator.deliveries(sub, COMPLETE)]
    assert first.key == second.key
    assert [asset.kind for asset in first.listing.assets] == [
        AssetKind.DASHBOARD,
        AssetKind.TRANSCRIPT,
        AssetKind.AUDIO,
    ]
    assert first.listing.meetings[0].ended_at == START + timedelta(hours=1)
    renewed = stand.box.connect({"api_key": "CRN_the_next_client_secret"})
    assert renewed.read_delivery(stand.emulator.deliveries(sub, COMPLETE)[0]).key == first.key


async def test_the_api_refuses_what_is_malformed(stand: Stand) -> None:
    base = stand.emulator.base_url
    origin = Origin.of(base)
    assert origin is not None
    http = Http(stand.box.settings, (origin,), lambda: {"Authorization": Secret(f"Bearer {API_KEY}")})
    url = f"{base}/v1/meeting_agents"
    joins = {"join_url": "https://x.example", "scheduling_key": "k"}
    for request in (
        Request("POST", url, {}, b"no JSON"),
        Request("POST", url, {}, b"[]"),
        json_request("POST", url, joins),
        json_request("POST", url, joins | {"join_time": "2026-01-25T15:30:00.123Z"}),
        json_request("POST", url, joins | {"join_time": "soon"}),
        json_request("DELETE", url, {}),
    ):
        answer = await http.send(request)
        assert answer.status == 422
        assert answer.json()["errors"]
    assert (await http.send(Request("GET", url))).status == 405
    await http.aclose()


async def test_what_was_learnt_is_what_the_box_says(stand: Stand) -> None:
    listing: Listing = await stand.box.learn(stand.provider)
    assert [meeting.provider_state for meeting in listing.meetings] == ["complete", "failed"]
    assert {asset.state for asset in listing.assets} == {RemoteState.AVAILABLE}
    for delivery in stand.box.forged():
        with pytest.raises(ProviderError, match="webhook"):
            stand.provider.read_delivery(delivery)
