"""Transfers, deliveries and events, as the tables read them: by the page, from the rows next to it."""

from collections.abc import Hashable, Sequence

from msgspec import Struct

from providers.models import AssetId
from tui.widgets.source import Near
from vault.lists import Lists
from vault.views import Count, DeliveryView, LoggedEvent, Sort, TransferView


class TransferSource(Struct, frozen=True):
    """All that was ever queued, in an order."""

    lists: Lists
    sort: Sort

    def count_at_once(self) -> Count:
        """How many."""
        return self.count()

    def count(self) -> Count:
        """The same."""
        return Count(self.count_exactly(), exact=True)

    def count_exactly(self) -> int:
        """The same."""
        return self.lists.transfers.count()

    def rows(self, offset: int, limit: int, near: Near[TransferView]) -> Sequence[TransferView]:
        """A part of them."""
        after, before = (None if row is None else row.asset for row in (near.after, near.before))
        return self.lists.transfers.page(offset, limit, sort=self.sort, after=after, before=before, total=near.total)

    def position(self, key: Hashable) -> int | None:
        """Where one stands."""
        return self.lists.transfers.position(key, sort=self.sort) if isinstance(key, AssetId) else None

    def key(self, row: TransferView) -> Hashable:
        """The asset's id."""
        return row.asset

    def interrupt(self) -> None:
        """It is read in milliseconds."""


class DeliverySource(Struct, frozen=True):
    """The deliveries of an account ("": of all), in an order."""

    lists: Lists
    account: str
    sort: Sort

    def count_at_once(self) -> Count:
        """How many."""
        return self.count()

    def count(self) -> Count:
        """The same."""
        return Count(self.count_exactly(), exact=True)

    def count_exactly(self) -> int:
        """The same."""
        return self.lists.deliveries.count(self.account)

    def rows(self, offset: int, limit: int, near: Near[DeliveryView]) -> Sequence[DeliveryView]:
        """A part of them."""
        after, before = (None if row is None else row.id for row in (near.after, near.before))
        page = self.lists.deliveries.page
        return page(self.account, offset, limit, sort=self.sort, after=after, before=before, total=near.total)

    def position(self, key: Hashable) -> int | None:
        """Where one stands."""
        position = self.lists.deliveries.position
        return position(self.account, key, sort=self.sort) if isinstance(key, int) else None

    def key(self, row: DeliveryView) -> Hashable:
        """Its number."""
        return row.id

    def interrupt(self) -> None:
        """It is read in milliseconds."""


class EventSource(Struct, frozen=True):
    """The events of an asset ("": all), in an order."""

    lists: Lists
    identity: str
    sort: Sort

    def count_at_once(self) -> Count:
        """How many."""
        return self.count()

    def count(self) -> Count:
        """The same."""
        return Count(self.count_exactly(), exact=True)

    def count_exactly(self) -> int:
        """The same."""
        return self.lists.events.count(self.identity)

    def rows(self, offset: int, limit: int, near: Near[LoggedEvent]) -> Sequence[LoggedEvent]:
        """A part of them."""
        after, before = (None if row is None else row.event.number for row in (near.after, near.before))
        page = self.lists.events.page
        return page(self.identity, offset, limit, sort=self.sort, after=after, before=before, total=near.total)

    def position(self, key: Hashable) -> int | None:
        """Where one stands."""
        return self.lists.events.position(self.identity, key, sort=self.sort) if isinstance(key, int) else None

    def key(self, row: LoggedEvent) -> Hashable:
        """Its number."""
        return row.event.number

    def interrupt(self) -> None:
        """It is read in milliseconds."""
