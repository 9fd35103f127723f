"""A screen with a metadata pane, which tells how the log's chain stands: it is followed beside everything else."""

import time
from enum import Enum, auto

from tui.context import Context
from tui.custody_words import chain_words, unfollowed_words
from tui.long_work import Stopped
from tui.screens.base import ModeScreen
from tui.widgets.pane import Pane

FOLLOWED_UNASKED = 10_000
"""So many events and assets are gone through in a third of a second of CPU; a million in a minute."""
GIVES_WAY_S = 0.02
"""So long the log rests after every 2,000 events (some 40 ms of Python, which keys need, too)."""


class _Log(Enum):
    """How far the desk is with following the log."""

    UNSEEN = auto()
    WAITS = auto()
    """It is long: until somebody reads the pane."""
    SEEN = auto()
    SHORT = auto()
    """Seen, and soon seen again."""


class FollowsLog(ModeScreen):
    """Follows it once; a long one only when somebody reads the pane."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._log = _Log.UNSEEN

    @property
    def pane(self) -> Pane:
        """What is known of the current line."""
        raise NotImplementedError

    def look_at_log(self) -> None:
        """Once."""
        if self._log is _Log.UNSEEN:
            self._log = _Log.SEEN
            self.attempt(self._look_at_log, "log")

    async def _look_at_log(self) -> None:
        """Follow the log's chain once, where that is soon done; a long one when somebody goes to the pane."""
        context = self.context
        if await context.read(lambda: context.desk.custody.log_rows()) <= FOLLOWED_UNASKED:
            self._log = _Log.SHORT
            await self._follow_log()
            return
        self.pane.chain = unfollowed_words(await context.read(context.desk.custody.log_size))
        self.pane.redraw()
        self._log = _Log.WAITS
        self._log_is_wanted()

    def on_descendant_focus(self) -> None:
        """Somebody reads the pane; since a short log was followed, it may have grown."""
        if self._log is _Log.SHORT and self.pane.has_focus:
            self.attempt(self._follow_log, "log", exclusive=True)
        self._log_is_wanted()

    def _log_is_wanted(self) -> None:
        if self._log is _Log.WAITS and self.pane.has_focus:
            self._log = _Log.SEEN
            self.attempt(self._follow_log, "log")

    async def _follow_log(self) -> None:
        """The pane tells how it stands."""
        self.pane.chain = await followed(self)
        self.pane.redraw()


async def followed(screen: ModeScreen) -> str:
    """Follow the log's chain beside everything else; how it stands, in words."""
    context, app = screen.context, screen.app

    def give_way(done: int, total: int) -> None:
        if not app.is_running:
            raise Stopped("the desk is left")
        time.sleep(GIVES_WAY_S)

    return chain_words(await context.read(context.desk.custody.check_log, None, give_way), context.now())
