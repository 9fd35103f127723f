"""The words of deciding: what a release deletes and when, what is damaged, flags, the time of grace."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tui import label
from tui.label import plain
from tui.triage_acts import ReleasePlan, Verified
from tui.widgets.ink import Line
from vault import rules
from vault.views import AssetView, Flag

if TYPE_CHECKING:
    from vault.custody.keeper import Packet
    from vault.triage.views import ReleaseView


FLAG_WORDS = {
    Flag.WANT: "to be fetched as soon as it can be had",
    Flag.SKIP: "not needed here: it is at risk no more, and nothing fetches it by itself",
    Flag.FORGET: "say no more of it: not at risk, and no fault either",
    Flag.HOLD: "never let the service delete it",
}
FLAG_LETTERS = {Flag.WANT: "w", Flag.SKIP: "s", Flag.FORGET: "f", Flag.HOLD: "h"}
FLAG_INKS = {Flag.WANT: "info", Flag.SKIP: "dim", Flag.FORGET: "dim", Flag.HOLD: "warn"}
_MOST = 40
"""Assets that a dialog names one by one."""


def flags_line(flags: Iterable[Flag]) -> Line:
    """The flags of something, in words, each before a blank."""
    shown = set(flags)
    return tuple((f"{flag} ", FLAG_INKS[flag]) for flag in Flag if flag in shown)


def release_title(plan: ReleasePlan) -> str:
    """What is asked, with how many and how much."""
    sizes = [asset.size for asset in (*plan.free, *plan.along)]
    much = label.size(sum(size or 0 for size in sizes))
    return f"Let the service delete {label.count(len(sizes), 'asset')}, {much}?"


Kept = Callable[[str], timedelta | None]
"""How long the service of an account keeps what it was told to let go; None: nobody knows."""


def release_lines(plan: ReleasePlan, grace_s: float, now: datetime, kept: Kept) -> list[str]:
    """What the dialog says: when it is sent, what the service deletes, what goes along, what is refused and why."""
    until = now + timedelta(seconds=grace_s)
    lines = [*_besides(plan)]
    lines += [
        f"Nothing is sent for {label.duration(grace_s)} (until {label.clock(until)} UTC): u stops it until then. "
        "Each file is read again just before. What the service has deleted does not come back.",
        "",
    ]
    for asset in plan.free[:_MOST]:
        lines += _one(asset, until, kept)
    if plan.along:
        lines.append(f"{label.count(len(plan.along), 'other asset')} of the same conference, which it deletes with it:")
        for asset in plan.along[:_MOST]:
            lines += _one(asset, until, kept)
    more = len(plan.free[_MOST:]) + len(plan.along[_MOST:])
    if more:
        lines.append(f"and {label.count(more, 'more asset')}")
    if plan.refused:
        lines += ["", f"Not released, {label.count(len(plan.refused), 'asset')}:"]
        lines += [f"{_name(asset)}: {plain(words)}" for asset, words in plan.refused[:_MOST]]
    return lines


def _besides(plan: ReleasePlan) -> list[str]:
    """First, since the rest may have to be scrolled to: how many go along, and how many do not go."""
    told = [f"{len(plan.free)} by name"]
    if plan.along:
        told.append(f"{label.count(len(plan.along), 'other')} of the same conference with it")
    if plan.refused:
        told.append(f"{label.count(len(plan.refused), 'asset')} not: the last lines say why")
    return [f"{', '.join(told)}.", ""] if len(told) > 1 else []


def _one(asset: AssetView, sent: datetime, kept: Kept) -> list[str]:
    stay = kept(asset.identity.account)
    when = f"about {label.when(sent + stay)}" if stay is not None else "when, nobody says before it is told"
    return [
        f"{_name(asset)}, {label.size(asset.size)}",
        f"  the service deletes it: {when}",
        f"  kept here: {plain(asset.path)}",
    ]


def _name(asset: AssetView) -> str:
    return f"{plain(asset.title) or plain(asset.identity.meeting)}: {asset.identity.kind}"


def damage_lines(found: Verified) -> list[str]:
    """Each culprit by name, and whether it can be had again."""
    lines = []
    for asset, words in found.wrong[:_MOST]:
        lines.append(f"{_name(asset)}: {plain(words)}")
        reason = rules.why_not_fetch(asset)
        lines.append(f"  it cannot be fetched again: {plain(reason)}" if reason else "  the service still has it")
    return lines


def packet_text(packet: "Packet") -> str:
    """Where a packet lies, and how anyone checks it."""
    lines = [
        str(packet.path),
        "",
        f"{label.count(len(packet.assets), 'asset')}, {label.count(packet.files, 'file')}, {label.size(packet.size)}",
        f"head of the log: {packet.head}",
        f"SHA-256 of its tag manifest: {packet.tag_manifest}",
        "",
        "README.txt in it is for a person. It is checked by",
        f"  cd '{packet.path}' && sha256sum -c manifest-sha256.txt",
        f"  reeldesk verify --packet '{packet.path}'",
    ]
    return "\n".join(lines)


def grace_words(releases: "Sequence[ReleaseView]", now: datetime) -> str:
    """How many releases are open and when the next is sent, in minutes so that a line at rest stays as it is."""
    if not releases:
        return ""
    many = label.count(len(releases), "release")
    waiting = [view for view in releases if view.state.can_be_stopped]
    if not waiting:
        return f"{many} being sent"
    left = min(view.left_s(now) for view in waiting)
    return f"{many}, sent in {left_words(left)}: u stops"


def left_words(left_s: float) -> str:
    """A time of grace that is left: minutes, and seconds in its last one."""
    return label.duration(left_s // 60 * 60 if left_s >= 60 else left_s // 1)
