"""The lists that grow for ever beside the meetings. Their verbs block, for milliseconds; usable from any thread."""

from dataclasses import dataclass

from vault.ledger.lines import DeliveryLines, EventLines, TransferLines


@dataclass(frozen=True, slots=True)
class Lists:
    """A part of the Desk."""

    transfers: TransferLines
    deliveries: DeliveryLines
    events: EventLines
