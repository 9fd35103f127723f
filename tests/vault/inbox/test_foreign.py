"""Deliveries that name somebody else's server: nothing that says who we are goes there, and what the delivery says."""

import asyncio
import json
from pathlib import Path

import pytest

from providers.base import NotTrusted
from providers.cronofy.webhook import sign
from providers.models import AssetKind, Delivery
from tests.vault.inbox.house import ADVICE, AGENTS, ROOMS, House, Receiving
from tests.vault.trap import Sent, trap
from tests.vault.world import noise, until
from vault.errors import VaultError
from vault.views import DeliveryState, LocalState, Query

FILE = noise(5_000)


def secrets_of(house: House) -> set[str]:
    services = house.services
    return {
        *(services.cronofy.api_key, services.flexperto.api_key, services.temasys.password, services.temasys.app_key),
        *(value for name, value in house.environ.items() if name.startswith("REELDESK_SECRET_")),
    }


def assert_nobody(house: House, seen: list[Sent]) -> None:
    for sent in seen:
        assert sent.identifying == {}, sent
        assert not [secret for secret in secrets_of(house) if secret in sent.whole]


def with_body(one: Delivery, body: object, **headers: str) -> Delivery:
    """The delivery with another body."""
    kept = {name: value for name, value in one.headers.items() if name != "content-length"}
    return Delivery(kept | headers, json.dumps(body).encode())


def misled(one: Delivery, key: str, category: str, url: str) -> Delivery:
    """A Cronofy webhook of which one resource leads elsewhere, signed as the service would."""
    body = json.loads(one.body)
    for resource in body["meeting_agent"]["resources"]:
        if resource["category"] == category:
            resource["url"] = url
    return with_body(one, body, **{"cronofy-hmac-sha256": sign(json.dumps(body).encode(), key)})


