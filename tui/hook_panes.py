"""A delivery, an address, a registered webhook and a miss in lines: what the pane of mode 5 shows. Pure."""

from collections.abc import Callable
from datetime import datetime

from providers.models import AssetId, Capability
from tui import label
from tui.context import Context
from tui.describe import field, fields, heading, words
from tui.hook_book import HookBook
from tui.hook_rows import AddressRow, MissedRow, state_run, subscription_standing
from tui.hook_words import Current, receiver_run
from tui.label import Glyphs, plain
from tui.widgets.ink import wrap
from tui.widgets.lines import Row
from vault.inbox.views import AddressView, ReceiverView, Reports, Rotation
from vault.views import DeliveryState, DeliveryView

SHOWN_PAYLOAD = 20_000
"""Characters of a payload below its delivery; what the receiver keeps to show has fewer."""
Key = Callable[[str], str]
"""A command's key, after a person's own keymap."""


def current_rows(row: Current, book: HookBook, context: Context, width: int, key: Key) -> list[Row]:
    """What is known of the line under the cursor."""
    glyphs, now = context.glyphs, context.now()
    if row is None:
        return []
    if isinstance(row, DeliveryView):
        return delivery_rows(row, book.payload(row), width, glyphs, now, key)
    if isinstance(row, MissedRow):
        return missed_rows(row, width, now, key)
    if row.note:
        return note_rows(row, width, key)
    rotated = _rotation_rows(row, book.rotated.get(row.account), width, glyphs, key)
    if row.subscription is not None:
        reports = book.reports(row.account, row.subscription.subscription)
        return rotated + subscription_rows(row, reports, width, glyphs, now, key)
    capabilities, receiver = context.desk.capabilities(row.account), context.engine.snapshot().receiver
    return rotated + address_rows(row.address, receiver, capabilities, width, glyphs, key)


# A delivery -----------------------------------------------------------------------------------------------------------


def delivery_rows(
    view: DeliveryView, payload: str | None, width: int, glyphs: Glyphs, now: datetime, key: Key
) -> list[Row]:
    """Everything known of a delivery, then its redacted payload (None: not read yet)."""
    head = wrap(f"{plain(view.account)}: {plain(view.topic)}", width)
    rows = [Row(((part, "strong"),)) for part in head]
    sign, ink = state_run(view.state, glyphs)
    rows += field("state", f"{sign}: {view.outcome}" if view.outcome else sign, width, ink)
    if view.again_at is not None:
        rows += field("next try", _next(view, now), width, "warn")
    came = f"{view.received_at:%Y-%m-%d %H:%M:%S} UTC from {view.source or 'a file that was saved'}"
    again = f", and {label.count(view.duplicates, 'time')} more" if view.duplicates else ""
    tries = f"after {label.count(view.tries, 'try', 'tries')}" if view.tries > 1 else ""
    rows += fields((("came", came + again), ("verified", view.verified), ("tried", tries)), width)
    rows += field("kept", _kept(view, key), width, "" if view.is_kept else "warn")
    rows += heading("Payload, secrets redacted", width, glyphs)
    if payload is None:
        return rows + words("reading it", width, "dim")
    if not payload:
        return rows + words("nothing of it is kept", width, "dim")
    rows += words(payload[:SHOWN_PAYLOAD], width)
    more = len(payload) - SHOWN_PAYLOAD
    return rows + (words(f"{more} characters more: {key('show.raw')} shows them", width, "dim") if more > 0 else [])


def _next(view: DeliveryView, now: datetime) -> str:
    assert view.again_at is not None
    at = f"{label.clock(view.again_at)} UTC, by itself"
    return "in a moment" if view.again_at <= now else at


def _kept(view: DeliveryView, key: Key) -> str:
    if not view.is_kept:
        return "no longer as it came: it cannot be processed again"
    if view.state is DeliveryState.WAITING:
        return f"as it came, sealed; {key('hook.again')} processes it now" if view.again_at else "as it came, sealed"
    return f"as it came, sealed; {key('hook.again')} processes it once more"


# An address -----------------------------------------------------------------------------------------------------------


def address_rows(
    view: AddressView,
    receiver: ReceiverView,
    capabilities: frozenset[Capability],
    width: int,
    glyphs: Glyphs,
    key: Key,
) -> list[Row]:
    """Where a service is to call, what protects it, and how the service is told."""
    rows = [Row(((plain(view.account), "strong"), (f"  {plain(view.label)}", "dim")))]
    rows += field("problem", view.problem, width, "warn" if view.address else "bad")
    rows += field("address", view.shown, width)
    rows += field("protected by", _protection(view), width)
    rows += field("to register", _how(view, capabilities, key), width)
    if view.address is not None:
        what = "the token" if view.is_catchup else "the whole address"
        rows += field("copy", f"{key('hook.copy')} sends {what} to the terminal's clipboard", width)
    before = "; the one before is taken for an hour more" if view.is_catchup or "secret" in view.guard else ""
    rows += field("new secret", f"{key('hook.rotate')} makes one{before}", width)
    words_, ink = receiver_run(receiver, glyphs)
    return rows + field("receiver", words_, width, ink)


