"""What the desk does with assets: queue, verify, release, cancel, pause. Each says what came of it, with reasons."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence

from providers.models import AssetId
from tui import label
from tui.context import FAULTS, Context, words_of
from tui.label import plain
from vault import rules
from vault.views import AssetView, LocalState, TransferState, TransferView

Say = Callable[[str, str], None]
NOT_UNDER_WAY = "no transfer of it is under way"


class Acts:
    """The actions over a context; `say(words, ink)` tells a person. `undone` keeps what `u` takes back."""

    def __init__(self, context: Context, say: Say) -> None:
        self._context = context
        self._say = say
        self.undone: list[tuple[str, Callable[[], Awaitable[None]]]] = []

    # Queue -------------------------------------------------------------------------------------------------------

    async def fetch(self, assets: Sequence[AssetView]) -> None:
        """Queue what can be fetched; say why the rest is not."""
        desk = self._context.desk
        wanted = [asset.identity for asset in assets if not rules.why_not_fetch(asset)]
        queued = await self._context.read(desk.enqueue, wanted) if wanted else ()
        reasons = [reason for asset in assets if (reason := rules.why_not_fetch(asset))]
        if queued:
            self.undone.append((f"the queueing of {label.count(len(queued), 'asset')}", lambda: self._unqueue(queued)))
            skipped = f"; {len(reasons)} not: {most_common(reasons)}" if reasons else ""
            self._say(f"queued {label.count(len(queued), 'asset')}{skipped}", "good")
        else:
            self._say(f"nothing queued: {most_common(reasons) or 'no assets are known of it'}", "warn")

    async def _unqueue(self, queued: Iterable[AssetId]) -> None:
        for identity in queued:
            await self._context.read(self._context.desk.cancel, identity)

    async def cancel(self, identities: Sequence[AssetId]) -> None:
        """Cancel the transfers among them."""
        moving = [view for view in self.transfers(identities) if not view.state.ended]
        if not moving:
            self._say(NOT_UNDER_WAY, "warn")
            return
        for view in moving:
            await self._context.read(self._context.desk.cancel, view.asset)
        self._say(f"cancelled {label.count(len(moving), 'transfer')}; parts already fetched stay for a later try", "")

    async def pause(self, identities: Sequence[AssetId]) -> None:
        """Pause what moves; where all of it is paused, let it go on."""
        desk = self._context.desk
        open_ones = [view for view in self.transfers(identities) if not view.state.ended]
        moving = [view for view in open_ones if view.state is not TransferState.PAUSED]
        if not open_ones:
            self._say(NOT_UNDER_WAY, "warn")
            return
        for view in moving or open_ones:
            await self._context.read(desk.pause if moving else desk.resume, view.asset)
        verb = "paused" if moving else "resumed"
        self._say(f"{verb} {label.count(len(moving or open_ones), 'transfer')}", "")

    def transfers(self, identities: Iterable[AssetId]) -> list[TransferView]:
        """The transfers of these assets, as the engine last told."""
        wanted = set(identities)
        return [view for view in self._context.engine.snapshot().transfers if view.asset in wanted]

    async def undo(self) -> None:
        """Take the last thing back."""
        words, back = self.undone.pop()
        await back()
        self._say(f"took back {words}", "")

    # Sync --------------------------------------------------------------------------------------------------------

    async def sync(self, account: str) -> None:
        """Ask one account, or all when `account` is ""; what each says stands in its line at the left."""
        names = [account] if account else list(self._context.desk.config.accounts)
        self._say(f"asking {', '.join(names)}", "info")
        said: list[str] = []
        wrong: list[str] = []
        answers = await asyncio.gather(*map(self._sync_one, names))
        for name, (words, fault) in zip(names, answers, strict=True):
            (wrong if fault else said).append(f"{name}: {words}")
        self._say("; ".join([*wrong, *said]), "bad" if wrong else "good")

    async def _sync_one(self, name: str) -> tuple[str, bool]:
        try:
            report = await self._context.ask(lambda desk: desk.sync(name))
        except FAULTS as error:
            return words_of(error), True
        return f"{report.meetings} known, {report.new} new. {report.words}".strip(), False

    # Proof -------------------------------------------------------------------------------------------------------

    async def verify(self, assets: Sequence[AssetView]) -> None:
        """Read each file again, and say how many are still what was proven."""
        held = [asset for asset in assets if not rules.why_not_verify(asset)]
        if not held:
            reasons = [rules.why_not_verify(asset) for asset in assets]
            self._say(f"nothing to verify: {most_common(reasons) or 'no assets are known of it'}", "warn")
            return
        good, wrong = 0, []
        for place, asset in enumerate(held, start=1):
            self._say(f"reading {place} of {label.count(len(held), 'file')} again: {plain(asset.title)}", "info")
            fault = await self._verify_one(asset.identity)
            if fault:
                wrong.append(f"{asset.identity.kind} of {plain(asset.title)}: {fault}")
            else:
                good += 1
        if wrong:
            self._say(f"{len(wrong)} of {label.count(len(held), 'file')} not as proven: {wrong[0]}", "bad")
        else:
            self._say(f"{label.count(good, 'file')} read again: as proven; the pane names each check", "good")

    async def _verify_one(self, identity: AssetId) -> str:
        try:
            found = await self._context.ask(lambda desk: desk.verify(identity))
        except FAULTS as error:
            return words_of(error)
        return "" if found.state is LocalState.HELD else found.words

    # Release -----------------------------------------------------------------------------------------------------

    def releasable(self, assets: Iterable[AssetView]) -> tuple[list[AssetView], list[str]]:
        """What may be released now, and why the rest may not."""
        free, reasons = [], []
        for asset in assets:
            reason = rules.why_not_release(asset, self._context.desk.capabilities(asset.identity.account))
            if reason:
                reasons.append(reason)
            else:
                free.append(asset)
        return free, reasons

    def release_lines(self, assets: Sequence[AssetView]) -> list[str]:
        """What the dialog says: what the service will delete, and when."""
        lines = []
        for asset in assets:
            when = f"deletes it by {label.when(asset.deadline)}" if asset.deadline else "says not when it deletes it"
            lines.append(f"{plain(asset.title)}: {asset.identity.kind}, {label.size(asset.size)}")
            lines.append(f"  the service {when}")
            lines.append(f"  kept here: {plain(asset.path)}")
        lines += ["", "Each file is read again and compared with its proof before the service is told."]
        lines.append("This cannot be taken back.")
        return lines

    async def release(self, assets: Sequence[AssetView]) -> None:
        """Release each; stop at nothing, say what failed."""
        done, wrong = 0, []
        for asset in assets:
            identity = asset.identity
            self._say(f"releasing {plain(asset.title)}: reading its file first", "info")
            try:
                await self._context.ask(lambda desk, identity=identity: desk.release(identity))  # type: ignore[misc]  # bound early on purpose
            except FAULTS as error:
                wrong.append(f"{plain(asset.title)}: {words_of(error)}")
            else:
                done += 1
        if wrong:
            self._say(f"released {done}, not released {len(wrong)}: {wrong[0]}", "bad")
        else:
            self._say(f"released {label.count(done, 'asset')}; a receipt is in the custody trail", "good")


def most_common(reasons: Sequence[str]) -> str:
    """The reason given most often, and how many more there are."""
    if not reasons:
        return ""
    (reason, _), *others = Counter(reasons).most_common()
    return f"{reason} (and {label.count(len(others), 'other reason')})" if others else reason
