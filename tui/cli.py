"""`reeldesk`: the command line. It opens the desk when no command is named; Textual is imported only then.

The commands (tui/commandline/parsing.py) are imported only when there may be one: the desk does not wait for them.
"""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui import hardening
from tui.commandline import opening
from tui.commandline.output import Output
from tui.commandline.session import FAULTS, Usage, words
from vault.errors import ConfigError
from vault.given import take_out

if TYPE_CHECKING:
    import argparse

    from tui.shown_frame import ShownFrame


def entry(frame: "ShownFrame | None" = None) -> int:
    """Where the process begins: it is shut off from others, and what it starts does not inherit our secrets.

    `frame`: the desk's last one, if it was shown already (tui/start.py).
    """
    hardening.harden()
    return main(environ=take_out(os.environ), frame=frame)


def main(
    argv: list[str] | None = None, environ: Mapping[str, str] | None = None, frame: "ShownFrame | None" = None
) -> int:
    """Run a command and give its exit status. What fails outside of the program is told in words, never a traceback.

    `environ`: where secrets are, where they are not in this process's environment any more. `frame`: as for `entry`.
    """
    os.umask(0o077)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a title in another script than the locale's must not end a command
            stream.reconfigure(errors="backslashreplace")
    argv = sys.argv[1:] if argv is None else argv
    try:
        args = _parsed(argv)
    except SystemExit as end:  # argparse has said why
        return int(end.code or 0)
    args.environ = os.environ if environ is None else environ
    args.frame = frame
    out = Output()
    try:
        status = _run(args, out)
        out.finish()
    except KeyboardInterrupt:
        status = 130
    except SystemExit as end:  # a signal unwound it
        status = int(end.code or 0)
    except OSError as fault:
        out.fail("reeldesk", words(fault))
        status = 1
    return status


def _parsed(argv: list[str]) -> "argparse.Namespace":
    if set(argv) <= opening.OPTIONS:
        return opening.asked(argv)
    from tui.commandline.parsing import parser

    return parser().parse_args(argv)


def _run(args: "argparse.Namespace", out: Output) -> int:
    try:
        return int(args.run(args, out))
    except (Usage, ConfigError) as fault:
        out.fail("reeldesk", words(fault))
        return 2
    except FAULTS as fault:
        out.fail("reeldesk", words(fault))
        return 1


if __name__ == "__main__":
    sys.exit(entry())
