"""What the commands' arguments have in common, and what they name."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from providers.models import AssetId, Capability
from tui.commandline.output import Output
from tui.commandline.session import Usage

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

Command = Callable[[argparse.Namespace, Output], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a family adds its commands; argparse has no public name for it."""


def command(commands: Commands, name: str, words: str, run: Command, examples: str = "") -> argparse.ArgumentParser:
    """Add a command: its name, what it does (one sentence), what runs it, and example lines."""
    parser = commands.add_parser(
        name,
        help=words,
        description=words[0].upper() + words[1:] + ".",
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def group(commands: Commands, name: str, words: str) -> Commands:
    """Add a command that has commands of its own."""
    parser = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".", allow_abbrev=False)
    return parser.add_subparsers(required=True, metavar="COMMAND", dest="subcommand")


def json_option(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def account_option(parser: argparse.ArgumentParser, words: str) -> None:
    """--account."""
    parser.add_argument("--account", metavar="A", help=words)


def assets_or_all(parser: argparse.ArgumentParser, words: str) -> None:
    """ASSET… or --all."""
    parser.add_argument("assets", nargs="*", metavar="ASSET", type=asset, help="as `reeldesk list` prints it")
    parser.add_argument("--all", action="store_true", help=words)


def asset(text: str) -> AssetId:
    """An identity on the command line, for argparse."""
    try:
        return AssetId.parse(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def check_assets(desk: "Desk", args: argparse.Namespace) -> None:
    """Raise Usage unless either assets of configured accounts are named, or --all."""
    if bool(args.assets) == args.all:
        raise Usage("name the assets, or say --all" if not args.all else "name the assets or say --all, not both")
    check_accounts(desk, [identity.account for identity in args.assets])


def check_accounts(desk: "Desk", named: Sequence[str]) -> None:
    """Raise Usage for a name that is no configured account's."""
    for name in named:
        if name not in desk.config.accounts:
            raise Usage(no_account(name, desk.config.accounts))


def no_account(name: str, configured: Iterable[str]) -> str:
    """Words for a name that is no configured account's."""
    return f"there is no account {name}; {_listed(configured)}"


def one_account(desk: "Desk", named: str | None, capability: Capability) -> str:
    """The account that is meant: the one named, else the only one with the capability. Raises Usage."""
    able = [name for name in desk.config.accounts if capability in desk.capabilities(name)]
    if named is not None:
        check_accounts(desk, [named])
        if named not in able:
            raise Usage(f"the account {named} has no {capability}; {_listed(able, 'those that have')}")
        return named
    if len(able) != 1:
        raise Usage(f"name the --account; {_listed(able, 'those that have ' + capability)}")
    return able[0]


def _listed(names: Iterable[str], what: str = "configured") -> str:
    return f"{what}: {', '.join(names) or 'none'}"
