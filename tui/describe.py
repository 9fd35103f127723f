"""A meeting, its assets, a transfer and an account in lines: what the panes show. Pure: values in, lines out."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from tui import label
from tui.label import Glyphs, plain
from tui.rows import TRANSFER_INKS, health, is_due, left_words, progress_words, state_cell, wait_words, words_now
from tui.widgets.ink import Line, wrap
from tui.widgets.lines import Row
from vault.options import UNCHECKED
from vault.proof import Outcome, Proof
from vault.views import AccountView, AssetView, LocalState, MeetingView, TransferState, TransferView

_OUTCOMES = {
    Outcome.PASSED: ("passed", "good"),
    Outcome.FAILED: ("FAILED", "bad"),
    Outcome.NOT_STATED: ("not checked", "dim"),
    Outcome.UNREADABLE: ("could not be read", "warn"),
}
_INDENT = 2
More = tuple[list[Row], list[Row]]
"""Lines about an asset: what was decided, what happened."""
OURS = "this desk"
"""Who runs what this process runs."""


def field(name: str, value: str, width: int, ink: str = "") -> list[Row]:
    """A name and its value, which wraps under itself; a long name has a line of its own."""
    name, value = plain(name), plain(value)
    if not value:
        return []
    head = f"{name} "
    if len(head) > width // 3:
        rows = [Row(((label.cut(name, width), "dim"),))]
        return rows + [Row(((" " * _INDENT, ""), (part, ink))) for part in wrap(value, width - _INDENT)]
    first, *rest = wrap(value, width - len(head))
    rows = [Row(((head, "dim"), (first, ink)))]
    return rows + [Row(((" " * len(head), ""), (part, ink))) for part in rest]


def fields(pairs: Iterable[tuple[str, str]], width: int) -> list[Row]:
    """Several of them."""
    return [row for name, value in pairs for row in field(name, value, width)]


def words(text: str, width: int, ink: str = "") -> list[Row]:
    """A text of its own, wrapped."""
    return [Row(((part, ink),)) for part in wrap(label.safe_block(text), width)]


def heading(text: str, width: int, glyphs: Glyphs) -> list[Row]:
    """A title over a part. A rule as long as the line would cost 60 bytes each with every meeting gone to."""
    return [Row(()), Row(((label.cut(f"{glyphs.rule} {text}", width), "head"),))]


def meeting_rows(
    view: MeetingView, asset: AssetView | None, more: More, width: int, glyphs: Glyphs, now: datetime
) -> list[Row]:
    """The metadata pane: the meeting, its assets as entries of the cursor, and the chosen asset in full.

    `more`: what was decided about that asset, and what happened to it.
    """
    rows = [Row(((part, "strong"),)) for part in wrap(plain(view.title) or plain(view.meeting), width)]
    rows += fields(
        (
            ("account", f"{view.account} ({view.provider})"),
            ("id", view.meeting),
            ("start", label.when(view.started_at)),
            ("end", label.when(view.ended_at) if view.ended_at else ""),
            ("state", view.provider_state),
            ("people", ", ".join(view.people)),
        ),
        width,
    )
    rows += heading("Assets", width, glyphs)
    if not view.assets:
        rows += words("none known yet", width, "dim")
    for each in view.assets:
        rows.append(Row(asset_line(each, glyphs, now), each.identity))
    if asset is not None:
        rows += asset_rows(asset, more, width, glyphs, now)
    rows += heading("Known from", width, glyphs)
    rows += words(view.origin or "the service did not say", width)
    rows += fields((("first", label.when(view.first_seen)), ("last", label.when(view.last_seen))), width)
    rows += _details("More", view.details, width, glyphs)
    return rows


def asset_line(asset: AssetView, glyphs: Glyphs, now: datetime) -> Line:
    """An asset as an entry of the pane's small list."""
    name = str(asset.identity.kind) + (f".{plain(asset.identity.variant)}" if asset.identity.variant else "")
    tail: Line = ((f" {label.size(asset.size)}", "dim"),) if asset.size is not None else ()
    if asset.deadline is not None:
        tail += ((f" {label.slack(asset.deadline, now)}", label.slack_ink(asset.deadline, now)),)
    return (*state_cell(asset.state, asset.local, glyphs), (f" {name}", ""), *tail)