async def settled(it: Receiving) -> None:
    """Whatever was queued has come to its end."""
    await it.desk.new_queue().run(drain=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
async def test_a_signed_webhook_that_names_a_foreign_resource(house: House, host: str) -> None:
    """Signed by the right key: the service itself was misled, or its key is known to somebody."""
    house.options["agents"] = "auto_fetch = true"
    with trap("127.0.0.2" if host == "127.0.0.2" else "127.0.0.1", 0, FILE) as (port, seen):
        async with house.receiving() as it:
            house.services.cronofy.resource_base = f"http://{host}:{port}"
            assert (await it.post(AGENTS, house.services.agent())).status == 204
            [kept] = await it.processed()
            assert kept.state is DeliveryState.DONE
            assert "suspicious: the resource's host " in kept.outcome
            assert f"{host}:{port}" in kept.outcome
            await settled(it)
            # Not even when somebody insists.
            for asset in it.desk.assets(Query()):
                if asset.identity.kind is not AssetKind.DASHBOARD:
                    with pytest.raises(VaultError, match="the API key is not sent there"):
                        await it.desk.fetch_now(asset.identity)
        assert seen == []


async def test_one_foreign_resource_among_its_own(house: House) -> None:
    """The others are fetched; the key goes to none but the service."""
    house.options["agents"] = "auto_fetch = true"
    with trap("127.0.0.1", 0, FILE) as (port, seen):
        async with house.receiving() as it:
            url, key = f"http://127.0.0.1:{port}/v1/resource", house.services.cronofy.api_key
            one = misled(house.services.agent(), key, "video", url)
            assert (await it.post(AGENTS, one)).status == 204
            [kept] = await it.processed()
            assert "suspicious: " in kept.outcome
            await settled(it)
            held = [asset for asset in it.desk.assets(Query()) if asset.local is LocalState.HELD]
            assert held
        assert seen == []
        assert house.services.cronofy.store.leaks == []


async def test_an_unsigned_webhook_with_the_right_token_that_names_foreign_addresses(house: House) -> None:
    """flexperto's payload: whatever it holds, the archive is asked for where the account says."""
    house.options["advice"] = "auto_fetch = true"
    with trap("127.0.0.1", 0, FILE) as (port, seen):
        async with house.receiving() as it:
            one = house.services.archive("a")
            body = json.loads(one.body)
            foreign = f"http://127.0.0.1:{port}/api/v2/archives/a/download"
            body["data"] |= dict.fromkeys(("url", "download_url", "href", "archive_url", "base_url"), foreign)
            body |= {"url": foreign, "links": {"self": foreign, "next": foreign}}
            assert (await it.post(ADVICE, with_body(one, body))).status == 204
            [kept] = await it.processed()
            assert (kept.state, "confirmed by the service" in kept.outcome) == (DeliveryState.DONE, True)
            await settled(it)
            [asset] = it.desk.assets(Query())
            assert asset.local is LocalState.HELD
        assert seen == []


@pytest.mark.parametrize("name", ["../../b", "a/../../../x", "a?x=http://127.0.0.1/", "//127.0.0.2/a", "a#/../b", ".."])
async def test_an_archive_id_that_would_lead_elsewhere(house: House, name: str) -> None:
    async with house.receiving() as it:
        one = house.services.archive("a")
        body = json.loads(one.body)
        body["data"]["archive_id"] = name
        before = len(house.services.flexperto.faults.seen)
        assert (await it.post(ADVICE, with_body(one, body))).status == 204
        await until(lambda: [d for d in it.deliveries() if d.outcome or d.state is DeliveryState.UNREADABLE])
        for line in house.services.flexperto.faults.seen[before:]:
            path = line.partition(" ")[2]
            assert path.startswith("/api/v2/"), line
            assert "/../" not in path, line
        assert list(it.desk.assets(Query())) == []


async def test_a_callback_with_the_right_token_whose_link_leads_elsewhere(house: House) -> None:
    """Temasys' callback is unsigned. Its link is fetched where the account lets it lead, with no credential."""
    with trap("127.0.0.2", 0, FILE) as (port, seen):
        async with house.receiving() as it:
            recording = house.services.temasys.record("town-hall")
            link = f"http://127.0.0.2:{port}/x.mp4?X-Amz-Signature=abc&X-Amz-Expires=600"
            one = house.services.temasys.delivery(recording, retrievalUrl=link)
            assert (await it.post(ROOMS, one)).status == 204
            [kept] = await it.processed()
            assert kept.verified == "not signed; the app key matches"
            await settled(it)
            # The account is itself on loopback: there it may be led to other servers of this machine.
            assert [sent.method for sent in seen]
        assert_nobody(house, seen)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/x.mp4?X-Amz-Signature=abc",
        "https://x.amazonaws.com.evil.example/x.mp4",
        "https://x.amazonaws.com@evil.example/x.mp4",
        "http://10.0.0.1/x.mp4",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/x.mp4",
        "file:///etc/passwd",
    ],
)
async def test_a_link_that_the_account_does_not_name_is_refused_in_words(house: House, link: str) -> None:
    async with house.receiving() as it:
        recording = house.services.temasys.record("town-hall")
        assert (await it.post(ROOMS, house.services.temasys.delivery(recording, retrievalUrl=link))).status == 204
        await it.processed()
        await settled(it)
        for asset in it.desk.assets(Query()):
            assert asset.local is not LocalState.HELD
            with pytest.raises((VaultError, NotTrusted), match=r"download_hosts|no http\(s\) address|link"):
                await it.desk.fetch_now(asset.identity)


async def test_nothing_of_it_is_on_disk(house: House) -> None:
    """A presigned link of somebody else's is a secret as well."""
    with trap("127.0.0.2", 0, FILE) as (port, _):
        async with house.receiving() as it:
            recording = house.services.temasys.record("town-hall")
            link = f"http://127.0.0.2:{port}/x.mp4?X-Amz-Signature=f0re1gn51gnature"
            one = house.services.temasys.delivery(recording, retrievalUrl=link)
            assert (await it.post(ROOMS, one)).status == 204
            await it.processed()
            await settled(it)

    def found() -> list[Path]:
        files = [path for path in house.folder.rglob("*") if path.is_file()]
        return [path for path in files if b"f0re1gn51gnature" in path.read_bytes()]

    assert await asyncio.to_thread(found) == []
