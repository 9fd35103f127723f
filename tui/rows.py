"""What the tables' columns say: meetings, transfers, accounts."""

from collections.abc import Callable
from datetime import datetime

from providers.models import AssetKind, RemoteState
from tui import label
from tui.context import Context
from tui.label import Glyphs, plain
from tui.widgets.columns import Column
from tui.widgets.ink import Line
from vault.views import AccountView, LocalState, MeetingRow, Stage, TransferState, TransferView

REMOTE_INKS = {
    RemoteState.PROCESSING: "dim",
    RemoteState.AVAILABLE: "info",
    RemoteState.FAILED: "bad",
    RemoteState.ABANDONED: "dim",
    RemoteState.EXPIRED: "warn",
    RemoteState.UNKNOWN: "dim",
}
LOCAL_INKS = {
    LocalState.ABSENT: "dim",
    LocalState.QUEUED: "info",
    LocalState.FETCHING: "info",
    LocalState.HELD: "good",
    LocalState.DAMAGED: "bad",
    LocalState.LOST: "bad",
}
TRANSFER_INKS = {
    TransferState.QUEUED: "",
    TransferState.RUNNING: "info",
    TransferState.WAITING: "warn",
    TransferState.PAUSED: "dim",
    TransferState.FAILED: "bad",
    TransferState.CANCELLED: "dim",
    TransferState.DONE: "good",
}
STAGES_WIDTH = 6
TITLE_LEAVES = 12
"""Cells more than its least that a title has before the account is shown beside it."""
_STAGE_ORDER = tuple(AssetKind)


def state_cell(remote: RemoteState, local: LocalState, glyphs: Glyphs) -> Line:
    """A state as glyph and word: what is here where something is, else what the service says."""
    if local is LocalState.ABSENT or (local is LocalState.HELD and remote is RemoteState.FAILED):
        return ((f"{glyphs.remote[remote]} {remote}", REMOTE_INKS[remote]),)
    return ((f"{glyphs.local[local]} {local}", LOCAL_INKS[local]),)


def stage_cell(stages: tuple[Stage, ...]) -> Line:
    """The assets' letters: lower-case seen, upper-case held, `!` behind a failed one, or for it where many failed."""
    runs: list[tuple[str, str]] = []
    failed = sum(stage.failed for stage in stages)
    room = len(stages) + failed <= STAGES_WIDTH
    for stage in sorted(stages, key=lambda stage: _STAGE_ORDER.index(stage.kind)):
        letter = label.STAGE_LETTERS[stage.kind]
        if stage.failed:
            runs.append((letter + "!" if room else "!", "bad"))
        else:
            runs.append((letter.upper(), "good") if stage.held else (letter, ""))
    return tuple(runs)


def meeting_columns(context: Context) -> tuple[Column[MeetingRow], ...]:
    """The desk's columns; the title is the last to go."""
    glyphs = context.glyphs

    def left(row: MeetingRow) -> Line:
        now = context.now()
        return ((label.slack(row.deadline, now), label.slack_ink(row.deadline, now)),)

    def start(row: MeetingRow) -> Line:
        return ((label.when_short(row.started_at, context.now()), "dim"),)

    return (
        Column("Has", STAGES_WIDTH, 3, lambda row: stage_cell(row.stages), sort="has"),
        Column("State", 12, 1, lambda row: state_cell(row.state, row.local, glyphs), sort="state"),
        Column("Title", 20, 0, lambda row: ((plain(row.title) or plain(row.meeting), ""),), flex=True, sort="title"),
        Column(
            "Start UTC", 11, 4, lambda row: ((label.when_short(row.started_at, context.now()), "dim"),), sort="start"
        ),
        Column("Size", 7, 5, lambda row: ((label.size(row.size), "dim"),), right=True, sort="size"),
        Column("Account", 9, 6, lambda row: ((plain(row.account), "dim"),), sort="account", leaves=TITLE_LEAVES),
        Column("Slack", 7, 2, left, right=True, sort="deadline"),
    )


def progress_words(view: TransferView) -> str:
    """How far it is: percent where the total is known, else what has arrived."""
    if view.total:
        return f"{min(view.received * 100 // view.total, 100)} %"
    return label.size(view.received) if view.received else ""


def left_words(view: TransferView) -> str:
    """The time left; `proving` when every byte is here and only the checks are left."""
    return "proving" if view.total and view.received >= view.total else label.duration(view.eta_s)


def is_due(view: TransferView, now: datetime) -> bool:
    """Whether the moment it waited for has come, so that it waits for its turn only."""
    return view.again_at is not None and view.again_at <= now