def asset_rows(asset: AssetView, more: More, width: int, glyphs: Glyphs, now: datetime) -> list[Row]:
    """All that is known of one asset."""
    decided, happened = more
    rows = heading(str(asset.identity.kind), width, glyphs)
    says = f"{asset.state} ({plain(asset.provider_state)})" if asset.provider_state else str(asset.state)
    rows += fields((("service", says), ("here", str(asset.local))), width)
    rows += field("error", asset.error, width, "bad")
    rows += field("warning", asset.warning, width, "warn")
    rows += decided
    if asset.deadline is not None:
        left = f"{label.when(asset.deadline)} ({label.slack(asset.deadline, now)})"
        rows += field("deleted", left, width, label.slack_ink(asset.deadline, now))
    rows += fields(
        (
            ("size", f"{label.size(asset.size)} ({asset.size} bytes)" if asset.size is not None else ""),
            ("path", asset.path),
            ("sha256", asset.sha256),
            ("stated", asset.checksum_stated),
            ("link", asset.link),
            ("id", str(asset.identity)),
        ),
        width,
    )
    rows += proof_rows(asset.proof, width, glyphs)
    rows += happened
    rows += _details("Asset", asset.details, width, glyphs)
    rows += _details("Found again by", asset.locator, width, glyphs)
    return rows


def proof_rows(proof: Proof | None, width: int, glyphs: Glyphs) -> list[Row]:
    """Each check in words, and no more than what was checked."""
    rows = heading("Proof", width, glyphs)
    if proof is None:
        return rows + words("none: nothing of it was ever fetched and checked here", width, "dim")
    return rows + _check_rows(proof, width)


def _check_rows(proof: Proof, width: int) -> list[Row]:
    rows: list[Row] = []
    for check in proof.checks:
        outcome, ink = _OUTCOMES[check.outcome]
        rows += field(check.name, f"{outcome}: {check.words}", width, ink)
    rows += fields((("proven", label.when(proof.proven_at)), ("from", proof.source)), width)
    if proof.missing:
        rows += field("for release", f"not enough: {proof.missing}", width, "warn")
    return rows


def _details(title: str, details: Mapping[str, str], width: int, glyphs: Glyphs) -> list[Row]:
    rows = [row for name, value in details.items() for row in field(name, value, width)]
    return heading(title, width, glyphs) + rows if rows else []


# A transfer ----------------------------------------------------------------------------------------------------------


def transfer_rows(
    view: TransferView,
    asset: AssetView | None,
    width: int,
    glyphs: Glyphs,
    now: datetime,
    own: str,
    key: Callable[[str], str],
) -> list[Row]:
    """A transfer in full, nothing cut: how it stands, what comes next, who runs it; of a finished one the proof.

    `asset`: what is held of it, once that is read. `own`: this process as a transfer's owner. `key(command)`: its key.
    """
    rows = [_standing(view, glyphs)]
    if view.state is TransferState.RUNNING:
        rows += field("rate", _pace(view), width)
    said = words_now(view)
    if view.state is TransferState.FAILED:
        rows += field("error", said, width, "bad")
    elif view.state is not TransferState.DONE:
        rows += field("waits because" if view.again_at is not None else "says", said, width)
        rows += field("before", "" if said else view.words, width, "dim")
    if view.again_at is not None:
        at = "as soon as its turn comes" if is_due(view, now) else f"{label.clock(view.again_at)} UTC, by itself"
        rows += field("next try", at, width, "warn")
    rows += field("keys", _keys(view.state, key), width)
    if view.state is TransferState.DONE and asset is not None and asset.proof is not None:
        rows += _finished(asset, asset.proof, width)
    runner = run_by(view.owner, own)
    rows += field(
        "run by", runner if runner in ("", OURS) else f"{runner}; it is steered from here all the same", width
    )
    moment = label.when(view.changed_at) if view.changed_at is not None else ""
    rows += field("ended" if view.state.ended else "queued", moment, width)
    rows += fields((("asset", str(view.asset)), ("title", view.title)), width)
    return rows


