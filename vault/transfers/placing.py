"""Where a transfer's file is to lie, and what lies there already. Its calls block."""

from pathlib import Path, PurePosixPath

from msgspec import Struct

from providers.base import NotFound
from providers.models import Asset, AssetId
from vault.config import Config
from vault.errors import VaultError
from vault.ledger import Ledger
from vault.ledger.claiming import Claim
from vault.proof import Proof
from vault.transfers import held, naming
from vault.transfers.part import Part


class Place(Struct, frozen=True):
    """What a transfer begins with: the asset as recorded, and its open part; or the proof of a file that is there."""

    asset: Asset
    part: Part | None
    proof: Proof | None


class Placing:
    """Prepares the places of one vault's files."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._root = config.vault_path
        self._template = config.template
        self._ledger = ledger

    def asset(self, claim: Claim) -> Asset:
        """The asset as recorded now. Raises NotFound."""
        asset = self._ledger.reader.source(claim.identity)
        if asset is None:
            raise NotFound(f"{claim.identity} is not known any more")
        return asset

    def open(self, claim: Claim) -> Place:
        """Make the place ready. Raises NotFound, VaultError (PartBusy: another process has the part)."""
        asset = self.asset(claim)
        relative = self._destination(claim)
        proof = self._already_there(claim, relative, asset.extension)
        return Place(asset, None if proof else Part(self._root, relative), proof)

    def _destination(self, claim: Claim) -> PurePosixPath:
        """Where the file is to lie: fixed when it is queued, or with the first attempt; a new title changes nothing."""
        root = self._root
        if claim.path is not None and Path(claim.path).is_relative_to(root):
            return PurePosixPath(Path(claim.path).relative_to(root).as_posix())
        path, other = self._choices(claim.identity)
        if not self._ledger.claims.fix_path(claim, str(root / path)):
            path = other
            self._ledger.claims.fix_path(claim, str(root / path))
        return path

    def choices(self, identity: AssetId) -> tuple[str, str]:
        """Where an asset's file would lie, and where if another one's lies there. Absolute."""
        path, other = self._choices(identity)
        return str(self._root / path), str(self._root / other)

    def _choices(self, identity: AssetId) -> tuple[PurePosixPath, PurePosixPath]:
        title, extension, day = self._ledger.reader.named_by(identity)
        path = naming.relative_path(self._template, identity, title, extension, day)
        return path, naming.told_apart(path, identity)

    def _already_there(self, claim: Claim, relative: PurePosixPath, extension: str) -> Proof | None:
        """The proof of a file that is there under its final name, which it got just before the process died.

        A damaged one is set aside, so that its name is free.
        """
        root = self._root
        reading = held.read_again(root, relative, extension)
        if reading is None:
            return None
        proof = claim.prepared
        if proof is not None and (reading.size, reading.sha256) == (proof.size, proof.sha256):
            left_over = Part(root, relative)
            left_over.remove()
            left_over.close()
            return proof
        if proof is not None:
            held.set_aside(root, relative)
            return None
        raise VaultError(f"a file that reeldesk did not write lies at {root / relative}; move it, then retry")
