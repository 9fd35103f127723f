"""The words of mode 5: its two bars, why a list is empty, why a key cannot act, what is asked before acting."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from providers.models import Capability
from tui.hook_rows import AddressRow, MissedRow
from tui.label import Glyphs, plain
from tui.widgets.ink import Line, Run, text_of
from vault.inbox.views import AddressView, ReceiverState, ReceiverView
from vault.views import DeliveryState, DeliveryView

DELIVERIES, ADDRESSES, MISSED = "deliveries", "addresses", "missed"
VIEWS: Mapping[str, str] = {DELIVERIES: "Deliveries", ADDRESSES: "Addresses", MISSED: "Missed"}
Current = DeliveryView | AddressRow | MissedRow | None
"""What the cursor is on."""

_NO_ACCOUNT = (
    "No account receives anything.",
    "An account whose service sends webhooks does: 6, then n adds one.",
)


# The bars -------------------------------------------------------------------------------------------------------------


def receiver_run(view: ReceiverView, glyphs: Glyphs) -> Run:
    """The receiver's state as glyph and words."""
    match view.state:
        case ReceiverState.ON:
            return (f"{glyphs.ok} on {plain(view.address)}", "good")
        case ReceiverState.STARTING:
            return (f"{glyphs.syncing} starting", "info")
        case ReceiverState.ELSEWHERE:
            return (f"{glyphs.ok} another process receives: {plain(view.words)}", "info")
        case ReceiverState.FAILED:
            why = plain(view.words)
            return (f"{glyphs.bad} {'' if why.startswith('cannot listen') else 'cannot listen: '}{why}", "bad")
        case _:
            return (f"{glyphs.idle} off: l receives webhooks", "dim")


def receiver_line(view: ReceiverView, trouble: str, width: int, glyphs: Glyphs) -> Line:
    """The receiver and what came to it; of what was turned away also why, where there is room.

    `trouble`: why nothing can be processed, in words.
    """
    state = ((" ", ""), receiver_run(view, glyphs))
    turned = sum(view.refused.values())
    reasons = ", ".join(f"{number} {plain(why)}" for why, number in view.refused.items())
    wrong: Line = ((f"  {plain(view.words)}", "bad"),) if view.words and view.state is ReceiverState.ON else ()
    wrong += ((f"  {plain(trouble)}", "bad"),) if trouble else ()
    counts: Line = (
        (f"  {view.accepted} received, {view.repeated} repeated", ""),
        (f", {turned} turned away", "warn" if turned else ""),
    )
    late: Line = ((f", {view.catchups} catch-ups", ""),) if view.catchups else ()
    waits: Line = ((f", {view.waiting} waiting", "warn" if view.waiting else ""),)
    if view.state not in (ReceiverState.ON, ReceiverState.STARTING) and not (view.accepted + view.repeated + turned):
        counts, late, waits = (), (), waits if view.waiting else ()
    why: Line = ((f" ({reasons})", "warn"),) if turned else ()
    ways = (
        (*state, *wrong, *counts, *why, *late, *waits),
        (*state, *wrong, *counts, *late, *waits),
        (*state, *wrong, *counts, *waits),
    )
    return next((way for way in ways if cell_len(text_of(way)) <= width), ways[-1])


def views_line(current: str, counts: Mapping[str, str], account: str, glyphs: Glyphs) -> Line:
    """The three lists with their counts, the shown one marked; and whose they show."""
    runs: list[Run] = []
    for name, words in VIEWS.items():
        number = f" {counts[name]}" if counts.get(name) else ""
        here = name == current
        runs.append((f" {glyphs.cursor if here else ' '}{words}{number} ", "strong" if here else "dim"))
    runs.append((f"  {f'only {plain(account)}' if account else 'all accounts'}", "warn" if account else "dim"))
    return tuple(runs)


# Empty lists ----------------------------------------------------------------------------------------------------------


def no_deliveries(addresses: Sequence[AddressView] | None, account: str, view: ReceiverView) -> tuple[str, ...]:
    """Why nothing came yet, and what to do next."""
    if addresses == ():
        return _NO_ACCOUNT
    if view.state is ReceiverState.FAILED:
        return ("Nothing was received: the receiver cannot listen.", plain(view.words), "l tries again.")
    if view.state is ReceiverState.OFF:
        return (
            "Nothing was received yet, and the receiver is off here.",
            "l switches it on; tab shows the address to register for each account.",
        )
    mine = [each for each in addresses or () if not each.is_catchup and account in ("", each.account)]
    lines = [f"{each.label}: {plain(each.shown)}" for each in mine]
    return ("No webhook came yet.", "Each service has to know its address; tab shows how to register it:", *lines)


def no_addresses(addresses: Sequence[AddressView] | None, fault: str) -> tuple[str, ...]:
    """Why there are no addresses."""
    if addresses is None:
        return (fault, "r asks again.") if fault else ("Looking up the addresses.",)
    return ("Nothing is sent to this account.", "] shows the next one.") if addresses else _NO_ACCOUNT


def none_missed(addresses: Sequence[AddressView] | None, asked: bool) -> tuple[str, ...]:
    """Why nothing was missed."""
    if addresses == ():
        return _NO_ACCOUNT
    if not asked:
        return ("Looking for what no webhook announced.",)
    return (
        "Nothing was missed.",
        "Whatever polling found available, a webhook had announced, or still may within minutes.",
    )


