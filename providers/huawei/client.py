"""The Provider for a Huawei AICC CC-Gateway: recordings come by events, files by their ids."""

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime

from providers.base import (
    AccountSettings,
    Body,
    Head,
    OpenBody,
    Opener,
    Provider,
    SecretSource,
    SessionLost,
    Source,
    Unsupported,
)
from providers.huawei import INFO, events, wire
from providers.huawei.session import Rhythm, Session
from providers.models import Asset, AssetId, AssetKind, Listing
from providers.steps import Checked


class Huawei(Provider):
    """One agent at one CC-Gateway. See `Session` for signing in and out."""

    info = INFO

    def __init__(self, settings: AccountSettings, secrets: SecretSource, rhythm: Rhythm | None = None) -> None:
        super().__init__(settings)
        options = settings.options
        self._gateway = wire.Gateway.of(str(options["base_url"]), str(options["agent_id"]))
        self._session = Session(settings, secrets, self._gateway, self._hand_on, rhythm or Rhythm())

    def _hand_on(self, listing: Listing) -> None:
        self.news(listing)

    @property
    def opener(self) -> Opener:
        """Opens files; the session counts as in use while one is open."""
        return _Opener(self._session)

    async def check(self) -> str:
        """Sign in and out again, or use the pasted Guid, and say what works."""
        return Checked(await self._session.try_out(), unchecked="events and downloads")

    async def aclose(self) -> None:
        """Sign out where this client signed in, and close connections."""
        await self._session.aclose()

    async def listing(self) -> AsyncGenerator[Listing, None]:
        """Sign in and give what the waiting events tell, until none waits (the last poll takes 10 s at the gateway).

        Nothing with a pasted Guid: reading events would take them from the session's owner.
        """
        if self._session.pasted() is not None:
            return
        with self._session.listen() as heard:
            await self._session.ensure()
            while True:
                item = await heard.get()
                if item.error is not None:
                    raise item.error
                if item.nothing:
                    return
                yield item.listing

    async def watch(self) -> AsyncGenerator[Listing, None]:
        """Sign in and give what events tell, until cancelled. Raises SessionLost when the agent is signed out."""
        if self._session.pasted() is not None:
            raise Unsupported("watching needs a sign-in with the password: a pasted Guid's events are its owner's")
        with self._session.listen() as heard:
            await self._session.ensure()
            while True:
                item = await heard.get()
                if item.error is not None and item.final:
                    raise item.error
                if item.listing != Listing():
                    yield item.listing

    def adopt(self, identity: AssetId) -> Listing:
        """The call and its file for ids given by hand. Raises NotFound for ids that cannot be any."""
        return events.adopt(identity, str(self.settings.options["download"]))

    async def locate(self, asset: Asset) -> Source:
        """The file's address, with a session that holds. The credential is added when it is opened."""
        url = self._gateway.file_url(asset.locator)
        await self._session.ensure()
        guid = self._session.current()

        def judge(head: Head) -> None:
            try:
                wire.judge(head, datetime.now(UTC))
            except SessionLost:
                self._session.doubt(guid)
                raise

        audio = asset.kind is AssetKind.AUDIO
        limit = wire.AUDIO_ADVISED_LIMIT if audio else wire.VIDEO_ADVISED_LIMIT
        return Source(url, judge, self._gateway.file_headers, advised_limit=limit)


class _Opener:
    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, url: str, headers: Mapping[str, str]) -> OpenBody:
        return _InUse(self._session, self._session.http.open(url, headers))


class _InUse:
    """An opened file that keeps the session in use until it is closed."""

    def __init__(self, session: Session, inner: OpenBody) -> None:
        self._inner = inner
        self._use = session.in_use()

    async def __aenter__(self) -> Body:
        self._use.__enter__()
        try:
            return await self._inner.__aenter__()
        except BaseException:
            self._use.__exit__(None, None, None)
            raise

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._inner.__aexit__(*exc)
        finally:
            self._use.__exit__(None, None, None)
