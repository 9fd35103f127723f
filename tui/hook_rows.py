"""What the tables of mode 5 say: deliveries, addresses with the webhooks registered for them, what was missed."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct
from rich.cells import cell_len

from tui import label
from tui.context import Context
from tui.label import Glyphs, plain
from tui.widgets.columns import Column
from tui.widgets.ink import Line, Run
from vault.inbox.views import AddressView, Missed, ReceiverState, SubscriptionView
from vault.views import DeliveryState, DeliveryView, TransferState, Unannounced

INKS = {
    DeliveryState.WAITING: "warn",
    DeliveryState.WORKING: "info",
    DeliveryState.DONE: "good",
    DeliveryState.FAILED: "bad",
    DeliveryState.UNREADABLE: "warn",
}
_WHAT = 17
"""Cells of a topic that there are always."""
ASKING = "asking which are registered"


class AddressRow(Struct, frozen=True):
    """A line of the addresses: where a service is to call, a webhook registered for it, or words instead of those."""

    address: AddressView
    subscription: SubscriptionView | None = None
    note: str = ""
    is_fault: bool = False
    place: int = 0
    """Among the registered ones: two may have no id."""

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.address.account

    @property
    def key(self) -> Hashable:
        """What identifies it."""
        registered = self.subscription.subscription if self.subscription else None
        own = (registered.id or self.place, registered.topic) if registered else bool(self.note)
        return (self.address.account, self.address.is_catchup, own)


class MissedRow(Struct, frozen=True):
    """What polling found and no webhook announced; `asset` is None where an account could not be looked at."""

    account: str
    asset: Unannounced | None
    reason: str

    @property
    def key(self) -> Hashable:
        """What identifies it."""
        return (self.account, self.asset.identity if self.asset else "")


def address_lines(
    addresses: Sequence[AddressView], registered: Mapping[str, tuple[SubscriptionView, ...] | str]
) -> list[AddressRow]:
    """Each address, and below it what is registered for it; `registered` holds words where that is not known."""
    rows = []
    for address in addresses:
        rows.append(AddressRow(address))
        if not address.subscribes:
            continue
        found = registered.get(address.account, ASKING)
        if isinstance(found, str):
            rows.append(AddressRow(address, note=found, is_fault=found != ASKING))
        elif not found:
            rows.append(AddressRow(address, note="none is registered"))
        else:
            rows += [AddressRow(address, each, place=place) for place, each in enumerate(found, start=1)]
    return rows


def missed_lines(found: Mapping[str, Missed | str]) -> list[MissedRow]:
    """What was missed, account by account; words where that is not known."""
    rows = []
    for account, missed in found.items():
        if isinstance(missed, str):
            rows.append(MissedRow(account, None, missed))
        else:
            rows += [MissedRow(account, asset, missed.reason) for asset in missed.assets]
    return rows


def state_run(state: DeliveryState, glyphs: Glyphs) -> Run:
    """A delivery's state as glyph and word."""
    glyph = {
        DeliveryState.WAITING: glyphs.transfer[TransferState.WAITING],
        DeliveryState.WORKING: glyphs.syncing,
        DeliveryState.DONE: glyphs.ok,
        DeliveryState.FAILED: glyphs.bad,
        DeliveryState.UNREADABLE: "!",
    }[state]
    return (f"{glyph} {state}", INKS[state])


def short_topic(topic: str) -> str:
    """The end of a dotted topic, which tells one from another."""
    parts = plain(topic).split(".")
    return ".".join(parts[-2:])


