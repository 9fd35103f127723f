"""The lists that grow for ever beside the meetings. Their verbs block, for milliseconds; usable from any thread."""

from msgspec import Struct

from vault.ledger.lines import DeliveryLines, EventLines, TransferLines


class Lists(Struct, frozen=True):
    """A part of the Desk."""

    transfers: TransferLines
    deliveries: DeliveryLines
    events: EventLines
