"""What every mode's screen shares: the bars, words in the status line, and keys that say why when they cannot act."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import ComposeResult
from textual.css.query import NoMatches
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from styles import SHEETS
from tui.beside import beside
from tui.commands import BY_ID, on
from tui.context import FAULTS, Context, words_of
from tui.label import plain, rate
from tui.unchecked import badge
from tui.widgets.bars import Bar, KeyBar, ModeBar, StatusBar
from tui.widgets.ink import INK_CLASSES
from tui.widgets.listing import Listing
from tui.wire.app import WiredApp
from vault.errors import Superseded

if TYPE_CHECKING:
    from vault.engine import Snapshot

BarOf = TypeVar("BarOf", bound=Bar)
SMALL = "reeldesk needs at least 60 x 20 characters; make the window larger"


def sheet(name: str) -> str:
    """The path of a screen's sheet."""
    return str(SHEETS / f"{name}.tcss")


class ModeScreen(Screen[None]):
    """One mode. Its commands are methods `do_...`; `why_not` gives the reason when one cannot act now."""

    MODE: ClassVar[str] = ""
    PART_OF: ClassVar[str] = ""
    """The mode that a screen over another one belongs to: the one that the bar shows."""
    BLANK = True
    """It draws nothing itself."""
    COMPONENT_CLASSES: ClassVar[set[str]] = set(INK_CLASSES)
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  # Textual declares it, oddly as an instance's
        (0, "-tiny-width"),
        (60, "-narrow"),
        (100, "-wide"),
        (140, "-huge"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-tiny-height"), (20, "-low"), (30, "-tall")]  # noqa: RUF012  # likewise

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self._resumed_early = False
        self._opening: object | None = None
        """What is under way to open a screen over this one; None: nothing is."""

    @property
    def is_filling(self) -> bool:
        """Whether what the next key is for has not come yet: keys wait (tui/held_keys.py)."""
        table = self.focused
        behind = isinstance(table, Listing) and table.is_behind
        return behind or not self.is_mounted or self._opening is not None

    def body(self) -> Iterable[Widget]:
        """The widgets between the bars."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Bars around the body."""
        yield ModeBar(self.PART_OF or self.MODE, self.context.banner, id="modes")
        yield Static(SMALL, id="small", markup=False)
        yield from self.body()
        yield StatusBar(id="status", end=self.context.glyphs.more)
        yield KeyBar(id="keys")

    def fit(self, size: Size) -> None:
        """Before it is mounted: Textual tells it how large it is only then, and styles all of it once more."""
        for least, each in ((size.width, self.HORIZONTAL_BREAKPOINTS), (size.height, self.VERTICAL_BREAKPOINTS)):
            name = next(name for at, name in sorted(each, reverse=True) if at <= least)
            self.add_class(name, update=False)

    # Words -------------------------------------------------------------------------------------------------------

    def say(self, words: str, ink: str = "") -> None:
        """Words in the status line."""
        bar = self._bar("#status", Bar)
        if bar is not None:
            bar.say(((" ", ""), (plain(words), ink)))

    def _bar(self, selector: str, kind: type[BarOf]) -> BarOf | None:
        """One of the bars; None while the screen opens or closes. `query` would go through every widget."""
        try:
            return self.query_one(selector, kind)
        except NoMatches:
            return None

    def say_on_top(self, words: str, ink: str = "") -> None:
        """Words in the status line of whichever screen is seen now, since what they are of may have taken a while."""
        top = next((each for each in reversed(self.app.screen_stack) if isinstance(each, ModeScreen)), self)
        top.say(words, ink)

    @property
    def said(self) -> str:
        """What the status line says."""
        return self.query_one("#status", Bar).text

    def attempt(
        self,
        work: Callable[[], Awaitable[None]],
        group: str = "attempts",
        *,
        exclusive: bool = False,
        opens: bool = False,
    ) -> None:
        """Do something that may fail, beside the screen; a fault becomes words.

        `opens`: a screen, a question or another row is its outcome, and keys wait for that.
        """
        opening = object() if opens else None
        self._opening = opening or self._opening
        beside(self, partial(self._in_words, work, opening), group, exclusive=exclusive)

    async def _in_words(self, work: Callable[[], Awaitable[None]], opening: object | None) -> None:
        try:
            await work()
        except Superseded:
            pass  # what took its place is being read
        except FAULTS as error:
            self.say(words_of(error), "bad")
        finally:
            if self._opening is opening:
                self._opening = None

    # Commands ----------------------------------------------------------------------------------------------------

    def why_not(self, command: str) -> str:
        """Why a command cannot act now; "" when it can."""
        if command in ("account.next", "account.previous"):
            return "" if len(self.context.desk.config.accounts) > 1 else "there is no other account"
        return ""

    def action_perform(self, command: str) -> None:
        """Do a command, or say why it cannot be done."""
        reason = self.why_not(command)
        if reason:
            self.say(reason, "warn")
        else:
            self.say("")
            getattr(self, BY_ID[command].method)()
        self.refresh_keys()

    def refresh_keys(self) -> None:
        """Grey what cannot act now; and an account whose TLS is not checked is never overlooked."""
        accounts = self.context.desk.config.accounts
        unchecked = [name for name, account in accounts.items() if not account.settings.verify]
        modes, keys = self._bar("#modes", ModeBar), self._bar("#keys", KeyBar)
        if modes is not None and keys is not None:
            modes.badge(*badge(unchecked))
            keys.show(on(self.MODE), self.why_not, dict(self.app._keymap))

    def on_resize(self) -> None:
        """The key line shows what fits."""
        self.call_after_refresh(self.refresh_keys)

    def on_screen_resume(self) -> None:
        """What happened meanwhile is read."""
        if self._bar("#keys", KeyBar) is not None:
            self.look()
            self.refresh_keys()
        else:
            # Keys in one burst: the screen is shown before its widgets are there.
            self._resumed_early = True

    def on_screen_suspend(self) -> None:
        """What was to open is open."""
        self._opening = None

    def on_mount(self) -> None:
        """What could not be read before."""
        if self._resumed_early:
            self._resumed_early = False
            self.on_screen_resume()

    def on_mode_bar_chosen(self, event: ModeBar.Chosen) -> None:
        """A mode was clicked."""
        self.action_perform(f"mode.{event.mode}")

    def tell_rate(self) -> None:
        """What the desk sends to its terminal, where that is to be seen."""
        app = self.app
        if isinstance(app, WiredApp):
            words = f"{rate(app.bytes_a_second)} sent" if app.shows_rate else ""
            bar = self._bar("#status", StatusBar)
            if bar is not None:
                bar.tail(words)

    # What the app tells ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read everything again that this screen shows."""

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """What the engine does now, at most twice a second; `changed`: the ledger's content is not what it was."""

    def tick(self) -> None:
        """Nothing changed since the last look; a moment that something waits for may have come."""

    def minute(self) -> None:
        """A minute has passed: figures that depend on the time are drawn again."""

    # Commands of every screen ------------------------------------------------------------------------------------

    def _mode(self, mode: str) -> None:
        self.app.switch_mode(mode)

    def do_mode_desk(self) -> None:
        """To mode 1."""
        self._mode("desk")

    def do_mode_transfers(self) -> None:
        """To mode 2."""
        self._mode("transfers")

    def do_mode_rooms(self) -> None:
        """To mode 3."""
        self._mode("rooms")

    def do_mode_notifications(self) -> None:
        """To mode 4."""
        self._mode("notifications")

    def do_mode_webhooks(self) -> None:
        """To mode 5."""
        self._mode("webhooks")

    def do_mode_accounts(self) -> None:
        """To mode 6."""
        self._mode("accounts")

    def do_back(self) -> None:
        """Out of an input; else to the desk."""
        if isinstance(self.focused, Input):
            self.focus_first()
        elif self.MODE != "desk":
            self._mode("desk")

    def focus_first(self) -> None:
        """Focus what the keys are for."""

    def do_help(self) -> None:
        """All keys."""
        self.app.push_screen(_help(self.MODE, dict(self.app._keymap)))

    def do_palette(self) -> None:
        """Find an action by its words."""
        self.app.push_screen(_palette(self), self._chosen)

    def _chosen(self, command: str | None) -> None:
        if command:
            self.action_perform(command)

    def do_line_rate(self) -> None:
        """Show what goes over the line, or hide it."""
        if isinstance(self.app, WiredApp):
            self.app.shows_rate = not self.app.shows_rate
            self.tell_rate()

    def do_redraw(self) -> None:
        """All of it anew, whatever the terminal shows."""
        if isinstance(self.app, WiredApp):
            self.app.redraw()

    def do_theme(self) -> None:
        """The next theme."""
        themes = ["reeldesk-dark", "reeldesk-light", "ansi-dark", "ansi-light"]
        if self.app.no_color:
            self.say("NO_COLOR is set: the terminal's own colours stay", "warn")
            return
        place = themes.index(self.app.theme) if self.app.theme in themes else 0
        self.app.theme = themes[(place + 1) % len(themes)]
        self.say(f"theme {self.app.theme}")

    async def action_quit(self) -> None:
        """Ctrl+q, which Textual binds itself."""
        self.do_quit()

    def do_account_add(self) -> None:
        """Mode 6 does it."""
        self.attempt(self._add_account, "mode", exclusive=True, opens=True)

    async def _add_account(self) -> None:
        await self.app.switch_mode("accounts")
        screen = self.app.screen
        if isinstance(screen, ModeScreen) and screen.MODE == "accounts":
            screen.action_perform("account.add")

    def do_demo(self) -> None:
        """Leave for the demo."""
        self.app.wants_demo = True  # type: ignore[attr-defined]  # the desk's own app
        self.app.exit()

    def do_quit(self) -> None:
        """Stop cleanly; asks while transfers run."""
        beside(self, self.app.action_quit, "quit")


def _help(mode: str, keymap: dict[str, str]) -> Screen[None]:
    from tui.screens.help import HelpScreen

    return HelpScreen(mode, keymap)


def _palette(screen: ModeScreen) -> Screen[str | None]:
    from tui.screens.palette import PaletteScreen

    return PaletteScreen(on(screen.MODE), screen.why_not, dict(screen.app._keymap))
