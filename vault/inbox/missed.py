"""What polling found that no webhook announced, and why that may be."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from providers import registry
from providers.base import ProviderError, ProviderInfo
from providers.models import Capability, DeliveryReport
from vault.connections import Connections
from vault.errors import VaultError
from vault.inbox.rotating import meant
from vault.inbox.subscribing import Subscribing
from vault.inbox.views import Missed, SubscriptionView
from vault.ledger.hooks import Hooks
from vault.views import Unannounced

_PATIENCE_S = 60.0
"""A webhook may come a little later than polling finds what it announces."""
_LIMIT = 100


class Known(Struct, frozen=True):
    """What is known of an account's webhooks at its service."""

    subscriptions: tuple[SubscriptionView, ...] = ()
    trouble: str = ""
    """Why they are not known, in words."""
    reports: tuple[DeliveryReport, ...] = ()
    """Of those that lead to us."""
    silent: str = ""
    """Why there are no reports, in words."""


def for_recordings(views: Sequence[SubscriptionView], topic: str, *, ours: bool) -> tuple[SubscriptionView, ...]:
    """Those registered for a topic that lead to us, or (`ours` False) that do not as far as one can tell."""
    return tuple(view for view in views if view.subscription.topic == topic and (view.ours is True) is ours)


_TRIES = timedelta(minutes=1)
"""Polling may find what the service is still trying to tell."""


def likely_reason(info: ProviderInfo, known: Known, assets: Sequence[Unannounced]) -> str:
    """Why nothing announced what polling found, in words; "" when it found nothing."""
    if not assets:
        return ""
    if known.trouble:
        return f"why is not known: {known.trouble}"
    topic = info.topics[0] if info.topics else ""
    if for_recordings(known.subscriptions, topic, ours=True):
        return _of_reports(known, max(asset.found_at for asset in assets))
    if others := for_recordings(known.subscriptions, topic, ours=False):
        where = others[0].subscription.url or "an address that is not told"
        if any(view.ours is None for view in others):
            return f"it cannot be told whether the webhook registered for {topic} leads to this receiver ({where})"
        return f"the webhook for {topic} is registered for {others[0].words or 'another address'} ({where})"
    for view in known.subscriptions:
        if meant(view.subscription, info.topics) == topic:
            return f"registered for the misspelt topic {view.subscription.topic}, which never fires: register {topic}"
    return f"no webhook is registered for {topic}"


def _of_reports(known: Known, found_at: datetime) -> str:
    """What the service's attempts to reach us say of what polling found then at the latest."""
    if known.silent:
        return f"registered, but how deliveries went is not known: {known.silent}"
    moments = [_moment(report.at) for report in known.reports]
    before = [
        report for report, at in zip(known.reports, moments, strict=True) if at is None or at <= found_at + _TRIES
    ]
    failed = [report for report in before if report.delivered is False]
    if failed:
        latest, count = failed[0], f"{len(failed)} of {len(before)} attempts that the service reports"
        return f"delivery failed: {count}{', last ' + latest.at if latest.at else ''}: {latest.outcome}"
    if known.reports and not before:
        return "registered; the attempts that the service reports are all later, so how those went is not known"
    if not before:
        return "registered, but the service reports no attempt: perhaps it was registered only afterwards"
    if any(report.delivered for report in before):
        return "registered, and delivered by the service's reports: it was lost or turned away here"
    return "registered; the service's reports do not say whether they were delivered"


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Missing:
    """The use case `missed`."""

    def __init__(
        self, connections: Connections, hooks: Hooks, subscribing: Subscribing, now: Callable[[], datetime]
    ) -> None:
        self._connections = connections
        self._hooks = hooks
        self._subscribing = subscribing
        self._now = now

    async def missed(self, account: str) -> Missed:
        """What polling found and no webhook announced within a minute, and the likely reason.

        Empty for an account that has no list, or no webhooks. Raises VaultError; what the service does not tell is
        words in the reason.
        """
        info = registry.info(self._connections.account(account).settings.provider)
        if not {Capability.LIST, Capability.WEBHOOK} <= info.capabilities:
            return Missed(account, (), "")
        before = self._now().timestamp() - _PATIENCE_S
        assets = await asyncio.to_thread(self._hooks.unannounced, account, before, _LIMIT)
        if not assets:
            return Missed(account, (), "")
        return Missed(account, assets, likely_reason(info, await self._known(account, info), assets))

    async def _known(self, account: str, info: ProviderInfo) -> Known:
        if Capability.SUBSCRIPTIONS not in info.capabilities:
            return Known(trouble=f"{info.label} does not tell which webhooks are registered there")
        try:
            views = await self._subscribing.subscriptions(account)
        except (ProviderError, VaultError) as error:
            return Known(trouble=error.words)
        reports: list[DeliveryReport] = []
        try:
            for view in for_recordings(views, info.topics[0], ours=True):
                reports += (await self._subscribing.reports(account, view.subscription)).reports
        except (ProviderError, VaultError) as error:
            return Known(views, silent=error.words)
        return Known(views, reports=tuple(reports))
