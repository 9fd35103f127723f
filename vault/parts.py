"""What a desk consists of, put together: each part is loaded and made when it is first used."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from providers.models import AssetId, Capability, Listing
from vault.config import Accounts, Config
from vault.first_use import on_first_use
from vault.ledger import Ledger
from vault.secrets import Secrets

if TYPE_CHECKING:  # each is loaded when it is first asked for
    from vault.connections import Connections
    from vault.custody.keeper import Custody
    from vault.fetching import Fetching
    from vault.inbox.intake import Intake
    from vault.inbox.webhooks import Webhooks
    from vault.keeping import Keeping
    from vault.lists import Lists
    from vault.managing import Managing
    from vault.reconciling import Reconciling
    from vault.risk import Risk
    from vault.searching import Searching
    from vault.syncing import Syncing
    from vault.testing import Testing
    from vault.transfers.retrying import Rhythm
    from vault.triage.flagging import Flagging
    from vault.triage.releasing import Releasing
    from vault.triage.undoing import Undoing

Now = Callable[[], datetime]


class Parts:
    """The parts of one desk.

    `rhythm`: when what failed is tried again; None: as it should be. `operator`: user@host.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        secrets: Secrets,
        now: Now,
        rhythm: "Rhythm | None",
        operator: str,
    ) -> None:
        self._all_accounts = Accounts(config.accounts)
        self.config = replace(config, accounts=self._all_accounts)
        """Its accounts are those of this moment; the rest is as it was when the desk was opened."""
        self.secrets = secrets
        self.now = now
        self._chosen_rhythm = rhythm
        self._ledger = ledger
        self._operator = operator
        self.queued: Callable[[], None] = lambda: None
        """Called, from any thread, when something was queued or steered: a running engine looks at once."""

    # What the parts are told, or ask, by way of the desk.

    def capabilities(self, account: str) -> frozenset[Capability]:
        """What an account can do."""
        raise NotImplementedError

    def enqueue(self, identities: Iterable[AssetId], *, first: bool = False) -> tuple[AssetId, ...]:
        """Queue what can be fetched now."""
        raise NotImplementedError

    async def _summary(self, account: str, room: str) -> str:
        raise NotImplementedError

    def _news(self, account: str, listing: Listing) -> None:
        self._syncing.record(account, listing, authoritative=False)

    def _begin_anew(self, accounts: Iterable[str]) -> None:
        self._ledger.transfers.begin_anew(list(accounts))
        self.queued()

    # The parts.

    @on_first_use
    def _rhythm(self) -> "Rhythm":
        from vault.transfers.retrying import STEADY

        return self._chosen_rhythm or STEADY

    @on_first_use
    def _connections(self) -> "Connections":
        from vault.connections import Connections

        return Connections(self.config, self.secrets, self._news)

    @on_first_use
    def managing(self) -> "Managing":
        """Accounts and their secrets come, change and go by it."""
        from vault.managing import Managing

        return Managing(self.config, self._all_accounts, self._connections, self.secrets, self._begin_anew)

    @on_first_use
    def _testing(self) -> "Testing":
        from vault.testing import Testing

        return Testing(self._connections, self.secrets, self.now)

    @on_first_use
    def _intake(self) -> "Intake":
        from vault.inbox.intake import Intake

        return Intake(self._connections, self._ledger, self.now)

    @on_first_use
    def _syncing(self) -> "Syncing":
        from vault.syncing import Syncing

        return Syncing(self._connections, self._ledger, self._intake, self.config.data / "workers", self.now)

    @on_first_use
    def keeping(self) -> "Keeping":
        """What is held, and reading it again."""
        from vault.keeping import Keeping

        return Keeping(self.config, self._ledger, self.now)

    @on_first_use
    def _fetching(self) -> "Fetching":
        from vault.fetching import Fetching
        from vault.transfers.placing import Placing

        return Fetching(self._ledger, self.keeping, Placing(self.config, self._ledger), self.now)

    @on_first_use
    def releasing(self) -> "Releasing":
        """Releases in their grace, carried out by whatever engine runs, and their receipts."""
        from vault.triage.carrying import Carrying
        from vault.triage.rechecking import Rechecking
        from vault.triage.releasing import Releasing

        ledger, keeping, now = self._ledger, self.keeping, self.now
        carrying = Carrying(self._connections, ledger, keeping, self._syncing, self.capabilities, now, self._rhythm)
        rechecking = Rechecking(ledger, keeping, lambda: self.queued(), now)
        return Releasing(carrying, rechecking, self.config, self._operator)

    @on_first_use
    def flagging(self) -> "Flagging":
        """What operators think of assets."""
        from vault.triage.flagging import Flagging

        return Flagging(self._ledger, self._operator, lambda: self.queued(), self.now)

    @on_first_use
    def undoing(self) -> "Undoing":
        """Taking back what was done last."""
        from vault.triage.undoing import Undoing

        return Undoing(self._ledger, self._operator, lambda: self.queued(), self.now)

    @on_first_use
    def reconciling(self) -> "Reconciling":
        """Service, ledger and disk side by side."""
        from vault.reconciling import Reconciling

        return Reconciling(
            self.config,
            self._ledger,
            self._syncing,
            self.keeping,
            self.enqueue,
            self.flagging,
            self.capabilities,
            self.now,
        )

    @on_first_use
    def webhooks(self) -> "Webhooks":
        """What came by webhook, and where it is to come."""
        from vault.inbox.webhooks import Webhooks

        return Webhooks(
            self.config, self._connections, self._ledger, self.secrets, self._intake, self._summary, self.now
        )

    @on_first_use
    def risk(self) -> "Risk":
        """What is lost first, and whether time and room suffice."""
        from vault.risk import Risk

        return Risk(self.config, self._ledger, self.now)

    @on_first_use
    def custody(self) -> "Custody":
        """Trails, the log's check, packets."""
        from vault.custody.keeper import Custody

        return Custody(self.config, self._ledger, self.now)

    @on_first_use
    def lists(self) -> "Lists":
        """Transfers, deliveries and events by the page."""
        from vault.lists import Lists

        return Lists(self._ledger.transfer_lines, self._ledger.delivery_lines, self._ledger.event_lines)

    @on_first_use
    def search(self) -> "Searching":
        """Counts, what a search looks through, saved views."""
        from vault.searching import Searching

        return Searching(self._ledger)
