"""What is held: reading it again."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from msgspec import Struct

from providers.models import AssetId
from vault.config import Config
from vault.errors import VaultError
from vault.ledger import Ledger
from vault.proof import Outcome, Proof
from vault.rules import why_not_verify
from vault.transfers import held
from vault.views import AssetView, LocalState


class Verification(Struct, frozen=True):
    """What reading a file again found: HELD, DAMAGED or LOST, the new proof when it is held, and words."""

    identity: AssetId
    state: LocalState
    proof: Proof | None
    words: str


class VerifyProgress(Struct, frozen=True):
    """How far reading a file again is: so many bytes of so many; `step` is "reading", "container" or "media"."""

    identity: AssetId
    done: int
    total: int
    step: str


class Keeping:
    """The use case `verify`."""

    def __init__(self, config: Config, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._config = config
        self._ledger = ledger
        self._now = now

    def asset(self, identity: AssetId) -> AssetView:
        """An asset that must be known. Raises VaultError."""
        view = self._ledger.reader.asset(identity)
        if view is None:
            raise VaultError(f"{identity} is not known here; `reeldesk sync {identity.account}` asks the service")
        return view

    async def verify(
        self,
        identity: AssetId,
        on_progress: Callable[[VerifyProgress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Verification:
        """Read the held file again and write down what it is now. Raises VaultError when there was never one.

        `on_progress` is told, and `cancelled` asked, in the thread that reads, some times a second and more. Raises
        Cancelled when that says so; to cancel the task stops the reading, too. Nothing is written down then.
        """
        given_up = threading.Event()

        def told(step: str, done: int, total: int) -> None:
            if on_progress is not None:
                on_progress(VerifyProgress(identity, done, total, step))

        def is_over() -> bool:
            return given_up.is_set() or (cancelled is not None and cancelled())

        try:
            return await asyncio.to_thread(self._verify, identity, held.Watch(told, is_over))
        finally:
            given_up.set()

    def _verify(self, identity: AssetId, watch: held.Watch) -> Verification:
        view = self.asset(identity)
        problem = why_not_verify(view)
        if problem or view.proof is None:
            raise VaultError(f"{identity}: {problem}")
        if view.local is LocalState.FETCHING:
            raise VaultError(f"{identity} is being fetched right now; what comes is proven by that")
        path = Path(view.path)
        root = self._config.vault_path if path.is_relative_to(self._config.vault_path) else path.parent
        relative = PurePosixPath(path.relative_to(root).as_posix())
        reading = held.read_again(root, relative, view.extension, watch, media=True)
        found = self._judge(view, view.proof, reading)
        self._check_unmoved(view, found)
        self._ledger.history.verified(identity, found.state, found.proof, found.words, self._now().timestamp())
        return found

    def _check_unmoved(self, before: AssetView, found: Verification) -> None:
        """What was read must not be written down of a file that came anew meanwhile. Raises VaultError.

        Whoever else only read it found the same, or it is gone again: that takes nothing back.
        """
        now = self.asset(before.identity)
        same = (now.path, now.sha256, now.size) == (before.path, before.sha256, before.size)
        same = same and (found.state is LocalState.HELD or now.proof == before.proof)
        if not same or now.local is LocalState.FETCHING:
            raise VaultError(f"{before.identity} was fetched anew meanwhile; what was read is not it any more")

    def oldest_first(self, account: str = "", before: datetime | None = None) -> Iterator[AssetView]:
        """What was ever proven, whose proof is older than `before`, the oldest first: so that who stops goes on there.

        Damaged and lost ones keep their old proof and come first. The ledger is read a few hundred at a time.
        """
        return self._ledger.proven.oldest_first(account, before or self._now())

    def _judge(self, view: AssetView, proof: Proof, reading: held.Reading | None) -> Verification:
        if reading is None:
            return Verification(view.identity, LocalState.LOST, None, f"the file is gone: {view.path}")
        source = self._ledger.reader.source(view.identity)
        checks = held.checks_of(reading, proof, source.checksum if source else None)
        failed = [check.words for check in checks if check.outcome is Outcome.FAILED]
        if failed:
            return Verification(view.identity, LocalState.DAMAGED, None, "; ".join(failed))
        renewed = Proof(proof.size, proof.sha256, checks, self._now(), proof.source)
        return Verification(view.identity, LocalState.HELD, renewed, "; ".join(check.words for check in checks))
