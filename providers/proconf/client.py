"""ProCONF's catch-ups: the wire calls over HTTP, for the rooms that the account names."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from providers.base import (
    AccountSettings,
    Gone,
    NotFound,
    NotTrusted,
    Opener,
    Provider,
    ProviderError,
    RateLimited,
    Refused,
    SecretSource,
    Source,
    Unauthorized,
    Unreachable,
)
from providers.catchup_page import check_room
from providers.http import Http
from providers.models import Asset, AssetId, AssetKind, Catchup, Listing
from providers.origin import Origin
from providers.proconf import INFO, wire
from providers.secret import Secret
from providers.steps import Checked

_UNREACHABLE_ENOUGH = 2
"""Rooms in a row after which it is the service that cannot be reached, and not one slow summary."""


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class ProconfProvider(Provider):
    """An account at ProCONF: the catch-ups of its rooms."""

    info = INFO

    def __init__(self, settings: AccountSettings, secrets: SecretSource, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(settings)
        self._secrets = secrets
        self._now = now
        self._base: str = settings.options["base_url"]
        self._endpoint: str = settings.options["endpoint"]
        origin = Origin.of(self._base)
        if origin is None:
            raise Refused(f"base_url of account {settings.name} is no http(s) address")
        self._http = Http(settings, (origin,), self._credential)

    @property
    def opener(self) -> Opener:
        """Opens a catch-up's address."""
        return self._http

    def _credential(self) -> Mapping[str, Secret]:
        auth = self.settings.options["auth"]
        if auth == "none":
            return {}
        token = self._require(self._secrets("token"), "token")
        return {self.settings.options["header"]: Secret(f"Bearer {token.reveal()}") if auth == "bearer" else token}

    async def check(self) -> str:
        """Ask for the meetings that ended: the one documented call that needs no room."""
        wire.read_envelope(
            await self._http.send(wire.meetings_request(self._base)), "the list of meetings", self._now()
        )
        rooms = len(self.settings.options["rooms"])
        return Checked(
            f"the service answers; {rooms or 'no'} room{'' if rooms == 1 else 's'} to look at",
            unchecked="catch-ups of rooms (`reeldesk catchup ROOM` asks for one)",
        )

    async def listing(self) -> AsyncIterator[Listing]:
        """The catch-up of every configured room, as each answers; those that could not be had come last.

        One room's failure is told in its asset. Raises when it is the account's: the credential is refused, the
        service cannot be reached, or no room had an answer.
        """
        answered, faults = False, dict[str, ProviderError]()
        for room in self.settings.options["rooms"]:
            try:
                learned = wire.learned(await self.catchup(room))
            except (Unauthorized, NotTrusted, RateLimited):
                raise
            except ProviderError as error:
                faults[room] = error
                answered |= isinstance(error, NotFound | Gone)
                unreachable = sum(isinstance(fault, Unreachable) for fault in faults.values())
                if not answered and unreachable >= _UNREACHABLE_ENOUGH:
                    raise
                continue
            answered = True
            yield learned
        if faults and not answered:
            raise next(iter(faults.values()))
        for room, fault in faults.items():
            yield wire.failed(room, fault)

    async def catchup(self, room: str) -> Catchup:
        """The summary of the call running in a room; `text` is "" where there is nothing yet."""
        request = wire.catchup_request(self._base, self._endpoint, room)
        return wire.parse_catchup(await self._http.send(request), room, self._now())

    def adopt(self, identity: AssetId) -> Listing:
        """A room given by hand: the service lists none, so any name may be one."""
        if identity.kind is not AssetKind.CATCHUP or identity.variant:
            raise NotFound(f"{identity} is not known here: a ProCONF room has a catchup and nothing else")
        check_room(identity.meeting)
        return wire.adopted(identity.meeting)

    async def locate(self, asset: Asset) -> Source:
        """The room's catch-up as it is answered now; it changes from call to call, so a part cannot be resumed."""
        room = asset.locator.get("room", asset.meeting_id)
        request = wire.catchup_request(self._base, self._endpoint, room)
        judge = partial(wire.judge, room=room, now=self._now())
        return Source(request.url, judge, request.headers, resumable=False)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()
