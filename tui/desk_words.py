"""The desk's words: what the list shows now, why it is empty, why a key cannot act."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tui import label
from tui.acts import NOT_UNDER_WAY, Acts, most_common
from tui.context import Context
from tui.label import plain
from tui.rows import next_try, progress_words, wait_words, words_now
from tui.triage_acts import NEVER_HELD
from tui.widgets.ink import Line
from vault import rules
from vault.views import (
    AccountView,
    AssetView,
    Count,
    Coverage,
    MeetingView,
    Query,
    TransferState,
    TransferView,
)

if TYPE_CHECKING:
    from tui.widgets.table import Table
    from vault.engine import Snapshot

NO_LINK = "the service gave no link for it"


def state_line(
    query: Query, text: str, accounts: Sequence[AccountView], table: "Table[Any]", snapshot: "Snapshot", now: datetime
) -> Line:
    """What is listed: account, count, order, narrowing (`text`: what was typed), marks, whether services answer."""
    view = next((each for each in accounts if each.name == query.account), None)
    name = plain(query.account) or "All accounts"
    place = f"{table.cursor + 1:,} of {count_words(table.count)}" if table.total else "none"
    runs: list[tuple[str, str]] = [(f" {name} ", "strong"), (place, "")]
    if table.awaits_end:
        runs.append(("  counting, then to the last", "info"))
    if table.marks:
        runs.append((f"  {len(table.marks)} marked", "mark"))
    narrowed = [words for words, on in (("faults", query.faults), ("at risk", query.at_risk)) if on]
    if text:
        narrowed.append(f"with “{plain(text)}”")
    if narrowed:
        runs.append((f"  only {', '.join(narrowed)}", "warn"))
    runs.append((f"  by {query.sort} {'down' if query.descending else 'up'}", "dim"))
    if snapshot.syncing:
        runs.append((f"  asking {', '.join(sorted(snapshot.syncing))}", "info"))
    elif snapshot.trouble:
        runs.append((f"  {plain(snapshot.trouble)}", "bad"))
    elif view is not None and view.error:
        runs.append((f"  {plain(view.error)}", "bad"))
    elif view is not None and view.held_until is not None:
        runs.append((f"  {wait_words(view, now)}", "warn"))
    elif trouble := [each.name for each in accounts if each.error]:
        offline = all(each.error for each in accounts if each.asked)
        runs.append((f"  {'offline' if offline else 'no answer'}: {', '.join(trouble)}", "bad"))
    elif waiting := [each.name for each in accounts if each.held_until is not None]:
        runs.append((f"  waiting: {', '.join(waiting)}", "warn"))
    return tuple(runs)


def count_words(count: Count) -> str:
    """A number of rows; of one that is not exact, that there are at least so many."""
    return f"{count.number:,}" + ("" if count.exact else "+")


NOT_SEARCHED = "Not searched: what is only in recordings, and in transcripts that are not held."


def empty_words(
    context: Context,
    accounts: Sequence[AccountView],
    query: Query,
    text: str = "",
    coverage: Coverage | None = None,
) -> tuple[str, ...]:
    """Why the list is empty, and what to do next. `coverage`: what was searched for the `text` that was typed."""
    if not accounts:
        return (
            "No account is configured yet.",
            "n adds one: choose its service, fill in a form, see it tested.",
            "`reeldesk demo` shows everything over emulated services; D leaves for it.",
            f"Accounts are kept in {context.desk.config.path}.",
        )
    if text:
        narrowed = [words for words, on in (("faults", query.faults), ("at risk", query.at_risk)) if on]
        alone = f", among {' and '.join(narrowed)} only" if narrowed else ""
        alone += f", in {plain(query.account)} only" if query.account else ""
        return (f"Nothing fits this{alone}.", *_searched_words(coverage), "esc shows all again.")
    if query.faults or query.at_risk:
        return ("Nothing is wrong." if query.faults else "Nothing is at risk.", "esc shows all again.")
    view = next((each for each in accounts if each.name == query.account), None)
    if view is not None and view.error:
        return (f"Nothing is known of {view.name} yet.", view.error, "r asks again; 6 shows the account.")
    if view is not None:
        return (f"Nothing is known of {view.name} yet.", view.found_by, "r asks the service now.")
    if trouble := [f"{each.name}: {each.error}" for each in accounts if each.error]:
        return ("No recordings are known yet.", *trouble, "r asks again; 6 shows the accounts.")
    return ("No recordings are known yet.", "r asks the services now; 6 shows the accounts.")


def _searched_words(coverage: Coverage | None) -> tuple[str, ...]:
    if coverage is None:
        return ()
    said = f"{coverage.words[:1].upper()}{coverage.words[1:]}."
    waiting = coverage.meetings - coverage.searched
    late = () if not waiting else (f"{label.count(waiting, 'meeting')} not indexed yet: try again in a while.",)
    return (said, *late, NOT_SEARCHED)


def why_not_demo(command: str, context: Context) -> str:
    """Why the demo cannot be opened from here; "" when it can, or for other commands."""
    if command != "demo":
        return ""
    if context.banner:
        return "this is the demo"
    return (
        "the demo is offered while no account is configured: `reeldesk demo` opens it"
        if context.desk.config.accounts
        else ""
    )


def why_not_desk(command: str, context: Context, table: "Table[Any]", assets: Sequence[AssetView], acts: Acts) -> str:
    """Why a command of the desk cannot act now; "" when it can or is not one of these."""
    if command == "demo":
        return why_not_demo(command, context)
    if command == "sync":
        return "" if context.desk.config.accounts else "there is no account to ask"
    if not command.startswith(("asset.", "transfer.", "show.", "flag.")):
        return ""
    if not table.total:
        return "there is no meeting here"
    if command == "asset.link":
        return "" if any(asset.link for asset in assets) else NO_LINK
    if table.marks and command.startswith(("asset.fetch", "asset.verify", "asset.release", "asset.packet", "flag.")):
        return ""  # The marked ones are looked at one by one when the key is pressed.
    return why_not_assets(command, context, assets, acts)


def why_not_assets(command: str, context: Context, assets: Sequence[AssetView], acts: Acts) -> str:
    """Why a command cannot act on any of these assets; "" when it can on one."""
    desk = context.desk
    if not assets:
        return "" if command == "show.raw" else "no asset of it is known yet"
    if command == "asset.fetch":
        reasons = [rules.why_not_fetch(asset) for asset in assets]
        stands = where_it_stands(assets, context.engine.snapshot().transfers, context.now())
        if all(reasons) and stands:
            return stands
    elif command == "asset.verify":
        reasons = [rules.why_not_verify(asset) for asset in assets]
    elif command == "asset.release":
        reasons = [rules.why_not_release(asset, desk.capabilities(asset.identity.account)) for asset in assets]
    elif command == "asset.packet":
        reasons = ["" if asset.proof is not None else NEVER_HELD for asset in assets]
    elif command in ("transfer.cancel", "transfer.pause"):
        moving = any(not view.state.ended for view in acts.transfers(asset.identity for asset in assets))
        return "" if moving else NOT_UNDER_WAY
    else:
        return ""
    return "" if len([reason for reason in reasons if reason]) < len(assets) else most_common(reasons)


def where_it_stands(assets: Sequence[AssetView], transfers: Sequence[TransferView], now: datetime) -> str:
    """How the first transfer of these assets stands that has not ended; "" when none is under way."""
    wanted = {asset.identity for asset in assets}
    going = [view for view in transfers if not view.state.ended]
    place = next((place for place, view in enumerate(going) if view.asset in wanted), None)
    if place is None:
        return ""
    view = going[place]
    kind, said, again = view.asset.kind, words_now(view), next_try(view, now)
    if view.state is TransferState.RUNNING:
        return (
            f"its {kind} is being fetched: {progress_words(view) or 'nothing yet'}, {label.rate(view.rate)}; 2 shows it"
        )
    why = f": {', '.join(filter(None, (said, again)))}" if said or again else ""
    before = sum(view.state is not TransferState.PAUSED for view in going[:place])
    if view.state is TransferState.QUEUED and not why:
        why = f", {before} before it" if before else ", next in line"
    return f"its {kind} is {view.state}{why}; 2 shows the queue"


def copy_entries(meeting: MeetingView, asset: AssetView) -> list[tuple[str, str, str]]:
    """What `y` offers: letter, name, value."""
    entries = (
        ("i", "asset id", str(asset.identity)),
        ("p", "path", asset.path),
        ("s", "sha256", asset.sha256),
        ("t", "title", label.plain(meeting.title)),
        ("l", "link", asset.link),
    )
    return [entry for entry in entries if entry[2]]
