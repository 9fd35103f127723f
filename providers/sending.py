"""How the emulators send webhooks: real HTTP to whoever receives, tried again as each service says that it tries.

Bytes and headers are those of the delivery, redirects are not followed, and no delivery waits for another one.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from msgspec import Struct
from yarl import URL

from providers.emulation import Clock, Emulator
from providers.lean_aiohttp import aiohttp
from providers.models import Delivery
from providers.origin import Origin

_OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding")
"""What aiohttp would add of itself; a delivery has its own headers and no others."""


class Attempts(Struct, frozen=True):
    """How long a service waits for an answer, and how often it tries. In seconds; each pause is `factor` the last."""

    timeout_s: float
    times: int = 1
    first_pause_s: float = 0.0
    factor: float = 2.0

    def pauses(self) -> tuple[float, ...]:
        """The pause before each attempt but the first."""
        return tuple(self.first_pause_s * self.factor**number for number in range(self.times - 1))


class Attempt(Struct, frozen=True):
    """One attempt, the first is number 1: answered with a status, or `words` for why there is none."""

    number: int
    at: float
    """Unix seconds."""
    status: int | None
    words: str
    delivered: bool


def is_2xx(status: int) -> bool:
    """What most senders take for delivered."""
    return 200 <= status < 300


def _unheard(attempt: Attempt) -> None:
    """For parcels whose sender keeps no reports."""


def _free() -> str:
    return ""


class Parcel(Struct, frozen=True):
    """A delivery with the address that it goes to, and what its service makes of the answers."""

    url: str
    delivery: Delivery
    attempts: Attempts
    delivered: Callable[[int], bool] = is_2xx
    """Whether a status counts as delivered."""
    note: Callable[[Attempt], None] = _unheard
    """Told of every attempt as soon as it ended."""
    hindrance: Callable[[], str] = _free
    """Asked before every attempt: words for why nothing gets to the address now, "" when the way is free."""
    copies: int | None = None
    """How often it is sent, each copy with attempts of its own. None: as often as the emulator says."""


class Sent(Struct, frozen=True):
    """What became of a parcel."""

    parcel: Parcel
    attempts: tuple[Attempt, ...]

    @property
    def delivered(self) -> bool:
        """Whether an attempt succeeded."""
        return any(attempt.delivered for attempt in self.attempts)


class Sender:
    """Delivers parcels. Belongs to the event loop on which it first sends; `close` there.

    `ca_file`: authorities to trust instead of the system's. `beyond_loopback`: without it nothing leaves this machine,
    whatever address somebody registered. `fronts`: as a reverse proxy has them, the beginnings of public addresses and
    what they become here, the first that fits. `at_once`: at most so many attempts at a time; with 1 parcels arrive in
    the order in which they were given. `now`: for `Attempt.at`; `sleep`: for the pauses between attempts.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        beyond_loopback: bool = False,
        fronts: Mapping[str, str] | None = None,
        at_once: int | None = None,
        now: Clock = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tls = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._beyond_loopback = beyond_loopback
        self._fronts = dict(fronts or {})
        self._slots: AbstractAsyncContextManager[None] = asyncio.Semaphore(at_once) if at_once else nullcontext()
        self._now, self._sleep = now, sleep
        self._session: aiohttp.ClientSession | None = None

    async def send_all(self, parcels: Sequence[Parcel]) -> list[Sent]:
        """Send them at the same time, begun in this order; what became of them in this order, too."""
        return await asyncio.gather(*(self.send(parcel) for parcel in parcels))

    async def send(self, parcel: Parcel) -> Sent:
        """Send a parcel until an attempt succeeds or all are used up. Raises nothing for what the network does."""
        done: list[Attempt] = []
        for number, pause in enumerate((0.0, *parcel.attempts.pauses()), 1):
            if number > 1:
                await self._sleep(pause)
            async with self._slots:
                done.append(await self._attempt(parcel, number))
            parcel.note(done[-1])
            if done[-1].delivered:
                break
        return Sent(parcel, tuple(done))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _attempt(self, parcel: Parcel, number: int) -> Attempt:
        at, status = self._now(), None
        url = self._behind(parcel.url)
        words = parcel.hindrance() or self._refusal(url)
        if not words:
            try:
                # Not aiohttp's own time-out, which rounds up to whole seconds.
                async with asyncio.timeout(parcel.attempts.timeout_s):
                    status = await self._post(url, parcel.delivery)
            except TimeoutError:
                words = f"no answer within {parcel.attempts.timeout_s:g} s"
            except (aiohttp.ClientError, OSError, ValueError) as error:  # a name, or an answer, that cannot be one
                words = _words(error)
        return Attempt(number, at, status, words, status is not None and parcel.delivered(status))

    def _behind(self, url: str) -> str:
        front = next((front for front in self._fronts if url.startswith(front)), None)
        return url if front is None else self._fronts[front] + url.removeprefix(front)

    def _refusal(self, url: str) -> str:
        origin = Origin.of(url)
        if origin is None:
            return "this is no http(s) address"
        if not (origin.is_loopback or self._beyond_loopback):
            return "not sent: emulators send to this machine only"
        return ""

    async def _post(self, url: str, delivery: Delivery) -> int:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True, ssl=self._tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                skip_auto_headers=_OWN_HEADERS,
            )
        target = URL(url, encoded=True)  # letter by letter: the address holds a secret
        headers = dict(delivery.headers)
        async with self._session.post(target, data=delivery.body, headers=headers, allow_redirects=False) as answer:
            return answer.status


_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "TLS: the receiver's certificate is not trusted"),
    (aiohttp.ClientSSLError, "TLS: no secure connection came about"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (ConnectionResetError, "the connection was closed without an answer"),
    (aiohttp.ClientResponseError, "the answer is no HTTP"),
)


def _words(error: Exception) -> str:
    """Words for an attempt without an answer."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return "the receiver refuses connections"
    return next((words for kind, words in _FAULTS if isinstance(error, kind)), "the receiver cannot be reached")


class SendingEmulator(Emulator):
    """An emulator that sends webhooks. It sends when `deliver_due` is called, and knows by its clock what is due."""

    def __init__(self, now: Clock = time.time) -> None:
        self.deliver = True
        """False: nobody is told of anything; what became due meanwhile is never sent."""
        self.copies = 1
        """How often every webhook is sent, at the same time."""
        self.newest_first = False
        """True: the latest event is told first."""
        self.shuffle: random.Random | None = None
        """Webhooks that are due together are sent in an order that this one makes."""
        super().__init__(now)

    def due_parcels(self) -> list[Parcel]:
        """What is to be sent for the events since the last call, oldest first, each once."""
        raise NotImplementedError

    async def deliver_due(self, sender: Sender) -> list[Sent]:
        """Send what is due, and give what became of it when the last attempt has ended."""
        parcels = self.due_parcels()
        return await sender.send_all(self.arranged(parcels)) if self.deliver else []

    def arranged(self, parcels: Iterable[Parcel]) -> list[Parcel]:
        """The parcels as `copies`, `newest_first` and `shuffle` say."""
        found = [one for one in parcels for _ in range(self.copies if one.copies is None else one.copies)]
        if self.newest_first:
            found.reverse()
        if self.shuffle:
            self.shuffle.shuffle(found)
        return found
