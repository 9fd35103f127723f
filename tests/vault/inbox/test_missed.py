"""What polling found that no webhook announced, and the likely reason."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from providers import registry
from providers.emulation import Loopback
from providers.models import DeliveryReport, Subscription
from tests.vault.inbox.tenant import AVAILABLE, CLOSE, MISSPELT, OLD, Tenant, tenant
from tests.vault.world import ACCOUNT, archive
from vault.desk import Desk
from vault.inbox.missed import Known, likely_reason
from vault.inbox.views import Missed, SubscriptionView
from vault.views import Unannounced

FOUND = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ASSETS = (Unannounced("advice/c/archive.a", "Talk", FOUND),)
INFO = registry.info("flexperto")


@pytest.fixture
def it(net: Loopback, tmp_path: Path) -> Tenant:
    return tenant(net, tmp_path)


async def miss(it: Tenant, desk: Desk) -> None:
    """Polling finds an archive, and no webhook comes."""
    await desk.sync(ACCOUNT)
    it.emulator.add_archive("a", title="Talk")
    await desk.sync(ACCOUNT)


async def missed(it: Tenant, desk: Desk) -> Missed:
    await miss(it, desk)
    assert await desk.webhooks.missing.missed(ACCOUNT) == Missed(ACCOUNT, (), ""), "a webhook may still come"
    it.clock.skip(61)
    found = await desk.webhooks.missing.missed(ACCOUNT)
    assert [asset.identity for asset in found.assets] == [str(archive("a"))]
    assert OLD not in repr(found)
    return found


async def test_nothing_was_missed_and_nobody_is_asked(it: Tenant) -> None:
    async with it.desk() as desk:
        it.emulator.add_archive("a")
        await desk.sync(ACCOUNT)
        it.clock.skip(61)
        assert await desk.webhooks.missing.missed(ACCOUNT) == Missed(ACCOUNT, (), "")
    assert it.emulator.calls("GET") == []


async def test_never_registered(it: Tenant) -> None:
    it.register(CLOSE)
    async with it.desk() as desk:
        assert (await missed(it, desk)).reason == f"no webhook is registered for {AVAILABLE}"


async def test_the_misspelt_topic(it: Tenant) -> None:
    it.emulator.subscribe(MISSPELT, it.old_address())
    async with it.desk() as desk:
        reason = (await missed(it, desk)).reason
    assert reason == f"registered for the misspelt topic {MISSPELT}, which never fires: register {AVAILABLE}"


async def test_another_address(it: Tenant) -> None:
    it.emulator.subscribe(AVAILABLE, "https://elsewhere.example/hooks/advice/" + OLD)
    async with it.desk() as desk:
        reason = (await missed(it, desk)).reason
    assert reason.startswith(f"the webhook for {AVAILABLE} is registered for another address than this receiver's")
    assert "https://elsewhere.example/" in reason


async def test_a_secret_that_was_replaced(it: Tenant) -> None:
    it.register(token="another-secret-that-is-long-enough")
    async with it.desk() as desk:
        assert "this receiver, with another secret than the one in use" in (await missed(it, desk)).reason


async def test_failed_deliveries(it: Tenant) -> None:
    identity = it.register()
    for attempt in (1, 2, 3, 4):
        it.emulator.report(identity, 503, attempt)
    async with it.desk() as desk:
        reason = (await missed(it, desk)).reason
    assert reason.startswith("delivery failed: 4 of 4 attempts that the service reports, last 20")
    assert "HTTP 503" in reason


async def test_delivered_and_lost_here(it: Tenant) -> None:
    it.emulator.report(it.register(), 204)
    async with it.desk() as desk:
        reason = (await missed(it, desk)).reason
    assert reason == "registered, and delivered by the service's reports: it was lost or turned away here"


async def test_registered_and_nothing_attempted(it: Tenant) -> None:
    it.register()
    async with it.desk() as desk:
        reason = (await missed(it, desk)).reason
    assert reason == "registered, but the service reports no attempt: perhaps it was registered only afterwards"


async def test_reports_that_are_not_to_be_had(it: Tenant) -> None:
    it.register()
    it.emulator.refuse = lambda call: 404 if call.endswith("/reports") else None
    async with it.desk() as desk:
        assert "how deliveries went is not known: " in (await missed(it, desk)).reason


@pytest.mark.parametrize(("status", "why"), [(404, "does not tell which webhooks"), (503, "503"), (401, "401")])
async def test_a_service_that_does_not_tell(it: Tenant, status: int, why: str) -> None:
    it.register()
    it.emulator.refuse = lambda call: status if "subscriptions" in call else None
    async with it.desk() as desk:
        reason = (await missed(it, desk)).reason
    assert reason.startswith("why is not known: ")
    assert why in reason


async def test_one_that_was_announced_later_is_missed_no_more(it: Tenant) -> None:
    async with it.desk() as desk:
        await missed(it, desk)
        for delivery in it.emulator.deliveries_for("a"):
            await desk.take_in(ACCOUNT, delivery)
        assert await desk.webhooks.missing.missed(ACCOUNT) == Missed(ACCOUNT, (), "")


async def test_accounts_without_a_list_or_without_webhooks(it: Tenant) -> None:
    it.more = (
        '[accounts.agents]\nprovider = "cronofy"\n[accounts.standup]\nprovider = "proconf"\nbase_url = "https://p"'
    )
    async with it.desk() as desk:
        for account in ("agents", "standup"):
            assert await desk.webhooks.missing.missed(account) == Missed(account, (), "")


async def test_at_most_a_hundred_newest_first(it: Tenant) -> None:
    async with it.desk() as desk:
        await desk.sync(ACCOUNT)
        for number in range(120):
            it.emulator.add_archive(f"a{number}")
        await desk.sync(ACCOUNT)
        it.clock.skip(600)
        it.emulator.add_archive("newest")
        await desk.sync(ACCOUNT)
        it.clock.skip(61)
        found = (await desk.webhooks.missing.missed(ACCOUNT)).assets
    assert len(found) == 100
    assert found[0].identity == str(archive("newest"))


# The reason alone


def registered(topic: str = AVAILABLE, ours: bool | None = True, url: str = "https://h/…") -> SubscriptionView:
    warning = "the topic is misspelt" if topic == MISSPELT else ""
    return SubscriptionView(ACCOUNT, Subscription("1", topic, url, warning), ours, "elsewhere")


def report(minutes: int | None, delivered: bool | None) -> DeliveryReport:
    at = "" if minutes is None else (FOUND + timedelta(minutes=minutes)).isoformat()
    return DeliveryReport(at, "HTTP 503", delivered=delivered)


def because(*views: SubscriptionView, reports: tuple[DeliveryReport, ...] = (), silent: str = "") -> str:
    return likely_reason(INFO, Known(views, reports=reports, silent=silent), ASSETS)


def test_nothing_missed_needs_no_reason() -> None:
    assert likely_reason(INFO, Known(trouble="down"), ()) == ""


def test_ours_outranks_the_others() -> None:
    others = (registered(ours=False), registered(MISSPELT), registered(CLOSE))
    assert "no attempt" in because(*others, registered())
    assert "another" not in because(*others, registered())


def test_where_it_leads_is_not_told() -> None:
    assert because(registered(ours=None, url="")).startswith("it cannot be told whether the webhook registered for")
    assert "an address that is not told" in because(registered(ours=None, url=""))


def test_the_right_topic_elsewhere_outranks_the_misspelt_one() -> None:
    assert "is registered for elsewhere" in because(registered(MISSPELT), registered(ours=False))


@pytest.mark.parametrize(
    ("reports", "reason"),
    [
        ([(-1, False), (-5, True)], "delivery failed: 1 of 2 attempts"),
        ([(-1, True), (-5, False)], "delivery failed: 1 of 2 attempts"),
        ([(None, False)], "delivery failed: 1 of 1 attempts that the service reports: HTTP 503"),
        ([(5, False), (-1, True)], "lost or turned away here"),
        ([(5, False), (6, True)], "are all later"),
        ([(-1, None)], "do not say whether they were delivered"),
        ([(-1, None), (-2, True)], "lost or turned away here"),
    ],
)
def test_what_reports_say(reports: list[tuple[int | None, bool | None]], reason: str) -> None:
    assert reason in because(registered(), reports=tuple(report(*one) for one in reports))


@pytest.mark.parametrize("at", ["yesterday", "1772625600", "2026-03-04T11:59:00", "2026-03-04T11:59:00.123Z"])
def test_times_however_they_are_written(at: str) -> None:
    failed = DeliveryReport(at, "HTTP 503", delivered=False)
    assert f"last {at}: HTTP 503" in because(registered(), reports=(failed,))
