"""One delivery: verified, read, kept; and what it says written down. Whatever way it came in."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from providers.base import NotFound, Provider, ProviderError, Unreadable
from providers.models import Announcement, Delivery
from vault.connections import Connections
from vault.errors import VaultError
from vault.ledger import Ledger
from vault.ledger.deliveries import Receipt, Settled, Taken
from vault.ledger.recording import Recorded
from vault.views import DeliveryState

HEADERS = frozenset({"content-type", "cronofy-hmac-sha256"})
"""What of a delivery's head is needed to read it, and kept; the rest may hold what is nobody's business."""
UNREADABLE_TOPIC = "not understood"
_NOT_FOUND_TRIES = 3
"""A service that has just announced something may not find it for a moment."""
_PAUSE_S = (2.0, 600.0)
_REMEMBERED = 256
"""Announcements; what was received longer ago is read again."""
_GIVEN_UP_AFTER = 40
"""Tries, about six hours of them."""


def receipt(provider: Provider, delivery: Delivery, source: str, now: float) -> tuple[Receipt, Announcement | None]:
    """Verify and read a delivery. One that is genuine but not understood is a receipt without an announcement.

    Raises NotAuthentic, and MissingSecret where there is nothing to verify it with.
    """
    try:
        said = provider.read_delivery(delivery)
    except Unreadable as error:
        return _receipt_of_unreadable(provider.account, delivery, error, source, now), None
    return _receipt_of(provider.account, delivery, said, source, now), said


def _receipt_of(account: str, delivery: Delivery, said: Announcement, source: str, now: float) -> Receipt:
    told = (account, said.key, said.topic, said.verified, said.redacted_body)
    return Receipt(*told, _digest(delivery), _needed(delivery), source, now)


def _receipt_of_unreadable(account: str, delivery: Delivery, error: Unreadable, source: str, now: float) -> Receipt:
    digest = _digest(delivery)
    body = f"{len(delivery.body)} bytes that could not be read: {error.words}"
    told = (account, f"unreadable {digest}", UNREADABLE_TOPIC, f"kept as it came: {error.words}", body)
    return Receipt(*told, digest, _needed(delivery), source, now, readable=False)


def _digest(delivery: Delivery) -> str:
    return hashlib.sha256(delivery.body).hexdigest()


def _needed(delivery: Delivery) -> Delivery:
    return Delivery({name: value for name, value in delivery.headers.items() if name in HEADERS}, delivery.body)


def outcome(recorded: Recorded, warnings: tuple[str, ...], *, confirmed: bool) -> str:
    """What a delivery brought, in words."""
    if not recorded.meetings + recorded.assets:
        words = "nothing to record"
    elif recorded.new:
        all_new = recorded.new == recorded.assets
        words = _assets(recorded.new, "new ") if all_new else f"{recorded.new} new of {_assets(recorded.assets)}"
    else:
        words = "brought its state up to date" if recorded.assets else "a meeting, no recording yet"
    told = (words, "confirmed by the service" if confirmed else "", *warnings)
    return "; ".join(part for part in told if part)


def _assets(number: int, adjective: str = "") -> str:
    return f"{number} {adjective}asset{'' if number == 1 else 's'}"


class Heard(Struct, frozen=True):
    """What a kept delivery says."""

    taken: Taken
    provider: Provider
    said: Announcement


class Intake:
    """Processes deliveries that are kept. Each is processed once, whatever is killed when, and in any order.

    What is told to fail is written down by `put_off` or `end`; faults of network and service are never raised there.
    """

    def __init__(self, connections: Connections, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._connections = connections
        self._ledger = ledger
        self._now = now
        self._read: OrderedDict[tuple[str, str], Announcement] = OrderedDict()
        """What was read when it came in, by account and digest, so that it need not be read twice."""

    def remember(self, one: Receipt, said: Announcement) -> None:
        """A receipt is about to be kept; what it says is at hand for a while."""
        self._read[one.account, one.digest] = said
        if len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)

    async def hear(self, taken: Taken) -> Heard:
        """Read a delivery again that was verified when it came. Raises Unreadable, VaultError."""
        if taken.delivery is None:
            raise Unreadable("the key that it was sealed with is gone")
        provider = await self._connections.connect(taken.account)
        said = self._read.pop((taken.account, _digest(taken.delivery)), None)
        return Heard(taken, provider, said or provider.read_delivery(taken.delivery, trusted=True))

    async def confirm(self, heard: Heard) -> Settled:
        """Ask the service about what a delivery only hints at. Raises ProviderError."""
        listings = [(heard.said.listing, False)]
        listings += [(await heard.provider.look_up(hint), True) for hint in heard.said.confirm]
        warnings = tuple(dict.fromkeys(a.warning for listing, _ in listings for a in listing.assets if a.warning))
        return Settled(
            heard.taken,
            heard.provider.info.name,
            tuple(listings),
            self._connections.account(heard.taken.account).auto_fetch,
            lambda recorded: outcome(recorded, warnings, confirmed=bool(heard.said.confirm)),
        )

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Write down what deliveries brought. Raises LedgerError."""
        await asyncio.to_thread(self._ledger.deliveries.settle, settled, self._now().timestamp())

    async def put_off(self, taken: Taken, error: ProviderError | VaultError) -> None:
        """It is tried again later where that can help, else it has failed. Raises LedgerError."""
        state = DeliveryState.UNREADABLE if isinstance(error, Unreadable) else DeliveryState.FAILED
        again = error.transient if isinstance(error, ProviderError) else True
        if isinstance(error, NotFound):
            again = taken.tries < _NOT_FOUND_TRIES
        if not again or taken.tries >= _GIVEN_UP_AFTER:
            await asyncio.to_thread(self._ledger.deliveries.end, taken, state, error.words)
            return
        wish = error.retry_after_s if isinstance(error, ProviderError) and error.retry_after_s else 0.0
        shortest, longest = _PAUSE_S
        pause = max(wish, min(longest, shortest * 2.0 ** min(taken.tries, 20)))
        until = self._now().timestamp() + pause
        await asyncio.to_thread(self._ledger.deliveries.postpone, taken, error.words, until)

    async def take_in(
        self, provider: Provider, delivery: Delivery, owner: str, *, again: bool = True
    ) -> tuple[Announcement, Recorded]:
        """Verify, read, keep and process a delivery that a person or a folder gave, all at once.

        A repetition changes nothing; `again`: it is counted. Raises NotAuthentic and Unreadable, which keep nothing,
        and what asking raises: then it is kept, and processed by whoever runs next.
        """
        said = provider.read_delivery(delivery)
        one = _receipt_of(provider.account, delivery, said, "", self._now().timestamp())
        deliveries = self._ledger.deliveries
        if not again and await asyncio.to_thread(deliveries.knows, provider.account, one.key, one.digest):
            return said, Recorded()
        kept = (await asyncio.to_thread(deliveries.keep, [one], owner))[0]
        if not kept.fence:
            return said, Recorded()
        taken, brought = Taken(kept.id, provider.account, kept.fence, 1, one.delivery), Recorded()
        try:
            settled = await self.confirm(Heard(taken, provider, said))
        except ProviderError as error:
            await self.put_off(taken, error)
            raise

        def tell(recorded: Recorded) -> str:
            nonlocal brought
            brought = recorded
            return settled.tell(recorded)

        await self.settle([replace(settled, tell=tell)])
        return said, brought