def _standing(view: TransferView, glyphs: Glyphs) -> Row:
    sign = (f"{glyphs.transfer[view.state]} {view.state}", TRANSFER_INKS[view.state])
    if view.state is TransferState.DONE:
        far = f"{label.size(view.received)} ({view.received} bytes)"
    elif view.total is None:
        far = f"{label.size(view.received)} here, of a total that is not known"
    else:
        far = f"{label.size(view.received)} of {label.size(view.total)}, {progress_words(view)}"
    running = view.state is TransferState.RUNNING
    tries = f", try {view.attempts}" if running else f", after {label.count(view.attempts, 'try', 'tries')}"
    told = view.attempts > (view.state is TransferState.DONE)
    return Row((("state ", "dim"), sign, (f", {far}{tries if told else ''}", "")))


def _pace(view: TransferView) -> str:
    if view.total and view.received >= view.total:
        return "every byte has arrived, and is being written and proven"
    if view.rate is None:
        return "not known yet"
    left = f"{left_words(view)} left" if view.eta_s is not None else "no telling how long that takes"
    return f"{label.rate(view.rate)}, {left}"


def _keys(state: TransferState, key: Callable[[str], str]) -> str:
    """What a person can do about it."""
    retry, hurry, pause, cancel = (key(f"transfer.{name}") for name in ("retry", "now", "pause", "cancel"))
    order = f"{key('transfer.sooner')} {key('transfer.later')}"
    match state:
        case TransferState.QUEUED:
            return f"{hurry} puts it first, {order} move it, {pause} pauses it, {cancel} cancels it"
        case TransferState.RUNNING:
            return f"{pause} pauses it, {cancel} cancels it; what is here of it stays"
        case TransferState.WAITING:
            return f"{hurry} tries it now, {pause} pauses it, {cancel} cancels it"
        case TransferState.PAUSED:
            return f"{pause} lets it go on where it stopped, {hurry} as the first, {cancel} cancels it"
        case TransferState.FAILED:
            return f"{retry} tries it again"
        case TransferState.CANCELLED:
            return f"{retry} queues it again; what was here of it stayed"
    return ""


def _finished(asset: AssetView, proof: Proof, width: int) -> list[Row]:
    rows = field("sha256", proof.sha256, width)
    if asset.local is not LocalState.HELD:
        rows += field("here now", str(asset.local), width, "bad")
    return rows + _check_rows(proof, width) + field("path", asset.path, width)


def run_by(owner: str, own: str) -> str:
    """Who runs a transfer, in words; "" for nobody. `own`: this process, as `HOST:PROCESS`."""
    if not owner:
        return ""
    (host, process), (own_host, own_process) = ((*each.split(":"), "")[:2] for each in (owner, own))
    if (host, process) == (own_host, own_process):
        return OURS
    return f"process {process} on {'this machine' if host == own_host else host}"


# An account -----------------------------------------------------------------------------------------------------------


def account_rows(
    view: AccountView, width: int, glyphs: Glyphs, now: datetime, *, syncing: bool, test: Iterable[Row] = ()
) -> list[Row]:
    """An account, what its last `test` found, and where each secret is kept, never a secret."""
    rows = [Row(((plain(view.name), "strong"), (f"  {plain(view.label)}", "dim")))]
    rows.append(Row(health(view, glyphs, syncing=syncing)))
    rows += field("error", view.error, width, "bad")
    rows += field("waits", wait_words(view, now), width, "warn")
    if not view.verify:
        rows += field(
            "TLS", f"{UNCHECKED} (verify = false): anyone in between can read along, the credential too", width, "bad"
        )
    rows += test
    rows += heading("Account", width, glyphs) if test else []
    rows += fields(
        (
            ("address", view.address),
            (
                "asked",
                f"{label.when(view.synced_at)} ({label.ago(view.synced_at, now)})" if view.synced_at else "never",
            ),
            ("found by", view.found_by),
            ("can", ", ".join(sorted(view.capabilities))),
            ("holds", f"{view.held} of {label.count(view.assets, 'asset')} in {label.count(view.meetings, 'meeting')}"),
            ("at risk", str(view.at_risk)),
            ("faults", str(view.faults)),
        ),
        width,
    )
    rows += heading("Credentials", width, glyphs)
    if not view.secrets:
        rows += words("this account needs none", width, "dim")
    rows += fields(((name, it.words) for name, it in view.secrets.items()), width)
    return rows
