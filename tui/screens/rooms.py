"""Mode 3, the rooms: the catch-up of a running call, refreshed; what changed since you last looked; the history."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from providers.models import Capability
from tui import label
from tui.clipboard import send
from tui.commands import bindings
from tui.context import FAULTS, Context, words_of
from tui.label import plain
from tui.screens.base import ModeScreen, sheet
from tui.widgets.bars import Bar
from tui.widgets.ink import wrap
from tui.widgets.lines import Lines, Row
from vault.views import CatchupView

if TYPE_CHECKING:
    from vault.engine import Snapshot

REFRESH_S = 15.0
Room = tuple[str, str]


class RoomsScreen(ModeScreen):
    """Rooms at the left, the text at the right, its history below."""

    MODE = "rooms"
    CSS_PATH = sheet("rooms")
    BINDINGS: ClassVar[list[Binding]] = bindings("rooms")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#rooms"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._rooms: tuple[Room, ...] = ()
        self._history: tuple[CatchupView, ...] = ()
        self._looked: dict[Room, str] = {}
        """What a room said when one last left it; at first, what it said when it was first shown."""
        self._past: datetime | None = None
        self._error = ""
        self._asking = 0
        """How many questions have no answer yet."""

    def body(self) -> Iterable[Widget]:
        """Rooms, text, history."""
        yield Horizontal(
            Lines(id="rooms"),
            Vertical(Bar(id="title"), Lines(id="text"), Bar(id="times"), Lines(id="history"), id="right"),
            id="body",
        )

    def on_mount(self) -> None:
        """The text renews itself while it is shown."""
        self.set_interval(REFRESH_S, self._renew)

    @property
    def room(self) -> Room | None:
        """The room that is shown."""
        key = self.query_one("#rooms", Lines).key
        return key if isinstance(key, tuple) else None

    @property
    def shown(self) -> CatchupView | None:
        """The text that is shown: the latest, or one of the history."""
        chosen = [view for view in self._history if view.at == self._past]
        good = [view for view in self._history if not view.error]
        return chosen[0] if chosen else good[0] if good else None

    def _renew(self) -> None:
        # What is asked already would be cancelled by it: unanswered for ever at a slow service, if by hand untold.
        if self.is_current and self.room is not None and not self._asking:
            self.attempt(lambda: self._ask(quiet=True), "ask", exclusive=True)

    # Reading -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Rooms and history from the ledger, then the service."""
        self.attempt(self._look, "look", exclusive=True)

    async def _look(self) -> None:
        self._rooms = await self.context.read(self.context.desk.rooms)
        self.query_one("#rooms", Lines).show(lambda width: room_rows(self._rooms, width))
        await self._read()
        if self.room is not None:
            await self._ask(quiet=True)

    async def _read(self) -> None:
        room = self.room
        self._history = await self.context.read(self.context.desk.catchup_history, *room) if room else ()
        good = [view.text for view in self._history if not view.error]
        if room is not None and good:
            self._looked.setdefault(room, good[0])
        self._draw()

    async def _ask(self, *, quiet: bool) -> None:
        room = self.room
        if room is None:
            return
        self._asking += 1
        if not quiet:
            self.say(f"asking for {room[1]}", "info")
        try:
            error = (await self.context.ask(lambda desk: desk.catchup(*room))).error
        except FAULTS as fault:
            error = words_of(fault)
        finally:
            self._asking -= 1
        is_shown = room == self.room
        if is_shown:
            self._error = error
            await self._read()
        if not quiet:
            whose = "" if is_shown else f"{room[1]}: "
            self.say(f"{whose}{error or 'asked just now'}", "bad" if error else "good")

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """Another process may have asked."""
        if changed:
            self.attempt(self._read, "read", exclusive=True)

    def minute(self) -> None:
        """Ages."""
        self._draw()

    # Drawing -----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        room, view = self.room, self.shown
        self.query_one("#title", Bar).say(
            title_line(room, view, self._error, self.context.now(), past=self._past is not None)
        )
        before = self._looked.get(room) if room else None
        words = self._empty()
        self.query_one("#text", Lines).show(lambda width: text_rows(view, before, words, width))
        history = self._history
        self.query_one("#times", Bar).say(((f" History ({len(history)})", "head"),))
        self.query_one("#history", Lines).show(lambda width: history_rows(history, width))
        self.refresh_keys()

    def _empty(self) -> Sequence[str]:
        if self._asking and not self._error:
            return ("Asking for the summary.",)
        if self._rooms:
            return (
                self._error or "No summary yet: the call has only begun, or nobody is in the room.",
                "r asks again.",
            )
        desk = self.context.desk
        if any(Capability.CATCHUP in desk.capabilities(name) for name in desk.config.accounts):
            return ("No room is known yet.", f'Name it in {self.context.desk.config.path}: rooms = ["town-hall"]')
        return ("No account summarises calls.", "A ProCONF account does: 6, then n adds one.")

    # Choosing ----------------------------------------------------------------------------------------------------

    def on_lines_moved(self, event: Lines.Moved) -> None:
        """Another room, or another moment."""
        if event.lines.id == "rooms":
            self._past, self._error = None, ""
            self.attempt(self._look, "look", exclusive=True)

    def on_lines_opened(self, event: Lines.Opened) -> None:
        """A moment of the history is shown."""
        if event.lines.id == "history" and isinstance(event.key, datetime):
            self._past = event.key
            self._draw()
        elif event.lines.id == "rooms":
            self.query_one("#text", Lines).focus()

    def on_screen_suspend(self) -> None:
        """What is on the screen now has been looked at."""
        self._remember()

    def _remember(self) -> None:
        room = self.room
        good = [view for view in self._history if not view.error]
        if room is not None and good:
            self._looked[room] = good[0].text

    def focus_first(self) -> None:
        """The rooms."""
        self.query_one("#rooms", Lines).focus()

    def do_back(self) -> None:
        """Out of the history, to the rooms, to the desk."""
        if self._past is not None:
            self.do_room_live()
        elif self.focused is not self.query_one("#rooms", Lines):
            self.focus_first()
        else:
            super().do_back()

    # Acting ------------------------------------------------------------------------------------------------------

    def why_not(self, command: str) -> str:
        """Nothing to do without a room or a text."""
        if command == "room.refresh" and self.room is None:
            return "there is no room to ask for"
        if command == "room.copy" and self.shown is None:
            return "there is no text yet"
        if command == "room.live" and self._past is None:
            return "this is the latest"
        if command.startswith("account."):
            return "" if len(self._rooms) > 1 else "there is no other room"
        return super().why_not(command)

    def _step(self, by: int) -> None:
        room = self.room
        place = self._rooms.index(room) if room in self._rooms else 0
        self._remember()
        self.query_one("#rooms", Lines).select(self._rooms[(place + by) % len(self._rooms)])

    def do_account_next(self) -> None:
        """The next room."""
        self._step(1)

    def do_account_previous(self) -> None:
        """The room before."""
        self._step(-1)

    def do_room_refresh(self) -> None:
        """Ask now."""
        self.attempt(lambda: self._ask(quiet=False), "ask", exclusive=True)

    def do_room_live(self) -> None:
        """The latest text."""
        self._past = None
        self._draw()

    def do_room_copy(self) -> None:
        """The text that is shown."""
        if self.shown is not None:
            self.say(send(self.app, self.shown.text, "text"))


