"""What the desk decides about assets: flags, releases with their time of grace, verification, custody packets."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from providers.models import AssetId
from tui import label
from tui.acts import Acts, Say, most_common
from tui.context import FAULTS, Context, words_of
from tui.label import plain
from tui.long_work import LongWork, Stopped
from vault import rules
from vault.errors import Cancelled
from vault.views import AssetView, Flag, LocalState

if TYPE_CHECKING:
    from vault.custody.keeper import Packet
    from vault.custody.packing import Packing
    from vault.desk import Desk
    from vault.keeping import VerifyProgress

NEVER_HELD = "nothing of it was ever held here"


class Verified(Struct, frozen=True):
    """What reading files again found. `wrong`: assets as they are now known, each with what is wrong in words."""

    asked: int
    good: int
    wrong: tuple[tuple[AssetView, str], ...]
    stopped: bool


class ReleasePlan(Struct, frozen=True):
    """What a release would do: what goes by name, what goes along, what is refused and why."""

    free: tuple[AssetView, ...]
    along: tuple[AssetView, ...]
    refused: tuple[tuple[AssetView, str], ...]


def plan_release(desk: "Desk", assets: Sequence[AssetView]) -> ReleasePlan:
    """What may be released of these, from the ledger. Blocks."""
    free: list[AssetView] = []
    refused: list[tuple[AssetView, str]] = []
    along: dict[AssetId, AssetView] = {}
    for asset in assets:
        reason = desk.releasing.why_not(asset.identity)
        if reason:
            refused.append((asset, reason))
            continue
        free.append(asset)
        along |= {other.identity: other for other in desk.releasing.along(asset.identity)}
    named = {asset.identity for asset in free}
    others = tuple(other for identity, other in along.items() if identity not in named)
    return ReleasePlan(tuple(free), others, tuple(refused))


class TriageActs(Acts):
    """The acts that decide. Each says what came of it; what can be taken back is noted for `u`."""

    def __init__(self, context: Context, say: Say) -> None:
        super().__init__(context, say)
        self.work = LongWork()
        """A verification, or a packet being written."""

    # Flags -------------------------------------------------------------------------------------------------------

    async def flag(self, flag: Flag | None, note: str, assets: Sequence[AssetView]) -> None:
        """Put a flag on each, or take all flags away (None)."""
        identities = [asset.identity for asset in assets]
        if not identities:
            self._say("no asset of it is known yet", "warn")
            return
        flagging = self._context.desk.flagging
        if flag is None:
            words = await self._context.read(flagging.clear, identities)
        else:
            words = await self._context.read(flagging.set, identities, flag, note)
        await self.note_deed()
        self._say(words, "good")

    # Verifying ---------------------------------------------------------------------------------------------------

    async def verify(self, assets: Sequence[AssetView]) -> Verified | None:
        """Read each file again, with progress; None when there is nothing to read. Says what came of it."""
        held = [asset for asset in assets if not rules.why_not_verify(asset)]
        if not held:
            reasons = [rules.why_not_verify(asset) for asset in assets]
            self._say(f"nothing to verify: {most_common(reasons) or 'no assets are known of it'}", "warn")
            return None
        wrong: list[tuple[AssetView, str]] = []
        good, stopped = 0, False
        with self.work.begun():
            for place, asset in enumerate(held, start=1):
                self._say(f"reading {place} of {label.count(len(held), 'file')} again: {plain(asset.title)}", "info")
                try:
                    fault = await self._verify_one(asset, place, len(held))
                except (Cancelled, Stopped):
                    stopped = True
                    break
                if fault:
                    wrong.append((await self._as_known(asset), fault))
                else:
                    good += 1
        found = Verified(len(held), good, tuple(wrong), stopped)
        self._say(*verified_words(found))
        return found

    async def _as_known(self, asset: AssetView) -> AssetView:
        return await self._context.read(self._context.desk.asset, asset.identity) or asset

    async def _verify_one(self, asset: AssetView, place: int, many: int) -> str:
        """What is wrong with one file, in words; "" when it is as proven. Raises Cancelled."""

        def progress(now: "VerifyProgress") -> None:
            share = f"{min(now.done * 100 // now.total, 100)} %" if now.total else label.size(now.done)
            step = "" if now.step == "reading" else f" ({now.step})"
            self.work.words = f"reading {place} of {many} again: {share}{step}, {plain(asset.title)}; x stops it"

        try:
            found = await self._context.ask(
                lambda desk: desk.verify(asset.identity, on_progress=progress, cancelled=self.work.stopped)
            )
        except Cancelled:
            raise
        except FAULTS as error:
            return words_of(error)
        return "" if found.state is LocalState.HELD else f"{found.state}: {found.words}"

    # Releasing ---------------------------------------------------------------------------------------------------

    async def release(self, assets: Sequence[AssetView]) -> None:
        """Ask for their release; it is sent after the time of grace."""
        desk = self._context.desk
        asked = await self._context.read(desk.releasing.ask, [asset.identity for asset in assets])
        desk.queued()
        if not asked.release:
            why = asked.refused[0][1] if asked.refused else "nothing was asked for"
            self._say(f"not released: {why}", "bad")
            return
        await self.note_deed()
        first = min(view.due_at for view in asked.release)
        left = label.duration(max((first - self._context.now()).total_seconds(), 0))
        refused = f"; {len(asked.refused)} refused: {asked.refused[0][1]}" if asked.refused else ""
        many = label.count(len(asked.release), "release")
        self._say(f"{many}, sent in {left} unless u stops it{refused}", "warn")

    # Custody packets ---------------------------------------------------------------------------------------------

    async def packet(self, assets: Sequence[AssetView]) -> "Packet | None":
        """Write a custody packet of what was ever held of these; None when there is none. Says what came of it."""
        proven = [asset.identity for asset in assets if asset.proof is not None]
        if not proven:
            self._say(f"no packet: {NEVER_HELD}", "warn")
            return None
        custody, folder = self._context.desk.custody, self.packets

        def progress(now: "Packing") -> None:
            self.work.check()
            share = f"{min(now.done * 100 // now.total, 100)} %" if now.total else label.size(now.done)
            self.work.words = f"packet: {share}, {plain(now.words)}; x stops it"

        with self.work.begun():
            self._say(f"writing a packet of {label.count(len(proven), 'asset')}", "info")
            try:
                packet = await self._context.read(custody.packet, proven, folder, progress)
            except Stopped:
                self._say("the packet was stopped; nothing of it is left", "warn")
                return None
        self._say(f"packet of {label.count(len(proven), 'asset')}, {label.size(packet.size)}: {packet.path}", "good")
        return packet

    @property
    def packets(self) -> Path:
        """Where packets go: beside the vault, so that none is taken for a recording."""
        vault = self._context.desk.config.vault_path
        return vault.with_name(f"{vault.name}-packets")


def verified_words(found: Verified) -> tuple[str, str]:
    """What a verification found, and its ink."""
    files = label.count(found.asked, "file")
    stopped = f"stopped after {found.good + len(found.wrong)} of {files}: " if found.stopped else ""
    if found.wrong:
        asset, words = found.wrong[0]
        more = f" (and {len(found.wrong) - 1} more)" if len(found.wrong) > 1 else ""
        head = stopped or f"{len(found.wrong)} of {files} not as proven: "
        return f"{head}{asset.identity.kind} of {plain(asset.title)}: {words}{more}", "bad"
    if found.stopped:
        return f"{stopped}{found.good} as proven", "warn"
    return f"{label.count(found.good, 'file')} read again: as proven; the pane names each check", "good"


Act = Callable[[Sequence[AssetView]], Awaitable[bool | None]]
"""Does something with assets; one that asks first gives True where the answer was yes."""


def flagging(acts: TriageActs, flag: Flag | None, note: str = "") -> Act:
    """The act that puts a flag on."""
    return partial(acts.flag, flag, note)