# Why a key cannot act -------------------------------------------------------------------------------------------------

_ADDRESS_KEYS = {
    "hook.register": "a webhook is registered for an address",
    "hook.delete": "what can be deleted is a registered webhook",
    "hook.rotate": "a secret belongs to an address",
}


def why_not_hook(command: str, row: Current, addresses: Sequence[AddressView] | None, payload: str | None) -> str:
    """Why a command of mode 5 cannot act on this row; "" when it can or is not one of these."""
    if command == "hook.receive":
        return "no account receives anything" if addresses == () else ""
    if command == "hook.refresh":
        return "there is no account to ask" if addresses == () else ""
    if command in _ADDRESS_KEYS and not isinstance(row, AddressRow):
        return f"{_ADDRESS_KEYS[command]}: tab goes to the addresses"
    match command:
        case "hook.again":
            return _why_not_again(row)
        case "hook.register":
            return _why_not_register(row)
        case "hook.delete":
            return _why_not_delete(row)
        case "hook.copy":
            return _why_not_copy(row, payload)
        case "show.raw":
            return _why_not_raw(row, payload)
    return ""


def _why_not_again(row: Current) -> str:
    if not isinstance(row, DeliveryView):
        return "only a delivery can be processed again"
    if row.state is DeliveryState.WORKING:
        return "it is being processed"
    if row.state is DeliveryState.WAITING and row.again_at is None:
        return "it waits to be processed already"
    return "" if row.is_kept else "it is no longer kept as it came"


def _why_not_register(row: Current) -> str:
    assert isinstance(row, AddressRow)
    address = row.address
    if address.is_catchup:
        return "late joiners ask there: nothing is registered for it"
    if not address.subscribes:
        return f"{address.label} takes no registrations from here: the lines below say how it is told"
    return "" if address.address else address.problem


def _why_not_delete(row: Current) -> str:
    assert isinstance(row, AddressRow)
    if row.subscription is None:
        return "this is an address: what can be deleted is a webhook registered for it"
    return "" if row.subscription.subscription.id else "the service does not say its id: it cannot be deleted from here"


def _why_not_copy(row: Current, payload: str | None) -> str:
    if isinstance(row, DeliveryView):
        return "" if payload else "its payload is not read yet" if payload is None else "nothing is kept of its payload"
    if isinstance(row, MissedRow):
        return "" if row.asset else "there is nothing to copy"
    if row is None:
        return "there is nothing to copy"
    if row.subscription is not None and not row.subscription.ours:
        return "the service shows this address to nobody as a whole, so it is not known here"
    return "" if row.address.address else row.address.problem or "the whole address is not known here"


def _why_not_raw(row: Current, payload: str | None) -> str:
    if isinstance(row, DeliveryView):
        return "" if payload else "its payload is not read yet" if payload is None else "nothing is kept of its payload"
    if isinstance(row, AddressRow) and row.subscription is not None:
        return "" if row.subscription.subscription.raw else "the service gave no record of it"
    return "there is no record here: a delivery has one, and a registered webhook"


# What is asked before -------------------------------------------------------------------------------------------------


def register_lines(address: AddressView, topic: str) -> tuple[str, ...]:
    """What is sent to the service."""
    return (
        f"{address.label} is asked to call {address.account}'s address for every",
        f"  {topic}",
        "at",
        f"  {plain(address.shown)}",
        "",
        "The whole address is sent, with the secret in it.",
    )


def delete_lines(row: AddressRow) -> tuple[str, ...]:
    """What is deleted, and what still comes."""
    assert row.subscription is not None
    registered = row.subscription.subscription
    ours = row.subscription.ours
    lines = [f"topic: {plain(registered.topic) or 'not told'}", f"calls: {plain(registered.url) or 'not told'}"]
    if not ours:
        lines.append("It leads to another address: someone else may need it." if ours is False else "")
    lines += ["", "What is in flight still comes, and is taken. New ones are announced no more;"]
    lines.append("polling finds them, later.")
    return tuple(lines)


def rotate_lines(address: AddressView, capabilities: frozenset[Capability]) -> tuple[str, ...]:
    """What becomes of the secret before, and who has to be told the new one."""
    before = "the one before is taken for an hour more"
    if address.is_catchup:
        lines = [f"{address.account} gets a new token; {before}.", ""]
    elif "secret" in address.guard:
        lines = [f"The address of {address.account} gets a new secret part; {before}.", ""]
    else:
        lines = [f"The address of {address.account} gets a secret part, which it has not now.", ""]
    if address.is_catchup:
        lines.append("Those who ask for summaries have to be given the new token within the hour.")
    elif address.subscribes:
        lines.append(f"Every webhook at {address.label} that leads here is registered anew, then the old one deleted.")
    else:
        lines.append(f"{address.label} has to be told the new address within the hour{_how(capabilities)}.")
    lines.append("y then copies it." if not address.subscribes else "What is in flight to the old address still comes.")
    return tuple(lines)


def _how(capabilities: frozenset[Capability]) -> str:
    return ": 4 sets it there" if Capability.NOTIFICATIONS in capabilities else ""
