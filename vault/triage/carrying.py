"""Carrying out one release that is due: every check again, one call, its answer, and the service's record after it.

What is asked of a service is written down before (`sending`) and after (`answered`), so that whoever comes after a
crash asks the record first and never repeats a call that was carried out.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec.structs import replace

from providers.base import NotReady, Provider, ProviderError, Refused, ReleaseSteps
from providers.models import Asset, AssetId, Capability, Checksum, Listing, RemoteState
from vault.connections import Connections
from vault.errors import LedgerError, NotReleased, Overtaken, ReleaseBusy, VaultError
from vault.keeping import Keeping
from vault.ledger import Ledger
from vault.ledger.releases import Release
from vault.next_steps import refusal_words
from vault.passphrase import SealedLocked
from vault.syncing import Syncing
from vault.transfers.retrying import Rhythm
from vault.triage.checking import Checks, Sure
from vault.triage.states import ReleaseState

LISTED_S = 60.0
"""A list of the account's that is not older tells of every archive of a conference."""
CONFIRM_S = 3_600.0
"""How long a service may take until its record says what it answered."""
AGAIN_CAP_S = 600.0
_GONE = (RemoteState.ABANDONED, RemoteState.EXPIRED)


class Steps(ReleaseSteps):
    """Writes a release's steps into the ledger as they happen."""

    def __init__(self, ledger: Ledger, release: Release, sure: Sure, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._release = release
        self._sure = sure
        self._now = now
        self.sent = False

    @property
    def went(self) -> tuple[AssetId, ...]:
        """All that was to go with the call; nothing before."""
        return tuple(self._sure.copies) if self.sent else ()

    async def sending(self) -> None:
        """Look a last time. Raises Overtaken, NotReleased."""

        def send() -> None:
            self._sure.check()
            self._ledger.releases.send(self._release, self._sure.copies, self._now().timestamp())

        await asyncio.shield(asyncio.to_thread(send))
        self.sent = True

    async def answered(self, words: str) -> None:
        """The service took it."""
        now = self._now().timestamp()
        await asyncio.shield(asyncio.to_thread(self._ledger.releases.answer, self._release, words, now))


class Carrying:
    """Takes a claimed release to its end, or to its next try."""

    def __init__(
        self,
        connections: Connections,
        ledger: Ledger,
        keeping: Keeping,
        syncing: Syncing,
        capabilities: Callable[[str], frozenset[Capability]],
        now: Callable[[], datetime],
        rhythm: Rhythm,
    ) -> None:
        self._connections = connections
        self.ledger = self._ledger = ledger
        self._keeping = keeping
        self._syncing = syncing
        self.checks = self._checks = Checks(ledger, keeping, capabilities)
        self.now = self._now = now
        self.rhythm = self._rhythm = rhythm
        self._listed: dict[str, float] = {}
        """When an account was last listed whole (the loop's time)."""

    def address(self, account: str) -> str:
        """Where an account leads: a release that was asked for at one tenant is not sent to another."""
        settings = self._connections.account(account).settings
        options = settings.options
        return f"{settings.provider} {options.get('base_url') or options.get('data_center') or ''}".rstrip()

    async def carry(self, release: Release, patience_s: float) -> None:
        """Carry it out. With `patience_s` what is wrong with the service is waited out so long after it was due."""
        try:
            await self._carry_to_an_end(release, patience_s)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.to_thread(self._ledger.releases.step_back, release))
            raise
        except Overtaken:
            return  # it is another's by now, or was stopped, and so is its end

    async def _carry_to_an_end(self, release: Release, patience_s: float) -> None:
        sure = Sure()
        steps = Steps(self._ledger, release, sure, self._now)
        try:
            await self._carry(release, sure, steps)
        except (SealedLocked, ReleaseBusy) as error:
            await self._postpone(release, error.words)
        except (LedgerError, Overtaken):
            raise
        except VaultError as error:
            await self._end(release, ReleaseState.REFUSED, error.words)
        except ProviderError as error:
            await self._failed(release, error, steps, patience_s)

    async def _carry(self, release: Release, sure: Sure, steps: Steps) -> None:
        identity = release.identity
        if release.address != self.address(identity.account):
            raise NotReleased("its account leads elsewhere than when the release was asked for; ask anew")
        provider = await self._connections.connect(identity.account)
        if release.sent_at is not None:
            state = await self._ask_record(provider, identity)
            if state in _GONE:
                await self._confirm(provider, release, release.sure)
                return
            if release.state is ReleaseState.ANSWERED:
                await self._wait_for_record(release)
                return
        if await self._is_gone(identity):
            await self._gone_already(release)
            return
        await self._checks.read_again(identity, sure)
        await self._list(provider, identity.account)
        for view in await asyncio.to_thread(self._checks.going, identity):
            await self._ask_record(provider, view.identity)
        if await self._is_gone(identity):
            await self._gone_already(release)
            return
        await self._checks.read_again(identity, sure)  # what only the list told of
        await asyncio.to_thread(self._checks.is_the_same, release)
        asset = await asyncio.to_thread(self._source, identity, sure.copies[identity])
        await self._record(identity.account, await provider.release(asset, steps))
        if not steps.sent:
            await self._gone_already(release)
            return
        if await self._is_gone(identity):
            await self._confirm(provider, release, sure.copies)
        else:
            await self._wait_for_record(release)

    async def _confirm(self, provider: Provider, release: Release, went: Iterable[AssetId]) -> None:
        """It is released: what else went is asked about, and each gets a receipt."""
        for other in went:
            if other != release.identity:
                try:
                    await self._ask_record(provider, other)
                except ProviderError as error:
                    if error.transient:
                        raise  # and asked again later; what is answered is not sent again
        await asyncio.to_thread(self._ledger.releases.confirm, release, self._time())

    async def _is_gone(self, identity: AssetId) -> bool:
        return (await asyncio.to_thread(self._keeping.asset, identity)).state in _GONE

    async def _list(self, provider: Provider, account: str) -> None:
        """Have the ledger know whatever the service has: a conference may have got another archive."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._listed.get(account, -LISTED_S) < LISTED_S:
            return
        async for listing in provider.listing():
            await self._record(account, listing)
        self._listed[account] = loop.time()

    async def _ask_record(self, provider: Provider, identity: AssetId) -> RemoteState:
        """What the service says of an asset now; it is written down."""
        asset = await asyncio.to_thread(self._source, identity)
        await self._record(identity.account, await provider.record_of(asset))
        return (await asyncio.to_thread(self._keeping.asset, identity)).state

    def _source(self, identity: AssetId, sha256: str = "") -> Asset:
        """The asset as its provider knows it; with `sha256` its record must state that, if it states any."""
        asset = self._ledger.reader.source(identity)
        assert asset is not None  # assets are never forgotten
        return replace(asset, checksum=Checksum(sha256, sha256)) if sha256 else asset

    async def _record(self, account: str, listing: Listing) -> None:
        await asyncio.shield(asyncio.to_thread(self._syncing.record, account, listing, authoritative=True))

    async def _gone_already(self, release: Release) -> None:
        """It is released, and not by this one: it went along with another one, or somebody released it elsewhere."""
        receipts = await asyncio.to_thread(self._ledger.receipts.receipts, release.identity, 1)
        if receipts:
            await self._end(release, ReleaseState.CONFIRMED, "it went along with another one of its meeting")
        else:
            await self._end(release, ReleaseState.REFUSED, "it was released elsewhere; nothing was sent from here")

    async def _wait_for_record(self, release: Release) -> None:
        """The service took the call, and its record does not say so yet."""
        view = await asyncio.to_thread(self._keeping.asset, release.identity)
        words = f"the service took the request but still says {view.provider_state or view.state}"
        answered_at = release.answered_at or self._time()
        if self._time() - answered_at > CONFIRM_S:
            await self._end(release, ReleaseState.FAILED, words)
        else:
            await self._postpone(release, words)

    async def _failed(self, release: Release, error: ProviderError, steps: Steps, patience_s: float) -> None:
        """A call failed: it is tried again, or over; where it may have been carried out, the record decides."""
        sent, words = steps.sent or release.sent_at is not None, refusal_words(error, release.identity.account)
        if sent and not error.transient and await self._turned_out_well(release, steps):
            return
        if not sent and (not error.transient or self._time() - release.due_at >= patience_s):
            before = isinstance(error, Refused | NotReady)
            await self._end(release, ReleaseState.REFUSED if before else ReleaseState.FAILED, words)
        elif sent and not error.transient:
            await self._end(release, ReleaseState.FAILED, words)
        else:
            await self._postpone(release, words, error.retry_after_s or 0.0)

    async def _turned_out_well(self, release: Release, steps: Steps) -> bool:
        """Whether the service's record says that it is released, whatever it answered: then it is confirmed."""
        try:
            provider = await self._connections.connect(release.identity.account)
            if await self._ask_record(provider, release.identity) not in _GONE:
                return False
            await self._confirm(provider, release, steps.went or release.sure)
        except ProviderError:
            return False
        return True

    async def _postpone(self, release: Release, words: str, at_least_s: float = 0.0) -> None:
        wait = min(AGAIN_CAP_S, self._rhythm.backoff_s * 2 ** min(release.attempts - 1, 16))
        again_at = self._time() + max(wait, at_least_s)
        await asyncio.shield(asyncio.to_thread(self._ledger.releases.postpone, release, words, again_at))

    async def _end(self, release: Release, state: ReleaseState, words: str) -> None:
        await asyncio.shield(asyncio.to_thread(self._ledger.releases.end, release, state, words, self._time()))

    def _time(self) -> float:
        return self._now().timestamp()
