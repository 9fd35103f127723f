"""The desk's one-line bars: modes at the top; words and keys at the bottom."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tui.commands import Command, keys_of, spoken
from tui.label import cut, cut_words, plain
from tui.widgets.ink import Inked, Line, text_of

MODES = (
    ("1", "desk", "Desk"),
    ("2", "transfers", "Transfers"),
    ("3", "rooms", "Rooms"),
    ("4", "notifications", "Notifications"),
    ("5", "webhooks", "Webhooks"),
    ("6", "accounts", "Accounts"),
)

BANNER_LEAST = 14
"""Cells of a banner that still say something: `demo: nothing`."""


class Bar(Inked, can_focus=False):
    """One line, drawn again only when it changed."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._line: Line = ()
        self._over = ""

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(text for text, _ in self._line).strip()

    def say(self, line: Line, over: str = "") -> None:
        """Show another line."""
        if (line, over) != (self._line, self._over):
            self._line, self._over = line, over
            self.refresh_line(0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Always one."""
        return 1

    def render_line(self, y: int) -> Strip:
        """The line."""
        return self.draw(self._line, self.size.width, self._over)


class StatusBar(Bar):
    """Words for a person; at the right, where that is wanted, what the desk sends to its terminal."""

    def __init__(self, *, id: str, end: str = "…") -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._tail = ""
        self._end = end
        """What stands where words have no room."""

    def tail(self, words: str) -> None:
        """What stands at the right; "" for nothing."""
        if words != self._tail:
            self._tail = words
            self.refresh_line(0)

    def render_line(self, y: int) -> Strip:
        """The words, and what stands at the right."""
        room = max(self.size.width - cell_len(self._tail) - 2, 0) if self._tail else self.size.width
        words = cut_words(text_of(self._line), room, self._end)
        runs = list(self._line) if words == text_of(self._line) else [(words, self._ink)]
        if not self._tail:
            return self.draw(runs, self.size.width, self._over)
        pad = " " * (room - _cells(runs) + 1)
        return self.draw((*runs, (pad, ""), (f"{self._tail} ", "dim")), self.size.width, self._over)

    @property
    def _ink(self) -> str:
        return self._line[-1][1] if self._line else ""


class ModeBar(Bar):
    """The modes, the current one marked; at the right what is never to be overlooked, and the demo's banner."""

    class Chosen(Message):
        """A mode was clicked."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, mode: str, banner: str, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._mode, self._banner = mode, plain(banner)
        self._badge = ("", "")
        self._spans: list[tuple[int, int, str]] = []

    def badge(self, whole: str, short: str) -> None:
        """What stands at the right in every mode, whatever else does: in full, and where there is little room."""
        if (whole, short) != self._badge:
            self._badge = (whole, short)
            self._arrange()

    def on_resize(self) -> None:
        """Arranged anew."""
        self._arrange()

    def _arrange(self) -> None:
        """Names closer together, then no names, where they do not fit beside the badge and the banner."""
        width = self.size.width
        if not width:
            return
        ways = ([f" {key} {name} " for key, _, name in MODES], [f"{key} {name} " for key, _, name in MODES])
        roomy, tight = (sum(map(len, way)) for way in ways)
        told = self._told(width - roomy, whole=True) or self._told(width - tight, whole=False)
        if told and roomy + _cells(told) <= width:
            names = ways[0]
        elif told:
            names = ways[1]
        else:
            names = [f" {key} {name} " if mode == self._mode else f" {key} " for key, mode, name in MODES]
            told = self._told(width - sum(map(len, names)), whole=False, least=0)
        runs: list[tuple[str, str]] = []
        used = 0
        self._spans = []
        for (_, mode, _), shown in zip(MODES, names, strict=True):
            runs.append((shown, "cursor" if mode == self._mode else "dim"))
            self._spans.append((used, used + len(shown), mode))
            used += len(shown)
        runs += [(" " * (width - used - _cells(told)), ""), *told]
        self.say(tuple(runs))

    def _told(self, room: int, *, whole: bool, least: int = BANNER_LEAST) -> list[tuple[str, str]]:
        """The badge and the banner in so many cells; [] where they do not fit. `whole`: neither is cut."""
        badge = next((form for form in self._badge if cell_len(form) + (2 if form else 0) <= room), "")
        runs = [(f" {badge} ", "bad")] if badge else []
        left = room - _cells(runs)
        banner = self._banner if cell_len(self._banner) <= left else "" if whole else cut(self._banner, max(left, 0))
        if (self._badge[0] and not badge) or cell_len(banner) < min(cell_len(self._banner), least):
            return []
        return [*runs, (banner, "warn")]

    def on_click(self, event: events.Click) -> None:
        """Modes can be clicked."""
        for start, end, mode in self._spans:
            if start <= event.x < end:
                self.post_message(self.Chosen(mode))


class KeyBar(Bar):
    """The commands that matter here, as many as fit; those that cannot act now are greyed."""

    def show(self, commands: Sequence[Command], why_not: Callable[[str], str], keymap: dict[str, str]) -> None:
        """Show the commands of a screen in the order of their `show`; the general ones come last and always fit."""
        named = [(command, spoken(keys_of(command, keymap).split(",")[0])) for command in commands if command.show]
        named.sort(key=lambda pair: pair[0].show)
        general = [pair for pair in named if pair[0].show >= 90]
        room = self.size.width - sum(_wide(*pair) for pair in general)
        shown = []
        for pair in named:
            if pair[0].show < 90 and _wide(*pair) <= room:
                room -= _wide(*pair)
                shown.append(pair)
        runs: list[tuple[str, str]] = []
        for command, key in shown + general:
            off = bool(why_not(command.id))
            runs += [(" ", ""), (key, "off" if off else "strong"), (f" {command.words} ", "off" if off else "dim")]
        self.say(tuple(runs))


def _cells(line: Sequence[tuple[str, str]]) -> int:
    return sum(cell_len(text) for text, _ in line)


def _wide(command: Command, key: str) -> int:
    return cell_len(key) + cell_len(command.words) + 3
