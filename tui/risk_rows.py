"""What the risk list says: columns of a row, the totals, why it is empty."""

import math
from collections.abc import Sequence

from tui import label
from tui.context import Context
from tui.label import plain
from tui.risk_words import room_words, row_words, size_words
from tui.rows import state_cell
from tui.triage_words import flags_line
from tui.widgets.columns import Column
from tui.widgets.ink import Line
from vault.risk import RiskRow, RiskView, Verdict

VERDICT_INKS = {
    Verdict.OVERDUE: "bad",
    Verdict.WILL_BE_LOST: "bad",
    Verdict.TIGHT: "warn",
    Verdict.IN_TIME: "good",
    Verdict.UNKNOWN: "dim",
}


def slack_cell(row: RiskRow) -> str:
    """The time that is left to begin with it, in minutes at the finest: a line at rest is not drawn again."""
    if row.slack_s is None:
        return label.UNKNOWN
    span = abs(row.slack_s)
    words = "<1m" if span < 60 else _coarse(span)
    return f"-{words}" if row.slack_s < 0 else words


def risk_columns(context: Context) -> tuple[Column[RiskRow], ...]:
    """Slack first, since the list is in its order; the title is the last to go."""
    glyphs = context.glyphs

    def verdict(row: RiskRow) -> Line:
        return ((str(row.verdict), VERDICT_INKS[row.verdict]),)

    def title(row: RiskRow) -> Line:
        return (*flags_line(row.asset.flags), (plain(row.asset.title) or plain(row.asset.identity.meeting), ""))

    return (
        Column("Slack", 7, 1, lambda row: ((slack_cell(row), VERDICT_INKS[row.verdict]),), right=True),
        Column("Verdict", 12, 2, verdict),
        Column("State", 11, 3, lambda row: state_cell(row.asset.state, row.asset.local, glyphs)),
        Column("Title", 18, 0, title, flex=True),
        Column("Kind", 10, 7, lambda row: ((str(row.asset.identity.kind), "dim"),)),
        Column("Account", 8, 5, lambda row: ((plain(row.asset.identity.account), "dim"),)),
        Column("Size", 8, 4, lambda row: ((size_words(row), "dim"),), right=True),
        Column("Needs", 7, 6, lambda row: ((_coarse(row.need_s), "dim"),), right=True),
        Column("Deleted UTC", 11, 8, lambda row: ((label.when_short(row.deadline), "dim"),)),
    )


def steady(before: Sequence[RiskRow], rows: Sequence[RiskRow]) -> tuple[RiskRow, ...]:
    """The rows in the order they had, so that none moves past the cursor while one decides; new ones by their slack.

    Queueing one changes the slack of all. The order is made anew when a verdict changes, and by the minute.
    """
    places = {row.asset.identity: (place, row.verdict) for place, row in enumerate(before)}
    known = [row for row in rows if row.asset.identity in places]
    if any(places[row.asset.identity][1] is not row.verdict for row in known):
        return tuple(rows)
    result = sorted(known, key=lambda row: places[row.asset.identity][0])
    for row in rows:
        if row.asset.identity not in places:
            later = (place for place, each in enumerate(result) if _slack(each) > _slack(row))
            result.insert(next(later, len(result)), row)
    return tuple(result)


def _slack(row: RiskRow) -> float:
    return math.inf if row.slack_s is None else row.slack_s


def place_line(view: RiskView | None, account: str, place: str, marked: int, grace: str) -> Line:
    """Which part of what is at risk is listed, and what is decided."""
    runs: list[tuple[str, str]] = [(f" At risk: {plain(account) or 'all accounts'} ", "strong"), (place, "")]
    if marked:
        runs.append((f"  {marked} marked", "mark"))
    if grace:
        runs.append((f"  {grace}", "warn"))
    if view is not None and view.totals.will_be_lost:
        runs.append((f"  ! {view.totals.will_be_lost} will be lost", "bad"))
    if view is not None and view.totals.unknown_deadlines:
        runs.append((f"  {view.totals.unknown_deadlines} with no known deadline, last", "dim"))
    return tuple(runs)


def totals_line(view: RiskView | None) -> Line:
    """Bytes pending, time needed, space free; loud when it does not fit."""
    if view is None:
        return ((" looking what is at risk", "dim"),)
    totals = view.totals
    pending = f" {label.count(totals.assets, 'asset')}, {label.size(totals.bytes)}"
    unknown = f" and {label.count(totals.unknown_sizes, 'unknown size')}" if totals.unknown_sizes else ""
    need = f", about {_coarse(totals.need_s)} to fetch; " if totals.assets else "; "
    late = ((f"; {totals.overdue} overdue", "bad"),) if totals.overdue else ()
    return ((pending + unknown + need, ""), (room_words(totals), "" if totals.fits else "bad"), *late)


def _coarse(span_s: float) -> str:
    """A span in minutes where it has any."""
    return label.duration(span_s // 60 * 60 if span_s >= 60 else max(span_s, 1.0))


def empty_risk(account: str) -> Sequence[str]:
    """Why the list is empty."""
    where = f" of {plain(account)}" if account else ""
    return (
        f"Nothing{where} is at risk.",
        "What is not held here and will be deleted stands here, least time first.",
        "R or esc goes back to the desk.",
    )


def sentence(row: RiskRow) -> Line:
    """The current row in words: the verdict, and from where the deadline is known."""
    identity = row.asset.identity
    return (
        (f" {plain(identity.variant or str(identity.kind))}: ", "dim"),
        (plain(row_words(row)), VERDICT_INKS[row.verdict]),
    )
