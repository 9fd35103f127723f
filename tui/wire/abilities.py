"""What a terminal can do, as its own description (terminfo) says."""

from collections.abc import Callable, Mapping

from msgspec import Struct


class Abilities(Struct, frozen=True):
    """What shortens what is written. The defaults are for a terminal of which nothing is known."""

    erases_cells: bool = False
    """ECH: blanks without a cursor's move."""
    erases_in_ground: bool = False
    """What is erased gets the pen's ground ("bce"); else the terminal's own."""
    scrolls: bool = False
    """Lines move within margins (DECSTBM, IL, DL)."""


def abilities(environ: Mapping[str, str], fileno: int) -> Abilities:
    """Those of the terminal at `fileno`, named by TERM."""
    term = environ.get("TERM", "")
    if term.startswith("tmux") or (term.startswith("screen") and environ.get("TMUX")):
        # Its description is older than what it does: it erases cells, and in the pen's ground.
        return Abilities(erases_cells=True, erases_in_ground=True, scrolls=True)
    look = _terminfo(term, fileno)
    if look is None:
        return Abilities()
    scrolls = all(look(name).startswith(b"\x1b[") for name in ("csr", "il", "dl"))
    return Abilities(look("ech").startswith(b"\x1b["), look("bce") == b"yes", scrolls)


def _terminfo(term: str, fileno: int) -> Callable[[str], bytes] | None:
    try:
        import curses
    except ImportError:  # a Python may be built without it
        return None
    try:
        curses.setupterm(term or "dumb", fileno)
    except curses.error:
        return None

    def look(name: str) -> bytes:
        if name == "bce":
            return b"yes" if curses.tigetflag(name) > 0 else b""
        return curses.tigetstr(name) or b""

    return look


def unfit(environ: Mapping[str, str]) -> str:
    """Why the desk cannot be drawn on this terminal, in words; "" when it can."""
    if environ.get("TERM", "") in ("dumb", ""):
        named = "TERM=dumb" if environ.get("TERM") else "TERM is not set"
        words = "the desk needs a terminal that can move its cursor"
        return f"{words} ({named}); `reeldesk list` and the other commands do not"
    return ""