def delivery_columns(context: Context, narrow: Callable[[], bool]) -> tuple[Column[DeliveryView], ...]:
    """When, whose, what, how it is known to be genuine, what came of it, how often it came again.

    `narrow`: of long topics the end, in which they differ.
    """
    glyphs = context.glyphs

    def what(view: DeliveryView) -> Line:
        topic = short_topic(view.topic)
        return ((f"…{topic[1 - _WHAT :]}" if narrow() and cell_len(topic) > _WHAT else topic, ""),)

    def time(view: DeliveryView) -> Line:
        today = view.received_at.date() == context.now().date()
        return ((label.clock(view.received_at) if today else label.when_short(view.received_at), "dim"),)

    def outcome(view: DeliveryView) -> Line:
        return (state_run(view.state, glyphs), (f" {plain(view.outcome)}" if view.outcome else "", "dim"))

    def again(view: DeliveryView) -> Line:
        return ((f"{view.duplicates}x" if view.duplicates else "", "warn"),)

    return (
        Column("UTC", 11, 2, time, sort="received"),
        Column("Account", 8, 3, lambda view: ((plain(view.account), ""),), sort="account"),
        Column("What", _WHAT, 1, what, flex=True, sort="topic"),
        Column("Verified", 12, 4, lambda view: ((plain(view.verified), "dim"),), flex=True, sort="verified"),
        Column("Outcome", 21, 0, outcome, flex=True, sort="state"),
        Column("Rep", 3, 5, again, right=True),
    )


def address_columns(context: Context, narrow: Callable[[], bool]) -> tuple[Column[AddressRow], ...]:
    """Whose, where, guarded by what, and whether anything can come in. `narrow`: addresses without their host."""

    def name(row: AddressRow) -> Line:
        if row.subscription is not None:
            return ((f"  {short_topic(row.subscription.subscription.topic) or 'no topic'}", ""),)
        return (("  webhooks", "dim") if row.note else (plain(row.account), "strong"),)

    def where(row: AddressRow) -> Line:
        if row.subscription is not None:
            return ((plain(row.subscription.subscription.url) or "it does not say", "dim"),)
        if row.note:
            return ((plain(row.note), "dim"),)
        shown = plain(row.address.shown)
        return ((f"…{urlsplit(shown).path}" if narrow() else shown, ""),)

    def guard(row: AddressRow) -> Line:
        return ((plain(row.address.guard) if row.subscription is None and not row.note else "", "dim"),)

    return (
        Column("Account", 19, 0, name),
        Column("Address", 27, 2, where, flex=True),
        Column("Guard", 14, 3, guard),
        Column("State", 15, 1, lambda row: standing(row, context), flex=True),
    )


def standing(row: AddressRow, context: Context) -> Line:
    """Whether anything can come in there, as glyph and words."""
    glyphs = context.glyphs
    if row.note == ASKING:
        return ((f"{glyphs.syncing} asking", "info"),)
    if row.note:
        return ((f"{glyphs.bad} not known", "bad"),) if row.is_fault else ((f"{glyphs.idle} none", "dim"),)
    if row.subscription is not None:
        return subscription_standing(row.subscription, glyphs)
    if row.address.problem:
        sign, ink = ("!", "warn") if row.address.address else (glyphs.bad, "bad")
        return ((f"{sign} {plain(row.address.problem)}", ink),)
    if context.engine.snapshot().receiver.state is ReceiverState.ON:
        return ((f"{glyphs.ok} open", "good"),)
    return ((f"{glyphs.idle} receiver off", "dim"),)


def subscription_standing(view: SubscriptionView, glyphs: Glyphs) -> Line:
    """Whether a registered webhook does its work."""
    if view.subscription.warning:
        return ((f"! {plain(view.subscription.warning)}", "bad"),)
    if view.ours:
        return ((f"{glyphs.ok} ours", "good"),)
    return ((f"{'?' if view.ours is None else glyphs.idle} {plain(view.words)}", "warn"),)


def missed_columns(context: Context) -> tuple[Column[MissedRow], ...]:
    """When polling found it, whose, what, and the likely reason."""

    def found(row: MissedRow) -> Line:
        return ((label.when_short(row.asset.found_at) if row.asset else "", "dim"),)

    def title(row: MissedRow) -> Line:
        if row.asset is None:
            return (("not known", "dim"),)
        return ((plain(row.asset.title) or plain(row.asset.identity), ""),)

    def reason(row: MissedRow) -> Line:
        return ((plain(row.reason), "warn" if row.asset else "bad"),)

    return (
        Column("Found UTC", 11, 3, found),
        Column("Account", 10, 2, lambda row: ((plain(row.account), ""),)),
        Column("Title", 22, 0, title, flex=True),
        Column("Likely reason", 24, 1, reason, flex=True),
    )
