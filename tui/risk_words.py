"""What is at risk, in words: rows, rates and totals. Without Textual, so that commands have them too."""

from tui.figures import UNKNOWN, count, duration, rate, size
from vault.risk import Rate, RiskRow, RiskTotals, Verdict


def slack_words(row: RiskRow) -> str:
    """`2h 5m`, `-3d` when it is too late, a dash when nobody states a deadline."""
    if row.slack_s is None:
        return UNKNOWN
    return duration(row.slack_s) if row.slack_s >= 0 else f"-{duration(-row.slack_s)}"


def size_words(row: RiskRow) -> str:
    """What is left of it to fetch; `~` before what is assumed."""
    if row.size_known:
        return size(row.size)
    return f"~{size(row.size)}" if row.size else UNKNOWN


def row_words(row: RiskRow) -> str:
    """One sentence: what becomes of it, and why."""
    if row.verdict is Verdict.UNKNOWN:
        return "nobody states a deadline"
    if row.verdict is Verdict.OVERDUE:
        return f"its deadline has passed ({row.basis}); it may be gone"
    need = f"it takes {duration(row.need_s) if row.need_s >= 1 else 'under a second'}"
    if row.ahead:
        need += f" with {size(row.ahead)} queued before it"
    if row.verdict is Verdict.WILL_BE_LOST:
        return f"{need}, which is {duration(-(row.slack_s or 0.0))} too long ({row.basis})"
    return f"{need} ({row.basis})"


def rate_words(one: Rate) -> str:
    """By what the time is reckoned."""
    if one.observed:
        return f"{rate(one.bytes_per_s)} over the last {count(one.transfers, 'transfer')}"
    return f"not known yet; assumed: {rate(one.bytes_per_s)}"


def totals_words(totals: RiskTotals) -> str:
    """How much is pending, how long it takes, and whether it fits."""
    words = [f"{count(totals.assets, 'asset')} pending, {size(totals.bytes)}"]
    if totals.unknown_sizes:
        words[0] += f" ({count(totals.unknown_sizes, 'size')} not known)"
    if totals.assets:
        words.append(f"about {duration(max(totals.need_s, 1.0))} to fetch")
    if totals.overdue:
        words.append(f"{totals.overdue} overdue")
    if totals.will_be_lost:
        words.append(f"{totals.will_be_lost} will be lost")
    if totals.late_together > totals.will_be_lost:
        words.append(f"{totals.late_together} come too late if all of it is fetched")
    if totals.unknown_deadlines:
        words.append(f"{totals.unknown_deadlines} without a known deadline")
    return "; ".join([*words, room_words(totals)])


def room_words(totals: RiskTotals) -> str:
    """Whether there is room."""
    if totals.free_bytes is None:
        return "how much room there is cannot be told"
    if totals.fits:
        return f"{size(totals.free_bytes)} free"
    free, missing = size(totals.free_bytes), size(totals.missing_bytes)
    return f"DOES NOT FIT: {size(totals.bytes)} to fetch, {free} free, {missing} missing"