def next_try(view: TransferView, now: datetime) -> str:
    """When it is tried next; "" when it waits for no moment. No countdown: a line at rest is not drawn again."""
    if view.again_at is None:
        return ""
    return "next try in turn" if is_due(view, now) else f"next try {label.clock(view.again_at)} UTC"


def words_now(view: TransferView) -> str:
    """Its words where they say how it stands; of what is merely queued, paused or cancelled they are of the past."""
    past = view.state in (TransferState.QUEUED, TransferState.PAUSED, TransferState.CANCELLED)
    return "" if past and view.again_at is None else plain(view.words)


def transfer_columns(context: Context, now: Callable[[TransferView], TransferView]) -> tuple[Column[TransferView], ...]:
    """The queue's columns. `now`: a row as it is at this moment."""
    glyphs = context.glyphs

    def state(view: TransferView) -> Line:
        return ((f"{glyphs.transfer[view.state]} {view.state}", TRANSFER_INKS[view.state]),)

    def progress(view: TransferView) -> Line:
        if view.state.ended and view.state is not TransferState.FAILED:
            return ((label.size(view.total or view.received or None), "dim"),)
        return ((label.bar(view.received, view.total, 6, glyphs), "info"), (f" {progress_words(view):>6}", ""))

    def words(view: TransferView) -> Line:
        if view.state is TransferState.RUNNING:
            return ((f"{label.rate(view.rate):>9} {left_words(view):>7}", ""),)
        if view.again_at is not None:
            at = "in turn" if is_due(view, context.now()) else label.clock(view.again_at)
            return ((f"{at:<8} ", "warn"), (words_now(view), "dim"))
        return ((words_now(view), "bad" if view.state is TransferState.FAILED else "dim"),)

    def title(view: TransferView) -> Line:
        return ((plain(view.title) or plain(view.asset.meeting), ""),)

    def tries(row: TransferView) -> Line:
        attempts = now(row).attempts
        return ((str(attempts) if attempts else "", "dim"),)

    return (
        Column("State", 11, 0, lambda row: state(now(row)), sort="state"),
        Column("Meeting", 16, 1, title, flex=True, sort="title"),
        Column("Asset", 10, 3, lambda view: ((str(view.asset.kind), "dim"),), sort="kind"),
        Column("Progress", 13, 2, lambda row: progress(now(row)), sort="size"),
        Column("Rate, left, next UTC", 20, 4, lambda row: words(now(row)), flex=True),
        Column("Try", 3, 5, tries, right=True, sort="tries"),
    )


def health(view: AccountView, glyphs: Glyphs, *, syncing: bool) -> Line:
    """An account's health as glyph and word; `waiting` while nothing of it is fetched, since the service fails."""
    if syncing:
        return ((f"{glyphs.syncing} asking", "info"),)
    waits = view.held_until is not None
    if view.error:
        return ((f"{glyphs.bad} error", "bad"), *(((", waiting", "warn"),) if waits else ()))
    if waits:
        return ((f"{glyphs.transfer[TransferState.WAITING]} waiting", "warn"),)
    if view.synced_at is None:
        return ((f"{glyphs.idle} not asked yet", "dim"),)
    if not view.asked:
        return ((f"{glyphs.idle} by webhook", "dim"),)
    return ((f"{glyphs.ok} ok", "good"),)


def wait_words(view: AccountView, now: datetime) -> str:
    """Until when nothing of an account is fetched, and why; "" when it is fetched."""
    if view.held_until is None:
        return ""
    until = f"nothing is fetched until {label.clock(view.held_until)} UTC"
    return f"{'one transfer is tried' if view.held_until <= now else until}: {plain(view.held_words)}"


def account_columns(context: Context) -> tuple[Column[AccountView], ...]:
    """Mode 6's columns."""

    def state(view: AccountView) -> Line:
        line = health(view, context.glyphs, syncing=view.name in context.engine.snapshot().syncing)
        if view.verify:
            return line
        glyph, ink = line[0]  # the sign says how it is; its words stand in the details
        return ((f"{glyph.split()[0]} ", ink), ("TLS unchecked", "bad"))

    return (
        Column("Account", 12, 0, lambda view: ((plain(view.name), "strong"),), flex=True),
        Column("Service", 10, 2, lambda view: ((plain(view.provider), ""),)),
        Column("Health", 16, 1, state),
        Column("Meetings", 8, 5, lambda view: ((str(view.meetings), ""),), right=True),
        Column("Held", 9, 4, lambda view: ((f"{view.held}/{view.assets}", ""),), right=True),
        Column("At risk", 7, 3, lambda view: ((str(view.at_risk), "warn" if view.at_risk else "dim"),), right=True),
        Column("Asked", 12, 6, lambda view: ((label.ago(view.synced_at, context.now()), "dim"),), right=True),
    )
