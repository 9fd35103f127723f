"""The whole command line, for argparse: every command, in the order of its help."""

import argparse

from tui.commandline import (
    account,
    agents,
    catchup,
    custody,
    demo,
    doctor,
    fetching,
    flagging,
    keeping_secrets,
    listening,
    listing,
    notify,
    opening,
    reconciling,
    releasing,
    risking,
    syncing,
    undoing,
    verifying,
    working,
)
from tui.commandline.arguments import Commands

_EPILOG = """\
examples:
  reeldesk demo                         the desk over five emulated services; nothing is configured or touched
  reeldesk                              the desk over what config.toml names
  reeldesk sync && reeldesk list --state available
  reeldesk fetch --all --json
  reeldesk COMMAND --help               more about a command

exit status: 0 all well; 1 something failed, each one named on stderr; 2 usage or configuration; 130 interrupted
config.toml: $REELDESK_CONFIG, else in the platform's config folder (`reeldesk doctor` says where)"""
_FAMILIES = (
    demo,
    syncing,
    listing,
    risking,
    fetching,
    verifying,
    reconciling,
    releasing,
    flagging,
    undoing,
    custody,
    catchup,
    notify,
    agents,
    account,
    keeping_secrets,
    working,
    listening,
    doctor,
)


class _Version(argparse.Action):
    """--version, looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        from tui.commandline.doctor import version

        print(f"reeldesk {version()}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        "reeldesk",
        description="A desk for meeting recordings: see what is at risk, bring it home with proof, then let it go.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and end")
    opening.add(top)
    commands: Commands = top.add_subparsers(metavar="COMMAND", title="commands; without one the desk opens")
    for family in _FAMILIES:
        family.add(commands)
    return top
