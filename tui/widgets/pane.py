"""The metadata pane: follows the cursor a moment later, and has a cursor of its own over the meeting's assets."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from textual.message import Message

from providers.models import AssetId
from tui.beside import beside
from tui.context import FAULTS, Context, words_of
from tui.custody_words import NOTHING, Told, decided_rows, read_told, trail_rows
from tui.describe import meeting_rows
from tui.widgets.lines import Lines, Row
from tui.wire.app import WiredApp
from vault.views import AssetView, MeetingView

DELAY_S = 0.06
"""Long enough that a held arrow key asks the ledger once."""


class Pane(Lines):
    """Shows a meeting in full. `view` is the one shown, None while there is none."""

    class Followed(Message):
        """The pane shows another meeting or asset, or a newer state of it."""

    def __init__(self, context: Context, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.context = context
        self._told: Told = NOTHING
        self.chain = ""
        """How the log's chain stands, in words."""
        self._shown: tuple[str, str] | None = None
        self._aimed: AssetId | None = None
        self.view: MeetingView | None = None
        self.followed: Callable[[], None] = lambda: None
        """Called at the same time, before that is drawn: what goes by it is drawn with it."""
        self.words: Sequence[str] = ()
        """What stands here while no meeting is chosen."""

    @property
    def asset(self) -> AssetView | None:
        """The asset under the pane's cursor."""
        assets = self.view.assets if self.view else ()
        return next((asset for asset in assets if asset.identity == self.key), assets[0] if assets else None)

    def follow(self, key: tuple[str, str] | None, *, asset: AssetId | None = None, at_once: bool = False) -> None:
        """Show this meeting soon; its cursor on `asset`, if one is named."""
        app = self.app
        rest_s = max(DELAY_S, app.line.follow_s if isinstance(app, WiredApp) else 0.0)
        work = partial(self._follow, key, asset, 0 if at_once else rest_s)
        beside(self, work, "pane", exclusive=True)

    async def _follow(self, key: tuple[str, str] | None, asset: AssetId | None, delay: float) -> None:
        await asyncio.sleep(delay)
        try:
            view = await self.context.read(self.context.desk.meeting, *key) if key else None
        except FAULTS as error:
            view, self.words = None, (words_of(error),)
        moved = key != self._shown or (asset is not None and asset != self._aimed)
        self._shown, self._aimed, self.view = key, asset, view
        if moved:
            self.key = asset
        await self._read_told()
        self._draw(top=moved)

    def shows(self, key: tuple[str, str]) -> bool:
        """Whether it has followed to this meeting."""
        return self._shown == key

    async def _read_told(self) -> None:
        asset = self.asset
        self._told = await self.context.read(read_told, self.context.desk, asset.identity) if asset else NOTHING

    def on_lines_moved(self, event: Lines.Moved) -> None:
        """Another asset is described."""
        event.stop()
        beside(self, self._describe, "pane", exclusive=True)

    async def _describe(self) -> None:
        await self._read_told()
        self._draw(top=False)

    def redraw(self) -> None:
        """Figures that depend on the time."""
        self._draw(top=False)

    def _draw(self, *, top: bool) -> None:
        view, asset = self.view, self.asset
        self.key = asset.identity if asset else None
        self.show(lambda width: self._lines(view, asset, width), top=top)
        self.followed()
        self.post_message(self.Followed())

    def _lines(self, view: MeetingView | None, asset: AssetView | None, width: int) -> list[Row]:
        if view is None:
            return [Row(((words, "dim"),)) for words in self.words]
        glyphs, now = self.context.glyphs, self.context.now()
        decided = decided_rows(asset, self._told, width, now) if asset else []
        happened = trail_rows(self._told, self.chain, width, glyphs)
        return meeting_rows(view, asset, (decided, happened), width, glyphs, now)

    @property
    def identity(self) -> AssetId | None:
        """Of the asset under the cursor."""
        return self.asset.identity if self.asset else None
