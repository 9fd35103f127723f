"""Taking a file that lies in the vault for an asset that is not here: only when its SHA-256 is known, and the same."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath

from providers.models import AssetId
from vault.config import Config
from vault.errors import VaultError
from vault.ledger import Ledger
from vault.proof import Check, Outcome, Proof, check_checksum
from vault.transfers import held, lying
from vault.views import LocalState

SOURCE = "a file that lay in the vault"


class Adopting:
    """The use case `adopt`: moved, renamed or restored recordings become held again where they lie. Its call blocks."""

    def __init__(self, config: Config, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._root = config.vault_path
        self._ledger = ledger
        self._now = now

    def adopt(self, identity: AssetId, path: Path) -> str:
        """Read the file and hold it as the asset; gives words. Raises VaultError when it is not proven to be that."""
        view = self._ledger.reader.asset(identity)
        source = self._ledger.reader.source(identity)
        if view is None or source is None:
            raise VaultError(f"{identity} is not known here")
        if view.local is LocalState.FETCHING or (view.local is LocalState.HELD and lying.look_at(view.path)):
            raise VaultError(f"{identity} is {view.local} already")
        owner = self._ledger.comparing.at([str(path)]).get(str(path))
        if owner is not None and owner.identity != identity:
            raise VaultError(f"{path} is {owner.identity}'s place")
        relative = PurePosixPath(path.relative_to(self._root).as_posix())
        reading = held.read_again(self._root, relative, source.extension, media=True)
        if reading is None:
            raise VaultError(f"{path} is not there any more")
        stated = source.checksum.value if source.checksum is not None else ""
        wanted = view.sha256 or stated
        if not wanted:
            raise VaultError(f"{identity}: nobody states a SHA-256 of it, so that no file can be proven to be it")
        if reading.sha256 != wanted:
            raise VaultError(f"{path} is not {identity}: its SHA-256 is {reading.sha256[:12]}…, not {wanted[:12]}…")
        same = "what was proven before" if view.sha256 else "the service's own checksum"
        checks = [
            Check("bytes", Outcome.PASSED, f"{reading.size} bytes, SHA-256 equals {same}"),
            check_checksum(reading.sha256, source.checksum),
            reading.container,
            *([reading.media] if reading.media is not None else []),
        ]
        failed = [check.words for check in checks if check.outcome is Outcome.FAILED]
        if failed:
            raise VaultError(f"{path} cannot be held as {identity}: {'; '.join(failed)}")
        origin = view.proof.source if view.proof is not None else SOURCE
        proof = Proof(reading.size, reading.sha256, tuple(checks), self._now(), origin)
        words = f"{path} is it: SHA-256 equals {same}"
        self._ledger.history.adopted(identity, str(path), proof, words, self._now().timestamp())
        return words
