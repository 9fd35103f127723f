"""How the desk behaves on its line: what it asks of the terminal, and how often it shows progress."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

PROGRESS_S = 0.5
"""At most twice a second is the engine looked at, and only what changed is drawn."""
SSH_FOLLOW_S, SLOW_FOLLOW_S = 0.15, 0.4
"""So long the cursor rests over SSH, and with little bandwidth, before the pane follows: not while a key is held."""
SLOW_BYTES_S = 12_000
"""What a held key may send over SSH: its frames replace each other meanwhile."""


class Mouse(Enum):
    """What a terminal is asked to tell of the mouse."""

    OFF = "off"
    CLICKS = "clicks"
    """Buttons, the wheel, and moves while a button is held."""
    ALL = "all"
    """Every move."""


class Line(Struct, frozen=True):
    """The line to the terminal."""

    mouse: Mouse = Mouse.ALL
    progress_s: float = PROGRESS_S
    """Seconds between two looks at what moves."""
    low_bandwidth: bool = False
    """Whether what can wait waits: the pane follows the cursor when it rests."""
    follow_s: float = 0.0
    """Seconds for which the cursor rests before the pane follows it."""
    bytes_s: int = 0
    """Bytes a second at which frames follow each other; 0: as fast as the terminal takes them."""


def line_for(environ: Mapping[str, str], *, no_mouse: bool = False, low_bandwidth: bool = False) -> Line:
    """The line that an environment tells of. Over SSH mouse moves are not asked for; progress shows once a second.

    `low_bandwidth`: half as often again, and no more of the mouse than over SSH.
    """
    slow = bool(environ.get("SSH_TTY") or environ.get("SSH_CONNECTION"))
    mouse = Mouse.OFF if no_mouse else Mouse.CLICKS if slow or low_bandwidth else Mouse.ALL
    progress_s = PROGRESS_S * (2 if slow else 1) * (2 if low_bandwidth else 1)
    follow_s = SLOW_FOLLOW_S if low_bandwidth else SSH_FOLLOW_S if slow else 0.0
    bytes_s = SLOW_BYTES_S // (2 if low_bandwidth else 1) if slow or low_bandwidth else 0
    return Line(mouse, progress_s, low_bandwidth, follow_s, bytes_s)
