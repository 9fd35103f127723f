"""Where `reeldesk` begins: the desk's last frame is shown, if it is to open, and only then all the rest is loaded."""

import os
import sys
import time

_OPENS = frozenset({"--no-mouse", "--low-bandwidth"})
"""With nothing but these, the desk opens over what is configured."""
_FRAMES_A_SECOND = "200"
"""A key that comes just behind a frame waits for the next one: 5 ms, and not Textual's 17."""


def entry() -> int:
    """Run what is asked for and give its exit status; the terminal is given back in every case."""
    frame = None
    try:
        if _OPENS.issuperset(sys.argv[1:]):
            from tui.shown_frame import shown

            frame = shown(os.environ, time.time())
            from tui.collecting import collect_nothing

            collect_nothing()  # the desk collects again once it is made
            os.environ.setdefault("TEXTUAL_FPS", _FRAMES_A_SECOND)
        from tui import cli

        return cli.entry(frame)
    except KeyboardInterrupt:
        return 130
    finally:
        if frame is not None:
            frame.take_back()
