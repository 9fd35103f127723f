"""What the engine tells: a frozen picture of what goes on, safe to hand to another thread."""

from msgspec import Struct, field

from vault.inbox.receiver_view import ReceiverView
from vault.views import TransferState, TransferView


class Snapshot(Struct, frozen=True):
    """What goes on, as of at most half a second ago. The same object as long as nothing changed."""

    revision: int = 0
    """Grows when the ledger's content changed, whoever changed it."""
    transfers: tuple[TransferView, ...] = ()
    """In queue order, then ended ones, newest first."""
    syncing: frozenset[str] = frozenset()
    """Accounts that are being asked right now."""
    online: bool = False
    """Whether the engine runs."""
    trouble: str = ""
    """Why the engine cannot work (the ledger, the disk), in words."""
    receiver: ReceiverView = field(default_factory=ReceiverView)
    """How the receiver of this process stands."""

    @property
    def rate(self) -> float:
        """Bytes a second of all transfers."""
        return sum(t.rate or 0.0 for t in self.transfers if t.state is TransferState.RUNNING)

    @property
    def active(self) -> tuple[TransferView, ...]:
        """Transfers that have not ended."""
        return tuple(t for t in self.transfers if not t.state.ended)
