"""The desk's last frame: how it is kept, and what of it may be shown on a terminal again.

It is read before anything else is loaded, so this imports nothing that takes more than a moment. The file is in two
lines and the frame: a mark with a checksum, what the frame depends on and when it was seen, and the rows as text with
colours and places, without the last one, which says what is shown.
"""

import os
import stat
import sys
import zlib

from tui import VERSION

TYPE_CHECKING = False  # the modules for types take as long to load as the frame to show
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "last-frame"
MOST = 256 * 1024
"""Bytes of the file."""
SHOWN_S = 7 * 86_400
"""An older one is not shown: what it says of time left is far from true."""
_MARK = b"reeldesk frame 1"
_LOOKS = (
    "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME", "REELDESK_ASCII",
    "LC_ALL", "LC_CTYPE", "LANG",
)  # fmt: skip
"""The variables that decide how a desk is drawn."""
_FINALS = frozenset("mHGABCDK")
"""What our own pencil writes: colours, places, and the rest of a row blank."""
_PARAMETERS = "0123456789;"
_LONGEST = 96
"""Of a sequence's parameters."""
_JOINS = str.maketrans("", "", "\u00a0\u200c\u200d\u3000\r")
"""Not printable to Python, and harmless: spaces that titles have, what joins emoji, and the way to a row's begin."""
_ESCAPE = "\x1b"
_DIGITS = 12


class Place:
    """Where the frame of an environment's desk is kept, and what it belongs to."""

    __slots__ = ("config", "folder", "path")

    def __init__(self, environ: "Mapping[str, str]") -> None:
        # As vault/config.py has them by platformdirs, which takes as long to load as all the rest: held by a test.
        self.config = _named(environ, "REELDESK_CONFIG") or os.path.join(
            _home(environ, "XDG_CONFIG_HOME", "~/.config"), "config.toml"
        )
        self.folder = _named(environ, "REELDESK_DATA") or _home(environ, "XDG_DATA_HOME", "~/.local/share")
        self.path = os.path.join(self.folder, NAME)

    def depends(self, environ: "Mapping[str, str]", columns: int, lines: int) -> bytes:
        """All that must be as it was for a frame of so many columns and lines to be shown, in one line."""
        ledger = os.path.join(self.folder, "ledger.db")
        try:
            number = os.stat(ledger).st_ino
        except OSError:
            number = 0
        looks = [environ.get(name) for name in _LOOKS]
        return ascii((VERSION, columns, lines, self.config, ledger, number, looks)).encode()

    def remove(self) -> None:
        """No frame is kept."""
        try:  # noqa: SIM105  # contextlib takes longer to load than all of this
            os.unlink(self.path)
        except OSError:
            pass  # there is none


class Frame:
    """What a terminal showed: its rows but for the last, as text for it, and when (Unix time)."""

    __slots__ = ("at", "columns", "lines", "rows")

    def __init__(self, at: int, columns: int, lines: int, rows: str) -> None:
        self.at, self.columns, self.lines, self.rows = at, columns, lines, rows


def packed(frame: Frame, depends: bytes) -> bytes:
    """A frame as it is kept."""
    body = b"%d %s\n%s" % (frame.at, depends, frame.rows.encode())
    return b"%s %08x\n%s" % (_MARK, zlib.crc32(body), body)


def kept(place: Place, environ: "Mapping[str, str]", columns: int, lines: int, now: float) -> Frame | None:
    """The frame to show on a terminal of this size; None when there is none that fits.

    One that is damaged, that others could have written, or that does more to a terminal than a desk does, is removed.
    """
    try:
        content = _content(place)
    except FileNotFoundError:
        return None
    except OSError:
        content = b""
    head, _, body = content.partition(b"\n")
    first, _, rows = body.partition(b"\n")
    at, _, depends = first.partition(b" ")
    if head != b"%s %08x" % (_MARK, zlib.crc32(body)) or not at.isdigit() or len(at) > _DIGITS:
        place.remove()
        return None
    if depends != place.depends(environ, columns, lines) or not 0 <= now - int(at) <= SHOWN_S:
        return None
    text = rows.decode(errors="replace")
    if not harmless(text, columns, lines):
        place.remove()
        return None
    return Frame(int(at), columns, lines, text)


def harmless(rows: str, columns: int, lines: int) -> bool:
    """Whether a terminal only draws by it, on all lines but the last one."""
    plain, *sequences = rows.split(_ESCAPE)
    if not _printable(plain):
        return False
    for each in sequences:
        rest = each[1:].lstrip(_PARAMETERS)
        parameters = each[1 : len(each) - len(rest)]
        if each[:1] != "[" or rest[:1] not in _FINALS or len(parameters) > _LONGEST or not _printable(rest[1:]):
            return False
        if rest[0] == "H" and not _is_in(parameters, columns, lines - 1):
            return False
    return True


def _is_in(place: str, columns: int, lines: int) -> bool:
    y, _, x = place.partition(";")
    return (not y or (y.isdigit() and int(y) <= lines)) and (not x or (x.isdigit() and int(x) <= columns))


def _printable(text: str) -> bool:
    return text.isprintable() or text.translate(_JOINS).isprintable()


def _content(place: Place) -> bytes:
    """The file, if it is ours alone, in a folder that nobody else may change. Raises OSError."""
    folder = os.lstat(place.folder) if not os.path.islink(place.folder) else os.stat(place.folder)
    if folder.st_uid != os.geteuid() or folder.st_mode & 0o022:
        raise PermissionError(place.folder)
    descriptor = os.open(place.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(place.path)
        content = b""
        while len(content) <= MOST and (block := os.read(descriptor, MOST + 1 - len(content))):
            content += block
    finally:
        os.close(descriptor)
    if len(content) > MOST:
        raise OSError(f"{place.path} is too large")
    return content


def _named(environ: "Mapping[str, str]", name: str) -> str:
    value = environ.get(name)
    return os.path.abspath(os.path.expanduser(value)) if value else ""


def _home(environ: "Mapping[str, str]", name: str, usual: str) -> str:
    if sys.platform == "darwin":
        usual = "~/Library/Application Support"
    return os.path.join(os.path.expanduser(environ.get(name, "").strip() or usual), "reeldesk")
