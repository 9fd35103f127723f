"""One agent's session at the gateway: the only owner of its Guid, of its sign-in, its polls and its sign-out.

The gateway rotates the Guid in the answers to event polls, and signs an agent out that sent nothing for two minutes
(cec_07_0005, cec_05_4012). So one task polls from sign-in to sign-out, also while a file is downloaded.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from msgspec import Struct, field

from providers.base import (
    AccountSettings,
    MissingSecret,
    NotFound,
    ProviderError,
    Refused,
    SecretSource,
    SessionLost,
    Unauthorized,
)
from providers.http import Http
from providers.huawei import wire
from providers.huawei.events import EventReader
from providers.models import Listing
from providers.secret import Secret


class Rhythm(Struct, frozen=True):
    """How often what happens, in seconds."""

    pause_s: float = 0.3
    """Between an answer and the next poll (documented: 0.2 to 0.5)."""
    retry_s: float = 2.0
    """After a poll that failed."""
    patience_s: float = 120.0
    """So long polls may fail; by then the gateway has signed the agent out (MAXTIME)."""
    idle_s: float = 60.0
    """So long after its last use the seat is given back."""


class Heard(Struct, frozen=True):
    """What a listener hears: a listing, an empty poll (`nothing`), or that a poll failed (`final`: the last one)."""

    listing: Listing = field(default_factory=Listing)
    nothing: bool = False
    error: BaseException | None = None
    final: bool = False


class Session:
    """Signs in when needed and stays in while used. Use it from one event loop only.

    With a pasted Guid the session is somebody else's: it is used as it is, never polled (that would take its owner's
    events) and never signed out. assumption: its owner keeps it alive.
    """

    def __init__(
        self,
        settings: AccountSettings,
        secrets: SecretSource,
        gateway: wire.Gateway,
        news: Callable[[Listing], None],
        rhythm: Rhythm,
    ) -> None:
        self.http = Http(settings, (gateway.origin,), self._credential, keep_cookies=True)
        self.gateway = gateway
        self._account = settings.name
        self._phone = str(settings.options["phone"]).strip()
        self._secrets = secrets
        self._news = news
        self._rhythm = rhythm
        self._reader = EventReader(gateway.agent_id)
        self._gate = asyncio.Lock()
        """Held while signing in or out: neither may begin while the other is unanswered (cec_07_1202)."""
        self._guid: Secret | None = None
        self._doubted: Secret | None = None
        self._poller: asyncio.Task[None] | None = None
        self._entering: set[asyncio.Task[None]] = set()
        self._unsaved: list[Listing] = []
        self._listeners: set[asyncio.Queue[Heard]] = set()
        self._users = 0
        self._last_use = time.monotonic()
        self._closed = False

    def pasted(self) -> Secret | None:
        """The Guid that was pasted instead of a sign-in, read anew each time; None while signed in here."""
        held = self._secrets("guid") if self._guid is None else None
        return None if held is None else wire.guid_of(held.reveal())

    def current(self) -> Secret | None:
        """The Guid to send now."""
        return self.pasted() if self._guid is None else self._guid

    def _credential(self) -> Mapping[str, Secret]:
        guid = self.current()
        return {} if guid is None else {"Guid": guid}

    def doubt(self, guid: Secret | None) -> None:
        """A download was refused while this Guid was in use: the next `ensure` finds out whether it still holds."""
        self._doubted = guid

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While inside, the session is not given back for being idle."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self._last_use = time.monotonic()

    @contextmanager
    def listen(self) -> Iterator["asyncio.Queue[Heard]"]:
        """What the polls bring from now on; the session stays in use meanwhile."""
        queue: asyncio.Queue[Heard] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            with self.in_use():
                yield queue
        finally:
            self._listeners.discard(queue)

    async def ensure(self) -> None:
        """Be signed in with a Guid that holds, and keep it alive. Raises ProviderError.

        A sign-in that is cut off leaves a seat taken with a Guid that nobody knows, so it runs to its end even when
        the caller is cancelled; `aclose` waits for it and signs out.
        """
        task = asyncio.create_task(self._ensure())
        self._entering.add(task)
        task.add_done_callback(self._entered)
        await asyncio.shield(task)

    def _entered(self, task: asyncio.Task[None]) -> None:
        self._entering.discard(task)
        if not task.cancelled():
            task.exception()  # the caller has it, or was cancelled

    async def _ensure(self) -> None:
        async with self._gate:
            if self._closed:
                raise self._is_closed()
            self._last_use = time.monotonic()
            guid = self.current()
            if guid is not None and self._doubted is not None and guid == self._doubted and not await self._holds():
                if self.pasted() is not None:
                    raise Unauthorized(
                        "the gateway no longer accepts the pasted Guid: paste the present one, or remove it to sign in "
                        "with the password",
                        name="guid",
                    )
                await self._stop_polling()
                self._guid = None
            self._doubted = None
            if self.pasted() is None:
                if self._guid is None:
                    await self._sign_in()
                self._start_polling()

    async def _holds(self) -> bool:
        try:
            wire.read_answer(await self.http.send(self.gateway.status()), _now())
        except SessionLost:
            return False
        except (NotFound, Refused):  # a gateway without this interface: nothing speaks against the Guid
            return True
        return True

    async def _sign_in(self) -> wire.SignedIn:
        password = self._secrets("password")
        if password is None:
            raise MissingSecret(self._account, "password")
        if not self._phone:
            raise ProviderError(f"account {self._account} has no `phone` in config.toml; signing in needs it")
        try:
            signed = await self._sign_in_as(wire.VIDEO_AGENT, password)
        except wire.WrongAgentType:
            signed = await self._sign_in_as(wire.PHONE_AGENT, password)
        self._guid = signed.guid
        return signed

    async def _sign_in_as(self, agent_type: int, password: Secret) -> wire.SignedIn:
        answer = await self.http.send(self.gateway.sign_in(self._phone, password, agent_type))
        return wire.read_sign_in(answer, _now())

    async def _sign_out(self) -> None:
        """Forget the Guid and tell the gateway; when that fails, the gateway ends the session by itself."""
        if self._guid is not None:
            try:
                wire.read_answer(await self.http.send(self.gateway.sign_out()), _now())
            except ProviderError:
                pass
            finally:
                self._guid = None

    async def try_out(self) -> str:
        """Sign in and out again, or ask for the agent's state where signed in, and say it in words."""
        async with self._gate:
            agent = f"agent {self.gateway.agent_id}"
            if self.current() is not None:
                wire.read_answer(await self.http.send(self.gateway.status()), _now())
                return f"{agent} is signed in{'' if self.pasted() is None else ' (by the pasted Guid)'}"
            signed = await self._sign_in()
            await self._sign_out()
        return f"{agent} signed in as busy and out again" + (f"; {signed.words}" if signed.words else "")

    async def aclose(self) -> None:
        """Stop polling, sign out where this session signed in, and close connections."""
        async with self._gate:
            self._closed = True
            await self._stop_polling()
            await self._sign_out()
        self._tell(Heard(error=self._is_closed(), final=True))
        await self.http.aclose()

    def _is_closed(self) -> SessionLost:
        return SessionLost(f"account {self._account} is closed")

    def _start_polling(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
            self._poller.add_done_callback(self._ended)

    async def _stop_polling(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])

    def _ended(self, poller: asyncio.Task[None]) -> None:
        if self._poller is poller:
            self._poller = None
        error = None if poller.cancelled() else poller.exception()
        if error is not None:
            self._tell(Heard(error=error, final=True))

    def _tell(self, heard: Heard) -> None:
        for queue in self._listeners:
            queue.put_nowait(heard)

    async def _poll(self) -> None:
        """Keep the session alive and hand on what it brings, until it is lost or idle."""
        failing_since: float | None = None
        while True:
            self._hand_on()
            try:
                poll = wire.read_poll(await self.http.send(self.gateway.poll()), _now())
            except wire.NotSignedIn:
                self._guid = None
                raise
            except ProviderError as error:
                if failing_since is None:
                    failing_since = time.monotonic()
                if time.monotonic() - failing_since >= self._rhythm.patience_s:
                    self._guid = None
                    raise
                self._tell(Heard(error=error))
                await asyncio.sleep(self._rhythm.retry_s)
                continue
            failing_since = None
            self._take(poll)
            if await self._rested():
                return
            # assumption: the pause between polls (cec_07_1274) is for quiet times; what waits is taken at once.
            await asyncio.sleep(0 if poll.events else self._rhythm.pause_s)

    def _take(self, poll: wire.Poll) -> None:
        if poll.guid is not None:
            self._guid = poll.guid
        listing = self._reader.read(poll.events)
        if listing != Listing():
            self._unsaved.append(listing)
            self._hand_on()
        elif not poll.events:
            self._tell(Heard(nothing=True))

    def _hand_on(self) -> None:
        """An event is off the gateway's queue once read, so the next poll waits until it is kept here.

        Where keeping it fails the poller ends with that error, and the next one begins with what is not yet kept.
        """
        while self._unsaved:
            self._news(self._unsaved[0])
            self._tell(Heard(listing=self._unsaved.pop(0)))

    def _idle(self) -> bool:
        return not self._users and time.monotonic() - self._last_use >= self._rhythm.idle_s

    async def _rested(self) -> bool:
        if not self._idle():
            return False
        async with self._gate:
            if not self._idle():  # somebody came while the gate was held
                return False
            self._poller = None
            await self._sign_out()
            return True


def _now() -> datetime:
    return datetime.now(UTC)
