"""Temasys' recording notifications: the wire calls over HTTP, signed in as the account says."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from providers.base import AccountSettings, NotFound, Opener, Provider, Refused, SecretSource, Source
from providers.http import Http
from providers.messages import Answer, Request
from providers.models import (
    Announcement,
    Asset,
    AssetId,
    Delivery,
    Listing,
    NotificationChange,
    NotificationSettings,
)
from providers.origin import Origin
from providers.secret import Secret
from providers.steps import Checked
from providers.temasys import INFO, webhook, wire


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class TemasysProvider(Provider):
    """An account at Temasys: its notification settings, the callbacks it sends, and the recordings they link to."""

    info = INFO

    def __init__(self, settings: AccountSettings, secrets: SecretSource, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(settings)
        self._secrets = secrets
        self._now = now
        self._base: str = settings.options["base_url"]
        self._auth: str = settings.options["auth"]
        origin = Origin.of(self._base)
        if origin is None:
            raise Refused(f"base_url of account {settings.name} is no http(s) address")
        self._http = Http(settings, (origin,), self._credential, keep_cookies=self._auth == "login")
        # Links come from callbacks that anybody may have sent: they are opened without the account's credential,
        # even where one leads to the account's own origin.
        self._files = Http(settings, (origin,), dict)
        self._signing_in = asyncio.Lock()
        self._sign_ins = 0

    @property
    def opener(self) -> Opener:
        """Opens the links to recordings; it knows no credential."""
        return self._files

    def _credential(self) -> Mapping[str, Secret]:
        if self._auth == "cookie":
            return {"Cookie": self._require(self._secrets("cookie"), "cookie")}
        if self._auth == "header":
            return {self.settings.options["header"]: self._require(self._secrets("token"), "token")}
        return {}

    async def _sign_in(self, seen: int) -> None:
        """Sign in, unless somebody has since the caller saw `seen` sign-ins."""
        async with self._signing_in:
            if self._sign_ins != seen:
                return
            username, path = self.settings.options["username"], self.settings.options["login_path"]
            password = self._require(self._secrets("password"), "password")
            if not username:
                raise Refused(f'account {self.account} has auth = "login" but no username: set it in the configuration')
            answer = await self._http.send(wire.login_request(self._base, path, username, password))
            wire.check_login(answer, path, self._now(), (password,))
            self._sign_ins += 1

    async def _send(self, request: Request) -> Answer:
        """Send signed in; once more when the session ran out meanwhile."""
        if self._auth != "login":
            return await self._http.send(request)
        if not self._sign_ins:
            await self._sign_in(0)
        seen = self._sign_ins
        answer = await self._http.send(request)
        if wire.is_unauthorized(answer):
            await self._sign_in(seen)
            answer = await self._http.send(request)
        return answer

    async def _read(self) -> wire.Stored:
        return wire.parse_settings(await self._send(wire.read_request(self._base)), self._now())

    async def check(self) -> str:
        """Read the settings."""
        settings = await self.notifications()
        rest = "callbacks, links to recordings, and saving the notifications"
        if not settings.exists:
            return Checked("the service answers; no recording notifications are set yet", unchecked=rest)
        user = f" of {settings.username}" if settings.username else ""
        # Only the host: the rest of the address may hold this machine's hook secret.
        target = Origin.of(settings.url)
        to = f", called back at {target.netloc}" if target else ", no callback address is set"
        state = "on" if settings.notify else "off"
        return Checked(f"the service answers; recording notifications{user} are {state}{to}", unchecked=rest)

    async def notifications(self) -> NotificationSettings:
        """The recording notifications as set at the service."""
        return (await self._read()).settings

    async def save_notifications(self, change: NotificationChange) -> NotificationSettings:
        """Read, then create or update, and give what the service now says.

        Raises Refused in words before anything is sent when the S3 trio cannot be sent whole, and after it when the
        service kept what was to be emptied.
        """
        stored = await self._read()
        whole = wire.completed(change, stored)
        hidden = (whole.s3_secret_access_key,) if whole.s3_secret_access_key else ()
        request = wire.save_request(self._base, whole, exists=stored.settings.exists)
        saved = wire.parse_saved(await self._send(request), self._now(), hidden)
        settings = saved.settings if saved else await self.notifications()
        wire.check_cleared(change, settings)
        return settings

    def preview_notifications(self, change: NotificationChange, *, exists: bool) -> str:
        """Method, path and JSON body of what would be sent; the secret masked."""
        return wire.preview(change, exists=exists)

    def read_delivery(self, delivery: Delivery, *, trusted: bool = False) -> Announcement:
        """Read a callback; with the secret `api_key`, only one that names this app key (unless `trusted`)."""
        return webhook.read(delivery, None if trusted else self._secrets("api_key"))

    def adopt(self, identity: AssetId) -> Listing:
        """Raise NotFound: a recording without its callback has no link."""
        raise NotFound(
            f"{identity} is not known here: Temasys announces recordings by callback only; "
            f"`reeldesk ingest {identity.account} FILE` takes one in"
        )

    async def locate(self, asset: Asset) -> Source:
        """The link that the callback brought, if it leads where the account allows."""
        link = asset.sealed_link
        if link is None:
            raise NotFound(
                asset.error
                or "the link to this recording came with its callback and is not kept here; the service cannot be "
                "asked for another: `reeldesk ingest` a saved callback, or look in its console"
            )
        wire.check_host(link, self._base, self.settings.options["download_hosts"])
        return Source(link.reveal(), partial(wire.judge, now=self._now()))

    async def aclose(self) -> None:
        """Close connections. A way to sign out is not documented."""
        await self._http.aclose()
        await self._files.aclose()
