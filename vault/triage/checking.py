"""What must hold before a service is told to delete: for everything that it would delete, each piece of the proof."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct, field

from providers.models import AssetId, Capability, RemoteState
from vault.errors import NotReleased
from vault.keeping import Keeping
from vault.ledger import Ledger
from vault.ledger.releases import Release
from vault.rules import why_not_release
from vault.views import AssetView

Stamp = tuple[int, int, int]
"""Of a file: its inode, its size in bytes, when it was last written (ns)."""


class Sure(Struct):
    """What was read again: the SHA-256 of each copy, and its file's stamp from before it was read."""

    copies: dict[AssetId, str] = field(default_factory=dict)
    stamps: dict[Path, Stamp | None] = field(default_factory=dict)

    def check(self) -> None:
        """Raises NotReleased when a file was touched since. Blocks, briefly."""
        for path, stamp in self.stamps.items():
            if stamp_of(path) != stamp:
                raise NotReleased(f"{path} was changed while it was being released")


class Checks:
    """Looks at assets before their release."""

    def __init__(self, ledger: Ledger, keeping: Keeping, capabilities: Callable[[str], frozenset[Capability]]) -> None:
        self._ledger = ledger
        self._keeping = keeping
        self._capabilities = capabilities

    def along(self, identity: AssetId) -> tuple[AssetView, ...]:
        """What else the service would delete: its meeting's others of the same kind that it still has. Blocks."""
        meeting = self._ledger.reader.meeting(identity.account, identity.meeting)
        others = meeting.assets if meeting else ()
        return tuple(
            view
            for view in others
            if view.identity != identity and view.identity.kind is identity.kind and view.state is RemoteState.AVAILABLE
        )

    def going(self, identity: AssetId) -> tuple[AssetView, ...]:
        """The asset and what goes along. Raises VaultError when it is not known. Blocks."""
        return (self._keeping.asset(identity), *self.along(identity))

    def why_not(self, identity: AssetId) -> str:
        """The piece that is missing, as far as the ledger knows; "" when there is none. Raises VaultError. Blocks."""
        for view in self.going(identity):
            problem = self._problem(view)
            if problem:
                return problem if view.identity == identity else f"{_keeps(view.identity)}: {problem}"
        return ""

    def _problem(self, view: AssetView) -> str:
        return why_not_release(view, self._capabilities(view.identity.account))

    async def read_again(self, identity: AssetId, sure: Sure) -> bool:
        """Read the copies of all that goes, from the first byte to the last, but for those that are sure already.

        Whether there were any. Raises NotReleased with the piece that is missing.
        """
        found = False
        for view in await asyncio.to_thread(self.going, identity):
            problem = self._problem(view)
            if not problem and view.identity in sure.copies:
                continue
            found = True
            if not problem:
                sure.stamps[Path(view.path)] = await asyncio.to_thread(stamp_of, Path(view.path))
                verification = await self._keeping.verify(view.identity)
                proof = verification.proof
                problem = verification.words if proof is None else proof.missing
                if proof is not None:
                    sure.copies[view.identity] = proof.sha256
            if problem:
                raise NotReleased(f"{_keeps(view.identity)}: {problem}")
        return found

    def is_the_same(self, release: Release) -> None:
        """Raises NotReleased when the service states another size or checksum than when it was asked for. Blocks."""
        source = self._ledger.reader.source(release.identity)
        assert source is not None  # assets are never forgotten
        stated = source.checksum.value if source.checksum else None
        for what, before, now in (
            ("size", release.stated_size, source.size),
            ("checksum", release.stated_checksum, stated),
        ):
            if before is not None and now != before:
                raise NotReleased(f"the service states another {what} than when the release was asked for")


def stamp_of(path: Path) -> Stamp | None:
    """A file's stamp; None when it cannot be had. Blocks, briefly."""
    try:
        there = os.lstat(path)
    except OSError:
        return None
    return there.st_ino, there.st_size, there.st_mtime_ns


def _keeps(identity: AssetId) -> str:
    return f"{identity} keeps it from being released"
