"""The Provider for Cronofy Meeting Agents. There is no list of agents: they come by webhooks (`read_delivery`)."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from providers.base import AccountSettings, BadAnswer, NotFound, NotTrusted, Opener, Provider, SecretSource, Source
from providers.cronofy import INFO, webhook, wire
from providers.http import Http
from providers.messages import REDIRECTS, Answer, Request
from providers.models import Announcement, Asset, AssetId, AssetKind, Delivery, Listing
from providers.origin import Origin
from providers.secret import Secret
from providers.steps import Checked

_DETAILS_LIMIT = 256 * 1024  # the JSON beside a redirect is a few hundred bytes


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Cronofy(Provider):
    """One Cronofy application. `now` gives the time for Retry-After dates."""

    info = INFO

    def __init__(
        self, settings: AccountSettings, secrets: SecretSource, now: Callable[[], datetime] = _utc_now
    ) -> None:
        super().__init__(settings)
        self._secrets = secrets
        self._now = now
        self._base = wire.base_url(settings.options)
        origins = wire.own_origins(self._base, settings.options.get("resource_hosts"))
        self._own = frozenset(origins)
        self._http = Http(settings, origins, self._credential)

    def _key(self) -> Secret:
        return self._require(self._secrets("api_key"), "api_key")

    def _credential(self) -> Mapping[str, Secret]:
        return {"Authorization": Secret(f"Bearer {self._key().reveal()}")}

    @property
    def opener(self) -> Opener:
        """Opens resource addresses with the key, and presigned ones without."""
        return self._http

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _call(self, request: Request, subject: str) -> Answer:
        answer = await self._http.send(request)
        wire.raise_for(answer, self._now(), subject)
        return answer

    async def check(self) -> str:
        """Send an order without a meeting to join, and say what its refusal tells. See `wire.check_request`."""
        host = Origin.of(self._base)
        answer = await self._http.send(wire.check_request(self._base))
        if answer.status == 422:
            return Checked(
                f"{host} answers and takes the API key: it refused an empty order for its content (HTTP 422), not for "
                "the key. Assumed: it judges the key first. Not checked: webhooks and downloads",
                unchecked="webhooks and downloads",
            )
        wire.raise_for(answer, self._now(), "meeting agents")
        raise BadAnswer(
            f"{host} accepts an empty order (HTTP {answer.status}), as Cronofy would not; is base_url right?"
        )

    def adopt(self, identity: AssetId) -> Listing:
        """Raise NotFound: an agent's resources have addresses that only a webhook tells."""
        raise NotFound(
            f"{identity} is not known here, and Cronofy cannot be asked: its webhooks announce agents; "
            f"`reeldesk ingest {self.account} FILE` reads one that was saved"
        )

    async def locate(self, asset: Asset) -> Source:
        """Ask the resource's address for its presigned link (page: Resource download). The link is never kept.

        The address gets the API key only when its origin is the account's: raises NotTrusted otherwise.
        """
        if asset.kind is AssetKind.DASHBOARD:
            raise self._unsupported("file for a dashboard: it is a link for a browser")
        url = asset.locator.get("url", "")
        if Origin.of(url) not in self._own:
            raise NotTrusted(
                asset.warning or "the resource's address is not this account's, so the API key is not sent there"
            )
        async with self._http.open(url, {}) as body:
            # A body that is no redirect's and no JSON may be the file itself: it is left unread.
            direct = body.status == 200 and "json" not in body.headers.get("content-type", "").lower()
            content = b"" if direct else await _beginning(body.chunks())
            status, headers = body.status, body.headers
        if status in REDIRECTS or (status == 200 and wire.download_url(content)):
            found = wire.read_location(status, headers, content, url)
            return Source(found, partial(wire.judge_store, asset.kind, self._now()))
        wire.raise_for(Answer(status, headers, content), self._now(), f"the {asset.kind} of {asset.meeting_id}")
        return Source(url, partial(wire.judge_direct, asset.kind, self._now()))

    def read_delivery(self, delivery: Delivery, *, trusted: bool = False) -> Announcement:
        """Verify a webhook by the API key, or by the other one during a rotation, and read it.

        Raises NotAuthentic, Unreadable, MissingSecret.
        """
        if trusted:
            return webhook.read_trusted(delivery, self._own)
        other = self._secrets("other_api_key")
        return webhook.read(delivery, (self._key(), other) if other else (self._key(),), self._own)

    async def dispatch_agent(self, join_url: str, *, attendee: str = "", callback_url: str = "") -> Listing:
        """Send an agent to a meeting now. Cronofy wants the attendee on whose behalf it joins (newer doc)."""
        request = wire.dispatch_request(self._base, join_url, attendee, callback_url)
        answer = await self._call(request, "the agent")
        return wire.read_dispatched(answer, "dispatched from here", self._own)

    async def schedule_agent(
        self, join_url: str, key: str, join_at: datetime, *, attendee: str = "", callback_url: str = ""
    ) -> None:
        """Have an agent join at `join_at` (aware). What becomes of it comes by webhook alone."""
        request = wire.schedule_request(self._base, join_url, key, join_at, attendee, callback_url)
        await self._call(request, "the scheduled agent")

    async def cancel_agent(self, key: str) -> None:
        """Cancel a scheduled agent. Cronofy accepts (202) this also for one that has begun to join, which stays."""
        await self._call(wire.cancel_request(self._base, key), "the cancellation")


async def _beginning(chunks: AsyncIterator[bytes]) -> bytes:
    content = b""
    async for chunk in chunks:
        content += chunk
        if len(content) > _DETAILS_LIMIT:
            break
    return content
