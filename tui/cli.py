"""`reeldesk`: the command line. It opens the desk when no command is named; Textual is imported only then.

The commands (tui/commandline/families.py) are imported only when there may be one: the desk does not wait for them.
"""

import argparse
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
    from tui.shown_frame import ShownFrame

_EPILOG = """\
examples:
  reeldesk demo                         the desk over five emulated services; nothing is configured or touched
  reeldesk                              the desk over what config.toml names
  reeldesk sync && reeldesk list --state available
  reeldesk fetch --all --json
  reeldesk COMMAND --help               more about a command

exit status: 0 all well; 1 something failed, each one named on stderr; 2 usage or configuration; 130 interrupted
config.toml: $REELDESK_CONFIG, else in the platform's config folder (`reeldesk doctor` says where)"""


class _Version(argparse.Action):
    """--version, looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        from tui.commandline.doctor import version

        print(f"reeldesk {version()}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from tui.commandline import families

    top = argparse.ArgumentParser(
        "reeldesk",
        description="A desk for meeting recordings: see what is at risk, bring it home with proof, then let it go.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and end")
    opening.add(top)
    families.add(top.add_subparsers(metavar="COMMAND", title="commands; without one the desk opens"))
    return top


def _desk_parser() -> argparse.ArgumentParser:
    """For what only opens the desk: no command is named, and nothing can be wrong."""
    top = argparse.ArgumentParser(allow_abbrev=False)
    opening.add(top)
    return top


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
        args = (_desk_parser() if set(argv) <= opening.OPTIONS else parser()).parse_args(argv)
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


def _run(args: argparse.Namespace, out: Output) -> int:
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
