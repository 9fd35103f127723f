"""What the desk does with transfers: queue, cancel, pause, sync. Each says what came of it, with reasons."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from providers.base import Forbidden, Unauthorized
from providers.models import AssetId
from tui import label
from tui.context import FAULTS, Context, words_of
from vault import rules
from vault.views import AssetView, TransferState, TransferView

if TYPE_CHECKING:
    from vault.triage.views import DeedView

Say = Callable[[str, str], None]
NOT_UNDER_WAY = "no transfer of it is under way"


class Acts:
    """The actions over a context; `say(words, ink)` tells a person. `undone` keeps what `u` takes back."""

    def __init__(self, context: Context, say: Say) -> None:
        self._context = context
        self._say = say
        self.turns = asyncio.Lock()
        """Held while something is decided: what keys of one burst decide is done, and taken back, in their order."""
        self.undone: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._noted = 0
        self._asking: asyncio.Task[list[tuple[str, bool]]] | None = None
        self.deed: DeedView | None = None
        """The last deed in the ledger, as last read: done before this desk was opened, it can be taken back, too."""

    # Queue -------------------------------------------------------------------------------------------------------

    async def fetch(self, assets: Sequence[AssetView]) -> None:
        """Queue what can be fetched; say why the rest is not."""
        desk = self._context.desk
        wanted = [asset.identity for asset in assets if not rules.why_not_fetch(asset)]
        queued = await self._context.read(desk.enqueue, wanted) if wanted else ()
        reasons = [reason for asset in assets if (reason := rules.why_not_fetch(asset))]
        if queued:
            await self.note_deed()
            skipped = f"; {len(reasons)} not: {most_common(reasons)}" if reasons else ""
            self._say(f"queued {label.count(len(queued), 'asset')}{skipped}", "good")
        else:
            self._say(f"nothing queued: {most_common(reasons) or 'no assets are known of it'}", "warn")

    async def cancel(self, identities: Sequence[AssetId]) -> None:
        """Cancel the transfers among them; where there are none, stop asking services."""
        moving = [view for view in self.transfers(identities) if not view.state.ended]
        if not moving and self.is_syncing:
            await self.stop_sync()
            return
        if not moving:
            self._say(NOT_UNDER_WAY, "warn")
            return
        await self._context.read(self._context.desk.cancel, *(view.asset for view in moving))
        self._say(f"cancelled {label.count(len(moving), 'transfer')}; parts already fetched stay for a later try", "")

    async def pause(self, identities: Sequence[AssetId]) -> None:
        """Pause what moves; where all of it is paused, let it go on."""
        desk = self._context.desk
        open_ones = [view for view in self.transfers(identities) if not view.state.ended]
        moving = [view for view in open_ones if view.state is not TransferState.PAUSED]
        if not open_ones:
            self._say(NOT_UNDER_WAY, "warn")
            return
        act = desk.pause if moving else desk.resume
        await self._context.read(act, *(view.asset for view in moving or open_ones))
        verb = "paused" if moving else "resumed"
        self._say(f"{verb} {label.count(len(moving or open_ones), 'transfer')}", "")

    def transfers(self, identities: Iterable[AssetId]) -> list[TransferView]:
        """The transfers of these assets, as the engine last told."""
        wanted = set(identities)
        return [view for view in self._context.engine.snapshot().transfers if view.asset in wanted]

    # Taking back -------------------------------------------------------------------------------------------------

    async def note_deed(self) -> None:
        """What was just done is the last in the ledger's list of deeds: `u` takes it back from there."""
        deed = await self._context.read(self._context.desk.undoing.last)
        if deed is not None and deed.id != self._noted:
            self._noted = deed.id
            self.undone.append(("", partial(self._undo_deed, deed.id)))

    async def _undo_deed(self, deed: int | None = None) -> None:
        undoing = self._context.desk.undoing
        self._say(await self._context.read(undoing.undo, deed), "")
        self.deed = await self._context.read(undoing.last)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self.undone or self.deed)

    def forget_marks(self) -> None:
        """Marks are gone: there is no marking to take back any more."""
        self.undone = [(words, back) for words, back in self.undone if not words]

    async def undo(self) -> None:
        """Take the last thing back; at last what was done before this desk was opened."""
        words, back = self.undone.pop() if self.undone else ("", self._undo_deed)
        await back()
        if words:
            self._say(f"took back {words}", "")

    # Sync --------------------------------------------------------------------------------------------------------

    async def sync(self, account: str) -> None:
        """Ask one account, or all when `account` is ""; what each says stands in its line at the left."""
        names = [account] if account else list(self._context.desk.config.accounts)
        self._say(f"asking {', '.join(names)}", "info")
        said: list[str] = []
        wrong: list[str] = []
        asking = self._asking = asyncio.create_task(self._sync_each(names))
        try:
            await asyncio.wait((asking,))
        finally:
            asking.cancel()
            self._asking = None if self._asking is asking else self._asking
        if asking.cancelled():
            self._say("stopped asking: what came until then is kept, and the rest comes next time", "warn")
            return
        answers = asking.result()
        for name, (words, fault) in zip(names, answers, strict=True):
            (wrong if fault else said).append(f"{name}: {words}")
        self._say("; ".join([*wrong, *said]), "bad" if wrong else "good")

    @property
    def is_syncing(self) -> bool:
        """Whether services are being asked."""
        return self._asking is not None or bool(self._context.engine.snapshot().syncing)

    @property
    def is_moving(self) -> bool:
        """Whether a transfer is under way, or waits to be."""
        return any(not view.state.ended for view in self._context.engine.snapshot().transfers)

    async def stop_sync(self) -> None:
        """Ask no more, whoever began it."""
        if self._asking is not None:
            self._asking.cancel()
        engine = self._context.engine
        for name in engine.snapshot().syncing:
            await self._context.ask(lambda desk, name=name: engine.stop_sync(name))  # type: ignore[misc]  # bound early on purpose

    async def _sync_each(self, names: Sequence[str]) -> list[tuple[str, bool]]:
        return await asyncio.gather(*map(self._sync_one, names))

    async def _sync_one(self, name: str) -> tuple[str, bool]:
        try:
            report = await self._context.ask(lambda desk: desk.sync(name))
        except FAULTS as error:
            refused = isinstance(error, Unauthorized | Forbidden)
            return words_of(error) + ("; c in mode 6 tells more" if refused else ""), True
        figures = f"{report.meetings} known, {report.new} new"
        return f"{figures} ({report.words})" if report.words else figures, False


def most_common(reasons: Sequence[str]) -> str:
    """The reason given most often, and how many more there are."""
    if not reasons:
        return ""
    (reason, _), *others = Counter(reasons).most_common()
    return f"{reason} (and {label.count(len(others), 'other reason')})" if others else reason
