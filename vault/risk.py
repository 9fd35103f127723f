"""What is lost first: every pending asset by its slack, and whether time and room suffice, before anything starts.

Slack is deadline - now - (bytes queued ahead of it in its account + its own) / observed rate of the account. The rate
is that of the account's last transfers; where there are none, it is assumed, and said to be. Accounts are taken to
fetch beside each other.
"""

import heapq
import shutil
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate
from operator import attrgetter
from pathlib import Path

from msgspec import Struct

from providers.models import AssetId
from vault.config import AccountConfig, Config
from vault.ledger import Ledger
from vault.ledger.risking import Done, Open, PendingSum, Waiting
from vault.views import AssetView

ASSUMED_RATE = 1_000_000.0
"""Bytes a second, where nothing was ever fetched from anywhere."""
RECENT_S = 30 * 86_400.0
"""Transfers older than this say nothing about the rate."""
ENOUGH_BYTES = 1 << 20
ENOUGH_TRANSFERS = 3
"""So much, or so many, is an observation."""
TIGHT_S = 3_600.0
RULING_S = 0.5
"""So long a look applies rules that were changed."""
SCANNED = 20_000
"""Assets of an account that are looked at one by one, and queued transfers; beyond that figures are lower bounds."""


class Verdict(StrEnum):
    """What becomes of an asset, at the rate that is known."""

    OVERDUE = "overdue"
    """Its deadline has passed, and the service still said that it has it when it was last asked."""
    WILL_BE_LOST = "will be lost"
    TIGHT = "tight"
    """Less than an hour is left over, or less than it takes once more."""
    IN_TIME = "in time"
    UNKNOWN = "unknown"
    """Nobody states a deadline."""


class Rate(Struct, frozen=True):
    """Bytes a second of an account. Not `observed`: assumed, from other accounts or from nothing (`transfers` 0)."""

    bytes_per_s: float
    observed: bool
    transfers: int
    """By so many it is known."""


class RiskRow(Struct, frozen=True):
    """A pending asset. Spans in seconds, sizes in bytes."""

    asset: AssetView
    deadline: datetime | None
    basis: str
    """How the deadline is known, in words."""
    ahead: int
    """Bytes that are queued before it in its account."""
    size: int
    """What is left of it to fetch; assumed when not `size_known`, 0 when nothing can be assumed."""
    size_known: bool
    need_s: float
    slack_s: float | None
    verdict: Verdict

    @property
    def key(self) -> tuple[str, str]:
        """Of its meeting: account and meeting id."""
        return (self.asset.identity.account, self.asset.identity.meeting)


class RiskTotals(Struct, frozen=True):
    """Of everything pending, or of what is about to be queued. Spans in seconds, sizes in bytes."""

    assets: int
    bytes: int
    """To fetch, with what is assumed where a size is not known."""
    unknown_sizes: int
    unknown_deadlines: int
    will_be_lost: int
    """Each by itself, if it is queued now; of what is about to be queued, all of it together."""
    overdue: int
    need_s: float
    free_bytes: int | None
    """On the vault's file system; None when it cannot be told."""
    late_together: int = 0
    """How many come too late when everything that has a deadline is fetched, the earliest first."""

    @property
    def missing_bytes(self) -> int:
        """How much more room it takes; 0: it fits."""
        return 0 if self.free_bytes is None else max(0, self.bytes - self.free_bytes)

    @property
    def fits(self) -> bool:
        """Whether there is room for all of it."""
        return self.missing_bytes == 0


class RiskView(Struct, frozen=True):
    """A page of what is pending, least slack first, unknown deadlines last; totals are of all of it."""

    rows: tuple[RiskRow, ...]
    more: int
    """Rows after this page."""
    exact: bool
    """False: there is too much to look at all of it, or to give all of it the deadlines of a rule that was changed."""
    totals: RiskTotals
    rates: Mapping[str, Rate]
    at: datetime


class _Lane(Struct, frozen=True):
    """What is known of an account before its assets are looked at."""

    rate: float
    mean: int
    positions: Sequence[float]
    sums: Sequence[int]
    """Bytes queued before each position, and all of them at the end."""
    largest: int

    @classmethod
    def of(cls, rate: Rate, mean: int, waiting: Sequence[Waiting], pending: PendingSum) -> "_Lane":
        left = [mean if each.left is None else each.left for each in waiting]
        sums = list(accumulate(left, initial=0))
        return cls(rate.bytes_per_s, mean, [each.position for each in waiting], sums, max(pending.largest, mean))

    @property
    def longest_s(self) -> float:
        """No asset of the account takes longer."""
        return (self.sums[-1] + self.largest) / self.rate

    def measure(self, asset: Open, now: float) -> "_Measured":
        size = self.mean if asset.size is None else max(0, asset.size - asset.received)
        # One that is not queued would be queued at its deadline.
        position = asset.deadline if asset.position is None else asset.position
        ahead = self.sums[bisect_left(self.positions, position)]
        need = (ahead + size) / self.rate
        return _Measured(asset.deadline - now - need, asset, ahead, size, need)


