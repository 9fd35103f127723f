"""Asking services, and taking in what they send: once each, in any order, and whatever breaks in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.base import NotAuthentic, ServiceDown, Unauthorized, Unreadable
from providers.emulation import Blob, Loopback
from providers.models import Asset, AssetId, AssetKind, Catchup, Delivery, Listing, Meeting, RemoteState
from tests.providers.cronofy.box import box as cronofy_box
from tests.providers.huawei.box import box as huawei_box
from tests.providers.huawei.box import past_call
from tests.providers.proconf.box import box as proconf_box
from tests.vault.world import World, archive, until
from vault import syncing
from vault.desk import Desk
from vault.errors import LedgerError, SpoolError, VaultError
from vault.ledger.recording import Recorded
from vault.ledger.ruling import Rules
from vault.views import DeliveryState, LocalState, Query

A = archive("a")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


async def test_a_sync(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a")
    it.emulator.add_archive("b", status="PROCESSING")
    report = await desk.sync("advice")
    assert (report.meetings, report.assets, report.new, report.words) == (2, 2, 2, "")
    assert (await desk.sync("advice")).new == 0
    [account] = desk.accounts()
    assert (account.meetings, account.assets, account.error, account.provider) == (2, 2, "", "flexperto")
    assert account.synced_at is not None
    assert account.secrets["api_key"].words == "environment REELDESK_SECRET_ADVICE_API_KEY"


async def test_a_sync_that_fails_is_noted(it: World, desk: Desk) -> None:
    it.emulator.faults.status = 503
    with pytest.raises(ServiceDown):
        await desk.sync("advice")
    [account] = desk.accounts()
    assert "503" in account.error
    assert account.synced_at is None
    it.emulator.faults.status = None
    await desk.sync("advice")
    [account] = desk.accounts()
    assert account.error == ""


async def test_a_ledger_that_fails_a_sync_is_noted_too(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Rules, *args: object) -> None:
        raise LedgerError("the ledger is full")

    monkeypatch.setattr(Rules, "apply", full)
    with pytest.raises(LedgerError):
        await desk.sync("advice")
    assert desk.accounts()[0].error == "the ledger is full"


async def test_a_sync_that_is_cancelled_is_no_success(it: World, desk: Desk) -> None:
    it.emulator.faults.latency_s = 30
    task = asyncio.create_task(desk.sync("advice"))
    await until(lambda: it.emulator.faults.seen)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert desk.accounts()[0].synced_at is None


async def test_an_account_that_is_none(desk: Desk) -> None:
    with pytest.raises(VaultError, match="there is no account 'other'; known: advice"):
        await desk.sync("other")
    assert desk.capabilities("other") == frozenset()


async def test_a_wrong_credential(it: World) -> None:
    it.write()
    desk = Desk.open({**it.environ, "REELDESK_SECRET_ADVICE_API_KEY": "CANARY"}, now=it.clock)
    with pytest.raises(Unauthorized) as caught:
        await desk.sync("advice")
    assert "CANARY" not in str(caught.value)
    await desk.aclose()
    desk.close()


async def test_a_credential_that_is_none(it: World) -> None:
    it.write()
    desk = Desk.open({**it.environ, "REELDESK_SECRET_ADVICE_API_KEY": "CANARY\x01"}, now=it.clock)
    with pytest.raises(VaultError, match="api_key of account advice") as caught:
        await desk.sync("advice")
    assert "CANARY" not in str(caught.value)
    desk.close()


async def test_what_becomes_available_is_queued_where_that_is_wished(it: World) -> None:
    it.options = "auto_fetch = true"
    desk = it.desk()
    it.emulator.add_archive("a")
    it.emulator.add_archive("b", status="PROCESSING")
    await desk.sync("advice")
    assert [view.asset for view in desk.transfers()] == [A]
    it.emulator.set_status("b", "AVAILABLE")
    await desk.sync("advice")
    assert {view.asset for view in desk.transfers()} == {A, archive("b")}
    await desk.aclose()
    desk.close()


# Deliveries


def delivery(it: World, name: str = "a") -> Delivery:
    [one] = it.emulator.deliveries_for(name)
    return one


def rows(desk: Desk) -> list[tuple[str, int]]:
    with desk._ledger._database.read() as connection:
        found = connection.execute("SELECT key, duplicates FROM deliveries ORDER BY id").fetchall()
    return [tuple(row) for row in found]


async def test_a_delivery_is_confirmed_by_asking(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", title="Board")
    announcement = await desk.take_in("advice", delivery(it))
    assert announcement.verified == "not signed: confirmed by asking the API"
    asset = desk.asset(A)
    assert asset is not None
    assert asset.state is RemoteState.AVAILABLE
    asked = len(it.emulator.faults.seen)
    number = desk.change_number()
    for _ in range(3):
        await desk.take_in("advice", delivery(it))
    assert len(it.emulator.faults.seen) == asked
    assert rows(desk) == [(announcement.key, 3)]
    assert desk.change_number() >= number
    assert [event.what for event in desk.trail(A)] == ["seen"]


async def test_a_delivery_that_could_not_be_confirmed_is_confirmed_when_it_comes_again(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a")
    it.emulator.faults.status = 503
    with pytest.raises(ServiceDown):
        await desk.take_in("advice", delivery(it))
    [kept] = desk.webhooks.deliveries()
    assert kept.state is DeliveryState.WAITING
    assert kept.outcome == "the service answers HTTP 503: switched off on purpose"
    it.emulator.faults.status = None
    await desk.take_in("advice", delivery(it))
    assert desk.asset(A) is not None
    [kept] = desk.webhooks.deliveries()
    assert (kept.state, kept.outcome) == (DeliveryState.DONE, "1 new asset; confirmed by the service")


async def test_a_forged_delivery_brings_only_what_the_service_says(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", status="PROCESSING")
    body = json.loads('{"data": {"archive_id": "a"}, "meta": {"topic": "communication.archives.archive.available"}}')
    await desk.take_in("advice", Delivery({}, json.dumps(body).encode()))
    asset = desk.asset(A)
    assert asset is not None
    assert asset.state is RemoteState.PROCESSING


async def test_one_that_cannot_be_read(desk: Desk) -> None:
    with pytest.raises(Unreadable):
        await desk.take_in("advice", Delivery({}, b"no json"))
    assert rows(desk) == []


# Saved deliveries


def save(folder: Path, name: str, one: Delivery) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_bytes(one.body)
    (folder / f"{name}.json.headers").write_text("".join(f"{k}: {v}\n" for k, v in one.headers.items()))


async def test_saved_deliveries_are_taken_in_once(net: Loopback, tmp_path: Path) -> None:
    box = cronofy_box(net)
    desk = _desk_over(tmp_path, "agents", "cronofy", box.settings.options["base_url"], box.secrets, 'spool = "spool"')
    with pytest.raises(SpoolError, match=r"spool .*: No such file"):
        await desk.sync("agents")
    for number, one in enumerate(box.deliveries()):
        save(tmp_path / "spool", f"{number}", one)
        save(tmp_path / "spool", f"again-{number}", one)
    report = await desk.sync("agents")
    assert report.new > 0
    assert report.words == "" or "webhook" in report.words
    before = [asset.record() for asset in desk.assets(Query())]
    again = await desk.sync("agents")
    assert (again.meetings, again.assets, again.new) == (0, 0, 0)
    assert [asset.record() for asset in desk.assets(Query())] == before
    await desk.aclose()
    desk.close()


async def test_a_bad_one_does_not_keep_the_others_out(net: Loopback, tmp_path: Path) -> None:
    box = cronofy_box(net)
    desk = _desk_over(tmp_path, "agents", "cronofy", box.settings.options["base_url"], box.secrets, 'spool = "spool"')
    genuine, forged = box.deliveries(), box.forged()
    save(tmp_path / "spool", "a-forged", forged[0])
    (tmp_path / "spool" / "b.json").mkdir()
    for number, one in enumerate(genuine):
        save(tmp_path / "spool", f"c-{number}", one)
    with pytest.raises(NotAuthentic, match=r"saved delivery a-forged.json"):
        await desk.sync("agents")
    assert list(desk.assets(Query()))
    [account] = desk.accounts()
    assert "a-forged.json" in account.error
    (tmp_path / "spool" / "a-forged.json").unlink()
    with pytest.raises(SpoolError, match=r"b.json: Is a directory"):
        await desk.sync("agents")
    (tmp_path / "spool" / "b.json").rmdir()
    await desk.sync("agents")
    await desk.aclose()
    desk.close()


async def test_deliveries_in_any_order_end_alike(net: Loopback, tmp_path: Path) -> None:
    box = cronofy_box(net)
    ends = []
    for number, order in enumerate((box.deliveries(), box.deliveries()[::-1], box.deliveries() * 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        desk = _desk_over(folder, "agents", "cronofy", box.settings.options["base_url"], box.secrets)
        for one in order:
            await desk.take_in("agents", one)
        ends.append(sorted(str(asset.record()) for asset in desk.assets(Query())))
        await desk.aclose()
        desk.close()
    assert ends[0] == ends[1] == ends[2]


# Other services


def _desk_over(
    folder: Path, account: str, provider: str, url: str, secrets: dict[str, str], *lines: str, **environ: str
) -> Desk:
    text = [f"[vault]\npath = 'vault'\n[accounts.{account}]\nprovider = '{provider}'\nbase_url = '{url}'", *lines]
    (folder / "config.toml").write_text("\n".join(text))
    held = {f"REELDESK_SECRET_{account}_{name}".upper(): value for name, value in secrets.items()}
    return Desk.open(
        {
            "REELDESK_CONFIG": str(folder / "config.toml"),
            "REELDESK_DATA": str(folder / "data"),
            "REELDESK_KEYRING": "off",
            **held,
        }
    )


async def test_events_are_drained_where_the_account_is_watched(net: Loopback, tmp_path: Path) -> None:
    box = huawei_box(net)
    options = box.settings.options
    lines = [f"agent_id = '{options['agent_id']}'", f"phone = '{options['phone']}'"]
    for watch in (False, True):
        folder = tmp_path / str(watch)
        folder.mkdir()
        desk = _desk_over(
            folder, "calls", "huawei", options["base_url"], box.secrets, *lines, f"watch = {str(watch).lower()}"
        )
        report = await desk.sync("calls")
        assert bool(report.assets) is watch
        assert bool(report.words) is not watch
        await desk.rest("calls")
        await desk.aclose()
        desk.close()


async def test_watching_records_what_happens(net: Loopback, tmp_path: Path) -> None:
    box = huawei_box(net)
    options = box.settings.options
    lines = [f"agent_id = '{options['agent_id']}'", f"phone = '{options['phone']}'", "watch = true"]
    desk = _desk_over(tmp_path, "calls", "huawei", options["base_url"], box.secrets, *lines)
    desk.note_trouble("calls", "no connection")
    watching = asyncio.create_task(desk.watch("calls"))
    await until(lambda: list(desk.assets(Query())))
    await until(lambda: desk.accounts()[0].error == "")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert past_call() is not None
    await desk.aclose()
    desk.close()


async def test_ids_given_by_hand_and_news(net: Loopback, tmp_path: Path) -> None:
    box = huawei_box(net)
    options = box.settings.options
    lines = [f"agent_id = '{options['agent_id']}'", f"phone = '{options['phone']}'"]
    desk = _desk_over(tmp_path, "calls", "huawei", options["base_url"], box.secrets, *lines)
    call = past_call()
    record, kind = next(iter(call.files))
    one = AssetId("calls", call.conference, AssetKind.VIDEO, f"{record}-{kind}")
    adopted = await desk.adopt(one)
    assert await desk.adopt(one) == adopted
    asset = await desk.fetch_now(one)
    assert asset.local is LocalState.HELD
    client = desk._connections.client("calls")
    number = desk.change_number()
    client.news(Listing())
    assert desk.change_number() == number
    await desk.aclose()
    desk.close()


async def test_catchups(net: Loopback, tmp_path: Path) -> None:
    box = proconf_box(net)
    url = box.settings.options["base_url"]
    rooms = "rooms = ['town-hall', 'empty-room']\nauth = 'bearer'"
    desk = _desk_over(tmp_path, "standup", "proconf", url, box.secrets, rooms)
    assert desk.rooms() == (("standup", "town-hall"), ("standup", "empty-room"))
    told = await desk.catchup("standup", "town-hall")
    assert "Ada opened" in told.text
    await desk.catchup("standup", "town-hall")
    assert [view.text for view in desk.catchup_history("standup", "town-hall")] == [told.text]
    await desk.sync("standup")
    one = AssetId("standup", "town-hall", AssetKind.CATCHUP)
    asset = await desk.fetch_now(one)
    assert asset.local is LocalState.HELD
    await desk.aclose()
    desk.close()


@pytest.mark.parametrize("size", [1, 3, 250])
def test_a_long_page_is_recorded_in_parts(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(syncing, "PAGE", size)
    meetings = tuple(Meeting(f"m{number}", f"Title {number}") for number in range(7))
    assets = tuple(
        Asset(f"m{number % 9}", kind) for kind in (AssetKind.ARCHIVE, AssetKind.VIDEO) for number in range(9)
    )
    listing = Listing(meetings, assets, catchups=(Catchup("room", "said"),))
    split = list(syncing.parts(listing, size))
    assert sorted(str(asset) for part in split for asset in part.assets) == sorted(map(str, assets))
    assert sum((part.meetings for part in split), ()) == meetings
    assert all(len(part.meetings) <= size for part in split)
    recorded = desk._syncing.record("advice", listing, authoritative=True)
    assert (recorded.meetings, recorded.assets, recorded.new) == (7, 18, 18)
    assert (desk.totals().meetings, desk.totals().assets) == (9, 18)
    assert [view.text for view in desk.catchup_history("advice", "room")] == ["said"]


async def test_a_long_sync_gathers_no_names(it: World, desk: Desk) -> None:
    for number in range(9):
        it.emulator.add_archive(f"a{number}", blob=Blob(10))
    it.emulator.envelope, it.emulator.page_size = "data", 2
    sums: list[Recorded] = []
    add = Recorded.__add__

    def noted(one: Recorded, other: Recorded) -> Recorded:
        sums.append(add(one, other))
        return sums[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Recorded, "__add__", noted)
        report = await desk.sync("advice")
    assert (report.meetings, report.new) == (9, 9)
    long = [each for each in sums if each.meetings > 2]
    assert long
    assert all(each.became_available == () for each in long)


def test_nothing_is_a_part_too() -> None:
    assert list(syncing.parts(Listing(), 9)) == [Listing()]
