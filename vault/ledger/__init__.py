"""The ledger: what is known, held, queued and was done. Nothing outside this folder writes SQL."""

from collections.abc import Callable
from pathlib import Path

from vault.ledger.checking import Log
from vault.ledger.claiming import Claims
from vault.ledger.comparing import Comparing
from vault.ledger.database import Database
from vault.ledger.deeds import Deeds
from vault.ledger.deliveries import Deliveries
from vault.ledger.flags import Flags
from vault.ledger.history import History
from vault.ledger.hooks import Hooks
from vault.ledger.indexing import Index
from vault.ledger.lines import DeliveryLines, EventLines, TransferLines
from vault.ledger.migrating import Watcher
from vault.ledger.proven import Proven
from vault.ledger.queueing import Transfers
from vault.ledger.reading import Reader
from vault.ledger.receipts import Receipts
from vault.ledger.recording import Recorder
from vault.ledger.releases import Releases
from vault.ledger.risking import Pending
from vault.ledger.ruling import Rules
from vault.ledger.saving import Views
from vault.ledger.undoing import Undoing
from vault.operator import this_process
from vault.sealing import Sealer


class Ledger:
    """The ledger's verbs, by what they are about. Usable from any thread. Raises LedgerError with words."""

    def __init__(
        self,
        path: Path,
        *,
        on_migration: Watcher = lambda _: None,
        process: str | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`on_migration` is told how a ledger of an older version is brought up, and may raise to interrupt that.

        `process`: who the log of events says wrote, user@host; None: whoever runs this. `clock` (unix seconds): by
        which its events say when; None: by what each verb is told.
        """
        sealer = Sealer(path.with_name("links.key"))
        self._database = Database(
            path, on_migration=on_migration, process=this_process() if process is None else process, clock=clock
        )
        self.recorder = Recorder(self._database, sealer)
        self.reader = Reader(self._database, sealer)
        self.transfers = Transfers(self._database)
        self.claims = Claims(self._database)
        self.history = History(self._database)
        self.deliveries = Deliveries(self._database, sealer, self.recorder)
        self.hooks = Hooks(self._database)
        self.index = Index(self._database)
        self.rules = Rules(self._database)
        self.proven = Proven(self._database)
        self.comparing = Comparing(self._database)
        self.pending = Pending(self._database)
        self.views = Views(self._database)
        self.transfer_lines = TransferLines(self._database)
        self.delivery_lines = DeliveryLines(self._database)
        self.event_lines = EventLines(self._database)
        self.releases = Releases(self._database)
        self.receipts = Receipts(self._database)
        self.flags = Flags(self._database)
        self.deeds = Deeds(self._database)
        self.undoing = Undoing(self._database)
        self.log = Log(self._database)

    def change_number(self) -> int:
        """Grows with every transaction, of any process, that changes what lists show."""
        with self._database.read() as connection:
            number: int = connection.execute("SELECT number FROM revision").fetchone()[0]
        return number

    def data_version(self) -> int:
        """Another number whenever anything was written but by this very thread, shown or not. Some 10 µs."""
        return self._database.version()

    def close(self) -> None:
        """Close the file."""
        self._database.close()