class _Measured(Struct, frozen=True):
    slack: float
    asset: Open
    ahead: int
    size: int
    need: float


_by_slack = attrgetter("slack")


class Risk:
    """The use case `risk`. Its calls block for moments; from any thread."""

    def __init__(self, config: Config, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._config = config
        self._ledger = ledger
        self._now = now
        self._sums: tuple[int, dict[str, PendingSum]] = (-1, {})

    def look(self, account: str = "", *, offset: int = 0, limit: int = 200) -> RiskView:
        """What is pending at an account ("": at all), least slack first, from `offset` on."""
        moment = self._now()
        now = moment.timestamp()
        names = [account] if account else list(self._config.accounts)
        ruled = [self._rule(name, moment) for name in names]
        sums = {name: each for name, each in self._pending_sums().items() if name in names}
        rates = self._rates(now)
        lanes, whole = self._lanes(sums, rates)
        measured, complete = self._measured(lanes, now, offset + limit)
        page = measured[offset : offset + limit]
        dated = sum(each.assets - each.unknown_deadlines for each in sums.values())
        undated = self._undated(sums, max(0, offset - dated), offset + limit - max(dated, offset))
        rows = self._rows(page, undated, lanes, now)
        totals = self._totals(sums, lanes, measured, now)
        more = max(0, totals.assets - offset - len(rows))
        return RiskView(
            rows, more, whole and complete and all(ruled), totals, {name: rates[name] for name in names}, moment
        )

    def _rule(self, name: str, since: datetime) -> bool:
        """Let what is known go by the account's rule; in a very large ledger not all at once (a sync does the rest)."""
        days = self._config.accounts[name].keep_days
        return self._ledger.rules.apply(name, days, lambda: (self._now() - since).total_seconds() < RULING_S)

    def room(self, identities: Collection[AssetId] | None = None) -> RiskTotals:
        """Whether these fit on the disk and come in time, beside what is queued already (None: what is queued alone).

        They are taken in the order of their deadlines, as the queue takes them.
        """
        now = self._now().timestamp()
        rates = self._rates(now)
        lanes, _ = self._lanes(self._pending_sums(), rates)
        wanted = [each for each in self._ledger.pending.of([*map(str, identities or ())]) if each.position is None]
        size = sum(lane.sums[-1] for lane in lanes.values())
        lost = overdue = 0
        spans = {name: lane.sums[-1] / lane.rate for name, lane in lanes.items()}
        before: dict[str, int] = {}
        for asset in sorted(wanted, key=lambda each: each.deadline):
            lane = lanes[asset.account]
            one = lane.measure(asset, now)
            before[asset.account] = before.get(asset.account, 0) + one.size
            spans[asset.account] = (lane.sums[-1] + before[asset.account]) / lane.rate
            size += one.size
            overdue += asset.deadline <= now
            lost += now < asset.deadline < now + (one.ahead + before[asset.account]) / lane.rate
        return RiskTotals(
            assets=len(wanted) + sum(len(lane.positions) for lane in lanes.values()),
            bytes=size,
            unknown_sizes=sum(each.size is None for each in wanted),
            unknown_deadlines=sum(each.deadline == float("inf") for each in wanted),
            will_be_lost=lost,
            overdue=overdue,
            need_s=max(spans.values(), default=0.0),
            free_bytes=free_bytes(self._config.vault_path),
        )

    # What it is reckoned by.

    def _pending_sums(self) -> dict[str, PendingSum]:
        """As long as nothing changed, what was summed up the last time holds."""
        number = self._ledger.change_number()
        if self._sums[0] != number:
            self._sums = (number, self._ledger.pending.sums())
        return self._sums[1]

    def _rates(self, now: float) -> dict[str, Rate]:
        accounts = self._config.accounts
        seen = {name: observed(self._ledger.pending.done(name, now - RECENT_S)) for name in accounts}
        known = [rate.bytes_per_s for rate in seen.values() if rate is not None]
        assumed = Rate(sum(known) / len(known) if known else ASSUMED_RATE, observed=False, transfers=0)
        return {name: self._limited(account, seen[name] or assumed) for name, account in accounts.items()}

    def _limited(self, account: AccountConfig, rate: Rate) -> Rate:
        limits = [each for each in (account.max_bytes_per_s, self._config.max_bytes_per_s) if each > 0]
        return Rate(min(rate.bytes_per_s, *limits), rate.observed, rate.transfers) if limits else rate

    def _lanes(self, sums: Mapping[str, PendingSum], rates: Mapping[str, Rate]) -> tuple[dict[str, _Lane], bool]:
        queued, whole = self._ledger.pending.queued(SCANNED)
        means = self._ledger.pending.mean_held()
        lanes = {
            name: _Lane.of(
                rates[name],
                means.get(name, means.get("", 0)),
                queued.get(name, ()),
                sums.get(name, PendingSum()),
            )
            for name in rates
        }
        return lanes, whole

    # One by one.

    def _measured(self, lanes: Mapping[str, _Lane], now: float, wanted: int) -> tuple[list[_Measured], bool]:
        """Those with the least slack, in that order, and every one that will be lost; and whether it is all of them.

        Deadlines are gone through from the earliest on, until none of the rest can have less slack.
        """
        found: list[_Measured] = []
        best: list[float] = []
        """A heap of the `wanted` least slacks, negated."""
        complete = True
        for name, lane in lanes.items():
            for count, asset in enumerate(self._ledger.pending.by_deadline(name)):
                least = asset.deadline - now - lane.longest_s
                if least > 0 and len(best) >= wanted and least > -best[0]:
                    break
                if count >= SCANNED:
                    complete = False
                    break
                one = lane.measure(asset, now)
                found.append(one)
                if len(best) < wanted:
                    heapq.heappush(best, -one.slack)
                else:
                    heapq.heappushpop(best, -one.slack)
        return sorted(found, key=_by_slack), complete

    def _undated(self, sums: Mapping[str, PendingSum], offset: int, limit: int) -> list[int]:
        found: list[int] = []
        for name in self._config.accounts:
            there = sums.get(name, PendingSum()).unknown_deadlines
            if limit > len(found) and offset < there:
                found += self._ledger.pending.undated(name, offset, limit - len(found))
            offset = max(0, offset - there)
        return found

    def _rows(
        self, page: Iterable[_Measured], undated: Sequence[int], lanes: Mapping[str, _Lane], now: float
    ) -> tuple[RiskRow, ...]:
        page = list(page)
        views = self._ledger.pending.views([*(one.asset.id for one in page), *undated])
        rows = [_row(one, views[one.asset.id], now) for one in page if one.asset.id in views]
        for number in undated:
            if (view := views.get(number)) is not None:
                lane = lanes[view.identity.account]
                one = lane.measure(Open(number, view.identity.account, float("inf"), view.size, 0, None, 0.0), now)
                rows.append(_row(one, view, now))
        return tuple(rows)

    def _totals(
        self, sums: Mapping[str, PendingSum], lanes: Mapping[str, _Lane], measured: Iterable[_Measured], now: float
    ) -> RiskTotals:
        sizes = {name: each.bytes + each.unknown_sizes * lanes[name].mean for name, each in sums.items()}
        late = [one for one in measured if one.slack < 0]
        overdue = sum(one.asset.deadline <= now for one in late)
        return RiskTotals(
            assets=sum(each.assets for each in sums.values()),
            bytes=sum(sizes.values()),
            unknown_sizes=sum(each.unknown_sizes for each in sums.values()),
            unknown_deadlines=sum(each.unknown_deadlines for each in sums.values()),
            will_be_lost=len(late) - overdue,
            overdue=overdue,
            need_s=max((size / lanes[name].rate for name, size in sizes.items()), default=0.0),
            free_bytes=free_bytes(self._config.vault_path),
            late_together=sum(
                self._ledger.pending.late(name, now, lanes[name].rate, lanes[name].mean)
                for name, each in sums.items()
                if each.assets > each.unknown_deadlines
            ),
        )


def observed(done: Sequence[Done]) -> Rate | None:
    """The rate of transfers: their bytes, by the time in which at least one of them ran. None: too few to tell."""
    size = sum(each.arrived for each in done)
    if size < ENOUGH_BYTES and len(done) < ENOUGH_TRANSFERS:
        return None
    busy, until = 0.0, float("-inf")
    for each in sorted(done, key=lambda one: one.began):
        busy += max(0.0, each.ended - max(each.began, until))
        until = max(until, each.ended)
    return Rate(size / max(busy, 1e-3), observed=True, transfers=len(done))


def free_bytes(folder: Path) -> int | None:
    """Bytes that can be written in a folder, or where it will be made; None when that cannot be told."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def _row(one: _Measured, view: AssetView, now: float) -> RiskRow:
    dated = one.asset.deadline != float("inf")
    return RiskRow(
        asset=view,
        deadline=datetime.fromtimestamp(one.asset.deadline, UTC) if dated else None,
        basis=_basis(one.asset, view) if dated else "unknown",
        ahead=one.ahead,
        size=one.size,
        size_known=one.asset.size is not None,
        need_s=one.need,
        slack_s=one.slack if dated else None,
        verdict=_verdict(one, now) if dated else Verdict.UNKNOWN,
    )


def _basis(asset: Open, view: AssetView) -> str:
    if asset.rule_days:
        return f"your rule: {asset.rule_days:g} days at the service"
    return view.details.get("Deadline", "stated by the service")


def _verdict(one: _Measured, now: float) -> Verdict:
    if one.asset.deadline <= now:
        return Verdict.OVERDUE
    if one.slack < 0:
        return Verdict.WILL_BE_LOST
    return Verdict.TIGHT if one.slack < max(TIGHT_S, one.need) else Verdict.IN_TIME
