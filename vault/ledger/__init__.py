"""The ledger: what is known, held, queued and was done. Nothing outside this folder writes SQL."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vault.first_use import on_first_use
from vault.ledger.database import Database
from vault.ledger.migrating import Watcher
from vault.ledger.reading import Reader
from vault.operator import this_process
from vault.sealing import Sealer

if TYPE_CHECKING:  # each is loaded when it is first asked for
    from vault.ledger.checking import Log
    from vault.ledger.claiming import Claims
    from vault.ledger.comparing import Comparing
    from vault.ledger.deeds import Deeds
    from vault.ledger.deliveries import Deliveries
    from vault.ledger.flags import Flags
    from vault.ledger.history import History
    from vault.ledger.hooks import Hooks
    from vault.ledger.indexing import Index
    from vault.ledger.lines import DeliveryLines, EventLines, TransferLines
    from vault.ledger.proven import Proven
    from vault.ledger.queueing import Transfers
    from vault.ledger.receipts import Receipts
    from vault.ledger.recording import Recorder
    from vault.ledger.releases import Releases
    from vault.ledger.risking import Pending
    from vault.ledger.ruling import Rules
    from vault.ledger.saving import Views
    from vault.ledger.undoing import Undoing


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
        self._sealer = Sealer(path.with_name("links.key"))
        self._database = Database(
            path, on_migration=on_migration, process=this_process() if process is None else process, clock=clock
        )
        self.reader = Reader(self._database, self._sealer)

    @on_first_use
    def recorder(self) -> "Recorder":
        """Writes down what services say."""
        from vault.ledger.recording import Recorder

        return Recorder(self._database, self._sealer)

    @on_first_use
    def transfers(self) -> "Transfers":
        """The queue."""
        from vault.ledger.queueing import Transfers

        return Transfers(self._database)

    @on_first_use
    def claims(self) -> "Claims":
        """Which process runs which transfer."""
        from vault.ledger.claiming import Claims

        return Claims(self._database)

    @on_first_use
    def history(self) -> "History":
        """Syncs, calls, summaries of rooms."""
        from vault.ledger.history import History

        return History(self._database)

    @on_first_use
    def deliveries(self) -> "Deliveries":
        """Webhooks that came in."""
        from vault.ledger.deliveries import Deliveries

        return Deliveries(self._database, self._sealer, self.recorder)

    @on_first_use
    def hooks(self) -> "Hooks":
        """What was registered where."""
        from vault.ledger.hooks import Hooks

        return Hooks(self._database)

    @on_first_use
    def index(self) -> "Index":
        """What a search looks through."""
        from vault.ledger.indexing import Index

        return Index(self._database)

    @on_first_use
    def rules(self) -> "Rules":
        """Which flags assets get by themselves."""
        from vault.ledger.ruling import Rules

        return Rules(self._database)

    @on_first_use
    def proven(self) -> "Proven":
        """Proofs."""
        from vault.ledger.proven import Proven

        return Proven(self._database)

    @on_first_use
    def comparing(self) -> "Comparing":
        """Service, ledger and disk side by side."""
        from vault.ledger.comparing import Comparing

        return Comparing(self._database)

    @on_first_use
    def pending(self) -> "Pending":
        """What is still to be fetched."""
        from vault.ledger.risking import Pending

        return Pending(self._database)

    @on_first_use
    def views(self) -> "Views":
        """Saved views."""
        from vault.ledger.saving import Views

        return Views(self._database)

    @on_first_use
    def transfer_lines(self) -> "TransferLines":
        """Transfers by the page."""
        from vault.ledger.lines import TransferLines

        return TransferLines(self._database)

    @on_first_use
    def delivery_lines(self) -> "DeliveryLines":
        """Deliveries by the page."""
        from vault.ledger.lines import DeliveryLines

        return DeliveryLines(self._database)

    @on_first_use
    def event_lines(self) -> "EventLines":
        """The log of events by the page."""
        from vault.ledger.lines import EventLines

        return EventLines(self._database)

    @on_first_use
    def releases(self) -> "Releases":
        """What services were told, or are to be told, to let go."""
        from vault.ledger.releases import Releases

        return Releases(self._database)

    @on_first_use
    def receipts(self) -> "Receipts":
        """What is held instead of what was released."""
        from vault.ledger.receipts import Receipts

        return Receipts(self._database)

    @on_first_use
    def flags(self) -> "Flags":
        """What operators think of assets."""
        from vault.ledger.flags import Flags

        return Flags(self._database)

    @on_first_use
    def deeds(self) -> "Deeds":
        """What operators did."""
        from vault.ledger.deeds import Deeds

        return Deeds(self._database)

    @on_first_use
    def undoing(self) -> "Undoing":
        """Taking back what they did."""
        from vault.ledger.undoing import Undoing

        return Undoing(self._database)

    @on_first_use
    def log(self) -> "Log":
        """The log of events, and its chain."""
        from vault.ledger.checking import Log

        return Log(self._database)

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
