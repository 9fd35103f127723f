"""The client of a flexperto tenant."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from providers.base import (
    UNWATCHED,
    AccountSettings,
    BadAnswer,
    NotFound,
    NotReady,
    Opener,
    Provider,
    ProviderError,
    Refused,
    ReleaseSteps,
    SecretSource,
    Source,
)
from providers.flexperto import INFO, subscription, webhook, wire
from providers.flexperto.paging import Page, Walk, read_page
from providers.flexperto.wire import Family
from providers.http import Http
from providers.messages import Answer, Request
from providers.models import (
    Announcement,
    Asset,
    Delivery,
    DeliveryReport,
    Listing,
    RemoteState,
    Subscription,
)
from providers.origin import Origin
from providers.secret import Secret
from providers.steps import Checked


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FlexpertoClient(Provider):
    """One tenant, as one of its administrators.

    With `paths = "auto"` the first list (of archives, of subscriptions) finds out which family of paths is served;
    the two kinds are found out apart, since tenants mix them. Nothing is abandoned before that is known.
    """

    info = INFO

    def __init__(
        self, settings: AccountSettings, secrets: SecretSource, *, now: Callable[[], datetime] = _utc_now
    ) -> None:
        super().__init__(settings)
        self._secrets = secrets
        self._now = now
        self._base = wire.api_base(settings.options["base_url"])
        origin = Origin.of(self._base)
        assert origin is not None  # api_base refuses what has none
        self._stay = timedelta(days=settings.options["abandon_days"])
        paths = settings.options["paths"]
        self._archive_paths = None if paths == "auto" else Family(paths)
        self._subscription_paths = self._archive_paths
        self._http = Http(settings, (origin,), self._authorize)

    @property
    def opener(self) -> Opener:
        """Opens the tenant's downloads."""
        return self._http

    def _authorize(self) -> dict[str, Secret]:
        return {"api-key": self._require(self._secrets("api_key"), "api_key")}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def check(self) -> str:
        """Ask for the list's first page, the only documented call that needs no id; administrators alone may (doc)."""
        _, page = await self._first_page()
        count = page.total if page.total is not None else len(page.archive_ids)
        return Checked(
            f"the tenant answers on its {self._archive_paths} paths and lists {count} archives",
            rights="it lists archives, which only administrators of the tenant may",
            unchecked="downloads, abandoning, and webhook subscriptions, whose paths may be of the other family",
        )

    async def listing(self) -> AsyncIterator[Listing]:
        """Every archive of the tenant, in whatever state, page by page.

        Raises BadAnswer after the last page when the list was not whole or had records that cannot be read.
        """
        url, page = await self._first_page()
        walk = Walk(url)
        while True:
            yield page.listing
            following = walk.after(page)
            if following is None:
                break
            answer = self._ok(await self._http.send(Request("GET", following)), "the list of archives")
            page = read_page(answer, self._stay)
        if walk.complaint:
            raise BadAnswer(walk.complaint)

    async def _first_page(self) -> tuple[str, Page]:
        """The address and content of the list's first page; settles which family of paths archives have."""
        family, answer = await self._served(self._archive_paths, lambda one: wire.list_request(self._base, one))
        page = read_page(self._ok(answer, "the list of archives (see base_url and paths)"), self._stay)
        self._archive_paths = family
        return wire.list_request(self._base, family).url, page

    async def look_up(self, hint: str) -> Listing:
        """The record of the archive with this id, as the service has it now."""
        answer = await self._http.send(wire.record_request(self._base, hint))
        return wire.read_record(self._ok(answer, f"archive {hint}"), hint, self._stay)

    async def locate(self, asset: Asset) -> Source:
        """The archive's download address. Raises NotFound without an archive id, Gone by the answer of the service."""
        archive_id = _archive_id(asset)
        return Source(
            url=wire.download_url(self._base, archive_id),
            judge=wire.judge_download(archive_id, self._now),
            size=asset.size,
            checksum=asset.checksum,
        )

    async def release(self, asset: Asset, steps: ReleaseSteps = UNWATCHED) -> Listing:
        """Abandon the archive, and read its record again. The service deletes it three days later.

        The record is read before as well: it must still be available, of the same conference and with the same
        checksum. One that is abandoned or expired already is not abandoned twice. Raises Refused and NotReady.
        """
        archive_id = _archive_id(asset)
        conference_id = asset.locator.get("conference_id", "")
        if self._archive_paths is None:
            await self._first_page()
        family = self._archive_paths
        assert family is not None  # _first_page settles it or raises
        request = wire.abandon_request(self._base, family, archive_id=archive_id, conference_id=conference_id)
        before = await self.look_up(archive_id)
        if not _may_abandon(before.assets[0], asset):
            return before
        subject = f"abandoning conference {conference_id}" if family is Family.CURRENT else f"abandoning {archive_id}"
        await steps.sending()
        answer = self._ok(await self._http.send(request), subject)
        await steps.answered(f"HTTP {answer.status} to {request.method} {urlsplit(request.url).path}")
        return await self.look_up(archive_id)

    async def record_of(self, asset: Asset) -> Listing:
        """The archive's record as the tenant has it now."""
        return await self.look_up(_archive_id(asset))

    def read_delivery(self, delivery: Delivery, *, trusted: bool = False) -> Announcement:
        """Read a webhook. There is nothing to authenticate in it, so `trusted` changes nothing."""
        return webhook.read(delivery)

    async def subscribe(self, topic: str, url: str) -> Subscription:
        """Register a webhook. Raises Refused for a misspelt topic or an address without TLS."""
        subscription.check_subscription(self._base, topic, url)
        family, answer = await self._served(
            self._subscription_paths, lambda one: subscription.subscribe_request(self._base, one, topic, url)
        )
        self._ok(answer, "registering the webhook")
        self._subscription_paths = family
        created = subscription.read_created(answer, topic, url, self._hook_secret())
        if created.id:
            return created
        known = await self._subscriptions_if_listed()
        return next((one for one in reversed(known) if one.topic == topic and one.leads_to(url)), created)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """The registered webhooks; secrets in their addresses are masked."""
        family, answer = await self._served(
            self._subscription_paths, lambda one: subscription.collection_request(self._base, one)
        )
        found = subscription.read_subscriptions(self._ok(answer, "the list of subscriptions"), self._hook_secret())
        self._subscription_paths = family
        return found

    async def unsubscribe(self, subscription_id: str) -> None:
        """Delete a registered webhook. Deliveries under way may still come, up to three times."""
        request = subscription.delete_request(self._base, await self._subscription_family(), subscription_id)
        self._ok(await self._http.send(request), f"deleting subscription {subscription_id}")

    async def delivery_reports(self, subscription_id: str) -> tuple[DeliveryReport, ...]:
        """The latest 50 delivery attempts of a subscription, newest first."""
        request = subscription.reports_request(self._base, await self._subscription_family(), subscription_id)
        answer = self._ok(await self._http.send(request), f"the reports of subscription {subscription_id}")
        return subscription.read_reports(answer, self._hook_secret())

    async def _served(self, known: Family | None, build: Callable[[Family], Request]) -> tuple[Family, Answer]:
        """Send on the known family's path; else on the current one's and, when that is not found, on the legacy one's.

        For requests without a remote id only, since there a 404 can mean nothing but a missing path.
        """
        if known is not None:
            return known, await self._http.send(build(known))
        answer = await self._http.send(build(Family.CURRENT))
        if answer.status != 404:
            return Family.CURRENT, answer
        return Family.LEGACY, await self._http.send(build(Family.LEGACY))

    async def _subscription_family(self) -> Family:
        """The family that subscriptions have; the current one, with its documented reports, if it stays unknown."""
        if self._subscription_paths is None:
            await self._subscriptions_if_listed()
        return self._subscription_paths or Family.CURRENT

    async def _subscriptions_if_listed(self) -> tuple[Subscription, ...]:
        """The registered webhooks; none where the service does not list them (listing is not documented)."""
        try:
            return await self.subscriptions()
        except (NotFound, Refused, BadAnswer):
            return ()

    def _hook_secret(self) -> str:
        secret = self._secrets("hook_secret")
        return secret.reveal() if secret else ""

    def _ok(self, answer: Answer, subject: str) -> Answer:
        return wire.require_ok(answer, subject, self._now())


def _archive_id(asset: Asset) -> str:
    archive_id = asset.locator.get("archive_id", "")
    if not archive_id:
        raise NotFound("it is not known which archive this is; sync the account first")
    return archive_id


def _may_abandon(now: Asset, asked: Asset) -> bool:
    """Whether to abandon; False when that has happened already. Raises what stands against it."""
    refusal: ProviderError | None = None
    conference_id = now.locator.get("conference_id", "")
    if conference_id and conference_id != asked.locator.get("conference_id"):
        refusal = Refused("the archive's record names another conference than before; sync and look at it again")
    elif now.checksum and asked.checksum and now.checksum.value != asked.checksum.value:
        refusal = Refused(
            "the archive has changed at the service since it was seen; fetch it again before releasing it"
        )
    elif now.state in (RemoteState.ABANDONED, RemoteState.EXPIRED):
        return False
    elif now.state is RemoteState.FAILED:
        refusal = Refused("the service failed to make this archive; there is nothing to release")
    elif now.state is not RemoteState.AVAILABLE:
        refusal = NotReady(f"the archive is still being made ({now.provider_state or 'no status'})")
    if refusal:
        raise refusal
    return True