def _rotation_rows(row: AddressRow, rotation: Rotation | None, width: int, glyphs: Glyphs, key: Key) -> list[Row]:
    """Each step of making a new secret, in order, whether it came to an end or not."""
    if rotation is None:
        return []
    done = rotation.address is not None
    rows = [Row((("A new secret is in use" if done else "The secret stays as it was", "strong" if done else "warn"),))]
    for number, step in enumerate(rotation.steps, start=1):
        rows += field(f"{number}.", step, width)
    if rotation.address is not None:
        what = "token" if row.address.is_catchup else "address"
        rows += words(f"{key('hook.copy')} sends the new {what} to the terminal's clipboard", width, "strong")
    return [*rows, Row(((glyphs.rule * width, "dim"),))]


def _protection(view: AddressView) -> str:
    parts = []
    if "signature" in view.guard:
        parts.append("the service signs each webhook, and the signature is checked")
    if "secret address" in view.guard:
        parts.append("the address holds a secret: who knows it can send, so it belongs in no mail and no log")
    if "bearer" in view.guard:
        parts.append(f"{view.guard}: who asks must send it")
    return "; ".join(parts) or view.guard


def _how(view: AddressView, capabilities: frozenset[Capability], key: Key) -> str:
    if view.is_catchup:
        return "give clients the address with the room's name in place of ROOM, and the token to send as their bearer"
    if view.address is None:
        return f"{key('hook.rotate')} makes a new secret first"
    if view.subscribes:
        return f"{key('hook.register')} registers it at {view.label}, for a topic"
    if Capability.NOTIFICATIONS in capabilities:
        return f"{key('mode.notifications')} sets it at {view.label}, as the URL of its notifications"
    return f"by hand, where {view.label} asks for the address to call back"


# A registered webhook -------------------------------------------------------------------------------------------------


def subscription_rows(
    row: AddressRow, reports: Reports | str | None, width: int, glyphs: Glyphs, now: datetime, key: Key
) -> list[Row]:
    """A registered webhook, and how its latest deliveries went (None: asking; a text: why that is not known)."""
    assert row.subscription is not None
    registered = row.subscription.subscription
    rows = [Row(((part, "strong"),)) for part in wrap(plain(registered.topic) or "no topic", width)]
    rows += field("warning", registered.warning, width, "bad")
    if not registered.warning:
        rows.append(Row((("state ", "dim"), *subscription_standing(row.subscription, glyphs))))
    rows += fields((("calls", registered.url or "it does not say"), ("id", registered.id)), width)
    rows += field("keys", _keys(row, key), width)
    rows += heading("Latest attempts", width, glyphs)
    if reports is None:
        return rows + words("asking the service", width, "dim")
    if isinstance(reports, str):
        return rows + words(reports, width, "bad")
    asked = f"asked {label.ago(reports.fetched_at, now)}; {key('hook.refresh')} asks again"
    rows += words(asked, width, "dim")
    if not reports.reports:
        return rows + words("the service reports no attempt", width, "dim")
    for report in reports.reports:
        sign, ink = {True: (glyphs.ok, "good"), False: (glyphs.bad, "bad"), None: ("?", "dim")}[report.delivered]
        word = {True: "delivered", False: "failed", None: "not told"}[report.delivered]
        text = label.cut(f"{plain(report.at) or 'no time'}  {plain(report.outcome)}", width - len(word) - 4)
        rows.append(Row(((f"{sign} {word} ", ink), (text, ""))))
    return rows


def _keys(row: AddressRow, key: Key) -> str:
    registered = row.subscription.subscription if row.subscription else None
    parts = [f"{key('hook.delete')} deletes it"] if registered and registered.id else []
    parts += [f"{key('show.raw')} shows the service's record"] if registered and registered.raw else []
    return ", ".join(parts)


def note_rows(row: AddressRow, width: int, key: Key) -> list[Row]:
    """Why no registered webhook is listed, and what to do."""
    if row.is_fault:
        told = words(f"Which webhooks are registered for {row.account} is not known:", width)
        return told + words(row.note, width, "bad") + words(f"{key('hook.refresh')} asks again.", width, "dim")
    rows = words(f"{row.account}: {row.note}", width)
    return rows + words(f"{key('hook.register')} registers one.", width, "dim")


# What was missed ------------------------------------------------------------------------------------------------------


def missed_rows(row: MissedRow, width: int, now: datetime, key: Key) -> list[Row]:
    """A recording that no webhook announced, the likely reason in full, and what to do."""
    if row.asset is None:
        rows = words(f"What {row.account} missed is not known:", width) + words(row.reason, width, "bad")
        return rows + words(f"{key('hook.refresh')} looks again.", width, "dim")
    rows = [Row(((part, "strong"),)) for part in wrap(plain(row.asset.title) or row.asset.identity, width)]
    identity = AssetId.parse(row.asset.identity)
    found = f"by polling, {label.when(row.asset.found_at)} ({label.ago(row.asset.found_at, now)})"
    rows += fields((("account", row.account), ("kind", str(identity.kind)), ("found", found)), width)
    rows += field("likely reason", row.reason or "not known", width, "warn")
    rows += field("asset", row.asset.identity, width)
    todo = (
        f"it is on the desk all the same ({key('mode.desk')}), only later than it could have been. "
        f"{key('view.previous')} goes to the addresses: {key('hook.register')} registers a webhook there, "
        "and each registered one tells how its deliveries went"
    )
    return rows + field("to do", todo, width)