def room_rows(rooms: Sequence[Room], width: int) -> list[Row]:
    """Two lines a room."""
    rows = []
    for account, room in rooms:
        rows.append(Row(((f" {label.cut(plain(room), width - 1)}", "strong"),), (account, room)))
        rows.append(Row(((f"   {label.cut(plain(account), width - 3)}", "dim"),), (account, room)))
    return rows


def title_line(
    room: Room | None, view: CatchupView | None, error: str, now: datetime, *, past: bool
) -> tuple[tuple[str, str], ...]:
    """Which room, how old, and what went wrong since."""
    if room is None:
        return ((" Rooms", "strong"),)
    runs: tuple[tuple[str, str], ...] = ((f" {plain(room[1])} ", "strong"),)
    if view is not None:
        age = f"as it was at {label.when(view.at)}" if past else f"{label.ago(view.at, now)}"
        runs += ((f" {age}", "warn" if past else "dim"),)
    return (*runs, (f"  {plain(error)}", "bad")) if error else runs


def text_rows(view: CatchupView | None, before: str | None, words: Sequence[str], width: int) -> list[Row]:
    """The summary; a `+` in the margin of lines that were not there when one last looked."""
    if view is None or not view.text.strip():
        return [
            Row(((" ", ""), (part, "" if not place else "dim")))
            for place, w in enumerate(words)
            for part in wrap(w, width - 2)
        ]
    known = None if before is None else set(label.safe_block(before).split("\n"))
    rows: list[Row] = []
    for line in label.safe_block(view.text).split("\n"):
        new = known is not None and bool(line.strip()) and line not in known
        margin, ink = ("+ ", "strong") if new else ("  ", "")
        rows += [Row(((margin, "good"), (part, ink))) for part in wrap(line, width - 3)]
    return rows


def history_rows(history: Sequence[CatchupView], width: int) -> list[Row]:
    """When each was read, and what it says last."""
    rows = []
    for view in history:
        last = view.error or view.text.strip().split("\n")[-1]
        ink = "bad" if view.error else "dim"
        rows.append(Row(((f" {label.clock(view.at)}  ", ""), (label.cut(plain(last), width - 12), ink)), view.at))
    return rows
