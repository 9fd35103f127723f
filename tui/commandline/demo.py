"""`demo`: the five services in a box, with nothing configured and nothing of the user's touched."""

import argparse
import asyncio
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tui.commandline.arguments import Commands, command
from tui.commandline.opening import WATCHED, Play, heeds_devtools, line_of, open_desk
from tui.commandline.output import Output
from tui.commandline.session import supervise, undisturbed, unwinding
from tui.wire.line import Line

if TYPE_CHECKING:  # it is loaded when a demo is opened, not for --help
    from providers.demo import Demo

BANNER = "demo: nothing of yours is touched"
_SAID = "emulated services and a temporary folder; your configuration, keyring and vault are not touched"
_SECRETS = ("REELDESK_SECRET_", "CREDENTIALS_DIRECTORY")
_HOW = "in another shell: set -a; . {0}/env; set +a"
_EXAMPLES = """\
  reeldesk demo
  reeldesk demo --play triage
  reeldesk demo --serve /tmp/boxes &
  set -a; . /tmp/boxes/env; set +a
  reeldesk sync && reeldesk list"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = command(commands, "demo", "open the desk over five emulated services", run, _EXAMPLES)
    parser.add_argument(
        "--serve",
        metavar="DIR",
        type=Path,
        help="only run the services: write DIR/config.toml and DIR/env, print `ready`, run until interrupted",
    )
    parser.add_argument(
        "--play",
        choices=("triage",),
        help="have the desk show how it is used: it types the keys itself; any key of yours pauses it",
    )
    parser.add_argument(
        "--pace", metavar="SECONDS", type=_pace, default=1.0, help="between two keys of --play (default: 1)"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Open the desk over the emulators, or only serve them."""
    if args.serve is not None:
        args.serve.mkdir(parents=True, exist_ok=True)
        with unwinding(), _boxes(args.serve) as demo:
            (demo.folder / "env").write_text(environment_file(demo.environ), "utf-8")
            out.note(_HOW.format(demo.folder))
            return supervise(_serve(out))
    banner = f"{BANNER}; {WATCHED}" if heeds_devtools(args, out) else BANNER
    out.note(f"demo: {_SAID}")
    play = Play(args.play, args.pace) if args.play else None
    return open_demo(args.environ, banner, line_of(args), play)


def open_demo(
    environ: Mapping[str, str], banner: str = BANNER, line: Line | None = None, play: Play | None = None
) -> int:
    """Open the desk over the services in a box and give its exit status. `play`: what it shows by itself."""
    with unwinding(), _boxes(decays=True) as demo:
        return open_desk(without_secrets(environ) | demo.environ, banner=banner, outlived=False, line=line, play=play)


def _pace(text: str) -> float:
    """Seconds, from nothing to a minute."""
    seconds = float(text)
    if not 0 <= seconds <= 60:
        raise argparse.ArgumentTypeError("between 0 and 60 seconds")
    return seconds


@contextmanager
def _boxes(folder: Path | None = None, *, decays: bool = False) -> "Iterator[Demo]":
    """The demo's services; nothing disturbs their end, at which a temporary folder is removed."""
    from providers.demo import Demo

    demo = Demo(folder, decays=decays)
    try:
        demo.__enter__()
        yield demo
    finally:
        with undisturbed():
            demo.close()


async def _serve(out: Output) -> int:
    """Say that the services answer, and wait for the interruption."""
    out.line("ready")
    out.flush()
    await asyncio.Event().wait()
    return out.status


def environment_file(environ: dict[str, str]) -> str:
    """The variables as lines for a shell, or for whoever splits at the first `=`: secrets, and where things lie."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in environ.items())


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The user's variables, except for credentials: an account of theirs may be called like one of the demo's."""
    return {name: value for name, value in environ.items() if not name.startswith(_SECRETS)}
