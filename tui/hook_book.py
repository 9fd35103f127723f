"""What mode 5 knows: the ledger is read often, the services are asked only when somebody wants to see what they say."""

import asyncio
from collections.abc import Iterable

from providers.models import Subscription
from tui.context import FAULTS, Context, words_of
from tui.hook_rows import AddressRow, MissedRow, address_lines, missed_lines
from vault.inbox.views import AddressView, Missed, Reports, Rotation, SubscriptionView
from vault.views import DeliveryView


class HookBook:
    """What was read and asked, by account. A fault of one account stands in its place as words; none is raised."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.addresses: tuple[AddressView, ...] | None = None
        """None until they were looked up."""
        self.fault = ""
        """Why they could not be."""
        self.registered: dict[str, tuple[SubscriptionView, ...] | str] = {}
        self.missed: dict[str, Missed | str] = {}
        self.asked_registered = False
        self.asked_missed = False
        self.rotated: dict[str, Rotation] = {}
        """Secrets that were made here, until everything is asked anew."""
        self._reports: dict[tuple[str, str], Reports | str] = {}
        self._payload: tuple[tuple[int, int], str] | None = None

    # The ledger

    async def read_payload(self, view: DeliveryView) -> None:
        """A delivery's payload."""
        text = await self._context.read(self._context.desk.webhooks.body, view.id)
        self._payload = (view.id, view.duplicates), text

    def payload(self, view: DeliveryView) -> str | None:
        """A delivery's payload, where it was the last that was read. One that came again may have brought another."""
        known = self._payload
        return known[1] if known is not None and known[0] == (view.id, view.duplicates) else None

    async def read_addresses(self) -> None:
        """Where the services are to call."""
        try:
            self.addresses, self.fault = await self._context.ask(lambda desk: desk.webhooks.addresses()), ""
        except FAULTS as error:
            self.fault = words_of(error)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Those that receive something."""
        return tuple(dict.fromkeys(each.account for each in self.addresses or ()))

    # The services

    async def ask_registered(self) -> None:
        """Which webhooks are registered, of every account where that can be asked; their reports are asked anew."""
        self.asked_registered = True
        self._reports.clear()
        names = [each.account for each in self.addresses or () if each.subscribes]
        await asyncio.gather(*map(self._ask_registered, names))

    async def _ask_registered(self, account: str) -> None:
        try:
            self.registered[account] = await self._context.ask(
                lambda desk: desk.webhooks.subscribing.subscriptions(account)
            )
        except FAULTS as error:
            self.registered[account] = words_of(error)

    async def ask_missed(self) -> None:
        """What polling found that no webhook announced."""
        names = [each.account for each in self.addresses or () if not each.is_catchup]
        await asyncio.gather(*map(self._ask_missed, names))
        self.asked_missed = True

    async def _ask_missed(self, account: str) -> None:
        try:
            self.missed[account] = await self._context.ask(lambda desk: desk.webhooks.missing.missed(account))
        except FAULTS as error:
            self.missed[account] = words_of(error)

    def reports(self, account: str, subscription: Subscription) -> Reports | str | None:
        """How its latest deliveries went, once that was asked; words where it cannot be."""
        if not subscription.id:
            return "the service does not say its id, so its reports cannot be asked for"
        return self._reports.get((account, subscription.id))

    async def ask_reports(self, account: str, subscription: Subscription) -> None:
        """How its latest deliveries went."""
        try:
            found: Reports | str = await self._context.ask(
                lambda desk: desk.webhooks.subscribing.reports(account, subscription)
            )
        except FAULTS as error:
            found = words_of(error)
        self._reports[account, subscription.id] = found

    # Lines

    def address_lines(self, account: str) -> list[AddressRow]:
        """The addresses of an account ("": of all), and what is registered for them."""
        return address_lines(_of(self.addresses or (), account), self.registered)

    def missed_lines(self, account: str) -> list[MissedRow]:
        """What an account ("": any) missed."""
        return missed_lines({name: found for name, found in self.missed.items() if account in ("", name)})

    @property
    def missed_count(self) -> str:
        """How many were missed; "" before that was looked for, `?` beside it where an account could not say."""
        if not self.asked_missed:
            return ""
        known = sum(len(found.assets) for found in self.missed.values() if not isinstance(found, str))
        return f"{known}{'?' if any(isinstance(found, str) for found in self.missed.values()) else ''}"


def _of(addresses: Iterable[AddressView], account: str) -> list[AddressView]:
    return [each for each in addresses if account in ("", each.account)]
